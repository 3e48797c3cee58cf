"""What a walk leaves on disk: its record, and a run directory with the report. Plain Python; Prefect is beside it."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bgplab.errors import InputError
from bgplab.results.directory import SAFE_NAME, new_run_id, save_run, this_machine
from bgplab.results.history import Difference, differences, previous_verdicts
from bgplab.results.junit import junit_xml
from bgplab.results.markdown import markdown_summary
from bgplab.results.record import Run, Topology
from dashboards.drawing import distribution_svg
from dashboards.report import render_report
from tasks.walk import Walk

LIBRARIES = ("prefect", "kubernetes", "fabric", "pandas", "plotly")


@dataclass(frozen=True, slots=True)
class Written:
    """A run on disk. changes: verdicts that are not those of the run before; none when it is the first."""

    run: Run
    directory: Path
    changes: tuple[Difference, ...]
    distribution: str | None

    @property
    def report(self) -> Path:
        return self.directory / "report.html"


def results_directory() -> Path:
    """`$BGPLAB_RESULTS`, or `results` where the command was given."""
    return Path(os.environ.get("BGPLAB_RESULTS") or "results").absolute()


def unused_run_id(flow: str, lab: str, asked: str | None) -> str:
    """The name asked for, or a new one. Raises InputError for one that is no name, or that another run has."""
    if not asked:
        return new_run_id()
    if not SAFE_NAME.fullmatch(asked):
        what = f"{asked!r} is no name for a directory"
        raise InputError("run_id", what, "results are kept by it", "use letters, digits, . _ -, or leave it empty")
    if (taken := results_directory() / flow / lab / asked).exists():
        raise InputError("run_id", f"{taken} is there already", "a run is never overwritten", "leave it empty")
    return asked


def write_run(run: Run, results: Path) -> Written:
    """Write the run directory: report, frames, evidence, JUnit, markdown, the distribution as a picture.

    The picture is our own SVG (0.03 s); plotly's by way of kaleido takes 6 s on two cores, a third of a whole run.
    """
    before = previous_verdicts(results, run.flow, run.lab, run.run_id)
    changes = differences(before, run.checks) if before else ()
    files: dict[str, str | bytes] = {
        "report.html": render_report(run, changes),
        "junit.xml": junit_xml(run),
        "summary.md": markdown_summary(run, changes),
    }
    distribution = str(distribution_svg(run.load_tests)) if run.load_tests else None
    if distribution:
        files["distribution.svg"] = distribution
    return Written(run, save_run(results, run, files), changes, distribution)


def run_of(walk: Walk, flow: str, run_id: str, parameters: Mapping[str, Any], again: str) -> Run:
    """Everything a walk did and saw, as one frozen record."""
    cilium = {cluster.cilium_version for cluster in walk.spec.clusters}
    versions = {"bgp-lab": version("bgp-lab"), "cilium": ", ".join(sorted(cilium))}
    versions |= {name: version(name) for name in LIBRARIES}
    topology = Topology()
    if walk.is_open and not walk.error:
        versions |= walk.part.course.versions(walk.lab, walk.spec)
        topology = walk.part.course.topology(walk.lab, walk.spec)
    seed = walk.spec.ecmp.hash_seed
    return Run(
        flow=flow,
        lab=walk.name,
        run_id=run_id,
        started_ns=walk.started_ns,
        seconds=(time.time_ns() - walk.started_ns) / 1e9,
        checks=tuple(walk.checks),
        steps=tuple(walk.steps),
        load_tests=tuple(walk.context.load_tests),
        convergence=tuple(walk.context.convergence),
        truth_table=tuple(walk.context.truth_table),
        timeline=tuple(walk.timeline),
        topology=topology,
        parameters=dict(parameters),
        versions=versions,
        seeds={} if seed is None else {"fib_multipath_hash_seed": seed},
        machine=this_machine(),
        again=again,
        error=walk.error,
    )


def again_running(flow: str, name: str, parameters: Mapping[str, Any], last: str, *further: str) -> str:
    """The command that does the same run once more. last: the flow's last step. further: words that only it knows."""
    words = ["bgp-lab", "run", flow, "--lab", parameters["lab"], "--name", name]
    words += [word for key, value in parameters["overrides"].items() for word in ("--set", f"{key}={value}")]
    if parameters["until"] != last:
        words += ["--until", parameters["until"]]
    return shlex.join([*words, *further] + (["--keep"] if parameters["keep"] else []))


def again_checking(name: str, backend: str, options: Mapping[str, Any], ids: Sequence[str] = ()) -> str:
    """The command that judges the same lab once more."""
    words = ["bgp-lab", "check", *ids, "--name", name, "--backend", backend]
    for option, value in options.items():
        words += [f"--{option.replace('_', '-')}"] if value is True else [f"--{option.replace('_', '-')}", str(value)]
    return shlex.join([*words, "--save"])
