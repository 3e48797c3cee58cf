"""A run on disk: `<results>/<flow>/<lab>/<run-id>/`, written under a temporary name and renamed, so never seen by half.

run.json            what is not a table: verdict, parameters, versions, seeds, machine, load tests, topology
checks.parquet      one row per check             (frames.CHECKS)
steps.parquet       one row per step              (frames.STEPS)
points.parquet      one row per share measured    (frames.POINTS)
requests.parquet    one row per connection        (frames.REQUESTS)
timeline.parquet    one row per event             (frames.TIMELINE)
convergence.parquet one row per event under traffic (frames.CONVERGENCE)
evidence/NNN-ID.json  what a check saw, raw
commands.txt        what a person would type, step by step
report.html and whatever else the caller hands over
"""

from __future__ import annotations

import json
import math
import os
import platform
import re
import secrets
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any

from bgplab.checks.finding import Verdict
from bgplab.errors import InputError, MachineError
from bgplab.results import frames
from bgplab.results.record import (
    LoadTestResult,
    Machine,
    MeshLink,
    Run,
    Topology,
    TopologyHost,
    TopologySession,
    TruthCell,
)

FORMAT = 2
READABLE = (1, 2)  # 1 had no convergence.parquet, and no column `test` in timeline.parquet
UNFINISHED = ".unfinished-"
ROOM_BYTES = 16 << 20  # a run of the guide takes 3 MB, one with 100,000 connections 8
_ELSEWHERE = "make room there, or name another directory: BGPLAB_RESULTS=…"
SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def new_run_id(now: float | None = None) -> str:
    """Unique and sorted by time: `20261124T173012Z-1a2b3c`."""
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now)) + "-" + secrets.token_hex(3)


def default_results() -> Path:
    """`$BGPLAB_RESULTS`, or `results` where the command was given."""
    return Path(os.environ.get("BGPLAB_RESULTS") or "results").absolute()


def refuse_unwritable(results: Path) -> None:
    """Find out before a lab is brought up that its run could not be kept. Raises MachineError.

    The directory is made, as the run would make it; a file is written, as permissions tell root nothing.
    """
    probe = results / f"{UNFINISHED}{secrets.token_hex(6)}"
    try:
        results.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"bgp-lab")
        free = shutil.disk_usage(results).free
    except OSError as fault:
        raise MachineError(f"results cannot be kept in {results}: {fault.strerror}", _ELSEWHERE) from fault
    finally:
        with suppress(OSError):
            probe.unlink()
    if free < ROOM_BYTES:
        room = f"{free >> 20} MiB are free, a run takes up to {ROOM_BYTES >> 20}"
        raise MachineError(f"results cannot be kept in {results}: {room}", _ELSEWHERE)


def this_machine() -> Machine:
    pages, page = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    try:
        system = platform.freedesktop_os_release().get("PRETTY_NAME", "")
    except OSError:
        system = platform.system()
    return Machine(
        cpus=len(os.sched_getaffinity(0)),
        memory_mib=pages * page >> 20,
        kernel=platform.release(),
        system=system,
        python=platform.python_version(),
    )


def run_directory(results: Path, run: Run) -> Path:
    """Where a run belongs. Raises InputError for a name that would lead elsewhere."""
    for field, name in (("flow", run.flow), ("lab", run.lab), ("run_id", run.run_id)):
        if not SAFE_NAME.fullmatch(name):
            raise InputError(
                field, f"{name!r} is no name for a directory", "results are kept by it", "use letters, digits, . _ -"
            )
    return results / run.flow / run.lab / run.run_id


def save_run(results: Path, run: Run, files: Mapping[str, str | bytes] | None = None) -> Path:
    """Write a run, settled, and return its directory. files: further ones by name, such as `report.html`.

    Raises FileExistsError when the run is there already, ValueError when a load test and an event have one name, by
    which their requests are kept, MachineError when the disk does not take it. A killed writer leaves a
    `.unfinished-…` directory, no run.
    """
    run = run.settled()
    if both := sorted({test.name for test in run.load_tests} & {event.name for event in run.convergence}):
        raise ValueError(f"load tests and events under traffic share the names {', '.join(both)}")
    target = run_directory(results, run)
    if target.exists():
        raise FileExistsError(target)
    draft = target.parent / f"{UNFINISHED}{run.run_id}"
    shutil.rmtree(draft, ignore_errors=True)
    try:
        draft.mkdir(parents=True)
        _write(draft, run, files or {})
        draft.rename(target)
    except OSError as fault:
        shutil.rmtree(draft, ignore_errors=True)
        raise MachineError(f"the run could not be kept as {target}: {fault.strerror or fault}", _ELSEWHERE) from fault
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return target


def _write(draft: Path, run: Run, files: Mapping[str, str | bytes]) -> None:
    _write_text(draft / "run.json", as_json(_described(run)) + "\n")
    tables = {
        "checks": frames.checks_frame(run.checks),
        "steps": frames.steps_frame(run.steps),
        "points": frames.points_frame(run.load_tests),
        "requests": frames.requests_frame(run.under_traffic),
        "timeline": frames.timeline_frame(run),
        "convergence": frames.convergence_frame(run.convergence),
    }
    for name, table in tables.items():
        table.to_parquet(draft / f"{name}.parquet", index=False)
    (draft / "evidence").mkdir()
    for number, check in enumerate(run.checks):
        path = draft / "evidence" / f"{number:03d}-{safe_file_name(check.id)}.json"
        _write_text(path, as_json({"id": check.id, "evidence": check.evidence}) + "\n")
    _write_text(draft / "commands.txt", commands_text(run))
    for name, content in files.items():
        path = draft / safe_file_name(name)
        _write_text(path, content) if isinstance(content, str) else path.write_bytes(content)


