"""What every object goes through: create, read, update, versions, status."""

from __future__ import annotations

import pytest
from kube_api import Api
from kube_manifests import CONFIG_MAPS, DEPLOYMENTS, PODS, WIDGETS, config_map, deployment, pod, widget


def test_a_new_object_gets_an_identity(api: Api) -> None:
    metadata = api.post(DEPLOYMENTS, deployment()).body["metadata"]
    assert metadata["generation"] == 1
    assert metadata["namespace"] == "default"
    assert metadata.keys() >= {"uid", "creationTimestamp", "resourceVersion"}


def test_a_name_is_taken_once(api: Api) -> None:
    api.post(CONFIG_MAPS, config_map())
    reply = api.post(CONFIG_MAPS, config_map())
    assert (reply.code, reply.body["reason"]) == (409, "AlreadyExists")
    assert reply.body["message"] == 'configmaps "settings" already exists'


def test_generate_name_makes_names_that_differ(api: Api) -> None:
    manifest = {**config_map(), "metadata": {"generateName": "run-"}}
    names = {api.post(CONFIG_MAPS, manifest).body["metadata"]["name"] for _ in range(5)}
    assert len(names) == 5
    assert all(name.startswith("run-") and len(name) == 9 for name in names)


def test_what_is_not_there_is_not_found(api: Api) -> None:
    reply = api.get(f"{CONFIG_MAPS}/none")
    assert (reply.code, reply.body["message"]) == (404, 'configmaps "none" not found')


def test_a_namespace_must_exist(api: Api) -> None:
    reply = api.post(CONFIG_MAPS.replace("default", "nowhere"), config_map())
    assert (reply.code, reply.body["message"]) == (404, 'namespaces "nowhere" not found')


def test_an_update_of_an_old_version_conflicts(api: Api) -> None:
    first = api.post(CONFIG_MAPS, config_map(a="1")).body
    api.patch(f"{CONFIG_MAPS}/settings", {"data": {"a": "2"}})
    reply = api.put(f"{CONFIG_MAPS}/settings", {**first, "data": {"a": "3"}})
    assert (reply.code, reply.body["reason"]) == (409, "Conflict")
    assert "please apply your changes to the latest version" in reply.body["message"]
    assert api.get(f"{CONFIG_MAPS}/settings").body["data"] == {"a": "2"}


def test_an_update_without_a_version_wins(api: Api) -> None:
    api.post(CONFIG_MAPS, config_map(a="1"))
    assert api.put(f"{CONFIG_MAPS}/settings", config_map(a="2")).body["data"] == {"a": "2"}


def test_a_custom_resource_is_not_replaced_blindly(widgets: Api) -> None:
    widgets.post(WIDGETS, widget())
    reply = widgets.put(f"{WIDGETS}/one", widget())
    assert (reply.code, list(reply.causes)) == (422, ["metadata.resourceVersion"])


def test_an_update_that_changes_nothing_is_no_new_version(api: Api) -> None:
    first = api.post(CONFIG_MAPS, config_map(a="1")).body
    again = api.put(f"{CONFIG_MAPS}/settings", config_map(a="1")).body
    assert again == first


def test_reading_changes_nothing(api: Api) -> None:
    api.post(DEPLOYMENTS, deployment())
    before = api.get("/api/v1/namespaces").body["metadata"]["resourceVersion"]
    for path in (DEPLOYMENTS, f"{DEPLOYMENTS}/web", f"{DEPLOYMENTS}/web/scale", "/openapi/v3", "/apis"):
        assert api.get(path).code == 200
    assert api.get("/api/v1/namespaces").body["metadata"]["resourceVersion"] == before


def test_the_generation_counts_changes_of_the_spec_only(api: Api) -> None:
    api.post(DEPLOYMENTS, deployment())
    path = f"{DEPLOYMENTS}/web"
    labelled = api.patch(path, {"metadata": {"labels": {"a": "b"}}}).body
    scaled = api.patch(path, {"spec": {"replicas": 2}}).body
    reported = api.patch(f"{path}/status", {"status": {"replicas": 2}}).body
    assert [each["metadata"]["generation"] for each in (labelled, scaled, reported)] == [1, 2, 2]


