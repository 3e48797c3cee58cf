"""The node config's status: what is written, and when."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from manifests import instance, node_config, peer
from memory_cluster import MemoryCluster

from bgplab.backends.embedded.agents.bgp.model import IPV4_UNICAST, FamilyCount, Session, SessionState, Timers
from bgplab.backends.embedded.agents.bgp.status import StatusWriter, instance_status
from bgplab.lab.cluster import BGP_NODE_CONFIG

NODE = "k8s-ctr"
UP = Session(
    local_asn=65001,
    peer_asn=65000,
    address="192.168.10.200",
    port=179,
    state=SessionState.ESTABLISHED,
    established_at=datetime(2025, 8, 16, 10, 9, 26, 500, tzinfo=UTC),
    configured=Timers(120, 9, 3),
    applied_hold_seconds=9,
    applied_keepalive_seconds=3,
    multihop_ttl=2,
    password=False,
    restart_seconds=15,
    families=(FamilyCount(IPV4_UNICAST, 4, 1, 2),),
)


def test_an_established_peer_has_its_time_its_timers_and_its_counts() -> None:
    assert instance_status(instance(), [UP]) == {
        "name": "instance-65001",
        "localASN": 65001,
        "peers": [
            {
                "name": "tor-switch",
                "peerAddress": "192.168.10.200",
                "peerASN": 65000,
                "peeringState": "established",
                "establishedTime": "2025-08-16T10:09:26Z",
                "timers": {"appliedHoldTimeSeconds": 9, "appliedKeepaliveSeconds": 3},
                "routeCount": [{"afi": "ipv4", "safi": "unicast", "advertised": 2, "received": 4}],
            }
        ],
    }


def test_a_peer_that_does_not_run_is_listed_without_a_state() -> None:
    (status,) = instance_status(instance(), [])["peers"]
    assert status == {"name": "tor-switch", "peerAddress": "192.168.10.200", "peerASN": 65000}


def test_an_asn_left_open_is_taken_from_the_session() -> None:
    (status,) = instance_status(instance(peers=[peer(peerASN=0)]), [UP])["peers"]
    assert status["peerASN"] == 65000


class Written:
    """A writer whose ticks are called by hand."""

    def __init__(self) -> None:
        self.cluster = MemoryCluster()
        self.cluster.put(node_config(NODE))
        self.scheduled: list[float] = []
        self.writer = StatusWriter(NODE, self.cluster, self.scheduled.append, random.Random(1))

    def tick(self) -> dict[str, Any]:
        self.writer.write(self.cluster.get(BGP_NODE_CONFIG, NODE))
        return (self.cluster.get(BGP_NODE_CONFIG, NODE) or {}).get("status", {})


@pytest.fixture
def written() -> Written:
    return Written()


def test_a_change_is_written_at_the_next_tick_of_about_five_seconds(written: Written) -> None:
    written.writer.see_instance(instance(), [UP])
    assert written.cluster.patches == []
    (seconds,) = written.scheduled
    assert 0 <= seconds < 7
    assert written.tick()["bgpInstances"][0]["peers"][0]["peeringState"] == "established"


def test_what_did_not_change_is_not_written_again(written: Written) -> None:
    written.writer.see_instance(instance(), [UP])
    written.tick()
    written.writer.see_instance(instance(), [UP])
    written.tick()
    assert len(written.scheduled) == 1 and len(written.cluster.patches) == 1


def test_an_instance_that_is_gone_leaves_the_status(written: Written) -> None:
    written.writer.see_instance(instance(), [UP])
    written.tick()
    written.writer.keep_only(set())
    assert "bgpInstances" not in written.tick()


def test_there_is_no_condition_before_the_first_error_and_it_stays_after_the_last(written: Written) -> None:
    written.writer.see_instance(instance(), [UP])
    written.writer.see_errors([])
    assert "conditions" not in written.tick()
    written.writer.see_errors([("instance-65001", 'failed to fetch secret "bgp-auth": missing password key')])
    (condition,) = written.tick()["conditions"]
    assert (condition["type"], condition["status"], condition["reason"]) == (
        "cilium.io/BGPReconcileError",
        "True",
        "BGPReconcileError",
    )
    assert condition["message"] == 'instance-65001: failed to fetch secret "bgp-auth": missing password key\n'
    written.writer.see_errors([])
    (condition,) = written.tick()["conditions"]
    assert (condition["status"], condition["message"]) == ("False", "")


def test_a_node_config_made_anew_gets_its_status_again(written: Written) -> None:
    written.writer.see_instance(instance(), [UP])
    written.tick()
    written.cluster.remove("CiliumBGPNodeConfig", NODE)
    new = written.cluster.put(node_config(NODE))
    written.writer.see_object(new)
    assert written.tick()["bgpInstances"]


def test_a_node_config_that_is_gone_is_no_error(written: Written) -> None:
    written.writer.see_instance(instance(), [replace(UP, state=SessionState.IDLE)])
    seen = written.cluster.get(BGP_NODE_CONFIG, NODE)
    written.cluster.remove("CiliumBGPNodeConfig", NODE)
    written.writer.write(seen)
    assert written.cluster.patches == []
