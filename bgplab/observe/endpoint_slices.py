"""`kubectl get endpointslices -l kubernetes.io/service-name=NAME`."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address

from bgplab.lab.cluster import ENDPOINT_SLICE, Cluster, Manifest


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint with its conditions; absent conditions mean what the API says they mean (ready unless said not)."""

    address: IPv4Address
    node: str | None
    pod: str | None
    ready: bool = True
    terminating: bool = False


@dataclass(frozen=True, slots=True)
class Endpoints:
    """All endpoints of one Service, over its slices."""

    endpoints: tuple[Endpoint, ...]

    @property
    def ready(self) -> tuple[Endpoint, ...]:
        """Those that get traffic. Cilium 1.18 counts neither unready nor terminating ones (cilium-observed.md)."""
        return tuple(entry for entry in self.endpoints if entry.ready and not entry.terminating)


def read_endpoints(cluster: Cluster, service: str, namespace: str) -> Endpoints:
    slices = cluster.list(ENDPOINT_SLICE, namespace, labels=f"kubernetes.io/service-name={service}")
    return parse_endpoints(slices)


def parse_endpoints(slices: list[Manifest]) -> Endpoints:
    return Endpoints(
        tuple(
            Endpoint(
                IPv4Address(entry["addresses"][0]),
                entry.get("nodeName"),
                (entry.get("targetRef") or {}).get("name"),
                (entry.get("conditions") or {}).get("ready") is not False,
                bool((entry.get("conditions") or {}).get("terminating")),
            )
            for item in slices
            if item.get("addressType", "IPv4") == "IPv4"
            for entry in item.get("endpoints") or []
        )
    )
