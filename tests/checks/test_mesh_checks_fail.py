"""Every check of the mesh fails for its own reason; among them the traps that users fall into."""

# ruff: noqa: E501  (the faults are a table, one line each)

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Network

import pytest
from mesh_world import ANOTHER, MeshWorld, crossing, mesh_spec, probe_of, right_cell, right_mesh

from bgplab.checks.all import all_checks
from bgplab.checks.finding import Verdict
from bgplab.checks.mesh_expected import MeshExpected
from bgplab.observe.endpoint_slices import Endpoints
from bgplab.observe.hosts import HostsAnswering
from bgplab.observe.kernel_routes import NodeRoutes, RouteTable
from bgplab.observe.mesh_agents import MeshAgents, MeshBackends, MeshNodeLists, RemoteSeen
from bgplab.observe.mesh_connections import MeshApiServers, MeshConnections, MeshReach
from bgplab.observe.mesh_failover import FailedOver, Restored
from bgplab.observe.mesh_install import MeshInstalled
from bgplab.observe.mesh_load import CurlSeen, MeshLoads
from bgplab.observe.mesh_nodes import MeshNodes
from bgplab.observe.mesh_services import MeshEndpoints, MeshPods, MeshServices
from bgplab.observe.mesh_truth_table import TruthTable
from bgplab.traffic.mesh_model import State

MESH = mesh_spec()
Break = Callable[[MeshWorld], MeshWorld]
BOTH_UP = frozenset({"west", "east"})


def west_node(**changes: object) -> Break:
    """West's worker, seen differently."""

    def apply(world: MeshWorld) -> MeshWorld:
        control, worker = world.seen[MeshNodes].by_cluster["west"]
        return world.in_cluster(MeshNodes, "west", (control, replace(worker, **changes)))

    return apply


def config(cluster: str, **values: str) -> Break:
    def apply(world: MeshWorld) -> MeshWorld:
        found = world.seen[MeshInstalled].by_cluster[cluster]
        given = {key.replace("_", "-"): value for key, value in values.items()}
        return world.changed(MeshInstalled, cluster, config={**found.config, **given})

    return apply


def installed(cluster: str, **changes: object) -> Break:
    return lambda world: world.changed(MeshInstalled, cluster, **changes)


def server(cluster: str, **changes: object) -> Break:
    return lambda world: world.changed(MeshApiServers, cluster, **changes)


def agents(cluster: str, status: str) -> Break:
    """No agent of the cluster is connected to the other one."""

    def apply(world: MeshWorld) -> MeshWorld:
        seen = world.seen[MeshAgents].by_cluster[cluster]
        (other,) = {"west", "east"} - {cluster}
        lost = {
            node: replace(agent, remotes={other: RemoteSeen(other, False, status=status)})
            for node, agent in seen.items()
        }
        return world.in_cluster(MeshAgents, cluster, lost)

    return apply


def unconfigured(cluster: str) -> Break:
    """The cluster is told of nobody."""

    def apply(world: MeshWorld) -> MeshWorld:
        seen = world.seen[MeshAgents].by_cluster[cluster]
        alone = {node: replace(agent, remotes={}) for node, agent in seen.items()}
        return world.in_cluster(MeshAgents, cluster, alone).in_cluster(MeshConnections, cluster, {})

    return apply


def reach(cluster: str, other: str, fault: str) -> Break:
    def apply(world: MeshWorld) -> MeshWorld:
        nodes = {node.name for node in world.expected.cluster(cluster).nodes}
        seen = world.seen[MeshReach].by_node
        return world.but(MeshReach({node: {other: fault} if node in nodes else told for node, told in seen.items()}))

    return apply


def service(cluster: str, **changes: object) -> Break:
    def apply(world: MeshWorld) -> MeshWorld:
        dns, app = world.seen[MeshServices].by_cluster[cluster]
        return world.in_cluster(MeshServices, cluster, (dns, replace(app, **changes)))

    return apply


