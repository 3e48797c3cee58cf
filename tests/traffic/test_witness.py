from ipaddress import IPv4Address

from bgplab.traffic.hash_prediction import Flow, multipath_hash, next_hop_index
from bgplab.traffic.witness import hash_foretells, kernel_says, nodes_counted, pods_saw, repeats

CTR, W1, W0 = "k8s-ctr", "k8s-w1", "k8s-w0"
NODES = (CTR, W1, W0)
CLIENT, VIP = "192.168.10.200", IPv4Address("172.16.1.1")
ADDRESSES = {IPv4Address("192.168.10.100"): CTR, IPv4Address("192.168.10.101"): W1, IPv4Address("192.168.20.100"): W0}
VIAS = {node: via for via, node in ADDRESSES.items()}
SEED, FIELDS = 4242, 0x37


def records(nodes, *, first_port=20000, failed=()):
    """One connection per node named; those at the positions in `failed` were not answered."""
    ports = [first_port + number for number in range(len(nodes))]
    gone = set(failed)
    return {
        "source_address": [CLIENT] * len(nodes),
        "source_port": ports,
        "remote_address": [None if n in gone else f"{CLIENT}:{port}" for n, port in enumerate(ports)],
        "error": ["reset" if n in gone else "" for n in range(len(nodes))],
        "node": [None if n in gone else node for n, node in enumerate(nodes)],
    }


def foretold(count=60):
    def node(port):
        hashed = multipath_hash(Flow(IPv4Address(CLIENT), port, VIP, 80), SEED, FIELDS)
        return NODES[next_hop_index(hashed, [1, 1, 1])]

    return [node(20000 + number) for number in range(count)]


def test_nodes_that_count_the_same_agree():
    agreed = nodes_counted(records([CTR, W1, W0] * 20), {CTR: 20, W1: 20, W0: 20}, NODES)
    assert (agreed.problems, agreed.told) == ((), ("nodes counted 60 connections",))


def test_records_that_give_one_node_anothers_answers_are_contradicted_by_both_counters():
    agreed = nodes_counted(records([CTR] * 30 + [W1] * 10 + [W0] * 20), {CTR: 20, W1: 20, W0: 20}, NODES)
    assert agreed.problems == (
        "k8s-ctr's counter says 20 connections, the client's records say 30",
        "k8s-w1's counter says 20 connections, the client's records say 10",
    )


def test_a_node_that_should_get_none_is_named():
    agreed = nodes_counted(records([CTR, W1]), {CTR: 1, W1: 1}, (CTR,))
    assert agreed.problems == ("k8s-w1's counter says 1 connections, and it should get none",)


def test_connections_that_nobody_recorded_are_somebody_elses_and_contradict_nothing():
    agreed = nodes_counted(records([CTR, W1, W0] * 20), {CTR: 25, W1: 20, W0: 21}, NODES)
    assert (agreed.problems, agreed.told) == ((), ())
    assert agreed.unclear[0].startswith("others' connections were seen: 6 (k8s-ctr 5, k8s-w0 1); nodes count whoever")


def test_somebody_elses_connections_hide_none_that_are_missing():
    agreed = nodes_counted(records([CTR, W1, W0] * 20), {CTR: 25, W1: 19, W0: 20}, NODES)
    assert agreed.unclear == ()
    assert [problem.partition("'")[0] for problem in agreed.problems] == [CTR, W1]


def test_somebody_elses_connections_do_not_excuse_a_node_that_should_get_none():
    agreed = nodes_counted(records([CTR, W1]), {CTR: 5, W1: 1}, (CTR,))
    assert agreed.problems == ("k8s-w1's counter says 1 connections, and it should get none",)


def test_a_connection_that_failed_may_have_been_counted():
    seen = records([CTR, CTR, W1], failed=[1])
    assert nodes_counted(seen, {CTR: 2, W1: 1}, NODES).problems == ()
    assert nodes_counted(seen, {CTR: 1, W1: 1}, NODES).problems == ()
    assert nodes_counted(seen, {CTR: 0, W1: 1}, NODES).problems


