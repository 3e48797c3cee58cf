"""Run the prober on a host or in a pod and bring its records home; a curl loop stands in where Python is missing."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bgplab.errors import LabError
from bgplab.lab.cluster import Cluster
from bgplab.lab.shell import Completed, Running, Shell
from bgplab.traffic import prober
from bgplab.traffic.records import Plan, Probe

SOURCE = Path(prober.__file__)
NO_SUCH_COMMAND = (126, 127)
COLUMNS = prober.COLUMNS


class RecordsError(LabError):
    """The prober's output is not whole, or contradicts itself: nothing is concluded from it."""

    def __init__(self, where: str, what: str) -> None:
        self.where, self.what = where, what
        super().__init__(f"{where}: the prober's records cannot be trusted: {what}")


def probe(host: Shell, plan: Plan) -> Probe:
    """Probe from a host. Raises LabError when the host cannot be reached or the prober did not do its work."""
    argv = ["python3", _put(host), *plan.arguments()]
    done = host.run(argv, timeout=plan.longest_seconds, check=False)
    if done.exit_status in NO_SUCH_COMMAND:
        script = curl_script(plan)
        by_curl = host.run(["sh", "-c", script], timeout=_curl_seconds(plan), check=False)
        return parse_curl(by_curl, host.name, plan)
    return parse(done, host.name)


def probe_from_pod(
    cluster: Cluster, pod: str, plan: Plan, *, namespace: str = "default", container: str | None = None
) -> Probe:
    """Probe from a pod by exec; the prober goes in by standard input, so nothing is left in the pod."""
    where = f"{namespace}/{pod}"
    done = cluster.exec(
        pod,
        ["python3", "-", *plan.arguments()],
        namespace=namespace,
        container=container,
        stdin=SOURCE.read_text(),
        timeout=plan.longest_seconds,
        check=False,
    )
    if done.exit_status in NO_SUCH_COMMAND:
        by_curl = cluster.exec(
            pod,
            ["sh", "-c", curl_script(plan)],
            namespace=namespace,
            container=container,
            timeout=_curl_seconds(plan),
            check=False,
        )
        return parse_curl(by_curl, where, plan)
    return parse(done, where)


@dataclass(frozen=True, slots=True)
class RunningProbe:
    """A prober that is at work, across an event."""

    host: str
    running: Running

    def stop(self) -> Probe:
        """End it as Ctrl-C does, and return what was measured; open connections are recorded as `interrupted`."""
        return parse(self.running.stop(), self.host)

    def wait(self, timeout: float) -> Probe:
        return parse(self.running.wait(timeout), self.host)


def start_probe(host: Shell, plan: Plan, on_line: Callable[[str], None] | None = None) -> RunningProbe:
    """Start a prober in the background: with a rate and no number of requests it goes on until stopped."""
    return RunningProbe(host.name, host.start(["python3", _put(host), *plan.arguments()], on_line=on_line))


def path_on_host() -> str:
    """Where the prober lies on a host, named by its content: sent once, and a new version again."""
    return f"/tmp/bgp-lab-prober-{hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:12]}.py"


def _put(host: Shell) -> str:
    path = path_on_host()
    if host.run(["test", "-f", path], check=False).exit_status != 0:
        host.put(SOURCE.read_bytes(), path)
    return path


def parse(done: Completed, where: str) -> Probe:
    """The prober's output. Raises RecordsError unless header, every record and a summary that agrees are there."""
    if done.exit_status != 0:
        said = (done.stderr.strip() or done.stdout.strip())[-400:]
        raise RecordsError(where, f"it ended with status {done.exit_status}: {said}")
    lines = done.stdout.splitlines()
    if len(lines) < 2:
        raise RecordsError(where, f"{len(lines)} lines, but header and summary are two")
    try:
        header, summary = json.loads(lines[0]), json.loads(lines[-1])["summary"]
        # one parse for all rows: a third of the time of one per line
        rows = json.loads("[" + ",".join(lines[1:-1]) + "]")
    except (ValueError, KeyError, TypeError) as error:
        raise RecordsError(where, f"a line is not what it should be ({error})") from error
    if header.get("columns") != list(COLUMNS):
        raise RecordsError(where, f"its columns are {header.get('columns')}")
    if any(not isinstance(row, list) or len(row) != len(COLUMNS) for row in rows):
        raise RecordsError(where, "a record has the wrong number of columns")
    if not len(rows) == summary["recorded"] == summary["started"]:
        told = f"{summary['started']} started, {summary['recorded']} recorded, {len(rows)} arrived"
        raise RecordsError(where, told)
    if sorted(row[0] for row in rows) != list(range(len(rows))):
        raise RecordsError(where, "sequence numbers are missing or doubled")
    columns = dict(zip(COLUMNS, (list(column) for column in zip(*rows, strict=True)), strict=True)) if rows else _none()
    return Probe(where, shlex.join(done.argv), columns, summary, header)


