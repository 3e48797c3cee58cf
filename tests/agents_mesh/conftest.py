"""Real etcds, one per test and only as long as it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from certificates import Authority
from real_etcd import RealEtcd

from bgplab.backends.embedded.hosts.userland import is_ready, userland_directory


@pytest.fixture
def make_etcd(tmp_path: Path) -> Iterator[Callable[..., RealEtcd]]:
    if not is_ready(userland_directory()):
        pytest.skip("the hosts' userland, with etcd, is not in the cache: run `make setup`")
    made: list[RealEtcd] = []

    def make(authority: Authority | None = None) -> RealEtcd:
        one = RealEtcd(tmp_path / f"etcd-{len(made)}", authority)
        made.append(one)
        one.start()
        return one

    yield make
    for one in made:
        one.kill()


@pytest.fixture
def etcd(make_etcd: Callable[..., RealEtcd]) -> RealEtcd:
    return make_etcd()


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()
