"""A node's link down behind a switch (E09) and up (E10)."""

from __future__ import annotations

from functools import partial
from ipaddress import IPv4Address

from bgplab.errors import LabError
from bgplab.lab.cluster import POD
from bgplab.observe.cilium_agents import NAMESPACE, agent_pods, ask_agents
from bgplab.observe.cilium_bgp import PEERS, parse_peers
from bgplab.observe.foreign import parse_json
from bgplab.spec.derived import peer_address
from bgplab.spec.model import LabSpec, Node
from bgplab.steps.failover.agents import stale_seconds
from bgplab.steps.failover.event import POD_SECONDS, SOON_SECONDS, Conditions, Event, Ground, subject
from bgplab.steps.outcome import on_host

ROUTES_FILE = "/run/bgp-lab-routes-before-link-down"


def link_down(here: Ground) -> Event:
    """The router's own link stays up, so that only timers tell. Routes that go with the link are put back with it."""
    node = subject(here.spec, here.conditions)
    host = here.lab.hosts[node.name]
    device = device_of(host.run(["ip", "-j", "address"]).stdout, node.address)
    timers = here.spec.cluster.bgp.timers
    return Event(
        did=f"{node.name}: link {device} down",
        undone=f"{node.name}: link {device} up",
        nodes=(node.name,),
        make=lambda: host.run(["sh", "-c", down_script(device)]),
        undo=lambda: host.run(["sh", "-c", up_script(device)]),
        due=lambda: here.without(node.address),
        settles_seconds=timers.hold_seconds + stale_seconds(here.spec) + SOON_SECONDS,
        returns_seconds=POD_SECONDS + (3 * timers.connect_retry_seconds if _waits(here.conditions) else 0),
        hasten=partial(_restart_agent, here, node),
    )


def _waits(conditions: Conditions) -> bool:
    """Whether the node's own retry is waited for."""
    return conditions.dial_patience_seconds is None


def _restart_agent(here: Ground, node: Node) -> str:
    """What an operator does who will not wait for a speaker's retry."""
    cluster, ours = here.lab.cluster, {peer_address(router) for router in here.spec.routers}
    printed = ask_agents(cluster, PEERS, [node.name]).get(node.name, "[]")
    states = [peer.state for peer in parse_peers(printed) if peer.address in ours]
    cluster.delete(POD, agent_pods(cluster)[node.name], NAMESPACE)
    session = "session was" if len(ours) == 1 else "sessions were"
    return f"{node.name}'s agent, whose {session} {', '.join(states) or 'not there'}, was restarted"


def device_of(printed: str, address: IPv4Address) -> str:
    """The interface that has this address, by `ip -j address`. Raises LabError."""
    for link in parse_json(printed, "ip -j address"):
        if any(entry.get("local") == str(address) for entry in link.get("addr_info", [])):
            return str(link["ifname"])
    raise LabError(f"no interface has {address}")


def down_script(device: str) -> str:
    return f"ip route save table main dev {device} > {ROUTES_FILE} && ip link set dev {device} down"


def up_script(device: str) -> str:
    """Routes that the kernel has made again by itself are there already, and said to be (`File exists`)."""
    restore = f"ip route restore < {ROUTES_FILE} 2>/dev/null"
    return f"ip link set dev {device} up && {restore}; status=$?; rm -f {ROUTES_FILE}; exit $status"


def plan_link(spec: LabSpec) -> list[str]:
    node = subject(spec, Conditions())
    device = f"$(ip -o -4 address show to {node.address} | awk '{{print $2}}')"
    scripts = (down_script(device), up_script(device))
    return [on_host(node.name, ["sh", "-c", script]) for script in scripts]
