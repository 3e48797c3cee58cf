"""The routers' FRR configuration as text: what is there from the start (G07), and what is typed to add peers (G08)."""

from __future__ import annotations

from bgplab.spec.derived import bgp_nodes
from bgplab.spec.model import LabSpec, Router


def base_config(router: Router) -> str:
    """`/etc/frr/frr.conf` of a router that has no neighbour yet (FRR 8.4, integrated configuration)."""
    head = ["frr defaults traditional", f"hostname {router.name}", "log syslog informational"]
    head += ["no ipv6 forwarding", "service integrated-vtysh-config"]
    return "\n".join([*head, "!", *_bgp_block(router), "!", ""])


def base_lines(router: Router) -> tuple[str, ...]:
    """The lines of G07 that a running configuration must have, without their indentation."""
    return tuple(line.strip() for line in _bgp_block(router) if line.strip() not in _FRAME)


_FRAME = {"!", "exit", "address-family ipv4 unicast", "exit-address-family"}


def _bgp_block(router: Router) -> list[str]:
    return [
        f"router bgp {router.asn}",
        f" bgp router-id {router.identifier}",
        " no bgp ebgp-requires-policy",
        " bgp graceful-restart",
        " bgp bestpath as-path multipath-relax",
        " !",
        " address-family ipv4 unicast",
        *(f"  network {network}" for network in router.networks),
        *_maximum_paths(router),
        " exit-address-family",
        "exit",
    ]


def _maximum_paths(router: Router) -> list[str]:
    """Nothing for what FRR was built with: a running configuration never shows its own default (seen in 8.4.4)."""
    return [] if router.maximum_paths == _BUILT_IN_PATHS else [f"  maximum-paths {router.maximum_paths}"]


_BUILT_IN_PATHS = 256


def peer_lines(spec: LabSpec, router: Router) -> tuple[str, ...]:
    """The lines of G08 that the configuration gains: the peer group, and a neighbour per node with BGP."""
    group = router.peer_group
    neighbours = (f"neighbor {node.address} peer-group {group}" for node in bgp_nodes(spec))
    return (f"neighbor {group} peer-group", f"neighbor {group} remote-as external", *neighbours)


def peer_commands(spec: LabSpec, router: Router) -> tuple[str, ...]:
    """What is typed into vtysh to add the peers and keep them, one per `-c`. Typing it again changes nothing."""
    return ("configure terminal", f"router bgp {router.asn}", *peer_lines(spec, router), "end", "write memory")