def backends(change: Callable[[tuple], tuple]) -> Break:
    """West's agents list other backends."""

    def apply(world: MeshWorld) -> MeshWorld:
        seen = world.seen[MeshBackends].by_cluster["west"]
        return world.in_cluster(MeshBackends, "west", {node: change(listed) for node, listed in seen.items()})

    return apply


def pods(cluster: str, change: Callable[[tuple], tuple]) -> Break:
    def apply(world: MeshWorld) -> MeshWorld:
        seen = world.seen[MeshPods].by_cluster[cluster]
        return world.in_cluster(MeshPods, cluster, replace(seen, pods=change(seen.pods)))

    return apply


def answers(change: Callable[[MeshExpected], list[str]], source: str = "10.0.0.4", error: str = "") -> Break:
    """West's client is answered by these, in turn."""

    def apply(world: MeshWorld) -> MeshWorld:
        who, count = change(world.expected), len(world.seen[MeshLoads].by_cluster["west"])
        rows = [(number, None if error else who[number % len(who)], error) for number in range(count)]
        return world.in_cluster(MeshLoads, "west", probe_of("default/curl-pod", rows, source))

    return apply


def everyone(expected: MeshExpected) -> list[str]:
    return sorted(expected.sides.homes)


def own(expected: MeshExpected) -> list[str]:
    return sorted(expected.local("west"))


def lopsided(expected: MeshExpected) -> list[str]:
    return [*everyone(expected), everyone(expected)[0]]


def crossed(kind: type, replicas: int, change: Callable[[int, str | None], tuple[str | None, str]]) -> Break:
    """The request that began at so many milliseconds, seen differently."""

    def apply(world: MeshWorld) -> MeshWorld:
        right = crossing(world.spec, replicas)
        rows = [(at * 10, *change(at * 10, pod)) for at, pod in enumerate(right.probe.columns["backend"])]
        return world.but(kind(replace(right, probe=probe_of("default/curl-pod", rows))))

    return apply


def cell(state: State, client: str, **changes: object) -> Break:
    def apply(world: MeshWorld) -> MeshWorld:
        table = world.seen[TruthTable]
        made = replace(right_cell(world.spec, state, client), **changes)
        return world.but(
            replace(
                table,
                cells=tuple(
                    made if (each.state, each.client.cluster) == (state, client) else each for each in table.cells
                ),
            )
        )

    return apply


def both(*breaks: Break) -> Break:
    def apply(world: MeshWorld) -> MeshWorld:
        for one in breaks:
            world = one(world)
        return world

    return apply


def instead(observation: object) -> Break:
    return lambda world: world.but(observation)


def moved(world: MeshWorld) -> MeshWorld:
    """East's application is in another namespace."""
    emptied = world.in_cluster(MeshEndpoints, "east", Endpoints(()))
    return service("east", namespace="shop")(emptied)


HOSTS = {node.name: node.name for cluster in MESH.clusters for node in cluster.nodes}
NOBODY = State("local", frozenset({"east"}), False)
ROUTELESS = "No route to host"
REFUSED_TLS = "tls: failed to verify certificate: x509: certificate signed by unknown authority"

