from __future__ import annotations

from pathlib import Path

import pytest

from bgplab.errors import InputError
from bgplab.spec.loading import load_lab, parse_lab, scale_lab, shipped_labs
from bgplab.spec.model import LabSpec
from bgplab.spec.validation import check_lab

GUIDE = shipped_labs()["guide"]


def refusal(text: str, **overrides: str) -> InputError:
    with pytest.raises(InputError) as refused:
        parse_lab(text, "lab.yaml", overrides)
    return refused.value


def test_the_promised_labs_are_shipped() -> None:
    assert {"guide", "two-routers", "five-nodes", "scale"} <= set(shipped_labs())


@pytest.mark.parametrize("name", shipped_labs())
def test_a_shipped_lab_is_valid_and_has_the_name_of_its_file(name: str) -> None:
    assert load_lab(name).name == name


def test_a_file_is_loaded_by_path_from_anywhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_text(GUIDE.read_text())
    monkeypatch.chdir(tmp_path)
    assert load_lab("my.yaml") == load_lab(tmp_path / "my.yaml") == load_lab("guide")


def test_a_misspelt_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean two-routers"):
        load_lab("two-router")


@pytest.mark.parametrize("name", ["./missing.yaml", "/", "a\0b/c"])
def test_a_file_that_cannot_be_read_is_the_users_problem(name: str) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        load_lab(name)


def test_a_large_file_is_not_parsed(tmp_path: Path) -> None:
    (tmp_path / "large.yaml").write_text("#" * 600_000)
    with pytest.raises(InputError, match="more than 524288 bytes"):
        load_lab(tmp_path / "large.yaml")


def test_a_file_without_an_end_is_not_read_to_it() -> None:
    with pytest.raises(InputError, match="more than 524288 bytes"):
        load_lab("/dev/zero")
    with pytest.raises(InputError, match="more than 524288 bytes"):
        load_lab("guide", {"clusters[0].workloads": "[/dev/zero]"})


def test_many_small_values_are_refused_before_they_are_built() -> None:
    assert "unfolds to more than" in str(refusal("a: [" + "1," * 200_000 + "]"))


def test_a_problem_names_file_line_and_field() -> None:
    text = GUIDE.read_text()
    line = next(number for number, line in enumerate(text.splitlines(), start=1) if "k8s-w0," in line)
    (problem,) = refusal(text.replace("192.168.20.100", "192.168.30.100")).problems
    assert problem.where == f"lab.yaml:{line}, clusters[0].nodes[2].address"


def test_an_index_counts_what_is_written_also_behind_an_unreadable_item() -> None:
    text = GUIDE.read_text().replace("192.168.10.100", "oops").replace("192.168.20.100", "192.168.30.100")
    assert [problem.where.split(", ")[1] for problem in refusal(text).problems] == [
        "clusters[0].nodes[0].address",
        "clusters[0].nodes[2].address",
    ]


def test_what_follows_from_an_unreadable_value_is_not_reported() -> None:
    unreadable = GUIDE.read_text().replace("addresses: [192.168.10.200, 192.168.20.200]", "addresses: 192.168.10.200")
    assert [problem.where.split(", ")[1] for problem in refusal(unreadable).problems] == ["routers[0].addresses"]


def test_anchors_may_be_used() -> None:
    text = GUIDE.read_text().replace("{hold_seconds: 9, ", "&timers {hold_seconds: 12, ")
    text += "description: &words again\n".replace("description", "x")
    assert "'x' is not a field" in str(refusal(text))
    assert parse_lab(text.replace("x: &words again\n", ""), "lab.yaml").cluster.bgp.timers.hold_seconds == 12


def test_a_version_keeps_its_zeros_without_quotes() -> None:
    text = GUIDE.read_text().replace('cilium_version: "1.18"', "cilium_version: 1.20")
    assert parse_lab(text, "lab.yaml").cluster.cilium_version == "1.20"


def test_replicas_follow_the_nodes_unless_they_are_said() -> None:
    assert load_lab("five-nodes").cluster.app.replicas == 5
    assert load_lab("five-nodes", {"clusters[0].app.replicas": "2"}).cluster.app.replicas == 2


