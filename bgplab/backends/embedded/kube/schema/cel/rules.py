"""`x-kubernetes-validations`: rules compiled when a schema is, evaluated when an object is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bgplab.backends.embedded.kube.schema.cel.evaluator import CelError, Evaluate, compiled
from bgplab.backends.embedded.kube.schema.cel.parser import CelSyntaxError, Node, Parser

MISSING: Any = object()
SUPPORTED = frozenset({"rule", "message", "messageExpression", "reason"})


@dataclass(frozen=True, slots=True)
class Rule:
    """One compiled rule. `transition`: it compares with the old value, so it holds where there is none."""

    text: str
    tree: Node
    transition: bool
    reason: str
    _holds: Evaluate
    _message: Evaluate

    def broken_by(self, value: Any, old: Any = MISSING) -> str | None:
        """The message when the rule does not hold, else None."""
        if self.transition and old is MISSING:
            return None
        scope = {"self": value, "oldSelf": old}
        try:
            return None if self._holds(scope) is True else str(self._message(scope))
        except CelError as fault:
            return f"{fault} evaluating rule: {self.text}"


def compile_rule(source: Mapping[str, Any]) -> Rule:
    """Raises CelSyntaxError for what this server could not evaluate: the definition is refused then."""
    if unknown := source.keys() - SUPPORTED:
        raise CelSyntaxError(f"{', '.join(sorted(unknown))} of a rule is not supported")
    text = source["rule"].strip()
    tree = Parser(text).parse()
    transition = mentions(tree, "oldSelf")
    names = frozenset({"self", "oldSelf"} if transition else {"self"})
    return Rule(
        text, tree, transition, source.get("reason", "FieldValueInvalid"), compiled(tree, names), _message(source, text)
    )


def _message(source: Mapping[str, Any], rule: str) -> Evaluate:
    fallback = source.get("message") or f"failed rule: {rule}"
    if "messageExpression" not in source:
        return lambda scope: fallback
    return compiled(Parser(source["messageExpression"]).parse(), frozenset({"self", "oldSelf"}))


def mentions(node: Node, name: str) -> bool:
    return (node.kind == "name" and node.value == name) or any(mentions(part, name) for part in node.parts)


def fields_of(node: Node) -> set[tuple[str, ...]]:
    """Every chain `self.a.b` of the expression, as (a, b): what a definition can be checked for."""
    chain: list[str] = []
    at = node
    while at.kind == "select":
        chain.append(at.value)
        at = at.parts[0]
    own = {tuple(reversed(chain))} if chain and at.kind == "name" and at.value in ("self", "oldSelf") else set()
    return own.union(*(fields_of(part) for part in node.parts))
