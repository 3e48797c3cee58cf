"""Reading text that other programs print as JSON, with a message that names them when it is not."""

from __future__ import annotations

import json
from typing import Any

from bgplab.errors import LabError


def parse_json(text: str, source: str) -> Any:
    """The value printed by `source`. Raises LabError when it is no JSON (daemon not running, wrong version)."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as fault:
        raise LabError(f"`{source}` printed no JSON: {text.strip()[:200]!r}") from fault


def parse_object(text: str, source: str) -> dict[str, Any]:
    """The same for commands whose answer is an object; an empty answer is an empty object (vtysh prints none)."""
    value = parse_json(text, source) if text.strip() else {}
    if not isinstance(value, dict):
        raise LabError(f"`{source}` printed {type(value).__name__}, not an object")
    return value
