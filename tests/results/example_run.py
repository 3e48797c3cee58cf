"""A made-up run of the guide's lab, as literals and seeded dice; for tests only."""

import random
from collections import Counter

from bgplab.checks.finding import Verdict
from bgplab.results.record import (
    CheckResult,
    ConvergenceResult,
    LoadTestResult,
    Machine,
    Run,
    Share,
    StepResult,
    TimelineEvent,
    Topology,
    TopologyHost,
    TopologySession,
)
from bgplab.traffic.load_test import EXPLANATION
from bgplab.traffic.statistics import wilson

START = 1_795_540_000_000_000_000
PODS = {"k8s-ctr": "webpod-65794679cc-7dbj2", "k8s-w1": "webpod-65794679cc-k2x9q", "k8s-w0": "webpod-65794679cc-zl4mt"}


def requests(count, chosen, at=0.0, errors=0):
    dice = random.Random(count)
    nodes = [chosen(dice) for _ in range(count)]
    failed = [number >= count - errors for number in range(count)]
    totals = [round(dice.lognormvariate(6.2, 0.5)) + 90 for _ in range(count)]
    return {
        "sequence": list(range(count)),
        "start_ns": [START + int(at * 1e9) + number * 110_000 for number in range(count)],
        "connect_us": [total // 3 for total in totals],
        "first_byte_us": [total - 5 for total in totals],
        "total_us": totals,
        "source_address": ["192.168.10.200"] * count,
        "source_port": [32768 + number % 28000 for number in range(count)],
        "backend": [None if bad else PODS[node] for node, bad in zip(nodes, failed, strict=True)],
        "remote_address": [None if bad else f"192.168.10.200:{32768 + n % 28000}" for n, bad in enumerate(failed)],
        "status": [None if bad else 200 for bad in failed],
        "error": ["reset" if bad else "" for bad in failed],
        "node": [None if bad else node for node, bad in zip(nodes, failed, strict=True)],
    }


def shares(columns, expected):
    counts = Counter(node for node in columns["node"] if node)
    total = counts.total()
    for kind in ("node", "endpoint"):
        for node in PODS:
            low, high = wilson(counts[node], total)
            name = node if kind == "node" else PODS[node]
            yield Share(kind, name, counts[node], expected, True, low, high)


def load_test(name, title, columns, hash_policy, verdict, reason, group="hash", expected=1 / 3):
    return LoadTestResult(
        name=name,
        title=title,
        policy="Local",
        hash_policy=hash_policy,
        target="http://172.16.1.1/",
        client="router",
        requests=columns,
        shares=tuple(shares(columns, expected)),
        verdict=verdict,
        reason=reason,
        statistics={"connections": len(columns["sequence"]), "jain_nodes": 0.9998, "p_value_nodes": 0.41},
        explanation=EXPLANATION,
        unsaid=() if expected else ("the hash sees addresses only: 1 client address keeps to one node",),
        check_id=name.split()[0],
        group=group,
        command="python3 /tmp/prober.py --url=http://172.16.1.1/ --requests=6000",
    )


def steady(at, seconds, interval, outage=()):
    """Requests of a steady probe that begins `at` seconds into the run and fails from outage[0] to outage[1]."""
    count = round(seconds / interval)
    columns = requests(count, lambda dice: dice.choice(list(PODS)))
    columns["start_ns"] = [START + int((at + number * interval) * 1e9) for number in range(count)]
    failed = [bool(outage) and outage[0] <= number * interval < outage[1] for number in range(count)]
    columns["error"] = ["connect_timeout" if bad else "" for bad in failed]
    for name in ("backend", "remote_address", "status", "node"):
        columns[name] = [None if bad else value for value, bad in zip(columns[name], failed, strict=True)]
    return columns


def moment_of(seconds):
    return START + int(seconds * 1e9)


def example_convergence():
    """An agent restarted without a loss, and a node's link that went down behind the switch."""
    calm, hurt = steady(14, 6, 0.02), steady(22, 30, 0.02, (2.02, 11.0))
    failures = [start for start, error in zip(hurt["start_ns"], hurt["error"], strict=True) if error]
    return (
        ConvergenceResult(
            name="agent restarted",
            title="Agent restarted with graceful restart",
            event="the agent of k8s-w1 is restarted",
            expectation="nothing is lost: the router keeps the routes of a restarting neighbour",
            verdict=Verdict.HOLDS,
            reason="300 connections, none lost",
            interval_seconds=0.02,
            requests=calm,
            event_at_ns=moment_of(16),
            first_failure_at_ns=None,
            last_failure_at_ns=None,
            sent=300,
            lost=0,
            outage_seconds=0.0,
            recovery_seconds=None,
            marks=(
                TimelineEvent(moment_of(16), "step", "agent_restarted", "k8s-w1"),
                TimelineEvent(moment_of(16.02), "frr", "session_down", "192.168.10.101", "NSF peer closed the session"),
                TimelineEvent(moment_of(18.1), "frr", "session_up", "192.168.10.101"),
            ),
            figures={"restart_seconds": 15},
            check_id="G29",
        ),
        ConvergenceResult(
            name="link down",
            title="Node's link down",
            event="eth1 of k8s-w1 is set down",
            expectation="connections to this node are lost until the hold time ends, at most 9 s, then none",
            verdict=Verdict.HOLDS,
            reason=f"{len(failures)} of 1500 lost, for 9.0 s, until the router's hold timer ran out",
            interval_seconds=0.02,
            requests=hurt,
            event_at_ns=moment_of(24),
            first_failure_at_ns=failures[0],
            last_failure_at_ns=failures[-1],
            sent=1500,
            lost=len(failures),
            outage_seconds=9.0,
            recovery_seconds=9.02,
            marks=(
                TimelineEvent(moment_of(24), "step", "link_down", "k8s-w1", "ip link set eth1 down"),
                TimelineEvent(moment_of(32.9), "frr", "session_down", "192.168.10.101", "Hold Timer Expired"),
                TimelineEvent(moment_of(32.95), "kernel", "route_changed", "172.16.1.1", "2 next hops"),
            ),
            figures={"hold_seconds": 9},
            check_id="G29",
        ),
    )


def example_checks():
    return (
        CheckResult(
            "G01", "four hosts answer and three nodes are Ready", Verdict.HOLDS, "4 hosts, 3 nodes Ready", seconds=0.4
        ),
        CheckResult(
            "G06",
            "the other subnet cannot be reached before routes are added",
            Verdict.HOLDS,
            "22 of 66 requests through the Service timed out (33.3%), expected 33.3%",
            {"share": 1 / 3, "p_value": 1.0, "window_seconds": 2.4},
            {"exit": 28, "hosts": ["k8s-w0"]},
            2.6,
            "G06",
            None,
            ("kubectl exec curl-pod -- curl -s --connect-timeout 1 webpod",),
        ),
        CheckResult(
            "G11",
            "three sessions are Established on both sides, hold 9, keepalive 3",
            Verdict.HOLDS,
            "3 sessions up 1.7 s after the resources were applied",
            {"sessions": 3, "hold_seconds": 9, "slowest_seconds": 1.71},
            {"peers": {"192.168.10.100": "Established", "192.168.10.101": "Established"}},
            1.8,
            "G11",
            None,
            ("vtysh -c 'show ip bgp summary json'",),
        ),
        CheckResult("G14", "learned routes are not in the nodes' kernels", Verdict.SKIPPED, "", superseded_by="G15"),
        CheckResult(
            "G29",
            "with hash policy 1 connections spread over all next hops",
            Verdict.HOLDS,
            "6000 connections as expected",
            {"p_value": 0.41, "effect_w": 0.017},
            seconds=0.7,
        ),
    )


def example_run(**changes):
    one, three = (lambda _: "k8s-w1"), (lambda dice: dice.choice(list(PODS)))
    run = {
        "flow": "bgp-lab",
        "lab": "guide",
        "run_id": "20261124T173012Z-1a2b3c",
        "started_ns": START,
        "seconds": 17.4,
        "checks": example_checks(),
        "steps": (
            StepResult("G01", "provision", "changed", "4 hosts, 3 nodes", 1.4, ("bgp-lab up --name guide",)),
            StepResult(
                "G15",
                "add routes",
                "already",
                "172.20.0.0/16 via 192.168.10.200",
                0.1,
                ("ip route add 172.20.0.0/16 via 192.168.10.200",),
            ),
        ),
        "load_tests": (
            load_test(
                "G27",
                "Hash policy 0",
                requests(6000, one, 11),
                0,
                Verdict.HOLDS,
                "each of 1 (client address) kept to one node, 6000 connections in all",
                expected=None,
            ),
            load_test(
                "G29",
                "Hash policy 1",
                requests(6000, three, 13),
                1,
                Verdict.HOLDS,
                "6000 connections as expected; farthest off: k8s-ctr got 32.8% of 6000 (p = 0.41, w = 0.017)",
            ),
        ),
        "timeline": (
            TimelineEvent(START + 1_400_000_000, "step", "step_done", "G01", "provision"),
            TimelineEvent(
                START + 4_200_000_000, "frr", "session_up", "192.168.10.100", "%ADJCHANGE: neighbor 192.168.10.100 Up"
            ),
            TimelineEvent(START + 4_500_000_000, "frr", "session_up", "192.168.10.101"),
            TimelineEvent(
                START + 4_900_000_000, "kernel", "route_added", "172.20.1.0/24", "via 192.168.10.101 dev eth1 proto bgp"
            ),
            TimelineEvent(START + 9_900_000_000, "frr", "session_down", "192.168.20.100"),
        ),
        "topology": Topology(
            hosts=(
                TopologyHost("router", "router", 65000, ("192.168.10.200", "192.168.20.200"), ("a", "b")),
                TopologyHost("k8s-ctr", "node", 65001, ("192.168.10.100",), ("a",), (), (PODS["k8s-ctr"],)),
                TopologyHost("k8s-w1", "node", 65001, ("192.168.10.101",), ("a",), (), (PODS["k8s-w1"],)),
                TopologyHost("k8s-w0", "node", 65001, ("192.168.20.100",), ("b",), (), (PODS["k8s-w0"],)),
            ),
            sessions=tuple(TopologySession("router", node, "Established", True) for node in PODS),
            subnets={"a": "192.168.10.0/24", "b": "192.168.20.0/24"},
            vip="172.16.1.1",
        ),
        "parameters": {"lab": "guide", "until": "G30", "keep": False, "requests": 6000},
        "versions": {"bgp-lab": "0.1.0", "FRR": "8.4.4", "GoBGP": "3.35.0"},
        "seeds": {"hash": 42},
        "machine": Machine(2, 7951, "6.18.0", "Debian GNU/Linux 12 (bookworm)", "3.11.7"),
        "again": "bgp-lab run bgp-lab --lab guide --requests 6000",
        "convergence": example_convergence(),
    }
    return Run(**{**run, **changes})


HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&]]>\x07"


