"""`kubectl get service NAME -o json`."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address

from bgplab.lab.cluster import SERVICE, Cluster, Manifest


@dataclass(frozen=True, slots=True)
class ServiceSeen:
    """A Service object. ingress: `.status.loadBalancer.ingress[].ip`, in order. satisfied: its LB-IPAM condition."""

    name: str
    namespace: str
    type: str
    cluster_ip: IPv4Address | None
    ingress: tuple[IPv4Address, ...]
    external_traffic_policy: str
    ports: tuple[int, ...]
    satisfied: str | None

    @property
    def vip(self) -> IPv4Address | None:
        """The address LoadBalancer clients use; None until one is assigned."""
        return self.ingress[0] if self.ingress else None


@dataclass(frozen=True, slots=True)
class AppService:
    """The sample application's Service; None when there is none."""

    service: ServiceSeen | None


def read_service(cluster: Cluster, name: str, namespace: str) -> AppService:
    item = cluster.get(SERVICE, name, namespace)
    return AppService(parse_service(item) if item else None)


def parse_service(item: Manifest) -> ServiceSeen:
    spec, status = item.get("spec", {}), item.get("status", {})
    address = spec.get("clusterIP")
    given = [entry["ip"] for entry in (status.get("loadBalancer") or {}).get("ingress") or [] if "ip" in entry]
    conditions = {condition["type"]: condition for condition in status.get("conditions") or []}
    return ServiceSeen(
        item["metadata"]["name"],
        item["metadata"].get("namespace", "default"),
        spec.get("type", "ClusterIP"),
        IPv4Address(address) if address and address != "None" else None,
        tuple(IPv4Address(ip) for ip in given if ":" not in ip),
        spec.get("externalTrafficPolicy", "Cluster"),
        tuple(port["port"] for port in spec.get("ports", [])),
        (conditions.get("cilium.io/IPAMRequestSatisfied") or {}).get("reason"),
    )
