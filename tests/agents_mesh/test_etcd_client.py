"""The client against a real etcd with certificates on both sides."""

from __future__ import annotations

import threading
from itertools import islice

import pytest
from certificates import Authority
from real_etcd import RealEtcd

from bgplab.backends.embedded.agents.mesh.etcd_client import EtcdClient
from bgplab.backends.embedded.agents.mesh.etcd_messages import Change, EtcdError, prefix_end


def test_what_was_put_is_listed_and_what_was_deleted_is_not(etcd: RealEtcd) -> None:
    client = etcd.client()
    client.put("cilium/a", "1")
    client.put("cilium/b", "ü")
    client.put("other", "2")
    client.delete("cilium/a")
    client.delete("cilium/never")
    assert client.listing("cilium/").values == {"cilium/b": "ü"}


def test_a_watch_tells_every_change_after_a_listing(etcd: RealEtcd) -> None:
    writer, reader = etcd.client(), etcd.client()
    writer.put("cilium/a", "1")
    listing = reader.listing("cilium/")
    writer.put("cilium/a", "2")
    writer.put("elsewhere", "x")
    writer.delete("cilium/a")
    changes = (change for answer in reader.watch("cilium/", listing.revision + 1) for change in answer.changes)
    assert list(islice(changes, 2)) == [Change("cilium/a", "2"), Change("cilium/a", None)]


def test_a_key_goes_with_its_lease(etcd: RealEtcd) -> None:
    client = etcd.client()
    lease = client.grant_lease(1)
    client.put("cilium/a", "1", lease)
    client.keep_alive(lease)
    changes = (change for answer in etcd.client().watch("cilium/", 1) for change in answer.changes)
    assert list(islice(changes, 2)) == [Change("cilium/a", "1"), Change("cilium/a", None)]
    with pytest.raises(EtcdError, match="lease"):
        client.keep_alive(lease)


def test_interrupting_a_client_ends_the_thread_that_watches(etcd: RealEtcd) -> None:
    client, ended, stands = etcd.client(), threading.Event(), threading.Event()

    def watch() -> None:
        with pytest.raises(EtcdError, match="closed"):
            for _ in client.watch("cilium/", 1):
                stands.set()
        ended.set()

    threading.Thread(target=watch, daemon=True).start()
    assert stands.wait(5)
    client.interrupt()
    assert ended.wait(5)


def test_a_killed_etcd_ends_the_watch_with_an_error(etcd: RealEtcd) -> None:
    client = etcd.client()
    watch = client.watch("cilium/", 1)
    next(watch)
    etcd.kill()
    with pytest.raises(EtcdError, match=r"closed|reset"):
        next(watch)


def test_a_server_of_another_ca_is_not_believed(etcd: RealEtcd) -> None:
    stranger = Authority.make().sign("remote")
    with pytest.raises(EtcdError, match=r"tls: .* x509: certificate signed by unknown authority"):
        EtcdClient(etcd.dial(stranger)).listing("cilium/")


def test_a_client_of_another_ca_is_refused_by_the_server(etcd: RealEtcd) -> None:
    ours, stranger = etcd.authority.sign("remote"), Authority.make().sign("remote")
    mixed = type(ours)(ours.ca, stranger.certificate, stranger.key)
    with pytest.raises(EtcdError, match=r"tls: .*(bad certificate|unknown ca|refuses our certificate)"):
        EtcdClient(etcd.dial(mixed)).listing("cilium/")


def test_a_server_under_another_name_is_not_believed(etcd: RealEtcd) -> None:
    with pytest.raises(EtcdError, match="tls: failed to verify certificate: x509: Hostname mismatch"):
        EtcdClient(etcd.dial(server_name="etcd.example.org")).listing("cilium/")


def test_nobody_listening_is_said_so(etcd: RealEtcd) -> None:
    dial = etcd.dial()
    etcd.kill()
    with pytest.raises(EtcdError, match="connection refused"):
        EtcdClient(dial).listing("cilium/")


def test_the_etcd_id_stays_over_a_restart_and_changes_with_its_data(etcd: RealEtcd) -> None:
    first = etcd.client().cluster_id()
    etcd.restart()
    second = etcd.client().cluster_id()
    etcd.wipe()
    assert (first == second, first == etcd.client().cluster_id()) == (True, False)


def test_a_range_ends_behind_its_last_key() -> None:
    assert prefix_end("cilium/") == "cilium0"
