"""Who may answer a client of a global Service, by Cilium's documented rules and by what releases do otherwise."""

from __future__ import annotations

from itertools import pairwise, product

import pytest

from bgplab.traffic.mesh_deviations import DEVIATIONS, LITERAL_NONE, UNNAMED_PORT, deviations_of, release_of
from bgplab.traffic.mesh_model import AFFINITIES, Row, Side, State, truth_table, who_may_answer

WEST, EAST = frozenset({"w1", "w2"}), frozenset({"e1", "e2"})
NOBODY: frozenset[str] = frozenset()
BOTH = WEST | EAST


def answering(
    affinity: str, local: frozenset[str], remote: frozenset[str], *, shared: bool = True, version: str = "1.17.6"
) -> frozenset[str]:
    west = Side("west", local, affinity=affinity, version=version)
    return who_may_answer(west, [Side("east", remote, shared=shared, version=version)]).backends


#: affinity → who answers with both sides, with the local one only, with the remote one only (documentation's table).
RULES = {
    "absent": (BOTH, WEST, EAST),
    "none": (BOTH, WEST, EAST),
    "local": (WEST, WEST, EAST),
    "remote": (EAST, WEST, EAST),
    "elsewhere": (BOTH, WEST, EAST),  # a word that Cilium does not know is no preference
}


@pytest.mark.parametrize("affinity", RULES)
def test_who_answers_by_affinity_and_by_who_is_ready(affinity: str) -> None:
    seen = (
        answering(affinity, WEST, EAST),
        answering(affinity, WEST, NOBODY),
        answering(affinity, NOBODY, EAST),
    )
    assert seen == RULES[affinity]
    assert answering(affinity, NOBODY, NOBODY) == NOBODY


@pytest.mark.parametrize("affinity", RULES)
def test_backends_that_the_other_side_does_not_share_are_not_used(affinity: str) -> None:
    assert answering(affinity, WEST, EAST, shared=False) == WEST
    assert answering(affinity, NOBODY, EAST, shared=False) == NOBODY


@pytest.mark.parametrize("affinity", RULES)
def test_whether_this_side_shares_does_not_matter_to_its_own_clients(affinity: str) -> None:
    east = Side("east", EAST)
    assert (
        who_may_answer(Side("west", WEST, affinity=affinity, shared=False), [east]).backends
        == who_may_answer(Side("west", WEST, affinity=affinity), [east]).backends
    )


@pytest.mark.parametrize("affinity", RULES)
def test_a_service_that_is_not_global_here_has_its_own_backends_only(affinity: str) -> None:
    west = Side("west", WEST, is_global=False, affinity=affinity)
    assert who_may_answer(west, [Side("east", EAST)]).backends == WEST
    emptied = Side("west", NOBODY, is_global=False, affinity=affinity)
    assert who_may_answer(emptied, [Side("east", EAST)]).backends == NOBODY


@pytest.mark.parametrize("affinity", RULES)
def test_backends_of_a_cluster_whose_service_is_not_global_are_not_used(affinity: str) -> None:
    east = Side("east", EAST, is_global=False)
    assert who_may_answer(Side("west", WEST, affinity=affinity), [east]).backends == WEST


def test_with_three_clusters_all_that_share_are_remote() -> None:
    north = Side("north", frozenset({"n1"}))
    unshared = Side("east", EAST, shared=False)
    assert who_may_answer(Side("west", WEST), [Side("east", EAST), north]).backends == BOTH | {"n1"}
    assert who_may_answer(Side("west", WEST, affinity="remote"), [unshared, north]).backends == {"n1"}


def test_each_backend_has_an_equal_share_whatever_its_cluster() -> None:
    seen = who_may_answer(Side("west", WEST), [Side("east", frozenset({"e1"}))])
    assert seen.share is not None
    assert seen.share * 3 == 1
    assert who_may_answer(Side("west"), [Side("east")]).share is None


