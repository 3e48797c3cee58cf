"""When an agent tries again: gRPC's connection backoff, with the draw of its jitter given."""

from __future__ import annotations

import random
from itertools import islice

from bgplab.backends.embedded.agents.mesh.timers import CILIUM


class Middle(random.Random):
    """Draws the middle of every range."""

    def uniform(self, a: float, b: float) -> float:
        return (a + b) / 2


def test_pauses_grow_by_1_6_from_one_second_to_two_minutes() -> None:
    pauses = list(islice(CILIUM.pauses(Middle()), 14))
    assert [round(pause, 3) for pause in pauses[:4]] == [1.0, 1.6, 2.56, 4.096]
    assert pauses[-3:] == [120.0] * 3


def test_a_pause_is_drawn_from_a_fifth_around_its_length() -> None:
    firsts = [next(CILIUM.pauses(random.Random(seed))) for seed in range(200)]
    assert 0.8 <= min(firsts) < 0.85
    assert 1.15 < max(firsts) <= 1.2


def test_a_remote_is_silent_after_two_heartbeats_that_did_not_come() -> None:
    assert CILIUM.silence == 120.0
