"""The part of CEL that is evaluated, and that the rest is refused."""

from __future__ import annotations

from typing import Any

import pytest

from bgplab.backends.embedded.kube.schema.cel.parser import CelSyntaxError
from bgplab.backends.embedded.kube.schema.cel.rules import compile_rule

OBJECT: dict[str, Any] = {"n": 3, "s": "abc", "l": [1, 2, 3], "m": {"k": "v"}, "t": True, "items": [{"x": 1}, {"x": 2}]}


@pytest.mark.parametrize(
    "rule",
    [
        "self.n == 3",
        "self.n != 4 && self.n <= 3",
        "has(self.n) && !has(self.none)",
        "!has(self.none) || self.none > 1",
        "self.none > 1 || self.n == 3",
        "self.n in [1, 2, 3]",
        "'k' in self.m",
        "self.s.startsWith('a') && self.s.endsWith(\"c\") && self.s.contains('b')",
        "self.s.matches('^[a-z]+$')",
        "size(self.l) == 3 && self.s.size() == 3",
        "self.l.all(i, i > 0) && self.l.exists(i, i == 2) && self.l.exists_one(i, i == 2)",
        "self.l.filter(i, i > 1).size() == 2",
        "self.l.map(i, i * 2) == [2, 4, 6]",
        "self.items.all(item, item.x >= 1 && self.n > item.x)",
        "self.t ? self.n == 3 : false",
        "self.n + 2 * 3 - 1 == 8",
        "-7 / 2 == -3 && -7 % 2 == -1",
        "self.m['k'] == 'v' && self.l[0] == 1",
        "self.t == true && self.n != 1.5",
        "string(self.n) == '3' && int('4') == 4",
        "(self.s + 'd') == 'abcd'",
    ],
)
def test_a_rule_that_holds_has_no_complaint(rule: str) -> None:
    assert compile_rule({"rule": rule}).broken_by(OBJECT) is None


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("self.n > 3", "failed rule: self.n > 3"),
        ("self.none > 3", "no such key: none evaluating rule: self.none > 3"),
        ("self.n == '3'", "failed rule: self.n == '3'"),
        ("self.t == 1", "failed rule: self.t == 1"),
        ("self.s > 3", "no such overload evaluating rule: self.s > 3"),
    ],
)
def test_a_rule_that_does_not_hold_says_why(rule: str, message: str) -> None:
    assert compile_rule({"rule": rule}).broken_by(OBJECT) == message


def test_a_message_may_be_computed() -> None:
    rule = compile_rule({"rule": "self.n > 3", "messageExpression": "'n is ' + string(self.n)"})
    assert rule.broken_by(OBJECT) == "n is 3"


@pytest.mark.parametrize(
    "rule", ["self.", "self.n ==", "1 +", "self.n = 3", "ip(self.s)", "self.l.sum()", "{'a': 1}", "3u == 3u"]
)
def test_the_rest_of_cel_is_refused(rule: str) -> None:
    with pytest.raises(CelSyntaxError):
        compile_rule({"rule": rule})
