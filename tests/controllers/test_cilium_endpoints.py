"""CiliumEndpoints follow pods."""

from __future__ import annotations

from controller_cluster import RunningCluster

from bgplab.backends.embedded.controllers.cilium_endpoints import cilium_endpoint_of, is_managed
from bgplab.lab.cluster import CILIUM_ENDPOINT, POD


def a_pod(**spec: object):
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web", "namespace": "default", "uid": "u"},
        "spec": {"containers": [{"name": "main", "image": "traefik/whoami"}], **spec},
        "status": {"podIP": "172.20.0.5", "phase": "Running"},
    }


def test_a_pod_on_its_nodes_network_or_without_address_or_ended_is_not_managed():
    assert is_managed(a_pod())
    assert not is_managed(a_pod(hostNetwork=True))
    assert not is_managed(a_pod() | {"status": {"phase": "Pending"}})
    assert not is_managed(a_pod() | {"status": {"podIP": "172.20.0.5", "phase": "Failed"}})


def test_an_endpoint_says_whose_it_is_and_where():
    endpoint = cilium_endpoint_of(a_pod())
    assert endpoint["metadata"]["ownerReferences"][0]["uid"] == "u"
    assert endpoint["status"]["networking"]["addressing"] == [{"ipv4": "172.20.0.5"}]


def test_an_endpoint_comes_and_goes_with_its_pod(lab_cluster: RunningCluster):
    manifest = {name: value for name, value in a_pod(nodeName="k8s-w1").items() if name != "status"}
    del manifest["metadata"]["uid"]
    lab_cluster.cluster.create(manifest)

    def endpoint():
        return lab_cluster.cluster.get(CILIUM_ENDPOINT, "web", "default")

    found = lab_cluster.until(endpoint, lambda one: one is not None, "an endpoint")
    pod = lab_cluster.cluster.get(POD, "web", "default")
    assert found["status"]["networking"]["addressing"][0]["ipv4"] == pod["status"]["podIP"]
    lab_cluster.cluster.delete(POD, "web", "default")
    lab_cluster.until(endpoint, lambda one: one is None, "no endpoint")
