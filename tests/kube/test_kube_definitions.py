"""Custom resources by their definitions: served at once, validated, defaulted, pruned, shown."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from kube_api import Api
from kube_manifests import CRDS, SPEC_SCHEMA, WIDGETS, definition, widget


def test_a_definition_is_established_and_served_at_once(api: Api) -> None:
    created = api.post(CRDS, definition()).body
    conditions = {each["type"]: each["status"] for each in created["status"]["conditions"]}
    assert conditions == {"NamesAccepted": "True", "Established": "True"}
    assert api.get(WIDGETS).body["kind"] == "WidgetList"


def test_defaults_are_filled_in_where_their_parent_is(widgets: Api) -> None:
    spec = widgets.post(WIDGETS, widget(options={}, parts=[{"name": "engine"}])).body["spec"]
    assert spec["colour"] == "red"
    assert spec["options"] == {"loud": True}
    assert spec["parts"] == [{"name": "engine", "weight": 1}]
    assert "options" not in widgets.post(WIDGETS, widget("two")).body["spec"]


def test_unknown_fields_are_pruned_except_where_they_are_kept(widgets: Api) -> None:
    spec = widgets.post(WIDGETS, widget(unknown=1, free={"any": {"thing": [1]}})).body["spec"]
    assert ("unknown" in spec, spec["free"]) == (False, {"any": {"thing": [1]}})


@pytest.mark.parametrize(
    ("spec", "field", "says"),
    [
        ({"size": 0}, "spec.size", "should be greater than or equal to 1"),
        ({"size": 10}, "spec.size", "should be less than or equal to 9"),
        ({"size": "3"}, "spec.size", 'must be of type integer: "string"'),
        ({"size": None}, "spec.size", 'must be of type integer: "null"'),
        ({"colour": "green"}, "spec.colour", 'Unsupported value: "green": supported values: "red", "blue"'),
        ({"network": "10.0.0.0"}, "spec.network", "must be of type cidr"),
        ({"code": "abc"}, "spec.code", "should match '^[A-Z]{3}$'"),
        ({"parts": [{}]}, "spec.parts[0].name", "Required value"),
        ({"parts": [{"name": "a"}, {"name": "a"}]}, "spec.parts[1]", 'Duplicate value: {"name":"a"}'),
        ({"parts": [{"name": c} for c in "abcd"]}, "spec.parts", "must have at most 3 items"),
        ({"low": 3, "high": 2}, "spec", "low is above high"),
    ],
)
def test_what_does_not_fit_the_schema_is_refused(widgets: Api, spec: dict[str, Any], field: str, says: str) -> None:
    reply = widgets.post(WIDGETS, widget(**spec))
    assert (reply.code, reply.body["reason"]) == (422, "Invalid")
    assert says in reply.causes[field]


def test_what_is_required_is_named(widgets: Api) -> None:
    reply = widgets.post(WIDGETS, {**widget(), "spec": {}})
    assert reply.causes == {"spec.size": "Required value"}
    assert reply.body["message"] == 'Widget.lab.example "one" is invalid: spec.size: Required value'


def with_rule(**rule: Any) -> dict[str, Any]:
    return {**SPEC_SCHEMA, "x-kubernetes-validations": [rule]}


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ({"rule": "self.size.frobnicate()"}, "frobnicate"),
        ({"rule": "self.nothing > 1"}, "undefined field 'nothing'"),
        ({"rule": "self.size >"}, "ends too early"),
        ({"rule": "isURL(self.colour)"}, "isURL"),
        ({"rule": "other.size > 1"}, "undeclared reference"),
        ({"rule": "true", "optionalOldSelf": True}, "optionalOldSelf"),
    ],
)
def test_a_rule_that_cannot_be_evaluated_is_refused_with_its_definition(
    api: Api, rule: dict[str, Any], says: str
) -> None:
    reply = api.post(CRDS, definition(with_rule(**rule)))
    assert reply.code == 422
    assert says in reply.body["message"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"patternProperties": {"a": {"type": "string"}}}, "patternProperties"),
        ({"properties": {"a": {}}}, "properties[a].type"),
        ({"properties": {"a": {"type": "string", "default": 1}}}, "properties[a].default"),
        ({"properties": {"a": {"type": "string", "pattern": "("}}}, "properties[a].pattern"),
        ({"properties": {"a": {"type": "array"}}}, "properties[a].items"),
    ],
)
def test_a_schema_that_could_not_be_held_to_is_refused(api: Api, change: dict[str, Any], field: str) -> None:
    reply = api.post(CRDS, definition({"type": "object", **change}))
    assert reply.code == 422
    assert [path.split("properties[spec].")[1] for path in reply.causes] == [field]


def test_a_comparison_where_old_and_new_cannot_be_paired_is_refused(api: Api) -> None:
    items = {"type": "integer", "x-kubernetes-validations": [{"rule": "self >= oldSelf"}]}
    reply = api.post(CRDS, definition({"type": "object", "properties": {"a": {"type": "array", "items": items}}}))
    assert "uncorrelatable" in reply.body["message"]


def test_a_webhook_conversion_is_refused(api: Api) -> None:
    manifest = definition()
    manifest["spec"]["conversion"] = {"strategy": "Webhook"}
    assert "spec.conversion.strategy" in api.post(CRDS, manifest).causes


def test_a_rule_may_compare_with_the_old_value(api: Api) -> None:
    api.post(CRDS, definition(with_rule(rule="self.size >= oldSelf.size", message="it may not shrink")))
    assert api.post(WIDGETS, widget(size=3)).code == 201
    assert api.patch(f"{WIDGETS}/one", {"spec": {"size": 4}}).code == 200
    assert "it may not shrink" in api.patch(f"{WIDGETS}/one", {"spec": {"size": 2}}).causes["spec"]


def two_versions() -> dict[str, Any]:
    manifest = definition()
    older = copy.deepcopy(manifest["spec"]["versions"][0])
    older |= {"name": "v1alpha1", "storage": False, "deprecated": True, "deprecationWarning": "use v1"}
    manifest["spec"]["versions"].insert(0, older)
    return manifest


def test_every_version_shows_the_same_object(api: Api) -> None:
    api.post(CRDS, two_versions())
    old = WIDGETS.replace("/v1/", "/v1alpha1/")
    api.post(old, {**widget(), "apiVersion": "lab.example/v1alpha1"})
    assert api.get(f"{WIDGETS}/one").body["apiVersion"] == "lab.example/v1"
    assert api.get(old).body["items"][0]["apiVersion"] == "lab.example/v1alpha1"


def test_a_deprecated_version_warns_and_the_newer_is_preferred(api: Api) -> None:
    api.post(CRDS, two_versions())
    assert api.get(WIDGETS.replace("/v1/", "/v1alpha1/")).headers["warning"] == '299 - "use v1"'
    group = api.get("/apis/lab.example").body
    assert group["preferredVersion"]["version"] == "v1"


def test_a_changed_definition_is_in_force_at_once(widgets: Api) -> None:
    schema = copy.deepcopy(SPEC_SCHEMA)
    schema["properties"]["size"]["maximum"] = 99
    current = widgets.get(f"{CRDS}/widgets.lab.example").body
    widgets.put(f"{CRDS}/widgets.lab.example", {**current, "spec": definition(schema)["spec"]})
    assert widgets.post(WIDGETS, widget(size=50)).code == 201


def test_columns_come_from_the_definition(widgets: Api) -> None:
    widgets.post(WIDGETS, widget(parts=[{"name": "engine", "weight": 7}]))
    widgets.post(WIDGETS, widget("two"))
    table = widgets.get(WIDGETS, Accept="application/json;as=Table;v=v1;g=meta.k8s.io").body
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Size", "Heavy", "Age"]
    assert [row["cells"][:3] for row in table["rows"]] == [["one", 3, "7"], ["two", 3, None]]
