"""The API's quantities as numbers: what nodes have and pods ask for. A leaf: server and controllers share no more."""

from __future__ import annotations

import functools
import re
from fractions import Fraction

QUANTITY = re.compile(r"([+-]?[0-9.]+)(?:[eE]([+-]?[0-9]+)|([A-Za-z]*))")
DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
FARTHEST = 30  # exponent beyond which the API's own numbers have long been cut off


@functools.lru_cache(maxsize=1024)
def amount(quantity: str) -> Fraction:
    """`100m`, `1.5Gi`, `2e3` as a number. Raises ValueError for what is none."""
    found = QUANTITY.fullmatch(quantity)
    number, exponent, suffix = found.groups() if found else ("", None, None)
    if suffix in BINARY:
        return Fraction(number) * 2 ** BINARY[suffix]
    if exponent is None and suffix not in DECIMAL:
        raise ValueError(f"quantity {quantity!r}")
    power = max(-FARTHEST, min(FARTHEST, int(exponent))) if exponent else DECIMAL[suffix or ""]
    return Fraction(number) * Fraction(10) ** power
