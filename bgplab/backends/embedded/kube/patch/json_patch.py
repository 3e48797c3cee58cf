"""RFC 6902. The document is not changed; refusals are worded as kubectl's users know them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from bgplab.backends.embedded.kube.errors import ApiError, bad_request


def unprocessable(message: str) -> ApiError:
    return ApiError(422, "Invalid", f"the server rejected our request due to an error in our request: {message}")


def json_patched(document: Any, operations: Any) -> Any:
    """Apply every operation or none. Raises 400 for what is no patch, 422 for one that does not fit."""
    if not isinstance(operations, list):
        raise bad_request("error decoding patch: json: cannot unmarshal object into Go value of type jsonpatch.Patch")
    if not all(isinstance(operation, dict) for operation in operations):
        raise bad_request("error decoding patch: json: cannot unmarshal into Go value of type jsonpatch.Operation")
    for operation in operations:
        document = _apply(document, operation)
    return document


def _apply(document: Any, operation: dict[str, Any]) -> Any:
    kind = operation.get("op")
    if kind not in ("add", "remove", "replace", "move", "copy", "test") or "path" not in operation:
        raise bad_request(f"error decoding patch: {operation!r} is no JSON patch operation")
    path = _pointer(operation["path"])
    if kind == "test":
        if _get(document, path) != operation.get("value"):
            raise unprocessable(f"testing path {operation['path']} value failed")
        return document
    if kind in ("move", "copy"):
        source = _pointer(operation.get("from", ""))
        value = _get(document, source)
        if kind == "move":
            document = _remove(document, source)
        return _add(document, path, value)
    if kind == "remove":
        return _remove(document, path)
    value = operation.get("value")
    return _add(document, path, value) if kind == "add" else _replace(document, path, value)


def _pointer(text: Any) -> list[str]:
    if not isinstance(text, str) or (text and not text.startswith("/")):
        raise bad_request(f"error decoding patch: {text!r} is no JSON pointer")
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def _get(document: Any, path: Sequence[str]) -> Any:
    for part in path:
        document = _child(document, part, path)
    return document


def _child(container: Any, part: str, path: Sequence[str]) -> Any:
    if isinstance(container, dict) and part in container:
        return container[part]
    if isinstance(container, list) and _is_index(part) and int(part) < len(container):
        return container[int(part)]
    raise unprocessable(f"the path /{'/'.join(path)} does not exist: missing value")


def _edited(document: Any, path: Sequence[str], edit: Callable[[Any, str], None]) -> Any:
    """The document with one container edited, given the last part of the path. What lies beside the path is shared."""
    parents = [document]
    for part in path[:-1]:
        parents.append(_child(parents[-1], part, path[:-1]))
    changed = _copied(parents.pop())
    edit(changed, path[-1])
    for part in reversed(path[:-1]):
        parent = _copied(parents.pop())
        parent[_index(parent, part)] = changed
        changed = parent
    return changed


def _copied(container: Any) -> Any:
    return container.copy() if isinstance(container, dict | list) else container


def _is_index(part: str) -> bool:
    return part.isascii() and part.isdigit()


def _index(container: Any, part: str) -> Any:
    return int(part) if isinstance(container, list) else part


def _add(document: Any, path: Sequence[str], value: Any) -> Any:
    def add(parent: Any, last: str) -> None:
        if isinstance(parent, dict):
            parent[last] = value
        elif isinstance(parent, list) and (last == "-" or (_is_index(last) and int(last) <= len(parent))):
            parent.insert(len(parent) if last == "-" else int(last), value)
        else:
            raise unprocessable(f"add operation does not apply: doc is missing path: /{'/'.join(path)}")

    return _edited(document, path, add) if path else value


def _replace(document: Any, path: Sequence[str], value: Any) -> Any:
    def replace(parent: Any, last: str) -> None:
        _child(parent, last, path)
        parent[_index(parent, last)] = value

    return _edited(document, path, replace) if path else value


def _remove(document: Any, path: Sequence[str]) -> Any:
    def remove(parent: Any, last: str) -> None:
        _child(parent, last, path)
        del parent[_index(parent, last)]

    return _edited(document, path, remove) if path else None
