"""The lab itself is broken: hosts, nodes, Cilium (G01, G02)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fault_bench import Bench
from lab_faults import deleted, patched, typed

from bgplab.lab.cluster import CONFIG_MAP, DAEMON_SET, NODE

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("faults-pods")]


def test_g01_names_a_host_that_is_another_one(pods_bench: Bench) -> None:
    with typed(pods_bench.node("k8s-w1"), "hostname imposter", "hostname k8s-w1"):
        pods_bench.fails("G01", "k8s-w1 calls itself imposter")
    pods_bench.holds("G01")


def test_g01_names_a_host_that_does_not_answer(pods_bench: Bench, tmp_path: Path) -> None:
    right = pods_bench.access.ssh_config.read_text()
    wrong = tmp_path / "ssh_config"
    wrong.write_text(re.sub(r"(Host k8s-w0\n.*\n  Port) \d+", r"\1 9", right))
    pods_bench.opened_by(ssh_config=wrong).fails("G01", "k8s-w0 does not answer: k8s-w0: .*")


def test_g01_names_a_node_that_is_not_ready(pods_bench: Bench) -> None:
    before = pods_bench.cluster.get(NODE, "k8s-w0")
    assert before is not None
    right = before["status"]["conditions"]
    wrong = [{**each, "status": "False"} if each["type"] == "Ready" else each for each in right]
    with patched(
        pods_bench.cluster,
        NODE,
        "k8s-w0",
        {"status": {"conditions": wrong}},
        {"status": {"conditions": right}},
        subresource="status",
    ):
        pods_bench.fails("G01", "not Ready: k8s-w0")
    pods_bench.holds("G01")


def test_g01_names_a_node_that_the_cluster_lost(pods_bench: Bench) -> None:
    with deleted(pods_bench.cluster, NODE, "k8s-w0", status_too=True):
        pods_bench.fails("G01", r"nodes \(name, address, pod CIDR\): missing k8s-w0 192.168.20.100 172.20.2.0/24")
    pods_bench.holds("G01")


@pytest.mark.parametrize(
    ("setting", "due"), [("enable-bgp-control-plane", "true"), ("bgp-router-id-allocation-mode", "default")]
)
def test_g02_names_a_setting_of_cilium_that_is_wrong(pods_bench: Bench, setting: str, due: str) -> None:
    with patched(
        pods_bench.cluster,
        CONFIG_MAP,
        "cilium-config",
        {"data": {setting: "other"}},
        {"data": {setting: due}},
        "kube-system",
    ):
        pods_bench.fails("G02", f"{setting} is 'other', expected '{due}'")
    pods_bench.holds("G02")


def test_g02_cannot_tell_when_the_api_does_not_answer(pods_bench: Bench, tmp_path: Path) -> None:
    right = pods_bench.access.kubeconfig.read_text()
    wrong = tmp_path / "kubeconfig"
    wrong.write_text(re.sub(r"(https://127.0.0.1):\d+", r"\1:9", right))
    pods_bench.opened_by(kubeconfig=wrong).cannot_tell("G02", "could not be seen: .*refused.*")


def test_g02_names_a_node_without_a_cilium_pod(pods_bench: Bench) -> None:
    elsewhere = {"spec": {"template": {"spec": {"nodeSelector": {"kubernetes.io/hostname": "k8s-ctr"}}}}}
    everywhere = {"spec": {"template": {"spec": {"nodeSelector": None}}}}
    with patched(pods_bench.cluster, DAEMON_SET, "cilium", elsewhere, everywhere, "kube-system"):
        pods_bench.fails("G02", "cilium pods run: missing k8s-w0, k8s-w1")
    pods_bench.holds("G02")
