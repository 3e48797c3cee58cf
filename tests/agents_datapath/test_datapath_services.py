"""Which backends a Service has, read from its objects; which tracked connections are stale."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

import pytest
from datapath_world import BOTH, CLIENT, CLUSTER_IP, ROUTER, VIP, WEB_A, WEB_B, endpoint_slice, node_path, service

from bgplab.backends.embedded.agents.datapath.conntrack import Entry, Judged, is_stale
from bgplab.backends.embedded.agents.datapath.ruleset import plan_of
from bgplab.backends.embedded.agents.datapath.services import Service, endpoint_addresses, services_of


def only(**spec: Any) -> Service:
    (found,) = services_of([service(**spec)], [endpoint_slice(*BOTH)])
    return found


def backends(*slices: dict[str, Any]) -> list[str]:
    (found,) = services_of([service()], slices)
    return [str(backend.address) for backend in found.ports[0].backends]


def test_an_endpoint_without_conditions_is_ready() -> None:
    piece = endpoint_slice(*BOTH)
    for endpoint in piece["endpoints"]:
        del endpoint["conditions"]
    assert backends(piece) == [WEB_A, WEB_B]


def test_an_endpoint_that_is_not_ready_is_no_backend() -> None:
    piece = endpoint_slice(*BOTH)
    piece["endpoints"][0]["conditions"]["ready"] = False
    assert backends(piece) == [WEB_B]


def test_endpoints_that_end_but_still_serve_are_used_when_nothing_is_ready() -> None:
    assert backends(endpoint_slice(*BOTH, ready=False, serving=True, terminating=True)) == [WEB_A, WEB_B]
    assert backends(endpoint_slice(*BOTH, ready=False, serving=False, terminating=True)) == []


def test_slices_of_one_service_are_one_set() -> None:
    assert backends(endpoint_slice(*BOTH), endpoint_slice(*BOTH[:1])) == [WEB_A, WEB_B]


def test_ports_are_matched_by_name() -> None:
    piece = endpoint_slice(*BOTH, port=8080)
    piece["ports"] = [{"name": "metrics", "port": 9090}, {"name": "", "port": 8080}]
    (found,) = services_of([service()], [piece])
    assert {backend.port for backend in found.ports[0].backends} == {8080}


@pytest.mark.parametrize("spec", [{"clusterIP": "None"}, {"type": "ExternalName"}, {"clusterIP": "fd00::1"}])
def test_services_without_an_ipv4_address_of_their_own_are_left_out(spec: dict[str, Any]) -> None:
    assert services_of([service(**spec)], []) == ()


def test_only_a_load_balancer_has_balancer_addresses_and_only_exposed_types_node_ports() -> None:
    plain = only(type="ClusterIP")
    assert (plain.balancer_addresses, plain.ports[0].node_port) == ((), None)
    assert (only().balancer_addresses, only().ports[0].node_port) == ((IPv4Address(VIP),), 30080)


def test_affinity_has_kubernetes_own_default() -> None:
    assert (only().affinity_seconds, only(sessionAffinity="ClientIP").affinity_seconds) == (None, 10800)


ENTRY = Entry("tcp", IPv4Address(ROUTER), IPv4Address(VIP), 80, IPv4Address(WEB_B), 80, True, "ESTABLISHED")
FROM_POD = replace(ENTRY, source=IPv4Address(CLIENT), destination=IPv4Address(CLUSTER_IP))
UNTRANSLATED = replace(ENTRY, backend=IPv4Address(VIP), translated=False)


@pytest.mark.parametrize(
    ("entry", "stale", "why"),
    [
        (ENTRY, False, "established: keeps its pod although the policy is Local now"),
        (replace(ENTRY, state="SYN_SENT"), True, "half open: others are served by local pods only"),
        (replace(ENTRY, state="FIN_WAIT"), True, "half closed"),
        (replace(ENTRY, state="TIME_WAIT"), False, "the kernel replaces it by itself"),
        (replace(ENTRY, state="SYN_SENT", backend=IPv4Address(WEB_A)), False, "the local pod"),
        (replace(FROM_POD, state="SYN_SENT"), False, "pods may go to all"),
        (replace(ENTRY, backend=IPv4Address("172.20.1.99")), True, "that pod is gone"),
        (replace(ENTRY, protocol="udp", state=""), True, "UDP has no handshake to protect"),
        (replace(UNTRANSLATED, state="SYN_SENT"), True, "called before there was a Service"),
        (replace(UNTRANSLATED, destination=IPv4Address(ROUTER), state="SYN_SENT"), False, "not ours"),
        (replace(ENTRY, state="SYN_SENT", port=81), False, "no frontend: nobody knows better"),
    ],
)
def test_stale_entries_are_those_a_new_connection_would_contradict(entry: Entry, stale: bool, why: str) -> None:
    ports = [{"port": 80}, {"name": "datagrams", "port": 80, "protocol": "UDP"}]
    services = services_of([service(externalTrafficPolicy="Local", ports=ports)], [endpoint_slice(*BOTH)])
    offers = plan_of(services, node_path("a")).offers
    endpoints = {IPv4Address(WEB_A), IPv4Address(WEB_B)}
    assert is_stale(entry, offers, endpoints) is stale, why


def judged_by(
    before: Judged, *endpoints: tuple[str, str], ready: tuple[str, ...] = (WEB_A, WEB_B), **spec: Any
) -> Judged:
    """By what node a's entries are judged with these endpoints, of which some are ready."""
    piece = endpoint_slice(*endpoints)
    for endpoint in piece["endpoints"]:
        endpoint["conditions"] = {"ready": endpoint["addresses"][0] in ready}
    services = services_of([service(**spec)], [piece])
    return before.after(plan_of(services, node_path("a")).offers, endpoint_addresses([piece]))


def test_the_kernel_s_table_is_looked_through_only_when_something_was_lost() -> None:
    first = judged_by(Judged(), *BOTH[:1])
    assert first.contradicts(Judged()), "addresses that were nobody's: who called them before has an entry"
    grown = judged_by(first, *BOTH)
    assert not grown.contradicts(first), "one backend more: every entry is as right as before"
    not_ready = judged_by(grown, *BOTH, ready=(WEB_A,))
    assert not_ready.contradicts(grown), "half closed connections to a backend that is out of service"
    later = judged_by(not_ready, *BOTH, ready=(WEB_A,))
    assert later.contradicts(not_ready), "it is still there, and its connections may begin to end at any time"
    gone = judged_by(later, *BOTH[:1])
    assert gone.contradicts(later), "it is gone, and so must all its connections be"
    assert not judged_by(gone, *BOTH[:1]).contradicts(gone)


def test_a_policy_that_shuts_out_a_backend_has_the_table_looked_through() -> None:
    before = judged_by(Judged(), *BOTH)
    assert judged_by(before, *BOTH, externalTrafficPolicy="Local").contradicts(before)
