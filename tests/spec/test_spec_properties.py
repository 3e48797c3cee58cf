"""Whatever is written, the answer is a description or an InputError."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from bgplab.errors import InputError
from bgplab.spec.loading import load_lab, parse_lab, scale_lab, shipped_labs
from bgplab.spec.model import LabSpec
from bgplab.spec.yaml_text import DescriptionLoader, read_documents

GUIDE = shipped_labs()["guide"].read_text()
FIELDS = st.sampled_from(sorted({word.rstrip(":") for word in GUIDE.split() if word.rstrip(":").isidentifier()}))
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=12)
    | st.sampled_from(["192.168.10.100", "192.168.10.0/24", "172.20.0.0/16", "::1", "node", "1.18"])
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=5), max_leaves=20
)


def loads_or_refuses(text: str) -> None:
    with suppress(InputError):
        assert isinstance(parse_lab(text, "any.yaml"), LabSpec)


def guide_data() -> Any:
    (document,) = read_documents(GUIDE, "guide.yaml", DescriptionLoader)
    return document.data


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) inside a value."""
    found: list[tuple[Any, Any]] = []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in items:
        found += [(value, key), *places(part)]
    return found


@settings(max_examples=500, deadline=None)
@given(st.text(alphabet=st.characters() | st.sampled_from(":-[]{}&*!|>'\"%@`#\n ,?"), max_size=120))
def test_any_text_loads_or_is_refused(text: str) -> None:
    loads_or_refuses(text)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, len(GUIDE)), st.integers(0, 40), st.text(max_size=6))
def test_a_guide_with_a_torn_place_loads_or_is_refused(at: int, length: int, instead: str) -> None:
    loads_or_refuses(GUIDE[:at] + instead + GUIDE[at + length :])


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_a_guide_with_any_values_in_it_loads_or_is_refused(data: st.DataObject) -> None:
    description = guide_data()
    for _ in range(data.draw(st.integers(1, 4))):
        container, key = data.draw(st.sampled_from(places(description)))
        container[key] = data.draw(VALUES)
    loads_or_refuses(yaml.safe_dump(description))


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(FIELDS, VALUES, max_size=6))
def test_any_fields_load_or_are_refused(description: dict[str, Any]) -> None:
    loads_or_refuses(yaml.safe_dump(description))


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(
        st.text(max_size=10) | st.sampled_from(["name", "clusters[0].bgp"]), st.text(max_size=10), max_size=3
    )
)
def test_any_override_applies_or_is_refused(overrides: dict[str, str]) -> None:
    with suppress(InputError):
        load_lab("guide", overrides)


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 60))
def test_a_description_survives_json_and_yaml(count: int) -> None:
    spec = scale_lab(count)
    assert LabSpec.model_validate_json(spec.model_dump_json()) == spec
    assert parse_lab(yaml.safe_dump(spec.model_dump(mode="json")), "again.yaml") == spec
