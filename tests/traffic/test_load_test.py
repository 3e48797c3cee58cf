import random
from dataclasses import replace

import pytest

from bgplab.checks.finding import Verdict
from bgplab.traffic.load_test import hits, judge_load_test
from bgplab.traffic.model import Clients, Endpoint, RouterView, Service, expect
from bgplab.traffic.probe import COLUMNS, Probe

CTR, W1, W0 = "k8s-ctr", "k8s-w1", "k8s-w0"
NODES = {"192.168.10.100": CTR, "192.168.10.101": W1, "192.168.20.100": W0}
PODS = {"webpod-a": CTR, "webpod-b": W1, "webpod-c": W0}
ENDPOINTS = tuple(Endpoint(name, node, f"172.20.{n}.10") for n, (name, node) in enumerate(PODS.items()))
ROUTER = "192.168.10.200"


def record(sequence, node, pod, client=ROUTER, error=""):
    """What a client sees of a connection that `node` received and `pod` answered (SNAT when it crossed nodes)."""
    port = 20000 + sequence
    addresses = {node: address for address, node in NODES.items()}
    seen = client if PODS.get(pod) == node else addresses.get(node, client)
    return (sequence, 0, 100, 200, 300, client, port, None if error else pod, f"{seen}:{port}", 200, error)


def probe_of(records):
    columns = {name: list(values) for name, values in zip(COLUMNS, zip(*records, strict=True), strict=True)}
    return Probe("router", "python3 prober.py", columns)


def sent(count, choose):
    return probe_of([record(sequence, *choose(sequence)) for sequence in range(count)])


def judge(probe, policy="Cluster", hash_policy=1, paths=(CTR, W1, W0), clients=(ROUTER,)):
    views = [RouterView("router", paths, 4, hash_policy)]
    expected = expect(Service(policy), ENDPOINTS, views, Clients(clients, len(probe), probe.chosen_source_ports))
    return judge_load_test(
        "G29",
        "load test",
        probe,
        expected,
        ENDPOINTS,
        NODES,
        policy=policy,
        hash_policy=hash_policy,
        target="http://vip/",
    )


@pytest.fixture
def fair():
    dice = random.Random(1)
    return lambda _: (dice.choice([CTR, W1, W0]), dice.choice(list(PODS)))


@pytest.fixture
def with_ports_used_again():
    """A load test whose every source port was used ten times; `choose` says which node a port leads to."""

    def send(ports, choose):
        records = []
        for number in range(10 * ports):
            node = choose(number % ports)
            pod = next(pod for pod, home in PODS.items() if home == node)
            one = list(record(number % ports, node, pod))
            records.append([number, *one[1:]])
        return replace(probe_of(records), header={"source_ports": "free:20000-30000"})

    return send


def test_ports_used_again_are_no_draws_of_their_own(with_ports_used_again):
    """840, 830 and 730 of 2400 ports are a fair spread; of ten times as many connections it would not be one."""
    judged = judge(with_ports_used_again(2400, lambda port: [CTR, W1, W0][(port >= 840) + (port >= 1670)]), "Local")
    assert judged.verdict is Verdict.HOLDS, judged.reason
    assert [share.observed for share in judged.of_kind("node")] == [8400, 7300, 8300]
    assert all(share.expected == pytest.approx(1 / 3) for share in judged.of_kind("node"))


def test_few_ports_used_often_cannot_show_shares(with_ports_used_again):
    judged = judge(with_ports_used_again(600, lambda port: [CTR, W1, W0][port % 3]), "Local")
    assert judged.verdict is Verdict.INCONCLUSIVE
    assert judged.reason.startswith("600 flows cannot show an imbalance of 20%")


def test_a_lopsided_spread_of_ports_fails(with_ports_used_again):
    judged = judge(with_ports_used_again(2100, lambda port: [CTR, W1, W0][(port > 940) + (port > 1550)]), "Local")
    assert judged.verdict is Verdict.FAILS


def test_a_port_that_reaches_two_nodes_fails(with_ports_used_again):
    turns = iter(range(10**6))
    judged = judge(with_ports_used_again(2101, lambda _: [CTR, W1][next(turns) % 2]), "Local", paths=(CTR, W1))
    told = "flow) took several nodes"
    assert judged.verdict is Verdict.FAILS and told in judged.reason, judged.reason


def test_a_fair_spread_holds(fair):
    assert judge(sent(6000, fair)).verdict is Verdict.HOLDS


