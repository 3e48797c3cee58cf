"""The requests and exec argv of an unmodified `cilium` CLI (status, config view, bgp peers, bgp routes), replayed.

Source: what cilium-cli 0.18 asks of the Kubernetes API. It tries SPDY before it execs over a WebSocket, and execs
`cilium`, not `cilium-dbg`, with neither stdin nor a terminal; it decodes routes from their wire format.
"""

from __future__ import annotations

import base64
import ipaddress
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from bgplab.backends.embedded import launch
from bgplab.backends.registry import backend
from bgplab.lab import directory as labs
from bgplab.lab.cluster import ApiError
from bgplab.lab.kubernetes_access import access_by
from bgplab.lab.kubernetes_transport import Transport
from bgplab.lab.model import Lab
from bgplab.lab.waiting import Deadline, wait_until
from bgplab.spec.model import LabSpec
from tasks.walk import Walk

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("releases")]

SYSTEM = "/api/v1/namespaces/kube-system"
APPS = "/apis/apps/v1/namespaces/kube-system"
NODES = ("k8s-ctr", "k8s-w0", "k8s-w1")
PEER = "192.168.10.200"
SELECTORS = (
    "k8s-app=cilium",
    "name=cilium-operator",
    "io.cilium/app=operator",
    "name=cilium-envoy",
    "k8s-app=hubble-relay",
    "k8s-app=hubble-ui",
    "k8s-app=clustermesh-apiserver",
)


