"""The cluster's DNS address, asked by a pod: raw datagrams, TCP, and glibc's own resolver under curl."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from conftest import Cluster
from datapath_world import BOTH, CLUSTER_IP, NamespaceHost, World, service, wait_for
from test_dns_names import query_bytes

from bgplab.backends.embedded.agents.dns import ClusterDns, pod_resolv_conf

DNS = "10.96.0.10"
WEBPOD = "webpod.default.svc.cluster.local"


@pytest.fixture
def dns(world: World, cluster: Cluster, stop: threading.Event) -> Iterator[ClusterDns]:
    ports = [{"name": protocol, "port": 53, "protocol": protocol} for protocol in ("UDP", "TCP")]
    kube_dns = service("kube-dns", namespace="kube-system", clusterIP=DNS, type="ClusterIP", ports=ports)
    cluster.put(kube_dns)
    cluster.serve(*BOTH)
    answering = ClusterDns(IPv4Address(DNS), cluster.informers, stop)  # type: ignore[arg-type]
    for host in (world.a, world.b):
        answering.serve(host)
    yield answering
    for host in (world.a, world.b):
        answering.remove(host.name)


def over_udp(host: NamespaceHost, name: str, tries: int = 5) -> tuple[int, bytes]:
    """(response code, last four bytes) of an A query."""
    with host.socket(socket.SOCK_DGRAM) as asking:
        asking.settimeout(0.5)
        asking.connect((DNS, 53))
        for _ in range(tries):
            try:
                asking.send(query_bytes(name))
                response = asking.recv(4096)
                return response[3] & 0xF, response[-4:]
            except (TimeoutError, ConnectionRefusedError):
                continue
    raise TimeoutError(name)


def over_tcp(host: NamespaceHost, *names: str) -> list[bytes]:
    with host.socket() as asking:
        asking.settimeout(2)
        asking.connect((DNS, 53))
        for name in names:
            data = query_bytes(name)
            asking.sendall(struct.pack("!H", len(data)) + data)
        reader = asking.makefile("rb")
        return [reader.read(int.from_bytes(reader.read(2)))[-4:] for _ in names]


@pytest.mark.parametrize("pod", ["client", "web-b"])
def test_a_pod_on_any_node_gets_the_service_address(world: World, dns: ClusterDns, pod: str) -> None:
    assert over_udp(world.hosts[pod], WEBPOD) == (0, IPv4Address(CLUSTER_IP).packed)


def test_tcp_answers_several_questions_of_one_connection(world: World, dns: ClusterDns) -> None:
    over_udp(world.client, WEBPOD)
    assert over_tcp(world.client, WEBPOD, WEBPOD) == [IPv4Address(CLUSTER_IP).packed] * 2


def test_a_new_service_has_its_name_at_once(world: World, dns: ClusterDns, cluster: Cluster) -> None:
    assert over_udp(world.client, "fresh.default.svc.cluster.local")[0] == 3
    cluster.put(service("fresh", clusterIP="10.96.1.2", ingress=None))
    assert over_udp(world.client, "fresh.default.svc.cluster.local") == (0, IPv4Address("10.96.1.2").packed)


def test_curl_resolves_a_service_by_its_short_name(world: World, dns: ClusterDns, tmp_path: Path) -> None:
    over_udp(world.client, WEBPOD)
    (tmp_path / "resolv.conf").write_text(pod_resolv_conf("default", IPv4Address(DNS)))
    command = f"mount --bind {tmp_path}/resolv.conf /etc/resolv.conf && exec curl -sS --connect-timeout 1 $0"
    good = world.client.run(["unshare", "--mount", "sh", "-c", command, "webpod"])
    assert "\nHost: webpod\r\n" in good.stdout
    bad = world.client.run(["unshare", "--mount", "sh", "-c", command, "webpodd"], check=False)
    assert (bad.exit_status, bad.seconds < 1.0) == (6, True)  # could not resolve, and says so at once


def test_names_are_answered_fast(world: World, dns: ClusterDns) -> None:
    over_udp(world.client, WEBPOD)
    with world.client.socket(socket.SOCK_DGRAM) as asking:
        asking.settimeout(2)
        asking.connect((DNS, 53))
        started = time.monotonic()
        for _ in range(300):
            asking.send(query_bytes(WEBPOD))
            asking.recv(4096)
        seconds = time.monotonic() - started
    print(f"DNS: {1e6 * seconds / 300:.0f} µs per query")
    assert seconds < 3.0


def test_a_node_that_is_removed_no_longer_answers(world: World, dns: ClusterDns) -> None:
    over_udp(world.client, WEBPOD)
    dns.remove("a")

    def silent() -> bool:
        try:
            over_udp(world.client, WEBPOD, tries=1)
        except TimeoutError:
            return True
        return False

    wait_for(silent, "no answer comes from the node")
