"""What a walk leaves in Prefect's UI beside its run directory: table, summary, picture, link, progress."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from prefect import task
from prefect.artifacts import (
    create_image_artifact,
    create_link_artifact,
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.cache_policies import NO_CACHE
from prefect.events import emit_event
from prefect.states import Completed, Failed, State

from bgplab.checks.finding import Verdict
from bgplab.results.directory import new_run_id
from bgplab.results.markdown import markdown_summary
from tasks.records import Written, results_directory, run_of, write_run
from tasks.telling import tell
from tasks.walk import Walk

DRIFT = "bgp-lab.drift"
LARGEST_ARTIFACT_BYTES = 400_000  # from about 500 KB on the server refuses to publish its event

Chapter = TypeVar("Chapter", bound=Callable[..., Any])


@task(name="write the report", cache_policy=NO_CACHE, persist_result=False)
def write_report(walk: Walk, flow: str, run_id: str, parameters: Mapping[str, Any], again: str) -> Written:
    """Write the run directory (report, frames, evidence, JUnit, markdown) and the artifacts."""
    results = results_directory()
    written = write_run(run_of(walk, flow, run_id, parameters, again), results)
    _publish(written, results)
    walk.say(f"report: {written.report}")
    return written


def walked(
    walk: Walk, flow: str, go: Callable[[], None], *, run_id: str | None, parameters: Mapping[str, Any], again: str
) -> State[dict[str, str]]:
    """The walk itself (`go`), its report, and the lab let go of, whatever happens; the flow's state.

    parameters: of the flow; `keep` says whether the lab stands on.
    """
    run_id = run_id or new_run_id()
    try:
        try:
            go()
        except Exception as fault:  # whatever it was, the evidence so far is written before the lab goes
            walk.give_up(fault)
        written = write_report(walk, flow, run_id, parameters, again)
    finally:
        tell(walk.leave(keep=parameters["keep"]))
    return verdict_as_state(written)


def followed(chapters: Iterable[Chapter], flow: str, lab: str) -> Iterator[Chapter]:
    """The same chapters one by one, and how far they are as a progress artifact on the run's page."""
    chapters = list(chapters)
    shown = create_progress_artifact(0.0, key=artifact_key(flow, lab, "progress"), description=f"steps on lab {lab}")
    for done, chapter in enumerate(chapters, start=1):
        yield chapter
        update_progress_artifact(shown, round(100 * done / len(chapters), 1))  # type: ignore[arg-type]


def artifact_key(flow: str, lab: str, what: str) -> str:
    """Flow and lab names have lower-case letters, digits and dashes only, as keys must."""
    return f"{flow}-{lab}-{what}"


def _publish(written: Written, results: Path) -> None:
    """Artifacts of the run's page; browsers follow no file: link from there, so reports are served."""
    run = written.run
    create_table_artifact(
        key=artifact_key(run.flow, run.lab, "checks"),
        table=[
            {"id": one.id, "observation": one.title, "verdict": one.verdict.value, "reason": one.reason}
            for one in run.checks
        ],
        description=run.sentence,
    )
    summary = markdown_summary(run, written.changes)
    if len(summary.encode()) > LARGEST_ARTIFACT_BYTES:
        summary = f"{run.sentence}\n\nThe summary is too long for this page: `{written.directory / 'summary.md'}`"
    create_markdown_artifact(key=artifact_key(run.flow, run.lab, "summary"), markdown=summary)
    create_link_artifact(
        key=artifact_key(run.flow, run.lab, "report"),
        link=report_link(written, results),
        link_text="report",
        description=str(written.report),
    )
    picture = (written.distribution or "").encode()
    if 0 < len(picture) < LARGEST_ARTIFACT_BYTES:
        create_image_artifact(
            key=artifact_key(run.flow, run.lab, "distribution"),
            image_url=f"data:image/svg+xml;base64,{base64.b64encode(picture).decode()}",
            description="connections per node and endpoint",
        )


def report_link(written: Written, results: Path) -> str:
    """Where the report can be opened: on the results server when there is one (`make serve`), else the file itself."""
    site = os.environ.get("BGPLAB_SITE")
    if not site:
        return written.report.as_uri()
    return f"{site.rstrip('/')}/{written.report.relative_to(results)}"


def verdict_as_state(written: Written, remark: str = "") -> State[dict[str, str]]:
    """Completed when everything that was judged holds; else Failed. The message names the check, then the remark."""
    run = written.run
    facts = {"verdict": run.verdict.value, "results": str(written.directory), "sentence": run.sentence}
    state = Completed if run.verdict is Verdict.HOLDS else Failed
    return state(message=f"{run.sentence} {remark}".strip(), data=facts)


def tell_drift(written: Written, say: Callable[[str], None]) -> str:
    """What differs from the run before, in a sentence; said, and emitted as the event `bgp-lab.drift`. Else empty."""
    run, changes = written.run, [str(change) for change in written.changes]
    if not changes:
        return ""
    emit_event(
        DRIFT,
        resource={"prefect.resource.id": f"bgp-lab.{run.lab}", "prefect.resource.name": run.lab},
        payload={"verdict": run.verdict.value, "changes": changes, "results": str(written.directory)},
    )
    for change in changes:
        say(f"not as in the run before: {change}")
    return f"Not as in the run before: {'; '.join(changes)}"
