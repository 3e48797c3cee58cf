"""The Service's address, or the way to it, is not as it should be (G18 to G23)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Timer

import pytest
from fault_bench import Bench
from lab_faults import BGP, IPV4, configured, deleted, existing, nft_chain, patched, routed_by_hand, typed

from bgplab.lab.cluster import BGP_ADVERTISEMENT, LB_POOL, NODE, SERVICE, Manifest
from bgplab.lab.waiting import Deadline, wait_until
from bgplab.observe.pods import read_pods
from bgplab.spec import manifests

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("faults-service")]

POOL, VIP, NODES = "cilium-pool", "172.16.1.1", ("k8s-ctr", "k8s-w1", "k8s-w0")
SHUT = "neighbor 192.168.20.100 shutdown"
SERVICE_POLICY = r"tor-switch-ipv4-Service-webpod-default-LoadBalancerIP export 172.16.1.1/32"


def pool(name: str, cidr: str) -> Manifest:
    return {"apiVersion": "cilium.io/v2", "kind": "CiliumLoadBalancerIPPool", "metadata": {"name": name},
            "spec": {"blocks": [{"cidr": cidr}]}}  # fmt: skip


def advertisement(bench: Bench) -> Manifest:
    (manifest,) = manifests.service_advertisement(bench.spec.cluster)
    return manifest


def name_of(manifest: Manifest) -> str:
    return str(manifest["metadata"]["name"])


@contextmanager
def of_type_cluster_ip(bench: Bench) -> Iterator[None]:
    wrong, right = ({"spec": {"type": kind}} for kind in ("ClusterIP", "LoadBalancer"))
    with patched(bench.cluster, SERVICE, "webpod", wrong, right, "default", type="strategic"):
        wait_until(
            lambda: bench.cluster.get(SERVICE, "webpod", "default") or {},
            holds=lambda seen: not seen["status"]["loadBalancer"].get("ingress"),
            within=Deadline.after(20),
            what="the Service has given its address back",
        )
        yield


def test_g18_tells_when_the_pool_is_disabled(service_bench: Bench) -> None:
    service_bench.reach("G18")
    wrong, right = ({"spec": {"disabled": value}} for value in (True, False))
    with patched(service_bench.cluster, LB_POOL, POOL, wrong, right):
        service_bench.fails("G18", f"{POOL} is disabled")
    service_bench.holds("G18")


def test_g18_names_the_pool_with_which_it_conflicts(service_bench: Bench) -> None:
    service_bench.reach("G18")
    with existing(service_bench.cluster, pool("a-older", "172.16.1.128/25")):
        with deleted(service_bench.cluster, LB_POOL, POOL):
            service_bench.fails("G18", f"there is no pool {POOL} .there is a-older.")
        service_bench.fails("G18", f"{POOL} conflicts: Pool conflicts since range .* overlaps range .*'a-older'.*")
    service_bench.holds("G18")


def test_g18_tells_when_first_and_last_address_are_handed_out(service_bench: Bench) -> None:
    service_bench.reach("G18")
    wrong, right = ({"spec": {"allowFirstLastIPs": value}} for value in ("Yes", "No"))
    with patched(service_bench.cluster, LB_POOL, POOL, wrong, right):
        service_bench.fails(
            "G18", f"{POOL}: first and last address are handed out; {POOL}: 256 addresses available, expected 254"
        )
    service_bench.holds("G18")


def test_g18_names_another_block(service_bench: Bench) -> None:
    service_bench.reach("G18")
    wrong, right = ({"spec": {"blocks": [{"cidr": cidr}]}} for cidr in ("172.16.9.0/24", "172.16.1.0/24"))
    with patched(service_bench.cluster, LB_POOL, POOL, wrong, right):
        service_bench.fails("G18", f"{POOL}: blocks: missing 172.16.1.0/24, unexpected 172.16.9.0/24")
    service_bench.holds("G18")


def test_g19_tells_when_the_type_is_another(service_bench: Bench) -> None:
    service_bench.reach("G19")
    with of_type_cluster_ip(service_bench):
        service_bench.fails("G19", "Service webpod is ClusterIP, not LoadBalancer")
    service_bench.holds("G19")


def test_g19_tells_why_there_is_no_address(service_bench: Bench) -> None:
    service_bench.reach("G19")
    wrong, right = ({"spec": {"disabled": value}} for value in (True, False))
    with patched(service_bench.cluster, LB_POOL, POOL, wrong, right):
        with of_type_cluster_ip(service_bench):
            service_bench.fails("G19", "Service webpod is ClusterIP, not LoadBalancer")
        service_bench.fails("G19", r"Service webpod has no address yet \(LB-IPAM says no_pool\)")
    service_bench.holds("G19")


def test_g19_names_the_address_when_somebody_else_has_the_first(service_bench: Bench) -> None:
    service_bench.reach("G19")
    other: Manifest = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "other", "namespace": "default"},
        "spec": {"type": "LoadBalancer", "ports": [{"port": 81}], "selector": {"app": "other"}},
    }
    with existing_in_between(service_bench, other):
        service_bench.fails(
            "G19",
            f"172.16.1.2 was assigned, expected the first free address {VIP}; {POOL}: 252 available, expected 253",
        )
    with of_type_cluster_ip(service_bench):
        pass  # gives the second address back
    service_bench.holds("G19")


@contextmanager
def existing_in_between(bench: Bench, other: Manifest) -> Iterator[None]:
    """The other Service comes while ours has no address."""
    with of_type_cluster_ip(bench):
        bench.fails("G19", "Service webpod is ClusterIP, not LoadBalancer")
        bench.cluster.create(other)
        wait_until(
            lambda: bench.cluster.get(SERVICE, "other", "default"),
            holds=lambda seen: VIP in json.dumps(seen),
            within=Deadline.after(20),
            what="the other Service has the first address",
        )
    try:
        yield
    finally:
        bench.cluster.delete(SERVICE, "other", "default")


def test_g20_names_who_announces_too_early(service_bench: Bench) -> None:
    service_bench.reach("G19")
    with existing(service_bench.cluster, advertisement(service_bench)):
        nodes = "192.168.10.100, 192.168.10.101, 192.168.20.100"
        service_bench.fails("G20", f"router has paths to {VIP} via {nodes}; router's kernel has {VIP} via {nodes}")
    service_bench.holds("G20")


def test_g20_tells_for_how_long_an_announcement_stayed_away(service_bench: Bench) -> None:
    service_bench.reach("G19")
    service_bench.holds("G20")
    late = Timer(1, lambda: service_bench.cluster.create(advertisement(service_bench)))
    late.start()
    try:
        service_bench.fails("G20", rf"held for [012]\.\d s, then: router has paths to {VIP} via .*")
    finally:
        late.join()
        service_bench.cluster.delete(BGP_ADVERTISEMENT, name_of(advertisement(service_bench)))
    service_bench.holds("G20")


def test_g20_names_a_route_that_only_the_kernel_has(service_bench: Bench) -> None:
    service_bench.reach("G19")
    route = f"{VIP} via 192.168.10.101"
    with typed(service_bench.router, f"ip route add {route}", f"ip route del {route}"):
        service_bench.fails("G20", f"router's kernel has {route}")
    service_bench.holds("G20")


def test_g21_names_the_policy_that_is_missing_without_an_advertisement(service_bench: Bench) -> None:
    service_bench.reach("G21")
    with deleted(service_bench.cluster, BGP_ADVERTISEMENT, name_of(advertisement(service_bench))):
        service_bench.fails(
            "G21", "; ".join(f"{node}: policies: missing {SERVICE_POLICY}" for node in ("k8s-ctr", "k8s-w1", "k8s-w0"))
        )
    service_bench.holds("G21")


def test_g21_names_the_node_that_has_none(service_bench: Bench) -> None:
    service_bench.reach("G21")
    wrong, right = ({"metadata": {"labels": {"enable-bgp": value}}} for value in (None, "true"))
    with patched(service_bench.cluster, NODE, "k8s-w0", wrong, right):
        service_bench.fails(
            "G21",
            "k8s-w0: policies: missing allow-local import, tor-switch-ipv4-PodCIDR export 172.20.2.0/24,"
            f" {SERVICE_POLICY}",
        )
    service_bench.holds("G21")
    service_bench.holds("G22")


def test_g22_names_a_path_that_is_missing(service_bench: Bench) -> None:
    service_bench.reach("G21")
    with configured(service_bench.router, (*BGP, SHUT), (*BGP, f"no {SHUT}")):
        service_bench.fails(
            "G22",
            f"router: paths to {VIP}: missing 192.168.20.100; router: 2 paths are in use .multipath., expected 3",
        )
    service_bench.holds("G22")


def test_g22_tells_when_the_router_uses_one_path_only(service_bench: Bench) -> None:
    service_bench.reach("G21")
    with configured(service_bench.router, (*IPV4, "maximum-paths 1"), (*IPV4, "maximum-paths 4")):
        service_bench.fails("G22", "router: 1 paths are in use .multipath., expected 3")
    service_bench.holds("G22")


def test_g22_names_a_next_hop_that_the_kernel_lacks(service_bench: Bench) -> None:
    service_bench.reach("G21")
    hops = "nexthop via 192.168.10.100 nexthop via 192.168.10.101"
    with routed_by_hand(service_bench.router, VIP, hops):
        service_bench.fails("G22", f"router: kernel next hops to {VIP}: missing 192.168.20.100")
    service_bench.holds("G22")


def test_g22_names_a_route_that_overrules_bgp(service_bench: Bench) -> None:
    service_bench.reach("G21")
    route = f"{VIP} via 192.168.20.100 proto static metric 5"
    with typed(service_bench.router, f"ip route add {route}", f"ip route del {route}"):
        service_bench.fails(
            "G22",
            f"router: kernel next hops to {VIP}: missing 192.168.10.100, 192.168.10.101;"
            " router: kernel route is proto static",
        )
    service_bench.holds("G22")


@pytest.mark.slow
def test_g22_names_a_path_that_is_only_kept_for_a_speaker_that_died(service_bench: Bench) -> None:
    service_bench.reach("G21")
    service_bench.node("k8s-w0").run(["pkill", "-KILL", "-x", "gobgpd"])
    service_bench.fails("G22", "router: the path via 192.168.20.100 is stale")
    service_bench.holds("G22")


def test_g23_counts_requests_that_nodes_swallow(service_bench: Bench) -> None:
    service_bench.reach("G21")
    with ExitStack() as faults:
        for node in NODES:
            rule = f"ip daddr {VIP} tcp dport 80 drop"
            faults.enter_context(nft_chain(service_bench.node(node), "filter hook prerouting priority -300", rule))
        service_bench.fails("G23", "router: 30 of 30 requests failed: curl exit 28, HTTP nothing")
    service_bench.holds("G23")


def test_g23_names_who_answers_instead(service_bench: Bench) -> None:
    service_bench.reach("G21")
    image = {"name": "whoami", "image": "traefik/whoami", "ports": [{"containerPort": 80}]}
    stranger: Manifest = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "stranger", "namespace": "default"},
        "spec": {"nodeName": "k8s-w1", "containers": [image], "terminationGracePeriodSeconds": 0},
    }
    with existing(service_bench.cluster, stranger):
        seen = wait_until(
            lambda: read_pods(service_bench.cluster, "default").named("stranger"),
            holds=lambda pod: pod is not None and pod.ready,
            within=Deadline.after(20),
            what="the stranger runs",
        )
        assert seen is not None
        with nft_chain(service_bench.router, "nat hook output priority -100", f"ip daddr {VIP} dnat to {seen.address}"):
            service_bench.fails("G23", "router: stranger answered, no endpoint of the Service")
    service_bench.holds("G23")
