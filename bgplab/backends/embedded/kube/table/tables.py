"""meta.k8s.io/v1 Table: what `kubectl get` prints, made by the server."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from bgplab.backends.embedded.kube.resources import Column, Resource
from bgplab.backends.embedded.kube.schema.validate import KINDS
from bgplab.backends.embedded.kube.store.item import Value
from bgplab.backends.embedded.kube.table.ages import since
from bgplab.backends.embedded.kube.table.builtin import COLUMNS
from bgplab.backends.embedded.kube.table.columns import AGE, NAME, Shown
from bgplab.backends.embedded.kube.table.jsonpath import compiled_path


def table_of(
    resource: Resource, values: Iterable[Value], now: datetime, include_object: str, revision: str
) -> dict[str, Any]:
    """include_object: Metadata, Object or None, as the request says."""
    columns = columns_of(resource)
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {"resourceVersion": revision},
        "columnDefinitions": [_definition(column) for column in columns],
        "rows": [_row(columns, value, now, include_object) for value in values],
    }


def columns_of(resource: Resource) -> tuple[Shown, ...]:
    if not resource.custom:
        return COLUMNS.get(resource.id, (NAME, AGE))
    return (NAME, *map(_custom, resource.columns)) if resource.columns else (NAME, AGE)


@functools.lru_cache(maxsize=256)
def _custom(column: Column) -> Shown:
    find = compiled_path(column.json_path)

    def cell(value: Value, now: datetime) -> Any:
        found = find(value)
        if not found:
            return None
        if column.type == "date":
            return since(str(found[0]), now)
        return _scalar(column.type, found)

    return Shown(column.name, cell, column.type, wide=column.priority > 0, format=column.format)


def _scalar(kind: str, found: list[Any]) -> Any:
    first = found[0]
    if kind == "string":
        return ",".join(_text(each) for each in found)
    return (
        first
        if isinstance(first, KINDS.get(kind, (object,))) and (kind == "boolean") == isinstance(first, bool)
        else None
    )


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else str(value)


def _definition(column: Shown) -> dict[str, Any]:
    return {
        "name": column.name,
        "type": column.type,
        "format": column.format,
        "description": "",
        "priority": 1 if column.wide else 0,
    }


def _row(columns: tuple[Shown, ...], value: Value, now: datetime, include_object: str) -> dict[str, Any]:
    row: dict[str, Any] = {"cells": [column.cell(value, now) for column in columns]}
    if include_object == "Object":
        row["object"] = value
    elif include_object != "None":
        row["object"] = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": value["metadata"]}
    return row
