"""`cilium-dbg bgp route-policies`: the policies in force, as the speakers hold them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from bgplab.backends.embedded.agents.bgp.model import Policy, Statement
from bgplab.backends.embedded.agents.cilium_dbg.tabwriter import laid_out

HEADING = (
    "VRouter\tPolicy Name\tType\tMatch Peers\tMatch Families\tMatch Prefixes (Min..Max Len)\tRIB Action\tPath Actions\n"
)

Listed = tuple[int, Policy]


def _in_order(listed: Iterable[Listed]) -> list[Listed]:
    return sorted(listed, key=lambda each: (each[0], each[1].name))


def policies_table(listed: Iterable[Listed]) -> str:
    """A row per statement; the further ones of a policy are indented by three cells."""
    return laid_out(HEADING + "".join(_rows(asn, policy) for asn, policy in _in_order(listed)))


def _rows(asn: int, policy: Policy) -> str:
    start = f"{asn}\t{policy.name}\t{policy.direction}\t"
    if not policy.statements:
        return start + "\n"
    return "".join(
        (start if number == 0 else "\t\t\t") + _cells(statement) for number, statement in enumerate(policy.statements)
    )


def _cells(statement: Statement) -> str:
    prefixes = [f"{match.cidr} ({match.shortest}..{match.longest})" for match in statement.prefixes]
    cells = [_listed(statement.neighbors), "", _listed(prefixes), statement.action, _listed(_path_actions(statement))]
    return "\t".join(cells) + "\n"


def _listed(items: Sequence[str]) -> str:
    """One item bare, several in braces."""
    return items[0] if len(items) == 1 else " ".join(f"{{{item}}}" for item in items)


def _path_actions(statement: Statement) -> list[str]:
    actions = []
    if statement.local_preference is not None:
        actions.append(f"SetLocalPreference: {statement.local_preference}")
    for name, communities in (
        ("AddCommunities", statement.communities),
        ("AddLargeCommunities", statement.large_communities),
    ):
        if communities:
            actions.append(f"{name}: [{' '.join(communities)}]")
    return actions


def policies_json(listed: Iterable[Listed]) -> list[dict[str, Any]] | None:
    """Lists that are empty are null and an unset preference is -1, as Go has them; null when there is no policy."""
    return [
        {
            "name": policy.name,
            "router-asn": asn,
            "statements": [_statement_json(statement) for statement in policy.statements],
            "type": policy.direction,
        }
        for asn, policy in _in_order(listed)
    ] or None


def _statement_json(statement: Statement) -> dict[str, Any]:
    prefixes = [
        {"cidr": match.cidr, "prefix-len-max": match.longest, "prefix-len-min": match.shortest}
        for match in statement.prefixes
    ]
    return {
        "add-communities": list(statement.communities) or None,
        "add-large-communities": list(statement.large_communities) or None,
        "match-families": None,
        "match-neighbors": list(statement.neighbors) or None,
        "match-prefixes": prefixes or None,
        "route-action": statement.action,
        "set-local-preference": -1 if statement.local_preference is None else statement.local_preference,
    }
