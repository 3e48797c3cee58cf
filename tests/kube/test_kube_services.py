"""Cluster addresses and node ports: given out, kept, taken back."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from random import Random

import pytest
from kube_api import Api
from kube_manifests import SERVICES, service

from bgplab.backends.embedded.kube.allocation import AddressPool, PoolExhaustedError


def test_the_servers_own_service_has_the_first_address(api: Api) -> None:
    assert api.get(f"{SERVICES}/kubernetes").body["spec"]["clusterIP"] == "10.96.0.1"


def test_every_service_gets_an_address_of_its_own(api: Api) -> None:
    addresses = {api.post(SERVICES, service(f"s{number}")).body["spec"]["clusterIP"] for number in range(20)}
    assert len(addresses) == 20
    assert all(IPv4Address(address) in IPv4Network("10.96.0.0/16") for address in addresses)


def test_an_address_asked_for_is_given_once(api: Api) -> None:
    assert api.post(SERVICES, service("one", clusterIP="10.96.0.10")).body["spec"]["clusterIPs"] == ["10.96.0.10"]
    reply = api.post(SERVICES, service("two", clusterIP="10.96.0.10"))
    assert "already allocated" in reply.causes["spec.clusterIPs[0]"]
    api.delete(f"{SERVICES}/one")
    assert api.post(SERVICES, service("two", clusterIP="10.96.0.10")).code == 201


def test_an_address_from_elsewhere_is_refused(api: Api) -> None:
    reply = api.post(SERVICES, service(clusterIP="10.97.0.1"))
    assert "not in the valid range" in reply.causes["spec.clusterIPs[0]"]


def test_a_headless_service_has_none(api: Api) -> None:
    assert api.post(SERVICES, service(clusterIP="None")).body["spec"]["clusterIPs"] == ["None"]


def test_a_load_balancer_gets_node_ports_and_a_policy(api: Api) -> None:
    spec = api.post(SERVICES, service(type="LoadBalancer")).body["spec"]
    assert 30000 <= spec["ports"][0]["nodePort"] <= 32767
    assert (spec["externalTrafficPolicy"], spec["allocateLoadBalancerNodePorts"]) == ("Cluster", True)


def test_a_node_port_stays_while_the_service_changes(api: Api) -> None:
    port = api.post(SERVICES, service(type="NodePort")).body["spec"]["ports"][0]["nodePort"]
    patched = api.patch(f"{SERVICES}/web", {"spec": {"ports": [{"port": 80, "targetPort": 8080}]}}).body
    assert patched["spec"]["ports"][0]["nodePort"] == port


def test_a_node_port_belongs_to_a_ports_name(api: Api) -> None:
    ports = [{"name": "a", "port": 80}, {"name": "b", "port": 81}]
    first, second = (
        port["nodePort"] for port in api.post(SERVICES, service(type="NodePort", ports=ports)).body["spec"]["ports"]
    )
    changed = [{"name": "b", "port": 90, "targetPort": 8080}, {"name": "c", "port": 91}]
    kept, new = api.patch(f"{SERVICES}/web", {"spec": {"ports": changed}}).body["spec"]["ports"]
    assert kept["nodePort"] == second
    assert new["nodePort"] not in (first, second, None)


def test_a_node_port_that_was_given_to_another_port_is_not_kept(api: Api) -> None:
    ports = [{"name": "a", "port": 80, "nodePort": 30080}]
    api.post(SERVICES, service(type="NodePort", ports=ports))
    changed = [{"name": "a", "port": 80}, {"name": "b", "port": 81, "nodePort": 30080}]
    a, b = api.patch(f"{SERVICES}/web", {"spec": {"ports": changed}}).body["spec"]["ports"]
    assert b["nodePort"] == 30080 and a["nodePort"] != 30080


def test_back_to_cluster_ip_the_node_port_is_free_again(api: Api) -> None:
    api.post(SERVICES, service(type="NodePort", ports=[{"port": 80, "nodePort": 30080}]))
    spec = api.patch(f"{SERVICES}/web", {"spec": {"type": "ClusterIP"}}).body["spec"]
    assert ("nodePort" in spec["ports"][0], "externalTrafficPolicy" in spec) == (False, False)
    again = service("other", type="NodePort", ports=[{"port": 80, "nodePort": 30080}])
    assert api.post(SERVICES, again).code == 201


@pytest.mark.parametrize(("port", "says"), [(30080, "already allocated"), (80, "not in the valid range")])
def test_a_node_port_that_cannot_be_had_is_refused(api: Api, port: int, says: str) -> None:
    api.post(SERVICES, service("first", type="NodePort", ports=[{"port": 80, "nodePort": 30080}]))
    reply = api.post(SERVICES, service("second", type="NodePort", ports=[{"port": 80, "nodePort": port}]))
    assert says in reply.causes["spec.ports[0].nodePort"]


def test_a_pool_gives_everything_and_then_says_so() -> None:
    pool = AddressPool(IPv4Network("10.0.0.0/29"), Random(1))
    assert len({pool.take() for _ in range(6)}) == 6
    with pytest.raises(PoolExhaustedError):
        pool.take()
    pool.release(IPv4Address("10.0.0.3"))
    assert pool.take() == IPv4Address("10.0.0.3")
