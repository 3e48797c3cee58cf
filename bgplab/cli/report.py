"""report: where a run's report is, what runs there are, and two runs side by side."""

from __future__ import annotations

from pathlib import Path

import click

from bgplab.cli.options import json_option
from bgplab.cli.output import print_json


@click.command()
@click.argument("run", required=False)
@click.option("--compare", nargs=2, metavar="A B", help="Write a page with two runs (ids or directories) side by side.")
@click.option("--list", "listed", is_flag=True, help="All runs, newest first.")
@click.option(
    "--open/--no-open", "wanted", default=None, help="Show the page in a browser (--compare does where there is one)."
)
@click.option("--results", type=click.Path(), help="Results directory (default: $BGPLAB_RESULTS or ./results).")
@json_option
def report(
    run: str | None,
    compare: tuple[str, str] | None,
    listed: bool,
    wanted: bool | None,
    results: str | None,
    as_json: bool,
) -> int:
    """Print the path of a run's report (the newest when RUN is left out).

    --compare A B writes a page with both runs side by side, prints its path and the verdicts that differ, and opens
    it; exit status 1 when a verdict differs.
    """
    from bgplab.results.directory import default_results

    base = Path(results).absolute() if results else default_results()
    if compare:
        return _compare(base, *compare, wanted=wanted, as_json=as_json)
    if listed:
        return _list(base, as_json)
    directory = _one_run(base, run)
    path = directory / "report.html"
    if not path.is_file():
        from bgplab.errors import InputError

        raise InputError("RUN", f"{directory} has no report.html", "it was removed", "name another run, or make one")
    print_json({"report": str(path), "results": str(directory)}) if as_json else click.echo(str(path))
    if wanted:
        _show(path)
    return 0


def _list(base: Path, as_json: bool) -> int:
    from bgplab.results.history import list_runs

    runs = list_runs(base)
    if as_json:
        print_json(
            [{"run_id": one.run_id, "flow": one.flow, "lab": one.lab, "verdict": one.verdict.value} for one in runs]
        )
    for one in [] if as_json else runs:
        click.echo(f"{one.run_id}  {one.verdict.value:<13}{one.flow} on {one.lab}")
    return 0


def _compare(base: Path, before: str, now: str, *, wanted: bool | None, as_json: bool) -> int:
    """The page is `<results>/comparisons/A…B.html`; a second comparison of the same two writes it anew."""
    from bgplab.results.directory import load_run
    from bgplab.results.history import differences
    from dashboards.compare import render_comparison

    old, new = (load_run(_find(base, one)) for one in (before, now))
    path = base / "comparisons" / f"{old.run_id}_{new.run_id}.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render_comparison(old, new))
    found = differences({one.id: one.verdict for one in old.checks}, new.checks)
    if as_json:
        print_json({"page": str(path), "differences": [str(one) for one in found]})
    else:
        click.echo("\n".join(str(one) for one in found) or "no verdict differs")
        click.echo(str(path))
    if wanted or (wanted is None and not as_json and _has_a_screen()):
        _show(path)
    return 1 if found else 0


def _has_a_screen() -> bool:
    """Somebody is there to look: the output is a terminal, and this machine has a display."""
    import os
    import sys

    return sys.stdout.isatty() and (
        sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    )


def _show(path: Path) -> None:
    """Hand a page to the desktop's browser. Says so on stderr when there is none; the path was printed."""
    import webbrowser

    if not webbrowser.open(path.as_uri()):
        click.echo("no browser could be started; open the file above", err=True)


def _one_run(base: Path, run: str | None) -> Path:
    from bgplab.errors import InputError
    from bgplab.results.history import latest

    if run:
        return _find(base, run)
    newest = latest(base)
    if newest is None:
        raise InputError("RUN", f"no run is kept in {base}", "", "make one: bgp-lab run")
    return newest.path


def _find(base: Path, run: str) -> Path:
    from bgplab.errors import InputError
    from bgplab.results.history import find_run

    found = Path(run) if (Path(run) / "run.json").is_file() else find_run(base, run)
    if found is None:
        raise InputError("RUN", f"there is no run {run!r} in {base}", "", "list them: bgp-lab report --list")
    return found
