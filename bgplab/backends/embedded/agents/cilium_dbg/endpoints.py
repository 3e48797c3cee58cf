"""`cilium-dbg endpoint list -o json`: the pods of the node that have an address of their own."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from typing import Any


def endpoints_json(pods: Iterable[Mapping[str, Any]], node_name: str) -> list[dict[str, Any]]:
    """As far as Cilium's command line reads it: `status.state`, and whose endpoint it is."""
    return [_endpoint(pod) for pod in pods if _has_endpoint(pod, node_name)]


def _has_endpoint(pod: Mapping[str, Any], node_name: str) -> bool:
    spec, status = pod["spec"], pod.get("status") or {}
    return spec.get("nodeName") == node_name and not spec.get("hostNetwork") and bool(status.get("podIP"))


def _endpoint(pod: Mapping[str, Any]) -> dict[str, Any]:
    metadata, status = pod["metadata"], pod["status"]
    name = f"{metadata['namespace']}/{metadata['name']}"
    return {
        "id": zlib.crc32(metadata.get("uid", name).encode()) % 4095 + 1,
        "status": {
            "external-identifiers": {
                "k8s-namespace": metadata["namespace"],
                "k8s-pod-name": metadata["name"],
                "pod-name": name,
            },
            "networking": {"addressing": [{"ipv4": status["podIP"]}]},
            "state": "ready",  # its wiring; whether the pod's own probes hold is another question
        },
    }
