"""An event, the conditions under which it is made, and the ground it finds: a lab in which everybody announces."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from bgplab.errors import InputError, LabError
from bgplab.lab.model import Lab
from bgplab.lab.shell import Shell
from bgplab.lab.waiting import Deadline, wait_until
from bgplab.observe.frr_bgp import read_summaries, read_tables
from bgplab.observe.kernel_routes import read_router_routes
from bgplab.spec.derived import bgp_nodes
from bgplab.spec.model import LabSpec, Node
from bgplab.steps.hosts import routers_of
from bgplab.steps.vip_view import wait_for_agreement

POLL_SECONDS = 0.1
SOON_SECONDS = 10.0  # for what takes well below a second; the check has its own, narrower limit
POD_SECONDS = 60.0  # a pod starts, on a real cluster with its image there

Hops = Mapping[str, frozenset[IPv4Address]]  # a router's name → its kernel's next hops to the address


@dataclass(frozen=True, slots=True)
class Conditions:
    """How an event is watched.

    rate: connections per second from each router, and so the resolution. before_seconds: of undisturbed traffic.
    after_seconds: watched on once a change has settled; longer than a connection may take to fail. request_seconds: a
    connection that does not come about, or is not answered, in this time has failed. dial_patience_seconds: how long a
    node that lost its session is waited for before its agent is restarted; None: until its own retry. node: whom it
    happens to.
    """

    rate: float = 100.0
    before_seconds: float = 1.0
    after_seconds: float = 1.5
    request_seconds: float = 0.5
    dial_patience_seconds: float | None = 3.0
    node: str | None = None


def subject(spec: LabSpec, conditions: Conditions) -> Node:
    """The node that it happens to: a worker, since the API server's own link must stay up. Raises InputError."""
    speaking = [node for node in bgp_nodes(spec) if conditions.node in (None, node.name)]
    workers = [node for node in speaking if not node.control_plane] or speaking
    if not workers:
        names = ", ".join(node.name for node in bgp_nodes(spec))
        why = "events happen to a node that announces routes"
        raise InputError("node", f"no node with BGP is called {conditions.node}", why, f"name one of {names}")
    return workers[0]


@dataclass(frozen=True)
class Event:
    """What is done, and how it is undone. did, undone: sentences without a full stop. nodes: those it concerns.

    due: the kernels' next hops that must come of it. has_settled: what is waited for after it, within settles_seconds;
    None: those next hops. has_returned, returns_seconds: the same once it is undone; None: all is as before. only: the
    one router that it is made at; the others must see nothing of it. hasten: what else is done when it has not returned
    in time, and what is said of that.
    """

    did: str
    undone: str
    nodes: tuple[str, ...]
    make: Callable[[], object]
    undo: Callable[[], object]
    due: Callable[[], Hops]
    has_settled: Callable[[], bool] | None = None
    settles_seconds: float = SOON_SECONDS
    has_returned: Callable[[], bool] | None = None
    returns_seconds: float = POD_SECONDS
    only: str | None = None
    hasten: Callable[[], str] | None = None


@dataclass(frozen=True, slots=True)
class Ground:
    """The lab as an event finds it: everybody announces who should, and all sessions of all routers are up."""

    lab: Lab
    spec: LabSpec
    conditions: Conditions
    vip: IPv4Address
    hops: Hops

    @property
    def routers(self) -> dict[str, Shell]:
        return routers_of(self.lab, self.spec)

    @property
    def prefix(self) -> IPv4Network:
        return IPv4Network(self.vip)

    def without(self, *addresses: IPv4Address) -> Hops:
        """Every router's next hops less these."""
        return {router: hops - frozenset(addresses) for router, hops in self.hops.items()}

    def kernel_hops(self) -> Hops:
        """As they are now."""
        found = {name: table.to(self.prefix) for name, table in read_router_routes(self.routers).by_router.items()}
        return {name: frozenset(route.gateways if route else ()) for name, route in found.items()}

    def as_before(self) -> dict[str, bool]:
        """Whether each router has the next hops from before, with no path held over (RFC 4724), and every session."""
        kernel, sessions = self.kernel_hops(), self.sessions().keys()
        nodes = [node.address for node in bgp_nodes(self.spec)]
        return {
            name: frozenset(path.next_hop for path in table.paths(self.prefix) if path.valid and not path.stale)
            == self.hops[name]
            == kernel[name]
            and all((name, node) in sessions for node in nodes)
            for name, table in read_tables(self.routers).by_router.items()
        }

    def all_is_as_before(self) -> bool:
        return all(self.as_before().values())

    def sessions(self) -> dict[tuple[str, IPv4Address], int]:
        """Established ones by router and peer, and how often each has been."""
        return {
            (router, peer.address): peer.established
            for router, summary in read_summaries(self.routers).by_router.items()
            for peer in summary.peers
            if peer.state == "Established"
        }


def ground(lab: Lab, spec: LabSpec, conditions: Conditions, deadline: Deadline) -> Ground:
    """Wait until nodes, BGP and kernels agree on the address. Raises DeadlineExceeded, or LabError without one."""
    view = wait_for_agreement(lab, spec, deadline)
    if view.vip is None:
        raise LabError("the Service has no LoadBalancer address; walk the lab to its last step first")
    found = Ground(lab, spec, conditions, view.vip, view.kernel)
    wait_until(found.all_is_as_before, bool, deadline, "every session Established, no path held over", POLL_SECONDS)
    return found
