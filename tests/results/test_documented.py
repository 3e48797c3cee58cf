"""docs/results.md and the example notebook: the columns that are there, and code that runs."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
from example_run import example_run

from bgplab.errors import InputError
from bgplab.results.directory import save_run
from bgplab.results.frames import load_frames

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = ROOT / "docs" / "notebooks" / "distribution.ipynb"


def script(name):
    """A file of scripts/ as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_documented_columns_are_the_ones_there():
    command = [sys.executable, ROOT / "scripts" / "frame_columns.py", "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_three_lines_load_and_join_the_frames(tmp_path):
    requests, points, checks, timeline = load_frames(save_run(tmp_path, example_run()))
    joined = points.merge(checks, left_on="check_id", right_on="id")
    assert len(joined[joined.id == "G29"]) == 6
    assert set(requests.test) == {"G27", "G29", "agent restarted", "link down"}
    assert set(timeline.test.dropna()) == {"agent restarted", "link down"}


def test_what_is_no_run_has_no_frames(tmp_path):
    with pytest.raises(InputError, match=r"has no requests\.parquet"):
        load_frames(tmp_path)


@pytest.mark.parametrize("changes", [{}, {"convergence": ()}], ids=["with events", "without"])
def test_the_notebook_runs(tmp_path, monkeypatch, changes):
    monkeypatch.setenv("BGPLAB_RUN", str(save_run(tmp_path, example_run(**changes))))
    made = script("run_notebook").executed(json.loads(NOTEBOOK.read_text()), pictures=False)
    shown = [output for cell in made["cells"] for output in cell.get("outputs", ())]
    connections = 12_000 if changes else 13_800
    assert f"{connections:,} connections, 12 shares, 5 checks" in "".join(shown[0]["text"])
    assert len(shown) == sum(cell["cell_type"] == "code" for cell in made["cells"])


def test_the_notebook_takes_the_newest_run_when_none_is_named(tmp_path, monkeypatch):
    monkeypatch.delenv("BGPLAB_RUN", raising=False)
    monkeypatch.setenv("BGPLAB_RESULTS", str(tmp_path))
    save_run(tmp_path, example_run(convergence=()))
    first = json.loads(NOTEBOOK.read_text())
    first["cells"] = first["cells"][:2]
    made = script("run_notebook").executed(first)
    assert "12,000 connections" in "".join(made["cells"][1]["outputs"][0]["text"])


def test_the_notebook_is_one_and_was_run_without_naming_a_machine():
    notebook = json.loads(NOTEBOOK.read_text())
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert all(cell["outputs"] for cell in notebook["cells"] if cell["cell_type"] == "code")
    assert len({cell["id"] for cell in notebook["cells"]}) == len(notebook["cells"])
    assert str(ROOT.parent) + "/" not in NOTEBOOK.read_text()
