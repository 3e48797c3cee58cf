"""run: the whole walk, through Prefect, with progress on standard error and the verdict at the end."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bgplab.cli.options import backend_option, backend_options, json_option, lab_option, overrides_of
from bgplab.cli.output import print_json, progress

if TYPE_CHECKING:
    from bgplab.results.record import Run


@click.command()
@click.argument("flow", type=click.Choice(["bgp-lab"]), default="bgp-lab", required=False)
@lab_option
@click.option(
    "--nodes", type=click.IntRange(1, 1000), help="Number of nodes, for descriptions that count them (scale)."
)
@click.option("--name", "-n", default=None, help="The lab's name (default: the description's).")
@click.option("--until", default="G30", show_default=True, metavar="STEP", help="Stop after this step, e.g. G14.")
@click.option("--keep", is_flag=True, help="Leave the lab standing; a later run goes on from there.")
@click.option("--dry-run", is_flag=True, help="Print the commands of every step; no lab is touched.")
@backend_option
@click.option("--grace", type=click.FloatRange(min=0), help="Embedded: seconds a lab outlives an owner that vanished.")
@json_option
def run(flow: str, lab: str, overrides: tuple[str, ...], nodes: int | None, **options: Any) -> int:
    """Walk the guide as a flow: bring the lab up, judge every observation, write a report.

    Run on a lab that stands it goes on from there; what is so already is left as it is.
    """
    from bgplab.spec.loading import NODE_COUNT, load_lab

    given = overrides_of(overrides) | ({NODE_COUNT: str(nodes)} if nodes else {})
    spec = load_lab(lab, given)  # wrong input ends here, before anything is started
    _refuse_unknown_step(options["until"])
    if options["dry_run"]:
        return _dry_run(spec, options["until"], options["as_json"])
    say = progress()
    prepare_prefect(say)
    from bgplab.results.directory import new_run_id

    run_id = new_run_id()
    name = options["name"] or spec.name
    parameters = {
        "lab": str(Path(lab).absolute()) if os.path.sep in lab or lab.endswith((".yaml", ".yml")) else lab,
        "name": name,
        "until": options["until"],
        "keep": options["keep"],
        "overrides": given,
        "backend": options["backend"],
        "backend_options": backend_options(options),
        "run_id": run_id,
    }
    directory = run_flow(parameters, say)
    from bgplab.results.directory import load_run

    return show(load_run(directory), directory, as_json=options["as_json"])


def _refuse_unknown_step(until: str) -> None:
    from bgplab.checks.all import all_checks
    from bgplab.errors import InputError

    if until not in all_checks():
        raise InputError("--until", f"there is no step {until!r}", "", "name one of G01 … G30")


def _dry_run(spec: Any, until: str, as_json: bool) -> int:
    from bgplab.checks.stages import reached
    from bgplab.steps.all import STEPS, dry_run

    plans = {id: commands for id, commands in dry_run(spec).items() if reached(until, id)}
    if as_json:
        print_json({"steps": [{"id": id, "title": STEPS[id].title, "commands": plans[id]} for id in plans]})
        return 0
    for id, commands in plans.items():
        click.secho(f"# {id}  {STEPS[id].title}", bold=True)
        click.echo("\n".join(commands) + "\n")
    return 0


def prepare_prefect(say: Any) -> None:
    """Settings before Prefect is imported: no calls home, patience for a first start, and a home of our own unless the
    user has one, so that a developer's Prefect database is never migrated by a lab run."""
    from bgplab.lab.directory import state_directory

    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("DO_NOT_TRACK", "1")
    os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")
    os.environ.setdefault("PREFECT_SERVER_LOGGING_LEVEL", "CRITICAL")
    # the console shows the walk's own words; Prefect's log has the same ones
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
    if "PREFECT_API_URL" not in os.environ and not (Path.home() / ".prefect" / "profiles.toml").exists():
        home = os.environ.setdefault("PREFECT_HOME", str(state_directory() / "prefect"))
        Path(home).mkdir(parents=True, exist_ok=True, mode=0o700)
        say("Prefect: a server of this run's own (set PREFECT_API_URL to use a standing one)")


def run_flow(parameters: dict[str, Any], say: Any) -> Path:
    """Call the flow in this process; the run directory it wrote. Raises what ended it before there was one."""
    from bgplab.errors import BgpLabError, LabError
    from flows.bgp_lab import FLOW, bgp_lab
    from tasks.records import results_directory
    from tasks.telling import listening

    with listening(say):
        state = bgp_lab(**parameters, return_state=True)
    directory = results_directory() / FLOW / parameters["name"] / parameters["run_id"]
    if directory.is_dir():
        return directory
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
