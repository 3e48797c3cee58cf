"""What is behind a Service, from literals."""

from __future__ import annotations

from bgplab.backends.embedded.controllers.endpoints import endpoint_of, slices_of, subsets_of

SERVICE = {
    "metadata": {"name": "webpod", "namespace": "default"},
    "spec": {"selector": {"app": "webpod"}, "ports": [{"port": 80, "targetPort": "http", "protocol": "TCP"}]},
}


def a_pod(name: str, *, ready: bool = True, number: int = 80, ip: str = "172.20.0.5", **metadata):
    return {
        "metadata": {"name": name, "namespace": "default", "uid": name, "labels": {"app": "webpod"}, **metadata},
        "spec": {
            "nodeName": "k8s-w1",
            "containers": [{"name": "web", "ports": [{"name": "http", "containerPort": number}]}],
        },
        "status": {"podIP": ip, "phase": "Running", "conditions": [{"type": "Ready", "status": str(ready)}]},
    }


def test_a_ready_pod_is_an_endpoint_with_node_and_target():
    (only,) = slices_of(SERVICE, [a_pod("one")])
    assert only["ports"] == [{"name": "", "protocol": "TCP", "port": 80}]
    (endpoint,) = only["endpoints"]
    assert endpoint["conditions"] == {"ready": True, "serving": True, "terminating": False}
    assert (endpoint["nodeName"], endpoint["targetRef"]["name"]) == ("k8s-w1", "one")


def test_a_terminating_pod_serves_but_is_not_ready():
    pod = a_pod("one", deletionTimestamp="2026-01-01T12:00:00Z")
    assert endpoint_of(SERVICE, pod)["conditions"] == {"ready": False, "serving": True, "terminating": True}


def test_a_terminating_pod_is_not_in_the_older_endpoints():
    assert subsets_of(SERVICE, [a_pod("one", deletionTimestamp="2026-01-01T12:00:00Z")]) == []


def test_a_pod_that_is_not_ready_is_listed_apart_in_the_older_endpoints():
    (subset,) = subsets_of(SERVICE, [a_pod("one", ready=False)])
    assert "addresses" not in subset
    assert subset["notReadyAddresses"][0]["ip"] == "172.20.0.5"


def test_pods_whose_port_has_another_number_are_in_a_slice_of_their_own():
    ports = [piece["ports"][0]["port"] for piece in slices_of(SERVICE, [a_pod("one"), a_pod("two", number=8080)])]
    assert ports == [80, 8080]


def test_a_pod_without_address_is_no_endpoint():
    (only,) = slices_of(SERVICE, [a_pod("one", ip="")])
    assert only["endpoints"] == []


def test_at_most_a_hundred_endpoints_are_in_one_slice():
    sizes = [len(piece["endpoints"]) for piece in slices_of(SERVICE, [a_pod(f"pod-{n}") for n in range(150)])]
    assert sizes == [100, 50]
