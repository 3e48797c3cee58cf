"""Watches: from now, from a version, through a selector, to their end."""

from __future__ import annotations

from itertools import islice
from typing import Any

from kube_api import Api
from kube_manifests import CONFIG_MAPS, PODS, config_map, pod
from kube_world import Running

from bgplab.backends.embedded.kube.store.store import Store


def told(events: Any, count: int) -> list[tuple[str, str]]:
    return [(event["type"], event["object"]["metadata"]["name"]) for event in islice(events, count)]


def version(api: Api) -> str:
    return api.get(CONFIG_MAPS).body["metadata"]["resourceVersion"]


def test_a_watch_without_a_version_begins_with_what_is_there(api: Api) -> None:
    api.post(CONFIG_MAPS, config_map("one"))
    with api.watching(f"{CONFIG_MAPS}?watch=true") as events:
        assert told(events, 1) == [("ADDED", "one")]
        api.post(CONFIG_MAPS, config_map("two"))
        assert told(events, 1) == [("ADDED", "two")]


def test_a_watch_resumes_where_a_list_ended(api: Api) -> None:
    api.post(CONFIG_MAPS, config_map("one"))
    seen = version(api)
    api.patch(f"{CONFIG_MAPS}/one", {"data": {"a": "1"}})
    api.post(CONFIG_MAPS, config_map("two"))
    api.delete(f"{CONFIG_MAPS}/one")
    with api.watching(f"{CONFIG_MAPS}?watch=true&resourceVersion={seen}") as events:
        assert told(events, 3) == [("MODIFIED", "one"), ("ADDED", "two"), ("DELETED", "one")]


def test_an_object_that_enters_a_selection_is_added_and_one_that_leaves_deleted(api: Api) -> None:
    api.post(CONFIG_MAPS, config_map("one"))
    path = f"{CONFIG_MAPS}?watch=true&labelSelector=app%3Dweb&resourceVersion={version(api)}"
    with api.watching(path) as events:
        for labels in ({"app": "web"}, {"more": "so"}, {"app": "other"}):
            api.patch(f"{CONFIG_MAPS}/one", {"metadata": {"labels": labels}})
        found = list(islice(events, 3))
    assert [event["type"] for event in found] == ["ADDED", "MODIFIED", "DELETED"]
    last = found[2]["object"]["metadata"]
    assert last["labels"]["app"] == "web", "the last sight of it is the one that was selected"
    assert last["resourceVersion"] == version(api)


def test_a_field_selector_follows_a_pod_to_its_node(api: Api) -> None:
    api.post(PODS, pod())
    path = f"/api/v1/pods?watch=true&fieldSelector=spec.nodeName%3Dnode-1&resourceVersion={version(api)}"
    with api.watching(path) as events:
        api.post(f"{PODS}/web/binding", {"apiVersion": "v1", "kind": "Binding", "target": {"name": "node-1"}})
        assert told(events, 1) == [("ADDED", "web")]


def test_a_watch_hears_its_own_namespace_only(api: Api) -> None:
    with api.watching(f"{CONFIG_MAPS}?watch=true") as events:
        api.post(CONFIG_MAPS.replace("default", "kube-system"), config_map("elsewhere"))
        api.post(CONFIG_MAPS, config_map("here"))
        assert told(events, 1) == [("ADDED", "here")]


def test_a_past_that_is_forgotten_is_gone(running: Running, api: Api) -> None:
    running.server._machine.store._history = type(running.server._machine.store._history)(maxlen=4)
    first = version(api)
    for number in range(8):
        api.post(CONFIG_MAPS, config_map(f"m{number}"))
    with api.watching(f"{CONFIG_MAPS}?watch=true&resourceVersion={first}") as events:
        (event,) = list(events)
    assert event["type"] == "ERROR"
    assert (event["object"]["code"], event["object"]["reason"]) == (410, "Expired")


def test_a_watch_ends_in_time(api: Api) -> None:
    with api.watching(f"{CONFIG_MAPS}?watch=true&timeoutSeconds=1&allowWatchBookmarks=true") as events:
        last = list(events)[-1]
    assert (last["type"], last["object"]["kind"]) == ("BOOKMARK", "ConfigMap")
    assert last["object"]["metadata"]["resourceVersion"] == version(api)


def test_without_bookmarks_asked_for_there_are_none(api: Api) -> None:
    with api.watching(f"{CONFIG_MAPS}?watch=true&timeoutSeconds=1") as events:
        assert list(events) == []


def test_initial_events_are_refused_so_that_clients_list_and_watch(api: Api) -> None:
    asked = "watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    reply = api.get(f"{CONFIG_MAPS}?{asked}")
    assert (reply.code, reply.body["reason"], list(reply.causes)) == (422, "Invalid", ["sendInitialEvents"])


def test_a_version_from_the_future_is_too_large(api: Api) -> None:
    reply = api.get(f"{CONFIG_MAPS}?resourceVersion=999999")
    assert (reply.code, reply.body["reason"]) == (504, "Timeout")
    assert "Too large resource version" in reply.body["message"]


def test_a_watch_whose_client_goes_is_forgotten(running: Running, api: Api) -> None:
    from kube_api import eventually

    store: Store = running.server._machine.store
    with api.watching(f"{CONFIG_MAPS}?watch=true") as events:
        api.post(CONFIG_MAPS, config_map())
        assert told(events, 1) == [("ADDED", "settings")]
    eventually(lambda: store._listeners.get("configmaps"), lambda listeners: not listeners)
