"""Lists in pieces (`limit`, `continue`): every piece shows the objects as they were when the first one was made.

A token is base64 of JSON: the revision of the first piece and the last key that was sent. Clients must not look inside.
"""

from __future__ import annotations

import base64
import bisect
import json
from collections.abc import Mapping
from dataclasses import dataclass

from bgplab.backends.embedded.kube.errors import ApiError, Cause, bad_request, expired, invalid
from bgplab.backends.embedded.kube.store.item import Item
from bgplab.backends.embedded.kube.store.selectors import Selects
from bgplab.backends.embedded.kube.store.store import Store

TOO_OLD = (
    "The provided continue parameter is too old to display a consistent list result. You must start a new list without "
    "the continue parameter."
)


@dataclass(frozen=True, slots=True)
class Page:
    """A piece of a list. remaining: None when selectors make it unknown, or nothing is left."""

    items: list[Item]
    revision: int
    token: str = ""
    remaining: int | None = None

    @property
    def metadata(self) -> dict[str, object]:
        said: dict[str, object] = {"resourceVersion": str(self.revision)}
        said |= {"continue": self.token} if self.token else {}
        return said | ({"remainingItemCount": self.remaining} if self.remaining is not None else {})


@dataclass(frozen=True, slots=True)
class ListOptions:
    """limit 0: no limit. after: the key sent last. revision None: the present."""

    limit: int = 0
    after: tuple[str, str] | None = None
    revision: int | None = None
    selective: bool = False


def list_options(query: Mapping[str, str]) -> ListOptions:
    """Raises 400 and 422 as the real server does for options that make no sense."""
    limit, asked, token = number(query, "limit"), query.get("resourceVersion", ""), query.get("continue", "")
    match = query.get("resourceVersionMatch", "")
    if match:
        _check_match(match, asked, token)
    selective = bool(query.get("labelSelector") or query.get("fieldSelector"))
    if token:
        if asked not in ("", "0"):
            raise bad_request("specifying resource version is not allowed when using continue")
        revision, after = _opened(token)
        return ListOptions(limit, after, revision, selective)
    if asked in ("", "0"):  # "any version will do" is answered from the watch cache, which leaves the limit aside
        return ListOptions(0 if asked else limit, selective=selective)
    exact = match == "Exact" or (limit > 0 and not match)
    return ListOptions(limit, revision=int(asked) if exact else None, selective=selective)


def page_of(store: Store, resource: str, namespace: str, selects: Selects, options: ListOptions) -> Page:
    """Raises 410 when the revision asked for is forgotten, 400 when it has not been yet."""
    revision = store.revision if options.revision is None else options.revision
    if revision > store.revision:
        raise bad_request("continue key is not valid: it is of a later revision")
    items = _present_or_past(store, resource, namespace, revision, options)
    start = bisect.bisect_right(items, options.after, key=_key) if options.after is not None else 0
    left = [item for item in items[start:] if selects(item.value)]
    if not options.limit or len(left) <= options.limit:
        return Page(left, revision)
    sent = left[: options.limit]
    remaining = None if options.selective else len(left) - options.limit
    return Page(sent, revision, _token(revision, _key(sent[-1])), remaining)


def number(query: Mapping[str, str], name: str) -> int:
    """An integer option; what is not positive means that there is none. Raises 400."""
    text = query.get(name) or "0"
    try:
        if not text.isascii() or "_" in text:
            raise ValueError(text)
        return max(0, int(text))
    except ValueError:
        raise bad_request(f'Invalid value: "{text}": strconv.ParseInt: parsing "{text}": invalid syntax') from None


def _present_or_past(store: Store, resource: str, namespace: str, revision: int, options: ListOptions) -> list[Item]:
    if revision == store.revision:
        return store.select(resource, namespace)
    try:
        items = store.at(resource, revision)
    except ApiError:
        if options.after is None:
            raise expired(f"The resourceVersion for the provided list is too old: {revision}") from None
        raise expired(TOO_OLD) from None
    return [item for item in items if not namespace or item.value["metadata"].get("namespace") == namespace]


def _check_match(match: str, asked: str, token: str) -> None:
    if not asked:
        why = "resourceVersionMatch is forbidden unless resourceVersion is provided"
    elif token:
        why = "resourceVersionMatch is forbidden when continue is provided"
    elif match not in ("Exact", "NotOlderThan"):
        message = f'Unsupported value: "{match}": supported values: "Exact", "NotOlderThan", ""'
        raise invalid(
            "ListOptions", "meta.k8s.io", "", [Cause("resourceVersionMatch", message, "FieldValueNotSupported")]
        )
    elif match == "Exact" and asked == "0":
        why = 'resourceVersionMatch "Exact" is forbidden for resourceVersion "0"'
    else:
        return
    cause = Cause("resourceVersionMatch", f"Forbidden: {why}", "FieldValueForbidden")
    raise invalid("ListOptions", "meta.k8s.io", "", [cause])


def _key(item: Item) -> tuple[str, str]:
    metadata = item.value["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


def _token(revision: int, after: tuple[str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps([revision, *after]).encode()).decode().rstrip("=")


def _opened(token: str) -> tuple[int, tuple[str, str]]:
    try:
        padded = token + "=" * (-len(token) % 4)
        revision, namespace, name = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        if not (type(revision) is int and isinstance(namespace, str) and isinstance(name, str)):
            raise ValueError(token)
    except (ValueError, TypeError) as fault:
        raise bad_request(f"continue key is not valid: {fault}") from fault
    return revision, (namespace, name)