@pytest.mark.parametrize("version", ["1.18.0", "1.18", "1.18.10", "1.19.2"])
def test_the_word_none_takes_remote_backends_away_since_1_18(version: str) -> None:
    west = Side("west", WEST, affinity="none", version=version, named_port=True)
    seen = who_may_answer(west, [Side("east", EAST, version=version, named_port=True)])
    assert (seen.backends, seen.documented) == (WEST, BOTH)
    assert seen.deviations == (LITERAL_NONE,)


def test_the_word_none_is_no_preference_in_1_17() -> None:
    assert answering("none", WEST, EAST, version="1.17.6") == BOTH


def test_unnamed_ports_are_not_exported_by_1_18_0_and_named_ones_are() -> None:
    seen = who_may_answer(Side("west", WEST), [Side("east", EAST, version="1.18.0")])
    assert (seen.backends, seen.deviations) == (WEST, (UNNAMED_PORT,))
    named = who_may_answer(Side("west", WEST), [Side("east", EAST, version="1.18.0", named_port=True)])
    assert (named.backends, named.deviations) == (BOTH, ())


@pytest.mark.parametrize("version", ["1.17.6", "1.18.1", "1.18"])
def test_unnamed_ports_are_exported_by_other_releases(version: str) -> None:
    assert who_may_answer(Side("west", WEST), [Side("east", EAST, version=version)]).backends == BOTH


def test_a_deviation_that_changes_nothing_is_not_named() -> None:
    seen = who_may_answer(Side("west", WEST, affinity="none", version="1.18.3"), [Side("east", NOBODY)])
    assert (seen.backends, seen.deviations) == (WEST, ())


def test_in_the_guides_release_nothing_that_answers_deviates() -> None:
    for affinity, local, remote, shared in product(AFFINITIES, (WEST, NOBODY), (EAST, NOBODY), (True, False)):
        side = Side("west", local, affinity=affinity)
        seen = who_may_answer(side, [Side("east", remote, shared=shared)])
        assert seen.backends == seen.documented


def test_only_1_18_0_breaks_an_ordinary_global_service() -> None:
    broken = [v for v in ("1.17.0", "1.17.6", "1.18.0", "1.18.1", "1.18") if any(d.breaks for d in deviations_of(v))]
    assert broken == ["1.18.0"]


def test_every_deviation_says_which_releases_have_it_and_where_it_is_known_from() -> None:
    for one in DEVIATIONS:
        assert "#" in one.source
        assert one.is_in(".".join(map(str, one.first)))
    assert "1.18.0 only" in str(UNNAMED_PORT)
    assert "from 1.18.0 on" in str(LITERAL_NONE)


def test_a_release_without_a_patch_is_its_newest() -> None:
    assert release_of("1.18") > release_of("1.18.99")
    assert release_of("v1.18.0-rc.1") == (1, 18, 0)
    with pytest.raises(ValueError, match="no release"):
        release_of("latest")


def test_the_truth_table_has_every_row_for_both_clusters_exactly_once() -> None:
    clusters = ("west", "east")
    states = truth_table(clusters)
    due = {Row(*row) for row in product(AFFINITIES, (True, False), (True, False), (True, False))}
    for cluster in clusters:
        rows = [state.row(cluster, clusters) for state in states]
        assert len(rows) == 32
        assert set(rows) == due


def test_the_truth_table_begins_with_all_up_and_scales_one_cluster_at_a_time() -> None:
    for clusters in (("west", "east"), ("west", "east", "north")):
        states = truth_table(clusters)
        assert states[0] == State("absent", frozenset(clusters), True)
        assert len(set(states)) == len(states) == 8 * 2 ** len(clusters)
        moves = [len(one.up ^ other.up) for one, other in pairwise(states)]
        assert max(moves) == 1
        assert sum(moves) == 2 ** len(clusters) - 1


def test_some_rows_have_nobody_to_answer() -> None:
    nobody = [
        state
        for state in truth_table(("west", "east"))
        if not answering(state.affinity, WEST & NOBODY if "west" not in state.up else WEST, EAST, shared=state.shared)
    ]
    assert {(state.shared, "west" in state.up) for state in nobody} == {(False, False)}
