"""What goes into the etcd, and that the other side reads back what was meant."""

from __future__ import annotations

import json

from mesh_objects import GLOBAL, cilium_node, endpoint_slice, pod, service

from bgplab.backends.embedded.agents.mesh import export, keys
from bgplab.backends.embedded.agents.mesh.etcd_messages import Change
from bgplab.backends.embedded.agents.mesh.export import Exporting
from bgplab.backends.embedded.agents.mesh.remote_store import RemoteStore
from bgplab.backends.embedded.agents.mesh.versions import behaviour_of

EAST = Exporting("east", 2)
SERVICE_KEY = "cilium/state/services/v1/east/default/webpod"


def test_a_node_is_written_as_go_writes_it() -> None:
    ((key, text),) = export.nodes([cilium_node("east-worker", "172.18.0.4", "10.1.1.0/24")], EAST).items()
    value = json.loads(text)
    assert key == "cilium/state/nodes/v1/east/east-worker"
    assert value["IPv4AllocCIDR"] == {"IP": "10.1.1.0", "Mask": "////AA=="}
    assert (value["Cluster"], value["ClusterID"], value["Source"]) == ("east", 2, "custom-resource")


def test_a_global_service_is_written_with_its_ready_endpoints() -> None:
    slices = [endpoint_slice("10.1.1.5", "10.1.1.6"), endpoint_slice("10.1.1.7", ready=False)]
    ((key, text),) = export.services([service()], slices, EAST).items()
    value = json.loads(text)
    assert key == SERVICE_KEY
    assert value["frontends"] == {"10.3.7.7": {"": {"Protocol": "TCP", "Port": 80}}}
    assert value["backends"] == {one: {"": {"Protocol": "TCP", "Port": 8080}} for one in ("10.1.1.5", "10.1.1.6")}


def test_a_service_that_is_not_global_or_not_shared_is_not_written() -> None:
    kept = {**GLOBAL, "service.cilium.io/shared": "false"}
    assert export.services([service(annotations={}), service("other", annotations=kept)], [], EAST) == {}


def test_1_18_0_loses_the_backends_of_unnamed_ports_alone() -> None:
    broken = Exporting("east", 2, behaviour_of("1.18.0"))
    unnamed = export.services([service()], [endpoint_slice("10.1.1.5")], broken)
    named = export.services([service(port_name="http")], [endpoint_slice("10.1.1.5", port="http")], broken)
    assert json.loads(unnamed[SERVICE_KEY])["backends"] == {"10.1.1.5": {}}
    assert json.loads(named[SERVICE_KEY])["backends"] == {"10.1.1.5": {"http": {"Protocol": "TCP", "Port": 8080}}}


def test_pods_with_equal_labels_share_an_identity_of_their_clusters_range() -> None:
    pods = [
        pod("a", "10.1.1.5", **{"app": "webpod", "pod-template-hash": "1"}),
        pod("b", "10.1.1.6", **{"app": "webpod", "pod-template-hash": "2"}),
        pod("c", "10.1.1.7", app="other"),
        {**pod("host", "172.18.0.4"), "spec": {"hostNetwork": True}},
    ]
    written = export.endpoints(pods, EAST)
    identities = {key: value for key, value in written.items() if key.startswith(keys.IDENTITIES)}
    ids = [json.loads(written[keys.endpoint_key(f"10.1.1.{number}")])["ID"] for number in (5, 6, 7)]
    assert (len(identities), len(written)) == (2, 5)
    assert ids[0] == ids[1] != ids[2]
    assert all(number >> 16 == 2 for number in ids)
    assert identities[keys.identity_key(ids[0])] == (
        "k8s:app=webpod;k8s:io.cilium.k8s.policy.cluster=east;k8s:io.kubernetes.pod.namespace=default;"
    )


def test_a_new_listing_drops_what_it_lacks_only_once_its_canary_is_there() -> None:
    store = RemoteStore("east")
    full = {
        **export.cluster_config(EAST),
        **export.services([service()], [endpoint_slice("10.1.1.5")], EAST),
        **export.canaries(EAST, "now"),
    }
    store.relist(full)
    store.relist(export.cluster_config(EAST))
    assert [one.name for one in store.services()] == ["webpod"]
    store.apply([Change(keys.canary_key("east", keys.NODES), "now")])
    assert [one.name for one in store.services()] == ["webpod"]
    store.apply([Change(keys.canary_key("east", keys.SERVICES), "now")])
    assert store.services() == ()


def test_a_heartbeat_is_no_news() -> None:
    store = RemoteStore("east")
    assert not store.apply([Change(keys.HEARTBEAT, "now")])
    assert store.apply([Change(SERVICE_KEY, None)])
