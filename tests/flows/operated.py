"""`bgp-lab serve` as a test sees it: started with directories of its own, asked over Prefect's API, ended by its id."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

START_SECONDS = 240.0
RUN_SECONDS = 240.0


@dataclass(frozen=True)
class Served:
    """A running `bgp-lab serve`. directory: holds its state, results and words."""

    process: subprocess.Popen[bytes]
    directory: Path
    api: str

    @property
    def environment(self) -> dict[str, str]:
        return environment_in(self.directory) | {"PREFECT_API_URL": self.api}

    @property
    def said(self) -> str:
        return (self.directory / "serve.log").read_text()

    @property
    def worker(self) -> int:
        """The worker's process id, by its command line among serve's children."""
        for child in children_of(self.process.pid):
            if b"worker" in Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0"):
                return child
        raise AssertionError("serve has no worker")

    def ask(self, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.api}{path}", data, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def run(self, deployment: str, *, watch: bool = True, **parameters: object) -> tuple[int, dict[str, Any]]:
        """`prefect deployment run`, with --watch: its exit status and the run as the server knows it then."""
        argv = [sys.executable, "-m", "prefect", "deployment", "run", deployment]
        argv += [word for name, value in parameters.items() for word in ("--param", f"{name}={json.dumps(value)}")]
        argv += ["--watch", "--watch-timeout", str(int(RUN_SECONDS))] if watch else []
        done = subprocess.run(argv, env=self.environment, capture_output=True, text=True, timeout=RUN_SECONDS + 60)
        id = re.search(r"flow-run/([0-9a-f-]{36})", done.stdout.replace("\n", ""))
        assert id, done.stdout + done.stderr
        return done.returncode, self.flow_run(id[1])

    def flow_run(self, id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.ask(f"/flow_runs/{id}")
        return found

    def log_of(self, run: dict[str, Any]) -> str:
        wanted = {"logs": {"flow_run_id": {"any_": [run["id"]]}}, "limit": 200}
        return "\n".join(line["message"] for line in self.ask("/logs/filter", wanted))

    def lab(self, *argv: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "bgplab.cli.main", *argv]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=RUN_SECONDS)

    def labs(self) -> list[str]:
        return [one["name"] for one in json.loads(self.lab("list", "--json").stdout)]


def environment_in(directory: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "BGPLAB_"))}
    kept |= {name: os.environ[name] for name in ("BGPLAB_CACHE", "BGPLAB_USERLAND") if name in os.environ}
    return kept | {
        "BGPLAB_STATE": str(directory / "state"),
        "BGPLAB_RESULTS": str(directory / "results"),
        "PREFECT_HOME": str(directory / "prefect"),
        "DO_NOT_TRACK": "1",
    }


@contextmanager
def serving(directory: Path) -> Iterator[Served]:
    """serve on free ports, ready for runs; ended by SIGTERM if the test has not done so."""
    with open(directory / "serve.log", "wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "bgplab.cli.main", "serve", "--port", "0", "--site-port", "0"],
            env=environment_in(directory),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield Served(process, directory, _api_once_ready(process, directory / "serve.log"))
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(120)


def _api_once_ready(process: subprocess.Popen[bytes], log: Path) -> str:
    def ready() -> re.Match[str] | None:
        assert process.poll() is None, log.read_text()
        return re.search(r"PREFECT_API_URL=(\S+)", log.read_text())

    found = eventually(ready, START_SECONDS)
    assert found, log.read_text()
    return str(found[1])


def eventually(look: Callable[[], Any], seconds: float) -> Any:
    """What `look` gives once that is true; its last answer when time is up."""
    until = time.monotonic() + seconds
    while not (seen := look()) and time.monotonic() < until:
        time.sleep(0.2)
    return seen


def children_of(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False
