"""A lab without an owner ends after its grace; one that is kept stands."""

from __future__ import annotations

import threading

from bgplab.backends.embedded.daemon.lease import Leases


class Ended:
    def __init__(self) -> None:
        self.reasons: list[str] = []
        self.happened = threading.Event()

    def __call__(self, why: str) -> None:
        self.reasons.append(why)
        self.happened.set()


def test_a_lab_that_nobody_ever_took_ends_after_the_grace() -> None:
    ended = Ended()
    Leases(0.05, ended).begin()
    assert ended.happened.wait(5)
    assert ended.reasons == ["nobody owned the lab for 0 s"]


def test_a_lab_with_an_owner_does_not_end() -> None:
    ended = Ended()
    leases = Leases(0.05, ended)
    leases.take("flow")
    leases.begin()
    leases.take("flow")
    assert not ended.happened.wait(0.3)


def test_a_lab_ends_after_its_last_owner_let_go() -> None:
    ended = Ended()
    leases = Leases(0.05, ended)
    leases.begin()
    leases.take("one")
    leases.take("two")
    leases.release("one")
    assert not ended.happened.wait(0.2)
    leases.release("two")
    assert ended.happened.wait(5)


def test_a_kept_lab_stands_without_an_owner() -> None:
    ended = Ended()
    leases = Leases(0.05, ended)
    leases.begin()
    leases.take("up")
    leases.keep()
    leases.release("up")
    assert not ended.happened.wait(0.3)


def test_a_new_owner_in_time_saves_the_lab() -> None:
    ended = Ended()
    leases = Leases(0.5, ended)
    leases.begin()
    leases.take("killed flow")
    leases.release("killed flow")
    leases.take("its retry")
    assert not ended.happened.wait(0.8)
