"""The Cluster seam over the `kubernetes` client, against a real server."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bgplab.errors import InputError, LabError
from bgplab.lab.cluster import CONFIG_MAP, NAMESPACE, ApiError, Cluster, Kind
from bgplab.lab.kubernetes_cluster import open_cluster

WIDGET = Kind("example.com/v1", "Widget", "widgets")


def a_config_map(name: str = "settings", **data: str):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}, "data": data}


def test_an_object_that_is_not_there_is_none(bare_cluster: Cluster):
    assert bare_cluster.get(CONFIG_MAP, "nothing", "default") is None


def test_what_was_created_can_be_got_listed_patched_and_deleted(bare_cluster: Cluster):
    bare_cluster.create(a_config_map(color="blue"))
    bare_cluster.patch(CONFIG_MAP, "settings", {"data": {"color": "red"}}, "default")
    (found,) = bare_cluster.list(CONFIG_MAP, "default", fields="metadata.name=settings")
    assert (found["kind"], found["apiVersion"], found["data"]) == ("ConfigMap", "v1", {"color": "red"})
    bare_cluster.delete(CONFIG_MAP, "settings", "default")
    assert bare_cluster.get(CONFIG_MAP, "settings", "default") is None


def test_deleting_what_is_gone_succeeds(bare_cluster: Cluster):
    bare_cluster.delete(CONFIG_MAP, "nothing", "default")


def test_a_refusal_carries_the_servers_status(bare_cluster: Cluster):
    bare_cluster.create(a_config_map())
    with pytest.raises(ApiError) as refusal:
        bare_cluster.create(a_config_map())
    assert (refusal.value.code, refusal.value.reason) == (409, "AlreadyExists")


def test_apply_creates_and_changes(bare_cluster: Cluster):
    bare_cluster.apply(a_config_map(color="blue"))
    assert bare_cluster.apply(a_config_map(color="red"))["data"] == {"color": "red"}


def test_a_stale_replace_is_a_conflict(bare_cluster: Cluster):
    made = bare_cluster.create(a_config_map())
    bare_cluster.replace({**made, "data": {"color": "blue"}})
    with pytest.raises(ApiError) as refusal:
        bare_cluster.replace({**made, "data": {"color": "red"}})
    assert refusal.value.reason == "Conflict"


def test_a_watch_brings_what_happens_after_a_list(bare_cluster: Cluster):
    since = bare_cluster.list_page(CONFIG_MAP)["metadata"]["resourceVersion"]
    bare_cluster.create(a_config_map())
    bare_cluster.delete(CONFIG_MAP, "settings", "default")
    events = bare_cluster.watch(CONFIG_MAP, since=since)
    assert [next(events).type, next(events).type] == ["ADDED", "DELETED"]


def test_a_watch_ends_after_its_time(bare_cluster: Cluster):
    since = bare_cluster.list_page(CONFIG_MAP)["metadata"]["resourceVersion"]
    assert list(bare_cluster.watch(CONFIG_MAP, since=since, timeout_seconds=1)) == []


def test_a_kind_is_found_by_discovery(bare_cluster: Cluster):
    assert bare_cluster.kind_of({"apiVersion": "v1", "kind": "Namespace"}) == NAMESPACE


def test_a_kind_that_is_not_served_is_an_input_error(bare_cluster: Cluster):
    with pytest.raises(InputError, match=r'no matches for kind "Widget" in version "example\.com/v1"'):
        bare_cluster.create({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}})


def test_getting_an_object_of_a_kind_that_is_not_served_is_a_refusal(bare_cluster: Cluster):
    with pytest.raises(ApiError) as refusal:
        bare_cluster.get(WIDGET, "w", "default")
    assert refusal.value.code == 404


def test_an_unreachable_server_is_a_lab_error_that_says_what_to_do(api_kubeconfig: Path, tmp_path: Path):
    broken = tmp_path / "broken"
    broken.write_text(api_kubeconfig.read_text().replace("https://127.0.0.1:", "https://127.0.0.1:1/#"))
    with pytest.raises(LabError, match=r"does not answer[^\n]*\n  do: "):
        open_cluster(broken, None, "lab").list(NAMESPACE)


def test_a_missing_context_is_an_input_error(api_kubeconfig: Path):
    with pytest.raises(InputError, match="elsewhere"):
        open_cluster(api_kubeconfig, "elsewhere", "lab")


def test_a_missing_kubeconfig_is_an_input_error(tmp_path: Path):
    with pytest.raises(InputError, match="nowhere"):
        open_cluster(tmp_path / "nowhere", None, "lab")


def test_a_kubeconfig_that_says_more_is_left_to_the_library(api_kubeconfig: Path, tmp_path: Path):
    said = json.loads(api_kubeconfig.read_text())
    said["clusters"][0]["cluster"]["tls-server-name"] = "localhost"
    path = tmp_path / "other"
    path.write_text(json.dumps(said))
    assert open_cluster(path, None, "lab").get(NAMESPACE, "default")


def test_a_token_kubeconfig_needs_no_heavy_import(api_kubeconfig: Path):
    program = (
        "import sys; from pathlib import Path; from bgplab.lab.cluster import NAMESPACE\n"
        "from bgplab.lab.kubernetes_cluster import open_cluster\n"
        "print(len(open_cluster(Path(sys.argv[1]), None, 'lab').list(NAMESPACE)), 'kubernetes' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", program, str(api_kubeconfig)], capture_output=True, text=True)
    assert said.stdout.split() == ["4", "False"], said.stderr
