"""`python -m benchmarks.load_rounds ROUNDS CONNECTIONS CONCURRENCY`: the prober and others against one nginx.

Runs in a network namespace of its own, over its loopback. In each round every tool has its turn, in another order.
Prints a JSON list: {"round": n, "tool": name, "per_second": x, "cpu_us": y}.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.load_tools import library_path, load_tools
from bgplab.traffic.probe import SOURCE

PORT = 8080
URL = f"http://127.0.0.1:{PORT}/"
#: One worker, as one pod has; the body is that of whoami.
NGINX = """
worker_processes 1; daemon off; pid {here}/pid; error_log stderr crit;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  client_body_temp_path {here}/body; proxy_temp_path {here}/proxy; fastcgi_temp_path {here}/fastcgi;
  uwsgi_temp_path {here}/uwsgi; scgi_temp_path {here}/scgi;
  server {{
    listen {port} backlog=4096;
    location / {{
      default_type text/plain;
      return 200 "Hostname: webpod-a\\nIP: 127.0.0.1\\nRemoteAddr: $remote_addr:$remote_port\\nGET / HTTP/1.1\\n\\n";
    }}
  }}
}}
"""
RESULTS = {
    "ab": r"Requests per second:\s+([\d.]+)",
    "wrk": r"Requests/sec:\s+([\d.]+)",
    "hey": r"Requests/sec:\s+([\d.]+)",
    "prober": r'"per_second": ([\d.]+)',
}


def main(rounds: int, connections: int, concurrency: int) -> None:
    tools = load_tools()
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    Path("/proc/sys/net/core/somaxconn").write_text("4096")
    measured = []
    with tempfile.TemporaryDirectory() as here:
        configuration = Path(here) / "nginx.conf"
        configuration.write_text(NGINX.format(here=here, port=PORT))
        server = subprocess.Popen([tools["nginx"], "-c", str(configuration)], stderr=subprocess.DEVNULL)
        try:
            commands = _commands(tools, connections, concurrency)
            _wait_for_server(commands["prober"])
            names = list(commands)
            for number in range(rounds):
                for name in names[number % len(names) :] + names[: number % len(names)]:
                    per_second, cpu = _run(name, commands[name], connections)
                    measured.append({"round": number, "tool": name, "per_second": per_second, "cpu_us": cpu})
        finally:
            server.terminate()
            server.wait()
    print(json.dumps(measured))


def _commands(tools: dict[str, str], connections: int, concurrency: int) -> dict[str, list[str]]:
    """All open a new connection per request. wrk knows durations only, and never counts what it failed to open."""
    close = ["-H", "Connection: close"]
    many = ["-n", str(connections), "-c", str(concurrency)]
    return {
        "ab": [tools["ab"], "-q", *many, URL],
        "wrk": [tools["wrk"], "-t1", f"-c{concurrency}", "-d2s", *close, URL],
        "hey": [tools["hey"], *many, "-disable-keepalive", URL],
        "prober": [
            "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable,
            str(SOURCE),
            f"--url={URL}",
            f"--requests={connections}",
            f"--concurrency={concurrency}",
        ],
    }


def _run(name: str, command: Sequence[str], connections: int) -> tuple[float, float]:
    """Connections per second as the tool says, and its CPU time for each, its own start included, in microseconds."""
    environment = {**os.environ, "LD_LIBRARY_PATH": library_path()} if name in ("ab", "wrk") else None
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=environment)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        text = out.read()
    found = re.search(RESULTS[name], text)
    if process.returncode != 0 or found is None:
        raise RuntimeError(f"{name}: exit {process.returncode}: {text[-800:]}")
    if name == "wrk":
        counted = re.search(r"(\d+) requests in", text)
        connections = int(counted.group(1)) if counted else connections
    return float(found.group(1)), (used.ru_utime + used.ru_stime) * 1e6 / connections


def _wait_for_server(prober: Sequence[str]) -> None:
    deadline = time.monotonic() + 10
    once = [*prober[:3], "--requests=1"]
    while '"errors": {}' not in subprocess.run(once, capture_output=True, text=True, check=True).stdout:
        if time.monotonic() > deadline:
            raise RuntimeError("nginx does not answer within 10 s")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]))
