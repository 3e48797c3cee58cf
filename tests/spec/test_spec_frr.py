from __future__ import annotations

from bgplab.spec.frr import base_config, base_lines, peer_commands
from bgplab.spec.loading import load_lab, scale_lab

# As `show running` prints it in the guide, without the version.
GUIDE_BASE = """\
frr defaults traditional
hostname router
log syslog informational
no ipv6 forwarding
service integrated-vtysh-config
!
router bgp 65000
 bgp router-id 192.168.10.200
 no bgp ebgp-requires-policy
 bgp graceful-restart
 bgp bestpath as-path multipath-relax
 !
 address-family ipv4 unicast
  network 10.10.1.0/24
  maximum-paths 4
 exit-address-family
exit
!
"""

GUIDE_PEERS = """\
  neighbor CILIUM peer-group
  neighbor CILIUM remote-as external
  neighbor 192.168.10.100 peer-group CILIUM
  neighbor 192.168.10.101 peer-group CILIUM
  neighbor 192.168.20.100 peer-group CILIUM
"""


def test_the_base_configuration_is_the_guides() -> None:
    assert base_config(load_lab("guide").routers[0]) == GUIDE_BASE


def test_the_lines_to_look_for_are_those_of_the_bgp_block() -> None:
    lines = base_lines(load_lab("guide").routers[0])
    assert lines[0] == "router bgp 65000"
    assert set(lines) == {line.strip() for line in GUIDE_BASE.splitlines()[6:]} - {
        "!",
        "exit",
        "address-family ipv4 unicast",
        "exit-address-family",
    }


def test_the_peers_are_added_as_in_the_guide() -> None:
    guide = load_lab("guide")
    typed = [line.strip() for line in GUIDE_PEERS.splitlines()]
    assert list(peer_commands(guide, guide.routers[0])) == [
        "configure terminal",
        "router bgp 65000",
        *typed,
        "end",
        "write memory",
    ]


def test_a_node_without_bgp_is_no_neighbour() -> None:
    guide = load_lab("guide", {"clusters[0].nodes[1].bgp": "false"})
    assert not any("192.168.10.101" in command for command in peer_commands(guide, guide.routers[0]))


def test_frrs_own_default_of_256_paths_is_not_looked_for() -> None:
    assert not any("maximum-paths" in line for line in base_lines(scale_lab(2).routers[0]))
