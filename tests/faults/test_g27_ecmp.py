"""Connections do not spread as they should, or the evidence disagrees (G27 to G30)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

import pytest
from fault_bench import Bench
from lab_faults import BGP, IPV4, configured, nft_chain, patched, routed_by_hand, typed

from bgplab import judge
from bgplab.checks.finding import Verdict
from bgplab.lab.cluster import SERVICE
from bgplab.lab.waiting import Deadline, wait_until
from bgplab.observe.endpoint_slices import read_endpoints
from bgplab.traffic.probe import SOURCE, path_on_host, start_probe
from bgplab.traffic.records import Plan

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("faults-service")]

VIP, NODES = "172.16.1.1", ("k8s-ctr", "k8s-w1", "k8s-w0")
SHUT = "neighbor 192.168.20.100 shutdown"
KEY = "net.ipv4.fib_multipath_hash_policy"
FILE, OTHER, MAIN = "/etc/sysctl.d/90-bgp-lab.conf", "/etc/sysctl.d/10-other.conf", "/etc/sysctl.conf"


@pytest.fixture
def before(service_bench: Bench) -> Bench:
    """With hash policy 0."""
    service_bench.reach("G26")
    return service_bench


@pytest.fixture
def bench(service_bench: Bench) -> Bench:
    service_bench.reach("G28")
    return service_bench


def live(bench: Bench, wrong: int, right: int) -> AbstractContextManager[None]:
    return typed(bench.router, f"sysctl -qw {KEY}={wrong}", f"sysctl -qw {KEY}={right}")


def refusing(bench: Bench, node: str) -> AbstractContextManager[None]:
    """A node that answers each connection to the address with a reset."""
    return nft_chain(
        bench.node(node),
        "filter hook prerouting priority -150",
        f"ip daddr {VIP} tcp dport 80 reject with tcp reset",
    )


def by_policy_routing(bench: Bench, marks: str) -> ExitStack:
    """Connections with mark 1 go to k8s-w1, with mark 2 to k8s-ctr, whatever the route says.

    marks: which ones, an expression of nftables.
    """
    faults = ExitStack()
    for mark, node in ((1, "192.168.10.101"), (2, "192.168.10.100")):
        rule, table = f"fwmark {mark} lookup {99 + mark}", f"{VIP} via {node} table {99 + mark}"
        faults.enter_context(
            typed(
                bench.router,
                f"ip route add {table}; ip rule add {rule}",
                f"ip rule del {rule}; ip route del {table}",
            )
        )
    faults.enter_context(
        nft_chain(
            bench.router,
            "route hook output priority -150",
            f"ip daddr {VIP} ct state new ct mark set {marks}",
            f"ip daddr {VIP} meta mark set ct mark",
        )
    )
    return faults


def test_g27_tells_when_the_hash_policy_is_another(before: Bench) -> None:
    with live(before, 1, 0):
        before.fails("G27", rf"{KEY} is \{{'router': 1\}}, expected 0")
    before.holds("G27")


def test_g27_names_the_nodes_when_one_client_reaches_several(before: Bench) -> None:
    # two nodes by mark: where the hash sends this client by itself differs from lab to lab
    with by_policy_routing(before, "numgen inc mod 2 offset 1"):
        before.fails("G27", r"router: 1 of 1 .client address. took several nodes: \S+ reached k8s-ctr, k8s-w1 .*")
    before.holds("G27")


def test_g27_counts_connections_that_fail(before: Bench) -> None:
    with ExitStack() as faults:
        for node in NODES:
            faults.enter_context(refusing(before, node))
        before.fails("G27", r"router: (\d+) of \1 connections failed.*")
    before.holds("G27")


@pytest.mark.slow
def test_g27_tells_when_there_is_one_way_only(before: Bench) -> None:
    with configured(before.router, (*IPV4, "maximum-paths 1"), (*IPV4, "maximum-paths 4")):
        before.fails("G27", f"router: 1 paths to {VIP} are in use .multipath., expected 3")
    before.holds("G24")
    before.holds("G27")


def test_g28_tells_the_live_value(bench: Bench) -> None:
    with live(bench, 0, 1):
        bench.fails("G28", f"router: live {KEY} is 0, expected 1")
    bench.holds("G28")


def test_g28_names_both_files_when_two_set_it(bench: Bench) -> None:
    with typed(bench.router, f"echo '{KEY} = 1' > {OTHER}", f"rm {OTHER}"):
        bench.fails("G28", rf"router: 2 lines set it \({OTHER}, {FILE}\), expected one")
    bench.holds("G28")


def test_g28_tells_when_the_value_is_not_kept(bench: Bench) -> None:
    with typed(bench.router, f"mv {FILE} /tmp/kept", f"mv /tmp/kept {FILE}"):
        bench.fails("G28", r"router: 0 lines set it \(none\), expected one; router: files set it to None, expected 1")
    bench.holds("G28")


def test_g28_names_a_file_in_the_wrong_place(bench: Bench) -> None:
    wrong = f"mv {FILE} /tmp/kept; cp -p {MAIN} /tmp/main 2>/dev/null || :; cat /tmp/kept >> {MAIN}"
    right = f"mv /tmp/kept {FILE}; if [ -e /tmp/main ]; then mv /tmp/main {MAIN}; else rm {MAIN}; fi"
    with typed(bench.router, wrong, right):
        bench.fails("G28", f"router: it is set in {MAIN}, not in a file under /etc/sysctl.d")
    bench.holds("G28")


def test_g28_tells_when_another_value_is_kept(bench: Bench) -> None:
    with typed(bench.router, f"sed -i 's/1$/0/' {FILE}", f"sed -i 's/0$/1/' {FILE}"):
        bench.fails("G28", "router: files set it to 0, expected 1")
    bench.holds("G28")


def test_g28_tells_what_came_back_when_a_file_elsewhere_overrules_it(bench: Bench) -> None:
    again = f"rm -f {FILE}; sysctl -qw {KEY}=0"  # the step has something to do, and sees what comes back
    vendor = "/run/sysctl.d/99-vendor.conf"
    with typed(bench.router, f"{again}; mkdir -p /run/sysctl.d; echo '{KEY} = 0' > {vendor}", f"{again}; rm {vendor}"):
        bench.do("G28")
        bench.fails("G28", "router: `sysctl --system` brought back 0, expected 1")
    bench.do("G28")
    bench.holds("G28")


def test_g29_tells_when_the_hash_policy_is_another(bench: Bench) -> None:
    with live(bench, 0, 1):
        bench.fails("G29", rf"{KEY} is \{{'router': 0\}}, expected 1")
    bench.holds("G29")


@pytest.mark.slow
def test_g29_tells_when_shares_are_unequal(bench: Bench) -> None:
    with by_policy_routing(bench, "numgen random mod 5 map { 0: 1, 1: 0, 2: 0, 3: 0, 4: 0 }"):
        bench.fails("G29", r"router: k8s-w1 got 4\d\.\d% of 6000, expected 33\.3% \(p = .*")
    bench.holds("G29")


@pytest.mark.slow
def test_g29_names_a_node_that_refuses(bench: Bench) -> None:
    with refusing(bench, "k8s-w0"):
        bench.fails("G29", r"router: \d+ of 6000 connections failed.*")
    bench.holds("G29")


@pytest.mark.slow
@pytest.mark.parametrize("id", ["G29", "G30"])
def test_g29_and_g30_fail_when_the_spread_is_even_over_too_few_paths(bench: Bench, id: str) -> None:
    with configured(bench.router, (*IPV4, "maximum-paths 2"), (*IPV4, "maximum-paths 4")):
        bench.fails(id, f"router: 2 paths to {VIP} are in use .multipath., expected 3")
    bench.holds("G24")  # before connections are sent, since each change of the paths moves some of them
    bench.holds(id)


@pytest.mark.slow
@pytest.mark.parametrize("id", ["G29", "G30"])
def test_g29_and_g30_fail_when_the_spread_is_even_without_one_node(bench: Bench, id: str) -> None:
    with configured(bench.router, (*BGP, SHUT), (*BGP, f"no {SHUT}")):
        bench.fails(id, f"router: nodes with a path to {VIP}: missing k8s-w0")
    bench.holds("G24")
    bench.holds(id)


def test_g30_names_a_node_that_the_kernel_lacks(bench: Bench) -> None:
    with routed_by_hand(bench.router, VIP, "nexthop via 192.168.10.100 nexthop via 192.168.10.101"):
        bench.fails("G30", "router: kernel against BGP table: missing k8s-w0.*")
    bench.holds("G30")


@pytest.mark.slow
def test_g30_names_nodes_that_no_connection_went_to(bench: Bench) -> None:
    with by_policy_routing(bench, "1"):
        bench.fails(
            "G30",
            "router: traffic against kernel: missing k8s-ctr, k8s-w0;"
            " router: the router's kernel sends .* connections elsewhere than the records say: .*",
        )
    bench.holds("G30")


@pytest.mark.slow
def test_g30_names_a_node_that_answers_nobody(bench: Bench) -> None:
    with refusing(bench, "k8s-w0"):
        bench.fails("G30", "router: traffic against kernel: missing k8s-w0")
    bench.holds("G30")


def swallowing(bench: Bench, node: str) -> AbstractContextManager[None]:
    """A node that takes each connection to the address and says nothing."""
    rule = f"ip daddr {VIP} tcp dport 80 drop"
    return nft_chain(bench.node(node), "filter hook prerouting priority -300", rule)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("id", "said"),
    [
        ("G29", r"router: \d+ of 6000 connections failed .\d+ timeout_connect.*"),
        ("G30", "router: traffic against kernel: missing k8s-w0.*"),
    ],
)
def test_g29_and_g30_name_a_node_that_swallows_connections(bench: Bench, id: str, said: str) -> None:
    with swallowing(bench, "k8s-w0"):
        bench.fails(id, said)
    bench.holds(id)


@contextmanager
def policy(bench: Bench, name: str) -> Iterator[None]:
    """Another externalTrafficPolicy of the Service, once pods see it; then Local again."""
    wrong, right = ({"spec": {"externalTrafficPolicy": each}} for each in (name, "Local"))
    with ExitStack() as changes:
        changes.enter_context(patched(bench.cluster, SERVICE, "webpod", wrong, right, "default"))
        hidden = {str(node.address) for node in bench.spec.cluster.nodes} if name == "Cluster" else set()
        wait_until(
            lambda: sources_seen(bench, name),
            holds=lambda seen: bool(seen) and bool(seen & hidden) == bool(hidden),
            within=Deadline.after(30),
            what=f"pods that see what policy {name} shows them",
        )
        yield
    bench.holds("G24")


def sources_seen(bench: Bench, name: str) -> set[str]:
    bench.judge("G23")
    seen = bench.context.vip_requests[name].by_router["router"]
    return {str(request.body.remote) for request in seen if request.body}


def test_g30_cannot_tell_while_somebody_else_asks_the_address(bench: Bench) -> None:
    """Nodes count whoever asks: that is no fault of the lab's, and no confirmation either."""
    somebody = start_probe(bench.router, Plan(f"http://{VIP}/", rate=50.0))
    try:
        bench.cannot_tell(
            "G30", r"router: others' connections were seen: [1-9]\d* \(k8s-.*\); nodes count whoever asks.*"
        )
    finally:
        somebody.stop()
    bench.holds("G30")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Cluster", "Local"])
