"""LB-IPAM at work: Services and pools on a running cluster."""

from __future__ import annotations

from controller_cluster import running_controllers

from bgplab.backends.embedded.controllers.conditions import find
from bgplab.lab.cluster import LB_POOL, SERVICE

SATISFIED = "cilium.io/IPAMRequestSatisfied"


def a_pool(name: str = "cilium-pool", cidr: str = "172.16.1.0/24", **spec):
    return {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumLoadBalancerIPPool",
        "metadata": {"name": name},
        "spec": {"allowFirstLastIPs": "No", "blocks": [{"cidr": cidr}], **spec},
    }


def a_service(name: str, annotations=None, **spec):
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default", "annotations": annotations or {}},
        "spec": {"type": "LoadBalancer", "ports": [{"port": 80}], **spec},
    }


def address_of(service) -> list[str]:
    return [entry["ip"] for entry in service["status"].get("loadBalancer", {}).get("ingress", [])]


def reason_of(service) -> str:
    return (find(service["status"].get("conditions"), SATISFIED) or {}).get("reason", "")


def numbers_of(pool) -> dict[str, str]:
    conditions = pool.get("status", {}).get("conditions", [])
    return {c["type"].removeprefix("cilium.io/"): c["message"] for c in conditions if c["status"] == "Unknown"}


def has_address(lab_cluster, name: str, *addresses: str):
    return lab_cluster.until(
        lambda: lab_cluster.cluster.get(SERVICE, name, "default"),
        lambda service: address_of(service) == list(addresses),
        f"{name} has {addresses}",
    )


def has_reason(lab_cluster, name: str, reason: str):
    return lab_cluster.until(
        lambda: lab_cluster.cluster.get(SERVICE, name, "default"),
        lambda service: reason_of(service) == reason,
        f"{name} is {reason}",
    )


def counts(lab_cluster, total: int, available: int, used: int, name: str = "cilium-pool"):
    wanted = {"IPsTotal": str(total), "IPsAvailable": str(available), "IPsUsed": str(used)}
    return lab_cluster.until(
        lambda: lab_cluster.cluster.get(LB_POOL, name), lambda pool: numbers_of(pool) == wanted, f"pool has {wanted}"
    )


def test_the_guides_pool_counts_254_and_then_253(lab_cluster):
    lab_cluster.cluster.create(a_pool())
    pool = counts(lab_cluster, 256, 254, 2)
    types = [condition["type"] for condition in pool["status"]["conditions"]]
    assert types == [f"cilium.io/{name}" for name in ("PoolConflict", "IPsTotal", "IPsAvailable", "IPsUsed")]
    lab_cluster.cluster.create(a_service("webpod"))
    has_address(lab_cluster, "webpod", "172.16.1.1")
    counts(lab_cluster, 256, 253, 3)


def test_address_and_condition_come_in_one_write(lab_cluster):
    lab_cluster.cluster.create(a_pool())
    since = lab_cluster.cluster.list_page(SERVICE)["metadata"]["resourceVersion"]
    lab_cluster.cluster.create(a_service("webpod"))
    events = lab_cluster.cluster.watch(SERVICE, since=since)
    added, modified = next(events), next(events)
    assert address_of(added.object) == []
    assert (address_of(modified.object), reason_of(modified.object)) == (["172.16.1.1"], "satisfied")


def test_before_the_first_pool_nothing_is_written(lab_cluster):
    service = lab_cluster.cluster.create(a_service("webpod"))
    marker = lab_cluster.cluster.create(a_pool("elsewhere", disabled=True))
    assert service["status"].get("conditions") is None
    assert marker["metadata"]["name"] == "elsewhere"
    has_reason(lab_cluster, "webpod", "no_pool")


def test_the_last_pool_takes_its_addresses_along(lab_cluster):
    lab_cluster.cluster.create(a_pool())
    lab_cluster.cluster.create(a_service("webpod"))
    has_address(lab_cluster, "webpod", "172.16.1.1")
    lab_cluster.cluster.delete(LB_POOL, "cilium-pool")
    has_address(lab_cluster, "webpod")
    has_reason(lab_cluster, "webpod", "no_pool")