# Overrides


def test_overrides_reach_fields_that_are_not_written() -> None:
    spec = load_lab("guide", {"load_test.requests": "500", "ecmp.hash_seed": "7", "clusters[0].nodes[1].bgp": "false"})
    assert (spec.load_test.requests, spec.ecmp.hash_seed) == (500, 7)
    assert [node.bgp for node in spec.cluster.nodes] == [True, False, True]


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("load_test.reqests", "5", "did you mean 'requests'"),
        ("load_test.requests", "0", "override, load_test.requests: 0 is outside"),
        ("load_test.requests", "", "it has no value"),
        ("load_test.requests", "[", "not YAML"),
        ("load_test.requests", "{a: 1, a: 2}", "appears twice"),
        ("load_test..requests", "5", "'' is not a field"),
        ("clusters[7].name", "x", "clusters is a list of 1"),
        ("clusters.name", "x", "there is no clusters.name"),
        ("name.first", "x", "name is 'guide'"),
        ("clusters[0].nodes.count", "5", "clusters[0].nodes is a list of 3"),
        ("clusters[0].workloads[0]", "mine.yaml", "write it whole: clusters[0].workloads=[…]"),
        ("load_tests.requests", "5", "override, load_tests: 'load_tests' is not a field"),
    ],
)
def test_a_bad_override_is_refused(key: str, value: str, said: str) -> None:
    with pytest.raises(InputError) as refused:
        load_lab("guide", {key: value})
    assert said in str(refused.value)
    assert refused.value.problems[0].where.startswith("override")


def test_a_key_with_control_characters_reaches_no_terminal_as_it_is() -> None:
    with pytest.raises(InputError) as refused:
        parse_lab(GUIDE.read_text() + '"a\\e[31m\\n": 1\n', "lab.yaml")
    assert "\x1b" not in str(refused.value) and "'a\\x1b[31m\\n'" in refused.value.problems[0].where


# Templates


@pytest.mark.parametrize("count", [1, 2, 7, 100, 300])
def test_the_scale_lab_has_as_many_nodes_as_asked_for(count: int) -> None:
    nodes = scale_lab(count).cluster.nodes
    assert len({node.name for node in nodes}) == len({node.address for node in nodes}) == count
    assert [node.name for node in nodes if node.control_plane] == ["node-1"]


def test_generated_nodes_take_turns_in_the_subnets() -> None:
    spec = scale_lab(5)
    assert [spec.subnet_of(node.address).name for node in spec.cluster.nodes] == ["rack-16", "rack-32"] * 2 + [
        "rack-16"
    ]


@pytest.mark.parametrize("count", [0, -1, 1001])
def test_the_scale_lab_refuses_other_numbers(count: int) -> None:
    with pytest.raises(InputError, match="outside 1…1000"):
        scale_lab(count)


# Workloads


def lab_with_workload(folder: Path, manifest: str) -> LabSpec:
    (folder / "app.yaml").write_text(manifest)
    text = GUIDE.read_text().replace("    pool:\n", "    workloads: [app.yaml]\n    pool:\n")
    return parse_lab(text, "lab.yaml", folder=folder)


def test_workload_files_are_found_beside_the_description_and_made_absolute(tmp_path: Path) -> None:
    spec = lab_with_workload(tmp_path, "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {ratio: 0.5}}")
    assert spec.cluster.workloads == (str(tmp_path / "app.yaml"),)


def test_a_definition_brings_its_kind_along(tmp_path: Path) -> None:
    lab_with_workload(
        tmp_path,
        """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: backups.example.org}
spec: {group: example.org, names: {kind: Backup, plural: backups}, versions: [{name: v1}]}
---
{apiVersion: example.org/v1, kind: Backup, metadata: {name: nightly}}
""",
    )


# Descriptions made in Python


def test_a_description_made_in_python_is_judged_by_the_same_rules() -> None:
    guide = load_lab("guide")
    assert check_lab(guide) is guide
    with pytest.raises(InputError, match=r"lab guide, clusters\[0\].nodes: there are no nodes"):
        check_lab(guide.model_copy(update={"clusters": (guide.cluster.model_copy(update={"nodes": ()}),)}))
