"""Where Cilium releases do otherwise than documented with global Services: data, with the releases that have it.

A run on real clusters can so tell a known bug from a new one. Sources are issues and pull requests of cilium/cilium.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bgplab.traffic.mesh_model import Side

Release = tuple[int, int, int]

#: A release without a patch number (`1.18`) stands for its newest patch: what a patch mended is not in it.
NEWEST_PATCH = 1 << 16


@dataclass(frozen=True, slots=True)
class Deviation:
    """name: for results. first: the first release that has it. fixed: the first one without, None when none is known.

    loses(client, other): a client's cluster of such a release does not use the other one's backends. withholds(other):
    a cluster of such a release offers its backends to nobody. Neither: it does not change who answers.
    breaks: an ordinary global Service is not global with it, so that nothing of the mesh is worth trying.
    """

    name: str
    what: str
    first: Release
    fixed: Release | None
    source: str
    loses: Callable[[Side, Side], bool] | None = None
    withholds: Callable[[Side], bool] | None = None
    breaks: bool = False

    def is_in(self, version: str) -> bool:
        release = release_of(version)
        return self.first <= release and (self.fixed is None or release < self.fixed)

    @property
    def releases(self) -> str:
        """`1.18.0 only`, `1.18.0 to before 1.18.3`, `from 1.18.0 on`."""
        first = ".".join(map(str, self.first))
        if self.fixed is None:
            return f"from {first} on"
        if self.fixed[:2] == self.first[:2] and self.fixed[2] == self.first[2] + 1:
            return f"{first} only"
        return f"{first} to before {'.'.join(map(str, self.fixed))}"

    def __str__(self) -> str:
        return f"{self.what} (Cilium {self.releases}; {self.source})"


UNNAMED_PORT = Deviation(
    "unnamed-port",
    "backends of an unnamed Service port do not reach other clusters",
    (1, 18, 0),
    (1, 18, 1),
    "#40848, #41104",
    withholds=lambda other: not other.named_port,
    breaks=True,
)
LITERAL_NONE = Deviation(
    "literal-none",
    "the word `none` as affinity takes remote backends away",
    (1, 18, 0),
    None,
    "#46623, mended on main by #46635",
    loses=lambda client, other: client.is_global and client.affinity == "none",
)
ALL_PREFERRED = Deviation(
    "all-preferred",
    "`service list --clustermesh-affinity` shows only the backends in use, all as preferred",
    (1, 18, 0),
    None,
    "#43681",
)
SAME_NODE_PORT = Deviation(
    "same-node-port",
    "with the same NodePort on both sides an agent that reconnects reaches its own cluster's apiserver",
    (1, 0, 0),
    (1, 18, 1),
    "#24692, mended on main by #41337, backports unconfirmed",
)
KEEPS_DEAD_BACKENDS = Deviation(
    "keeps-dead-backends",
    "backends of a cluster whose connection is lost stay for ever",
    (1, 0, 0),
    (1, 19, 0),
    "#20729, #19217",
)

DEVIATIONS = (UNNAMED_PORT, LITERAL_NONE, ALL_PREFERRED, SAME_NODE_PORT, KEEPS_DEAD_BACKENDS)


def deviations_of(version: str) -> tuple[Deviation, ...]:
    """Those that a release has."""
    return tuple(one for one in DEVIATIONS if one.is_in(version))


def release_of(version: str) -> Release:
    """`1.17.6`, `v1.18`, `1.18.0-rc.1` as numbers. Raises ValueError."""
    found = re.match(r"v?(\d+)\.(\d+)(?:\.(\d+))?", version)
    if not found:
        raise ValueError(f"{version!r} is no release of Cilium")
    return int(found[1]), int(found[2]), NEWEST_PATCH if found[3] is None else int(found[3])
