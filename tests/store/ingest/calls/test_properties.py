"""Properties as stored: the same JSON as those of files."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.ingest.calls.members import MemberError, escaped
from store.ingest.calls.properties import properties_json
from store.ingest.cells import as_json

SCALARS = st.one_of(
    st.booleans(),
    st.integers(),
    st.integers(min_value=-(10**30), max_value=10**30),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(
        ["12", "-3.50", "007", "1e5", "1e999", "-0", "-0.0", "12345678901234567890", "2024-01-05", " ", "-"]
    ),
    st.text(),
)


@given(SCALARS)
def test_a_property_is_written_as_the_cell_of_a_file(value: object) -> None:
    written = as_json(escaped(value) if isinstance(value, str) else value)
    assert properties_json({"a": value}) == (None if written is None else f'{{"a": {written}}}')


def test_names_are_in_order_and_nested_ones_left_out() -> None:
    properties = {"b": 1, "a": "x", "list": [1], "object": {"a": 1}, "null": None, "empty": " ", "ü": True}
    assert properties_json(properties) == '{"a": "x", "b": 1, "ü": true}'
    assert properties_json({"list": [1]}) is None
    assert properties_json({}) is None


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_is_none_is_named(value: float) -> None:
    with pytest.raises(MemberError, match="is not a finite number") as wrong:
        properties_json({"a": 1, "b": value})
    assert wrong.value.path == "properties.b"


def test_beyond_16_kb_the_longest_properties_are_left_out() -> None:
    properties = {f"p{number}": "ü" * number for number in range(0, 2_000, 100)} | {"huge": "x" * 1_000_000, "z": 1}
    text = properties_json(properties)
    assert text is not None
    assert len(text.encode()) <= 16_384
    kept = json.loads(text)
    assert "z" in kept
    lengths = [len(value) for value in kept.values() if isinstance(value, str)]
    assert lengths == sorted(range(100, max(lengths) + 1, 100), key=lambda length: f"p{length}")
    assert len(text.encode()) + 2 * (max(lengths) + 100) > 16_384


def test_exactly_16_kb_are_kept() -> None:
    room = 16_384 - len('{"a": ""}')
    assert properties_json({"a": "x" * room}) is not None
    assert properties_json({"a": "x" * (room + 1)}) is None
