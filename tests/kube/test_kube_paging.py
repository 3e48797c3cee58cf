"""Lists in pieces: `limit`, `continue`, and lists of the past."""

from __future__ import annotations

import pytest
from kube_api import Api
from kube_manifests import CONFIG_MAPS, config_map
from kube_world import Kubectl

from bgplab.backends.embedded.kube.errors import ApiError
from bgplab.backends.embedded.kube.http.paging import ListOptions, list_options, page_of
from bgplab.backends.embedded.kube.store.item import Key
from bgplab.backends.embedded.kube.store.store import Store

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


@pytest.fixture
def five(api: Api) -> Api:
    for name in "abcde":
        assert api.post(CONFIG_MAPS, config_map(name)).code == 201
    return api


def names(body) -> list[str]:
    return [item["metadata"]["name"] for item in body["items"]]


def test_pieces_make_the_whole_and_say_how_much_is_left(five: Api) -> None:
    first = five.get(f"{CONFIG_MAPS}?limit=2").body
    assert (names(first), first["metadata"]["remainingItemCount"]) == (["a", "b"], 3)
    second = five.get(f"{CONFIG_MAPS}?limit=2&continue={first['metadata']['continue']}").body
    assert (names(second), second["metadata"]["remainingItemCount"]) == (["c", "d"], 1)
    last = five.get(f"{CONFIG_MAPS}?limit=2&continue={second['metadata']['continue']}").body
    assert names(last) == ["e"]
    assert last["metadata"].keys() == {"resourceVersion"}


def test_later_pieces_show_what_was_there_when_the_first_was_made(five: Api) -> None:
    first = five.get(f"{CONFIG_MAPS}?limit=2").body
    five.delete(f"{CONFIG_MAPS}/c")
    five.patch(f"{CONFIG_MAPS}/d", {"data": {"changed": "yes"}})
    five.post(CONFIG_MAPS, config_map("f"))
    rest = five.get(f"{CONFIG_MAPS}?continue={first['metadata']['continue']}").body
    assert names(rest) == ["c", "d", "e"]
    assert "changed" not in rest["items"][1]["data"]
    assert rest["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    assert names(five.get(CONFIG_MAPS).body) == ["a", "b", "d", "e", "f"]


def test_pieces_of_all_namespaces_do_not_mix_with_those_of_one(five: Api) -> None:
    five.post("/api/v1/namespaces", {"metadata": {"name": "apart"}})
    five.post("/api/v1/namespaces/apart/configmaps", config_map("a"))
    first = five.get("/api/v1/configmaps?limit=1").body
    five.post("/api/v1/namespaces/apart/configmaps", config_map("b"))
    rest = five.get(f"/api/v1/configmaps?continue={first['metadata']['continue']}").body
    assert names(first) + names(rest) == ["a", "a", "b", "c", "d", "e"]


def test_a_selection_comes_in_pieces_too_but_nobody_counts_the_rest(five: Api) -> None:
    query = "fieldSelector=metadata.name!%3Db"
    first = five.get(f"{CONFIG_MAPS}?limit=2&{query}").body
    assert names(first) == ["a", "c"]
    assert "remainingItemCount" not in first["metadata"]
    rest = five.get(f"{CONFIG_MAPS}?limit=2&{query}&continue={first['metadata']['continue']}").body
    assert names(rest) == ["d", "e"]


def test_a_table_comes_in_pieces(five: Api) -> None:
    table = five.get(f"{CONFIG_MAPS}?limit=3", Accept=TABLE).body
    assert len(table["rows"]) == 3
    assert table["metadata"]["continue"]


def test_kubectl_puts_the_pieces_together(five: Api, kubectl: Kubectl) -> None:
    rows = kubectl("get", "configmaps", "--chunk-size=2").rows()
    assert [row[0] for row in rows] == ["a", "b", "c", "d", "e"]


def test_a_piece_of_a_forgotten_past_is_gone() -> None:
    store = Store(history=2)
    for name in "abc":
        store.put(Key("configmaps", "default", name), {"metadata": {"namespace": "default", "name": name, "uid": name}})
    first = page_of(store, "configmaps", "default", lambda value: True, ListOptions(limit=1))
    for name in "defg":
        store.put(Key("configmaps", "default", name), {"metadata": {"namespace": "default", "name": name, "uid": name}})
    with pytest.raises(ApiError) as refused:
        page_of(store, "configmaps", "default", lambda value: True, list_options({"continue": first.token}))
    assert (refused.value.code, refused.value.reason) == (410, "Expired")


def test_the_past_is_listed_exactly_when_asked_for(five: Api) -> None:
    then = five.get(CONFIG_MAPS).body["metadata"]["resourceVersion"]
    five.delete(f"{CONFIG_MAPS}/a")
    exact = f"resourceVersion={then}&resourceVersionMatch=Exact"
    assert names(five.get(f"{CONFIG_MAPS}?{exact}").body) == ["a", "b", "c", "d", "e"]
    not_older = f"resourceVersion={then}&resourceVersionMatch=NotOlderThan"
    assert names(five.get(f"{CONFIG_MAPS}?{not_older}").body) == ["b", "c", "d", "e"]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("limit=abc", 400),
        ("limit=1.5", 400),
        ("watch=1&limit=abc", 400),
        ("timeoutSeconds=soon", 400),
        ("continue=abc", 400),
        ("continue=W10", 400),
        ("continue=WzEsImEiXQ&resourceVersion=5", 400),
        ("resourceVersionMatch=Exact", 422),
        ("resourceVersionMatch=Exact&resourceVersion=0", 422),
        ("resourceVersionMatch=Sometimes&resourceVersion=1", 422),
        ("watch=1&resourceVersionMatch=Exact&resourceVersion=1", 422),
    ],
)
def test_options_that_make_no_sense_are_refused(api: Api, query: str, code: int) -> None:
    reply = api.get(f"{CONFIG_MAPS}?{query}")
    assert (reply.code, reply.body["kind"]) == (code, "Status")
