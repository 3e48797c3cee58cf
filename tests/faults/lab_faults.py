"""Faults as a person makes them, by SSH and the Kubernetes API; each undoes itself, also when a test fails."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from bgplab.lab.cluster import Cluster, Kind, Manifest
from bgplab.lab.shell import Shell
from bgplab.observe.frr_bgp import vtysh

BGP = ("configure terminal", "router bgp 65000")
IPV4 = (*BGP, "address-family ipv4 unicast")

#: Set by the API server; a manifest with them cannot be created again.
_OF_THE_SERVER = ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "deletionTimestamp")


@contextmanager
def typed(host: Shell, wrong: str, right: str) -> Iterator[None]:
    """A shell command on a host, and the one that takes it back."""
    host.run(["sh", "-ec", wrong])
    try:
        yield
    finally:
        host.run(["sh", "-ec", right])


@contextmanager
def configured(router: Shell, wrong: Sequence[str], right: Sequence[str]) -> Iterator[None]:
    """Lines typed into vtysh, and those that take them back; nothing is written to the disk."""
    router.run(vtysh(*wrong))
    try:
        yield
    finally:
        router.run(vtysh(*right))


@contextmanager
def nft_chain(host: Shell, hook: str, *rules: str) -> Iterator[None]:
    """A chain of its own on a host, e.g. hook `filter hook forward priority 0`."""
    text = "\n".join(["table ip fault {", "chain fault {", f"type {hook};", *rules, "}", "}"])
    host.run(["nft", "-f", "-"], stdin=text)
    try:
        yield
    finally:
        host.run(["nft", "delete", "table", "ip", "fault"])


@contextmanager
def frozen(host: Shell, program: str) -> Iterator[None]:
    """A program that neither ends nor goes on."""
    with typed(host, f"pkill -STOP -x {program}", f"pkill -CONT -x {program}"):
        yield


@contextmanager
def patched(
    cluster: Cluster, kind: Kind, name: str, wrong: Any, right: Any, namespace: str | None = None, **options: Any
) -> Iterator[None]:
    cluster.patch(kind, name, wrong, namespace, **options)
    try:
        yield
    finally:
        cluster.patch(kind, name, right, namespace, **options)


@contextmanager
def deleted(
    cluster: Cluster, kind: Kind, name: str, namespace: str | None = None, *, status_too: bool = False
) -> Iterator[None]:
    """An object that is gone, and created again as it was. status_too: when nobody writes its status again."""
    before = cluster.get(kind, name, namespace)
    assert before is not None, f"{kind.kind} {name} is not there"
    cluster.delete(kind, name, namespace, grace_period_seconds=0)
    try:
        yield
    finally:
        cluster.create(as_new(before))
        if status_too:
            cluster.patch(kind, name, {"status": before["status"]}, namespace, subresource="status")


@contextmanager
def existing(cluster: Cluster, manifest: Manifest) -> Iterator[None]:
    """An object too many."""
    kind, metadata = cluster.kind_of(manifest), manifest["metadata"]
    cluster.create(manifest)
    try:
        yield
    finally:
        cluster.delete(kind, metadata["name"], metadata.get("namespace"))


@contextmanager
def routed_by_hand(router: Shell, prefix: str, hops: str) -> Iterator[None]:
    """Another way than FRR's in the kernel's table, under FRR's own protocol and metric; then FRR's again."""
    (route,) = json.loads(router.run(["ip", "-j", "route", "show", prefix]).stdout)
    replace = f"ip route replace {prefix} proto bgp metric 20"
    with typed(router, f"{replace} {hops}", f"{replace} nhid {route['nhid']}"):
        yield


def as_new(manifest: Manifest) -> Manifest:
    """A manifest as it was written, without what the server added."""
    metadata: Mapping[str, Any] = manifest["metadata"]
    kept = {key: value for key, value in metadata.items() if key not in _OF_THE_SERVER}
    return {key: value for key, value in manifest.items() if key != "status"} | {"metadata": kept}
