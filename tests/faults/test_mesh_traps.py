"""The traps that users of ClusterMesh fall into, each made in a real mesh and named by a check, with its cause."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from lab_faults import patched, typed
from mesh_bench import MeshBench, annotated

from bgplab.backends.embedded import launch
from bgplab.backends.embedded.hosts.userland import is_ready, userland_directory
from bgplab.errors import DeadlineExceeded
from bgplab.lab import directory as labs
from bgplab.lab.cluster import CONFIG_MAP, NAMESPACE, SERVICE
from bgplab.lab.opening import open_lab
from bgplab.spec.cilium_install import clustermesh_secret, remotes_of
from bgplab.spec.loading import load_lab
from bgplab.spec.mesh_manifests import GLOBAL, SHARED

SYSTEM = "kube-system"


@pytest.fixture(scope="module")
def bench() -> Iterator[MeshBench]:
    if not is_ready(userland_directory()):
        pytest.skip("the hosts' userland is not in the cache: run `make setup`")
    spec, name = load_lab("mesh"), f"faults-mesh-{os.getpid()}"
    started = launch.up(spec, name, holder="tests/faults")
    try:
        yield MeshBench(open_lab(labs.access_to(started.record)), spec)
    finally:
        started.lease.release()
        launch.down(name)


def test_the_same_cluster_id_is_named(bench: MeshBench) -> None:
    bench.reach("M02")
    wrong, right = ({"data": {"cluster-id": number}} for number in ("1", "2"))
    with patched(bench.east, CONFIG_MAP, "cilium-config", wrong, right, SYSTEM):
        bench.fails(
            "M02",
            "east: its cluster-id is '1', expected '2'; west and east have the same cluster-id 1:"
            " Cilium will not connect them",
        )
    bench.holds("M02")


def test_different_authorities_are_named(bench: MeshBench) -> None:
    bench.reach("M03")
    bench.undo("M03")
    bench.fails("M03", r"the clusters' authorities \(cilium-ca\) differ: west has [0-9A-F:]+…, east has [0-9A-F:]+…")
    assert bench.do("M03").outcome == "changed"
    bench.holds("M03")


def test_an_authority_replaced_after_it_has_signed_is_named_and_enabling_again_mends_it(bench: MeshBench) -> None:
    bench.reach("M04")
    bench.undo("M03")
    bench.fails(
        "M04",
        r"east: certificates of clustermesh-apiserver \(admin, remote, server\) are signed by another authority .*",
    )
    assert bench.do("M03").outcome == "changed"
    bench.holds("M04")


def test_the_same_node_port_is_named(bench: MeshBench) -> None:
    bench.reach("M04")
    wrong, right = ([{"op": "replace", "path": "/spec/ports/0/nodePort", "value": port}] for port in (32379, 32380))
    with patched(bench.east, SERVICE, "clustermesh-apiserver", wrong, right, SYSTEM, type="json"):
        bench.fails("M04", "west and east have the same node port 32379: agents that reconnect reach .*#24692.*")
    bench.holds("M04")


def test_no_route_between_the_node_networks_is_named(bench: MeshBench) -> None:
    bench.reach("M04")
    east = bench.spec.clusters[1]
    with ExitStack() as faults:
        for node in bench.spec.clusters[0].nodes:
            host = bench.lab.hosts[node.name]
            for other in east.nodes:
                route = f"unreachable {other.address}/32"
                faults.enter_context(typed(host, f"ip route add {route}", f"ip route del {route}"))
        with pytest.raises(DeadlineExceeded, match="Waiting for initial connection"):
            bench.do("M05", seconds=12)
        bench.stage = "M05"
        bench.fails(
            "M05",
            "west is not connected to east: .*"
            r"west-worker does not reach east's node at port 32380: No route to host \(is there a route .*",
        )
    bench.holds("M05")


def test_a_connection_in_one_direction_only_is_named(bench: MeshBench) -> None:
    bench.reach("M05")
    bench.undo("M05")
    bench.west.apply(clustermesh_secret(remotes_of(bench.spec, bench.spec.clusters[0])))
    bench.fails(
        "M05",
        r".*east is not told of west \(Secret cilium-clustermesh\); the connection is one-way, as west is told of .*",
    )
    assert bench.do("M05").outcome == "changed"
    bench.holds("M05")


def test_an_annotation_that_is_missing_on_one_side_is_named(bench: MeshBench) -> None:
    bench.reach("M08")
    with annotated(bench.east, {GLOBAL: None}, {GLOBAL: "true"}):
        bench.fails("M08", 'east: Service default/webpod is not global .* is not "true"\\)')
    with annotated(bench.east, {SHARED: "false"}, {SHARED: None}):
        bench.fails("M08", "east: Service default/webpod is not shared .*")
    bench.holds("M08")


def test_another_namespace_is_named(bench: MeshBench) -> None:
    bench.reach("M08")
    service = bench.east.get(SERVICE, "webpod", "default")
    assert service is not None
    ports, annotations = [{"port": 80, "targetPort": 80}], {GLOBAL: "true"}
    moved = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "webpod", "namespace": "shop", "annotations": annotations},
        "spec": {"selector": {"app": "webpod"}, "ports": ports},
    }
    bench.east.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
    bench.east.apply(moved)
    bench.east.delete(SERVICE, "webpod", "default")
    bench.fails(
        "M08",
        "east has no Service default/webpod; its global Service is shop/webpod: namespace and name must be the same .*",
    )
    bench.east.delete(SERVICE, "webpod", "shop")
    bench.east.delete(NAMESPACE, "shop")
    assert bench.do("M08").outcome == "changed"
    bench.holds("M08")


def test_every_step_is_undone_and_done_again(bench: MeshBench) -> None:
    bench.reach("M14")
    for id in ("M14", "M09", "M08", "M07", "M05", "M04", "M03", "M02"):
        assert bench.undo(id).outcome == "changed", id
        assert bench.undo(id).outcome == "already", id
    bench.stage = "M01"
    bench.holds("M01")
    bench.reach("M14")
    for id in ("M02", "M03", "M04", "M05", "M06", "M07", "M08", "M09", "M14"):
        bench.holds(id)