#: check, stage → what is broken → what the reason must say.
FAULTS: list[tuple[str, str, Break, str]] = [
    ("M01", "M01", instead(HostsAnswering({k: v for k, v in HOSTS.items() if k != "east-worker"}, {"east-worker": "refused"})), "east-worker does not answer: refused"),
    ("M01", "M01", lambda w: w.in_cluster(MeshNodes, "east", w.seen[MeshNodes].by_cluster["east"][:1]), r"east: nodes .*missing east-worker"),
    ("M01", "M01", west_node(unready=None), "west: Ready without a CNI: west-worker"),
    ("M01", "M01", west_node(pod_cidr=IPv4Network("10.1.1.0/24")), "pod CIDRs overlap: west/west-worker has 10.1.1.0/24, east/east-worker has 10.1.1.0/24"),
    ("M02", "M02", west_node(unready="cni plugin not initialized"), r"west: not Ready: west-worker \(cni plugin not initialized\)"),
    ("M02", "M02", config("east", cluster_id="1"), r"east: its cluster-id is '1', expected '2'; west and east have the same cluster-id 1: Cilium will not connect them"),
    ("M02", "M02", config("east", cluster_name="west"), "west and east have the same cluster-name west"),
    ("M02", "M02", config("east", max_connected_clusters="511"), "max-connected-clusters differ"),
    ("M02", "M02", installed("west", version="1.18.0"), r"west: Cilium 1\.18\.0 breaks global Services: .*unnamed Service port"),
    ("M02", "M02", installed("west", version="1.17.5"), r"west: agents are Cilium 1\.17\.5, expected 1\.17\.6"),
    ("M02", "M02", installed("west", version=None), "west: there is no DaemonSet cilium"),
    ("M03", "M03", installed("east", authority=ANOTHER), r"authorities \(cilium-ca\) differ: west has AA:.*, east has BB:"),
    ("M03", "M03", installed("east", authority=None), "east: no Secret cilium-ca"),
    ("M04", "M04", server("east", node_port=32379), "west and east have the same node port 32379: agents that reconnect reach their own cluster's apiserver .*#24692"),
    ("M04", "M04", server("east", type="LoadBalancer"), "east: Service clustermesh-apiserver is LoadBalancer, expected NodePort"),
    ("M04", "M04", server("east", ready=0), "east: no clustermesh-apiserver is ready"),
    ("M04", "M04", installed("east", authority=ANOTHER), r"east: certificates of clustermesh-apiserver \(admin, remote, server\) are signed by another authority"),
    ("M05", "M05", unconfigured("east"), r"east is not told of west \(Secret cilium-clustermesh\); the connection is one-way, as west is told of east"),
    ("M05", "M05", both(unconfigured("east"), unconfigured("west")), r"^west is not told of east \(Secret cilium-clustermesh\); east is not told of west \(Secret cilium-clustermesh\)$"),
    ("M05", "M05", both(agents("west", "Waiting for initial connection to be established"), reach("west", "east", ROUTELESS)), "west is not connected to east: .*west-worker does not reach east's node at port 32380: No route to host .*route between the node networks"),
    ("M05", "M05", both(agents("west", REFUSED_TLS), installed("east", authority=ANOTHER)), "west is not connected to east: .*unknown authority.*authorities .* differ"),
    ("M05", "M05", both(agents("west", "clusterID 1 is already used"), config("east", cluster_id="1")), "clusterID 1 is already used.*west and east have the same cluster-id 1"),
    ("M05", "M05", server("east", node_port=32999), "west looks for east at port 32380, its node port is 32999"),
    ("M05", "M05", lambda w: w.in_cluster(MeshConnections, "west", {"east": replace(w.seen[MeshConnections].by_cluster["west"]["east"], address="172.18.0.77")}), "west looks for east at 172.18.0.77, which is none of its nodes"),
    ("M06", "M06", lambda w: w.in_cluster(MeshNodeLists, "west", {n: rows[:2] for n, rows in w.seen[MeshNodeLists].by_cluster["west"].items()}), "west-worker: node list: missing east/east-control-plane"),
    ("M06", "M06", lambda w: w.in_cluster(MeshNodeLists, "west", {n: tuple(replace(row, pod_cidr=IPv4Network("10.0.0.0/16")) if row.name == "east-worker" else row for row in rows) for n, rows in w.seen[MeshNodeLists].by_cluster["west"].items()}), "pod CIDRs overlap: west/west-control-plane has 10.0.0.0/24, east/east-worker has 10.0.0.0/16"),
    ("M06", "M06", lambda w: w.but(NodeRoutes({**w.seen[NodeRoutes].by_node, "west-worker": RouteTable(())})), r"west-worker: the route to the pods of east/east-worker \(10.1.1.0/24\) is missing, expected via 172.18.0.4"),
    ("M07", "M07", west_node(taints=("node-role.kubernetes.io/control-plane:NoSchedule",)), "west-worker has the taint node-role.kubernetes.io/control-plane:NoSchedule"),
    ("M08", "M08", service("east", is_global=False), r'^east: Service default/webpod is not global \(annotation service.cilium.io/global is not "true"\)$'),
    ("M08", "M08", service("east", shared=False), "east: Service default/webpod is not shared"),
    ("M08", "M08", moved, "east has no Service default/webpod; its global Service is shop/webpod: namespace and name must be the same in every cluster"),
    ("M08", "M08", service("east", name="web"), "east has no Service default/webpod; its global Service is default/web: namespace and name"),
    ("M08", "M08", backends(lambda listed: listed[:2]), "west-worker: backends of webpod: missing webpod-east-control-plane, webpod-east-worker"),
    ("M08", "M08", pods("west", lambda seen: tuple(replace(p, ready=False) if p.node == "west-worker" else p for p in seen)), "west: 1 of 2 pods of webpod are ready"),
    ("M08", "M08", pods("west", lambda seen: tuple(replace(p, node="west-worker") for p in seen)), "west: more than one pod on west-worker"),
    ("M09", "M09", pods("east", lambda seen: seen[:-1]), "east: curl-pod is missing, expected Running on east-control-plane"),
    ("M10", "M10", answers(own), "from west: got nothing of .*: east-control-plane, east-worker"),
    ("M10", "M10", answers(lopsided), "from west: .* expected 25.0%"),
    ("M10", "M10", answers(everyone, source="172.18.0.3"), "from west: pods saw 172.18.0.3 instead of 10.0.0.4"),
    ("M10", "M10", answers(everyone, error="timeout_connect"), "from west: .* connections failed .*timeout_connect"),
    ("M11", "M11", answers(everyone), "from west: answered but may not: east-control-plane"),
    ("M11", "M11", backends(lambda listed: tuple(replace(one, preferred=False) for one in listed)), "west-worker: preferred backends: missing webpod-west-control-plane"),
    ("M11", "M11", backends(lambda listed: listed[:2]), "west-worker: backends: missing webpod-east-control-plane"),
    ("M12", "M12", crossed(FailedOver, 0, lambda at, pod: ("webpod-west-worker" if at > 1500 else pod, "")), "after it had settled answered: unexpected webpod-west-worker"),
    ("M12", "M12", crossed(FailedOver, 0, lambda at, pod: (None, "timeout_connect") if at == 1500 else (pod, "")), "after it had settled 1 of 120 requests failed"),
    ("M12", "M12", crossed(FailedOver, 0, lambda at, pod: ("webpod-east-worker" if at < 100 else pod, "")), "before answered: unexpected webpod-east-worker"),
    ("M13", "M13", crossed(Restored, 2, lambda at, pod: ("webpod-east-worker" if at > 1500 else pod, "")), "after it had settled answered: unexpected webpod-east-worker"),
    ("M13", "M13", lambda w: w.but(Restored(crossing(w.spec, 0))), "west was scaled to 0, not 2"),
    ("M14", "M14", answers(everyone), "from west: answered but may not: west-control-plane"),
    ("M14", "M14", backends(lambda listed: tuple(replace(one, preferred=not one.preferred) for one in listed)), "preferred backends: missing webpod-east-control-plane.*unexpected webpod-west-control-plane"),
    ("M15", "M15", cell(State("local", BOTH_UP, True), "west", answered={"webpod-east-worker": 20, "webpod-west-worker": 20}), "west, affinity local, local ready, remote east shared: 1 of east, 1 of west answered, expected 2 of west"),
    ("M15", "M15", cell(NOBODY, "west", answered={}, errors={"timeout_connect": 5}), "west, affinity local, local none, remote east not shared: nobody can answer: 5 timeout_connect, expected EHOSTUNREACH"),
    ("M15", "M15", cell(NOBODY, "west", curl=CurlSeen(28, 1.0)), "nobody can answer: curl ended with 28, expected 7"),
    ("M15", "M15", cell(NOBODY, "west", slowest_failure_seconds=1.2), r"nobody can answer, and it took 1\.20 s to say so"),
    ("M15", "M15", cell(State("remote", BOTH_UP, True), "east", errors={"reset": 3}), r"east, affinity remote, local ready, remote west shared: 3 requests failed \(3 reset\)"),
    ("M15", "M15", lambda w: w.but(replace(w.seen[TruthTable], cells=w.seen[TruthTable].cells[:-3])), "3 of 64 cells were not made"),
]  # fmt: skip


