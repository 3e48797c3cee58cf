"""Whom a change wakes: only agents whose speakers can depend on it, and each of them once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from manifests import (
    advertisement,
    cilium_node,
    endpoint_slice,
    instance,
    node_config,
    peer_config,
    secret,
    service,
)
from memory_cluster import MemoryCluster

from bgplab.backends.embedded.agents.bgp.concerns import EVERYBODY, NOBODY, concerned_nodes
from bgplab.backends.embedded.agents.bgp.workers import BgpWorkers
from bgplab.backends.embedded.controllers.runtime import Informers
from bgplab.lab.cluster import (
    BGP_ADVERTISEMENT,
    BGP_NODE_CONFIG,
    BGP_PEER_CONFIG,
    CILIUM_NODE,
    ENDPOINT_SLICE,
    SECRET,
    SERVICE,
    Kind,
)
from bgplab.lab.waiting import Deadline, wait_until

STATUS = {"conditions": [{"type": "cilium.io/MissingAuthSecret", "status": "False"}]}


@pytest.mark.parametrize(
    ("kind", "old", "new"),
    [
        (BGP_NODE_CONFIG, node_config("k8s-w1"), {**node_config("k8s-w1"), "status": {"bgpInstances": []}}),
        (BGP_PEER_CONFIG, peer_config(), {**peer_config(), "status": STATUS}),
        (CILIUM_NODE, cilium_node("k8s-w1"), {**cilium_node("k8s-w1"), "status": {"azure": {}}}),
        (SERVICE, service(), {**service(), "status": {**service()["status"], **STATUS}}),
        (ENDPOINT_SLICE, endpoint_slice("k8s-w1", ready=False), endpoint_slice("k8s-w1", ready=False, serving=True)),
    ],
)
def test_what_speakers_do_not_depend_on_concerns_nobody(kind: Kind, old: Any, new: Any) -> None:
    assert concerned_nodes(kind, old, new) == NOBODY


@pytest.mark.parametrize(
    ("kind", "old", "new"),
    [
        (BGP_NODE_CONFIG, None, node_config("k8s-w1")),
        (BGP_NODE_CONFIG, node_config("k8s-w1"), None),
        (BGP_NODE_CONFIG, node_config("k8s-w1"), node_config("k8s-w1", instance(localASN=65009))),
        (CILIUM_NODE, None, cilium_node("k8s-w1")),
        (ENDPOINT_SLICE, endpoint_slice("k8s-ctr"), endpoint_slice("k8s-ctr", "k8s-w1")),
        (ENDPOINT_SLICE, endpoint_slice("k8s-w1"), None),
    ],
)
def test_what_is_one_node_s_concerns_that_node(kind: Kind, old: Any, new: Any) -> None:
    assert concerned_nodes(kind, old, new) == {"k8s-w1"}


@pytest.mark.parametrize(
    ("kind", "old", "new"),
    [
        (BGP_PEER_CONFIG, None, peer_config()),
        (BGP_PEER_CONFIG, peer_config(), peer_config(ebgpMultihop=3)),
        (BGP_ADVERTISEMENT, advertisement(), None),
        (SERVICE, service(ingress=None), service()),
        (SERVICE, service(), service(externalTrafficPolicy="Local")),
        (SECRET, None, secret("bgp-auth", password="czNjcmV0")),
    ],
)
def test_what_all_nodes_share_concerns_everybody(kind: Kind, old: Any, new: Any) -> None:
    assert concerned_nodes(kind, old, new) is EVERYBODY


def test_an_endpoint_that_is_no_longer_ready_concerns_its_node_alone() -> None:
    two = endpoint_slice("k8s-ctr", "k8s-w1")
    one_ready = {**two, "endpoints": [two["endpoints"][0], {"nodeName": "k8s-w1", "conditions": {"ready": False}}]}
    assert concerned_nodes(ENDPOINT_SLICE, two, one_ready) == {"k8s-w1"}


class Woken:
    """Agents that only count how often they are woken."""

    def __init__(self, cluster: MemoryCluster, informers: Informers, stop: threading.Event, names: list[str]) -> None:
        self._cluster = cluster
        self._workers = BgpWorkers(informers, stop, threads=1)
        self._times = dict.fromkeys(names, 0)
        for name in names:
            self._workers.register(name, lambda what, name=name: self._count(name))

    def _count(self, name: str) -> None:
        self._times[name] += 1

    def by(self, config: Any) -> dict[str, int]:
        """How often each was woken by a node configuration, until the next one had woken `last`.

        Events of one kind come in order, and one worker takes its keys in order.
        """
        self._times = dict.fromkeys(self._times, 0)
        self._cluster.put(config)
        self._cluster.put(node_config("last"))
        wait_until(lambda: self._times["last"], bool, Deadline.after(5), "the last one woken", every=0.005)
        return {name: times for name, times in self._times.items() if name != "last"}


@pytest.fixture
def woken(cluster: MemoryCluster, informers: Informers, stop: threading.Event) -> Iterator[Woken]:
    yield Woken(cluster, informers, stop, ["k8s-ctr", "k8s-w1", "k8s-w2", "last"])


def test_a_node_config_wakes_only_its_node_s_agent(woken: Woken) -> None:
    assert woken.by(node_config("k8s-w1")) == {"k8s-ctr": 0, "k8s-w1": 1, "k8s-w2": 0}


def test_a_node_config_s_status_wakes_no_agent(woken: Woken, cluster: MemoryCluster) -> None:
    woken.by(node_config("k8s-w1"))
    cluster.remove("CiliumBGPNodeConfig", "last")
    told = {**node_config("k8s-w1"), "status": {"bgpInstances": [{"name": "instance-65001", "localASN": 65001}]}}
    assert woken.by(told) == {"k8s-ctr": 0, "k8s-w1": 0, "k8s-w2": 0}
