"""What routers and kernels say while an event is watched, read; and what is said to them, as typed."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network
from types import SimpleNamespace

import pytest

from bgplab.checks.all import all_checks
from bgplab.checks.explain import by_hand
from bgplab.errors import InputError, LabError
from bgplab.observe.bgp_log import BgpEvent, parse_bgp_log
from bgplab.observe.route_monitor import RouteChange, parse_monitor
from bgplab.spec.loading import load_lab
from bgplab.steps.failover.agents import keep_off, let_on
from bgplab.steps.failover.all import EVENTS
from bgplab.steps.failover.event import Conditions, Event, subject
from bgplab.steps.failover.link import device_of, up_script
from bgplab.steps.failover.session_log import FILE, switch_off, switch_on
from bgplab.steps.failover.watching import clock_offset_ns, settled_at
from bgplab.steps.mesh import MESH_STEPS

MONITOR = """\
[2026-11-24T22:40:56.974986] 172.16.1.1 nhid 33 proto bgp metric 20 
\tnexthop via 192.168.10.100 dev eth1 weight 1 
\tnexthop via 192.168.20.100 dev eth2 weight 1 
[2026-11-24T22:40:56.978148] Deleted 172.20.1.0/24 nhid 15 via 192.168.10.101 dev eth1 proto bgp metric 20 
[2026-11-24T22:41:03.598204] 172.20.1.0/24 nhid 15 via 192.168.10.101 dev eth1 proto bgp metric 20 
[2026-11-24T22:41:03.598257] local 192.168.10.101 dev eth1 table local proto kernel scope host src 192.168.10.101 
[2026-11-24T22:41:03.598300] fe80::/64 dev eth1 proto kernel metric 256 pref medium
"""  # noqa: W291 - iproute2 prints it so

LOG = """\
2026/11/24 22:40:56.903935 BGP: [HZN6M-XRM1G] %NOTIFICATION(Hard Reset): sent to neighbor 192.168.10.101 6/2 \
(Cease/Administrative Shutdown) 0 bytes
2026/11/24 22:40:56.904130 BGP: [PXVXG-TFNNT] %ADJCHANGE: neighbor 192.168.10.101(k8s-w1) in vrf default Down \
Admin. shutdown
2026/11/24 22:41:01 ZEBRA: [XXXXX-XXXXX] something else
2026/11/24 22:41:03.535937 BGP: [N9HHH-F8H1M] %ADJCHANGE: neighbor 192.168.10.101(k8s-w1) in vrf default Up
2026/11/24 22:41:03.537202 BGP: [M59KS-A3ZXZ] bgp_update_receive: rcvd End-of-RIB for IPv4 Unicast from 192.168.10.101 \
in vrf default
"""

SECOND = 10**9
AT_2240 = 1_795_560_000 * SECOND  # 2026-11-24 22:40:00 UTC
W1 = IPv4Address("192.168.10.101")


def test_a_monitored_route_is_what_it_is_from_that_moment_on() -> None:
    vip, pods = IPv4Network("172.16.1.1/32"), IPv4Network("172.20.1.0/24")
    hops = frozenset({IPv4Address("192.168.10.100"), IPv4Address("192.168.20.100")})
    assert parse_monitor(MONITOR) == (
        RouteChange(AT_2240 + 56_974_986_000, vip, hops),
        RouteChange(AT_2240 + 56_978_148_000, pods, frozenset()),
        RouteChange(AT_2240 + 63_598_204_000, pods, frozenset({W1})),
    )


def test_frrs_log_tells_sessions_with_microseconds() -> None:
    assert parse_bgp_log(LOG) == (
        BgpEvent(
            AT_2240 + 56_903_935_000,
            "notification",
            W1,
            "NOTIFICATION(Hard Reset): sent to neighbor 6/2 (Cease/Administrative Shutdown) 0 bytes",
        ),
        BgpEvent(AT_2240 + 56_904_130_000, "session_down", W1, "Admin. shutdown"),
        BgpEvent(AT_2240 + 63_535_937_000, "session_up", W1, ""),
        BgpEvent(AT_2240 + 63_537_202_000, "end_of_rib", W1, "End-of-RIB received"),
    )


def test_frrs_log_is_in_the_routers_own_time_zone() -> None:
    assert parse_bgp_log(LOG, 3600)[0].at_ns == parse_bgp_log(LOG)[0].at_ns - 3600 * SECOND


def test_the_log_is_switched_off_again_and_what_was_there_before_stays() -> None:
    assert switch_off(65000, "hostname router\nlog syslog informational\n") == [
        "configure terminal",
        "no log file",
        "no log timestamp precision",
        "router bgp 65000",
        "no bgp log-neighbor-changes",
        "end",
    ]
    own = "log file /var/log/frr/own.log debugging\nlog timestamp precision 3\n bgp log-neighbor-changes\n"
    assert switch_off(65000, own) == [
        "configure terminal",
        "log file /var/log/frr/own.log debugging",
        "log timestamp precision 3",
        "end",
    ]
    assert f"log file {FILE} informational" in switch_on(65000)


def merged(target: object, patch: object) -> object:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        result = {name: old for name, old in result.items() if name != key}
        if value is not None:
            result[key] = merged((target if isinstance(target, dict) else {}).get(key), value)
    return result


@pytest.mark.parametrize(
    "affinity",
    [
        None,
        {"podAntiAffinity": {"preferred": []}},
        {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1}]}},
        {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"a": 1}]}}},
    ],
)
def test_an_agent_that_was_kept_off_its_node_is_let_on_again_and_nothing_else_has_changed(affinity: object) -> None:
    template = {"nodeSelector": {"os": "linux"}} | ({"affinity": affinity} if affinity else {})
    before = {"spec": {"updateStrategy": {"type": "RollingUpdate"}, "template": {"spec": template}}}
    during = merged(before, keep_off("k8s-w1"))
    assert during != before
    assert merged(during, let_on(before)) == before


def test_a_clock_is_read_by_the_quickest_answer() -> None:
    slow, quick = (0, 9 * SECOND, 10 * SECOND), (100, 5 * SECOND, 300)
    assert clock_offset_ns([slow, quick]) == 5 * SECOND - 200


def test_clocks_that_may_be_equal_are_taken_as_equal() -> None:
    assert clock_offset_ns([(0, 9 * SECOND, 10 * SECOND)]) == 0


def test_an_interface_is_found_by_its_address() -> None:
    printed = '[{"ifname": "lo", "addr_info": []}, {"ifname": "eth1", "addr_info": [{"local": "192.168.10.101"}]}]'
    assert device_of(printed, W1) == "eth1"
    with pytest.raises(LabError, match=r"no interface has 192\.168\.10\.100"):
        device_of(printed, IPv4Address("192.168.10.100"))


def test_routes_that_went_with_the_link_are_put_back() -> None:
    assert "ip link set dev eth1 up && ip route restore <" in up_script("eth1")


def test_it_happens_to_a_worker_unless_another_node_is_asked_for() -> None:
    spec = load_lab("guide")
    assert subject(spec, Conditions()).name == "k8s-w1"
    assert subject(spec, Conditions(node="k8s-w0")).name == "k8s-w0"
    with pytest.raises(InputError, match="no node with BGP is called k8s-w9"):
        subject(spec, Conditions(node="k8s-w9"))


def test_every_event_can_be_typed_by_hand() -> None:
    spec = load_lab("guide")
    for step in EVENTS.values():
        assert step.plan(spec), step.id


SHOP = {"clusters[0].app.namespace": "shop", "clusters[0].app.replicas": "2"}


def test_the_commands_of_an_event_name_this_labs_namespace_and_count_of_pods() -> None:
    spec, commands = (
        load_lab("guide", SHOP),
        [f"kubectl -n shop scale deployment webpod --replicas {n}" for n in (1, 2)],
    )
    assert EVENTS["E03"].plan(spec) == commands
    assert [by_hand(all_checks("E")[id], spec)[0] for id in ("E03", "E04")] == commands


def test_the_commands_of_a_mesh_name_each_clusters_namespace() -> None:
    spec = load_lab("mesh", {f"clusters[{n}].app.namespace": "shop" for n in (0, 1)})
    about = [
        line for step in MESH_STEPS.values() for line in step.plan(spec) if re.search(r"kubectl .*\bwebpod\b", line)
    ]
    assert about
    assert [line for line in about if " -n shop " not in line] == []
    assert by_hand(all_checks("M")["M13"], spec)[0].startswith(
        "kubectl -n shop --context kind-west scale deployment webpod"
    )


def test_a_router_that_is_late_does_not_make_the_others_late() -> None:
    hops = {"router-a": frozenset({W1}), "router-b": frozenset({W1})}
    here = SimpleNamespace(hops=hops, kernel_hops=lambda: {**hops, "router-a": frozenset()})
    gone = Event("", "", (), print, print, due=lambda: dict.fromkeys(hops, frozenset()), settles_seconds=0.0)
    assert settled_at(here, gone) == {"router-a": True, "router-b": False}  # type: ignore[arg-type]