def test_the_receiving_node_is_read_from_the_address_the_pod_saw():
    seen = hits(sent(3, lambda n: ([CTR, W1, W0][n], "webpod-a")), ENDPOINTS, NODES, "Cluster")
    assert [hit.node for hit in seen] == [CTR, W1, W0]


def test_an_unequal_split_hidden_by_snat_is_found_by_node():
    dice = random.Random(2)
    judged = judge(sent(6000, lambda _: (dice.choice([CTR, CTR, W1, W0]), dice.choice(list(PODS)))))
    assert judged.verdict is Verdict.FAILS
    assert judged.reason.startswith("k8s-ctr got 49.8% of 6000, expected 33.3%")


def test_unequal_backends_are_found_though_the_nodes_are_fair():
    dice = random.Random(3)
    judged = judge(
        sent(
            6000, lambda _: (dice.choice([CTR, W1, W0]), dice.choice(["webpod-a", "webpod-a", "webpod-b", "webpod-c"]))
        )
    )
    assert judged.verdict is Verdict.FAILS
    assert judged.reason.startswith("webpod-a got")


def test_a_pod_that_may_not_answer_is_named(fair):
    stranger = probe_of([record(n, *fair(n)) for n in range(5999)] + [record(5999, CTR, "webpod-x")])
    assert "answered but may not: webpod-x (1)" in judge(stranger).reason


def test_one_node_of_three_is_not_hash_policy_1():
    judged = judge(sent(6000, lambda n: (CTR, "webpod-a")), policy="Local")
    assert judged.verdict is Verdict.FAILS
    assert "got nothing of 6000: k8s-w0, k8s-w1" in judged.reason


def test_one_node_is_just_what_hash_policy_0_gives():
    judged = judge(sent(6000, lambda n: (CTR, "webpod-a")), policy="Local", hash_policy=0)
    assert judged.verdict is Verdict.HOLDS
    assert "kept to one node" in judged.reason


@pytest.mark.parametrize("policy", ["Cluster", "Local"])
def test_no_share_is_expected_of_what_is_drawn_per_client(policy):
    """With hash policy 0 one node gets everything, so "expected 33.3 %" beside it would be wrong."""
    dice = random.Random(5)
    pods = ["webpod-a"] if policy == "Local" else list(PODS)
    judged = judge(sent(6000, lambda n: (CTR, dice.choice(pods))), policy=policy, hash_policy=0)
    assert judged.verdict is Verdict.HOLDS
    assert {share.expected for share in judged.of_kind("node")} == {None}
    of_pods = {share.expected for share in judged.of_kind("endpoint")}
    assert of_pods == ({1 / 3} if policy == "Cluster" else {None})


def test_a_client_on_several_nodes_is_not_hash_policy_0():
    dice = random.Random(4)
    judged = judge(
        sent(100, lambda _: dice.choice([(CTR, "webpod-a"), (W1, "webpod-b")])), policy="Local", hash_policy=0
    )
    assert judged.verdict is Verdict.FAILS
    assert "192.168.10.200 reached k8s-ctr, k8s-w1" in judged.reason


def test_three_connections_do_not_show_hash_policy_0():
    judged = judge(sent(3, lambda n: (CTR, "webpod-a")), policy="Local", hash_policy=0)
    assert judged.verdict is Verdict.INCONCLUSIVE


def test_a_failed_connection_fails_the_test(fair):
    lost = probe_of([record(n, *fair(n)) for n in range(5999)] + [record(5999, CTR, None, error="timeout_connect")])
    judged = judge(lost)
    assert judged.verdict is Verdict.FAILS
    assert "1 of 6000 connections failed (1 timeout_connect)" in judged.reason


def test_the_guides_hundred_are_inconclusive(fair):
    assert judge(sent(100, fair)).verdict is Verdict.INCONCLUSIVE


def test_shares_list_who_may_answer_and_who_did(fair):
    judged = judge(sent(6000, fair))
    assert [share.name for share in judged.of_kind("node")] == sorted(PODS.values())
    assert sum(share.observed for share in judged.of_kind("endpoint")) == 6000
    assert all(share.low < share.observed / 6000 < share.high for share in judged.shares)


def test_the_receiving_node_is_kept_with_each_connection(fair):
    judged = judge(sent(50, fair))
    assert len(judged.requests["node"]) == 50
    assert set(judged.requests["node"]) <= {CTR, W1, W0}


def test_what_the_prober_could_not_do_is_said(fair):
    judged = judge(replace(sent(50, fair), note="no python3"))
    assert "no python3" in judged.unsaid
