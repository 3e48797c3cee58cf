from xml.etree import ElementTree

import pytest
from example_run import HOSTILE, PODS, example_run, hostile_run

from bgplab.results.record import Topology, TopologyHost, TopologySession
from dashboards import figures, wording
from dashboards.aggregate import errors, latency, outcomes
from dashboards.drawing import distribution_svg
from dashboards.figures import distribution_figure, distribution_image, latency_figure
from dashboards.topology import topology_svg

ZERO, ONE = example_run().load_tests


def test_the_distribution_has_bars_for_all_nodes_and_endpoints():
    bars = [trace for trace in distribution_figure([ONE]).data if trace.type == "bar"]
    assert [set(bar.y) for bar in bars] == [set(PODS), set(PODS.values())]
    assert all(sum(bar.x) == pytest.approx(1) for bar in bars)


def test_the_expected_share_is_marked_where_it_can_be_said():
    marks = [list(trace.x) for trace in distribution_figure([ZERO, ONE]).data if trace.type == "scatter"]
    assert marks == [[], [], pytest.approx([1 / 3] * 3), pytest.approx([1 / 3] * 3)]


def test_whiskers_are_the_interval():
    bar = distribution_figure([ONE]).data[0]
    share = ONE.of_kind("node")[0]
    assert bar.x[0] + bar.error_x.array[0] == pytest.approx(share.high)
    assert bar.x[0] - bar.error_x.arrayminus[0] == pytest.approx(share.low)


def test_latency_curves_end_at_everything():
    assert [trace.y[-1] for trace in latency_figure([ZERO, ONE]).data] == [1, 1]


def test_a_figure_takes_names_from_outside_as_text():
    assert "<script" not in distribution_figure(hostile_run().load_tests).to_json()


def test_without_chromium_the_image_is_our_own_and_says_so(monkeypatch):
    class Broken:
        def to_image(self, **_):
            raise RuntimeError("no browser")

    monkeypatch.setattr(figures, "distribution_figure", lambda _tests: Broken())
    image = distribution_image([ONE])
    assert image.media_type == "image/svg+xml"
    assert "kaleido could not run Chromium (RuntimeError)" in image.note
    ElementTree.fromstring(image.content)


@pytest.mark.parametrize("run", [example_run(), hostile_run()], ids=["plain", "hostile"])
def test_drawings_are_well_formed(run):
    drawn = (distribution_svg(run.load_tests), topology_svg(run.topology, {"k8s-w1": 0.3}))
    for text in drawn:
        ElementTree.fromstring(text.replace("\x07", ""))


def test_a_drawing_holds_no_markup_from_outside():
    assert HOSTILE not in topology_svg(hostile_run().topology)


def test_the_topology_says_the_same_in_words():
    drawn = topology_svg(example_run().topology, {"k8s-w1": 1 / 3})
    assert "router to k8s-w1: Established, next hop, 33.3\u202f% of the last load test" in drawn


@pytest.mark.parametrize("count", [1, 5, 9, 100])
def test_any_number_of_nodes_can_be_drawn(count):
    nodes = [TopologyHost(f"n{number}", "node", pods=("p",) * (number % 7)) for number in range(count)]
    sessions = [TopologySession("r", node.name, "Active") for node in nodes]
    drawn = topology_svg(Topology((TopologyHost("r", "router"), *nodes), tuple(sessions)))
    assert drawn.count('class="box node"') == count


def test_latency_counts_only_answers():
    half = {**ONE.requests, "error": ["", "reset"] * 3000}
    assert latency(type(ONE)(**{**{n: getattr(ONE, n) for n in ONE.__slots__}, "requests": half})).count == 3000


def test_bins_hold_every_answer():
    seen = latency(ONE)
    assert sum(each.count for each in seen.bins) == seen.count == 6000


def test_outcomes_hold_every_connection():
    seen = outcomes(ONE)
    assert sum(seen.answered) + sum(seen.failed) == 6000
    assert errors(ONE) == {}


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (6000, "6\u202f000"),
        (2.3e-160, "2.3e-160"),
        (0.41234567, "0.4123"),
        (None, "–"),
        (3.0, "3"),
        (0, "0"),
        (True, "True"),
    ],
)
def test_figures_are_written_for_people(value, written):
    assert wording.figure(value) == written


@pytest.mark.parametrize(
    ("microseconds", "written"), [(1, "1\u202fµs"), (999.7, "1\u202fms"), (2340, "2.34\u202fms"), (1.5e6, "1.5\u202fs")]
)
def test_latencies_have_the_unit_that_suits(microseconds, written):
    assert wording.latency(microseconds) == written
