"""A run of flow cluster-mesh, made by hand, with names that must be escaped."""

from __future__ import annotations

from bgplab.checks.finding import Verdict
from bgplab.results.record import (
    CheckResult,
    ConvergenceResult,
    LoadTestResult,
    MeshLink,
    Run,
    Topology,
    TopologyHost,
    TruthCell,
)

SECOND = 1_000_000_000


def host(cluster: str, name: str, pod: str) -> TopologyHost:
    return TopologyHost(
        f"{cluster}-{name}", "node", None, ("172.18.0.3",), ("kind",), ("10.0.0.0/24",), (pod,), cluster
    )


def requests(nodes: list[str | None], start: int = 0) -> dict[str, list[object]]:
    rows = range(len(nodes))
    return {
        "sequence": list(rows),
        "start_ns": [start + place * SECOND // 10 for place in rows],
        "connect_us": [300] * len(nodes),
        "first_byte_us": [500] * len(nodes),
        "total_us": [900] * len(nodes),
        "source_address": ["10.0.0.4"] * len(nodes),
        "source_port": [20000 + place for place in rows],
        "backend": [f"webpod-{node}" if node else None for node in nodes],
        "remote_address": [None] * len(nodes),
        "status": [200 if node else None for node in nodes],
        "error": ["" if node else "refused" for node in nodes],
        "node": list(nodes),
    }


TOPOLOGY = Topology(
    hosts=(host("west", "a", "webpod-1"), host("west", "b", "<b>pod</b>"), host("east", "a", "webpod-3")),
    subnets={"kind": "172.18.0.0/16"},
    links=(MeshLink("west", "east", 2, 2), MeshLink("east", "west", 1, 2, "connection refused <by> etcd")),
)
CELLS = (
    TruthCell("west", "local", True, True, True, {"west": 2}, {"west": 40}, settled_seconds=0.1),
    TruthCell("east", "local", True, True, True, {"east": 2}, {"east": 20, "west": 20}, wrong="1 of west answered"),
    TruthCell(
        "west", "none", True, True, True, {"west": 2}, {"west": 40}, known="the word `none` (Cilium from 1.18.0 on)"
    ),
    TruthCell("west", "local", False, False, True, {}, {}, {"unreachable": 20}),
)


def mesh_run() -> Run:
    """A load test, a failover and four cells of the truth table."""
    load = LoadTestResult(
        "M10 from west", "west's client", "affinity absent", None, "http://webpod/", "default/curl-pod",
        requests(["west-a", "west-b", "east-a", "east-a"]), check_id="M10", verdict=Verdict.HOLDS,
    )  # fmt: skip
    event = ConvergenceResult(
        "M12 failover", "Failover", "west: scaled to 0", "east answers", Verdict.HOLDS, "so it was", 0.1,
        requests(["west-a", "west-a", None, "east-a", "east-a"]), SECOND // 10, SECOND // 5, SECOND // 5, 5, 1,
        0.1, 0.2, figures={"settled_seconds": 0.2, "converged_seconds": 0.15}, check_id="M12",
    )  # fmt: skip
    checks = tuple(CheckResult(id, "claim", Verdict.HOLDS, "so it is") for id in ("M10", "M12", "M15"))
    return Run(
        "cluster-mesh", "mesh", "20261124T000000Z-000000", 0, 20.0, checks,
        load_tests=(load,), convergence=(event,), topology=TOPOLOGY, truth_table=CELLS,
    )  # fmt: skip
