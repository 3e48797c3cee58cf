"""What an agent reads when it starts: its image, `cilium-config` and `ip-masq-agent`. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from bgplab.lab.cluster import Manifest

#: What ip-masq-agent leaves alone when its configuration names nothing (Cilium 1.17, concepts/networking/masquerading).
DEFAULT_NON_MASQUERADE = (
    *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24"),
    *("192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4", "169.254.0.0/16"),
)


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """native_routing: destinations that see a pod's own address."""

    version: str
    cluster_name: str = "default"
    cluster_id: int = 0
    native_routing: tuple[IPv4Network, ...] = ()
    bgp: bool = True


def settings_of(
    image: str, config: Manifest | None, masquerade: Manifest | None, nodes: Iterable[IPv4Address]
) -> AgentSettings:
    """config, masquerade: the two ConfigMaps, None when they are not there. nodes: addresses of the cluster's."""
    said: Mapping[str, str] = (config or {}).get("data") or {}
    native = [said["ipv4-native-routing-cidr"]] if said.get("ipv4-native-routing-cidr") else []
    if said.get("enable-ip-masq-agent") == "true":
        native += _not_masqueraded((masquerade or {}).get("data") or {})
    return AgentSettings(
        version=image.rpartition(":")[2].removeprefix("v"),
        cluster_name=said.get("cluster-name", "default"),
        cluster_id=int(said.get("cluster-id", "0")),
        native_routing=(*map(IPv4Network, native), *map(IPv4Network, nodes)),
        bgp=said.get("enable-bgp-control-plane") == "true",
    )


def _not_masqueraded(data: Mapping[str, str]) -> list[str]:
    """The list of the configuration (YAML or JSON) replaces the default one."""
    import yaml  # here: only a cluster that installs Cilium itself has such a configuration

    written = yaml.safe_load(data.get("config", "")) or {}
    return list(written.get("nonMasqueradeCIDRs") or DEFAULT_NON_MASQUERADE)
