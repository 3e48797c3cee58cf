"""The router's configuration is not as it should be before nodes speak BGP (G07 to G10)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from fault_bench import Bench
from lab_faults import BGP, IPV4, configured, existing, patched, typed

from bgplab.lab.cluster import NODE
from bgplab.lab.shell import Shell

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("faults-pods")]

CONF, KEPT = "/etc/frr/frr.conf", "/tmp/frr.conf.kept"
#: bgpd has started after this.
LONG_AGO = f"touch -d '1 hour ago' {CONF}"
RESTART = "systemctl restart frr"
LOSE_A_NEIGHBOUR = f"cp -p {CONF} {KEPT}; sed -i /192.168.20.100/d {CONF}"
FIND_IT_AGAIN = f"mv {KEPT} {CONF}"


@pytest.mark.parametrize(
    ("wrong", "right", "missing"),
    [
        ((*IPV4, "maximum-paths 1"), (*IPV4, "maximum-paths 4"), "maximum-paths 4"),
        ((*IPV4, "no network 10.10.1.0/24"), (*IPV4, "network 10.10.1.0/24"), "network 10.10.1.0/24"),
        (
            (*BGP, "bgp ebgp-requires-policy"),
            (*BGP, "no bgp ebgp-requires-policy"),
            "no bgp ebgp-requires-policy",
        ),
        (
            (*BGP, "bgp router-id 192.168.20.200"),
            (*BGP, "bgp router-id 192.168.10.200"),
            "bgp router-id 192.168.10.200",
        ),
    ],
)
def test_g07_names_the_line_that_is_missing(
    pods_bench: Bench, wrong: tuple[str, ...], right: tuple[str, ...], missing: str
) -> None:
    pods_bench.reach("G07")
    with configured(pods_bench.router, wrong, right):
        pods_bench.fails("G07", f"router: `{missing}` is missing")
    pods_bench.holds("G07")


def test_g07_names_a_neighbour_that_is_there_too_early(pods_bench: Bench) -> None:
    pods_bench.reach("G07")
    early = "neighbor 192.168.20.100 remote-as 65001"
    with configured(pods_bench.router, (*BGP, early), (*BGP, f"no {early}")):
        pods_bench.fails("G07", "router: neighbours: unexpected 192.168.20.100")
    pods_bench.holds("G07")


def test_g08_names_a_neighbour_that_does_not_run(pods_bench: Bench) -> None:
    pods_bench.reach("G08")
    member = "neighbor 192.168.20.100 peer-group CILIUM"
    with configured(pods_bench.router, (*BGP, f"no {member}"), (*BGP, member)):
        missing = "missing 192.168.20.100"
        pods_bench.fails(
            "G08", f"router: neighbours: {missing}; router: neighbours in the running configuration: {missing}"
        )
    pods_bench.holds("G08")


def test_g08_names_a_neighbour_that_was_not_saved(pods_bench: Bench) -> None:
    pods_bench.reach("G08")
    with typed(pods_bench.router, LOSE_A_NEIGHBOUR, FIND_IT_AGAIN):
        pods_bench.fails("G08", "router: neighbours in the startup configuration: missing 192.168.20.100")
    pods_bench.holds("G08")


def test_g08_names_a_peer_group_that_expects_another_as(pods_bench: Bench) -> None:
    pods_bench.reach("G08")
    with configured(
        pods_bench.router, (*BGP, "neighbor CILIUM remote-as 65009"), (*BGP, "neighbor CILIUM remote-as external")
    ):
        pods_bench.fails("G08", "router: peer group CILIUM is not `remote-as external`")
    pods_bench.holds("G08")


@pytest.mark.slow
def test_g08_names_a_neighbour_that_is_established_too_early(pods_bench: Bench) -> None:
    pods_bench.reach("G08")
    with speaking(pods_bench.node("k8s-w1"), "192.168.10.101"):
        pods_bench.fails("G08", "router: 192.168.10.101 is Established before the nodes speak BGP")
    pods_bench.holds("G08")


@contextmanager
def speaking(node: Shell, address: str) -> Iterator[None]:
    """A second gobgpd, started by hand, has a session with the router."""
    node.put(
        f"""[global.config]
  as = 65001
  router-id = "{address}"
  port = -1
[[neighbors]]
  [neighbors.config]
    neighbor-address = "192.168.10.200"
    peer-as = 65000
  [neighbors.ebgp-multihop.config]
    enabled = true
    multihop-ttl = 2
  [neighbors.timers.config]
    connect-retry = 1
""".encode(),
        "/tmp/early.toml",
    )
    started = "setsid gobgpd -f /tmp/early.toml --api-hosts unix:///tmp/early.sock --pprof-disable"
    with typed(node, f"{started} </dev/null >/dev/null 2>&1 & echo $! >/tmp/early.pid", "kill $(cat /tmp/early.pid)"):
        yield


def test_g09_tells_when_the_configuration_is_newer_than_the_daemons(pods_bench: Bench) -> None:
    pods_bench.reach("G09")
    with typed(pods_bench.router, f"touch {CONF}", LONG_AGO):
        pods_bench.fails("G09", r"router: bgpd started at [\d.]+, the configuration was written at [\d.]+")
    pods_bench.holds("G09")


def test_g09_names_a_neighbour_that_the_restart_lost(pods_bench: Bench) -> None:
    pods_bench.reach("G09")
    with typed(
        pods_bench.router, f"{LOSE_A_NEIGHBOUR}; {LONG_AGO}; {RESTART}", f"{FIND_IT_AGAIN}; {LONG_AGO}; {RESTART}"
    ):
        pods_bench.fails("G09", "router: neighbours: missing 192.168.20.100")
    pods_bench.holds("G09")


def test_g09_tells_when_the_service_is_stopped(pods_bench: Bench) -> None:
    pods_bench.reach("G09")
    with typed(pods_bench.router, "systemctl stop frr", "systemctl start frr"):
        pods_bench.fails("G09", "could not be seen: router: .*failed to connect to any daemons.*")
    pods_bench.holds("G09")


@pytest.mark.slow
def test_g09_tells_when_bgpd_does_not_run(pods_bench: Bench) -> None:
    pods_bench.reach("G09")
    pods_bench.router.run(["pkill", "-KILL", "-x", "bgpd"])  # watchfrr starts it again after 5 s
    pods_bench.fails("G09", "could not be seen: router: .*bgpd is not running.*")
    pods_bench.holds("G09")


def test_g10_names_a_node_that_lost_its_label(pods_bench: Bench) -> None:
    pods_bench.reach("G10")
    wrong, right = ({"metadata": {"labels": {"enable-bgp": value}}} for value in (None, "true"))
    with patched(pods_bench.cluster, NODE, "k8s-w0", wrong, right):
        pods_bench.fails("G10", "nodes with enable-bgp=true: missing k8s-w0")
    pods_bench.holds("G10")


def test_g10_names_a_node_that_should_not_have_the_label(pods_bench: Bench) -> None:
    pods_bench.reach("G10")
    stranger = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "stranger", "labels": {"enable-bgp": "true"}}}
    with existing(pods_bench.cluster, stranger):
        pods_bench.fails("G10", "nodes with enable-bgp=true: unexpected stranger")
    pods_bench.holds("G10")
