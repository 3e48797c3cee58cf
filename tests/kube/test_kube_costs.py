"""What a write may cost, by count: nothing is judged, walked or encoded more often than it has to be."""

from __future__ import annotations

import contextlib
import json
from itertools import islice
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kube_api import Api
from kube_manifests import CONFIG_MAPS, PODS, config_map, pod

from bgplab.backends.embedded.kube.patch import fields, ownership
from bgplab.backends.embedded.kube.schema import validate
from bgplab.backends.embedded.kube.schema.shape import builtin_shape
from bgplab.backends.embedded.kube.store import item

WATCHERS = 5


def counted(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> list[Any]:
    """The arguments of every call of a module's function from now on."""
    calls: list[Any] = []
    real = getattr(module, name)

    def call(*arguments: Any) -> Any:
        calls.append(arguments)
        return real(*arguments)

    monkeypatch.setattr(module, name, call)
    return calls


def test_an_event_is_encoded_once_however_many_watch(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    encoded = counted(monkeypatch, item, "encode")
    with contextlib.ExitStack() as stack:
        watches = [stack.enter_context(api.watching(f"{CONFIG_MAPS}?watch=true")) for _ in range(WATCHERS)]
        answer = api.post(CONFIG_MAPS, config_map("one")).body
        seen = [next(islice(events, 1))["object"] for events in watches]
    assert seen == [answer] * WATCHERS
    assert [call[0]["metadata"]["name"] for call in encoded] == ["one"], "the writer's answer included"


def with_containers(count: int) -> dict[str, Any]:
    return pod(f"pod-{count}", containers=[{"name": f"c{number}", "image": "nginx"} for number in range(count)])


@pytest.mark.parametrize(("module", "name"), [(validate, "_judge"), (fields, "_walk"), (ownership, "_claim")])
def test_writing_a_status_costs_the_same_whatever_is_in_the_spec(
    api: Api, monkeypatch: pytest.MonkeyPatch, module: Any, name: str
) -> None:
    calls = {}
    for count in (1, 20):
        api.post(PODS, with_containers(count))
        looks = counted(monkeypatch, module, name)
        written = api.patch(f"{PODS}/pod-{count}/status", {"status": {"phase": "Running"}})
        assert written.body["status"]["phase"] == "Running"
        calls[count] = len(looks)
    assert calls[1] == calls[20]


def test_a_manager_that_writes_its_own_fields_again_has_no_entry_read(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.post(PODS, pod())
    api.patch(f"{PODS}/web/status", {"status": {"phase": "Unknown"}})
    before = api.get(f"{PODS}/web").body["metadata"]["managedFields"]
    read = counted(monkeypatch, ownership, "_claim")
    api.patch(f"{PODS}/web/status", {"status": {"phase": "Running"}})
    assert read == []
    after = api.get(f"{PODS}/web").body["metadata"]["managedFields"]
    assert [{**entry, "time": ""} for entry in after] == [{**entry, "time": ""} for entry in before]


CONTAINERS = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from("abc"), "image": st.sampled_from(["x", "y"])},
        optional={"args": st.lists(st.sampled_from("pq")), "ports": st.just([{"containerPort": 80}])},
    ),
    unique_by=lambda container: container["name"],
    max_size=3,
)
PIECES = st.fixed_dictionaries(
    {"apiVersion": st.just("v1"), "kind": st.just("Pod")},
    optional={
        "metadata": st.fixed_dictionaries(
            {"name": st.just("web"), "resourceVersion": st.sampled_from("12")},
            optional={
                "labels": st.dictionaries(st.sampled_from("ab"), st.sampled_from("xy")),
                "finalizers": st.lists(st.sampled_from("fg"), unique=True),
            },
        ),
        "spec": st.fixed_dictionaries(
            {},
            optional={
                "containers": CONTAINERS,
                "nodeSelector": st.dictionaries(st.sampled_from("ab"), st.sampled_from("xy")),
            },
        ),
        "status": st.sampled_from([{}, {"phase": "Running"}, {"phase": "Pending", "hostIPs": [{"ip": "10.0.0.1"}]}]),
    },
)


@given(old=PIECES, new=PIECES)
def test_the_fields_that_changed_are_those_that_differ_when_all_are_walked(old: Any, new: Any) -> None:
    shape = builtin_shape("io.k8s.api.core.v1.Pod")
    before, after = fields.fields_of(shape, old), fields.fields_of(shape, new)
    changed = {path for path, value in after.items() if path not in before or before[path] != value}
    assert fields.changed_fields(shape, old, new) == (changed, before.keys() - after.keys())


@given(PIECES)
def test_a_set_of_fields_contains_what_was_put_into_it_and_nothing_else(piece: Any) -> None:
    paths = set(fields.fields_of(builtin_shape("io.k8s.api.core.v1.Pod"), piece))
    written = json.loads(json.dumps(fields.encoded(paths)))
    around = paths | {path[:depth] for path in paths for depth in range(1, len(path))} | {("f:nothing",)}
    assert {path for path in around if fields.contains(written, path)} == paths