def test_nodes_that_do_not_count_are_absent_and_no_disagreement():
    agreed = nodes_counted(records([CTR]), {CTR: None, W1: None}, NODES)
    assert (agreed.problems, agreed.absent) == ((), ("nodes' counters",))


def test_a_single_node_that_does_not_count_is_named_as_absent():
    agreed = nodes_counted(records([CTR, W1]), {CTR: 1, W1: None}, NODES)
    assert (agreed.problems, agreed.absent) == ((), ("k8s-w1's counter",))


def test_pods_that_saw_another_port_contradict():
    seen = records([CTR, W1])
    seen["source_port"] = [20000, 30001]
    problem = "pods saw other clients in 1 of 2 answers: a pod saw 192.168.10.200:20001, the client's record says"
    assert pods_saw(seen, set(), hides_clients=False).problems[0].startswith(problem)


def test_with_policy_cluster_a_nodes_own_address_is_no_contradiction():
    seen = records([CTR])
    seen["remote_address"] = ["192.168.10.100:40000"]
    nodes = {str(address) for address in ADDRESSES}
    assert pods_saw(seen, nodes, hides_clients=True).problems == ()
    assert pods_saw(seen, nodes, hides_clients=False).problems


def test_answers_without_a_client_are_an_absent_witness():
    seen = records([CTR])
    seen["remote_address"] = [None]
    assert pods_saw(seen, set(), hides_clients=False).absent == ("pods (no answer says who asked)",)


def test_the_kernels_word_on_each_flow_is_compared():
    seen = records([CTR, W1, W0])
    ways = {(CLIENT, 20000 + n): VIAS[node] for n, node in enumerate([CTR, W1, W0])}
    assert kernel_says(seen, ways, ADDRESSES.__getitem__).told == ("the kernel's word on 3 connections",)
    swapped = {**ways, (CLIENT, 20001): VIAS[W0]}
    assert kernel_says(seen, swapped, ADDRESSES.__getitem__).problems == (
        "the router's kernel sends 1 of 3 connections elsewhere than the records say:"
        " 192.168.10.200:20001 to k8s-w0, not k8s-w1",
    )


def test_a_kernel_that_was_not_asked_is_absent():
    assert kernel_says(records([CTR]), {}, ADDRESSES.__getitem__).absent == ("router's kernel (`ip route get`)",)


def test_a_hash_with_a_seed_foretells_every_connection():
    hops = [(node, 1) for node in NODES]
    agreed, share = hash_foretells(records(foretold()), (VIP, 80), seed=SEED, fields=FIELDS, hops=hops)
    assert (agreed.problems, share) == ((), 1.0)


def test_the_share_that_was_foretold_wrong_is_stated():
    reached = foretold()
    reached[0] = next(node for node in NODES if node != reached[0])
    hops = [(node, 1) for node in NODES]
    agreed, share = hash_foretells(records(reached), (VIP, 80), seed=SEED, fields=FIELDS, hops=hops)
    assert agreed.problems == ("the hash computed from seed 4242 foretells 59 of 60 connections",)
    assert share == 59 / 60


def test_runs_with_the_same_ports_repeat_connection_by_connection():
    agreed, share = repeats(records([CTR, W1, W0]), records([CTR, W1, W0]))
    assert (agreed.problems, share) == ((), 1.0)


def test_a_connection_that_moved_is_named():
    agreed, share = repeats(records([CTR, W1]), records([CTR, W0]))
    assert agreed.problems[0].endswith("192.168.10.200:20001 to k8s-w1, then k8s-w0")
    assert share == 0.5


def test_runs_with_other_ports_prove_nothing():
    agreed, share = repeats(records([CTR, W1]), records([CTR, W1], first_port=30000))
    assert agreed.problems == ("the two repeated runs have 0 of 2 source ports in common",)
    assert share is None


def test_an_unanswered_connection_breaks_the_proof():
    agreed, _ = repeats(records([CTR, W1]), records([CTR, W1], failed=[0]))
    assert agreed.problems == ("1 connections of the two repeated runs were not answered",)
