"""What `cilium-dbg` says about the mesh: texts and JSON as Cilium 1.17 prints them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv4Network

from mesh_objects import cilium_node, endpoint_slice, service

from bgplab.backends.embedded.agents.cilium_dbg.nodes import known_nodes, nodes_table, remote_nodes
from bgplab.backends.embedded.agents.cilium_dbg.services import ServiceIds, services_json, services_table
from bgplab.backends.embedded.agents.datapath.services import OtherClusters, services_of
from bgplab.backends.embedded.agents.mesh.remote_store import (
    RemoteBackend,
    RemoteConfig,
    RemoteNode,
    RemoteService,
)
from bgplab.backends.embedded.agents.mesh.status import MeshStatus, RemoteStatus, status_json, status_lines

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ALL = dict.fromkeys(("nodes", "endpoints", "identities", "services"), True)
READY = RemoteStatus(
    "east",
    connected=True,
    text="etcd: 1/1 connected, leases=0, lock leases=0, has-quorum=true: endpoint status checks are disabled, ID: abc",
    config=RemoteConfig(2, 255, True),
    synced=ALL,
    counts={"nodes": 2, "endpoints": 6, "identities": 4, "services": 1},
)
LOST = RemoteStatus(
    "north", config=RemoteConfig(3, 255, True), synced=ALL, failures=2, last_failure=NOW - timedelta(seconds=93)
)


def test_a_ready_cluster_is_told_in_four_lines_when_all_are_asked_for() -> None:
    assert status_lines(MeshStatus((READY,), 1), NOW, True) == [
        "ClusterMesh:\t1/1 remote clusters ready, 1 global-services",
        "   east: ready, 2 nodes, 6 endpoints, 4 identities, 1 services, 0 MCS-API service exports,"
        " 0 reconnections (last: never)",
        "   └  etcd: 1/1 connected, leases=0, lock leases=0, has-quorum=true:"
        " endpoint status checks are disabled, ID: abc",
        "   └  remote configuration: expected=true, retrieved=true, cluster-id=2, kvstoremesh=false,"
        " sync-canaries=true, service-exports=disabled",
        "   └  synchronization status: nodes=true, endpoints=true, identities=true, services=true",
    ]


def test_a_cluster_that_is_not_ready_is_told_without_being_asked_for() -> None:
    lines = status_lines(MeshStatus((READY, LOST)), NOW, False)
    assert lines[0] == "ClusterMesh:\t1/2 remote clusters ready, 0 global-services"
    assert lines[1].startswith("   north: not-ready, 0 nodes")
    assert lines[1].endswith("2 reconnections (last: 1m33s ago)")
    assert len(lines) == 5


def test_without_a_mesh_nothing_is_said() -> None:
    assert status_lines(MeshStatus(), NOW, True) == []
    assert status_json(MeshStatus()) == {"clusters": []}


def test_json_has_what_the_cilium_cli_reads_and_no_zeros() -> None:
    ready, lost = status_json(MeshStatus((READY, LOST), 1))["clusters"]
    assert (ready["ready"], ready["connected"], ready["num-nodes"], ready["synced"]) == (True, True, 2, ALL)
    assert ready["config"] == {"required": True, "retrieved": True, "cluster-id": 2, "sync-canaries": True}
    assert {"ready", "connected", "num-nodes"} & lost.keys() == set()
    assert (lost["num-failures"], lost["last-failure"]) == (2, "2026-01-02T03:02:32.000Z")


def test_nodes_of_all_clusters_are_listed_with_where_they_are_known_from() -> None:
    own = known_nodes([cilium_node("w1", "172.18.0.2", "10.0.1.0/24")], "w1", "west")
    others = remote_nodes([RemoteNode("east", "e1", IPv4Address("172.18.0.4"), IPv4Network("10.1.1.0/24"))])
    assert nodes_table([*own, *others]) == (
        "Name      IPv4 Address   Endpoint CIDR   IPv6 Address   Endpoint CIDR   Source\n"
        "east/e1   172.18.0.4     10.1.1.0/24                                    clustermesh\n"
        "west/w1   172.18.0.2     10.0.1.0/24                                    local\n"
    )


def webpod(affinity: str) -> tuple:
    remote = RemoteService("east", "default", "webpod", (RemoteBackend(IPv4Address("10.1.1.5"), 80, "tcp", ""),))
    annotations = {"service.cilium.io/global": "true", "service.cilium.io/affinity": affinity}
    return services_of([service(annotations=annotations)], [endpoint_slice("10.0.1.7")], OtherClusters((remote,)))


def test_services_are_listed_with_backends_of_all_clusters_and_the_preferred_marked() -> None:
    table = services_table(ServiceIds(()).rows(webpod("local")), affinity=True)
    assert [line.rstrip() for line in table.splitlines()] == [
        "ID   Frontend          Service Type   Backend",
        "1    10.3.7.7:80/TCP   ClusterIP      1 => 10.0.1.7:8080/TCP (active) (preferred)",
        "                                      2 => 10.1.1.5:80/TCP (active)",
    ]
    assert "(preferred)" not in services_table(ServiceIds(()).rows(webpod("local")), affinity=False)


def test_the_json_of_services_says_the_same_twice() -> None:
    (entry,) = services_json(ServiceIds(()).rows(webpod("remote")))
    assert entry["spec"] == entry["status"]["realized"]
    assert [(one["ip"], one.get("preferred", False)) for one in entry["spec"]["backend-addresses"]] == [
        ("10.0.1.7", False),
        ("10.1.1.5", True),
    ]


def test_a_frontend_keeps_its_number() -> None:
    ids, first = ServiceIds((IPv4Address("172.18.0.2"),)), webpod("")
    ids.rows(first)
    other = services_of(
        [{**service("a-first-by-name"), "spec": {"clusterIP": "10.3.7.8", "ports": [{"port": 80}]}}], []
    )
    assert [(row.number, row.service.name) for row in ids.rows([*other, *first])] == [
        (1, "webpod"),
        (2, "a-first-by-name"),
    ]
