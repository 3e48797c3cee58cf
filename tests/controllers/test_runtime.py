"""Informers and workers, against a real server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from bgplab.backends.embedded.controllers.runtime import Informer, Informers, Worker
from bgplab.errors import DeadlineExceeded
from bgplab.lab.cluster import CONFIG_MAP, ApiError, Cluster, Kind, Manifest, WatchEvent
from bgplab.lab.waiting import Deadline, wait_until

PATIENCE = 5.0


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def informers(bare_cluster: Cluster, stop: threading.Event) -> Iterator[Informers]:
    made = Informers(bare_cluster, stop)
    yield made
    stop.set()
    made.join(PATIENCE)


def eventually(look, holds, what: str = "it"):
    return wait_until(look, holds, Deadline.after(PATIENCE), what, every=0.005)


def a_config_map(name: str, **data: str) -> Manifest:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}, "data": data}


def test_an_informer_follows_changes(bare_cluster: Cluster, informers: Informers):
    informer = informers.of(CONFIG_MAP)
    informer.wait_synced(PATIENCE)
    bare_cluster.create(a_config_map("one", color="blue"))
    eventually(lambda: informer.get("one", "default"), bool)
    bare_cluster.patch(CONFIG_MAP, "one", {"data": {"color": "red"}}, "default")
    eventually(lambda: informer.get("one", "default"), lambda seen: seen["data"]["color"] == "red")
    bare_cluster.delete(CONFIG_MAP, "one", "default")
    eventually(lambda: informer.get("one", "default"), lambda seen: seen is None)


def test_subscribers_hear_of_old_and_new(bare_cluster: Cluster, informers: Informers):
    informer = informers.of(CONFIG_MAP)
    informer.wait_synced(PATIENCE)
    heard: list[tuple[bool, bool]] = []
    informer.subscribe(lambda old, new: heard.append((old is not None, new is not None)))
    bare_cluster.create(a_config_map("one"))
    bare_cluster.patch(CONFIG_MAP, "one", {"data": {"color": "red"}}, "default")
    bare_cluster.delete(CONFIG_MAP, "one", "default")
    eventually(lambda: list(heard), lambda seen: seen == [(False, True), (True, True), (True, False)])


def test_a_late_subscriber_is_told_what_is_there(bare_cluster: Cluster, informers: Informers):
    bare_cluster.create(a_config_map("one"))
    informer = informers.of(CONFIG_MAP)
    informer.wait_synced(PATIENCE)
    names: list[str] = []
    informer.subscribe(lambda old, new: names.append(new["metadata"]["name"]))
    assert names == ["one"]


def test_a_failing_subscriber_stays_subscribed(bare_cluster: Cluster, informers: Informers):
    informer = informers.of(CONFIG_MAP)
    informer.wait_synced(PATIENCE)
    heard: list[str] = []

    def grumble(old: Manifest | None, new: Manifest | None) -> None:
        heard.append("x")
        raise ValueError("no")

    informer.subscribe(grumble)
    bare_cluster.create(a_config_map("one"))
    bare_cluster.create(a_config_map("two"))
    eventually(lambda: len(heard), lambda seen: seen == 2)


def test_what_a_writer_has_learned_is_seen_before_the_watch_brings_it(bare_cluster: Cluster):
    informer = Informer(bare_cluster, CONFIG_MAP, threading.Event())  # not started: its watch brings nothing
    made = bare_cluster.create(a_config_map("one"))
    informer.learn(made)
    assert informer.get("one", "default") == made
    assert informer.list() == [made]


def test_what_is_learned_late_does_not_bring_a_deleted_object_back(bare_cluster: Cluster, informers: Informers):
    informer = informers.of(CONFIG_MAP)
    informer.wait_synced(PATIENCE)
    made = bare_cluster.create(a_config_map("one"))
    bare_cluster.delete(CONFIG_MAP, "one", "default")
    bare_cluster.create(a_config_map("two"))
    eventually(lambda: informer.get("two", "default"), bool)
    informer.learn(made)
    assert informer.get("one", "default") is None


def test_an_informer_waits_for_a_type_that_is_not_served_yet(bare_cluster: Cluster, informers: Informers):
    informer = informers.of(Kind("example.com/v1", "Widget", "widgets"))
    with pytest.raises(DeadlineExceeded):
        informer.wait_synced(0.05)
    bare_cluster.create(widget_crd())
    informer.wait_synced(PATIENCE)


class Forgetful:
    """A cluster whose first watch says that the revision is too old."""

    name = "forgetful"

    def __init__(self) -> None:
        self.lists = 0
        self.watched = threading.Event()

    def list_page(self, kind: Kind) -> Manifest:
        self.lists += 1
        items = [] if self.lists > 1 else [a_config_map("gone", color="blue")]
        return {"metadata": {"resourceVersion": str(self.lists)}, "items": items}

    def watch(self, kind: Kind, *, since: str) -> Iterator[WatchEvent]:
        if self.lists == 1:
            raise ApiError("WATCH", 410, {"reason": "Expired"})
        self.watched.set()
        return iter(())


def test_after_a_revision_that_is_too_old_a_new_list_tells_what_was_missed(stop: threading.Event):
    cluster = Forgetful()
    informer = Informer(cluster, CONFIG_MAP, stop)  # type: ignore[arg-type]
    gone: list[str] = []
    informer.subscribe(lambda old, new: gone.append(old["metadata"]["name"]) if new is None else None)
    informer.start()
    assert cluster.watched.wait(PATIENCE)
    assert gone == ["gone"]
    stop.set()
    informer.join(PATIENCE)


def test_a_key_queued_many_times_is_done_once(stop: threading.Event):
    started, go, done = threading.Event(), threading.Event(), []

    def reconcile(key: str) -> None:
        started.set()
        go.wait(PATIENCE)
        done.append(key)

    worker = Worker("test", reconcile, stop)
    worker.enqueue("first")
    started.wait(PATIENCE)
    for _ in range(100):
        worker.enqueue("again")
    go.set()
    worker.enqueue("last")
    eventually(lambda: list(done), lambda seen: "last" in seen)
    assert done == ["first", "again", "last"]


def test_a_key_that_fails_is_tried_again(stop: threading.Event):
    tries: list[str] = []

    def reconcile(key: str) -> None:
        tries.append(key)
        if len(tries) < 3:
            raise ValueError("not yet")

    Worker("test", reconcile, stop).enqueue("one")
    eventually(lambda: len(tries), lambda seen: seen == 3)


def test_a_reconcile_may_ask_to_look_again(stop: threading.Event):
    looks: list[str] = []

    def reconcile(key: str) -> float | None:
        looks.append(key)
        return 0.01 if len(looks) == 1 else None

    Worker("test", reconcile, stop).enqueue("one")
    eventually(lambda: len(looks), lambda seen: seen == 2)


def test_a_sooner_time_wins(stop: threading.Event):
    done = threading.Event()
    worker = Worker("test", lambda key: done.set(), stop)
    worker.enqueue_after("one", 3600)
    worker.enqueue("one")
    assert done.wait(PATIENCE)


def test_a_worker_does_nothing_before_its_informers_are_synced(bare_cluster: Cluster, stop: threading.Event):
    informer = Informer(bare_cluster, CONFIG_MAP, stop)
    synced_when_called: list[bool] = []
    worker = Worker("test", lambda key: synced_when_called.append(informer.synced), stop, needs=(informer,))
    worker.enqueue("one")
    informer.start()
    eventually(lambda: list(synced_when_called), bool)
    assert synced_when_called == [True]


def test_many_threads_share_one_cluster(bare_cluster: Cluster):
    with ThreadPoolExecutor(32) as pool:
        made = list(pool.map(lambda n: bare_cluster.create(a_config_map(f"map-{n}")), range(200)))
    assert len({manifest["metadata"]["uid"] for manifest in made}) == 200


def test_informers_end_promptly(bare_cluster: Cluster, informers: Informers, stop: threading.Event):
    informers.of(CONFIG_MAP).wait_synced(PATIENCE)
    stop.set()
    informers.of(CONFIG_MAP).join(1.0)
    assert not [thread for thread in threading.enumerate() if thread.name == "watch-configmaps"]


def widget_crd() -> Manifest:
    schema = {"type": "object", "properties": {"spec": {"type": "object"}}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"kind": "Widget", "plural": "widgets", "singular": "widget", "listKind": "WidgetList"},
            "versions": [
                {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}},
            ],
        },
    }