def test_the_status_is_written_by_its_subresource_alone(widgets: Api) -> None:
    created = widgets.post(WIDGETS, {**widget(), "status": {"phase": "Wrong"}}).body
    assert "status" not in created
    changed = {"spec": {"size": 5}, "status": {"phase": "Ready"}}
    through_status = widgets.patch(f"{WIDGETS}/one/status", changed).body
    assert (through_status["spec"]["size"], through_status["status"]) == (3, {"phase": "Ready"})
    through_spec = widgets.patch(f"{WIDGETS}/one", {"spec": {"size": 5}, "status": {"phase": "Wrong"}}).body
    assert (through_spec["spec"]["size"], through_spec["status"]) == (5, {"phase": "Ready"})


def test_a_dry_run_answers_and_stores_nothing(api: Api) -> None:
    assert api.post(f"{CONFIG_MAPS}?dryRun=All", config_map()).code == 201
    assert api.get(f"{CONFIG_MAPS}/settings").code == 404


def test_the_body_must_be_of_the_kind_of_the_path(api: Api) -> None:
    reply = api.post(PODS, config_map())
    assert (reply.code, reply.body["reason"]) == (400, "BadRequest")
    assert "does not match the expected API version" in reply.body["message"]


def test_a_built_in_need_not_name_its_kind(api: Api, widgets: Api) -> None:
    unnamed = {name: value for name, value in config_map().items() if name not in ("apiVersion", "kind")}
    assert api.post(CONFIG_MAPS, unnamed).body["kind"] == "ConfigMap"
    reply = widgets.post(WIDGETS, {"metadata": {"name": "one"}, "spec": {"size": 1}})
    assert reply.body["message"] == "Object 'Kind' is missing in the request body"


def test_a_binding_gives_a_pod_its_node_once(api: Api) -> None:
    api.post(PODS, pod())
    binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "web"}, "target": {"name": "node-1"}}
    assert api.post(f"{PODS}/web/binding", binding).code == 201
    assert api.get(f"{PODS}/web").body["spec"]["nodeName"] == "node-1"
    assert api.post(f"{PODS}/web/binding", binding).code == 409


def test_scale_speaks_of_replicas_in_one_form(api: Api) -> None:
    api.post(DEPLOYMENTS, deployment())
    scale = api.get(f"{DEPLOYMENTS}/web/scale").body
    assert (scale["kind"], scale["spec"], scale["status"]["selector"]) == ("Scale", {"replicas": 1}, "app=web")
    scale["spec"]["replicas"] = 4
    assert api.put(f"{DEPLOYMENTS}/web/scale", scale).body["spec"] == {"replicas": 4}
    assert api.put(f"{DEPLOYMENTS}/web/scale", scale).code == 409
    assert api.get(f"{DEPLOYMENTS}/web").body["spec"]["replicas"] == 4


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("labelSelector=app%3Da", ["one"]),
        ("labelSelector=app", ["one", "two"]),
        ("labelSelector=!app", ["three"]),
        ("labelSelector=app%20in%20(a,b)", ["one", "two"]),
        ("labelSelector=app!%3Da", ["three", "two"]),
        ("labelSelector=app%20notin%20(a),app", ["two"]),
        ("fieldSelector=metadata.name%3Dtwo", ["two"]),
        ("fieldSelector=metadata.name!%3Dtwo&labelSelector=app", ["one"]),
    ],
)
def test_selectors_select(api: Api, selector: str, names: list[str]) -> None:
    for name, labels in (("one", {"app": "a"}), ("two", {"app": "b"}), ("three", {})):
        manifest = config_map(name)
        manifest["metadata"]["labels"] = labels
        api.post(CONFIG_MAPS, manifest)
    found = api.get(f"{CONFIG_MAPS}?{selector}").body["items"]
    assert [item["metadata"]["name"] for item in found] == names


def test_a_field_nobody_can_select_by_is_refused(api: Api) -> None:
    reply = api.get(f"{PODS}?fieldSelector=spec.colour%3Dred")
    assert reply.code == 400
    assert "field label not supported: spec.colour" in reply.body["message"]
