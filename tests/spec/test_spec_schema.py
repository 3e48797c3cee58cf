from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from bgplab.spec.loading import shipped_labs
from bgplab.spec.schema import lab_schema
from bgplab.spec.yaml_text import DescriptionLoader, read_documents

SCHEMA = lab_schema()


def properties(schema: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(schema, dict):
        for name, part in schema.get("properties", {}).items():
            yield f"{path}.{name}", part
        for name, part in schema.items():
            yield from properties(part, f"{path}.{name}")


def validate(text: str) -> None:
    (document,) = read_documents(text, "lab.yaml", DescriptionLoader)
    jsonschema.Draft202012Validator(SCHEMA).validate(document.data)


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_every_field_is_described_and_titled() -> None:
    found = dict(properties(SCHEMA))
    assert len(found) > 50
    assert [path for path, part in found.items() if not part.get("description")] == []


@pytest.mark.parametrize("name", shipped_labs())
def test_a_shipped_lab_fits_the_schema(name: str) -> None:
    validate(shipped_labs()[name].read_text())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("hold_seconds: 9", "hold_seconds: 2"),
        ("name: guide", "name: Guide Lab"),
        ("hash_policy: 1", "hash_policy: 2"),
        ("maximum_paths: 4", "maximum_path: 4"),
        ("requests: 6000", "requests: many"),
    ],
)
def test_an_editor_marks_what_the_loader_refuses(old: str, new: str) -> None:
    text = shipped_labs()["guide"].read_text()
    assert old in text
    with pytest.raises(jsonschema.ValidationError):
        validate(text.replace(old, new))


def test_the_file_beside_the_shipped_labs_is_this_schema() -> None:
    """Each lab's first line names it to editors. To renew it: `bgp-lab schema > deployments/labs/lab.schema.json`."""
    beside = Path(shipped_labs()["guide"]).with_name("lab.schema.json")
    assert json.loads(beside.read_text()) == SCHEMA
