"""From what a speaker runs to what it should: the calls and their order."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

from bgplab.backends.embedded.agents.bgp.model import Instance, Peer, Policy, PrefixMatch, Server, Statement, Timers
from bgplab.backends.embedded.agents.bgp.plan import (
    AddPath,
    AddPeer,
    AddPolicy,
    DeletePath,
    DeletePeer,
    RemovePolicy,
    SoftResetOut,
    UpdatePeer,
    after,
    plan,
)

ROUTER = IPv4Address("192.168.10.200")
PODS, VIP = IPv4Network("172.20.0.0/24"), IPv4Network("172.16.1.1/32")
PEER = Peer("tor-switch", ROUTER, 65000, timers=Timers(120, 9, 3))
BARE = Instance("instance-65001", Server(65001, "192.168.10.100"))


def policy(name: str, prefix: IPv4Network, *communities: str) -> Policy:
    match = PrefixMatch(str(prefix), prefix.prefixlen, prefix.prefixlen)
    return Policy(name, (Statement((f"{ROUTER}/32",), (match,), communities=communities),))


PODS_POLICY, VIP_POLICY = policy("pods", PODS), policy("vip", VIP)
RUNNING = replace(BARE, paths=frozenset({PODS}), policies=(PODS_POLICY,), peers=(PEER,))


def changed_peer(**fields: object) -> Instance:
    return replace(RUNNING, peers=(replace(PEER, **fields),))


def test_a_new_speaker_gets_paths_first_then_policies_and_peers_last() -> None:
    assert plan(BARE, RUNNING) == (AddPath(PODS), AddPolicy(PODS_POLICY), AddPeer(PEER))


def test_nothing_is_done_twice() -> None:
    assert plan(RUNNING, RUNNING) == ()


def test_a_new_vip_is_told_to_the_running_peer_by_a_soft_reset() -> None:
    wanted = replace(RUNNING, paths=frozenset({PODS, VIP}), policies=(PODS_POLICY, VIP_POLICY))
    assert plan(RUNNING, wanted) == (AddPath(VIP), AddPolicy(VIP_POLICY), SoftResetOut(ROUTER))


def test_a_withdrawn_vip_loses_its_path_first_which_is_what_withdraws_it() -> None:
    running = replace(RUNNING, paths=frozenset({PODS, VIP}), policies=(PODS_POLICY, VIP_POLICY))
    assert plan(running, RUNNING) == (DeletePath(VIP), RemovePolicy(VIP_POLICY), SoftResetOut(ROUTER))


def test_a_changed_policy_is_made_anew() -> None:
    new = policy("pods", PODS, "65001:200")
    wanted = replace(RUNNING, policies=(new,))
    assert plan(RUNNING, wanted) == (RemovePolicy(PODS_POLICY), AddPolicy(new), SoftResetOut(ROUTER))


def test_a_peer_that_a_policy_does_not_name_is_not_reset() -> None:
    other = replace(PEER, name="other", address=IPv4Address("192.168.10.201"))
    running = replace(RUNNING, peers=(PEER, other))
    wanted = replace(running, policies=(PODS_POLICY, VIP_POLICY))
    assert [action for action in plan(running, wanted) if isinstance(action, SoftResetOut)] == [SoftResetOut(ROUTER)]


def test_new_hold_and_keepalive_times_end_the_session() -> None:
    for timers in (Timers(120, 12, 3), Timers(120, 9, 2)):
        assert plan(RUNNING, changed_peer(timers=timers)) == (UpdatePeer(replace(PEER, timers=timers), reset=True),)


def test_connect_retry_and_multihop_do_not_end_the_session() -> None:
    for fields in ({"timers": Timers(60, 9, 3)}, {"multihop_ttl": 5}):
        (action,) = plan(RUNNING, changed_peer(**fields))
        assert isinstance(action, UpdatePeer) and not action.reset


def test_another_asn_or_address_is_another_peer() -> None:
    for fields in ({"asn": 65009}, {"address": IPv4Address("192.168.10.201")}):
        new = replace(PEER, **fields)
        assert plan(RUNNING, replace(RUNNING, peers=(new,))) == (DeletePeer(PEER), AddPeer(new))


def test_peers_that_cannot_be_told_are_left_alone() -> None:
    assert plan(RUNNING, replace(RUNNING, peers=None)) == ()


def test_after_all_actions_the_speaker_runs_what_was_wanted() -> None:
    wanted = replace(
        RUNNING, paths=frozenset({VIP}), policies=(policy("pods", PODS, "65001:1"),), peers=(replace(PEER, asn=65009),)
    )
    running = RUNNING
    for action in plan(RUNNING, wanted):
        running = after(running, action)
    assert running == wanted
