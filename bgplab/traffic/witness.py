"""Do the witnesses of a load test agree with its records? Pure: columns in, sentences out; each names its witness.

The records are the client's word. Beside it stand the nodes (which count connections by themselves), the pods (which
say who asked), the router's kernel (which says where it sends a connection), and arithmetic (which next hop the hash
gives, where its seed is known). A witness that was not there is absent, which is said and is no disagreement.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any

from bgplab.traffic.hash_prediction import Flow, multipath_hash, next_hop_index

#: The prober's columns and `node`, the one that received each connection, None where that is not known.
Records = Mapping[str, Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Agreement:
    """problems: sentences, each names the witness. told: what agrees. absent: who was not there. unclear: sentences,
    who was there and can neither confirm nor contradict.
    """

    problems: tuple[str, ...] = ()
    told: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    unclear: tuple[str, ...] = ()

    def __add__(self, other: Agreement) -> Agreement:
        return Agreement(
            self.problems + other.problems,
            self.told + other.told,
            self.absent + other.absent,
            self.unclear + other.unclear,
        )


def nodes_counted(records: Records, counted: Mapping[str, int | None], may_receive: Collection[str]) -> Agreement:
    """The nodes' own counters against the records and the model.

    may_receive: nodes that should be a next hop. A connection that failed may have been counted or not, and more than
    once when its first packet was sent again, so with failures the records are a lower bound only. Nodes count whoever
    asks: where none counted too few, and some more than the client opened, the others' connections are somebody else's.
    """
    received = Counter(node for node in records["node"] if node is not None)
    failed = sum(1 for error in records["error"] if error)
    heard = {node: count for node, count in counted.items() if count is not None}
    if not heard:
        return Agreement(absent=("nodes' counters",))
    absent = tuple(f"{node}'s counter" for node in counted if node not in heard)
    more = {node: count - received[node] for node, count in heard.items() if count > received[node] and not failed}
    strangers = bool(more) and all(count >= received[node] for node, count in heard.items())
    problems = []
    for node, count in heard.items():
        if count < received[node] or (node in more and not strangers):
            problems.append(f"{node}'s counter says {count} connections, the client's records say {received[node]}")
        elif count and node not in may_receive and node not in more:
            problems.append(f"{node}'s counter says {count} connections, and it should get none")
    if strangers:
        seen = f"others' connections were seen: {sum(more.values())} ({_counts(more)})"
        why = "nodes count whoever asks, so they can neither confirm nor contradict the client's records"
        return Agreement(tuple(problems), (), absent, (f"{seen}; {why}",))
    told = f"nodes counted {sum(heard.values())} connections"
    return Agreement(tuple(problems), () if problems else (told,), absent)


def _counts(by_node: Mapping[str, int]) -> str:
    return ", ".join(f"{node} {count}" for node, count in by_node.items())


def pods_saw(records: Records, node_addresses: Collection[str], *, hides_clients: bool) -> Agreement:
    """The client's address and port as pods saw them. hides_clients: a node may put its own in (policy Cluster)."""
    rows = zip(*(records[name] for name in ("source_address", "source_port", "remote_address", "error")), strict=True)
    seen, strange = 0, []
    for address, port, remote, error in rows:
        if error or remote is None:
            continue
        seen += 1
        if hides_clients and remote.rpartition(":")[0] in node_addresses:
            continue
        if remote != f"{address}:{port}":
            strange.append(f"a pod saw {remote}, the client's record says {address}:{port}")
    if not seen:
        return Agreement(absent=("pods (no answer says who asked)",))
    if strange:
        return Agreement((f"pods saw other clients in {len(strange)} of {seen} answers: {strange[0]}",))
    return Agreement(told=(f"pods saw the client in {seen} answers",))


def kernel_says(
    records: Records, ways: Mapping[tuple[str, int], IPv4Address], name_of: Callable[[IPv4Address], str]
) -> Agreement:
    """The router's kernel, asked for connections with source ports of our own, against the nodes that received them."""
    asked = _received(records)
    both = {flow: (name_of(via), asked[flow]) for flow, via in ways.items() if flow in asked}
    if not both:
        return Agreement(absent=("router's kernel (`ip route get`)",))
    wrong = {flow: pair for flow, pair in both.items() if pair[0] != pair[1]}
    if wrong:
        (address, port), (due, reached) = next(iter(wrong.items()))
        return Agreement(
            (
                f"the router's kernel sends {len(wrong)} of {len(both)} connections elsewhere than the records say:"
                f" {address}:{port} to {due}, not {reached}",
            )
        )
    return Agreement(told=(f"the kernel's word on {len(both)} connections",))


def hash_foretells(
    records: Records,
    destination: tuple[IPv4Address, int],
    *,
    seed: int,
    fields: int,
    hops: Sequence[tuple[str, int]],
) -> tuple[Agreement, float | None]:
    """Each connection's next hop computed ahead, and the share that was right. hops: (node, weight), in group order."""
    received = _received(records)
    if not received or not hops:
        return Agreement(absent=("hash computed from its seed",)), None
    weights = [weight for _, weight in hops]

    def foretold(address: str, port: int) -> str:
        hashed = multipath_hash(Flow(IPv4Address(address), port, *destination), seed, fields)
        return hops[next_hop_index(hashed, weights)][0]

    right = sum(foretold(*flow) == node for flow, node in received.items())
    share = right / len(received)
    told = f"the hash computed from seed {seed} foretells {right} of {len(received)} connections"
    return (Agreement(told=(told,)) if right == len(received) else Agreement((told,))), share


def repeats(first: Records, second: Records) -> tuple[Agreement, float | None]:
    """Two runs with the same source ports: the share of connections that took the same node both times."""
    one, other = _received(first), _received(second)
    both = one.keys() & other.keys()
    lost = len(first["node"]) + len(second["node"]) - len(one) - len(other)
    if lost:
        return Agreement((f"{lost} connections of the two repeated runs were not answered",)), None
    if not both or len(both) < len(one):
        return Agreement((f"the two repeated runs have {len(both)} of {len(one)} source ports in common",)), None
    moved = sorted(flow for flow in both if one[flow] != other[flow])
    share = 1 - len(moved) / len(both)
    if moved:
        (address, port) = moved[0]
        there = f"{address}:{port} to {one[moved[0]]}, then {other[moved[0]]}"
        return Agreement((f"{len(moved)} of {len(both)} repeated connections took another node: {there}",)), share
    return Agreement(told=(f"{len(both)} connections repeated one by one",)), share


def _received(records: Records) -> dict[tuple[str, int], str]:
    """Node by (source address, source port) of each answered connection."""
    rows = zip(records["source_address"], records["source_port"], records["node"], strict=True)
    return {(address, port): node for address, port, node in rows if address and port and node is not None}
