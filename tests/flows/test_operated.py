"""bgp-lab operated with Prefect, for real: server, worker, deployments, labs; and all of them killed."""

from __future__ import annotations

import os
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from operated import Served, children_of, eventually, is_alive, serving

from bgplab.backends.embedded.hosts.userland import is_ready, userland_directory
from bgplab.lab.directory import lab_lock

GRACE_SECONDS = 20.0
SHORT = "G03"  # as far as a run goes where the end does not matter

pytestmark = [
    pytest.mark.slow,
    pytest.mark.lab,
    pytest.mark.xdist_group("prefect"),
    pytest.mark.timeout(900),
    pytest.mark.skipif(not is_ready(userland_directory()), reason="run `make setup`: no userland in the cache"),
]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("served")) as one:
        yield one


def artifacts_of(served: Served, run: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """By what they show (`checks`, `report`, …)."""
    found = served.ask("/artifacts/filter", {"artifacts": {"flow_run_id": {"any_": [run["id"]]}}})
    return {one["key"].rpartition("-")[2]: one for one in found}


def test_a_run_of_the_guides_lab_ends_completed_with_its_artifacts(served: Served) -> None:
    status, run = served.run("bgp-lab/embedded")
    assert (status, run["state"]["message"]) == (0, "All 30 observations hold."), served.log_of(run)
    assert served.labs() == []
    shown = artifacts_of(served, run)
    assert shown.keys() == {"progress", "checks", "summary", "report", "distribution"}
    assert shown["progress"]["data"] == 100
    assert shown["distribution"]["data"].startswith("data:image/svg+xml;base64,")
    link = shown["report"]["data"].partition("(")[2].rstrip(")")
    with urllib.request.urlopen(link, timeout=10) as page:
        assert b"All 30 observations hold." in page.read()


def test_an_event_under_traffic_is_judged_in_a_deployments_run(served: Served) -> None:
    status, run = served.run("failover/events", events=["session-shut"])
    assert (status, run["state"]["message"]) == (0, "All 4 observations hold."), served.log_of(run)
    assert served.labs() == []
    shown = artifacts_of(served, run)
    assert shown.keys() == {"progress", "checks", "summary", "report"}
    assert "## Convergence under traffic" in shown["summary"]["data"]


def test_a_kept_mesh_that_broke_fails_its_revalidation_and_names_the_check(served: Served) -> None:
    status, run = served.run("cluster-mesh/cluster-mesh", name="px-mesh", until="M10", keep=True)
    try:
        assert (status, run["state"]["message"]) == (0, "All 10 observations hold."), served.log_of(run)
        assert artifacts_of(served, run).keys() == {"progress", "checks", "summary", "report", "distribution"}
        assert "affinity" not in served.log_of(run)  # steps after M10 are not even started
        served.lab("exec", "--name", "px-mesh", "west-worker", "--", "ip", "route", "del", "10.1.1.0/24")
        status, run = served.run("revalidate/standing", name="px-mesh")
        assert status == 1
        assert run["state"]["message"].startswith("M06 does not hold: west-worker: the route to the pods of east/east-")
        assert served.labs() == ["px-mesh"]
    finally:
        served.lab("down", "--name", "px-mesh")


def test_wrong_input_ends_a_run_with_its_own_words_and_no_traceback(served: Served) -> None:
    status, run = served.run("bgp-lab/two-routers", lab="mesh")
    assert status == 1
    assert "InputError: --lab: lab 'mesh' has 2 clusters, these steps are about one cluster" in run["state"]["message"]
    assert "Traceback" not in served.log_of(run)


def test_a_run_that_is_cancelled_takes_its_lab_down_and_keeps_what_it_has_seen(served: Served) -> None:
    run = a_run_whose_lab_stands(served)
    assert eventually(lambda: "✔ G03" in served.log_of(run), 60), served.log_of(run)
    served.ask(f"/flow_runs/{run['id']}/set_state", {"state": {"type": "CANCELLING", "name": "Cancelling"}})
    ended = eventually(lambda: served.flow_run(run["id"])["state"]["type"] == "CANCELLED", 60)
    assert ended, served.flow_run(run["id"])["state"]
    assert served.labs() == []
    assert artifacts_of(served, run).keys() >= {"checks", "summary", "report"}
    where = artifacts_of(served, run)["report"]["description"]
    assert "The run ended early: it was told to end" in Path(where).read_text()


def test_a_standing_lab_that_broke_fails_its_revalidation_and_names_what_changed(served: Served) -> None:
    assert served.lab("run", "--name", "px-kept", "--keep").returncode == 0
    try:
        status, run = served.run("revalidate/standing", name="px-kept")
        assert (status, run["state"]["type"]) == (0, "COMPLETED"), run["state"]
        kept = Path(served.environment["BGPLAB_STATE"]) / "labs" / "px-kept"
        files = {"ssh_config": str(kept / "ssh_config"), "kubeconfig": str(kept / "kubeconfig")}
        status, run = served.run("revalidate/standing", name="theirs", backend="inventory", backend_options=files)
        assert (status, run["state"]["message"]) == (0, "All 24 observations hold."), served.log_of(run)
        served.lab("exec", "--name", "px-kept", "router", "--", "sysctl", "-w", "net.ipv4.fib_multipath_hash_policy=0")
        status, run = served.run("revalidate/standing", name="px-kept")
        assert status == 1
        assert run["state"]["message"].startswith("G28 does not hold: router: live")
        assert "Not as in the run before: G28: holds → fails; G29: holds → fails" in run["state"]["message"]
        assert "Traceback" not in served.log_of(run)
        asked = {"filter": {"event": {"name": ["bgp-lab.drift"]}}}
        (event,) = eventually(lambda: served.ask("/events/filter", asked)["events"], 30)  # the server keeps them later
        assert event["resource"]["prefect.resource.id"] == "bgp-lab.px-kept"
        assert any(change.startswith("G28: holds → fails") for change in event["payload"]["changes"])
        assert served.labs() == ["px-kept"]
    finally:
        served.lab("down", "--name", "px-kept")


def test_a_second_run_on_one_lab_waits_and_names_who_has_it(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BGPLAB_STATE", served.environment["BGPLAB_STATE"])
    with lab_lock("embedded", "somebody's terminal"):
        _, run = served.run("bgp-lab/embedded", watch=False, until=SHORT)
        assert eventually(lambda: "in use by somebody's terminal" in served.log_of(run), 90), served.log_of(run)
    ended = eventually(lambda: (now := served.flow_run(run["id"]))["state"]["type"] == "COMPLETED" and now, 90)
    assert ended, served.flow_run(run["id"])["state"]


def test_parameters_that_no_run_could_mean_are_refused_before_there_is_one(served: Served) -> None:
    with pytest.raises(AssertionError, match="Validation failed for field 'until'"):
        served.run("bgp-lab/embedded", until="G31")


def a_run_whose_lab_stands(served: Served) -> dict[str, Any]:
    _, run = served.run("bgp-lab/embedded", watch=False)
    assert eventually(lambda: "embedded" in served.labs(), 120), served.log_of(run)
    return served.flow_run(run["id"])


def test_serve_killed_takes_server_worker_and_lab_with_it(served: Served) -> None:
    """The last to use the shared one."""
    run = a_run_whose_lab_stands(served)
    processes = [*children_of(served.process.pid), int(run["infrastructure_pid"].rpartition(":")[2])]
    os.kill(served.process.pid, signal.SIGKILL)
    served.process.wait(10)
    assert eventually(lambda: not [one for one in processes if is_alive(one)], 30)
    assert eventually(lambda: not served.labs(), GRACE_SECONDS + 10)


def test_flow_and_worker_killed_leave_no_lab_and_the_next_run_is_green(tmp_path: Path) -> None:
    with serving(tmp_path) as first:
        run = a_run_whose_lab_stands(first)
        for process in (first.worker, int(run["infrastructure_pid"].rpartition(":")[2])):
            os.kill(process, signal.SIGKILL)
        assert first.process.wait(90) == 4
        assert "the worker ended with -9" in first.said
        assert eventually(lambda: not first.labs(), GRACE_SECONDS + 10)
    with serving(tmp_path) as second:
        state = second.flow_run(run["id"])["state"]
        assert state["type"] == "CRASHED"
        assert state["message"].startswith("the worker ended with -9")
        status, run = second.run("bgp-lab/embedded", until=SHORT)
        assert (status, run["state"]["type"]) == (0, "COMPLETED"), run["state"]

        run = a_run_whose_lab_stands(second)
        children = children_of(second.process.pid)
        second.process.send_signal(signal.SIGTERM)
        assert second.process.wait(120) == 0
        assert f"flow run {run['name']} is cancelled" in second.said
        assert "is Crashed" not in second.said
        assert second.labs() == []
        assert not [child for child in children if is_alive(child)]
