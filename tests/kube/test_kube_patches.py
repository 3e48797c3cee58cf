"""The patches as pure functions: documents in, documents out."""

from __future__ import annotations

from typing import Any

import pytest

from bgplab.backends.embedded.kube.errors import ApiError
from bgplab.backends.embedded.kube.patch.json_patch import json_patched
from bgplab.backends.embedded.kube.patch.merge_patch import merge_patched
from bgplab.backends.embedded.kube.patch.strategic import strategic_patched
from bgplab.backends.embedded.kube.schema.shape import builtin_shape

POD_SPEC = builtin_shape("io.k8s.api.core.v1.PodSpec")


@pytest.mark.parametrize(
    ("operation", "after"),
    [
        ({"op": "add", "path": "/a/b", "value": 1}, {"a": {"b": 1}, "l": [1, 2]}),
        ({"op": "add", "path": "/l/1", "value": 9}, {"a": {}, "l": [1, 9, 2]}),
        ({"op": "add", "path": "/l/-", "value": 9}, {"a": {}, "l": [1, 2, 9]}),
        ({"op": "remove", "path": "/l/0"}, {"a": {}, "l": [2]}),
        ({"op": "replace", "path": "/l", "value": []}, {"a": {}, "l": []}),
        ({"op": "move", "from": "/l", "path": "/a/l"}, {"a": {"l": [1, 2]}}),
        ({"op": "copy", "from": "/l/0", "path": "/c~1d"}, {"a": {}, "l": [1, 2], "c/d": 1}),
        ({"op": "test", "path": "/l/1", "value": 2}, {"a": {}, "l": [1, 2]}),
    ],
)
def test_a_json_patch_does_what_rfc_6902_says(operation: dict[str, Any], after: dict[str, Any]) -> None:
    assert json_patched({"a": {}, "l": [1, 2]}, [operation]) == after


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "remove", "path": "/none"},
        {"op": "replace", "path": "/none", "value": 1},
        {"op": "test", "path": "/a", "value": 2},
        {"op": "add", "path": "/none/deep", "value": 1},
    ],
)
def test_a_json_patch_that_does_not_fit_is_refused(operation: dict[str, Any]) -> None:
    with pytest.raises(ApiError) as refused:
        json_patched({"a": 1}, [operation])
    assert refused.value.code == 422


def test_a_merge_patch_removes_with_null_and_leaves_its_arguments_alone() -> None:
    document = {"a": {"b": 1, "c": 2}, "l": [1]}
    assert merge_patched(document, {"a": {"b": None}, "l": [2]}) == {"a": {"c": 2}, "l": [2]}
    assert document == {"a": {"b": 1, "c": 2}, "l": [1]}


TWO: dict[str, Any] = {"containers": [{"name": "a", "image": "x"}, {"name": "b", "image": "y"}], "nodeName": "n"}


@pytest.mark.parametrize(
    ("patch", "names"),
    [
        ({"containers": [{"name": "c", "image": "z"}]}, ["a", "b", "c"]),
        ({"containers": [{"name": "a", "$patch": "delete"}]}, ["b"]),
        ({"containers": [{"$patch": "replace"}, {"name": "z", "image": "z"}]}, ["z"]),
        ({"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}, ["b", "a"]),
    ],
)
def test_a_strategic_patch_follows_keys_and_directives(patch: dict[str, Any], names: list[str]) -> None:
    patched = strategic_patched(POD_SPEC, TWO, patch)
    assert [each["name"] for each in patched["containers"]] == names
    assert patched["nodeName"] == "n"


def test_a_strategic_patch_replaces_lists_without_a_key() -> None:
    document = {"tolerations": [{"key": "a"}]}
    assert strategic_patched(POD_SPEC, document, {"tolerations": [{"key": "b"}]}) == {"tolerations": [{"key": "b"}]}


def test_a_strategic_patch_takes_items_out_of_a_set() -> None:
    shape = builtin_shape("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta")
    patch = {"$deleteFromPrimitiveList/finalizers": ["a"]}
    assert strategic_patched(shape, {"finalizers": ["a", "b"]}, patch) == {"finalizers": ["b"]}


def test_an_item_without_its_key_cannot_be_merged() -> None:
    with pytest.raises(ApiError, match="does not contain declared merge key: name"):
        strategic_patched(POD_SPEC, TWO, {"containers": [{"image": "z"}]})
