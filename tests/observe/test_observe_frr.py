"""What FRR 8.4 prints in, values out."""

from __future__ import annotations

import json
from ipaddress import IPv4Address, IPv4Network

import pytest

from bgplab.errors import LabError
from bgplab.observe.frr_bgp import BgpPath, SummaryPeer, parse_neighbors, parse_summary, parse_table, vtysh
from bgplab.observe.frr_config import parse_config
from bgplab.observe.frr_service import parse_log, parse_service

CTR = IPv4Address("192.168.10.100")
VIP = IPv4Network("172.16.1.1/32")

SUMMARY = {
    "routerId": "192.168.10.200",
    "as": 65000,
    "vrfId": 0,
    "vrfName": "default",
    "tableVersion": 1,
    "peers": {
        "192.168.10.100": {
            "remoteAs": 65001,
            "localAs": 65000,
            "version": 4,
            "peerUptime": "00:00:33",
            "peerUptimeMsec": 33000,
            "pfxRcd": 1,
            "pfxSnt": 4,
            "state": "Established",
            "peerState": "OK",
            "connectionsEstablished": 1,
            "connectionsDropped": 0,
            "idType": "ipv4",
        },
        "192.168.20.100": {
            "remoteAs": 0,
            "localAs": 65000,
            "peerUptime": "never",
            "pfxRcd": 0,
            "state": "Active",
            "connectionsEstablished": 0,
            "connectionsDropped": 0,
        },
    },
    "failedPeers": 1,
    "totalPeers": 2,
}


def test_a_summary_has_its_peers() -> None:
    seen = parse_summary(json.dumps(SUMMARY))
    assert (seen.router_id, seen.asn) == (IPv4Address("192.168.10.200"), 65000)
    assert seen.peers == (
        SummaryPeer(CTR, "Established", 65001, 1, 1, 0),
        SummaryPeer(IPv4Address("192.168.20.100"), "Active", 0, 0, 0, 0),
    )


def test_the_older_command_wraps_the_same_summary() -> None:
    assert parse_summary(json.dumps({"ipv4Unicast": SUMMARY})) == parse_summary(json.dumps(SUMMARY))


@pytest.mark.parametrize("text", ["% BGP instance not found\n", "{\n}\n", ""])
def test_a_router_without_bgp_has_an_empty_summary(text: str) -> None:
    seen = parse_summary(text)
    assert (seen.router_id, seen.asn, seen.peers) == (None, None, ())


def test_what_is_no_json_is_refused_with_the_command() -> None:
    with pytest.raises(LabError, match="show bgp ipv4 unicast summary json"):
        parse_summary("bgpd is not running")


def test_a_table_has_own_networks_and_paths_with_their_flags() -> None:
    own = {"valid": True, "bestpath": True, "pathFrom": "external", "peerId": "(unspec)", "path": ""}
    learned = {"valid": True, "multipath": True, "pathFrom": "external", "peerId": "192.168.10.100", "path": "65001"}
    stale = {"valid": True, "stale": True, "pathFrom": "external", "peerId": "192.168.20.100"}
    routes = {
        "10.10.1.0/24": [{**own, "nexthops": [{"ip": "0.0.0.0", "used": True}]}],
        "172.16.1.1/32": [
            {**learned, "bestpath": True, "selectionReason": "Older Path", "nexthops": [{"ip": "192.168.10.100"}]},
            {**stale, "nexthops": [{"ip": "192.168.20.100"}]},
        ],
    }
    seen = parse_table(json.dumps({"vrfName": "default", "routes": routes}))
    far = IPv4Address("192.168.20.100")
    assert seen.paths(IPv4Network("10.10.1.0/24"))[0].peer is None
    assert seen.paths(VIP) == (
        BgpPath(VIP, CTR, CTR, best=True, multipath=True, selection_reason="Older Path"),
        BgpPath(VIP, far, far, stale=True),
    )


def test_an_invalid_path_is_not_in_use() -> None:
    entry = {"valid": False, "pathFrom": "external", "peerId": "(unspec)", "nexthops": [{"ip": "0.0.0.0"}]}
    (path,) = parse_table(json.dumps({"routes": {"10.99.0.0/24": [entry]}})).all_paths
    assert (path.valid, path.in_use) == (False, False)


