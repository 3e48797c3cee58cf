"""The line between launcher and daemon, and that what goes over it arrives as it was."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from dataclasses import asdict, replace

import pytest

from bgplab.backends.embedded.daemon.line import Line, Report
from bgplab.backends.embedded.daemon.seeds import seeds
from bgplab.backends.embedded.daemon.settings import ClusterSettings, Settings, Sockets
from bgplab.backends.embedded.planning import plan_of
from bgplab.backends.embedded.wiring.planning import wiring_of
from bgplab.spec.loading import load_lab


@pytest.fixture
def ends() -> Iterator[tuple[Line, Line]]:
    launcher, daemon = map(Line, socket.socketpair())
    yield launcher, daemon
    launcher.close()
    daemon.close()


def test_messages_arrive_whole_and_in_order(ends: tuple[Line, Line]) -> None:
    launcher, daemon = ends
    daemon.send({"phase": "ä" * 20_000})
    daemon.send({"ready": True})
    assert launcher.receive() == {"phase": "ä" * 20_000}
    assert launcher.receive() == {"ready": True}


def test_more_descriptors_than_one_message_holds_arrive_in_order(ends: tuple[Line, Line]) -> None:
    launcher, daemon = ends
    files = [os.memfd_create(str(number)) for number in range(300)]
    launcher.send({"hosts": 300}, files)
    assert daemon.receive() == {"hosts": 300}
    assert [os.fstat(one).st_ino for one in daemon.descriptors] == [os.fstat(one).st_ino for one in files]
    for one in (*files, *daemon.descriptors):
        os.close(one)


def test_an_end_that_is_gone_is_no_message(ends: tuple[Line, Line]) -> None:
    launcher, daemon = ends
    launcher.close()
    assert daemon.receive() is None


def test_what_a_daemon_said_before_it_died_is_heard_although_it_never_listened(ends: tuple[Line, Line]) -> None:
    launcher, daemon = ends
    launcher.send({"never": "read"})
    assert Report(daemon).failed("FRR did not start", 4)
    assert launcher.receive() == {"failed": "FRR did not start", "exit_status": 4}
    assert launcher.receive() is None


def test_a_report_that_nobody_hears_says_so(ends: tuple[Line, Line]) -> None:
    launcher, daemon = ends
    launcher.close()
    assert not Report(daemon).failed("FRR did not start", 4)


def test_silence_has_its_limit(ends: tuple[Line, Line]) -> None:
    with pytest.raises(TimeoutError):
        ends[0].receive(0.01)


@pytest.mark.parametrize("name", ["guide", "mesh", "two-routers"])
def test_settings_arrive_as_they_were(name: str) -> None:
    lab = load_lab(name)
    sockets = Sockets({one.name: 70 + one.id for one in lab.clusters}, {"router": 8}, 9)
    told = Settings("/state/labs/one", "/userland", 20.0, sockets, wiring_of(lab), {"router": {"/etc/x": "y"}})
    here = list(range(100, 100 + len(sockets.all)))
    heard = Settings.of(json.loads(json.dumps(asdict(told))), here)
    assert replace(heard, sockets=sockets) == told
    assert heard.sockets.all == here


@pytest.mark.parametrize("name", ["guide", "mesh"])
def test_clusters_arrive_as_they_were(name: str) -> None:
    lab = load_lab(name)
    plans = [plan_of(lab, one) for one in lab.clusters]
    told = [ClusterSettings(plan, "token", seeds(plan)) for plan in plans]
    assert [ClusterSettings.of(json.loads(json.dumps(asdict(one), default=str))) for one in told] == told


def test_a_plan_knows_who_reaches_whom_without_a_router() -> None:
    lab = load_lab("guide")
    assert {one.name: one.on_link for one in plan_of(lab, lab.cluster).nodes} == {
        "k8s-ctr": ("k8s-w1",),
        "k8s-w1": ("k8s-ctr",),
        "k8s-w0": (),
    }
