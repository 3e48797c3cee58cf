"""The `kubernetes` client, whose models must be able to read everything the server says."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from kube_api import Api
from kube_manifests import deployment
from kubernetes import client, config, dynamic, watch

NOW = datetime(2025, 8, 16, 10, 0, 0, 123456, UTC)


@pytest.fixture
def connection(kubeconfig: Path) -> client.ApiClient:
    return config.new_client_from_config(str(kubeconfig))


@pytest.fixture
def core(connection: client.ApiClient) -> client.CoreV1Api:
    return client.CoreV1Api(connection)


def named(name: str) -> client.V1ObjectMeta:
    return client.V1ObjectMeta(name=name)


def a_pod() -> client.V1Pod:
    spec = client.V1PodSpec(containers=[client.V1Container(name="main", image="nginx")])
    return client.V1Pod(metadata=named("web"), spec=spec)


def test_a_pods_life(core: client.CoreV1Api) -> None:
    assert core.create_namespaced_pod("default", a_pod()).status.phase == "Pending"
    binding = client.V1Binding(metadata=named("web"), target=client.V1ObjectReference(kind="Node", name="node-1"))
    core.create_namespaced_pod_binding("web", "default", binding, _preload_content=False)
    running = {"name": "main", "ready": True, "state": {"running": {"startedAt": NOW}}}
    ready = client.V1PodCondition(type="Ready", status="True", last_transition_time=NOW)
    body = {"status": {"phase": "Running", "conditions": [ready], "containerStatuses": [running]}}
    status = core.patch_namespaced_pod_status("web", "default", body).status
    assert {each.type for each in status.conditions} == {"PodScheduled", "Ready"}
    assert (status.container_statuses[0].image_id, status.container_statuses[0].restart_count) == ("", 0)
    assert core.delete_namespaced_pod("web", "default").metadata.deletion_grace_period_seconds == 30
    core.delete_namespaced_pod("web", "default", grace_period_seconds=0)
    assert core.list_namespaced_pod("default").items == []


def test_a_node_is_registered_with_its_status(core: client.CoreV1Api) -> None:
    address = client.V1NodeAddress(type="InternalIP", address="192.168.10.100")
    body = client.V1Node(metadata=named("node-1"), status=client.V1NodeStatus(addresses=[address]))
    assert core.create_node(body).status.addresses[0].address == "192.168.10.100"
    assert core.patch_node("node-1", {"metadata": {"labels": {"a": "b"}}}).metadata.labels == {"a": "b"}


def test_an_endpoint_slice_is_kept(connection: client.ApiClient) -> None:
    conditions = client.V1EndpointConditions(ready=True)
    body = client.V1EndpointSlice(
        metadata=named("web-1"),
        address_type="IPv4",
        endpoints=[client.V1Endpoint(addresses=["172.20.1.7"], conditions=conditions, node_name="node-1")],
        ports=[client.DiscoveryV1EndpointPort(port=80)],
    )
    kept = client.DiscoveryV1Api(connection).create_namespaced_endpoint_slice("default", body)
    assert (kept.endpoints[0].addresses, kept.ports[0].protocol) == (["172.20.1.7"], "TCP")


def test_a_lease_keeps_microseconds(connection: client.ApiClient) -> None:
    body = client.V1Lease(metadata=named("lock"), spec=client.V1LeaseSpec(holder_identity="me", renew_time=NOW))
    kept = client.CoordinationV1Api(connection).create_namespaced_lease("kube-system", body)
    assert kept.spec.renew_time == NOW


def test_a_status_is_replaced(connection: client.ApiClient) -> None:
    apps = client.AppsV1Api(connection)
    created = apps.create_namespaced_deployment("default", deployment())
    created.status = client.V1DeploymentStatus(replicas=2, ready_replicas=1)
    assert apps.replace_namespaced_deployment_status("web", "default", created).status.ready_replicas == 1
    with pytest.raises(client.ApiException) as refused:
        apps.replace_namespaced_deployment_status("web", "default", created)
    assert refused.value.status == 409


def test_a_watch_follows_a_list(core: client.CoreV1Api) -> None:
    seen: list[tuple[str, str]] = []
    revision = core.list_namespaced_pod("default").metadata.resource_version

    def follow() -> None:
        following = watch.Watch()
        for event in following.stream(core.list_namespaced_pod, "default", resource_version=revision):
            seen.append((event["type"], event["object"].metadata.name))
            if event["type"] == "DELETED":
                following.stop()

    thread = threading.Thread(target=follow)
    thread.start()
    core.create_namespaced_pod("default", a_pod())
    core.delete_namespaced_pod("web", "default")
    thread.join(10)
    assert seen == [("ADDED", "web"), ("DELETED", "web")]


def test_custom_objects_are_reached_by_their_path(connection: client.ApiClient, widgets: Api) -> None:
    custom = client.CustomObjectsApi(connection)
    body = {"apiVersion": "lab.example/v1", "kind": "Widget", "metadata": {"name": "one"}, "spec": {"size": 1}}
    assert custom.create_cluster_custom_object("lab.example", "v1", "widgets", body)["spec"]["colour"] == "red"
    patched = custom.patch_cluster_custom_object("lab.example", "v1", "widgets", "one", {"spec": {"size": 2}})
    assert patched["spec"]["size"] == 2


def test_the_dynamic_client_discovers(connection: client.ApiClient, widgets: Api) -> None:
    found = dynamic.DynamicClient(connection).resources.get(api_version="lab.example/v1", kind="Widget")
    assert found.name == "widgets"


def test_the_version_is_told(connection: client.ApiClient) -> None:
    assert client.VersionApi(connection).get_code().git_version == "v1.33.2"