@pytest.mark.parametrize(("id", "stage", "broken", "reason"), FAULTS, ids=[f"{f[0]}-{n}" for n, f in enumerate(FAULTS)])
def test_a_check_fails_and_names_what_is_broken(id: str, stage: str, broken: Break, reason: str) -> None:
    finding = broken(right_mesh(MESH, stage)).judge(id)
    assert finding.verdict is Verdict.FAILS, finding.reason
    assert re.search(reason, finding.reason, re.S), finding.reason


def test_every_check_of_the_mesh_is_seen_to_fail() -> None:
    assert {fault[0] for fault in FAULTS} == set(all_checks("M"))


def test_too_few_requests_after_a_failover_are_no_verdict() -> None:
    right = crossing(MESH, 0)
    late = replace(right, settled_ns=right.settled_ns + 1_100_000_000)
    finding = right_mesh(MESH, "M12").but(FailedOver(late)).judge("M12")
    assert finding.verdict is Verdict.INCONCLUSIVE
    assert "20 are needed" in finding.reason


def test_what_a_release_is_known_to_lose_is_named_as_its_bug() -> None:
    """On 1.18.0 remote backends of the unnamed port are missing: the guide's claim fails, and the reason says why."""
    world = right_mesh(mesh_spec(version="1.18.0"), "M10")
    finding = answers(own)(world).judge("M10")
    assert finding.verdict is Verdict.FAILS
    assert "known of this release: backends of an unnamed Service port do not reach other clusters" in finding.reason


