"""Where Cilium versions differ in global services, and their bugs, as data."""

from __future__ import annotations

from dataclasses import dataclass

#: A release without a patch number ("1.18") stands for its newest patch: a bug that a patch fixed is not in it.
NEWEST_PATCH = 1 << 16

Release = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Difference:
    """first: the first release that has it. fixed: the first one that has it no more, None when none is known."""

    name: str
    first: Release
    fixed: Release | None
    source: str

    def in_release(self, release: Release) -> bool:
        return self.first <= release and (self.fixed is None or release < self.fixed)


UNNAMED_PORTS_EXPORT_NOTHING = Difference(
    "backends of unnamed ports are exported without their port", (1, 18, 0), (1, 18, 1), "cilium#40848, cilium#41104"
)
LITERAL_NONE_DROPS_REMOTE = Difference(
    "affinity `none`, written out, takes remote backends away", (1, 18, 0), None, "cilium#46623, cilium#46635"
)
LISTS_SELECTED_ONLY = Difference(
    "`service list --clustermesh-affinity` shows the selected backends alone, all of them preferred",
    (1, 18, 0),
    None,
    "cilium#43681",
)
UNNAMED_FRONTENDS_TAKE_ANY_PORT = Difference(
    "an unnamed port takes remote backends of any port of its protocol", (1, 18, 1), None, "cilium#40848"
)
REMOTE_NODE_PORTS_ARE_OURS = Difference(
    "a node port on another cluster's node means this cluster's Service with that node port",
    (1, 0, 0),
    (1, 18, 1),
    "cilium#24692, cilium#30297, mended by cilium#41337",
)
DIFFERENCES = (
    UNNAMED_PORTS_EXPORT_NOTHING,
    LITERAL_NONE_DROPS_REMOTE,
    LISTS_SELECTED_ONLY,
    UNNAMED_FRONTENDS_TAKE_ANY_PORT,
    REMOTE_NODE_PORTS_ARE_OURS,
)


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How one release behaves: which of the differences it has."""

    differences: frozenset[Difference] = frozenset()

    def has(self, difference: Difference) -> bool:
        return difference in self.differences


def release_of(version: str) -> Release:
    """`1.17.6`, `v1.18` → three numbers."""
    numbers = [int(part) for part in version.lstrip("v").split("-")[0].split(".")]
    major, minor, patch = (*numbers, NEWEST_PATCH)[:3]
    return major, minor, patch


def behaviour_of(version: str) -> Behaviour:
    release = release_of(version)
    return Behaviour(frozenset(one for one in DIFFERENCES if one.in_release(release)))
