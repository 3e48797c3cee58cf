"""What must hold between the values of a description; the rules are in `rules/`, one function each.

A rule may be given a description from which unreadable items were taken out (`shape.py`). Most can only miss something
then; those that could say something wrong name the fields they need complete.
"""

from __future__ import annotations

from collections.abc import Iterable

from bgplab.errors import InputError, Problem
from bgplab.spec.model import LabSpec
from bgplab.spec.places import Path, Places
from bgplab.spec.rules import bgp, mesh, names, networks, routers, there
from bgplab.spec.rules.registry import RULES, Breach, Rule

# Importing a module of rules registers them; a new module is named here.
RULE_MODULES = (there, names, networks, routers, bgp, mesh)


def check_lab(spec: LabSpec) -> LabSpec:
    """The description itself when it holds together. Raises InputError with every breach; for those not from a file."""
    places = Places(f"lab {spec.name}")
    problems = [problem_of(breach, breach.path, places) for breach in breaches(spec)]
    if problems:
        raise InputError(problems=problems)
    return spec


def breaches(spec: LabSpec, unread: Iterable[Path] = ()) -> list[Breach]:
    """Every breach of every rule that can judge although `unread` fields are incomplete."""
    missing = frozenset(unread)
    return [breach for each in RULES if not _blocked(each, missing) for breach in each.judge(spec)]


def problem_of(breach: Breach, path: Path, places: Places) -> Problem:
    return Problem(places.where(path), breach.what, breach.why, breach.do)


def _blocked(each: Rule, unread: frozenset[Path]) -> bool:
    return any(_related(one, other) for one in each.needs for other in unread)


def _related(one: Path, other: Path) -> bool:
    """Whether one field is, holds or belongs to the other."""
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]