def test_an_established_neighbour_has_its_negotiated_timers() -> None:
    entry = {
        "remoteAs": 65001,
        "bgpState": "Established",
        "bgpTimerUpEstablishedEpoch": 1763996400,
        "bgpTimerConfiguredHoldTimeMsecs": 180000,
        "bgpTimerHoldTimeMsecs": 9000,
        "bgpTimerKeepAliveIntervalMsecs": 3000,
        "gracefulRestartInfo": {"endOfRibRecv": {"ipv4Unicast": True}},
        "lastResetDueTo": "No AFI/SAFI activated for peer",
    }
    (seen,) = parse_neighbors(json.dumps({"192.168.10.100": entry, "vrfId": 0, "vrfName": "default"}))
    assert (seen.hold_seconds, seen.keepalive_seconds, seen.end_of_rib) == (9, 3, True)


def test_a_neighbour_that_is_down_has_no_timers() -> None:
    entry = {"bgpState": "Active", "bgpTimerHoldTimeMsecs": 180000, "bgpTimerKeepAliveIntervalMsecs": 60000}
    (seen,) = parse_neighbors(json.dumps({"192.168.10.100": entry}))
    assert (seen.hold_seconds, seen.keepalive_seconds, seen.established_at) == (0, 0, None)


def test_several_commands_are_one_vtysh_session() -> None:
    assert vtysh("configure terminal", "end") == ["vtysh", "-c", "configure terminal", "-c", "end"]


RUNNING = """Building configuration...

Current configuration:
!
frr version 8.4.4
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
 neighbor CILIUM peer-group
 neighbor CILIUM remote-as external
 neighbor 192.168.10.100 peer-group CILIUM
 !
 address-family ipv4 unicast
  network 10.10.1.0/24
  maximum-paths 4
 exit-address-family
exit
!
end
"""


def test_a_running_configuration_gives_version_as_and_lines() -> None:
    seen = parse_config(RUNNING)
    assert (seen.version, seen.asn, seen.neighbors) == ("8.4.4", 65000, {CTR})
    assert {"network 10.10.1.0/24", "maximum-paths 4", "bgp graceful-restart"} <= set(seen.bgp_lines)
    assert "end" not in seen.bgp_lines


def test_a_configuration_without_bgp_has_no_as() -> None:
    seen = parse_config("frr version 8.4.4\nhostname router\n!\nline vty\n!\n")
    assert (seen.asn, seen.bgp_lines) == (None, ())


def test_frr_has_read_its_configuration_when_bgpd_started_after_the_write() -> None:
    times = "/etc/frr/frr.conf 1763996400.250000000\n/run/frr/bgpd.pid {}\n"
    assert parse_service("active\n" + times.format("1763996400.750000000")).has_read_its_configuration
    assert not parse_service("active\n" + times.format("1763996400.125000000")).has_read_its_configuration
    assert not parse_service("inactive\n" + times.format("1763996400.750000000")).has_read_its_configuration


def test_a_service_that_never_started_has_no_times() -> None:
    seen = parse_service("inactive\n")
    assert (seen.active, seen.started, seen.written, seen.has_read_its_configuration) == (False, None, None, False)


STARTED = """Aug 16 19:03:03 router watchfrr[4620]: [T83RR-8SM5G] watchfrr 8.4.4 starting: vty@0
Aug 16 19:03:03 router zebra[4633]: [VTVCM-Y2NW3] Configuration Read in Took: 00:00:00
Aug 16 19:03:03 router bgpd[4638]: [VTVCM-Y2NW3] Configuration Read in Took: 00:00:00
Aug 16 19:03:03 router staticd[4645]: [VTVCM-Y2NW3] Configuration Read in Took: 00:00:00
Aug 16 19:03:03 router watchfrr[4620]: [QDG3Y-BY5TN] bgpd state -> up : connect succeeded
Aug 16 19:03:03 router watchfrr[4620]: [KWE5Q-QNGFC] all daemons up, doing startup-complete notify
"""
END_OF_RIB = (
    "Aug 16 19:09:26 router bgpd[4638]: [M59KS-A3ZXZ] bgp_update_receive: rcvd End-of-RIB for IPv4 Unicast from"
    " 192.168.10.100 in vrf default\n"
)


def test_the_journal_says_who_read_its_configuration_and_that_all_are_up() -> None:
    seen = parse_log(STARTED)
    assert (seen.read_by, seen.all_daemons_up) == ({"zebra", "bgpd", "staticd"}, True)


def test_end_of_rib_twice_from_one_peer_is_one_peer() -> None:
    assert parse_log(STARTED + END_OF_RIB + END_OF_RIB).end_of_rib == {CTR}


def test_only_what_came_after_the_last_start_counts() -> None:
    again = "Aug 16 19:20:00 router watchfrr[5000]: [T83RR-8SM5G] watchfrr 8.4.4 starting: vty@0\n"
    seen = parse_log(STARTED + END_OF_RIB + again)
    assert (seen.read_by, seen.all_daemons_up, seen.end_of_rib) == (frozenset(), False, frozenset())
