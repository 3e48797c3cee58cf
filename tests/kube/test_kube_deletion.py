"""Ends: finalizers, grace, owners, namespaces, definitions."""

from __future__ import annotations

from typing import Any

import pytest
from kube_api import Api
from kube_manifests import (
    CONFIG_MAPS,
    CRDS,
    DEPLOYMENTS,
    PODS,
    SERVICES,
    WIDGETS,
    config_map,
    deployment,
    pod,
    service,
    widget,
)


def owned(manifest: dict[str, Any], owner: dict[str, Any], *, blocking: bool = False) -> dict[str, Any]:
    reference = {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "blockOwnerDeletion": blocking,
    }
    manifest["metadata"]["ownerReferences"] = [*manifest["metadata"].get("ownerReferences", []), reference]
    return manifest


def test_deleting_answers_with_success(api: Api) -> None:
    api.post(CONFIG_MAPS, config_map())
    reply = api.delete(f"{CONFIG_MAPS}/settings")
    assert (reply.code, reply.body["kind"], reply.body["status"]) == (200, "Status", "Success")
    assert api.delete(f"{CONFIG_MAPS}/settings").code == 404


def test_an_object_with_a_finalizer_waits_for_it(api: Api) -> None:
    manifest = config_map()
    manifest["metadata"]["finalizers"] = ["lab.example/hold"]
    api.post(CONFIG_MAPS, manifest)
    marked = api.delete(f"{CONFIG_MAPS}/settings").body
    assert "deletionTimestamp" in marked["metadata"]
    assert api.get(f"{CONFIG_MAPS}/settings").code == 200
    api.patch(f"{CONFIG_MAPS}/settings", {"metadata": {"finalizers": None}})
    assert api.get(f"{CONFIG_MAPS}/settings").code == 404


def test_no_finalizer_is_added_to_what_is_going(api: Api) -> None:
    manifest = config_map()
    manifest["metadata"]["finalizers"] = ["lab.example/hold"]
    api.post(CONFIG_MAPS, manifest)
    api.delete(f"{CONFIG_MAPS}/settings")
    more = {"metadata": {"finalizers": ["lab.example/hold", "lab.example/more"]}}
    assert api.patch(f"{CONFIG_MAPS}/settings", more).code == 422


def test_a_pod_on_a_node_goes_when_its_node_says_so(api: Api) -> None:
    api.post(PODS, pod(nodeName="node-1"))
    marked = api.delete(f"{PODS}/web").body
    assert marked["metadata"]["deletionGracePeriodSeconds"] == 30
    assert api.get(f"{PODS}/web").code == 200
    api.delete(f"{PODS}/web", {"gracePeriodSeconds": 0})
    assert api.get(f"{PODS}/web").code == 404


def test_a_status_written_meanwhile_does_not_end_a_pods_grace(api: Api) -> None:
    api.post(PODS, pod(nodeName="node-1"))
    api.delete(f"{PODS}/web")
    api.patch(f"{PODS}/web/status", {"status": {"phase": "Running"}})
    assert "deletionTimestamp" in api.get(f"{PODS}/web").body["metadata"]


@pytest.mark.parametrize("spec", [{}, {"nodeName": "node-1", "terminationGracePeriodSeconds": 0}])
def test_a_pod_without_node_or_grace_goes_at_once(api: Api, spec: dict[str, Any]) -> None:
    api.post(PODS, pod(**spec))
    assert api.delete(f"{PODS}/web").body["kind"] == "Pod"
    assert api.get(f"{PODS}/web").code == 404


def test_dependents_go_with_their_owner(api: Api) -> None:
    owner = api.post(DEPLOYMENTS, deployment()).body
    api.post(CONFIG_MAPS, owned(config_map(), owner))
    api.delete(f"{DEPLOYMENTS}/web")
    assert api.get(f"{CONFIG_MAPS}/settings").code == 404


def test_a_dependent_with_another_living_owner_stays(api: Api) -> None:
    first = api.post(DEPLOYMENTS, deployment("one")).body
    second = api.post(DEPLOYMENTS, deployment("two")).body
    api.post(CONFIG_MAPS, owned(owned(config_map(), first), second))
    api.delete(f"{DEPLOYMENTS}/one")
    references = api.get(f"{CONFIG_MAPS}/settings").body["metadata"]["ownerReferences"]
    assert [each["name"] for each in references] == ["two"]