class CiliumCli:
    """Asks as it does, and reads of the answers what it reads."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._transport = Transport(access_by(labs.access_to(labs.require_record(lab.name)).kubeconfig, None), "cli")

    def get(self, path: str, **query: str) -> dict[str, Any]:
        found: dict[str, Any] = self._transport.json("GET", path, query=query)
        return found

    def status_of(self, path: str) -> int:
        """HTTP status of a GET."""
        try:
            self.get(path)
        except ApiError as refusal:
            assert refusal.status["kind"] == "Status" and refusal.status["details"], refusal.status
            return refusal.code
        return 200

    def agents(self, **query: str) -> list[dict[str, Any]]:
        """Pods in which it execs: those whose container cilium-agent runs."""
        pods = self.get(f"{SYSTEM}/pods", labelSelector="k8s-app=cilium", **query)["items"]
        return [pod for pod in pods if _runs(pod, "cilium-agent")]

    def exec(self, pod: dict[str, Any], *argv: str) -> Any:
        done = self._lab.cluster.exec(
            pod["metadata"]["name"], argv, namespace="kube-system", container="cilium-agent", timeout=30
        )
        assert done.stderr == ""
        return json.loads(done.stdout)

    def exec_everywhere(self, *argv: str) -> dict[str, Any]:
        """In all agents at once: node → what it printed."""
        agents = self.agents()
        with ThreadPoolExecutor(len(agents)) as pool:
            answers = list(pool.map(lambda pod: self.exec(pod, *argv), agents))
        return {pod["spec"]["nodeName"]: answer for pod, answer in zip(agents, answers, strict=True)}


def _runs(pod: dict[str, Any], container: str) -> bool:
    return any(one["name"] == container and "running" in one["state"] for one in pod["status"]["containerStatuses"])


@pytest.fixture(scope="module")
def cli(bring_up: Callable[..., launch.Started], guide: LabSpec) -> CiliumCli:
    """In front of a lab whose sessions are established."""
    record = bring_up(guide).record
    walk = Walk(guide, record.name, backend("embedded", {}), say=lambda _: None)
    walk.provision("test")
    for step in ("G03", "G07", "G08", "G09", "G10", "G11"):
        walk.do(step)
    return CiliumCli(walk.lab)


def test_every_node_has_an_agent_in_which_it_execs(cli: CiliumCli) -> None:
    assert sorted(pod["spec"]["nodeName"] for pod in cli.agents()) == list(NODES)
    (only,) = cli.agents(fieldSelector="spec.nodeName=k8s-w0")
    assert only["spec"]["nodeName"] == "k8s-w0"


def test_spdy_is_refused_in_a_way_after_which_it_tries_a_websocket(cli: CiliumCli) -> None:
    path = f"{SYSTEM}/pods/{cli.agents()[0]['metadata']['name']}/exec"
    with pytest.raises(ApiError) as refused:
        cli._transport.json(
            "POST", path, query={"command": "cilium", "container": "cilium-agent", "stdout": "true", "stderr": "true"}
        )
    assert refused.value.code == 400 and "WebSocket" in refused.value.status["message"]


def test_bgp_peers_reads_every_nodes_session(cli: CiliumCli) -> None:
    def look() -> dict[str, Any]:
        return cli.exec_everywhere("cilium", "bgp", "peers", "-o", "json")

    def have_all_routes(seen: dict[str, Any]) -> bool:
        return all(family.get("received") == 4 for (peer,) in seen.values() for family in peer["families"])

    seen = wait_until(look, have_all_routes, Deadline.after(20), "four prefixes from the router on every node")
    assert sorted(seen) == list(NODES)
    for (peer,) in seen.values():
        ends = [peer[name] for name in ("local-asn", "peer-asn", "peer-address", "peer-port")]
        assert ends == [65001, 65000, PEER, 179]
        assert (peer["session-state"], peer["applied-hold-time-seconds"]) == ("established", 9)
        assert peer["uptime-nanoseconds"] > 0
        (family,) = peer["families"]
        # with graceful restart End-of-RIB counts as one more, as it does with Cilium
        assert (family["afi"], family["safi"], family["advertised"]) == ("ipv4", "unicast", 2)


def test_bgp_routes_available_are_each_nodes_own_in_wire_format(cli: CiliumCli) -> None:
    seen = cli.exec_everywhere("cilium", "bgp", "routes", "available", "ipv4", "unicast", "-o", "json")
    own = {node: [prefix_of(path) for route in routes for path in route["paths"]] for node, routes in seen.items()}
    assert own == {"k8s-ctr": ["172.20.0.0/24"], "k8s-w1": ["172.20.1.0/24"], "k8s-w0": ["172.20.2.0/24"]}
    for routes in seen.values():
        for route in routes:
            assert (route["router-asn"], route["prefix"]) == (65001, prefix_of(route["paths"][0]))
            assert attributes_of(route["paths"][0]) == {ORIGIN: b"\0", NEXT_HOP: bytes(4)}


def test_bgp_routes_advertised_go_to_the_router_with_as_path_and_next_hop(cli: CiliumCli) -> None:
    seen = cli.exec_everywhere("cilium", "bgp", "routes", "advertised", "ipv4", "unicast", "-o", "json")
    addresses = {"k8s-ctr": "192.168.10.100", "k8s-w1": "192.168.10.101", "k8s-w0": "192.168.20.100"}
    assert sorted(seen) == list(NODES)
    for node, (route,) in seen.items():
        (path,) = route["paths"]
        attributes = attributes_of(path)
        assert route["neighbor"] == PEER
        assert attributes[NEXT_HOP] == ipaddress.IPv4Address(addresses[node]).packed
        assert attributes[AS_PATH] == bytes([AS_SEQUENCE, 1]) + (65001).to_bytes(4, "big")


def test_config_view_reads_the_configuration(cli: CiliumCli) -> None:
    config = cli.get(f"{SYSTEM}/configmaps/cilium-config")["data"]
    assert config["enable-bgp-control-plane"] == "true"
    assert all(isinstance(value, str) for value in config.values())


def test_status_finds_agents_and_operator_and_what_is_not_installed_is_404(cli: CiliumCli) -> None:
    agents = cli.get(f"{APPS}/daemonsets/cilium")["status"]
    counted = ("desiredNumberScheduled", "numberReady", "numberAvailable")
    assert [agents[name] for name in counted] == [3, 3, 3]
    operator = cli.get(f"{APPS}/deployments/cilium-operator")["status"]
    assert operator["readyReplicas"] == operator["replicas"] > 0
    absent = ("daemonsets/cilium-envoy", *(f"deployments/{name}" for name in ("hubble-relay", "hubble-ui")))
    assert [cli.status_of(f"{APPS}/{path}") for path in (*absent, "deployments/clustermesh-apiserver")] == [404] * 4


def test_status_lists_pods_by_every_selector_that_it_knows(cli: CiliumCli) -> None:
    found = {one: len(cli.get(f"{SYSTEM}/pods", labelSelector=one)["items"]) for one in SELECTORS}
    assert found == dict.fromkeys(SELECTORS, 0) | {
        "k8s-app=cilium": 3, "name=cilium-operator": 1, "io.cilium/app=operator": 1,
    }  # fmt: skip


def test_status_counts_pods_that_cilium_manages(cli: CiliumCli) -> None:
    def look() -> tuple[set[str], set[str]]:
        pods = cli.get("/api/v1/pods")["items"]
        own = {_name(pod) for pod in pods if not pod["spec"].get("hostNetwork")}
        return own, {_name(one) for one in cli.get("/apis/cilium.io/v2/ciliumendpoints")["items"]}

    own, managed = wait_until(look, lambda seen: seen[0] == seen[1], Deadline.after(10), "all pods are managed")
    assert {name.partition("/")[0] for name in managed} == {"default"} and len(managed) == 4
    assert own == managed


def _name(one: dict[str, Any]) -> str:
    return f"{one['metadata']['namespace']}/{one['metadata']['name']}"


def test_status_asks_for_the_version_and_for_helms_release(cli: CiliumCli) -> None:
    assert cli.get("/version")["gitVersion"].startswith("v1.")
    assert cli.get(f"{SYSTEM}/secrets", labelSelector="name=cilium,owner=helm")["kind"] == "SecretList"


def test_status_hears_from_every_agent_that_it_is_well(cli: CiliumCli) -> None:
    seen = cli.exec_everywhere("cilium", "status", "-o", "json")
    assert sorted(seen) == list(NODES)
    for status in seen.values():
        assert status["cilium"]["state"] == "Ok"
        assert not [one for one in status.get("controllers", []) if one["status"].get("consecutive-failure-count")]
        told = [status.get(part, {}).get("state", "Ok") for part in ("kubernetes", "kvstore", "hubble")]
        assert set(told) <= {"Ok", "Disabled"}


def test_status_hears_of_endpoints_that_are_ready(cli: CiliumCli) -> None:
    seen = cli.exec_everywhere("cilium", "endpoint", "list", "-o", "json")
    assert sorted(seen) == list(NODES)
    assert {one["status"]["state"] for endpoints in seen.values() for one in endpoints} == {"ready"}


ORIGIN, AS_PATH, NEXT_HOP = 1, 2, 3  # RFC 4271, 5.1: attribute types
AS_SEQUENCE = 2
EXTENDED_LENGTH = 0x10


def prefix_of(path: dict[str, Any]) -> str:
    """NLRI (RFC 4271, 4.3): length in bits, then as many octets as that takes."""
    length, *octets = base64.b64decode(path["nlri"]["base64"])
    return str(ipaddress.IPv4Network((bytes(octets).ljust(4, b"\0"), length)))


def attributes_of(path: dict[str, Any]) -> dict[int, bytes]:
    """Path attributes (RFC 4271, 4.3): type → value."""
    found = {}
    for one in path["path-attributes"]:
        flags, kind, *rest = base64.b64decode(one["base64"])
        size = 2 if flags & EXTENDED_LENGTH else 1
        value = bytes(rest[size:])
        assert len(value) == int.from_bytes(bytes(rest[:size]), "big")
        found[kind] = value
    return found
