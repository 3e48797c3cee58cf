"""Which stage a lab is in follows from the traces that steps leave."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from fake_seams import FakeCluster, FakeRouter, fake_lab, node_object

from bgplab.checks.stages import number
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


SINCE = ("G19", "G24", "G28")
LOCAL_FROM_THE_START = """\
apiVersion: v1
kind: Service
metadata: {name: webpod}
spec: {type: LoadBalancer, externalTrafficPolicy: Local, selector: {app: webpod}, ports: [{port: 80}]}
"""


@pytest.mark.parametrize(
    ("done", "described", "found"),
    [
        ("G03", "G03", "G03"),
        ("G09", "G09", "G09"),
        ("G11", "G11", "G11"),
        ("G15", "G15", "G19"),  # nobody said that it would be so: the pool may have been deleted
        ("G18", "G19", "G24"),  # as above: the advertisement
        ("G21", "G24", "G24"),
    ],
)
def test_a_service_that_is_local_from_the_start_does_not_skip_steps(
    done: str, described: str, found: str, tmp_path: Path
) -> None:
    (tmp_path / "local.yaml").write_text(LOCAL_FROM_THE_START)
    lab, router, cluster = fake_lab(GUIDE)
    for step, leave in IN_ORDER:
        if number(step) <= number(done) and step not in SINCE:
            leave(lab, router, cluster)
    service(type="LoadBalancer", externalTrafficPolicy="Local")(lab, router, cluster)
    assert stage_of(lab, load_lab("guide", {"clusters[0].workloads": f"[{tmp_path}/local.yaml]"})) == described
    assert stage_of(lab, GUIDE) == found


@pytest.mark.parametrize(("missing", "at"), [("G21", "G24"), ("G18", "G19"), ("G18", "G21")])
def test_what_broke_just_before_the_last_step_does_not_set_the_stage_back(missing: str, at: str) -> None:
    lab, router, cluster = fake_lab(GUIDE)
    for step, leave in IN_ORDER:
        if step != missing and number(step) <= number(at):
            leave(lab, router, cluster)
    assert stage_of(lab, GUIDE) == at


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