def _none() -> dict[str, list[Any]]:
    return {name: [] for name in COLUMNS}


CURL_FIELDS = "%{time_connect}\t%{time_starttransfer}\t%{time_total}\t%{local_ip}\t%{local_port}\t%{http_code}"
CURL_ERRORS = {18: "short", 52: "short", 56: "reset", 55: "reset", 1: "malformed", 8: "malformed", 45: "address_in_use"}


def curl_script(plan: Plan) -> str:
    """A POSIX sh loop around curl, a tab-separated line per connection, at most `concurrency` at a time.

    Ports that need only be free are the kernel's to choose. Raises LabError for what such a loop cannot do: rates,
    durations, source ports that somebody counts on.
    """
    chosen = plan.source_ports != "kernel" and not plan.source_ports.startswith("free:")
    if plan.rate or plan.duration or chosen or not plan.requests:
        raise LabError("without python3 there is only a curl loop: it can do a number of requests, nothing else")
    limit = plan.connect_timeout + plan.read_timeout
    curl = ["curl", "-sS", "--connect-timeout", f"{plan.connect_timeout:g}", "--max-time", f"{limit:g}"]
    curl += ["--interface", plan.source_addresses[0]] if plan.source_addresses else []
    curl += ["-H", f"Host: {plan.host_header}"] if plan.host_header else []
    curl += ["-w", f"\\n{CURL_FIELDS}", plan.url]
    return f"""
one() {{
  now=$(date +%s%N 2>/dev/null); case "$now" in *[!0-9]*) now=$(date +%s)000000000;; esac
  out=$({shlex.join(curl)} 2>&1); status=$?
  name=$(printf '%s\\n' "$out" | sed -n 's/^Hostname: *//p' | head -n 1 | tr -d '\\t\\r')
  seen=$(printf '%s\\n' "$out" | sed -n 's/^RemoteAddr: *//p' | head -n 1 | tr -d '\\t\\r')
  said=$(printf '%s\\n' "$out" | sed -n 's/^curl: *//p' | head -n 1 | tr -d '\\t\\r')
  printf '%s\\t%s\\t%s\\t%s\\t%s\\t%s\\t%s\\n' "$1" "$now" "$status" "$name" "$seen" "$said" \\
    "$(printf '%s\\n' "$out" | tail -n 1)"
}}
i=0
while [ $i -lt {plan.requests} ]; do
  one $i & i=$((i+1))
  [ $((i % {plan.concurrency or 32})) -eq 0 ] && wait
done
wait
"""


def parse_curl(done: Completed, where: str, plan: Plan) -> Probe:
    """The curl loop's lines as a Probe. Raises RecordsError when a record is missing."""
    columns = _none()
    for line in done.lines:
        parts = line.split("\t")
        if len(parts) != 12:
            raise RecordsError(where, f"a line of the curl loop is not one: {line[:120]!r}")
        for name, value in zip(COLUMNS, _curl_record(parts), strict=True):
            columns[name].append(value)
    if sorted(columns["sequence"]) != list(range(plan.requests)):
        told = f"{plan.requests} requested, {len(columns['sequence'])} recorded; {done.stderr.strip()[-200:]}"
        raise RecordsError(where, told)
    note = f"{where} has no python3: curl was used, one process per connection; latencies are curl's own"
    summary = {"started": plan.requests, "recorded": plan.requests, "seconds": done.seconds}
    return Probe(where, f"curl {plan.url}  # x {plan.requests}", columns, summary, method="curl", note=note)


def _curl_record(parts: Sequence[str]) -> tuple[Any, ...]:
    sequence, start, status, name, seen, said, connect, first, total, address, port, code = parts
    connected = float(connect or 0) > 0
    error = _curl_error(int(status), said, connected)
    if not error and not 200 <= int(code or 0) <= 299:
        error = "status"
    return (
        int(sequence),
        int(start),
        _microseconds(connect),
        _microseconds(first),
        _microseconds(total) or 0,
        address or None,
        int(port) if port.isdigit() and int(port) > 0 else None,
        name or None,
        seen or None,
        int(code) if code.isdigit() and int(code) else None,
        error,
    )


def _microseconds(seconds: str) -> int | None:
    return round(float(seconds) * 1e6) if seconds and float(seconds) > 0 else None


def _curl_error(status: int, said: str, connected: bool) -> str:
    if status == 28:
        return "timeout_read" if connected else "timeout_connect"
    if status == 7:
        unreachable = "No route" in said or "unreachable" in said
        return "unreachable" if unreachable else "refused"
    return CURL_ERRORS.get(status, f"errno_curl_{status}") if status else ""


def _curl_seconds(plan: Plan) -> float:
    return plan.longest_seconds + plan.requests * 0.05
