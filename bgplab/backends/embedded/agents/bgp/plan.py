"""From what a speaker runs to what it should run: the calls, in order. Pure.

Paths first, then policies, peers last, as Cilium does: after a restart everything is in the table before the first
OPEN, or the neighbour's graceful restart would end with routes missing. A changed policy is told to running peers by
a soft reset outwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from bgplab.backends.embedded.agents.bgp.model import Address, Instance, Peer, Policy, Prefix, Timers


@dataclass(frozen=True, slots=True)
class DeletePath:
    prefix: Prefix


@dataclass(frozen=True, slots=True)
class AddPath:
    prefix: Prefix


@dataclass(frozen=True, slots=True)
class RemovePolicy:
    policy: Policy


@dataclass(frozen=True, slots=True)
class AddPolicy:
    policy: Policy


@dataclass(frozen=True, slots=True)
class SoftResetOut:
    address: Address


@dataclass(frozen=True, slots=True)
class DeletePeer:
    peer: Peer


@dataclass(frozen=True, slots=True)
class UpdatePeer:
    """reset: end the session, because what changed is negotiated in the OPEN and GoBGP leaves it to the caller."""

    peer: Peer
    reset: bool


@dataclass(frozen=True, slots=True)
class AddPeer:
    peer: Peer


Action = DeletePath | AddPath | RemovePolicy | AddPolicy | SoftResetOut | DeletePeer | UpdatePeer | AddPeer


def plan(running: Instance, wanted: Instance) -> tuple[Action, ...]:
    """The calls that turn one into the other; both have the same server. Empty when nothing is to be done."""
    return (*_path_actions(running, wanted), *_policy_actions(running, wanted), *_peer_actions(running, wanted))


def _path_actions(running: Instance, wanted: Instance) -> Iterator[Action]:
    for prefix in sorted(running.paths - wanted.paths, key=str):
        yield DeletePath(prefix)
    for prefix in sorted(wanted.paths - running.paths, key=str):
        yield AddPath(prefix)


def _policy_actions(running: Instance, wanted: Instance) -> Iterator[Action]:
    """A changed policy is taken away and made anew: GoBGP would merge the statements."""
    there = {policy.name: policy for policy in running.policies}
    then = {policy.name: policy for policy in wanted.policies}
    gone = [there[name] for name in there if there[name] != then.get(name)]
    new = [then[name] for name in then if then[name] != there.get(name)]
    yield from map(RemovePolicy, gone)
    yield from map(AddPolicy, new)
    told = {neighbor for policy in (*gone, *new) for each in policy.statements for neighbor in each.neighbors}
    for peer in running.peers or ():
        if f"{peer.address}/{peer.address.max_prefixlen}" in told:
            yield SoftResetOut(peer.address)


def _peer_actions(running: Instance, wanted: Instance) -> Iterator[Action]:
    if wanted.peers is None:
        return
    there, then = _by_identity(running.peers or ()), _by_identity(wanted.peers)
    yield from (DeletePeer(peer) for key, peer in there.items() if key not in then)
    for key in there.keys() & then.keys():
        if there[key] != then[key]:
            yield UpdatePeer(then[key], _is_negotiated(there[key].timers, then[key].timers))
    yield from (AddPeer(peer) for key, peer in then.items() if key not in there)


def _by_identity(peers: Iterable[Peer]) -> dict[tuple[str, Address, int], Peer]:
    """A peer with another name, address or ASN is another peer (cilium.md 2.1)."""
    return {(peer.name, peer.address, peer.asn): peer for peer in peers}


def _is_negotiated(old: Timers, new: Timers) -> bool:
    return (old.hold_seconds, old.keepalive_seconds) != (new.hold_seconds, new.keepalive_seconds)


def after(running: Instance, action: Action) -> Instance:
    """What a speaker runs once an action has been done."""
    match action:
        case DeletePath(prefix):
            return replace(running, paths=running.paths - {prefix})
        case AddPath(prefix):
            return replace(running, paths=running.paths | {prefix})
        case RemovePolicy(policy):
            return replace(running, policies=tuple(each for each in running.policies if each.name != policy.name))
        case AddPolicy(policy):
            return replace(running, policies=(*running.policies, policy))
        case SoftResetOut():
            return running
        case DeletePeer(peer):
            return replace(running, peers=_without(running, peer))
        case UpdatePeer(peer) | AddPeer(peer):
            return replace(running, peers=(*_without(running, peer), peer))


def _without(running: Instance, peer: Peer) -> tuple[Peer, ...]:
    return tuple(each for each in running.peers or () if (each.name, each.address) != (peer.name, peer.address))
