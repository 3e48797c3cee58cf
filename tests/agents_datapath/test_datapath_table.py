"""The Service table as text: golden for one Service, and that a change makes what a fresh start would make."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from datapath_world import BOTH, WEB_A, Tools, endpoint_slice, node_path, service

from bgplab.backends.embedded.agents.datapath import ruleset
from bgplab.backends.embedded.agents.datapath.nft import Lookup, Table, script
from bgplab.backends.embedded.agents.datapath.ruleset import Plan, Shared, plan_of
from bgplab.backends.embedded.agents.datapath.services import services_of
from bgplab.lab.cluster import Manifest

GOLDEN = Path(__file__).parent / "golden"

States = list[tuple[list[Manifest], list[Manifest]]]


def plan(services: list[Manifest], slices: list[Manifest], node: str = "a") -> Plan:
    return plan_of(services_of(services, slices), node_path(node))


def one(*endpoints: tuple[str, str], **spec: Any) -> Plan:
    return plan([service(**spec)], [endpoint_slice(*endpoints)])


@pytest.mark.parametrize(
    ("name", "spec"),
    [
        ("policy-cluster", {}),
        ("policy-local", {"externalTrafficPolicy": "Local"}),
        ("affinity", {"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 60}}}),
    ],
)
def test_the_table_of_a_service_is_the_recorded_one(name: str, spec: dict[str, Any]) -> None:
    """To record anew after a wanted change: BGPLAB_RECORD=1 pytest …, and read the difference."""
    text = script(one(*BOTH, **spec).table, None)
    path = GOLDEN / f"{name}.nft"
    if os.environ.get("BGPLAB_RECORD"):
        path.write_text(text)
    assert text == path.read_text()


@pytest.mark.parametrize("spec", [{}, {"sessionAffinity": "ClientIP"}])
def test_backends_are_written_once_however_many_nodes_choose_among_them(
    spec: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []
    choice = ruleset._choice
    monkeypatch.setattr(ruleset, "_choice", lambda *given: written.append(len(given[2])) or choice(*given))
    services = services_of([service(**spec)], [endpoint_slice(*BOTH)])
    shared = Shared()
    plans = {name: plan_of(services, node_path(name), shared) for name in ("a", "b")}
    assert written == [2]
    assert plans == {name: plan_of(services, node_path(name)) for name in ("a", "b")}


def test_a_policy_local_leaves_each_node_backends_of_its_own() -> None:
    services = services_of([service(externalTrafficPolicy="Local")], [endpoint_slice(*BOTH)])
    shared = Shared()
    plans = [plan_of(services, node_path(name), shared) for name in ("a", "b")]
    assert plans == [plan_of(services, node_path(name)) for name in ("a", "b")]


def test_an_equal_table_needs_no_script() -> None:
    assert script(one(*BOTH).table, one(*BOTH).table) == ""


def test_one_endpoint_less_touches_two_chains_only() -> None:
    lines = script(one(*BOTH[:1]).table, one(*BOTH).table).splitlines()
    assert [line.split()[:2] for line in lines if line.startswith(("flush", "delete"))] == [["flush", "chain"]] * 2


def test_a_set_cannot_change_its_type_in_place() -> None:
    before = Table("t", lookups={"s": Lookup("set", "type ipv4_addr;")})
    with pytest.raises(ValueError, match="s"):
        script(Table("t", lookups={"s": Lookup("set", "type inet_service;")}), before)


def test_the_first_service_by_name_keeps_a_frontend_that_two_claim() -> None:
    second = service("zzz", clusterIP="10.96.9.9")
    made = plan([second, service()], [endpoint_slice(*BOTH), endpoint_slice((WEB_A, "a"), name="zzz")])
    (element,) = [line for line in made.table.lookups["north_south_served"].elements if line.startswith("172.16.1.1 ")]
    assert element.endswith("goto north-south/default/webpod/tcp/80")


STATES: States = [
    ([service()], [endpoint_slice(*BOTH)]),
    ([service(externalTrafficPolicy="Local")], [endpoint_slice(*BOTH)]),
    ([service(externalTrafficPolicy="Local")], [endpoint_slice(*BOTH[1:])]),
    ([service(sessionAffinity="ClientIP", loadBalancerSourceRanges=["10.0.0.0/8"])], [endpoint_slice(*BOTH)]),
    ([service(sessionAffinity="ClientIP")], [endpoint_slice(*BOTH[1:])]),
    ([service(sessionAffinity="ClientIP", externalIPs=["203.0.113.7"])], [endpoint_slice()]),
    (
        [service(type="ClusterIP"), service("more", clusterIP="10.96.8.8", ingress="172.16.1.2")],
        [endpoint_slice(*BOTH)],
    ),
    ([], []),
]


def test_every_change_makes_in_the_kernel_what_a_fresh_start_would(tmp_path: Path) -> None:
    tools = Tools(tmp_path)
    if os.geteuid() != 0 or tools.missing():
        pytest.skip("needs root and nft")
    texts, before = [], None
    for number, state in enumerate([*STATES, *reversed(STATES)]):
        table = plan(*state).table
        fresh = script(table, None).replace(" bgplab", " fresh")
        (tmp_path / f"{number}.change").write_text(script(table, before))
        (tmp_path / f"{number}.fresh").write_text(fresh)
        texts.append(
            f"nft -f {tmp_path}/{number}.change && nft -f {tmp_path}/{number}.fresh"
            f" && nft list table ip bgplab | sed 's/^table ip bgplab/table ip fresh/' | sort > {tmp_path}/one"
            f" && nft list table ip fresh | sort > {tmp_path}/two && cmp {tmp_path}/one {tmp_path}/two"
        )
        before = table
    done = subprocess.run(
        ["unshare", "--net", "sh", "-ec", " && ".join(texts)],
        env={**os.environ, "PATH": tools.path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
