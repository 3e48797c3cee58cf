"""run: the whole walk, through Prefect, with progress on standard error and the verdict at the end."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bgplab.cli.flow_parameters import own_parameters
from bgplab.cli.flows import FLOWS, FlowChoice
from bgplab.cli.options import (
    StepId,
    backend_option,
    backend_options,
    json_option,
    lab_option,
    overrides_of,
    unless_said,
)
from bgplab.cli.output import print_json, progress

if TYPE_CHECKING:
    from bgplab.results.record import Run

SERVER_START_SECONDS = 120.0


@click.command()
@click.argument("flow", type=click.Choice(list(FLOWS)), default="bgp-lab", required=False, is_eager=True)
@lab_option
@click.option(
    "--nodes", type=click.IntRange(1, 1000), help="Number of nodes, for descriptions that count them (scale)."
)
@click.option("--name", "-n", default=None, help="The lab's name (default: the description's).")
@click.option(
    "--until",
    type=StepId(),
    default=None,
    metavar="STEP",
    help="Stop after this step, e.g. G14 (default: the flow's last).",
)
@click.option("--event", "events", multiple=True, help="failover: only this event, e.g. link-down (repeatable).")
@click.option(
    "--parameter", "more", multiple=True, metavar="NAME=VALUE", help="Another of the flow's own, e.g. rate=50."
)
@click.option("--keep", is_flag=True, help="Leave the lab standing; a later run goes on from there.")
@click.option("--dry-run", is_flag=True, help="Print the commands of every step; no lab is touched.")
@backend_option
@click.option("--grace", type=click.FloatRange(min=0), help="Embedded: seconds a lab outlives an owner that vanished.")
@json_option
def run(flow: str, lab: str, overrides: tuple[str, ...], nodes: int | None, **options: Any) -> int:
    """Walk the guide as a flow: bring the lab up, judge every observation, write a report.

    FLOW is bgp-lab (G01 to G30, lab guide), cluster-mesh (M01 to M15, lab mesh) or failover (events under traffic, E01
    to E16, lab guide). Run on a lab that stands it goes on from there; what is so already is left as it is.
    """
    from bgplab.spec.loading import NODE_COUNT, load_lab

    choice = FLOWS[flow]
    lab, options["until"] = unless_said("lab", lab, choice.lab), options["until"] or choice.last
    given = overrides_of(overrides) | ({NODE_COUNT: str(nodes)} if nodes else {})
    spec = load_lab(lab, given)  # wrong input ends here, before anything is started
    choice.part.refuse_unfit(spec)
    _refuse_unknown_step(options["until"], choice)
    own = own_parameters(flow, spec, options["events"], options["more"])
    from bgplab.lab.directory import check_name

    name, told = check_name(options["name"] or spec.name), backend_options(options)
    if options["dry_run"]:
        return _dry_run(spec, options["until"], options["as_json"], choice)
    say = progress()
    from bgplab.results.directory import default_results, new_run_id, refuse_unwritable

    refuse_unwritable(default_results())
    run_id = new_run_id()
    parameters = {
        "lab": str(Path(lab).absolute()) if os.path.sep in lab or lab.endswith((".yaml", ".yml")) else lab,
        "name": name,
        "until": options["until"],
        "keep": options["keep"],
        "overrides": given,
        "backend": options["backend"],
        "backend_options": told,
        "run_id": run_id,
    } | own
    prefect_for_a_run(say, choice)
    directory, server_knows = run_flow(parameters, say, choice)
    from bgplab.results.directory import load_run

    status = show(load_run(directory), directory, as_json=options["as_json"])
    if not server_knows:  # at its exit Prefect's client would try for seven seconds to send each of some hundred events
        sys.stdout.flush()
        os._exit(status)
    return status


def _refuse_unknown_step(until: str, choice: FlowChoice) -> None:
    from bgplab.errors import InputError

    if until not in choice.part.course.checks():
        why, do = "a walk ends after a step of its own flow", f"name one of {choice.part.first} … {choice.last}"
        raise InputError("--until", f"there is no step {until!r}", why, do)


def _dry_run(spec: Any, until: str, as_json: bool, choice: FlowChoice) -> int:
    from bgplab.checks.stages import reached

    steps = {id: step for id, step in choice.part.steps.items() if reached(until, id)}
    plans = {id: step.plan(spec) for id, step in steps.items()}
    if as_json:
        print_json({"steps": [{"id": id, "title": steps[id].title, "commands": plans[id]} for id in plans]})
        return 0
    for id, commands in plans.items():
        click.secho(f"# {id}  {steps[id].title}", bold=True)
        click.echo("\n".join(commands) + "\n")
    return 0


def prefect_for_a_run(say: Any, choice: FlowChoice) -> None:
    """A Prefect server for the flow: the one that the environment or a profile names, else one of this run's own.

    Its own one starts while the flow is imported, and has a home of its own: a lab run never migrates a developer's
    Prefect database. It ends with this process, however that ends; in good order after Prefect's client has sent its
    last logs.
    """
    from bgplab.cli.serve import SETTINGS, named_server
    from bgplab.lab.directory import state_directory

    quiet = dict.fromkeys(  # the console shows the walk's own words
        ("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "PREFECT_INTERNAL_LOGGING_LEVEL"), "CRITICAL"
    )
    os.environ.update({name: value for name, value in (SETTINGS | quiet).items() if name not in os.environ})
    if named_server():
        return
    from tasks.prefect_server import OF_ONE_RUN, running_server

    home = Path(os.environ.setdefault("PREFECT_HOME", str(state_directory() / "prefect")))
    settings = OF_ONE_RUN | {"PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL"}
    closing = contextlib.ExitStack()
    atexit.register(closing.close)  # before Prefect is imported: what was registered last is called first
    server = closing.enter_context(running_server(0, home, settings, ends_by=signal.SIGKILL))
    say("Prefect: starting a server of this run's own (set PREFECT_API_URL to use a standing one)")
    os.environ["PREFECT_API_URL"] = server.address
    _ = choice.flow  # its import takes as long as the server's start, and goes on beside it on another core
    server.wait_healthy(SERVER_START_SECONDS)
    say("Prefect: the server answers")


def run_flow(parameters: dict[str, Any], say: Any, choice: FlowChoice) -> tuple[Path, bool]:
    """Call the flow in this process; the run directory it wrote, and whether Prefect's server was told of the end.

    Raises what ended it before there was one.
    """
    import httpx

    from bgplab.errors import BgpLabError, LabError
    from tasks.records import results_directory
    from tasks.telling import listening

    directory = results_directory() / choice.flow.name / parameters["name"] / parameters["run_id"]
    try:
        with listening(say):
            state = choice.flow(**parameters, return_state=True)
    except httpx.HTTPError as silence:  # after a minute or two of its client's retries
        gone = f"Prefect's server went away during the run: {silence}"
        if not directory.is_dir():
            raise LabError(gone) from silence
        say(f"{gone}; what the run has seen is all there")
        return directory, False
    if directory.is_dir():
        return directory, True
    fault = state.result(raise_on_failure=False)
    raise fault if isinstance(fault, BgpLabError) else LabError(f"the flow ended as {state.name}: {state.message}")


def show(run: Run, directory: Path | None, *, as_json: bool) -> int:
    """The run's verdict as a table (or one JSON object); the exit status. directory: None when none was written."""
    from bgplab.checks.finding import Verdict

    report = directory / "report.html" if directory else None
    if as_json:
        print_json(
            {
                "run_id": run.run_id,
                "verdict": run.verdict.value,
                "results": str(directory) if directory else None,
                "report": str(report) if report else None,
                "checks": [
                    {"id": one.id, "title": one.title, "verdict": one.verdict.value, "reason": one.reason}
                    for one in run.checks
                ],
            }
        )
    else:
        print_table(run)
        if report:
            click.echo(f"\nreport: {report}")
    if run.error:
        return 4
    return 0 if run.verdict is Verdict.HOLDS else 1


def print_table(run: Run) -> None:
    """All checks, the distributions, and the one sentence that matters, on standard output."""
    from rich.console import Console
    from rich.table import Table

    console = Console(file=sys.stdout, highlight=False, width=None if sys.stdout.isatty() else 160)
    colours = {"holds": "green", "fails": "red", "inconclusive": "yellow", "skipped": "dim"}
    table = Table(box=None, pad_edge=False)
    for head in ("", "observation", "verdict", "reason"):
        table.add_column(head, overflow="fold")
    for one in run.checks:
        colour = colours[one.verdict.value]
        table.add_row(one.id, one.title, f"[{colour}]{one.verdict.value}[/]", _plain(one.reason))
    console.print(table)
    for test in run.load_tests:
        spread = "  ".join(f"{share.name} {share.observed}" for share in test.shares if share.kind == "node")
        console.print(f"\n{_plain(test.title)}: {spread}")
    colour = colours[run.verdict.value]
    console.print(f"\n[bold {colour}]{run.verdict.value}[/]  {_plain(run.sentence)}  ({run.seconds:.1f} s)")


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)