def test_a_truth_table_as_known_of_a_release_holds_and_says_so() -> None:
    finding = right_mesh(mesh_spec(version="1.18.3"), "M15").judge("M15")
    assert finding.verdict is Verdict.HOLDS
    assert "as known of this release: the word `none` as affinity takes remote backends away" in finding.reason
    assert finding.figures["cells_that_deviate_as_known"]


def test_a_release_that_behaves_better_than_known_is_told_too() -> None:
    """A fix that came unnoticed: the documented set answers where the release is known to do otherwise."""
    spec = mesh_spec(version="1.18.3")
    state = State("none", BOTH_UP, True)
    everyone = dict.fromkeys(["webpod-west-control-plane", "webpod-west-worker", "webpod-east-control-plane", "webpod-east-worker"], 20)  # fmt: skip
    finding = cell(state, "west", answered=everyone)(right_mesh(spec, "M15")).judge("M15")
    assert finding.verdict is Verdict.FAILS
    assert "by the documented rules it is right; this release is known to do otherwise" in finding.reason


def test_with_three_clusters_a_missing_connection_names_its_two_ends() -> None:
    world = right_mesh(mesh_spec("three-clusters"), "M05")
    told = {name: to for name, to in world.seen[MeshConnections].by_cluster["north"].items() if name != "west"}
    finding = world.in_cluster(MeshConnections, "north", told).judge("M05")
    assert finding.reason.startswith("north is not told of west (Secret cilium-clustermesh); the connection is one-way")
    assert "east" not in finding.reason
