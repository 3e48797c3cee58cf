"""Resource -> the columns `kubectl get` shows for it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from bgplab.backends.embedded.kube.store.item import Value
from bgplab.backends.embedded.kube.table.ages import since
from bgplab.backends.embedded.kube.table.columns import AGE, NAME, NONE, Shown, at, field, joined
from bgplab.backends.embedded.kube.table.network import ENDPOINTS_COLUMNS, SERVICE_COLUMNS, SLICE_COLUMNS
from bgplab.backends.embedded.kube.table.pods import POD_COLUMNS
from bgplab.backends.embedded.kube.verbs.scale import selector_text

ROLE = "node-role.kubernetes.io/"


def _node_status(node: Value, now: datetime) -> str:
    conditions = at(node, "status", "conditions", default=[])
    states = ["Ready" if each["status"] == "True" else "NotReady" for each in conditions if each["type"] == "Ready"]
    states = states or ["Unknown"]
    return ",".join([*states, "SchedulingDisabled"] if at(node, "spec", "unschedulable") else states)


def _node_roles(node: Value, now: datetime) -> str:
    labels = node["metadata"].get("labels", {})
    roles = {label.removeprefix(ROLE) for label in labels if label.startswith(ROLE)}
    roles |= {value for label, value in labels.items() if label == "kubernetes.io/role" and value}
    return joined(sorted(role for role in roles if role))


def _node_address(kind: str, name: str) -> Shown:
    def cell(node: Value, now: datetime) -> str:
        addresses = at(node, "status", "addresses", default=[])
        return next((each["address"] for each in addresses if each["type"] == kind), NONE)

    return Shown(name, cell, wide=True)


def _containers(value: Value, now: datetime) -> str:
    return joined([each["name"] for each in at(value, "spec", "template", "spec", "containers", default=[])])


def _images(value: Value, now: datetime) -> str:
    return joined([each.get("image", "") for each in at(value, "spec", "template", "spec", "containers", default=[])])


def _selector(value: Value, now: datetime) -> str:
    return selector_text(at(value, "spec", "selector")) or NONE


WORKLOAD = (
    Shown("Containers", _containers, wide=True),
    Shown("Images", _images, wide=True),
    Shown("Selector", _selector, wide=True),
)


def _count(name: str, *path: str) -> Shown:
    return field(name, *path, default=0, kind="integer")


def _deployment_ready(value: Value, now: datetime) -> str:
    return f"{at(value, 'status', 'readyReplicas', default=0)}/{at(value, 'spec', 'replicas', default=0)}"


def _node_selector(value: Value, now: datetime) -> str:
    selector = at(value, "spec", "template", "spec", "nodeSelector", default={})
    return joined([f"{key}={each}" for key, each in sorted(selector.items())])


def _data_count(*names: str) -> Shown:
    return Shown("Data", lambda value, now: sum(len(value.get(name) or {}) for name in names), "integer")


def _event_time(value: Value, *names: str) -> str | None:
    return next((value[name] for name in names if value.get(name)), None)


def _last_seen(event: Value, now: datetime) -> str:
    series = at(event, "series", "lastObservedTime")
    return since(series or _event_time(event, "lastTimestamp", "firstTimestamp", "eventTime"), now)


def _first_seen(event: Value, now: datetime) -> str:
    return since(_event_time(event, "firstTimestamp", "eventTime"), now)


def _event_object(event: Value, now: datetime) -> str:
    about = event["involvedObject"]
    return f"{about.get('kind', '').lower()}/{about.get('name', '')}"


def _event_source(event: Value, now: datetime) -> str:
    source = event.get("source", {})
    parts = [source.get("component") or event.get("reportingComponent", ""), source.get("host", "")]
    return ", ".join(part for part in parts if part)


EVENT_COLUMNS = (
    Shown("Last Seen", _last_seen),
    field("Type", "type", default=""),
    field("Reason", "reason", default=""),
    Shown("Object", _event_object),
    field("Subobject", "involvedObject", "fieldPath", default="", wide=True),
    Shown("Source", _event_source, wide=True),
    Shown("Message", lambda event, now: event.get("message", "").strip()),
    Shown("First Seen", _first_seen, wide=True),
    Shown("Count", lambda event, now: event.get("count", 1), "integer", wide=True),
    Shown("Name", NAME.cell, format="name", wide=True),
)

COLUMNS: Mapping[str, tuple[Shown, ...]] = {
    "configmaps": (NAME, _data_count("data", "binaryData"), AGE),
    "endpoints": ENDPOINTS_COLUMNS,
    "events": EVENT_COLUMNS,
    "namespaces": (NAME, field("Status", "status", "phase"), AGE),
    "nodes": (
        NAME,
        Shown("Status", _node_status),
        Shown("Roles", _node_roles),
        AGE,
        field("Version", "status", "nodeInfo", "kubeletVersion", default=""),
        _node_address("InternalIP", "Internal-IP"),
        _node_address("ExternalIP", "External-IP"),
        field("OS-Image", "status", "nodeInfo", "osImage", default="<unknown>", wide=True),
        field("Kernel-Version", "status", "nodeInfo", "kernelVersion", default="<unknown>", wide=True),
        field("Container-Runtime", "status", "nodeInfo", "containerRuntimeVersion", default="<unknown>", wide=True),
    ),
    "pods": POD_COLUMNS,
    "secrets": (NAME, field("Type", "type", default=""), _data_count("data"), AGE),
    "serviceaccounts": (NAME, Shown("Secrets", lambda value, now: len(value.get("secrets") or []), "integer"), AGE),
    "services": SERVICE_COLUMNS,
    "deployments.apps": (
        NAME,
        Shown("Ready", _deployment_ready),
        _count("Up-to-date", "status", "updatedReplicas"),
        _count("Available", "status", "availableReplicas"),
        AGE,
        *WORKLOAD,
    ),
    "replicasets.apps": (
        NAME,
        _count("Desired", "spec", "replicas"),
        _count("Current", "status", "replicas"),
        _count("Ready", "status", "readyReplicas"),
        AGE,
        *WORKLOAD,
    ),
    "daemonsets.apps": (
        NAME,
        _count("Desired", "status", "desiredNumberScheduled"),
        _count("Current", "status", "currentNumberScheduled"),
        _count("Ready", "status", "numberReady"),
        _count("Up-to-date", "status", "updatedNumberScheduled"),
        _count("Available", "status", "numberAvailable"),
        Shown("Node Selector", _node_selector),
        AGE,
        *WORKLOAD,
    ),
    "endpointslices.discovery.k8s.io": SLICE_COLUMNS,
    "leases.coordination.k8s.io": (NAME, field("Holder", "spec", "holderIdentity", default=""), AGE),
    "customresourcedefinitions.apiextensions.k8s.io": (
        NAME,
        field("Created At", "metadata", "creationTimestamp", kind="date"),
    ),
}
