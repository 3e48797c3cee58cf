"""Steps that talk to the Kubernetes API: what is so is left alone, and each waits for what its change brings about."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from fake_seams import FakeCluster, FakeRouter, fake_lab, node_object, pod_object, slice_object

from bgplab.errors import DeadlineExceeded
from bgplab.lab.model import Lab
from bgplab.lab.waiting import Deadline
from bgplab.spec.loading import load_lab
from bgplab.steps import bgp_resources, load_balancer, peering, sample_app, traffic_policy
from bgplab.steps.objects import is_part_of
from bgplab.steps.traffic_policy import Change, moved
from bgplab.steps.vip_view import VipView, look_at_vip

GUIDE = load_lab(Path(__file__).parents[2] / "deployments" / "labs" / "guide.yaml")
NODES = [node.name for node in GUIDE.cluster.nodes]
ADDRESSES = [str(node.address) for node in GUIDE.cluster.nodes]
VIP = "172.16.1.1/32"


def soon() -> Deadline:
    return Deadline.after(0.3)


def with_app(cluster: FakeCluster, nodes: list[str] = NODES) -> None:
    """What Kubernetes makes of the sample application."""
    for name in nodes:
        cluster.put(pod_object(GUIDE, name))
    cluster.put(slice_object(GUIDE, nodes))
    client = cluster.objects.get(("Pod", "curl-pod"))
    if client:
        client["status"] = {"phase": "Running"}


def test_the_app_is_applied_once() -> None:
    lab, _, cluster = fake_lab(GUIDE)
    cluster.on_change = with_app
    assert sample_app.deploy_app(lab, GUIDE, soon()).outcome == "changed"
    assert cluster.applied == ["Deployment", "Service", "Pod"]
    assert sample_app.deploy_app(lab, GUIDE, soon()).outcome == "already"


def test_what_later_steps_made_of_the_service_is_left_as_it_is() -> None:
    lab, _, cluster = fake_lab(GUIDE)
    cluster.on_change = with_app
    sample_app.deploy_app(lab, GUIDE, soon())
    cluster.objects[("Service", "webpod")]["spec"] |= {"type": "LoadBalancer", "externalTrafficPolicy": "Local"}
    assert sample_app.deploy_app(lab, GUIDE, soon()).outcome == "already"
    assert cluster.objects[("Service", "webpod")]["spec"]["type"] == "LoadBalancer"


def test_an_app_left_scaled_down_gets_its_pods_back() -> None:
    lab, _, cluster = fake_lab(GUIDE)
    cluster.on_change = with_app
    sample_app.deploy_app(lab, GUIDE, soon())
    cluster.objects[("Deployment", "webpod")]["spec"]["replicas"] = 2
    assert sample_app.deploy_app(lab, GUIDE, soon()).outcome == "changed"
    assert cluster.objects[("Deployment", "webpod")]["spec"]["replicas"] == 3


def test_an_app_that_does_not_come_up_says_how_far_it_is() -> None:
    lab, _, cluster = fake_lab(GUIDE)
    cluster.on_change = lambda c: with_app(c, NODES[:2])
    with pytest.raises(DeadlineExceeded, match=r"3 pods of webpod ready, .* 2 ready endpoints"):
        sample_app.deploy_app(lab, GUIDE, soon())


def test_an_app_that_does_not_come_up_says_what_its_pods_wait_for() -> None:
    def without_image(cluster: FakeCluster) -> None:
        for node in NODES:
            pod = pod_object(GUIDE, node, ready=False)
            waiting = {"reason": "ErrImagePull", "message": "no such image"}
            pod["status"] |= {"phase": "Pending", "containerStatuses": [{"name": "app", "state": {"waiting": waiting}}]}
            cluster.put(pod)

    lab, _, cluster = fake_lab(GUIDE)
    cluster.on_change = without_image
    names = ", ".join(f"webpod-{node}" for node in sorted(NODES))
    with pytest.raises(DeadlineExceeded, match=rf"0 pods ready.*; {names} Pending: ErrImagePull: no such image"):
        sample_app.deploy_app(lab, GUIDE, soon())


def test_only_nodes_without_the_label_are_labelled() -> None:
    lab, _, cluster = fake_lab(GUIDE)
    cluster.put(node_object(GUIDE, "k8s-w1", labelled=True))
    assert bgp_resources.label_nodes(lab, GUIDE, soon()).outcome == "changed"
    assert sorted(name for name, _ in cluster.patches) == ["k8s-ctr", "k8s-w0"]
    assert bgp_resources.label_nodes(lab, GUIDE, soon()).outcome == "already"


def connected(router: FakeRouter) -> None:
    router.state = "Established"
    for node in GUIDE.cluster.nodes:
        router.announce(str(node.pod_cidr), [str(node.address)])


def test_bgp_resources_bring_sessions_and_routes_and_measure_the_propagation() -> None:
    lab, router, cluster = fake_lab(GUIDE)
    peering.configure_base(lab, GUIDE, soon())
    peering.add_peers(lab, GUIDE, soon())
    cluster.on_change = lambda _: connected(router)
    outcome = bgp_resources.apply_bgp_resources(lab, GUIDE, soon())
    assert outcome.outcome == "changed"
    assert outcome.propagation_seconds is not None
    again = bgp_resources.apply_bgp_resources(lab, GUIDE, soon())
    assert (again.outcome, again.propagation_seconds) == ("already", None)


def test_sessions_that_do_not_come_up_are_named_with_their_state() -> None:
    lab, _, _ = fake_lab(GUIDE)
    peering.configure_base(lab, GUIDE, soon())
    peering.add_peers(lab, GUIDE, soon())
    with pytest.raises(DeadlineExceeded, match=r"every session Established.*state='Active'"):
        bgp_resources.apply_bgp_resources(lab, GUIDE, soon())


def with_counts(cluster: FakeCluster) -> None:
    condition = {"type": "cilium.io/IPsAvailable", "status": "Unknown", "message": "254"}
    cluster.objects[("CiliumLoadBalancerIPPool", "cilium-pool")]["status"] = {"conditions": [condition]}


def test_a_pool_is_waited_for_until_it_is_counted() -> None:
    lab, _, cluster = fake_lab(GUIDE)
    cluster.on_change = with_counts
    assert load_balancer.create_pool(lab, GUIDE, soon()).what == "cilium-pool: 254 addresses available"
    assert load_balancer.create_pool(lab, GUIDE, soon()).outcome == "already"


def load_balancer_service(policy: str = "Cluster") -> dict[str, object]:
    return {
        "kind": "Service",
        "metadata": {"name": "webpod", "namespace": "default"},
        "spec": {"type": "LoadBalancer", "clusterIP": "10.96.0.9", "externalTrafficPolicy": policy},
        "status": {"loadBalancer": {"ingress": [{"ip": "172.16.1.1"}]}},
    }


def announced(policy: str = "Cluster") -> tuple[Lab, FakeRouter, FakeCluster]:
    """A lab with the VIP announced by all nodes."""
    lab, router, cluster = fake_lab(GUIDE)
    cluster.put(load_balancer_service(policy))
    with_app(cluster)
    router.asn = 65000
    router.announce(VIP, ADDRESSES)
    return lab, router, cluster


def test_a_service_that_has_its_address_is_left_alone() -> None:
    lab, _, cluster = announced()
    assert load_balancer.make_load_balancer(lab, GUIDE, soon()).outcome == "already"
    assert cluster.patches == []


def test_the_service_is_advertised_when_every_router_has_every_node() -> None:
    lab, router, cluster = announced()
    router.announce(VIP, [])
    cluster.on_change = lambda _: router.announce(VIP, ADDRESSES)
    outcome = load_balancer.advertise_service(lab, GUIDE, soon())
    assert outcome.what.startswith("172.16.1.1 announced by 3 nodes")
    assert load_balancer.advertise_service(lab, GUIDE, soon()).outcome == "already"


def test_a_next_hop_that_the_kernel_lacks_is_waited_for() -> None:
    lab, router, _ = announced()
    router.routes = [route for route in router.routes if route["dst"] != "172.16.1.1"]
    assert not look_at_vip(lab, GUIDE).agrees
    with pytest.raises(DeadlineExceeded, match="in the routers' kernels"):
        load_balancer.advertise_service(lab, GUIDE, soon())


def test_with_local_only_nodes_with_a_pod_should_announce() -> None:
    lab, router, cluster = announced("Local")
    cluster.put(slice_object(GUIDE, NODES[:2]))
    assert not look_at_vip(lab, GUIDE).agrees
    router.announce(VIP, ADDRESSES[:2])
    assert look_at_vip(lab, GUIDE).agrees


def test_the_policy_is_patched_once() -> None:
    lab, _, cluster = announced()
    assert traffic_policy.set_policy(lab, GUIDE, soon()).outcome == "changed"
    assert traffic_policy.set_policy(lab, GUIDE, soon()).outcome == "already"
    assert cluster.patches == [("webpod", {"spec": {"externalTrafficPolicy": "Local"}})]


def test_pods_that_were_moved_before_are_not_moved_again() -> None:
    lab, router, cluster = announced("Local")
    router.policy_files = {"/etc/sysctl.d/90-bgp-lab.conf": "1"}
    assert traffic_policy.move_pods(lab, GUIDE, soon()).outcome == "already"
    assert cluster.patches == []


def view(nodes: list[int]) -> VipView:
    hops = frozenset(GUIDE.cluster.nodes[number].address for number in nodes)
    serving = frozenset(NODES[number] for number in nodes)
    ways = {"router": hops}
    return VipView(None, "Local", len(nodes), serving, hops, ways, ways, ways)


class Records(SimpleNamespace):
    """As much of a Probe as is counted."""

    def __len__(self) -> int:
        return len(self.columns["start_ns"])


def test_only_requests_that_began_after_a_change_had_settled_count_as_failed() -> None:
    from collections import Counter

    starts = [5, 12, 19, 25, 31]
    errors = ["", "timeout_connect", "reset", "", "interrupted"]
    probe = Records(columns={"start_ns": starts, "error": errors}, errors=Counter(error for error in errors if error))
    changes = [Change(2, view([0, 1]), 10, 15), Change(3, view([0, 1, 2]), 20, 24)]
    seen = moved(["k8s-w1", "k8s-ctr"], changes, {"router": probe}, {"router": 0}, GUIDE)  # type: ignore[dict-item]
    assert [(move.sent_after, move.failed_after) for move in seen.moves] == [(1, 1), (1, 0)]
    assert seen.before == ("k8s-ctr", "k8s-w1")
    assert (seen.requests, seen.failed) == (5, 2)
    assert [move.announcing for move in seen.moves] == [("k8s-ctr", "k8s-w1"), ("k8s-ctr", "k8s-w0", "k8s-w1")]


def test_a_routers_clock_is_taken_into_account() -> None:
    from collections import Counter

    probe = Records(columns={"start_ns": [1018], "error": ["reset"]}, errors=Counter({"reset": 1}))
    changes = [Change(2, view([0]), 10, 15), Change(3, view([0, 1]), 20, 24)]
    seen = moved(["k8s-w1", "k8s-ctr"], changes, {"router": probe}, {"router": 1000}, GUIDE)  # type: ignore[dict-item]
    assert [move.failed_after for move in seen.moves] == [1, 0]


@pytest.mark.parametrize(
    ("described", "existing", "so"),
    [
        ({"a": 1}, {"a": 1, "b": 2}, True),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, False),
        ({"a": [1]}, {"a": [1, 2]}, False),
        ({"a": [{"b": 1}]}, {"a": [{"b": 1, "c": 3}]}, True),
        ({"a": 1}, {}, False),
    ],
)
def test_what_is_described_must_be_so_and_more_may_be_there(described: object, existing: object, so: bool) -> None:
    assert is_part_of(described, existing) is so
