"""How checks are run: patience, windows, stages, evidence."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from fake_seams import FakeCluster, FakeRouter, fake_lab, node_object

from bgplab import judge
from bgplab.checks.all import all_checks
from bgplab.checks.finding import Verdict
from bgplab.errors import CommandFailed, InputError, LabError
from bgplab.judge.context import Context
from bgplab.judge.evidence import jsonable
from bgplab.judge.readers import READERS
from bgplab.lab.model import Lab
from bgplab.results.record import CheckResult
from bgplab.spec.loading import load_lab

GUIDE = load_lab(Path(__file__).parents[2] / "deployments" / "labs" / "guide.yaml")
NODES = [node.name for node in GUIDE.cluster.nodes]


@pytest.fixture(autouse=True)
def short_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bgplab.judge.context.SHORTEST_WINDOW_SECONDS", 0.3)
    monkeypatch.setattr("bgplab.judge.judging.FAULT_PATIENCE_SECONDS", 0.5)


def judged(lab: Lab, id: str, stage: str, patience: float = 0.3, context: Context | None = None) -> CheckResult:
    (result,) = judge.run(lab, GUIDE, [id], stage, context or Context(0.01), patience_seconds=patience)
    return result


def labelled(cluster: FakeCluster) -> None:
    for name in NODES:
        cluster.put(node_object(GUIDE, name, labelled=True))


class LateCluster(FakeCluster):
    """Its nodes get their label after so many looks."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self.looks = looks
        for name in NODES:
            self.put(node_object(GUIDE, name))

    def list(self, kind: Any, *args: Any, **options: Any) -> list[dict[str, Any]]:
        if kind.kind == "Node":
            self.looks -= 1
            if self.looks < 0:
                labelled(self)
        return super().list(kind, *args, **options)


def test_a_check_waits_for_a_world_that_is_late() -> None:
    lab = Lab("fake", {}, {"kubernetes": LateCluster(2)})  # type: ignore[dict-item]
    result = judged(lab, "G10", "G10", patience=5)
    assert result.verdict is Verdict.HOLDS
    assert result.seconds >= 0.2


def test_when_patience_ends_the_reason_says_what_was_last_seen() -> None:
    lab, _, _ = fake_lab(GUIDE)
    result = judged(lab, "G10", "G10")
    assert result.verdict is Verdict.FAILS
    assert result.reason == ("nodes with enable-bgp=true: missing k8s-ctr, k8s-w0, k8s-w1 (last seen after 0.3 s)")


def test_evidence_is_kept_parsed_and_raw_and_is_json() -> None:
    lab, _, _ = fake_lab(GUIDE)
    evidence = json.loads(json.dumps(judged(lab, "G10", "G10").evidence))
    assert [node["name"] for node in evidence["seen"]["Nodes"]["nodes"]] == NODES
    (raw,) = [entry for entry in evidence["raw"] if entry["for"] == "Nodes"]
    assert raw["items"][0]["kind"] == "Node"


def test_a_passed_check_is_skipped_without_a_look_and_names_what_superseded_it() -> None:
    result = judged(Lab("nothing", {}, {}), "G06", "G21")
    assert (result.verdict, result.superseded_by) == (Verdict.SKIPPED, "G15")
    assert result.reason == "superseded by G15"


def test_a_check_whose_stage_is_not_reached_is_skipped() -> None:
    result = judged(Lab("nothing", {}, {}), "G22", "G14")
    assert (result.verdict, result.superseded_by) == (Verdict.SKIPPED, None)
    assert "holds from G21 on, the lab is at G14" in result.reason


def test_what_takes_a_change_is_skipped_where_nothing_may_be_changed() -> None:
    lab, _, _ = fake_lab(GUIDE)
    assert judged(lab, "G26", "G24").verdict is Verdict.SKIPPED


def with_an_address(cluster: FakeCluster) -> None:
    cluster.put(
        {
            "kind": "Service",
            "metadata": {"name": "webpod", "namespace": "default"},
            "spec": {"type": "LoadBalancer", "clusterIP": "10.96.0.9"},
            "status": {"loadBalancer": {"ingress": [{"ip": "172.16.1.1"}]}},
        }
    )


def test_what_must_stay_away_is_watched_over_a_window_whose_length_is_told() -> None:
    lab, _, cluster = fake_lab(GUIDE)
    with_an_address(cluster)
    result = judged(lab, "G20", "G19")
    assert result.verdict is Verdict.HOLDS
    assert float(result.figures["window_seconds"] or 0) >= 0.3
    assert int(result.figures["looks"] or 0) >= 2
    assert result.figures["propagation_seconds"] == 0.01


def test_one_slow_look_is_no_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bgplab.judge.context.SHORTEST_WINDOW_SECONDS", 0.0)
    lab, _, cluster = fake_lab(GUIDE)
    with_an_address(cluster)
    result = judged(lab, "G20", "G19", context=Context(1e-6))
    assert (result.verdict, result.figures["looks"]) == (Verdict.HOLDS, 2)


class LateAnnouncement(FakeRouter):
    """The address turns up at the third look."""

    looks = 0

    def vtysh(self, commands: list[str]) -> str:
        self.looks += 1
        if self.looks == 3:
            self.announce("172.16.1.1/32", ["192.168.10.100"])
        return super().vtysh(commands)


