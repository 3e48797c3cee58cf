"""Bodies that are not what they should be: refused with a Status, never taken for something else, never a 500."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from kube_api import APPLY, JSON_PATCH, MERGE, STRATEGIC, Api
from kube_manifests import (
    CONFIG_MAPS,
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
from kube_world import Kubectl

SECRETS = "/api/v1/namespaces/default/secrets"
MEBIBYTE = 1024 * 1024


@pytest.mark.parametrize(
    "operations",
    [[7], ["add"], [None], [[]], {}, [{"op": "add", "path": 7}], [{"op": "move", "path": "/a", "from": 7}], [{}]],
)
def test_a_json_patch_that_is_none_is_a_bad_request(api: Api, operations: Any) -> None:
    api.post(CONFIG_MAPS, config_map())
    assert api.patch(f"{CONFIG_MAPS}/settings", operations, JSON_PATCH).code == 400


def test_an_index_that_only_looks_like_a_number_is_none(api: Api) -> None:
    api.post(CONFIG_MAPS, config_map())
    operation = {"op": "remove", "path": "/metadata/managedFields/²"}
    assert api.patch(f"{CONFIG_MAPS}/settings", [operation], JSON_PATCH).code == 422


@pytest.mark.parametrize("kind", [MERGE, STRATEGIC])
def test_a_patch_must_leave_the_object_its_name(api: Api, kind: str) -> None:
    api.post(CONFIG_MAPS, config_map())
    reply = api.patch(f"{CONFIG_MAPS}/settings", {"metadata": None}, kind)
    assert (reply.code, "name must be provided" in reply.body["message"]) == (400, True)


def test_an_object_without_metadata_replaces_nothing(api: Api) -> None:
    api.post(CONFIG_MAPS, config_map())
    assert api.put(f"{CONFIG_MAPS}/settings", {**config_map(), "metadata": None}).code == 400
    assert api.post(CONFIG_MAPS, {**config_map("other"), "metadata": None}).code == 422


@pytest.mark.parametrize("body", [{}, {"apiVersion": "v1"}, {"kind": "ConfigMap"}, [], 7])
def test_what_is_applied_says_what_it_is(api: Api, body: Any) -> None:
    assert api.patch(f"{CONFIG_MAPS}/settings?fieldManager=me", body, APPLY).code == 400
    assert api.get(f"{CONFIG_MAPS}/settings").code == 404


@pytest.mark.parametrize("scale", [{"spec": 7}, {"spec": {"replicas": "many"}}, {"spec": {}, "metadata": 7}, []])
def test_a_scale_that_is_none_is_a_bad_request(api: Api, scale: Any) -> None:
    api.post(DEPLOYMENTS, deployment())
    assert api.put(f"{DEPLOYMENTS}/web/scale", scale).code == 400


def test_a_config_map_holds_a_mebibyte_and_not_a_byte_more(api: Api) -> None:
    half = base64.b64encode(b"x" * (MEBIBYTE // 2)).decode()
    full = {**config_map(), "data": {"a": "x" * (MEBIBYTE // 2)}, "binaryData": {"b": half}}
    assert api.post(CONFIG_MAPS, full).code == 201
    reply = api.patch(f"{CONFIG_MAPS}/settings", {"data": {"c": "x"}})
    assert (reply.code, reply.causes) == (422, {"[]": "Too long: may not be more than 1048576 bytes"})


def test_a_secret_holds_a_mebibyte_of_what_its_base64_says(api: Api) -> None:
    secret = {"metadata": {"name": "key"}, "stringData": {"a": "x" * MEBIBYTE}}
    assert api.post(SECRETS, secret).code == 201
    reply = api.patch(f"{SECRETS}/key", {"stringData": {"b": "x"}})
    assert (reply.code, reply.causes) == (422, {"data": "Too long: may not be more than 1048576 bytes"})


def test_a_body_of_more_than_three_mebibytes_is_not_read(api: Api) -> None:
    reply = api.post(CONFIG_MAPS, {**config_map(), "data": {"a": "x" * 3 * MEBIBYTE}})
    assert (reply.code, reply.body["reason"]) == (413, "RequestEntityTooLarge")


def test_an_object_has_one_controller(api: Api) -> None:
    owners = [{"apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": name, "controller": True} for name in "ab"]
    body = config_map()
    reply = api.post(CONFIG_MAPS, {**body, "metadata": {**body["metadata"], "ownerReferences": owners}})
    assert reply.code == 422
    assert "Only one reference can have Controller set to true" in reply.causes["metadata.ownerReferences"]


def test_who_is_let_in_may_do_everything_and_is_told_so(kubectl: Kubectl) -> None:
    assert kubectl("auth", "can-i", "delete", "pods").out == "yes\n"
    assert kubectl("auth", "can-i", "get", "/healthz").out == "yes\n"
    assert ["*.*", "[]", "[]", "[*]"] in kubectl("auth", "can-i", "--list").rows()


@pytest.mark.parametrize("body", [{}, [], {"kind": "Pod", "spec": {}}])
def test_a_review_that_asks_nothing_is_refused(api: Api, body: Any) -> None:
    assert api.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body).code == 400


def test_a_scaled_deployment_names_its_own_version_in_a_conflict(api: Api, kubectl: Kubectl) -> None:
    kubectl("apply", "--server-side", "-f", "-", given={**deployment(), "apiVersion": "apps/v1", "kind": "Deployment"})
    kubectl("scale", "deployment", "web", "--replicas", "3")
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "spec": {**deployment()["spec"], "replicas": 2}}
    reply = api.patch(f"{DEPLOYMENTS}/web?fieldManager=me", body, APPLY)
    assert 'conflict with "kubectl" with subresource "scale" using apps/v1: .spec.replicas' in reply.body["message"]


@pytest.mark.parametrize("kind", [MERGE, STRATEGIC])
def test_an_object_that_loses_its_spec_is_invalid(api: Api, kind: str) -> None:
    api.post(PODS, pod())
    api.post(SERVICES, service())
    assert api.patch(f"{PODS}/web", {"spec": None}, kind).causes.keys() == {"spec.containers", "spec"}
    assert api.patch(f"{SERVICES}/web", {"spec": None}, kind).causes["spec.ports"] == "Required value"


@pytest.mark.parametrize(
    ("families", "causes"),
    [
        (["IPv4", "IPv6"], {"spec.ipFamilies[1]": 'Invalid value: "IPv6": not configured on this cluster'}),
        (["IPv6"], {"spec.ipFamilies[0]": 'Invalid value: "IPv6": not configured on this cluster'}),
        (["IPv4", "IPv4"], {"spec.ipFamilies[1]": 'Duplicate value: "IPv4"'}),
    ],
)
def test_a_family_the_cluster_has_not_is_named(api: Api, families: list[str], causes: dict[str, str]) -> None:
    assert api.post(SERVICES, service(ipFamilies=families)).causes == causes


def test_no_family_is_the_clusters_own(api: Api) -> None:
    assert api.post(SERVICES, service(ipFamilies=[])).body["spec"]["ipFamilies"] == ["IPv4"]


@pytest.mark.parametrize("fields", [7, {"f:data": 7}, {"f:data": {"f:a": []}}])
def test_field_owners_that_cannot_be_read_change_nothing(api: Api, fields: Any) -> None:
    before = api.post(CONFIG_MAPS, config_map(a="1")).body
    entries = [{**before["metadata"]["managedFields"][0], "fieldsV1": fields}]
    reply = api.patch(f"{CONFIG_MAPS}/settings", {"metadata": {"managedFields": entries}})
    assert reply.code == 200
    assert api.get(f"{CONFIG_MAPS}/settings").body["metadata"]["managedFields"] == before["metadata"]["managedFields"]


@pytest.mark.parametrize("name", [7, ["one"], {"one": 1}, True])
def test_metadata_of_a_custom_resource_has_its_types(widgets: Api, name: Any) -> None:
    body = widget()
    assert widgets.post(WIDGETS, {**body, "metadata": {**body["metadata"], "name": name}}).code == 400
    assert widgets.post(WIDGETS, {**body, "metadata": {**body["metadata"], "labels": {"a": name}}}).code == 400


@pytest.mark.parametrize("value", [7, ["YQ=="], {"a": 1}, "x"])
def test_a_secret_holds_texts_of_base64(api: Api, value: Any) -> None:
    assert api.post(SECRETS, {"metadata": {"name": "key"}, "data": {"a": value}}).code == 400


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", f"{PODS}/web/binding", {"target": None}),
        ("POST", f"{PODS}/web/binding", {"target": {"name": 7}}),
        ("POST", f"{PODS}/web/eviction", {"kind": "Eviction", "deleteOptions": 7}),
        ("DELETE", f"{PODS}/web", {"preconditions": 7}),
        ("DELETE", f"{PODS}/web", {"dryRun": 7}),
    ],
)
def test_what_is_done_to_a_pod_has_its_form(api: Api, method: str, path: str, body: Any) -> None:
    api.post(PODS, pod())
    assert api.ask(method, path, body).code == 400
    assert api.get(f"{PODS}/web").code == 200


def test_binary_data_is_base64(api: Api) -> None:
    reply = api.post(CONFIG_MAPS, {**config_map(), "binaryData": {"a": "x"}})
    assert (reply.code, "illegal base64 data in binaryData.a" in reply.body["message"]) == (400, True)


@pytest.mark.parametrize(
    ("resources", "causes"),
    [
        (
            {"requests": {"cpu": "-1"}},
            {"spec.containers[0].resources.requests[cpu]": 'Invalid value: "-1": must be greater than or equal to 0'},
        ),
        (
            {"requests": {"cpu": "2"}, "limits": {"cpu": "1500m"}},
            {
                "spec.containers[0].resources.requests": (
                    'Invalid value: "2": must be less than or equal to cpu limit of 1500m'
                )
            },
        ),
    ],
)
def test_requests_that_no_node_could_keep_are_refused(api: Api, resources: Any, causes: dict[str, str]) -> None:
    body = pod(containers=[{"name": "main", "image": "nginx", "resources": resources}])
    reply = api.post(PODS, body)
    assert (reply.code, reply.causes) == (422, causes)
