"""Two real labs for the faults, each walked once through the guide: the files' names are in the guide's order."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from fault_bench import Bench

from bgplab.backends.embedded import launch
from bgplab.backends.embedded.hosts.userland import is_ready, userland_directory
from bgplab.lab import directory as labs
from bgplab.lab.opening import open_lab
from bgplab.spec.loading import load_lab


@pytest.fixture(scope="session")
def pods_bench() -> Iterator[Bench]:
    """For G01 to G17."""
    yield from _bench("pods")


@pytest.fixture(scope="session")
def service_bench() -> Iterator[Bench]:
    """For G18 to G30, so that both halves can run at the same time."""
    yield from _bench("service")


def _bench(half: str) -> Iterator[Bench]:
    if not is_ready(userland_directory()):
        pytest.skip("the hosts' userland is not in the cache: run `make setup`")
    guide, name = load_lab("guide"), f"faults-{half}-{os.getpid()}"
    started = launch.up(guide, name, holder="tests/faults")
    try:
        access = labs.access_to(started.record)
        yield Bench(access, open_lab(access), guide)
    finally:
        started.lease.release()
        launch.down(name)
