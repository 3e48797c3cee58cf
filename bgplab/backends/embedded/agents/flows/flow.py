"""One flow as Hubble has it: a packet, the parties at its ends, and where on the node it was seen. Pure."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bgplab.backends.embedded.agents.flows.packet import Segment, parse_segment
from bgplab.backends.embedded.agents.flows.parties import THE_WORLD, Book, Party, as_seen_from

#: Cilium's trace points (monitor API): name in compact output, number, name in JSON.
_TO_ENDPOINT, _TO_STACK, _TO_NETWORK = (
    ("to-endpoint", 0, "TO_ENDPOINT"),
    ("to-stack", 3, "TO_STACK"),
    ("to-network", 11, "TO_NETWORK"),
)
_TRACE_EVENT = 4


@dataclass(frozen=True, slots=True)
class Seen:
    """A packet as kept in the ring: decoded when somebody asks. `book` is who was who at that moment."""

    seconds: float
    reply: bool
    payload: bytes
    book: Book


@dataclass(frozen=True, slots=True)
class Flow:
    """A packet of a TCP connection of one of the node's pods, forwarded by the node."""

    node: str
    seconds: float
    reply: bool
    segment: Segment
    source: Party
    destination: Party

    @property
    def point(self) -> tuple[str, int, str]:
        if self.destination.pod and self.destination.node == self.node:
            return _TO_ENDPOINT
        if self.destination.node == self.node:
            return _TO_STACK
        return _TO_NETWORK

    @property
    def summary(self) -> str:
        return f"TCP Flags: {', '.join(self.segment.flags)}"


def flow_of(seen: Seen, node: str) -> Flow | None:
    """None when the packet is no TCP segment."""
    segment = parse_segment(seen.payload)
    if segment is None:
        return None
    source = as_seen_from(node, seen.book.get(segment.source, THE_WORLD))
    destination = as_seen_from(node, seen.book.get(segment.destination, THE_WORLD))
    return Flow(node, seen.seconds, seen.reply, segment, source, destination)


def compact(flow: Flow) -> str:
    """A line as `hubble observe` prints it: the client is always on the left."""
    stamp = datetime.fromtimestamp(flow.seconds, UTC)
    ends = [
        f"{_name(flow.source, str(flow.segment.source))}:{flow.segment.source_port} {_identity(flow.source)}",
        f"{_name(flow.destination, str(flow.segment.destination))}:{flow.segment.destination_port}"
        f" {_identity(flow.destination)}",
    ]
    arrow = "<-" if flow.reply else "->"
    left, right = reversed(ends) if flow.reply else ends
    moment = f"{stamp:%b} {stamp.day:2d} {stamp:%H:%M:%S}.{stamp.microsecond // 1000:03d}"
    return f"{moment}: {left} {arrow} {right} {flow.point[0]} FORWARDED ({flow.summary})"


def as_json(flow: Flow) -> dict[str, Any]:
    """The object of a line of `hubble observe -o json` (jsonpb: defaults left out, enums by name)."""
    segment = flow.segment
    stamp = datetime.fromtimestamp(flow.seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "000Z")
    ends = f"{segment.source}:{segment.source_port}-{segment.destination}:{segment.destination_port}"
    identity = f"{flow.node} {flow.seconds!r} {ends} {segment.flags}"
    _, number, point = flow.point
    inward = (point == "TO_ENDPOINT") != flow.reply  # the direction of the connection, not of the packet
    return {
        "flow": {
            "time": stamp,
            "uuid": str(uuid.uuid5(uuid.NAMESPACE_OID, identity)),
            "verdict": "FORWARDED",
            "IP": {"source": str(segment.source), "destination": str(segment.destination), "ipVersion": "IPv4"},
            "l4": {
                "TCP": {
                    "source_port": segment.source_port,
                    "destination_port": segment.destination_port,
                    "flags": dict.fromkeys(segment.flags, True),
                }
            },
            "source": _endpoint(flow.source, flow.node),
            "destination": _endpoint(flow.destination, flow.node),
            "Type": "L3_L4",
            "node_name": flow.node,
            "event_type": {"type": _TRACE_EVENT} | ({"sub_type": number} if number else {}),
            "traffic_direction": "INGRESS" if inward else "EGRESS",
            "trace_observation_point": point,
            "trace_reason": _reason(flow),
            "is_reply": flow.reply,
            "Summary": flow.summary,
        },
        "node_name": flow.node,
        "time": stamp,
    }


def _reason(flow: Flow) -> str:
    if flow.reply:
        return "REPLY"
    return "NEW" if flow.segment.flags == ("SYN",) else "ESTABLISHED"


def _endpoint(party: Party, node: str) -> dict[str, Any]:
    if not party.pod:
        return {"identity": party.identity, "labels": list(party.labels)}
    own = {"ID": party.endpoint_id} if party.node == node else {}
    workloads = [{"name": name, "kind": kind} for kind, name in party.workloads]
    return {
        **own,
        "identity": party.identity,
        "cluster_name": _cluster(party),
        "namespace": party.namespace,
        "labels": list(party.labels),
        "pod_name": party.pod,
        **({"workloads": workloads} if workloads else {}),
    }


def _cluster(party: Party) -> str:
    prefix = "k8s:io.cilium.k8s.policy.cluster="
    return next((label.removeprefix(prefix) for label in party.labels if label.startswith(prefix)), "")


def _name(party: Party, address: str) -> str:
    return f"{party.namespace}/{party.pod}" if party.pod else address


def _identity(party: Party) -> str:
    if party.pod:
        return f"(ID:{party.identity})"
    return f"({party.labels[0].removeprefix('reserved:')})"
