"""What `ip -ts monitor route` and a daemon's log say about when."""

from __future__ import annotations

from benchmarks.contenders.lab import established, neighbours, next_hops
from benchmarks.watching import first_with_next_hops, last, session_states

MONITORED = """\
[2026-11-24T19:14:34.839426] 172.16.1.1 nhid 12 via 192.168.20.100 dev eth2 proto bgp metric 20
[2026-11-24T19:14:34.839517] 172.20.2.0/24 nhid 12 via 192.168.20.100 dev eth2 proto bgp metric 20
[2026-11-24T19:14:35.099227] 172.16.1.1 nhid 16 proto bgp metric 20
\tnexthop via 192.168.20.100 dev eth2 weight 1
\tnexthop via 192.168.10.100 dev eth1 weight 1
[2026-11-24T19:14:35.631561] 172.16.1.1 nhid 22 proto bgp metric 20
\tnexthop via 192.168.20.100 dev eth2 weight 1
\tnexthop via 192.168.10.100 dev eth1 weight 1
\tnexthop via 192.168.10.101 dev eth1 weight 1
"""
LOG = """\
2026-11-24 19:14:33,528 bgplab.x.speaker k8s-w0: instance-65001: session to 192.168.10.200 active
2026-11-24 19:14:34,772 bgplab.x.speaker k8s-w0: instance-65001: session to 192.168.10.200 established
2026-11-24 19:14:33,498 bgplab.x.bgp_operator node k8s-w0: configured by cilium-bgp
2026-11-24 19:14:35,033 bgplab.x.speaker k8s-ctr: instance-65001: session to 192.168.10.200 established
2026-11-24 19:14:39,000 bgplab.x.speaker k8s-ctr: instance-65001: session to 192.168.10.200 established
"""
AT_19_14_34 = 1795547674.0


def test_the_route_counts_from_when_it_has_all_its_next_hops() -> None:
    one, two, three = (first_with_next_hops(MONITORED, "172.16.1.1", hops) for hops in (1, 2, 3))
    assert one == AT_19_14_34 + 0.839426
    assert two == AT_19_14_34 + 1.099227
    assert three == AT_19_14_34 + 1.631561


def test_a_route_that_never_came_has_no_time() -> None:
    assert first_with_next_hops(MONITORED, "172.16.1.1", 4) is None
    assert first_with_next_hops("", "172.16.1.1", 1) is None


def test_a_deleted_route_is_no_route() -> None:
    line = "[2026-11-24T19:14:34.839426] Deleted 172.16.1.1 nhid 12 via 192.168.20.100 dev eth2 proto bgp\n"
    assert first_with_next_hops(line, "172.16.1.1", 1) is None


def test_a_session_counts_from_its_first_time_in_a_state() -> None:
    states = session_states(LOG)
    assert states.keys() == {"k8s-w0", "k8s-ctr"}
    assert round(last(states.values(), "established") - states["k8s-w0"]["active"], 3) == 1.505


def test_next_hops_of_a_route_with_one_and_with_three() -> None:
    assert next_hops("172.16.1.1 nhid 12 via 192.168.20.100 dev eth2 proto bgp") == 1
    assert next_hops("172.16.1.1 nhid 22 proto bgp\n" + "\tnexthop via 1.1.1.1 dev eth2 weight 1\n" * 3) == 3
    assert next_hops("") == 0


def test_sessions_are_counted_by_state_and_a_silent_vtysh_has_none() -> None:
    summary = '{"peers": {"1.1.1.1": {"state": "Established"}, "1.1.1.2": {"state": "Active"}}}'
    assert (established(summary), neighbours(summary)) == (1, 2)
    assert (established(""), neighbours("")) == (0, 0)
