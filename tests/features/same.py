"""Whether two logs say the same: equal columns bit for bit, and codes with equal meanings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from features.attributes import AttributeColumn, Attributes
from features.event_log import EventLog
from features.line_log import LineLog

__all__ = ["assert_same_attributes", "assert_same_lines", "assert_same_log", "meanings"]

_ENTRIES = ("offsets", "occurred_at", "day", "kind", "order", "is_purchase", "value", "event_type", "channel")
_LINES = ("offsets", "occurred_at", "day", "order", "quantity", "value", "discount", "ordered_at", "until")


def assert_same_log(found: EventLog, expected: EventLog) -> None:
    """Same entries, lines and attributes of the same customers, with the same names; unused properties don't count."""
    assert (found.customer_ids, found.event_types) == (expected.customer_ids, expected.event_types)
    _assert_same_columns(found, expected, _ENTRIES)
    assert meanings(found.channel, found.channels) == meanings(expected.channel, expected.channels)
    ours, theirs = (meanings(log.properties, log.property_texts) for log in (found, expected))
    assert (ours, found.properties.dtype) == (theirs, expected.properties.dtype)
    assert_same_lines(found.lines, expected.lines)
    assert_same_attributes(found.attributes, expected.attributes)


def assert_same_lines(found: LineLog, expected: LineLog) -> None:
    """Same lines, of the same categories, with the same ones of one product."""
    _assert_same_columns(found, expected, _LINES)
    assert meanings(found.category, found.categories) == meanings(expected.category, expected.categories)
    assert (found.category.dtype, found.product.dtype) == (expected.category.dtype, expected.product.dtype)
    products = [found.product.tolist(), expected.product.tolist()]
    assert len(set(zip(*products, strict=True))) == len(set(products[0])) == len(set(products[1]))
    assert (found.product < 0).tolist() == (expected.product < 0).tolist()


def assert_same_attributes(found: Attributes, expected: Attributes) -> None:
    """Same versions of the same attributes; one that nobody has a version of may be there or not."""
    assert found.n_customers == expected.n_customers
    given = [name for name, column in found.columns.items() if len(column.values)]
    assert given == [name for name, column in expected.columns.items() if len(column.values)]
    for name in given:
        ours, theirs = found.columns[name], expected.columns[name]
        assert ours.kind == theirs.kind
        _assert_same_columns(ours, theirs, ("offsets", "learnt_at"))
        assert _values(ours) == _values(theirs)
        assert ours.texts == tuple(sorted(ours.texts))


def meanings(codes: Any, names: Sequence[str]) -> list[str | None]:
    """Return what each code stands for, None for -1; names have to ascend."""
    assert list(names) == sorted(names)
    return [None if code < 0 else names[code] for code in codes.tolist()]


def _values(column: AttributeColumn) -> list[Any]:
    return meanings(column.values.astype(np.int64), column.texts) if column.texts else column.values.tolist()


def _assert_same_columns(found: object, expected: object, names: Sequence[str]) -> None:
    for name in names:
        ours, theirs = getattr(found, name), getattr(expected, name)
        assert ours.dtype == theirs.dtype, name
        assert ours.tobytes() == theirs.tobytes(), name
