"""Flow failover on paper: its events, its tasks and its command line name the same things."""

from __future__ import annotations

from dataclasses import asdict
from inspect import signature
from typing import Any, get_args

import pytest

from bgplab.checks.all import all_checks
from bgplab.cli.flow_parameters import own_parameters
from bgplab.cli.flows import FLOWS
from bgplab.errors import InputError, Problem
from bgplab.spec.loading import load_lab
from flows import failover
from tasks.failover import EVENT_TASKS, Conditions, chosen
from tasks.flow_parameters import EVERY_EVENT, OWN, Event
from tasks.parts import FAILOVER
from tasks.records import again_running


def test_every_event_of_the_flow_has_its_task_in_the_flows_order() -> None:
    assert list(get_args(Event)) == list(EVENT_TASKS) == list(EVERY_EVENT)


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
    assert own_parameters("failover", load_lab("guide"), ["link-down"], typed) == {
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
        ("failover", [], ["speed=3"], "flow failover has no parameter speed of its own"),
        ("failover", [], ["until=E04"], "has an option of its own"),
        ("bgp-lab", [], ["rate=3"], "flow bgp-lab has no parameter rate of its own"),
        ("failover", [], ["events=link-down"], 'takes no events of "link-down"'),
        ("failover", [], ["node=k8s-w9"], "no node with BGP is called k8s-w9"),
    ],
)
def test_what_was_typed_wrong_is_refused(flow: str, events: list[str], more: list[str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        own_parameters(flow, load_lab("guide"), events, more)


def test_every_value_that_a_flow_does_not_take_is_named_with_reason_and_remedy() -> None:
    with pytest.raises(InputError) as refused:
        own_parameters("failover", load_lab("guide"), [], ["rate=0", "before_seconds=soon", "after_seconds=1"])
    rate, before = refused.value.problems
    assert rate == Problem(
        "--parameter rate",
        "flow failover takes no rate of 0",
        "input should be greater than 0",
        "give connections per second, more than 0, at most 1000: --parameter 'rate=50'",
    )
    assert (before.where, before.what) == (
        "--parameter before_seconds",
        'flow failover takes no before_seconds of "soon"',
    )


@pytest.mark.parametrize("name", FLOWS)
def test_the_table_of_a_flows_own_parameters_is_its_signature(name: str) -> None:
    def taken(flow: Any) -> dict[str, Any]:
        return {each.name: each.annotation for each in signature(flow.fn, eval_str=True).parameters.values()}

    of_all = set.intersection(*(set(taken(choice.flow)) for choice in FLOWS.values()))
    own = {each: kind for each, kind in taken(FLOWS[name].flow).items() if each not in of_all}
    assert own == {each: one.kind for each, one in OWN[name].items()}


@pytest.mark.parametrize("example", [taken.example for own in OWN.values() for taken in own.values()])
def test_a_remedy_that_is_proposed_works(example: str) -> None:
    assert own_parameters("failover", load_lab("guide"), [], [example])


def test_a_lab_of_several_clusters_is_refused_before_anything_is_made() -> None:
    with pytest.raises(InputError, match="lab 'mesh' has 2 clusters, these steps are about one cluster"):
        failover.failover.fn(lab="mesh")
