"""What controllers ask about pods: pure, on the API's own dictionaries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bgplab.backends.embedded.controllers.conditions import find
from bgplab.lab.cluster import Manifest


def is_ready(pod: Manifest) -> bool:
    condition = find((pod.get("status") or {}).get("conditions"), "Ready")
    return condition is not None and condition["status"] == "True"


def ready_since(pod: Manifest) -> str:
    """When the pod became ready (RFC 3339); "" when it is not."""
    condition = find((pod.get("status") or {}).get("conditions"), "Ready")
    return condition.get("lastTransitionTime", "") if condition and condition["status"] == "True" else ""


def is_terminating(pod: Manifest) -> bool:
    return "deletionTimestamp" in pod["metadata"]


def is_finished(pod: Manifest) -> bool:
    return phase_of(pod) in ("Succeeded", "Failed")


def is_active(pod: Manifest) -> bool:
    """Counts as one of the replicas of what made it."""
    return not is_terminating(pod) and not is_finished(pod)


def phase_of(pod: Manifest) -> str:
    return (pod.get("status") or {}).get("phase", "Pending")


def restarts_of(pod: Manifest) -> int:
    return sum(status.get("restartCount", 0) for status in (pod.get("status") or {}).get("containerStatuses") or [])


def controller_of(manifest: Manifest) -> Mapping[str, Any] | None:
    """The owner reference of what controls an object."""
    owners = manifest["metadata"].get("ownerReferences") or []
    return next((owner for owner in owners if owner.get("controller")), None)


def controller_reference(owner: Manifest) -> dict[str, Any]:
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def pod_from_template(
    owner: Manifest, template: Mapping[str, Any], labels: Mapping[str, str] | None = None
) -> Manifest:
    """A pod to be created for a controller; the API server completes its name."""
    metadata = template.get("metadata") or {}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": f"{owner['metadata']['name']}-",
            "namespace": owner["metadata"]["namespace"],
            "labels": {**(metadata.get("labels") or {}), **(labels or {})},
            **({"annotations": metadata["annotations"]} if metadata.get("annotations") else {}),
            "ownerReferences": [controller_reference(owner)],
        },
        "spec": dict(template["spec"]),
    }
