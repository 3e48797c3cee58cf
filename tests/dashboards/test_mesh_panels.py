"""The mesh on the report: drawing, who answered whom, truth table; and they come back from disk as they were."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from mesh_run import TOPOLOGY, host, mesh_run

from bgplab.results.directory import load_run, save_run
from bgplab.results.record import MeshLink, Run, Topology
from dashboards.mesh import mesh_panels, mesh_svg
from dashboards.report import render_report


@pytest.fixture
def run() -> Run:
    return mesh_run()


def test_a_run_about_one_cluster_has_no_mesh(run: Run) -> None:
    assert mesh_panels(replace(run, topology=Topology())) is None
    assert 'id="mesh"' not in render_report(replace(run, topology=Topology()))


def test_answers_are_counted_by_client_and_node_and_after_an_event_only_once_it_had_settled(run: Run) -> None:
    panels = mesh_panels(run)
    assert panels is not None
    assert [column.name for column in panels.columns] == ["west-a", "west-b", "east-a"]
    assert [(row.state, row.client, row.requests, row.parts) for row in panels.heat] == [
        ("M10: affinity absent", "west", 4, (0.25, 0.25, 0.5)),
        ("M12: west: scaled to 0", "west", 2, (0.0, 0.0, 1.0)),
    ]


def test_the_truth_table_says_who_answered_and_what_is_wrong_or_known(run: Run) -> None:
    panels = mesh_panels(run)
    assert panels is not None
    shown = {(row.affinity, row.here, row.elsewhere): row.cells for row in panels.table}
    (west, east) = shown["local", "ready", "ready"]
    assert (west.words, west.tone) == ("own", "holds")
    assert (east.words, east.tone, east.detail) == ("own and west", "fails", "1 of west answered")
    assert shown["none", "ready", "ready"][0].tone == "inconclusive"
    assert shown["local", "none", "none"][0].words == "fails at once"
    assert shown["none", "ready", "ready"][1].words == "not made"
    assert panels.wrong == 1


def test_a_connection_that_is_not_ready_is_drawn_otherwise() -> None:
    broken = mesh_svg(TOPOLOGY)
    assert "west → east: 2/2" in broken
    assert "east → west: 1/2" in broken
    assert "stroke:var(--fails)" in broken
    fine = mesh_svg(replace(TOPOLOGY, links=(MeshLink("west", "east", 2, 2), MeshLink("east", "west", 2, 2))))
    assert "stroke:var(--holds)" in fine
    assert "var(--fails)" not in fine


def test_three_clusters_are_all_drawn() -> None:
    three = replace(TOPOLOGY, hosts=(*TOPOLOGY.hosts, host("north", "a", "webpod-4")))
    drawn = mesh_svg(three)
    assert drawn.count("not connected") == 2
    assert ">north<" in drawn


def test_what_comes_from_a_lab_is_escaped(run: Run) -> None:
    page = render_report(run)
    assert "<b>pod</b>" not in page
    assert "&lt;b&gt;pod&lt;/b&gt;" in page
    assert "connection refused &lt;by&gt; etcd" in page
    for id in ("mesh", "answers", "truth", "convergence"):
        assert f'id="{id}"' in page


def test_a_mesh_run_comes_back_from_disk_as_it_was(run: Run, tmp_path: Path) -> None:
    back = load_run(save_run(tmp_path, run))
    assert back.truth_table == run.truth_table
    assert back.topology == run.topology
    assert mesh_panels(back) == mesh_panels(run)
