"""What pods ask of a node and what it has: pure sums, in the API's quantities."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

from bgplab.backends.embedded.quantities import amount
from bgplab.lab.cluster import Manifest

Amounts = Mapping[str, Fraction]


def requests_of(pod: Manifest) -> Amounts:
    """The sum over its containers, or the most that an init container asks for; a limit stands in for a request."""
    spec = pod["spec"]
    total = _sum(map(_of_container, spec.get("containers") or []))
    for container in spec.get("initContainers") or []:
        asked = _of_container(container)
        total = {name: max(total.get(name, Fraction(0)), asked.get(name, Fraction(0))) for name in {*total, *asked}}
    return {name: value for name, value in total.items() if value > 0}


def shortages(node: Manifest, asked: Amounts, pods: Iterable[Manifest]) -> tuple[list[str], bool]:
    """What is short when `asked` is added to the pods on a node, in kube-scheduler's words and order.

    True as well when the node would not do even if it were empty. A node that does not say what it has lacks nothing.
    """
    allocatable = (node.get("status") or {}).get("allocatable")
    if allocatable is None:
        return [], False
    others = list(pods)
    has = {name: amount(str(allocatable.get(name, 0))) for name in (*asked, "pods")}
    used = _sum(map(requests_of, others)) if asked else {}
    short = [name for name in sorted(asked, key=_rank) if asked[name] > has[name] - used.get(name, 0)]
    crowded = ["Too many pods"] if len(others) + 1 > has["pods"] else []
    hopeless = any(asked[name] > has[name] for name in short)
    return [*crowded, *(f"Insufficient {name}" for name in short)], hopeless


def _of_container(container: Mapping[str, Any]) -> Amounts:
    resources = container.get("resources") or {}
    asked = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
    return {name: amount(str(quantity)) for name, quantity in asked.items()}


def _sum(all_amounts: Iterable[Amounts]) -> dict[str, Fraction]:
    total: dict[str, Fraction] = {}
    for amounts in all_amounts:
        for name, value in amounts.items():
            total[name] = total.get(name, Fraction(0)) + value
    return total


def _rank(name: str) -> tuple[int, str]:
    known = ("cpu", "memory", "ephemeral-storage")
    return (known.index(name) if name in known else len(known)), name
