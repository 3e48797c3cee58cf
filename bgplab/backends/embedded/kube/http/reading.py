"""GET: one object, a list, a watch. Nothing here changes anything."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from bgplab.backends.embedded.kube.errors import (
    ApiError,
    Cause,
    bad_request,
    invalid,
    no_such_path,
    too_large_resource_version,
)
from bgplab.backends.embedded.kube.http.answers import item_bytes, json_bytes, json_value, list_bytes
from bgplab.backends.embedded.kube.http.negotiation import wanted_form
from bgplab.backends.embedded.kube.http.paging import list_options, number, page_of
from bgplab.backends.embedded.kube.http.watching import WatchResponse, WatchStyle
from bgplab.backends.embedded.kube.machine import Machine
from bgplab.backends.embedded.kube.resources import as_version
from bgplab.backends.embedded.kube.store.item import Item
from bgplab.backends.embedded.kube.store.selectors import Selects, field_selector, label_selector, selecting
from bgplab.backends.embedded.kube.store.watch import Watch
from bgplab.backends.embedded.kube.table.tables import table_of
from bgplab.backends.embedded.kube.verbs.request import Target
from bgplab.backends.embedded.kube.verbs.scale import scale_of

Query = Mapping[str, str]
TRUE = ("1", "true", "True")
LONGEST_WATCH_SECONDS = 3600.0


def read(machine: Machine, target: Target, query: Query, accept: str) -> Response:
    """Answer a GET of `target`; subresources that stream (log, exec) are not asked for here."""
    if target.name:
        return _object(machine, target, query, accept)
    if query.get("watch") in TRUE:
        return _watch(machine, target, query, accept)
    return _list(machine, target, query, accept)


def _object(machine: Machine, target: Target, query: Query, accept: str) -> Response:
    item = machine.item(target)
    if target.subresource == "scale":
        return json_value(scale_of(target.resource, item.value))
    if target.subresource not in ("", "status"):
        raise no_such_path()
    warnings = (target.resource.deprecation,) if target.resource.deprecation else ()
    if wanted_form(accept).table:
        return json_value(_table(machine, target, [item], query, str(item.revision)), warnings=warnings)
    return json_bytes(item_bytes(target.resource, item), warnings=warnings)


def _list(machine: Machine, target: Target, query: Query, accept: str) -> Response:
    _check_list_options(machine, query)
    options = list_options(query)
    page = page_of(machine.store, target.resource.id, target.namespace, selection(target, query), options)
    warnings = (target.resource.deprecation,) if target.resource.deprecation else ()
    if wanted_form(accept).table:
        table = _table(machine, target, page.items, query, str(page.revision))
        return json_value({**table, "metadata": page.metadata}, warnings=warnings)
    return json_bytes(list_bytes(target.resource, page.items, page.metadata), warnings=warnings)


def _table(machine: Machine, target: Target, items: list[Item], query: Query, revision: str) -> dict[str, object]:
    values = [as_version(target.resource, item.value) for item in items]
    return table_of(target.resource, values, machine.clock(), query.get("includeObject", "Metadata"), revision)


def selection(target: Target, query: Query) -> Selects:
    """What labelSelector, fieldSelector and the namespace leave. Raises 400."""
    labels = label_selector(query.get("labelSelector", ""))
    fields = field_selector(query.get("fieldSelector", ""), target.resource.id, target.resource.selectable)
    return selecting(labels, fields, target.namespace)


def _check_list_options(machine: Machine, query: Query) -> None:
    _refuse_initial_events(query)
    number(query, "timeoutSeconds")
    asked = _revision(query)
    current = machine.store.revision
    if asked and asked > current:
        raise too_large_resource_version(asked, current)


def _refuse_initial_events(query: Query) -> None:
    """Refused as by a server without the WatchList feature: clients then list and watch."""
    if "sendInitialEvents" in query:
        why = "Forbidden: sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled"
        cause = Cause("sendInitialEvents", why, "FieldValueForbidden")
        raise invalid("ListOptions", "meta.k8s.io", "", [cause])


def _refuse_watch_options(query: Query) -> None:
    number(query, "limit")  # without effect here, but a number
    if query.get("resourceVersionMatch"):
        why = "Forbidden: resourceVersionMatch is forbidden for watch"
        raise invalid("ListOptions", "meta.k8s.io", "", [Cause("resourceVersionMatch", why, "FieldValueForbidden")])


def _revision(query: Query) -> int:
    text = query.get("resourceVersion") or "0"
    if not (text.isascii() and text.isdecimal()):
        raise bad_request(f'Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax')
    return int(text)


def _watch_seconds(query: Query) -> float:
    return min(number(query, "timeoutSeconds") or LONGEST_WATCH_SECONDS, LONGEST_WATCH_SECONDS)


def _watch(machine: Machine, target: Target, query: Query, accept: str) -> Response:
    _refuse_initial_events(query)
    _refuse_watch_options(query)
    selects = selection(target, query)
    style = WatchStyle(
        resource=target.resource,
        table=wanted_form(accept).table,
        include_object=query.get("includeObject", "Metadata"),
        bookmarks=query.get("allowWatchBookmarks") in TRUE,
        seconds=_watch_seconds(query),
    )
    revision = _revision(query)
    if revision > machine.store.revision:
        raise too_large_resource_version(revision, machine.store.revision)
    try:
        watch = Watch(machine.store, target.resource.id, target.namespace, selects, revision)
    except ApiError as error:
        return WatchResponse(machine, style, None, error)
    return WatchResponse(machine, style, watch)