def test_g27_to_g30_hold_under_either_traffic_policy(bench: Bench, name: str) -> None:
    with policy(bench, name):
        results = judge.run(bench.lab, bench.spec, ["G29", "G30"], bench.stage, bench.context)
        with live(bench, 0, 1):
            results.append(bench.judge("G27", stage="G26"))
    assert {result.verdict for result in results} == {Verdict.HOLDS}, [result.reason for result in results]


@pytest.mark.slow
def test_g29_finds_unequal_backends_that_snat_hides(bench: Bench) -> None:
    """Each node gets its third and passes half of that on to one pod: only the pods' own names can tell."""
    with policy(bench, "Cluster"):
        favourite = read_endpoints(bench.cluster, "webpod", "default").ready[0]
        rule = f"ip daddr {VIP} tcp dport 80 numgen random mod 2 0 meta mark set meta mark or 0x1"
        with ExitStack() as faults:
            for node in NODES:
                hook = "nat hook prerouting priority -105"
                faults.enter_context(nft_chain(bench.node(node), hook, f"{rule} dnat to {favourite.address}:80"))
            found = bench.judge("G29")
    assert found.verdict is Verdict.FAILS
    assert re.search(rf"router: {favourite.pod} got 6\d\.\d% of \d+, expected 33\.3%", found.reason), found.reason
    bench.holds("G29")


