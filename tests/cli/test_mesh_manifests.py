"""`bgp-lab manifests` of a lab with several clusters."""

from __future__ import annotations

import pytest
import yaml
from click.testing import CliRunner, Result

from bgplab.cli.main import cli
from bgplab.errors import InputError


def manifests(*words: str) -> Result:
    return CliRunner().invoke(cli, ["manifests", "--lab", "mesh", *words], catch_exceptions=False)


def named(result: Result) -> list[tuple[str, str]]:
    return [(one["kind"], one["metadata"]["name"]) for one in yaml.safe_load_all(result.stdout)]


def test_one_clusters_step_is_a_stream_for_its_kubectl() -> None:
    printed = manifests("--cluster", "east", "--step", "M08")
    assert named(printed) == [("Deployment", "webpod"), ("Service", "webpod")]
    assert "service.cilium.io/global: 'true'" in printed.stdout


def test_without_a_cluster_all_of_them_are_printed_each_under_its_name() -> None:
    printed = manifests("--step", "M09")
    assert [line for line in printed.stdout.splitlines() if line.startswith("#")] == [
        "# cluster west",
        "# cluster east",
    ]
    assert named(printed) == [("Pod", "curl-pod")] * 2


@pytest.mark.parametrize(("words", "said"), [(["--cluster", "north"], "west, east"), (["--step", "G03"], "M02, M04")])
def test_what_there_is_not_is_refused_with_what_there_is(words: list[str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        manifests(*words)
