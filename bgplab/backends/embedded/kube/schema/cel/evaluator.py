"""Parsed CEL into Python closures. Functions that are not in the tables are refused while compiling."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from bgplab.backends.embedded.kube.schema.cel.parser import CelSyntaxError, Node

Scope = Mapping[str, Any]
Evaluate = Callable[[Scope], Any]


class CelError(Exception):
    """An expression that cannot be evaluated on this value (CEL's runtime error)."""


def compiled(node: Node, names: frozenset[str]) -> Evaluate:
    """The closure for `node`; `names` are the variables it may use."""
    return COMPILERS[node.kind](node, names)


def _all(node: Node, names: frozenset[str]) -> list[Evaluate]:
    return [compiled(part, names) for part in node.parts]


def _literal(node: Node, names: frozenset[str]) -> Evaluate:
    return lambda scope: node.value


def _list(node: Node, names: frozenset[str]) -> Evaluate:
    parts = _all(node, names)
    return lambda scope: [part(scope) for part in parts]


def _name(node: Node, names: frozenset[str]) -> Evaluate:
    if node.value not in names:
        raise CelSyntaxError(f"undeclared reference to {node.value!r}")
    return lambda scope: scope[node.value]


def _select(node: Node, names: frozenset[str]) -> Evaluate:
    (target,) = _all(node, names)
    return lambda scope: _item(target(scope), node.value)


def _index(node: Node, names: frozenset[str]) -> Evaluate:
    target, key = _all(node, names)
    return lambda scope: _item(target(scope), key(scope))


def _item(target: Any, key: Any) -> Any:
    if isinstance(target, Mapping):
        if key in target:
            return target[key]
        raise CelError(f"no such key: {key}")
    if isinstance(target, list) and isinstance(key, int) and not isinstance(key, bool):
        if 0 <= key < len(target):
            return target[key]
        raise CelError(f"index out of bounds: {key}")
    raise CelError("no such overload")


def _has(node: Node, names: frozenset[str]) -> Evaluate:
    if len(node.parts) != 1 or node.parts[0].kind != "select":
        raise CelSyntaxError("has() takes one field selection")
    field = node.parts[0]
    (target,) = _all(field, names)

    def present(scope: Scope) -> bool:
        value = target(scope)
        if not isinstance(value, Mapping):
            raise CelError("no such overload")
        return field.value in value

    return present


def _truth(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise CelError("no such overload")


def _unary(node: Node, names: frozenset[str]) -> Evaluate:
    (operand,) = _all(node, names)
    if node.value == "!":
        return lambda scope: not _truth(operand(scope))
    return lambda scope: -_number(operand(scope))


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise CelError("no such overload")
    return value


def _choice(node: Node, names: frozenset[str]) -> Evaluate:
    condition, then, otherwise = _all(node, names)
    return lambda scope: then(scope) if _truth(condition(scope)) else otherwise(scope)


def _binary(node: Node, names: frozenset[str]) -> Evaluate:
    left, right = _all(node, names)
    if node.value in ("&&", "||"):
        return _short_circuit(left, right, decisive=node.value == "||")
    operate = OPERATORS[node.value]
    return lambda scope: operate(left(scope), right(scope))


def _short_circuit(left: Evaluate, right: Evaluate, *, decisive: bool) -> Evaluate:
    """CEL's logic commutes: an error on one side does not matter when the other side decides."""

    def evaluate(scope: Scope) -> bool:
        try:
            if _truth(left(scope)) is decisive:
                return decisive
        except CelError:
            if _truth(right(scope)) is decisive:
                return decisive
            raise
        return _truth(right(scope))

    return evaluate


def equal(left: Any, right: Any) -> bool:
    """CEL equality: numbers across types, but true is not 1."""
    if isinstance(left, bool) != isinstance(right, bool):
        return False
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(equal, left, right))
    return left == right


def _contains(item: Any, container: Any) -> bool:
    if isinstance(container, Mapping):
        return item in container
    if isinstance(container, list):
        return any(equal(item, other) for other in container)
    raise CelError("no such overload")


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def ordered(left: Any, right: Any) -> bool:
        if isinstance(left, str) and isinstance(right, str):
            return compare(left, right)
        return compare(_number(left), _number(right))

    return ordered


def _add(left: Any, right: Any) -> Any:
    if isinstance(left, str) and isinstance(right, str):
        return left + right
    if isinstance(left, list) and isinstance(right, list):
        return left + right
    return _number(left) + _number(right)


def _divide(left: Any, right: Any) -> Any:
    if isinstance(left, int) and isinstance(right, int):
        if right == 0:
            raise CelError("division by zero")
        return math.trunc(left / right) if abs(left) < 2**53 else int(left // right)
    return _number(left) / _number(right)


def _remainder(left: Any, right: Any) -> Any:
    if not (isinstance(left, int) and isinstance(right, int)) or right == 0:
        raise CelError("modulus by zero" if right == 0 else "no such overload")
    return int(math.fmod(left, right))


OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    "==": equal,
    "!=": lambda left, right: not equal(left, right),
    "<": _ordered(lambda left, right: left < right),
    "<=": _ordered(lambda left, right: left <= right),
    ">": _ordered(lambda left, right: left > right),
    ">=": _ordered(lambda left, right: left >= right),
    "in": _contains,
    "+": _add,
    "-": lambda left, right: _number(left) - _number(right),
    "*": lambda left, right: _number(left) * _number(right),
    "/": _divide,
    "%": _remainder,
}


def _size(value: Any) -> int:
    if isinstance(value, str | list | Mapping):
        return len(value)
    raise CelError("no such overload")


def _of_strings(function: Callable[..., Any]) -> Callable[..., Any]:
    def checked(*values: Any) -> Any:
        if not all(isinstance(value, str) for value in values):
            raise CelError("no such overload")
        return function(*values)

    return checked


def _to_int(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError) as fault:
        raise CelError(f"cannot convert {value!r} to int") from fault


def _to_string(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


# name -> (function, number of arguments, a method's target included)
FUNCTIONS: Mapping[str, tuple[Callable[..., Any], int]] = {
    "size": (_size, 1),
    "int": (_to_int, 1),
    "string": (_to_string, 1),
}
METHODS: Mapping[str, tuple[Callable[..., Any], int]] = {
    "size": (_size, 1),
    "startsWith": (_of_strings(str.startswith), 2),
    "endsWith": (_of_strings(str.endswith), 2),
    "contains": (_of_strings(lambda text, part: part in text), 2),
    "matches": (_of_strings(lambda text, pattern: re.search(pattern, text) is not None), 2),
    "lowerAscii": (_of_strings(str.lower), 1),
    "split": (_of_strings(str.split), 2),
}


def _applied(table: Mapping[str, tuple[Callable[..., Any], int]], node: Node, names: frozenset[str]) -> Evaluate:
    function, count = table.get(node.value, (None, 0))
    if function is None or len(node.parts) != count:
        raise CelSyntaxError(f"{node.value}() with {len(node.parts)} operands is not supported")
    parts = _all(node, names)
    return lambda scope: function(*(part(scope) for part in parts))


def _call(node: Node, names: frozenset[str]) -> Evaluate:
    return _applied(FUNCTIONS, node, names)


def _method(node: Node, names: frozenset[str]) -> Evaluate:
    if node.value not in MACROS:
        return _applied(METHODS, node, names)
    if len(node.parts) != 3 or node.parts[1].kind != "name":
        raise CelSyntaxError(f"{node.value}() takes a variable and an expression")
    variable = node.parts[1].value
    target = compiled(node.parts[0], names)
    body = compiled(node.parts[2], names | {variable})
    finish = MACROS[node.value]

    def over(scope: Scope) -> Any:
        items = target(scope)
        if not isinstance(items, list | Mapping):
            raise CelError("no such overload")
        found = list(items)
        return finish(found, lambda item: body({**scope, variable: item}))

    return over


Finish = Callable[[list[Any], Callable[[Any], Any]], Any]
MACROS: Mapping[str, Finish] = {
    "all": lambda items, body: all(_truth(body(item)) for item in items),
    "exists": lambda items, body: any(_truth(body(item)) for item in items),
    "exists_one": lambda items, body: sum(_truth(body(item)) for item in items) == 1,
    "filter": lambda items, body: [item for item in items if _truth(body(item))],
    "map": lambda items, body: [body(item) for item in items],
}
COMPILERS: Mapping[str, Callable[[Node, frozenset[str]], Evaluate]] = {
    "literal": _literal,
    "list": _list,
    "name": _name,
    "select": _select,
    "index": _index,
    "has": _has,
    "unary": _unary,
    "binary": _binary,
    "choice": _choice,
    "call": _call,
    "method": _method,
}