def _write_text(path: Path, text: str) -> None:
    """UTF-8 whatever the locale; what hosts said in other bytes is spelt out rather than costing the run."""
    path.write_bytes(text.encode(errors="backslashreplace"))


def commands_text(run: Run) -> str:
    """What a person would type, step by step, as a commented script."""
    blocks = ["\n".join((f"# {step.id}  {step.title}", *step.commands)) for step in run.steps if step.commands]
    return "\n\n".join(blocks) + ("\n" if blocks else "")


def safe_file_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "_", name).lstrip(".") or "_"


def plain(value: Any) -> Any:
    """What evidence is made of, as JSON: data classes, models, addresses, enums, sets, numpy; else its text."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Enum):
        return plain(value.value)
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return sorted((plain(item) for item in value), key=str)
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    return value.item() if hasattr(value, "item") else str(value)


def as_json(value: Any) -> str:
    return json.dumps(plain(value), indent=2, ensure_ascii=False)


def _described(run: Run) -> dict[str, Any]:
    counts = {verdict.value: len(run.with_verdict(verdict)) for verdict in Verdict}
    return {
        "format": FORMAT,
        "flow": run.flow,
        "lab": run.lab,
        "run_id": run.run_id,
        "verdict": run.verdict.value,
        "sentence": run.sentence,
        "counts": counts,
        "started_ns": run.started_ns,
        "seconds": run.seconds,
        "error": run.error,
        "again": run.again,
        "parameters": dict(run.parameters),
        "versions": dict(run.versions),
        "seeds": dict(run.seeds),
        "machine": run.machine,
        "topology": run.topology,
        "load_tests": [_described_test(test) for test in run.load_tests],
        "truth_table": run.truth_table,
    }


def _described_test(test: LoadTestResult) -> dict[str, Any]:
    """All of a load test but its tables."""
    kept = {name: getattr(test, name) for name in test.__dataclass_fields__ if name not in ("requests", "shares")}
    return {**kept, "verdict": test.verdict.value, "statistics": dict(test.statistics)}


def load_run(path: Path) -> Run:
    """A run as it was saved. Raises InputError when the directory is no (whole) run, or one of a newer format."""
    path = Path(path)
    try:
        described = json.loads((path / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(str(path), "is not a run", str(error), "name a directory with a run.json") from error
    if not isinstance(described, dict):
        raise InputError(str(path), "is not a run", "its run.json is no object", "name a directory that a run wrote")
    if described.get("format") not in READABLE:
        raise InputError(str(path), f"has format {described.get('format')}, this version reads up to {FORMAT}")
    try:
        return _loaded(path, described)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:  # pyarrow's errors are ValueErrors
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(str(path), "is no whole run", said, "make the run again, or remove the directory") from error


def _loaded(path: Path, described: Mapping[str, Any]) -> Run:
    import pandas

    names = ["checks", "steps", "points", "requests", "timeline"]
    names += ["convergence"] if described["format"] > 1 else []
    tables = {name: pandas.read_parquet(path / f"{name}.parquet") for name in names}
    return Run(
        flow=described["flow"],
        lab=described["lab"],
        run_id=described["run_id"],
        started_ns=described["started_ns"],
        seconds=described["seconds"],
        checks=frames.checks_of(tables["checks"], _evidence(path / "evidence")),
        steps=frames.steps_of(tables["steps"]),
        load_tests=tuple(
            replace(
                _load_test(test),
                requests=frames.request_columns(tables["requests"], test["name"]),
                shares=frames.shares_of(tables["points"], test["name"]),
            )
            for test in described["load_tests"]
        ),
        timeline=frames.timeline_of(tables["timeline"]),
        topology=_topology(described["topology"]),
        parameters=described["parameters"],
        versions=described["versions"],
        seeds=described["seeds"],
        machine=Machine(**described["machine"]) if described["machine"] else None,
        again=described["again"],
        error=described["error"],
        convergence=frames.convergence_of(tables["convergence"], tables["requests"], tables["timeline"])
        if "convergence" in tables
        else (),
        truth_table=tuple(TruthCell(**cell) for cell in described.get("truth_table", ())),
    )


def _evidence(folder: Path) -> dict[str, Any]:
    """By position and id, as checks_of() asks."""
    found = {}
    for file in folder.glob("*.json"):
        saved = json.loads(file.read_text(encoding="utf-8"))
        found[f"{file.name[:3]}-{saved['id']}"] = saved["evidence"]
    return found


def _load_test(described: Mapping[str, Any]) -> LoadTestResult:
    return LoadTestResult(
        **{
            **described,
            "verdict": Verdict(described["verdict"]),
            "explanation": tuple(described["explanation"]),
            "unsaid": tuple(described["unsaid"]),
            "requests": {},
        }
    )


def _topology(described: Mapping[str, Any]) -> Topology:
    lists = ("addresses", "subnets", "prefixes", "pods")
    hosts = [TopologyHost(**{**host, **{name: tuple(host[name]) for name in lists}}) for host in described["hosts"]]
    sessions = [TopologySession(**session) for session in described["sessions"]]
    links = tuple(MeshLink(**link) for link in described.get("links", ()))
    return Topology(tuple(hosts), tuple(sessions), described["subnets"], described["vip"], links)