#: Runs the true prober and edits what it says; `rows` are its records, each a list as in `prober.COLUMNS`.
LIAR = """
import json, subprocess, sys
told = subprocess.run([sys.executable, "{true}", *sys.argv[1:]], stdout=subprocess.PIPE, text=True).stdout.splitlines()
rows = [json.loads(line) for line in told[1:-1]]
names = sorted({{row[7] for row in rows}})
{lie}
print(told[0], *map(json.dumps, rows), told[-1], sep="\\n")
"""
BETTER_SHARES = "for row in rows:\n    if row[0] % 10 == 0: row[7] = names[0]"
OTHER_ORDER = (
    "pair = {name: [row for row in rows if row[7] == name] for name in names[:2]}\n"
    "for one, other in zip(*pair.values()): one[7], other[7] = other[7], one[7]"
)
OTHER_PORTS = "for row in rows: row[6] = row[6] % 60000 + 1"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("lie", "witness"),
    [
        (BETTER_SHARES, r"router: k8s-\S+'s counter says \d+ connections, the client's records say \d+;.*"),
        (OTHER_ORDER, r"router: the router's kernel sends \d+ of 500 connections elsewhere than the records say: .*"),
        (OTHER_PORTS, r"router: pods saw other clients in 6000 of 6000 answers: a pod saw .*"),
    ],
    ids=["moves answers to another pod", "swaps answers of two pods", "invents source ports"],
)
def test_g30_names_the_witness_that_contradicts_a_prober_that_lies(bench: Bench, lie: str, witness: str) -> None:
    path, true = path_on_host(), "/tmp/true-prober.py"
    bench.router.put(SOURCE.read_bytes(), true)
    bench.router.put(LIAR.format(true=true, lie=lie).encode(), path)
    try:
        bench.fails("G30", witness)
    finally:
        bench.router.run(["rm", path, true])
    bench.holds("G30")
