"""A cluster exports into a real etcd; an agent of another cluster follows it, loses it and finds it again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

import pytest
from certificates import Authority
from mesh_objects import FakeInformers, cilium_node, endpoint_slice, pod, service
from real_etcd import RealEtcd

from bgplab.backends.embedded.agents.mesh import keys
from bgplab.backends.embedded.agents.mesh.cluster_ids import ClusterIds
from bgplab.backends.embedded.agents.mesh.etcd_client import Dial
from bgplab.backends.embedded.agents.mesh.export import Exporting
from bgplab.backends.embedded.agents.mesh.exporter import Exporter
from bgplab.backends.embedded.agents.mesh.remote_cluster import RemoteCluster
from bgplab.backends.embedded.agents.mesh.status import WAITING
from bgplab.backends.embedded.agents.mesh.timers import MeshTimers

EAST = Exporting("east", 2)
#: Cilium's shape, two hundred times quicker.
QUICK = MeshTimers(heartbeat=0.3, check_healthy=0.1, check_unhealthy=0.05, first_retry=0.02, last_retry=0.2, lease=60)


def wait_for(holds: Callable[[], object], what: str, seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"not so within {seconds} s: {what}"
        time.sleep(0.005)


class East:
    """The exporting cluster: objects, an etcd, and what keeps one as the other."""

    def __init__(self, etcd: RealEtcd) -> None:
        self.etcd = etcd
        self.objects = FakeInformers(
            cilium_node("east-worker", "172.18.0.4", "10.1.1.0/24"),
            service(),
            endpoint_slice("10.1.1.5", "10.1.1.6"),
            pod("webpod-1", "10.1.1.5", app="webpod"),
            pod("webpod-2", "10.1.1.6", app="webpod"),
        )
        self.exporter: Exporter | None = None

    def export(self, exporting: Exporting = EAST, timers: MeshTimers = QUICK) -> None:
        self.stop()
        dial = self.etcd.dial(self.etcd.authority.sign("admin-east"), "127.0.0.1")
        self.exporter = Exporter(exporting, dial, self.objects, timers)  # type: ignore[arg-type]
        assert self.exporter.wait_full(10)

    def stop(self) -> None:
        if self.exporter:
            self.exporter.close()
            self.exporter = None


@pytest.fixture
def east(etcd: RealEtcd) -> Iterator[East]:
    made = East(etcd)
    made.export()
    yield made
    made.stop()


@pytest.fixture
def follow() -> Iterator[Callable[..., RemoteCluster]]:
    made: list[RemoteCluster] = []

    def start(dial: Dial, ids: ClusterIds | None = None, **options: object) -> RemoteCluster:
        one = RemoteCluster("east", dial, ids or ClusterIds(1), lambda: None, timers=QUICK, **options)  # type: ignore[arg-type]
        made.append(one)
        return one

    yield start
    for one in made:
        one.close()
        one.join(5)


def addresses(remote: RemoteCluster) -> list[str]:
    return [str(backend.address) for one in remote.heard.services for backend in one.backends]


def test_nodes_services_endpoints_and_identities_arrive(east: East, follow: Callable[..., RemoteCluster]) -> None:
    remote = follow(east.etcd.dial())
    wait_for(lambda: remote.status.ready, "ready")
    (node,) = remote.heard.nodes
    assert (node.name, node.address, node.pod_cidr) == (
        "east-worker", IPv4Address("172.18.0.4"), IPv4Network("10.1.1.0/24"),
    )  # fmt: skip
    assert addresses(remote) == ["10.1.1.5", "10.1.1.6"]
    assert remote.status.counts == {"nodes": 1, "endpoints": 2, "identities": 1, "services": 1}
    assert f"ID: {east.etcd.client().cluster_id():x}" in remote.status.text


def test_a_change_in_one_cluster_reaches_the_other(east: East, follow: Callable[..., RemoteCluster]) -> None:
    changes = threading.Semaphore(0)
    remote = RemoteCluster("east", east.etcd.dial(), ClusterIds(1), changes.release, timers=QUICK)
    wait_for(lambda: remote.status.ready, "ready")
    east.objects.put(endpoint_slice("10.1.1.6"))
    wait_for(lambda: addresses(remote) == ["10.1.1.6"], "one backend less")
    east.objects.put(service(annotations={"service.cilium.io/global": "true", "service.cilium.io/shared": "false"}))
    wait_for(lambda: remote.heard.services == (), "the Service is shared no more")
    assert changes.acquire(blocking=False)
    remote.close()


def test_a_lost_etcd_leaves_the_last_known_state_and_is_missed_after_twice_the_heartbeat(
    east: East, follow: Callable[..., RemoteCluster]
) -> None:
    remote = follow(east.etcd.dial())
    wait_for(lambda: remote.status.ready, "ready")
    east.etcd.kill()
    lost = time.monotonic()
    wait_for(lambda: not remote.status.connected, "missed")
    assert time.monotonic() - lost > QUICK.silence - QUICK.heartbeat
    assert addresses(remote) == ["10.1.1.5", "10.1.1.6"]
    assert not remote.status.ready
    assert remote.status.failures == 1
    assert "not able to connect to any etcd endpoints" in remote.status.text


def test_an_etcd_that_comes_back_with_its_data_is_followed_again(
    east: East, follow: Callable[..., RemoteCluster]
) -> None:
    remote = follow(east.etcd.dial())
    wait_for(lambda: remote.status.ready, "ready")
    east.etcd.restart()
    east.objects.put(endpoint_slice("10.1.1.9"))
    wait_for(lambda: remote.status.ready and addresses(remote) == ["10.1.1.9"], "followed again")


def test_a_new_etcd_is_a_failure_and_what_it_lacks_goes_only_when_its_copy_is_whole(
    east: East, follow: Callable[..., RemoteCluster]
) -> None:
    remote = follow(east.etcd.dial())
    wait_for(lambda: remote.status.ready, "ready")
    east.stop()
    east.etcd.wipe()
    wait_for(lambda: remote.status.failures > 0 and remote.status.connected, "connected to the new etcd")
    assert addresses(remote) == ["10.1.1.5", "10.1.1.6"]
    east.objects.put(endpoint_slice("10.1.1.9"))
    east.export()
    wait_for(lambda: remote.status.ready and addresses(remote) == ["10.1.1.9"], "the new state")


def test_a_remote_of_another_ca_stays_away_and_the_status_says_why(
    east: East, follow: Callable[..., RemoteCluster]
) -> None:
    remote = follow(east.etcd.dial(Authority.make().sign("remote")))
    wait_for(lambda: "certificate signed by unknown authority" in remote.status.text, "refused")
    assert remote.status.text.startswith(WAITING)
    assert (remote.status.ready, remote.status.connected, remote.heard.services) == (False, False, ())


@pytest.mark.parametrize(("cluster_id", "why"), [(1, "clusterID 1 is already used"), (0, "ClusterID 0 is reserved")])
def test_a_remote_with_a_wrong_id_is_not_listened_to(
    etcd: RealEtcd, follow: Callable[..., RemoteCluster], cluster_id: int, why: str
) -> None:
    east = East(etcd)
    east.export(Exporting("east", cluster_id))
    remote = follow(etcd.dial(), ClusterIds(1))
    wait_for(lambda: why in remote.status.text, why)
    assert (remote.status.ready, remote.heard.services) == (False, ())
    east.stop()


def test_an_etcd_of_another_cluster_has_no_configuration_for_it(
    etcd: RealEtcd, follow: Callable[..., RemoteCluster]
) -> None:
    west = East(etcd)
    west.export(Exporting("west", 1))
    remote = follow(etcd.dial())
    wait_for(lambda: remote.status.connected, "connected")
    assert remote.status.text == "remote cluster configuration required but not found"
    assert (remote.status.ready, remote.heard.nodes) == (False, ())
    west.stop()


def test_keys_outlive_the_lease_that_a_restarted_etcd_still_has_from_before(etcd: RealEtcd) -> None:
    east = East(etcd)
    east.export(timers=replace(QUICK, lease=3))
    etcd.restart()
    leases = lambda: etcd.client()._ask("/v3/lease/leases", {}).get("leases", [])  # noqa: E731
    wait_for(lambda: len(leases()) == 2, "the exporter is there again, with a lease of its own")
    wait_for(lambda: len(leases()) == 1, "the old lease has ended")
    assert keys.service_key("east", "default", "webpod") in etcd.client().listing(keys.EVERYTHING).values
    east.stop()
