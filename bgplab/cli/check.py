"""check: judge a lab that stands, without Prefect; nothing is changed."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import click

from bgplab.cli.options import (
    StepId,
    backend_option,
    backend_options,
    json_option,
    lab_option,
    name_option,
    overrides_of,
)
from bgplab.cli.output import progress

FLOW = "check"  # the name under which --save keeps its runs


@click.command()
@click.argument("ids", nargs=-1, metavar="[IDS]…", type=StepId())
@name_option
@backend_option
@lab_option
@click.option("--save", is_flag=True, help="Write a run directory with a report, as `run` does.")
@json_option
def check(ids: tuple[str, ...], lab: str, overrides: tuple[str, ...], **options: Any) -> int:
    """Judge a standing lab, all checks or those named (G12 G22); changes nothing.

    Checks whose stage has passed, or is not reached, are skipped and say so. --lab and --set describe an inventory; an
    embedded lab is judged by the description it was brought up with.
    """
    from bgplab.checks.all import all_checks
    from bgplab.cli.access import the_lab
    from bgplab.cli.run import show
    from bgplab.errors import LabError
    from bgplab.results.directory import new_run_id, refuse_unwritable
    from tasks.records import again_checking, results_directory, run_of, write_run
    from tasks.walk import walk_standing

    _refuse_unknown(ids, all_checks("G") | all_checks("M"))
    if options["save"]:
        refuse_unwritable(results_directory())
    backend, name = options["backend"], options["name"]
    name = the_lab(name) if backend == "embedded" else name
    told = backend_options(options)
    walk = walk_standing(name, backend, told, lab, overrides_of(overrides), progress())
    known = walk.part.course.checks()
    _refuse_unknown(ids, known)
    asked = ids or tuple(known)
    try:
        try:
            walk.provision(holder="bgp-lab check")
            walk.judge_checks(asked)
        except LabError as fault:
            walk.give_up(fault, asked)
        again = again_checking(walk.name, backend, told, ids)
        run = run_of(walk, FLOW, new_run_id(), {"name": walk.name, "backend": backend, "ids": list(ids)}, again)
    finally:
        walk.leave(keep=True)
    directory = write_run(run, results_directory()).directory if options["save"] else None
    return show(run, directory, as_json=options["as_json"])


def _refuse_unknown(ids: tuple[str, ...], known: Collection[str]) -> None:
    from bgplab.errors import InputError

    if unknown := [id for id in ids if id not in known]:
        first, *_, last = known
        raise InputError("IDS", f"there is no check {', '.join(unknown)}", "", f"name some of {first} … {last}")
