"""Deployments, replica sets and daemon sets."""

from __future__ import annotations

from collections.abc import Iterator

from bgplab.backends.embedded.kube.errors import Cause
from bgplab.backends.embedded.kube.kinds.behaviour import Behaviour, immutable
from bgplab.backends.embedded.kube.kinds.pods import complete_template, template_causes
from bgplab.backends.embedded.kube.store.item import Value
from bgplab.backends.embedded.kube.store.selectors import object_selector


def _template_spec(value: Value) -> Value:
    return value.get("spec", {}).get("template", {}).get("spec", {})


def _complete_template(value: Value) -> None:
    complete_template(_template_spec(value))


def _complete_deployment(value: Value) -> None:
    _complete_template(value)
    strategy = value.get("spec", {}).get("strategy", {})
    if strategy.get("type") == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", "25%")
        rolling.setdefault("maxSurge", "25%")


def _complete_daemon_set(value: Value) -> None:
    _complete_template(value)
    strategy = value.get("spec", {}).get("updateStrategy", {})
    if strategy.get("type") == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", 1)
        rolling.setdefault("maxSurge", 0)


def _validate(new: Value, old: Value | None) -> Iterator[Cause]:
    spec = new.get("spec", {})
    yield from template_causes(_template_spec(new), "spec.template.spec")
    yield from _selector_causes(spec)
    if _template_spec(new).get("restartPolicy", "Always") != "Always":
        policy = _template_spec(new)["restartPolicy"]
        message = f'Unsupported value: "{policy}": supported values: "Always"'
        yield Cause("spec.template.spec.restartPolicy", message, "FieldValueNotSupported")
    yield from immutable(new, old, "spec.selector")


def _selector_causes(spec: Value) -> Iterator[Cause]:
    selector = spec.get("selector", {})
    if not selector.get("matchLabels") and not selector.get("matchExpressions"):
        yield Cause("spec.selector", "Invalid value: empty selector is invalid for this kind")
        return
    labels = spec.get("template", {}).get("metadata", {}).get("labels", {})
    if not object_selector(selector)(labels):
        shown = "{" + ",".join(f'"{key}":"{value}"' for key, value in labels.items()) + "}"
        yield Cause(
            "spec.template.metadata.labels", f"Invalid value: {shown}: `selector` does not match template `labels`"
        )


def _validate_deployment(new: Value, old: Value | None) -> Iterator[Cause]:
    yield from _validate(new, old)
    strategy = new.get("spec", {}).get("strategy", {})
    if strategy.get("type") == "Recreate" and strategy.get("rollingUpdate"):
        message = "Forbidden: may not be specified when strategy `type` is 'Recreate'"
        yield Cause("spec.strategy.rollingUpdate", message, "FieldValueForbidden")


DEPLOYMENTS = Behaviour(complete=_complete_deployment, validate=_validate_deployment)
REPLICA_SETS = Behaviour(complete=_complete_template, validate=_validate)
DAEMON_SETS = Behaviour(complete=_complete_daemon_set, validate=_validate)
