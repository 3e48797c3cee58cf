"""report: where a run's report is, what runs there are, and two runs side by side."""

from __future__ import annotations

from pathlib import Path

import click

from bgplab.cli.options import json_option
from bgplab.cli.output import print_json


@click.command()
@click.argument("run", required=False)
@click.option("--compare", nargs=2, metavar="A B", help="Verdicts of two runs (ids or directories) that differ.")
@click.option("--list", "listed", is_flag=True, help="All runs, newest first.")
@click.option("--results", type=click.Path(), help="Results directory (default: $BGPLAB_RESULTS or ./results).")
@json_option
def report(run: str | None, compare: tuple[str, str] | None, listed: bool, results: str | None, as_json: bool) -> int:
    """Print the path of a run's report (the newest when RUN is left out)."""
    from bgplab.results.directory import load_run
    from bgplab.results.history import differences, latest, list_runs

    base = Path(results or _default_results()).absolute()
    if compare:
        before, after = (load_run(_find(base, one)) for one in compare)
        found = differences({one.id: one.verdict for one in before.checks}, after.checks)
        if as_json:
            print_json([str(one) for one in found])
        else:
            click.echo("\n".join(str(one) for one in found) or "no verdict differs")
        return 1 if found else 0
    if listed:
        runs = list_runs(base)
        if as_json:
            print_json(
                [{"run_id": one.run_id, "flow": one.flow, "lab": one.lab, "verdict": one.verdict.value} for one in runs]
            )
        for one in [] if as_json else runs:
            click.echo(f"{one.run_id}  {one.verdict.value:<13}{one.flow} on {one.lab}")
        return 0
    newest = latest(base)
    directory = _find(base, run) if run else (newest.path if newest else None)
    if directory is None:
        from bgplab.errors import InputError

        raise InputError("RUN", f"no run is kept in {base}", "", "make one: bgp-lab run")
    path = directory / "report.html"
    print_json({"report": str(path), "results": str(directory)}) if as_json else click.echo(str(path))
    return 0


def _default_results() -> str:
    import os

    return os.environ.get("BGPLAB_RESULTS") or "results"


def _find(base: Path, run: str) -> Path:
    from bgplab.errors import InputError
    from bgplab.results.history import find_run

    found = Path(run) if (Path(run) / "run.json").is_file() else find_run(base, run)
    if found is None:
        raise InputError("RUN", f"there is no run {run!r} in {base}", "", "list them: bgp-lab report --list")
    return found