def hostile_run():
    """Every text that comes from outside is an attack."""
    columns = requests(50, lambda _: "k8s-w1", 3)
    columns["backend"] = [HOSTILE] * 50
    test = LoadTestResult(
        name=HOSTILE,
        title=HOSTILE,
        policy=HOSTILE,
        hash_policy=1,
        target=HOSTILE,
        client=HOSTILE,
        requests=columns,
        shares=(Share("node", HOSTILE, 50, 1.0, False, 0.5, 1.0), Share("endpoint", HOSTILE, 50, None)),
        reason=HOSTILE,
        statistics={HOSTILE: HOSTILE},
        explanation=(HOSTILE,),
        unsaid=(HOSTILE,),
        command=HOSTILE,
    )
    check = CheckResult(
        HOSTILE,
        HOSTILE,
        Verdict.FAILS,
        HOSTILE,
        {HOSTILE: HOSTILE},
        {HOSTILE: [HOSTILE]},
        1.0,
        HOSTILE,
        HOSTILE,
        (HOSTILE,),
    )
    event = ConvergenceResult(
        name=HOSTILE + "2",
        title=HOSTILE,
        event=HOSTILE,
        expectation=HOSTILE,
        verdict=Verdict.FAILS,
        reason=HOSTILE,
        interval_seconds=0.1,
        requests={**columns, "error": [HOSTILE] * 50, "backend": [None] * 50},
        event_at_ns=START,
        first_failure_at_ns=START,
        last_failure_at_ns=START + 49 * 110_000,
        sent=50,
        lost=50,
        outage_seconds=1.0,
        recovery_seconds=None,
        marks=(TimelineEvent(START, HOSTILE, HOSTILE, HOSTILE, HOSTILE),),
        figures={HOSTILE: HOSTILE},
    )
    topology = Topology(
        hosts=(
            TopologyHost(HOSTILE, "router", 1, (HOSTILE,)),
            TopologyHost("n", "node", 2, (HOSTILE,), (), (), (HOSTILE,)),
        ),
        sessions=(TopologySession(HOSTILE, "n", HOSTILE, True),),
        vip=HOSTILE,
    )
    return example_run(
        checks=(check,),
        steps=(StepResult(HOSTILE, HOSTILE, "changed", HOSTILE, 1.0, (HOSTILE,)),),
        load_tests=(test,),
        timeline=(TimelineEvent(START, HOSTILE, HOSTILE, HOSTILE, HOSTILE),),
        topology=topology,
        parameters={HOSTILE: HOSTILE, "nested": {"a": HOSTILE}},
        versions={HOSTILE: HOSTILE},
        again=HOSTILE,
        convergence=(event,),
    )
