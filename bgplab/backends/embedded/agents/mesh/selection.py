"""Which backends of a Service may answer: pure, from both sides' backends and the affinity (Cilium's
service merging, 1.17.6 and 1.18; documented under clustermesh/services and clustermesh/affinity).

| affinity | local and remote | local only | remote only | neither |
|---|---|---|---|---|
| absent | all | local | remote | local ones that end but still serve, else nobody |
| local | local | local | remote | the same |
| remote | remote | local | remote | the same |

Remote backends are those of clusters that share the Service, and only if this one is global (`annotations.py`): what
is given in as remote counts. They are active as long as they are exported; nobody checks across clusters.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from bgplab.backends.embedded.agents.mesh.annotations import Sharing
from bgplab.backends.embedded.agents.mesh.versions import (
    LISTS_SELECTED_ONLY,
    LITERAL_NONE_DROPS_REMOTE,
    Behaviour,
)

B = TypeVar("B")

ACTIVE, TERMINATING = "active", "terminating"
LOCAL, REMOTE = "local", "remote"


@dataclass(frozen=True, slots=True)
class Marked(Generic[B]):
    """A backend as `cilium-dbg service list` has it."""

    backend: B
    state: str = ACTIVE
    preferred: bool = False


@dataclass(frozen=True, slots=True)
class Selection(Generic[B]):
    """used: who gets new connections, each as likely. listed: what the agent knows of and shows."""

    used: tuple[B, ...]
    listed: tuple[Marked[B], ...]


def select(
    sharing: Sharing, local: Sequence[B], terminating: Sequence[B], remote: Sequence[B], behaviour: Behaviour
) -> Selection[B]:
    """local: ready here; terminating: end here but still serve; remote: exported by other clusters."""
    if not sharing.takes_remote or (sharing.affinity == "none" and behaviour.has(LITERAL_NONE_DROPS_REMOTE)):
        remote = ()
    sides = {LOCAL: tuple(local), REMOTE: tuple(remote)}
    preferred = sides.get(sharing.affinity, ())
    used = preferred or (*local, *remote) or tuple(terminating)
    if behaviour.has(LISTS_SELECTED_ONLY):
        state = ACTIVE if local or remote else TERMINATING
        return Selection(used, tuple(Marked(one, state, True) for one in used))
    listed = (
        *_marked(local, ACTIVE, sharing.affinity == LOCAL),
        *_marked(remote, ACTIVE, sharing.affinity == REMOTE),
        *_marked(terminating, TERMINATING, sharing.affinity == LOCAL),
    )
    return Selection(used, listed)


def _marked(backends: Iterable[B], state: str, preferred: bool) -> tuple[Marked[B], ...]:
    return tuple(Marked(one, state, preferred) for one in backends)
