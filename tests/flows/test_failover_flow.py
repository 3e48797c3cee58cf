"""Flow failover on paper: its events, its tasks and its command line name the same things."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, get_args

import pytest

from bgplab.checks.all import all_checks
from bgplab.cli.flow_parameters import own_parameters
from bgplab.cli.flows import FLOWS
from bgplab.errors import InputError
from flows import failover
from tasks.failover import EVENT_TASKS, Conditions, chosen
from tasks.flow_parameters import refuse_unfit_parameters
from tasks.parts import FAILOVER
from tasks.records import again_running


def test_every_event_of_the_flow_has_its_task_in_the_flows_order() -> None:
    assert list(get_args(failover.Event)) == list(EVENT_TASKS) == list(failover.EVERY_EVENT)


def test_events_are_made_in_the_flows_order_each_once() -> None:
    names = [task.name for task in chosen(["route-withdrawn", "pod-scaled-away", "route-withdrawn"])]
    assert names == ["E03 pod scaled away", "E15 route withdrawn"]


def test_each_event_is_followed_by_its_own_check_and_that_of_its_way_back() -> None:
    followed = [FAILOVER.checks_after(step) for step in ("E01", *FAILOVER.steps)]
    assert followed == [["E01"], ["E02"], *([f"E{n:02d}", f"E{n + 1:02d}"] for n in range(3, 17, 2))]
    assert [id for ids in followed for id in ids] == list(all_checks("E"))


@pytest.mark.parametrize("unknown", ["earthquake", ""])
def test_an_event_that_is_none_is_refused(unknown: str) -> None:
    with pytest.raises(Exception, match="pod-scaled-away"):
        failover.failover.validate_parameters({"events": [unknown]})


def test_the_same_run_can_be_typed_again() -> None:
    def again(parameters: dict[str, Any]) -> str:
        return again_running("failover", "mine", parameters, "E16", *failover.what_is_not_usual(parameters))

    usual = {"lab": "guide", "overrides": {}, "keep": False, "until": "E16", "events": list(EVENT_TASKS)}
    assert again(usual | asdict(Conditions())) == "bgp-lab run failover --lab guide --name mine"
    other = {"overrides": {"ecmp.hash_seed": "7"}, "keep": True, "until": "E10", "events": ["link-down"]}
    other |= {"rate": 50.0, "dial_patience_seconds": None, "node": "k8s-w0"}
    assert again(usual | asdict(Conditions()) | other) == (
        "bgp-lab run failover --lab guide --name mine --set ecmp.hash_seed=7 --until E10 --event link-down"
        """ --parameter rate=50.0 --parameter dial_patience_seconds=null --parameter 'node="k8s-w0"' --keep"""
    )


def test_a_parameter_of_the_flows_own_is_json_or_text() -> None:
    typed = ["rate=50", "node=k8s-w0", "dial_patience_seconds=null"]
    assert own_parameters(FLOWS["failover"], ["link-down"], typed) == {
        "rate": 50,
        "node": "k8s-w0",
        "dial_patience_seconds": None,
        "events": ["link-down"],
    }


@pytest.mark.parametrize(
    ("flow", "events", "more", "said"),
    [
        ("failover", ["earthquake"], [], "earthquake is no event"),
        ("bgp-lab", ["link-down"], [], "this flow makes no events"),
        ("failover", [], ["rate"], "'rate' is not NAME=VALUE"),
    ],
)
def test_what_was_typed_wrong_is_refused(flow: str, events: list[str], more: list[str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        own_parameters(FLOWS[flow], events, more)


@pytest.mark.parametrize(
    ("parameters", "said"),
    [({"speed": 3}, "flow failover has no speed"), ({"rate": 0}, "rate"), ({"until": "G14"}, "until")],
)
def test_a_parameter_that_the_flow_does_not_take_is_wrong_input(parameters: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        refuse_unfit_parameters(failover.failover, parameters)


def test_a_lab_of_several_clusters_is_refused_before_anything_is_made() -> None:
    with pytest.raises(InputError, match="lab 'mesh' has 2 clusters, these steps are about one cluster"):
        failover.failover.fn(lab="mesh")
