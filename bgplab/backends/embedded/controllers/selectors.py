"""Label selectors as the API writes them (`matchLabels`, `matchExpressions`), and taints against tolerations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Labels = Mapping[str, str]


def matches(selector: Mapping[str, Any] | None, labels: Labels) -> bool:
    """Whether a label selector takes an object with these labels; an empty one takes all.

    None takes all as well: where absence means "nothing" (Services), the caller must ask first.
    """
    selector = selector or {}
    wanted = selector.get("matchLabels") or {}
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        _expression_holds(expression, labels) for expression in selector.get("matchExpressions") or []
    )


def _expression_holds(expression: Mapping[str, Any], labels: Labels) -> bool:
    key, operator, values = expression["key"], expression["operator"], expression.get("values") or []
    if operator == "Exists":
        return key in labels
    if operator == "DoesNotExist":
        return key not in labels
    if operator == "In":
        return labels.get(key) in values
    if operator == "NotIn":
        return labels.get(key) not in values
    if operator in ("Gt", "Lt"):  # node affinity only
        return _number_holds(labels.get(key, ""), operator, values)
    raise ValueError(f"label selector operator {operator!r}")


def _number_holds(label: str, operator: str, values: list[str]) -> bool:
    if not label.lstrip("-").isdigit() or len(values) != 1:
        return False
    return int(label) > int(values[0]) if operator == "Gt" else int(label) < int(values[0])


def tolerates(toleration: Mapping[str, Any], taint: Mapping[str, Any]) -> bool:
    """Whether one toleration covers a taint; an empty key with Exists covers all, an empty effect every effect."""
    if toleration.get("effect") and toleration["effect"] != taint["effect"]:
        return False
    if toleration.get("key") and toleration["key"] != taint["key"]:
        return False
    if toleration.get("operator", "Equal") == "Exists":
        return True
    return bool(toleration.get("key")) and toleration.get("value", "") == taint.get("value", "")
