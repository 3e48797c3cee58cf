"""RFC 7386, the merge patch."""

from __future__ import annotations

from typing import Any


def merge_patched(document: Any, patch: Any) -> Any:
    """Maps are merged, null removes, everything else replaces. Neither argument is changed."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(document) if isinstance(document, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patched(merged.get(name), value)
    return merged
