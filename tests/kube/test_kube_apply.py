"""Server-side apply: what a manager sends is its own, what it no longer sends goes."""

from __future__ import annotations

from typing import Any

from kube_api import APPLY, STRATEGIC, Api, Reply
from kube_manifests import CONFIG_MAPS, DEPLOYMENTS, SERVICES, WIDGETS, config_map, deployment, service, widget


def apply(api: Api, path: str, manifest: dict[str, Any], manager: str = "mine", more: str = "") -> Reply:
    return api.patch(f"{path}?fieldManager={manager}{more}", manifest, APPLY)


def test_applying_what_is_not_there_creates_it(api: Api) -> None:
    reply = apply(api, f"{DEPLOYMENTS}/web", deployment())
    assert (reply.code, reply.body["spec"]["replicas"]) == (201, 1)
    (entry,) = reply.body["metadata"]["managedFields"]
    assert (entry["manager"], entry["operation"], entry["apiVersion"]) == ("mine", "Apply", "apps/v1")
    assert "f:replicas" not in entry["fieldsV1"]["f:spec"], "what was defaulted is nobody's"


def test_applying_the_same_again_changes_nothing(api: Api) -> None:
    first = apply(api, f"{DEPLOYMENTS}/web", deployment()).body
    again = apply(api, f"{DEPLOYMENTS}/web", deployment())
    assert (again.code, again.body) == (200, first)


def test_a_field_no_longer_applied_goes(api: Api) -> None:
    apply(api, f"{CONFIG_MAPS}/settings", config_map(a="1", b="2"))
    assert apply(api, f"{CONFIG_MAPS}/settings", config_map(a="1")).body["data"] == {"a": "1"}


def test_a_field_somebody_else_owns_too_stays(api: Api) -> None:
    apply(api, f"{CONFIG_MAPS}/settings", config_map(a="1", b="2"))
    apply(api, f"{CONFIG_MAPS}/settings", config_map(b="2"), "other")
    assert apply(api, f"{CONFIG_MAPS}/settings", config_map(a="1")).body["data"] == {"a": "1", "b": "2"}


def test_a_default_takes_the_place_of_a_field_no_longer_applied(api: Api) -> None:
    apply(api, f"{DEPLOYMENTS}/web", deployment(replicas=3))
    assert apply(api, f"{DEPLOYMENTS}/web", deployment()).body["spec"]["replicas"] == 1


def test_another_managers_value_is_a_conflict_that_names_both(api: Api) -> None:
    apply(api, f"{CONFIG_MAPS}/settings", config_map(a="1"))
    reply = apply(api, f"{CONFIG_MAPS}/settings", config_map(a="2"), "other")
    assert (reply.code, reply.body["reason"]) == (409, "Conflict")
    assert reply.body["message"] == 'Apply failed with 1 conflict: conflict with "mine": .data.a'
    assert reply.causes == {".data.a": 'conflict with "mine"'}


def test_force_takes_the_field_over(api: Api) -> None:
    apply(api, f"{CONFIG_MAPS}/settings", config_map(a="1"))
    forced = apply(api, f"{CONFIG_MAPS}/settings", config_map(a="2"), "other", "&force=true").body
    assert forced["data"] == {"a": "2"}
    assert [entry["manager"] for entry in forced["metadata"]["managedFields"]] == ["other"]


def test_the_same_value_is_shared(api: Api) -> None:
    apply(api, f"{CONFIG_MAPS}/settings", config_map(a="1"))
    shared = apply(api, f"{CONFIG_MAPS}/settings", config_map(a="1"), "other").body
    assert {entry["manager"] for entry in shared["metadata"]["managedFields"]} == {"mine", "other"}


def test_a_patch_takes_over_what_it_changes(api: Api) -> None:
    apply(api, f"{DEPLOYMENTS}/web", deployment(replicas=2))
    api.patch(f"{DEPLOYMENTS}/web?fieldManager=scaler", {"spec": {"replicas": 5}})
    reply = apply(api, f"{DEPLOYMENTS}/web", deployment(replicas=2))
    assert reply.body["message"].endswith('conflict with "scaler" using apps/v1: .spec.replicas')


def test_items_of_keyed_lists_belong_to_who_applied_them(api: Api) -> None:
    one = service(ports=[{"name": "a", "port": 80}])
    two = service(ports=[{"name": "b", "port": 81}])
    apply(api, f"{SERVICES}/web", one)
    both = apply(api, f"{SERVICES}/web", two, "other").body
    assert [port["name"] for port in both["spec"]["ports"]] == ["a", "b"]
    left = apply(api, f"{SERVICES}/web", {**two, "spec": {"selector": {"app": "web"}}}, "other").body
    assert [port["name"] for port in left["spec"]["ports"]] == ["a"]


def test_custom_resources_merge_by_their_own_list_keys(widgets: Api) -> None:
    apply(widgets, f"{WIDGETS}/one", widget(parts=[{"name": "engine", "weight": 4}]))
    more = {**widget(), "spec": {"parts": [{"name": "wheel"}]}}
    both = apply(widgets, f"{WIDGETS}/one", more, "other").body
    assert both["spec"]["parts"] == [{"name": "engine", "weight": 4}, {"name": "wheel", "weight": 1}]


def test_the_status_is_applied_by_its_subresource(widgets: Api) -> None:
    widgets.post(WIDGETS, widget())
    status = {**widget(), "status": {"phase": "Ready"}}
    del status["spec"]
    applied = apply(widgets, f"{WIDGETS}/one/status", status, "controller").body
    assert (applied["status"], applied["spec"]["size"]) == ({"phase": "Ready"}, 3)
    entry = next(each for each in applied["metadata"]["managedFields"] if each["manager"] == "controller")
    assert (entry["subresource"], list(entry["fieldsV1"])) == ("status", ["f:status"])


def test_a_strategic_patch_merges_containers_by_name(api: Api) -> None:
    api.post(DEPLOYMENTS, deployment())
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "nginx:1.28"}]}}}}
    (container,) = api.patch(f"{DEPLOYMENTS}/web", patch, STRATEGIC).body["spec"]["template"]["spec"]["containers"]
    assert (container["image"], container["terminationMessagePolicy"]) == ("nginx:1.28", "File")
