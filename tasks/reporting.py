"""What a walk leaves: a run directory with its report, and artifacts in Prefect's UI."""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from prefect import task
from prefect.artifacts import (
    create_image_artifact,
    create_link_artifact,
    create_markdown_artifact,
    create_table_artifact,
)
from prefect.cache_policies import NO_CACHE

from bgplab.judge.topology import topology_of, versions_of
from bgplab.results.directory import save_run, this_machine
from bgplab.results.history import Difference, differences, previous_verdicts
from bgplab.results.junit import junit_xml
from bgplab.results.markdown import markdown_summary
from bgplab.results.record import Run, Topology
from dashboards.figures import distribution_image
from dashboards.report import render_report
from tasks.walk import Walk

LIBRARIES = ("prefect", "kubernetes", "fabric", "pandas", "plotly")
LARGEST_IMAGE_BYTES = 400_000


def results_directory() -> Path:
    """`$BGPLAB_RESULTS`, or `results` where the command was given."""
    return Path(os.environ.get("BGPLAB_RESULTS") or "results").absolute()


@task(name="write the report", cache_policy=NO_CACHE, persist_result=False, tags=["bgp-lab"])
def write_report(walk: Walk, flow: str, run_id: str, parameters: Mapping[str, Any], again: str) -> tuple[Run, Path]:
    """Write the run directory (report, frames, evidence, JUnit, markdown) and the artifacts."""
    run = run_of(walk, flow, run_id, parameters, again)
    results = results_directory()
    changes = differences(previous_verdicts(results, flow, run.lab, run_id), run.checks)
    files: dict[str, str | bytes] = {
        "report.html": render_report(run, changes),
        "junit.xml": junit_xml(run),
        "summary.md": markdown_summary(run, changes),
    }
    if run.load_tests:
        image = distribution_image(run.load_tests, "svg")
        files["distribution.svg"] = image.content
    directory = save_run(results, run, files)
    _publish(run, directory, results, changes, files.get("distribution.svg"))
    walk.say(f"report: {directory / 'report.html'}")
    return run, directory


def run_of(walk: Walk, flow: str, run_id: str, parameters: Mapping[str, Any], again: str) -> Run:
    """Everything a walk did and saw, as one frozen record."""
    versions = {"bgp-lab": version("bgp-lab"), "cilium": walk.spec.cluster.cilium_version}
    versions |= {name: version(name) for name in LIBRARIES}
    topology = Topology()
    if walk.is_open and not walk.error:
        versions |= versions_of(walk.lab, walk.spec)
        topology = topology_of(walk.lab, walk.spec)
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
        timeline=tuple(walk.timeline),
        topology=topology,
        parameters=dict(parameters),
        versions=versions,
        seeds={} if seed is None else {"fib_multipath_hash_seed": seed},
        machine=this_machine(),
        again=again,
        error=walk.error,
    )


def _publish(
    run: Run, directory: Path, results: Path, changes: tuple[Difference, ...], image: str | bytes | None
) -> None:
    """Artifacts of the run's page in Prefect's UI; browsers follow no file: link from there, so reports are served."""
    key = f"bgp-lab-{run.lab}"
    create_table_artifact(
        key=f"{key}-checks",
        table=[
            {"id": one.id, "observation": one.title, "verdict": one.verdict.value, "reason": one.reason}
            for one in run.checks
        ],
        description=run.sentence,
    )
    create_markdown_artifact(key=f"{key}-summary", markdown=markdown_summary(run, changes))
    create_link_artifact(
        key=f"{key}-report", link=report_link(directory, results), link_text="report", description=str(directory)
    )
    content = image.encode() if isinstance(image, str) else image
    if content and len(content) < LARGEST_IMAGE_BYTES:
        data = base64.b64encode(content).decode()
        create_image_artifact(
            key=f"{key}-distribution", image_url=f"data:image/svg+xml;base64,{data}", description="connections per node"
        )


def report_link(directory: Path, results: Path) -> str:
    """Where the report can be opened: on the results server when there is one (`make serve`), else the file itself."""
    site = os.environ.get("BGPLAB_SITE")
    return (
        f"{site.rstrip('/')}/{directory.relative_to(results)}/report.html"
        if site
        else (directory / "report.html").as_uri()
    )
