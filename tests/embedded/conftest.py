"""Real labs for tests: FRR, GoBGP and the kernel's own forwarding, in namespaces."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator

import pytest

from bgplab.backends.embedded import launch
from bgplab.backends.embedded.hosts.userland import is_ready, userland_directory
from bgplab.lab import directory as labs
from bgplab.lab.model import Lab
from bgplab.lab.opening import open_lab
from bgplab.spec.loading import load_lab
from bgplab.spec.model import LabSpec

_numbers = itertools.count()


@pytest.fixture(scope="session")
def guide() -> LabSpec:
    return load_lab("guide")


@pytest.fixture(scope="session", autouse=True)
def userland() -> None:
    if not is_ready(userland_directory()):
        pytest.skip("the hosts' userland is not in the cache: run `make setup`")


@pytest.fixture(scope="module")
def bring_up() -> Iterator[Callable[..., launch.Started]]:
    """Bring labs up under names of their own; all are down after the module."""
    started: list[launch.Started] = []

    def up(spec: LabSpec, **options: object) -> launch.Started:
        name = f"t{os.getpid()}-{next(_numbers)}"
        one = launch.up(spec, name, holder="test", **options)  # type: ignore[arg-type]
        started.append(one)
        return one

    yield up
    for one in started:
        one.lease.release()
        launch.down(one.record.name)


@pytest.fixture(scope="module")
def lab(bring_up: Callable[..., launch.Started], guide: LabSpec) -> Lab:
    """The guide's lab, one per test module, as a person in front of it has it."""
    return open_lab(labs.access_to(bring_up(guide).record))
