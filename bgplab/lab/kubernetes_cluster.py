"""The Cluster seam over the `kubernetes` Python client; JSON dictionaries in and out, no generated models."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import urllib3

from bgplab.errors import InputError
from bgplab.lab.cluster import POD, ApiError, Cluster, Kind, Manifest, WatchEvent
from bgplab.lab.kubernetes_access import access_by
from bgplab.lab.kubernetes_exec import exec_in_pod
from bgplab.lab.kubernetes_transport import Transport
from bgplab.lab.shell import Completed

PATCH_TYPES = {
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "json": "application/json-patch+json",
}
# Kinds without a collection: created as a subresource of the pod whose name they bear.
POD_SUBRESOURCES = {("v1", "Binding"): "binding", ("policy/v1", "Eviction"): "eviction"}
SILENCE_AFTER_WATCH_SECONDS = 30.0


def open_cluster(kubeconfig: Path, context: str | None, name: str) -> Cluster:
    """A cluster as a kubeconfig's context reaches it (the current one when None). Asks nothing yet.

    Raises InputError when the file or the context is not there.
    """
    return KubernetesCluster(name, Transport(access_by(kubeconfig, context), name))


class Watch:
    """Events of one watch request, as they come. `close` may be called from another thread and ends the iteration."""

    def __init__(self, answer: urllib3.BaseHTTPResponse, request: str) -> None:
        self._answer = answer
        self._request = request
        self._lines = lines_of(answer)

    def __iter__(self) -> Iterator[WatchEvent]:
        return self

    def __next__(self) -> WatchEvent:
        while True:
            event = json.loads(next(self._lines))
            if event["type"] == "ERROR":
                self.close()
                status = event["object"]
                raise ApiError(self._request, int(status.get("code", 500)), status)
            if event["type"] != "BOOKMARK":
                return WatchEvent(event["type"], event["object"])

    def close(self) -> None:
        try:
            self._answer.shutdown()
        except (ValueError, RuntimeError, OSError):
            pass  # has ended by itself


def lines_of(answer: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    """Whole lines of a streamed answer, each as soon as it is there. A broken connection is an end, as for kubectl."""
    rest = b""
    try:
        for piece in answer.stream(amt=None):
            *lines, rest = (rest + piece).split(b"\n")
            yield from (line for line in lines if line.strip())
    except (urllib3.exceptions.HTTPError, OSError):
        return
    finally:
        answer.close()


class KubernetesCluster:
    """See `bgplab.lab.cluster.Cluster`. A namespaced object without namespace is looked for in `default`."""

    def __init__(self, name: str, transport: Transport) -> None:
        self.name = name
        self._transport = transport
        self._served: dict[str, dict[str, Kind]] = {}
        self._found: dict[Kind, Kind] = {}

    def close(self) -> None:
        """Close idle connections; a server that shuts down waits for them."""
        self._transport.close()

    def get(self, kind: Kind, name: str, namespace: str | None = None) -> Manifest | None:
        try:
            return self._transport.json("GET", self._as_served(kind).path(name, namespace or "default"))
        except ApiError as refusal:
            if refusal.code == 404 and refusal.status.get("details"):
                return None  # the object; a 404 without details is about the resource type
            raise

    def list(self, kind: Kind, namespace: str | None = None, *, labels: str = "", fields: str = "") -> list[Manifest]:
        return self._list(kind, namespace, labels, fields)["items"]

    def list_page(self, kind: Kind, namespace: str | None = None, *, labels: str = "") -> Manifest:
        return self._list(kind, namespace, labels, "")

    def watch(
        self, kind: Kind, namespace: str | None = None, *, since: str, timeout_seconds: int = 300
    ) -> Iterator[WatchEvent]:
        path = self._as_served(kind).path(None, namespace)
        query = {
            "watch": "1",
            "resourceVersion": since,
            "timeoutSeconds": str(timeout_seconds),
            "allowWatchBookmarks": "true",
        }
        silence = timeout_seconds + SILENCE_AFTER_WATCH_SECONDS
        return Watch(self._transport.stream(path, query=query, read_seconds=silence), f"WATCH {path}")

    def create(self, manifest: Manifest) -> Manifest:
        return self._transport.json("POST", self._creation_path(manifest), body=manifest)

    def replace(self, manifest: Manifest, *, subresource: str | None = None) -> Manifest:
        path = self._path_of(manifest, subresource)
        return self._transport.json("PUT", path, body=manifest)

    def patch(
        self,
        kind: Kind,
        name: str,
        patch: Any,
        namespace: str | None = None,
        *,
        type: str = "merge",
        subresource: str | None = None,
        field_manager: str | None = None,
    ) -> Manifest:
        return self._transport.json(
            "PATCH",
            self._as_served(kind).path(name, namespace or "default", subresource),
            query={"fieldManager": field_manager} if field_manager else None,
            body=patch,
            content_type=PATCH_TYPES[type],
        )

    def apply(self, manifest: Manifest, *, field_manager: str = "bgp-lab") -> Manifest:
        return self._transport.json(
            "PATCH",
            self._path_of(manifest, None),
            query={"fieldManager": field_manager, "force": "true"},
            body=manifest,
            content_type="application/apply-patch+yaml",
        )

    def delete(
        self, kind: Kind, name: str, namespace: str | None = None, *, grace_period_seconds: int | None = None
    ) -> None:
        path = self._as_served(kind).path(name, namespace or "default")
        query = {"propagationPolicy": "Background"}
        if grace_period_seconds is not None:
            query["gracePeriodSeconds"] = str(grace_period_seconds)
        try:
            self._transport.json("DELETE", path, query=query)
        except ApiError as refusal:
            if refusal.code != 404:
                raise

    def exec(
        self,
        pod: str,
        argv: Sequence[str],
        *,
        namespace: str = "default",
        container: str | None = None,
        stdin: str = "",
        timeout: float = 30.0,
        check: bool = True,
    ) -> Completed:
        return exec_in_pod(
            self._transport,
            pod,
            argv,
            namespace=namespace,
            container=container,
            stdin=stdin,
            timeout=timeout,
            check=check,
        )

    def logs(self, pod: str, *, namespace: str = "default") -> str:
        return self._transport.text(POD.path(pod, namespace, "log"))

    def kind_of(self, manifest: Manifest) -> Kind:
        api_version, kind = str(manifest.get("apiVersion", "")), str(manifest.get("kind", ""))
        known = self._served.get(api_version, {})
        if kind not in known:  # a CustomResourceDefinition may have come since
            known = self._served[api_version] = self._discover(api_version)
        if kind not in known:
            raise InputError(
                where=f"{kind} {manifest.get('metadata', {}).get('name', '')}".strip(),
                what=f'no matches for kind "{kind}" in version "{api_version}" in cluster {self.name}',
                do="correct apiVersion and kind, or install the CustomResourceDefinition first",
            )
        return known[kind]

    def _as_served(self, kind: Kind) -> Kind:
        """A kind in the newest of its API versions that this cluster serves; as it is when there is none."""
        if not kind.older:
            return kind
        if kind not in self._found:
            for api_version in (kind.api_version, *kind.older):
                if found := self._discover(api_version).get(kind.kind):
                    self._found[kind] = found
                    break
            else:
                return kind  # a CustomResourceDefinition may come yet
        return self._found[kind]

    def _discover(self, api_version: str) -> dict[str, Kind]:
        try:
            served = self._transport.json("GET", Kind(api_version, "", "").root)["resources"]
        except ApiError as refusal:
            if refusal.code == 404:
                return {}
            raise
        return {
            resource["kind"]: Kind(api_version, resource["kind"], resource["name"], bool(resource["namespaced"]))
            for resource in served
            if "/" not in resource["name"]
        }

    def _creation_path(self, manifest: Manifest) -> str:
        subresource = POD_SUBRESOURCES.get((manifest["apiVersion"], manifest["kind"]))
        if subresource:
            return POD.path(manifest["metadata"]["name"], namespace_of(manifest), subresource)
        return self.kind_of(manifest).path(None, namespace_of(manifest))

    def _list(self, kind: Kind, namespace: str | None, labels: str, fields: str) -> Manifest:
        kind = self._as_served(kind)
        query = {"labelSelector": labels, "fieldSelector": fields}
        page = self._transport.json(
            "GET", kind.path(None, namespace), query={key: value for key, value in query.items() if value}
        )
        # A real server leaves both out of the items of built-in lists.
        page["items"] = [
            {"apiVersion": kind.api_version, "kind": kind.kind, **item} for item in page.get("items") or []
        ]
        return page

    def _path_of(self, manifest: Manifest, subresource: str | None) -> str:
        return self.kind_of(manifest).path(manifest["metadata"]["name"], namespace_of(manifest), subresource)


def namespace_of(manifest: Manifest) -> str:
    return str(manifest["metadata"].get("namespace", "default"))
