"""Who may answer a global Service: Cilium's documented rules, and where releases deviate from them."""

from __future__ import annotations

import pytest

from bgplab.backends.embedded.agents.mesh.annotations import ALONE, Sharing, sharing_of
from bgplab.backends.embedded.agents.mesh.selection import Marked, select
from bgplab.backends.embedded.agents.mesh.versions import (
    DIFFERENCES,
    LISTS_SELECTED_ONLY,
    LITERAL_NONE_DROPS_REMOTE,
    REMOTE_NODE_PORTS_ARE_OURS,
    UNNAMED_PORTS_EXPORT_NOTHING,
    Behaviour,
    behaviour_of,
    release_of,
)

V1176, V1180, V1181 = behaviour_of("1.17.6"), behaviour_of("1.18.0"), behaviour_of("1.18.1")


def used(affinity: str, local: str, remote: str, behaviour: Behaviour = V1176, ending: str = "") -> str:
    return "".join(select(Sharing(True, True, affinity), local, ending, remote, behaviour).used)


@pytest.mark.parametrize(
    ("affinity", "both", "local_only", "remote_only"),
    [("", "LR", "L", "R"), ("local", "L", "L", "R"), ("remote", "R", "L", "R"), ("none", "LR", "L", "R")],
)
def test_the_affinity_decides_while_both_sides_have_somebody(
    affinity: str, both: str, local_only: str, remote_only: str
) -> None:
    outcomes = (used(affinity, "L", "R"), used(affinity, "L", ""), used(affinity, "", "R"), used(affinity, "", ""))
    assert outcomes == (both, local_only, remote_only, "")


@pytest.mark.parametrize("version", [V1180, V1181])
def test_since_1_18_the_literal_none_takes_remote_backends_away(version: Behaviour) -> None:
    assert (used("none", "L", "R", version), used("none", "", "R", version)) == ("L", "")
    assert (used("", "L", "R", version), used("local", "", "R", version)) == ("LR", "R")


@pytest.mark.parametrize("affinity", ["", "local", "remote"])
def test_pods_that_end_serve_only_when_nobody_else_does(affinity: str) -> None:
    assert used(affinity, "", "R", ending="e") == "R"
    assert used(affinity, "L", "", ending="e") == "L"
    assert used(affinity, "", "", ending="e") == "e"


def test_a_service_that_is_not_global_uses_its_own_backends_whatever_its_affinity() -> None:
    for affinity in ("", "local", "remote"):
        assert select(Sharing(False, False, affinity), "L", "", "R", V1176).used == ("L",)


def test_1_17_lists_everybody_and_marks_the_preferred_side() -> None:
    chosen = select(Sharing(True, True, "remote"), "L", "e", "R", V1176)
    assert chosen.listed == (Marked("L"), Marked("R", preferred=True), Marked("e", "terminating"))


def test_1_18_lists_the_selected_alone_and_calls_each_preferred() -> None:
    assert select(Sharing(True, True, "local"), "L", "", "R", V1181).listed == (Marked("L", preferred=True),)


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        ({}, ALONE),
        ({"service.cilium.io/global": "true"}, Sharing(True, True)),
        ({"io.cilium/global-service": "True"}, Sharing(True, True)),
        ({"service.cilium.io/global": "yes", "service.cilium.io/affinity": "local"}, ALONE),
        ({"service.cilium.io/shared": "true"}, ALONE),
        ({"service.cilium.io/global": "true", "service.cilium.io/shared": "false"}, Sharing(True, False)),
        ({"service.cilium.io/global": "true", "io.cilium/shared-service": "false"}, Sharing(True, False)),
        ({"service.cilium.io/global": "true", "service.cilium.io/affinity": "Local"}, Sharing(True, True, "local")),
        ({"io.cilium/global-service": "true", "io.cilium/service-affinity": "none"}, Sharing(True, True, "none")),
    ],
)
def test_annotations_are_read_as_cilium_reads_them(annotations: dict[str, str], expected: Sharing) -> None:
    assert sharing_of({"metadata": {"name": "webpod", "annotations": annotations}}) == expected


def test_a_difference_holds_from_its_first_release_to_the_one_that_fixes_it() -> None:
    releases = ("1.17.6", "1.18.0", "1.18.1", "1.18")
    having = {one: [UNNAMED_PORTS_EXPORT_NOTHING.in_release(release_of(one))] for one in releases}
    assert having == {"1.17.6": [False], "1.18.0": [True], "1.18.1": [False], "1.18": [False]}
    assert V1176.differences == {REMOTE_NODE_PORTS_ARE_OURS}
    assert {LITERAL_NONE_DROPS_REMOTE, LISTS_SELECTED_ONLY} <= V1180.differences
    assert all(one.fixed is None or one.first < one.fixed for one in DIFFERENCES)
