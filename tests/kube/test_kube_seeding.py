"""What a server is given before it serves, and that it can be a part of another program."""

from __future__ import annotations

import pytest
from kube_api import Api
from kube_manifests import PODS, WIDGETS, config_map, definition, pod, widget
from kube_world import Running

from bgplab.backends.embedded.kube import KubeServer, ServerSettings
from bgplab.backends.embedded.kube.errors import ApiError

SETTINGS = ServerSettings("10.96.0.0/16", "token")


def names(running: Running, path: str) -> set[str]:
    return {item["metadata"]["name"] for item in running.api().get(path).body["items"]}


def test_a_server_begins_with_the_namespaces_of_a_cluster(running: Running) -> None:
    assert names(running, "/api/v1/namespaces") == {"default", "kube-system", "kube-public", "kube-node-lease"}
    assert names(running, "/api/v1/namespaces/kube-system/serviceaccounts") == {"default"}


def test_seeds_keep_their_status(api: Api, running: Running) -> None:
    seeds = [definition(), {**widget(), "status": {"phase": "Ready"}}, {**pod(), "status": {"phase": "Running"}}]
    running.server.install(seeds)
    assert api.get(f"{WIDGETS}/one").body["status"] == {"phase": "Ready"}
    assert api.get(f"{PODS}/web").body["status"]["phase"] == "Running"


def test_what_is_created_by_a_client_does_not(api: Api) -> None:
    created = api.post(PODS, {**pod(), "status": {"phase": "Running"}}).body
    assert created["status"]["phase"] == "Pending"


def test_seeding_twice_leaves_what_is_there(running: Running, api: Api) -> None:
    running.server.install([config_map(a="1")])
    running.server.install([config_map(a="2")])
    assert api.get("/api/v1/namespaces/default/configmaps/settings").body["data"] == {"a": "1"}


def test_a_seed_is_not_changed_by_its_server() -> None:
    seed = pod()
    KubeServer(SETTINGS).install([seed])
    assert seed == pod()


def test_a_seed_that_is_wrong_is_refused() -> None:
    with pytest.raises(ApiError, match="unknown field"):
        KubeServer(SETTINGS).install([pod(colour="red")])