def test_orphaned_dependents_stay_without_the_reference(api: Api) -> None:
    owner = api.post(DEPLOYMENTS, deployment()).body
    api.post(CONFIG_MAPS, owned(config_map(), owner))
    api.delete(f"{DEPLOYMENTS}/web", {"propagationPolicy": "Orphan"})
    assert "ownerReferences" not in api.get(f"{CONFIG_MAPS}/settings").body["metadata"]


def test_in_the_foreground_the_owner_goes_last(api: Api) -> None:
    owner = api.post(DEPLOYMENTS, deployment()).body
    manifest = owned(config_map(), owner, blocking=True)
    manifest["metadata"]["finalizers"] = ["lab.example/hold"]
    api.post(CONFIG_MAPS, manifest)
    api.delete(f"{DEPLOYMENTS}/web", {"propagationPolicy": "Foreground"})
    assert api.get(f"{DEPLOYMENTS}/web").body["metadata"]["finalizers"] == ["foregroundDeletion"]
    api.patch(f"{CONFIG_MAPS}/settings", {"metadata": {"finalizers": None}})
    assert api.get(f"{DEPLOYMENTS}/web").code == 404


def test_an_object_born_after_its_owner_died_does_not_stay(api: Api) -> None:
    owner = api.post(DEPLOYMENTS, deployment()).body
    api.delete(f"{DEPLOYMENTS}/web")
    assert api.post(CONFIG_MAPS, owned(config_map(), owner)).code == 201
    assert api.get(f"{CONFIG_MAPS}/settings").code == 404


def test_a_precondition_that_does_not_hold_deletes_nothing(api: Api) -> None:
    api.post(CONFIG_MAPS, config_map())
    assert api.delete(f"{CONFIG_MAPS}/settings", {"preconditions": {"uid": "another"}}).code == 409
    assert api.get(f"{CONFIG_MAPS}/settings").code == 200


def test_a_namespace_takes_along_what_is_in_it(api: Api) -> None:
    api.post("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "lab"}})
    api.post(CONFIG_MAPS.replace("default", "lab"), config_map())
    api.delete("/api/v1/namespaces/lab")
    assert api.get("/api/v1/namespaces/lab").code == 404
    assert api.get(CONFIG_MAPS.replace("default", "lab")).body["items"] == []


def test_a_namespace_waits_for_its_pods_and_takes_nothing_new(api: Api) -> None:
    api.post("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "lab"}})
    pods = PODS.replace("default", "lab")
    api.post(pods, pod(nodeName="node-1"))
    assert api.delete("/api/v1/namespaces/lab").body["status"]["phase"] == "Terminating"
    assert api.post(CONFIG_MAPS.replace("default", "lab"), config_map()).code == 403
    api.delete(f"{pods}/web", {"gracePeriodSeconds": 0})
    assert api.get("/api/v1/namespaces/lab").code == 404


def test_a_definition_takes_its_objects_along(widgets: Api) -> None:
    widgets.post(WIDGETS, widget())
    widgets.delete(f"{CRDS}/widgets.lab.example")
    assert widgets.get(WIDGETS).code == 404
    assert widgets.get("/apis/lab.example/v1").code == 404


def test_a_collection_is_deleted_by_selector(api: Api) -> None:
    for name, app in (("one", "a"), ("two", "b")):
        manifest = service(name)
        manifest["metadata"]["labels"] = {"app": app}
        api.post(SERVICES, manifest)
    api.delete(f"{SERVICES}?labelSelector=app%3Da")
    assert {each["metadata"]["name"] for each in api.get(SERVICES).body["items"]} == {"kubernetes", "two"}


@pytest.mark.parametrize("name", ["default", "kube-system", "kube-public"])
@pytest.mark.parametrize("query", ["", "?dryRun=All"])
def test_a_namespace_that_a_cluster_cannot_be_without_stays(api: Api, name: str, query: str) -> None:
    reply = api.delete(f"/api/v1/namespaces/{name}{query}")
    assert (reply.code, reply.body["reason"]) == (403, "Forbidden")
    assert reply.body["message"] == f'namespaces "{name}" is forbidden: this namespace may not be deleted'
    assert api.get(f"/api/v1/namespaces/{name}").body["status"]["phase"] == "Active"
