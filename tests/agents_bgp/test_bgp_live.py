"""Agents with real gobgpd processes against a real FRR 8.4.4, over a real wire."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from bgp_wire import Wire
from manifests import (
    advertisement,
    cilium_node,
    endpoint_slice,
    instance,
    node_config,
    peer,
    peer_config,
    secret,
    service,
    service_entry,
)
from memory_cluster import MemoryCluster

from bgplab.backends.embedded.agents.bgp.agent import BgpAgent
from bgplab.backends.embedded.agents.bgp.client import SpeakerError
from bgplab.backends.embedded.agents.bgp.model import SessionState
from bgplab.backends.embedded.agents.bgp.speaker import Gobgpd
from bgplab.backends.embedded.agents.cilium_dbg import CiliumDbg
from bgplab.backends.embedded.controllers.runtime import Informers
from bgplab.lab.cluster import BGP_NODE_CONFIG
from bgplab.lab.waiting import Deadline, wait_until

pytestmark = pytest.mark.lab

CTR, W1 = "192.168.10.100", "192.168.10.101"
VIP = "172.16.1.1/32"
Agents = dict[str, BgpAgent]


def eventually(look: Callable[[], Any], holds: Callable[[Any], bool], seconds: float, what: str) -> Any:
    return wait_until(look, holds, Deadline.after(seconds), what, every=0.01)


def peer_up(cluster: MemoryCluster, wire: Wire, **spec: Any) -> None:
    """The guide's G11, up to both sessions and the nodes' pod routes."""
    for name in wire.nodes:
        cluster.put(cilium_node(name))
    cluster.put(peer_config(**spec))
    cluster.put(advertisement())
    for name in wire.nodes:
        cluster.put(node_config(name))
    # The engine's own draw of 1-2 s before it first dials, and 10 ms; the rest is for a busy machine.
    eventually(wire.established, lambda up: up == set(wire.nodes), 4, "both sessions")
    eventually(lambda: wire.next_hops("172.20.1.0/24"), lambda hops: hops == {W1}, 2, "k8s-w1's pods at the router")


def advertise_service(cluster: MemoryCluster, wire: Wire, **spec: Any) -> None:
    cluster.put(endpoint_slice("k8s-ctr", "k8s-w1"))
    cluster.put(service(**spec))
    cluster.put(advertisement(service_entry(), name="bgp-advertisements-lb-exip-webpod"))
    eventually(lambda: wire.next_hops(VIP), lambda hops: hops == {CTR, W1}, 2, "the VIP by both nodes")


def test_sessions_vip_and_policy_local_as_in_the_guide(cluster: MemoryCluster, wire: Wire, agents: Agents) -> None:
    peer_up(cluster, wire)
    seen = wire.neighbor("k8s-ctr")
    assert (seen["bgpTimerHoldTimeMsecs"], seen["bgpTimerKeepAliveIntervalMsecs"]) == (9000, 3000)
    assert seen["gracefulRestartInfo"]["timers"]["receivedRestartTimer"] == 15

    advertise_service(cluster, wire)
    cluster.put(service(externalTrafficPolicy="Local"))
    cluster.put(endpoint_slice("k8s-w1"))
    eventually(lambda: wire.next_hops(VIP), lambda hops: hops == {W1}, 2, "the VIP by the node with an endpoint")
    cluster.put(endpoint_slice("k8s-ctr", "k8s-w1"))
    eventually(lambda: wire.next_hops(VIP), lambda hops: hops == {CTR, W1}, 2, "the VIP by both nodes again")
    cluster.remove("Service", "webpod", "default")
    eventually(lambda: wire.next_hops(VIP), lambda hops: not hops, 2, "the VIP gone")
    assert wire.next_hops("172.20.0.0/24") == {CTR}


def test_the_commands_answer_as_in_the_guide(
    cluster: MemoryCluster, wire: Wire, agents: Agents, informers: Informers
) -> None:
    peer_up(cluster, wire)
    command = CiliumDbg(agents["k8s-ctr"], informers, "k8s-ctr")

    def ask(words: str) -> str:
        status, out, err = command.run(words.split())
        assert (status, err) == (0, "")
        return out

    # Its own prefix comes back looped: the router's one and both nodes' (two of them make no peer group of three).
    eventually(lambda: json.loads(ask("cilium bgp peers -o json"))[0]["families"][0], _has_received(3), 3, "3 received")
    (seen,) = json.loads(ask("cilium-dbg bgp peers -o json"))
    assert seen["session-state"] == "established" and seen["families"][0]["advertised"] == 2
    assert "192.168.10.200:179   established" in ask("cilium-dbg bgp peers")
    assert ask("cilium-dbg bgp routes available ipv4 unicast").splitlines()[1].split()[:3] == [
        "65001",
        "172.20.0.0/24",
        "0.0.0.0",
    ]
    assert "[{Origin: i} {AsPath: 65001} {Nexthop: 192.168.10.100}]" in ask("cilium bgp routes advertised ipv4 unicast")
    (route,) = json.loads(ask("cilium bgp routes -o json"))
    assert base64.b64decode(route["paths"][0]["nlri"]["base64"]) == bytes.fromhex("18ac1400")

    attributes = {"localPreference": 90, "communities": {"standard": ["65001:200"], "wellKnown": ["no-export"]}}
    cluster.put(advertisement(service_entry(attributes=attributes), name="lb"))
    cluster.put(service())
    eventually(lambda: wire.next_hops(VIP), lambda hops: hops == {CTR, W1}, 2, "the VIP by both nodes")
    names = [line.split()[1] for line in ask("cilium-dbg bgp route-policies").splitlines()[1:]]
    assert names == [
        "allow-local",
        "tor-switch-ipv4-PodCIDR",
        "tor-switch-ipv4-Service-webpod-default-LoadBalancerIP",
    ]
    last = ask("cilium-dbg bgp route-policies").splitlines()[-1]
    assert last.endswith("{SetLocalPreference: 90} {AddCommunities: [65001:200 65535:65281]}")
    assert "{Communities: 65001:200, no-export}" in ask("cilium bgp routes advertised ipv4 unicast peer 192.168.10.200")
    assert command.run(["cilium", "bpf", "lb", "list"])[0] == 1


def _has_received(count: int) -> Callable[[dict[str, Any]], bool]:
    return lambda family: family.get("received") == count


def test_a_killed_speaker_comes_back_and_the_router_keeps_its_routes(
    cluster: MemoryCluster, wire: Wire, agents: Agents
) -> None:
    peer_up(cluster, wire)
    advertise_service(cluster, wire)
    wire.nodes["k8s-ctr"].kill_newest()
    eventually(wire.established, lambda up: up == {"k8s-w1"}, 2, "the session lost")
    gone = []
    end = time.monotonic() + 5
    while wire.established() != set(wire.nodes) and time.monotonic() < end:
        gone += [prefix for prefix in ("172.20.0.0/24", VIP) if CTR not in wire.next_hops(prefix)]
    assert wire.established() == set(wire.nodes)
    assert gone == [] and wire.next_hops(VIP) == {CTR, W1}


def test_a_process_that_is_killed_before_it_is_needed_does_no_harm(
    cluster: MemoryCluster, wire: Wire, agents: Agents
) -> None:
    eventually(lambda: agents["k8s-ctr"].stands_by, bool, 5, "a process held ready")
    wire.nodes["k8s-ctr"].kill_newest()
    peer_up(cluster, wire)


def test_a_halted_agent_s_routes_are_gone_after_the_restart_time_and_back_when_it_resumes(
    cluster: MemoryCluster, wire: Wire, agents: Agents, informers: Informers
) -> None:
    peer_up(cluster, wire, gracefulRestart={"enabled": True, "restartTimeSeconds": 2})
    started = time.monotonic()
    agents["k8s-ctr"].halt()
    eventually(wire.established, lambda up: up == {"k8s-w1"}, 2, "the session lost")
    assert wire.next_hops("172.20.0.0/24") == {CTR}
    eventually(lambda: wire.next_hops("172.20.0.0/24"), lambda hops: not hops, 4, "the stale path gone")
    assert time.monotonic() - started >= 1.9
    assert agents["k8s-ctr"].speakers == ()
    command = CiliumDbg(agents["k8s-ctr"], informers, "k8s-ctr")
    assert command.run(["cilium", "bgp", "peers"]) == (1, "", "Error: the agent of k8s-ctr does not run\n")
    agents["k8s-ctr"].resume()
    eventually(wire.established, lambda up: up == set(wire.nodes), 4, "both sessions again")


def test_a_node_without_a_config_says_cease_and_its_routes_go_at_once(
    cluster: MemoryCluster, wire: Wire, agents: Agents
) -> None:
    peer_up(cluster, wire)
    cluster.remove("CiliumBGPNodeConfig", "k8s-ctr")
    eventually(lambda: wire.next_hops("172.20.0.0/24"), lambda hops: not hops, 2, "its pods gone")
    assert wire.neighbor("k8s-ctr")["lastErrorCodeSubcode"] == "0609"  # Cease/Hard Reset (RFC 8538)
    assert agents["k8s-ctr"].speakers == ()


def test_a_new_hold_time_resets_the_session_with_cilium_s_text(
    cluster: MemoryCluster, wire: Wire, agents: Agents
) -> None:
    peer_up(cluster, wire)
    reset_by_new_hold_time(cluster, wire)


@pytest.mark.slow
def test_after_a_new_hold_time_the_session_comes_back_with_it(
    cluster: MemoryCluster, wire: Wire, agents: Agents
) -> None:
    peer_up(cluster, wire)
    reset_by_new_hold_time(cluster, wire)
    eventually(wire.established, lambda up: up == set(wire.nodes), 9, "both sessions again")  # 5 s idle, 1-2 s
    assert wire.neighbor("k8s-ctr")["bgpTimerHoldTimeMsecs"] == 12000


def reset_by_new_hold_time(cluster: MemoryCluster, wire: Wire) -> None:
    timers = {"connectRetryTimeSeconds": 120, "holdTimeSeconds": 12, "keepAliveTimeSeconds": 4}
    cluster.put(peer_config(timers=timers))
    seen = eventually(lambda: wire.neighbor("k8s-ctr"), lambda it: "lastErrorCodeSubcode" in it, 2, "the reset")
    assert seen["lastErrorCodeSubcode"] == "0604"  # Cease/Administrative Reset
    assert "Peer configuration changed" in json.dumps(seen)


def test_a_new_multihop_resets_nothing(cluster: MemoryCluster, wire: Wire, agents: Agents) -> None:
    peer_up(cluster, wire)
    cluster.put(peer_config(ebgpMultihop=3))
    eventually(lambda: _multihop(agents["k8s-ctr"]), lambda ttl: ttl == 3, 2, "the new multihop")
    time.sleep(0.3)
    assert wire.established() == set(wire.nodes)


def _multihop(agent: BgpAgent) -> int:
    return agent.speakers[0].client.sessions()[0].multihop_ttl


def test_a_password_must_be_the_router_s(cluster: MemoryCluster, wire: Wire, agents: Agents) -> None:
    wire.configure("router bgp 65000", f"neighbor {CTR} password s3cret")
    key = base64.b64encode(b"s3cret").decode()
    cluster.put(cilium_node("k8s-ctr"))
    cluster.put(secret("bgp-auth", password=key))
    cluster.put(peer_config(authSecretRef="bgp-auth"))
    cluster.put(advertisement())
    cluster.put(node_config("k8s-ctr"))
    eventually(wire.established, lambda up: up == {"k8s-ctr"}, 4, "the session with a password")


def test_two_instances_of_a_node_have_a_speaker_each(cluster: MemoryCluster, wire: Wire, agents: Agents) -> None:
    peer_up(cluster, wire)
    second = instance(name="second", localASN=65002, peers=[peer(name="nobody", peerAddress="192.168.10.77")])
    cluster.put(node_config("k8s-ctr", instance(), second))
    speakers = eventually(lambda: agents["k8s-ctr"].speakers, lambda them: len(them) == 2, 2, "two speakers")
    assert [each.running.server.asn for each in speakers] == [65001, 65002]
    assert speakers[0].client.sessions()[0].state is SessionState.ESTABLISHED
    cluster.put(node_config("k8s-ctr", instance()))
    eventually(lambda: agents["k8s-ctr"].speakers, lambda them: len(them) == 1, 3, "the second one gone")
    assert wire.established() == set(wire.nodes)


def test_the_status_follows_with_patience(cluster: MemoryCluster, wire: Wire, agents: Agents) -> None:
    peer_up(cluster, wire)

    def state() -> str:
        status = (cluster.get(BGP_NODE_CONFIG, "k8s-ctr") or {}).get("status", {})
        return status.get("bgpInstances", [{}])[0].get("peers", [{}])[0].get("peeringState", "")

    eventually(state, lambda seen: seen == "established", 8, "established in the status")


def test_a_call_to_a_speaker_that_was_ended_is_an_error_by_name(wire: Wire) -> None:
    gobgpd = Gobgpd(wire.nodes["k8s-ctr"])
    gobgpd.kill()
    with pytest.raises(SpeakerError, match="UNAVAILABLE"):
        gobgpd.client.sessions()


def test_when_the_lab_ends_nothing_is_started_again(
    cluster: MemoryCluster, wire: Wire, agents: Agents, stop: threading.Event
) -> None:
    peer_up(cluster, wire)
    stop.set()
    for agent in agents.values():
        agent.close()
    eventually(wire.established, lambda up: not up, 2, "both sessions lost")
    assert not any(agent.speakers for agent in agents.values())
