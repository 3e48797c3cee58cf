"""What a walk leaves in Prefect's UI beside its run directory: table, summary, picture, link, progress."""

from __future__ import annotations

import base64
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import httpx
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
from bgplab.errors import BgpLabError, InputError, LabError, MachineError
from bgplab.results.history import Difference
from bgplab.results.markdown import markdown_summary
from tasks.records import Written, results_directory, run_of, unused_run_id, write_run
from tasks.telling import tell
from tasks.walk import Walk

DRIFT = "bgp-lab.drift"
LARGEST_ARTIFACT_BYTES = 400_000  # from about 500 KB on the server refuses to publish its event
AT_THE_ENGINES_END = ("Engine execution exited", "Execution of flow run")
MOST_CHANGES_NAMED = 8  # in a state's message, which is shown in one line in some places

Chapter = TypeVar("Chapter", bound=Callable[..., Any])


@task(name="write the report", cache_policy=NO_CACHE, persist_result=False)
def write_report(walk: Walk, flow: str, run_id: str, parameters: Mapping[str, Any], again: str) -> Written:
    """Write the run directory (report, frames, evidence, JUnit, markdown) and the artifacts."""
    results = results_directory()
    written = write_run(run_of(walk, flow, run_id, parameters, again), results)
    walk.say(f"report: {written.report}")
    _if_prefect_answers(lambda: _publish(written, results))
    return written


def walked(
    walk: Walk,
    flow: str,
    go: Callable[[], None],
    *,
    run_id: str | None,
    parameters: Mapping[str, Any],
    again: str,
    keep: bool,
    remark: Callable[[Written], str] = lambda _: "",
) -> State[dict[str, str]]:
    """The walk itself (`go`), its report, and the lab let go of, whatever happens; the flow's state.

    keep: whether the lab stands on when the walk has reached its end, well or not. remark: said beside the verdict.
    Raises InputError and MachineError when there was no lab to walk on. Told to end (a cancellation, a signal, Ctrl-C)
    it takes the lab down first, for whoever asked may not wait for long, and then writes what was seen until then.
    """
    run_id = unused_run_id(flow, walk.name, run_id)
    try:
        try:
            go()
        except Exception as fault:  # whatever it was, the evidence so far is written before the lab goes
            if isinstance(fault, InputError | MachineError) and not walk.is_open:
                raise
            walk.give_up(fault)
        written = write_report(walk, flow, run_id, parameters, again)
    except Exception:
        tell(walk.leave(keep=keep))
        raise
    except BaseException as end:
        tell(walk.leave(keep=False))
        _keep_what_was_seen(walk, end, flow, run_id, parameters, again)
        raise
    tell(walk.leave(keep=keep))
    return verdict_as_state(written, remark(written))


def _keep_what_was_seen(
    walk: Walk, end: BaseException, flow: str, run_id: str, parameters: Mapping[str, Any], again: str
) -> None:
    results = results_directory()
    if not walk.steps or (results / flow / walk.name / run_id).exists():
        return
    walk.give_up(LabError("it was interrupted" if isinstance(end, KeyboardInterrupt) else "it was told to end"))
    written = write_run(run_of(walk, flow, run_id, parameters, again), results)
    tell(f"what was seen until then: {written.report}")
    _if_prefect_answers(lambda: _publish(written, results))


def followed(chapters: Iterable[Chapter], flow: str, lab: str) -> Iterator[Chapter]:
    """The same chapters one by one, and how far they are as a progress artifact on the run's page."""
    chapters, key = list(chapters), artifact_key(flow, lab, "progress")
    made: list[Any] = []
    shown = _if_prefect_answers(
        lambda: made.append(create_progress_artifact(0.0, key=key, description=f"steps on lab {lab}"))
    )
    for done, chapter in enumerate(chapters, start=1):
        yield chapter
        shown = shown and _if_prefect_answers(
            partial(update_progress_artifact, made[0], round(100 * done / len(chapters), 1))
        )


def _if_prefect_answers(show: Callable[[], object]) -> bool:
    """What is only for looking at: a run goes on without it. False when the server did not take it, for all retries."""
    try:
        show()
    except httpx.HTTPError as fault:
        tell(f"Prefect's server does not answer ({fault}): nothing further is shown there")
        return False
    return True


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
    create_markdown_artifact(
        key=artifact_key(run.flow, run.lab, "summary"),
        markdown=summary,
        description="verdict, what changed, load tests, all checks, and how to run it again",
    )
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
    message = f"{run.sentence.rstrip('.')}. {remark}" if remark else run.sentence
    if run.verdict is not Verdict.HOLDS:
        return Failed(message=message, data=NotHolding(message))
    facts = {"verdict": run.verdict.value, "results": str(written.directory), "sentence": run.sentence}
    return Completed(message=message, data=facts)


def tell_drift(written: Written) -> str:
    """What differs from the run before, in a sentence; told, and emitted as the event `bgp-lab.drift`. Else empty."""
    run, changes = written.run, [str(change) for change in written.changes]
    if changes:
        emit_event(
            DRIFT,
            resource={"prefect.resource.id": f"bgp-lab.{run.lab}", "prefect.resource.name": run.lab},
            payload={"verdict": run.verdict.value, "changes": changes, "results": str(written.directory)},
        )
    for change in changes:
        tell(f"not as in the run before: {change}")
    return what_changed(written.changes)


def what_changed(changes: Sequence[Difference]) -> str:
    """A sentence for a state's message, by verdicts alone: the reasons are in log, event, summary and report."""
    if not changes:
        return ""
    named = [str(replace(change, reason="")) for change in changes[:MOST_CHANGES_NAMED]]
    more = [f"{len(changes) - len(named)} more"] if len(changes) > len(named) else []
    return f"Not as in the run before: {'; '.join(named + more)}"


class NotHolding(Exception):
    """What Prefect keeps for a Failed run in which nothing broke: a check does not hold, as the message says."""


def _in_plain_words(record: logging.LogRecord) -> bool:
    """Whether to log what Prefect's engine says of a flow that ended Failed; without a traceback where words suffice.

    The engine ends every such run with a traceback of its own code that says the state's message once more.
    """
    fault = record.exc_info[1] if record.exc_info else None
    if isinstance(fault, NotHolding | InputError | MachineError):
        record.exc_info = None
    return not (isinstance(fault, NotHolding | BgpLabError) and record.getMessage().startswith(AT_THE_ENGINES_END))


for _logger in ("prefect.flow_runs", "prefect.engine"):
    logging.getLogger(_logger).addFilter(_in_plain_words)
