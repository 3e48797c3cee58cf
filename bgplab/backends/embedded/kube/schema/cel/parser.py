"""The part of CEL that validation rules use, parsed into tuples. What is not understood raises `CelSyntaxError`."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


class CelSyntaxError(ValueError):
    """An expression outside the supported part of CEL."""


@dataclass(frozen=True, slots=True)
class Node:
    """kind: literal, list, name, select, index, call (a function), method, has, unary, binary, choice.

    value: the literal, name, field, function or operator; parts: operands in order (a method's target first).
    """

    kind: str
    value: Any = None
    parts: tuple[Node, ...] = ()


TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>\d+\.\d+(?:[eE][+-]?\d+)?|0x[0-9a-fA-F]+|\d+)(?P<unsigned>[uU])?
    | (?P<string>[rR]?(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'))
    | (?P<name>[A-Za-z_]\w*)
    | (?P<symbol>&&|\|\||==|!=|<=|>=|[-+*/%!<>?:.,()\[\]{}])
    )""",
    re.VERBOSE,
)
# loosest first; each level is left-associative (CEL spec, "Syntax")
LEVELS: tuple[tuple[str, ...], ...] = (
    ("||",),
    ("&&",),
    ("==", "!=", "<", "<=", ">", ">=", "in"),
    ("+", "-"),
    ("*", "/", "%"),
)
WORDS = {"true": True, "false": False, "null": None}


def tokens_of(text: str) -> list[tuple[str, str]]:
    found, at = [], 0
    text = text.rstrip()
    while at < len(text):
        match = TOKEN.match(text, at)
        if match is None or match.group("unsigned"):
            raise CelSyntaxError(f"cannot read {text[at : at + 20]!r}")
        kind = str(match.lastgroup)
        found.append((kind, match.group(kind)))
        at = match.end()
    return found


class Parser:
    """Recursive descent over the tokens of one expression."""

    def __init__(self, text: str) -> None:
        self._tokens: Sequence[tuple[str, str]] = tokens_of(text)
        self._at = 0

    def parse(self) -> Node:
        node = self._choice()
        if self._at < len(self._tokens):
            raise CelSyntaxError(f"unexpected {self._peek()!r}")
        return node

    def _peek(self) -> str:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else ""

    def _accept(self, *symbols: str) -> str:
        if self._at < len(self._tokens):
            kind, text = self._tokens[self._at]
            if text in symbols and kind in ("symbol", "name"):
                self._at += 1
                return text
        return ""

    def _expect(self, symbol: str) -> None:
        if not self._accept(symbol):
            raise CelSyntaxError(f"expected {symbol!r}, found {self._peek()!r}")

    def _choice(self) -> Node:
        condition = self._binary(0)
        if not self._accept("?"):
            return condition
        then = self._binary(0)
        self._expect(":")
        return Node("choice", parts=(condition, then, self._choice()))

    def _binary(self, level: int) -> Node:
        if level == len(LEVELS):
            return self._unary()
        left = self._binary(level + 1)
        while operator := self._accept(*LEVELS[level]):
            left = Node("binary", operator, (left, self._binary(level + 1)))
        return left

    def _unary(self) -> Node:
        if operator := self._accept("!", "-"):
            return Node("unary", operator, (self._unary(),))
        return self._member()

    def _member(self) -> Node:
        node = self._primary()
        while True:
            if self._accept("."):
                node = self._selection(node)
            elif self._accept("["):
                node = Node("index", parts=(node, self._choice()))
                self._expect("]")
            else:
                return node

    def _selection(self, target: Node) -> Node:
        name = self._name()
        if self._accept("("):
            return Node("method", name, (target, *self._arguments(")")))
        return Node("select", name, (target,))

    def _name(self) -> str:
        kind, text = self._tokens[self._at] if self._at < len(self._tokens) else ("", "")
        if kind != "name" or "__" in text:
            raise CelSyntaxError(f"expected a name, found {text!r}")
        self._at += 1
        return text

    def _arguments(self, closing: str) -> tuple[Node, ...]:
        found: list[Node] = []
        while not self._accept(closing):
            if found:
                self._expect(",")
            found.append(self._choice())
        return tuple(found)

    def _primary(self) -> Node:
        if self._accept("("):
            node = self._choice()
            self._expect(")")
            return node
        if self._accept("["):
            return Node("list", parts=self._arguments("]"))
        if self._at >= len(self._tokens):
            raise CelSyntaxError("the expression ends too early")
        kind, text = self._tokens[self._at]
        if kind in ("number", "string"):
            self._at += 1
            return Node("literal", _literal(kind, text))
        return self._word()

    def _word(self) -> Node:
        name = self._name()
        if name in WORDS:
            return Node("literal", WORDS[name])
        if not self._accept("("):
            return Node("name", name)
        arguments = self._arguments(")")
        return Node("has" if name == "has" else "call", name, arguments)


def _literal(kind: str, text: str) -> Any:
    if kind == "string":
        return ast.literal_eval(text)
    return float(text) if "." in text else int(text, 0)
