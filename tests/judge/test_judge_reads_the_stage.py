"""Which stage a lab is in follows from the traces that steps leave."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from fake_seams import FakeCluster, FakeRouter, fake_lab, node_object

from bgplab.errors import LabError
from bgplab.judge import stage_of
from bgplab.lab.model import Lab
from bgplab.spec.loading import load_lab

GUIDE = load_lab(Path(__file__).parents[2] / "deployments" / "labs" / "guide.yaml")
Trace = Callable[[Lab, FakeRouter, FakeCluster], object]


def service(**spec: str) -> Trace:
    item = {"kind": "Service", "metadata": {"name": "webpod", "namespace": "default"}, "spec": spec}
    return lambda lab, router, cluster: cluster.put(item)


def has(kind: str, name: str, **fields: object) -> Trace:
    return lambda lab, router, cluster: cluster.put({"kind": kind, "metadata": {"name": name}, **fields})


def typed(*commands: str) -> Trace:
    return lambda lab, router, cluster: router.vtysh([*commands, "write memory"])


def restarted(lab: Lab, router: FakeRouter, cluster: FakeCluster) -> None:
    router.started = router.tick()


def routed(lab: Lab, router: FakeRouter, cluster: FakeCluster) -> None:
    lab.hosts["k8s-w1"].routes.append({"dst": "172.20.0.0/16", "gateway": "192.168.10.200", "dev": "eth1"})  # type: ignore[attr-defined]


def hash_policy_saved(lab: Lab, router: FakeRouter, cluster: FakeCluster) -> None:
    router.policy_files = {"/etc/sysctl.d/90-bgp-lab.conf": "1"}


SERVICE_ADVERT = {"advertisements": [{"advertisementType": "Service"}]}
IN_ORDER: list[tuple[str, Trace]] = [
    ("G01", lambda lab, router, cluster: None),
    ("G03", service(type="ClusterIP")),
    ("G07", typed("router bgp 65000")),
    ("G08", typed("neighbor 192.168.10.100 peer-group CILIUM")),
    ("G09", restarted),
    ("G10", lambda lab, router, cluster: cluster.put(node_object(GUIDE, "k8s-w1", labelled=True))),
    ("G11", has("CiliumBGPClusterConfig", "cilium-bgp")),
    ("G15", routed),
    ("G18", has("CiliumLoadBalancerIPPool", "cilium-pool")),
    ("G19", service(type="LoadBalancer")),
    ("G21", has("CiliumBGPAdvertisement", "lb", spec=SERVICE_ADVERT)),
    ("G24", service(type="LoadBalancer", externalTrafficPolicy="Local")),
    ("G28", hash_policy_saved),
]


@pytest.mark.parametrize("count", range(1, len(IN_ORDER) + 1), ids=[step for step, _ in IN_ORDER])
def test_the_last_trace_is_the_stage(count: int) -> None:
    lab, router, cluster = fake_lab(GUIDE)
    for _, leave in IN_ORDER[:count]:
        leave(lab, router, cluster)
    assert stage_of(lab, GUIDE) == IN_ORDER[count - 1][0]


def test_without_a_node_there_is_no_stage() -> None:
    lab, _, cluster = fake_lab(GUIDE)
    cluster.objects.clear()
    assert stage_of(lab, GUIDE) == "G00"


def test_a_missing_earlier_trace_does_not_set_the_stage_back() -> None:
    lab, router, cluster = fake_lab(GUIDE)
    for step, leave in IN_ORDER:
        if step != "G15":
            leave(lab, router, cluster)
    assert stage_of(lab, GUIDE) == "G28"


def test_a_hash_policy_of_the_hosts_own_is_not_the_steps() -> None:
    lab, router, _ = fake_lab(GUIDE)
    router.policy = "1"
    assert stage_of(lab, GUIDE) == "G01"


def test_a_router_that_does_not_answer_leaves_the_other_traces() -> None:
    lab, router, cluster = fake_lab(GUIDE)
    for _, leave in IN_ORDER[:-1]:
        leave(lab, router, cluster)
    router.fault = LabError("router: no SSH session")
    assert stage_of(lab, GUIDE) == "G24"