def test_a_waiting_service_is_served_when_an_address_becomes_free(lab_cluster):
    lab_cluster.cluster.create(a_pool(cidr="10.0.0.0/30"))
    for name in ("one", "two"):
        lab_cluster.cluster.create(a_service(name))
        has_reason(lab_cluster, name, "satisfied")
    lab_cluster.cluster.create(a_service("three"))
    has_reason(lab_cluster, "three", "out_of_ips")
    lab_cluster.cluster.delete(SERVICE, "one", "default")
    has_address(lab_cluster, "three", "10.0.0.1")


def test_a_service_of_another_type_gives_its_address_back(lab_cluster):
    lab_cluster.cluster.create(a_pool())
    lab_cluster.cluster.create(a_service("webpod"))
    has_address(lab_cluster, "webpod", "172.16.1.1")
    lab_cluster.cluster.patch(SERVICE, "webpod", {"spec": {"type": "ClusterIP"}}, "default")
    service = has_address(lab_cluster, "webpod")
    lab_cluster.until(
        lambda: lab_cluster.cluster.get(SERVICE, "webpod", "default"),
        lambda service: service["status"] == {"loadBalancer": {}},
    )
    assert service["spec"]["type"] == "ClusterIP"
    counts(lab_cluster, 256, 254, 2)


def test_a_foreign_change_of_the_address_is_put_back(lab_cluster):
    lab_cluster.cluster.create(a_pool())
    lab_cluster.cluster.create(a_service("webpod"))
    has_address(lab_cluster, "webpod", "172.16.1.1")
    foreign = {"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.9"}]}}}
    lab_cluster.cluster.patch(SERVICE, "webpod", foreign, "default", subresource="status")
    has_address(lab_cluster, "webpod", "172.16.1.1")


def test_a_removed_condition_is_not_put_back(lab_cluster):
    cluster = lab_cluster.cluster
    cluster.create(a_pool())
    cluster.create(a_service("webpod"))
    has_reason(lab_cluster, "webpod", "satisfied")
    cluster.patch(SERVICE, "webpod", {"status": {"conditions": None}}, "default", subresource="status")
    cluster.patch(SERVICE, "webpod", {"spec": {"externalTrafficPolicy": "Local"}}, "default")
    cluster.create(a_service("marker"))
    has_address(lab_cluster, "marker", "172.16.1.2")  # by now both changes have been looked at
    assert reason_of(cluster.get(SERVICE, "webpod", "default")) == ""


def test_an_asked_address_follows_the_annotation(lab_cluster):
    cluster = lab_cluster.cluster
    cluster.create(a_pool())
    cluster.create(a_service("webpod", {"lbipam.cilium.io/ips": "172.16.1.9"}))
    has_address(lab_cluster, "webpod", "172.16.1.9")
    moved = {"metadata": {"annotations": {"lbipam.cilium.io/ips": "172.16.1.20"}}}
    cluster.patch(SERVICE, "webpod", moved, "default")
    has_address(lab_cluster, "webpod", "172.16.1.20")


def test_a_service_of_another_class_is_ignored(lab_cluster):
    lab_cluster.cluster.create(a_pool())
    lab_cluster.cluster.create(a_service("foreign", loadBalancerClass="example.com/lb"))
    lab_cluster.cluster.create(a_service("webpod"))
    has_address(lab_cluster, "webpod", "172.16.1.1")
    assert lab_cluster.cluster.get(SERVICE, "foreign", "default")["status"].get("conditions") is None


def test_a_pool_that_overlaps_an_older_one_says_so(lab_cluster):
    lab_cluster.cluster.create(a_pool("pool-a"))
    counts(lab_cluster, 256, 254, 2, "pool-a")
    # Creation times count in seconds; the names decide within one.
    lab_cluster.cluster.create(a_pool("pool-b", "172.16.1.128/25"))
    pool = lab_cluster.until(
        lambda: lab_cluster.cluster.get(LB_POOL, "pool-b"),
        lambda pool: (
            (find(pool.get("status", {}).get("conditions"), "cilium.io/PoolConflict") or {}).get("status") == "True"
        ),
    )
    assert find(pool["status"]["conditions"], "cilium.io/PoolConflict")["reason"] == "cidr_overlap"


def test_before_1_18_the_pool_is_v2alpha1(bare_cluster):
    with running_controllers(bare_cluster, "1.17.6") as running:
        bare_cluster.create(a_pool() | {"apiVersion": "cilium.io/v2alpha1"})
        bare_cluster.create(a_service("webpod"))
        has_address(running, "webpod", "172.16.1.1")
