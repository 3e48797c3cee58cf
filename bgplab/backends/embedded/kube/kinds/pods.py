"""Pods and the templates of pods: defaults, rules, what may change."""

from __future__ import annotations

import json
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from bgplab.backends.embedded.kube.errors import Cause
from bgplab.backends.embedded.kube.kinds.behaviour import Behaviour
from bgplab.backends.embedded.kube.machine import Machine
from bgplab.backends.embedded.kube.schema.formats import DNS_LABEL
from bgplab.backends.embedded.kube.store.item import Value
from bgplab.backends.embedded.quantities import amount

NOT_READY_TOLERATION_SECONDS = 300
CHANGEABLE = ("activeDeadlineSeconds", "terminationGracePeriodSeconds", "tolerations", "schedulingGates")
CHANGEABLE_OF_CONTAINER = ("image", "resources")


def complete_template(spec: Value) -> None:
    """Computed defaults of a pod spec, wherever it stands."""
    for container in (*spec.get("containers", ()), *spec.get("initContainers", ())):
        if "imagePullPolicy" not in container:
            container["imagePullPolicy"] = pull_policy(container.get("image", ""))
        _equal_requests(container.get("resources", {}))
        if spec.get("hostNetwork"):
            for port in container.get("ports", ()):
                port.setdefault("hostPort", port.get("containerPort"))
    if account := spec.get("serviceAccountName"):
        spec["serviceAccount"] = account


def pull_policy(image: str) -> str:
    name, digest, _ = image.rpartition("@")
    tag = (name if digest else image).rsplit("/", 1)[-1].partition(":")[2]
    return "Always" if tag in ("", "latest") and not digest else "IfNotPresent"


def _equal_requests(resources: Value) -> None:
    for name, quantity in resources.get("limits", {}).items():
        resources.setdefault("requests", {}).setdefault(name, quantity)


def _complete(pod: Value) -> None:
    spec = pod.get("spec", {})
    complete_template(spec)
    spec.setdefault("enableServiceLinks", True)
    spec.setdefault("preemptionPolicy", "PreemptLowerPriority")
    spec.setdefault("priority", 0)
    spec.setdefault("serviceAccountName", "default")
    spec.setdefault("serviceAccount", spec["serviceAccountName"])
    pod.setdefault("status", {}).setdefault("phase", "Pending")
    pod["status"].setdefault("qosClass", _quality(spec))
    _tolerate_failing_nodes(spec)


def _tolerate_failing_nodes(spec: Value) -> None:
    """As the DefaultTolerationSeconds admission plugin does."""
    tolerations = spec.setdefault("tolerations", [])
    for key in ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"):
        if not any(
            each.get("key") in (key, None) and each.get("effect") in ("NoExecute", None) for each in tolerations
        ):
            toleration = {"key": key, "operator": "Exists", "effect": "NoExecute"}
            tolerations.append({**toleration, "tolerationSeconds": NOT_READY_TOLERATION_SECONDS})


def _quality(spec: Value) -> str:
    wanted = [container.get("resources", {}) for container in spec.get("containers", ())]
    if not any(each.get("requests") or each.get("limits") for each in wanted):
        return "BestEffort"
    guaranteed = all(
        {"cpu", "memory"} <= each.get("limits", {}).keys() and each.get("requests") == each["limits"] for each in wanted
    )
    return "Guaranteed" if guaranteed else "Burstable"


def template_causes(spec: Value, path: str) -> Iterator[Cause]:
    """What a pod spec needs that its schema does not say."""
    if not spec.get("containers"):
        yield Cause(f"{path}.containers", "Required value", "FieldValueRequired")
    names: set[str] = set()
    for kind in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(kind, ())):
            yield from _container_causes(container, f"{path}.{kind}[{index}]", names)
    volumes = {volume.get("name") for volume in spec.get("volumes", ())}
    for index, container in enumerate(spec.get("containers", ())):
        for at, mount in enumerate(container.get("volumeMounts", ())):
            if mount.get("name") not in volumes:
                where = f"{path}.containers[{index}].volumeMounts[{at}].name"
                yield Cause(where, f"Not found: {json.dumps(mount.get('name'))}", "FieldValueNotFound")


def _container_causes(container: Value, path: str, names: set[str]) -> Iterator[Cause]:
    name = container.get("name", "")
    if name in names:
        yield Cause(f"{path}.name", f"Duplicate value: {json.dumps(name)}", "FieldValueDuplicate")
    elif name and (len(name) > 63 or not DNS_LABEL.fullmatch(name)):
        yield Cause(f"{path}.name", not_a_label(name))
    names.add(name)
    if not container.get("image"):
        yield Cause(f"{path}.image", "Required value", "FieldValueRequired")
    yield from _resource_causes(container.get("resources", {}), f"{path}.resources")


def _resource_causes(resources: Value, path: str) -> Iterator[Cause]:
    limits = resources.get("limits", {})
    for kind in ("limits", "requests"):
        for name, quantity in resources.get(kind, {}).items():
            asked = _amount(quantity)
            shown = json.dumps(str(quantity))
            if asked is not None and asked < 0:
                yield Cause(f"{path}.{kind}[{name}]", f"Invalid value: {shown}: must be greater than or equal to 0")
            limit = _amount(limits[name]) if kind == "requests" and name in limits else None
            if asked is not None and limit is not None and asked > limit:
                why = f"must be less than or equal to {name} limit of {limits[name]}"
                yield Cause(f"{path}.requests", f"Invalid value: {shown}: {why}")


def _amount(quantity: Any) -> Fraction | None:
    """None for what is no quantity: its type is complained of elsewhere."""
    try:
        return amount(str(quantity))
    except ValueError:
        return None


def not_a_label(name: str) -> str:
    return (
        f"Invalid value: {json.dumps(name)}: a lowercase RFC 1123 label must consist of lower case alphanumeric "
        "characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', "
        "regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
    )


def _validate(new: Value, old: Value | None) -> Iterator[Cause]:
    yield from template_causes(new.get("spec", {}), "spec")
    if old is not None and _fixed_part(new.get("spec", {})) != _fixed_part(old["spec"]):
        yield Cause(
            "spec",
            "Forbidden: pod updates may not change fields other than `spec.containers[*].image`,"
            "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to "
            "existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 "
            "if it was previously negative)",
            "FieldValueForbidden",
        )


def _fixed_part(spec: Value) -> dict[str, Any]:
    fixed = {name: value for name, value in spec.items() if name not in CHANGEABLE}
    for kind in ("containers", "initContainers"):
        if kind in spec:
            fixed[kind] = [
                {name: value for name, value in each.items() if name not in CHANGEABLE_OF_CONTAINER}
                for each in spec[kind]
            ]
    return fixed


def _prepare(machine: Machine, new: Value, old: Value | None) -> None:
    """A pod that is created on a node already has its place: the condition says so from the start."""
    if old is None and new["spec"].get("nodeName") and not new["status"].get("conditions"):
        condition = {"type": "PodScheduled", "status": "True", "lastTransitionTime": machine.now()}
        new["status"]["conditions"] = [condition]


PODS = Behaviour(complete=_complete, validate=_validate, prepare=_prepare)