def test_what_appears_within_the_window_fails_and_says_after_how_long(monkeypatch: pytest.MonkeyPatch) -> None:
    # longer than three looks take on the busiest machine: the announcement ends it, not the clock
    monkeypatch.setattr("bgplab.judge.context.SHORTEST_WINDOW_SECONDS", 60.0)
    lab, _, cluster = fake_lab(GUIDE)
    with_an_address(cluster)
    late = Lab("fake", {**lab.hosts, "router": LateAnnouncement("router")}, lab.clusters)  # type: ignore[dict-item]
    result = judged(late, "G20", "G19")
    assert result.verdict is Verdict.FAILS
    assert re.match(r"held for \d+\.\d s, then: router has paths to 172\.16\.1\.1", result.reason)
    assert float(result.figures["window_seconds"] or 0) < 60


def test_what_never_was_away_fails_when_patience_ends() -> None:
    lab, router, cluster = fake_lab(GUIDE)
    with_an_address(cluster)
    router.announce("172.16.1.1/32", ["192.168.10.100"])
    result = judged(lab, "G20", "G19")
    assert (result.verdict, "window_seconds" in result.figures) == (Verdict.FAILS, False)


@pytest.mark.parametrize(
    ("fault", "verdict"),
    [
        (CommandFailed("router", ["vtysh"], 1, "", "bgpd is not running"), Verdict.FAILS),
        (LabError("router: no SSH session"), Verdict.INCONCLUSIVE),
    ],
)
def test_an_observation_that_raised_is_a_finding_and_evidence(fault: LabError, verdict: Verdict) -> None:
    lab, router, _ = fake_lab(GUIDE)
    router.fault = fault
    result = judged(lab, "G13", "G11")
    assert result.verdict is verdict
    assert str(fault) in result.reason
    assert result.evidence["seen"]["BgpSummaries"] == {"fault": str(fault)}


def test_what_could_not_be_seen_once_is_looked_at_again_even_without_patience() -> None:
    class Hiccup(FakeRouter):
        hiccups = 1

        def vtysh(self, commands: list[str]) -> str:
            if self.hiccups:
                self.hiccups -= 1
                raise LabError("router: the connection broke")
            return super().vtysh(commands)

    lab, _, cluster = fake_lab(GUIDE)
    with_an_address(cluster)
    shaky = Lab("fake", {**lab.hosts, "router": Hiccup("router")}, lab.clusters)  # type: ignore[dict-item]
    assert judged(shaky, "G20", "G19", patience=0).verdict is Verdict.HOLDS


def test_an_answer_of_an_odd_shape_is_inconclusive_and_kept() -> None:
    class Odd(FakeRouter):
        def vtysh(self, commands: list[str]) -> str:
            return '{"peers": {"192.168.10.100": {}}}'

    lab, _, _ = fake_lab(GUIDE)
    odd = Lab("fake", {**lab.hosts, "router": Odd("router")}, lab.clusters)  # type: ignore[dict-item]
    result = judged(odd, "G13", "G11")
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "has not the expected shape: KeyError('state')" in result.reason
    assert any("192.168.10.100" in entry.get("stdout", "") for entry in result.evidence["raw"])


def test_each_observation_is_made_once_per_look() -> None:
    lab, _, cluster = fake_lab(GUIDE)
    judge.run(lab, GUIDE, ["G18", "G19"], "G19", patience_seconds=0)
    assert cluster.listed.count("CiliumLoadBalancerIPPool") == 1


def test_results_come_in_the_order_asked_and_are_told_as_they_fall() -> None:
    lab, _, cluster = fake_lab(GUIDE)
    labelled(cluster)
    told: list[str] = []
    results = judge.run(
        lab, GUIDE, ["G18", "G10"], "G18", patience_seconds=0.2, on_result=lambda result: told.append(result.id)
    )
    assert [result.id for result in results] == ["G18", "G10"]
    assert told == ["G10", "G18"]


def test_a_result_says_the_commands_a_person_would_type() -> None:
    lab, _, _ = fake_lab(GUIDE)
    assert judged(lab, "G10", "G10").commands == ("kubectl get node -l enable-bgp=true",)


def test_an_unknown_check_is_refused_with_those_there_are() -> None:
    with pytest.raises(InputError, match="there is no check G99"):
        judge.run(Lab("nothing", {}, {}), GUIDE, ["G99"], "G01")


def test_every_observation_that_a_check_needs_has_a_reader() -> None:
    assert {kind for check in all_checks().values() for kind in check.needs} <= set(READERS)


def test_a_window_is_ten_times_the_propagation_and_never_too_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bgplab.judge.context.SHORTEST_WINDOW_SECONDS", 2.0)
    context = Context()
    assert context.window_seconds == 2.0
    context.measured(0.05)
    assert context.window_seconds == 2.0
    context.measured(0.4)
    context.measured(0.1)
    assert context.window_seconds == pytest.approx(4.0)


def test_evidence_of_any_kind_becomes_json() -> None:
    @dataclass(frozen=True)
    class Seen:
        address: IPv4Address
        names: frozenset[str]
        verdict: Verdict

    seen = Seen(IPv4Address("10.0.0.1"), frozenset({"b", "a"}), Verdict.HOLDS)
    assert jsonable(seen) == {"address": "10.0.0.1", "names": ["a", "b"], "verdict": "holds"}
