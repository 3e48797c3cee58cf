"""deployments/prefect.yaml and the automations, on paper: Prefect ignores what it does not know, so tests do not."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from prefect.events.schemas.automations import AutomationCore
from prefect.flows import Flow
from prefect.utilities.schema_tools.validation import validate

from bgplab.cli.serve import what_to_type
from bgplab.lab.directory import check_name
from bgplab.spec.loading import shipped_labs
from tasks.operating import DEPLOYMENTS, POOL

TOP = {"name", "pull", "definitions", "deployments"}
DEPLOYMENT = {
    "name",
    "entrypoint",
    "version",
    "description",
    "tags",
    "parameters",
    "enforce_parameter_schema",
    "concurrency_limit",
    "schedules",
    "work_pool",
    "triggers",
    "paused",
}
WORK_POOL = {"name", "work_queue_name", "job_variables"}
LIMIT = {"limit", "collision_strategy", "grace_period_seconds"}
SCHEDULE = {
    "slug",
    "cron",
    "interval",
    "rrule",
    "timezone",
    "anchor_date",
    "active",
    "parameters",
    "day_or",
    "replaces",
}

FILE = yaml.safe_load((DEPLOYMENTS / "prefect.yaml").read_text())
AUTOMATIONS = sorted((DEPLOYMENTS / "automations").glob("*.yaml"))

each = pytest.mark.parametrize("deployment", FILE["deployments"], ids=lambda one: one["name"])


def flow_of(deployment: dict[str, Any]) -> Flow[..., Any]:
    path, _, function = deployment["entrypoint"].partition(":")
    found = getattr(importlib.import_module(path.removesuffix(".py").replace("/", ".")), function)
    assert isinstance(found, Flow)
    return found


def schema_of(flow: Flow[..., Any]) -> dict[str, Any]:
    return flow.parameters.model_dump()


def unknown_keys(deployment: dict[str, Any]) -> Iterator[str]:
    yield from deployment.keys() - DEPLOYMENT
    yield from deployment["work_pool"].keys() - WORK_POOL
    yield from deployment["concurrency_limit"].keys() - LIMIT
    for schedule in deployment.get("schedules", ()):
        yield from schedule.keys() - SCHEDULE


def test_the_file_has_no_key_that_prefect_would_ignore() -> None:
    assert not FILE.keys() - TOP


@each
def test_a_deployment_has_no_key_that_prefect_would_ignore(deployment: dict[str, Any]) -> None:
    assert not list(unknown_keys(deployment))


def test_the_variants_that_the_readme_names_are_there() -> None:
    full = {f"{flow_of(one).name}/{one['name']}" for one in FILE["deployments"]}
    bgp_lab = {f"bgp-lab/{lab}" for lab in ("embedded", "five-nodes", "two-routers")}
    assert full == bgp_lab | {"cluster-mesh/cluster-mesh", "failover/events", "revalidate/standing"}


def test_serve_names_every_deployment_when_it_is_ready() -> None:
    named = what_to_type("http://127.0.0.1:4200/api", 4280)
    assert not [one for one in FILE["deployments"] if f"{flow_of(one).name}/{one['name']}" not in named]


@each
def test_a_deployment_says_what_it_is_and_where_it_runs(deployment: dict[str, Any]) -> None:
    assert deployment["description"].strip()
    assert "bgp-lab" in deployment["tags"]
    assert deployment["work_pool"]["name"] == POOL


@each
def test_a_deployments_parameters_fit_its_flows_schema(deployment: dict[str, Any]) -> None:
    flow = flow_of(deployment)
    validate(deployment["parameters"], schema_of(flow), raise_on_error=True)
    assert deployment["parameters"].keys() <= schema_of(flow)["properties"].keys()


@each
def test_a_deployment_names_a_shipped_lab_and_a_valid_lab_name(deployment: dict[str, Any]) -> None:
    given = deployment["parameters"]
    assert given.get("lab", "guide") in shipped_labs()
    check_name(given["name"])


@each
def test_every_field_of_the_form_is_explained(deployment: dict[str, Any]) -> None:
    fields = schema_of(flow_of(deployment))["properties"]
    assert not [name for name, field in fields.items() if not field.get("description")]


def test_runs_on_one_lab_queue_and_are_not_cancelled() -> None:
    limits = [one["concurrency_limit"] for one in FILE["deployments"]]
    assert {(limit["limit"], limit["collision_strategy"]) for limit in limits} == {(1, "ENQUEUE")}


def test_labs_of_two_deployments_have_two_names() -> None:
    names = [one["parameters"]["name"] for one in FILE["deployments"]]
    assert len(set(names)) == len(names)


def test_the_revalidation_is_scheduled_but_paused() -> None:
    (standing,) = (one for one in FILE["deployments"] if one["name"] == "standing")
    assert [schedule["active"] for schedule in standing["schedules"]] == [False]


@pytest.mark.parametrize("parameter", [{"until": "G31"}, {"backend": "kind"}, {"keep": "maybe"}])
def test_the_form_refuses_what_no_run_could_mean(parameter: dict[str, Any]) -> None:
    from flows.bgp_lab import bgp_lab

    with pytest.raises(Exception, match=r"valid|match|one of|type"):
        validate(parameter, schema_of(bgp_lab), raise_on_error=True)


@pytest.mark.parametrize("file", AUTOMATIONS, ids=lambda file: file.stem)
def test_an_automation_says_only_what_prefect_knows(file: Any) -> None:
    given = yaml.safe_load(file.read_text())
    read = AutomationCore.model_validate(given).model_dump(mode="json")
    assert given.keys() <= read.keys()
    assert given["trigger"].keys() <= read["trigger"].keys()
    assert all(one.keys() <= known.keys() for one, known in zip(given["actions"], read["actions"], strict=True))


@each
def test_a_zombie_is_one_that_missed_three_heartbeats(deployment: dict[str, Any]) -> None:
    (zombies,) = (yaml.safe_load(file.read_text()) for file in AUTOMATIONS if file.stem == "zombies")
    beat = int(deployment["work_pool"]["job_variables"]["env"]["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"])
    assert zombies["trigger"]["within"] >= 3 * beat
