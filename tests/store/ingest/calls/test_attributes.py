"""Traits as attributes: numbers, categories, dates."""

from __future__ import annotations

import pytest

from store.ingest.calls.attributes import read_attributes
from store.ingest.calls.members import MemberError


def test_each_trait_has_the_kind_of_its_value() -> None:
    traits = {
        "age": 41,
        "score": 0.5,
        "vip": True,
        "blocked": False,
        "plan": " pro ",
        "zip": "10115",
        "since": "2024-01-05",
        "seen": "2024-01-05T10:00:00.000Z",
        "not_a_day": "2024-02-30",
        "half": "x\ud83d",
        "tab\t": "t",
    }
    assert read_attributes(traits, "traits.") == {
        "age": ("number", 41.0, None),
        "score": ("number", 0.5, None),
        "vip": ("category", None, "true"),
        "blocked": ("category", None, "false"),
        "plan": ("category", None, "pro"),
        "zip": ("category", None, "10115"),
        "since": ("date", None, "2024-01-05"),
        "seen": ("date", None, "2024-01-05"),
        "not_a_day": ("category", None, "2024-02-30"),
        "half": ("category", None, "x\\ud83d"),
        "tab\\t": ("category", None, "t"),
    }


def test_objects_are_flattened_once_and_lists_nulls_and_long_texts_left_out() -> None:
    traits = {
        "address": {"city": "Rome", "geo": {"lat": 1}, "lines": ["a"], "no": None},
        "tags": ["a"],
        "nothing": None,
        "empty": " ",
        "story": "x" * 1_001,
        "line": "x" * 1_000,
    }
    assert read_attributes(traits, "traits.", "account.") == {
        "account.address.city": ("category", None, "Rome"),
        "account.line": ("category", None, "x" * 1_000),
    }


@pytest.mark.parametrize(
    ("traits", "path", "code"),
    [
        ({"a": 10**400}, "traits.a", "number"),
        ({"a": {"b": float("nan")}}, "traits.a.b", "number"),
        ({"x" * 256: 1}, "traits." + "x" * 256, "text"),
        ({str(number): 1 for number in range(501)}, "traits", "too_many"),
    ],
)
def test_what_is_no_attribute_is_named(traits: dict[str, object], path: str, code: str) -> None:
    with pytest.raises(MemberError, match=r"is not a finite number|characters|at most 500") as wrong:
        read_attributes(traits, "traits.")
    assert (wrong.value.path, wrong.value.code) == (path, code)
