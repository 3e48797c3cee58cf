"""Load on the global Service from every cluster's client pod, by the Service's name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bgplab.lab.cluster import Cluster
from bgplab.observe.side_by_side import by_name
from bgplab.traffic.probe import probe_from_pod
from bgplab.traffic.records import Plan, Probe

#: Of one connection; a backend that is there answers in milliseconds, on a busy machine too.
CONNECT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Client:
    """A cluster's client pod, and the Service's URL as it is written there."""

    pod: str
    namespace: str
    url: str


@dataclass(frozen=True)
class MeshLoads:
    """By cluster whose client sent them."""

    by_cluster: Mapping[str, Probe]


def run_mesh_load(
    clusters: Mapping[str, Cluster], clients: Mapping[str, Client], requests: Mapping[str, int], concurrency: int
) -> MeshLoads:
    """All clients at the same time. requests: connections from each cluster."""

    def of(name: str) -> Probe:
        client = clients[name]
        plan = Plan(client.url, requests=requests[name], concurrency=concurrency, connect_timeout=CONNECT_SECONDS)
        return probe_from_pod(clusters[name], client.pod, plan, namespace=client.namespace)

    return MeshLoads(by_name(of, {name: name for name in clients}))


@dataclass(frozen=True, slots=True)
class CurlSeen:
    """One `curl` from a client pod: its exit status, and how long it took."""

    exit_status: int
    seconds: float


def curl_from_pod(cluster: Cluster, client: Client) -> CurlSeen:
    """The guide's own request: `curl -s --connect-timeout 1`. The seconds are curl's own."""
    argv = ["curl", "-s", "-o", "/dev/null", "--connect-timeout", "1", "-w", "%{time_total}", client.url]
    done = cluster.exec(client.pod, argv, namespace=client.namespace, timeout=20, check=False)
    return CurlSeen(done.exit_status, float(done.stdout.strip() or 0))
