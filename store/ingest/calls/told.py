"""What the calls of a request tell, gathered call by call into columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from store.ingest.attribute_kinds import AttributeValue
from store.ingest.calls.members import Json, MemberError, as_object
from store.ingest.canonical import CanonicalRows
from store.ingest.rejections import Rejection
from store.ingest.texts import Texts

__all__ = ["Calls", "Head", "Learnt", "Merge", "Row", "Told", "gather"]


@dataclass(frozen=True, slots=True)
class Learnt:
    """What a call says of a customer.

    Attributes
    ----------
    position : int
        Of the call in its request, from 0.
    customer_id : str
    learnt_at : int
        Microseconds since 1970-01-01 UTC.
    attributes : mapping of str to (kind, number, text)
        May be empty: then there is such a customer, and no more.
    """

    position: int
    customer_id: str
    learnt_at: int
    attributes: Mapping[str, AttributeValue]


@dataclass(frozen=True, slots=True)
class Merge:
    """Two ids that stand for one customer.

    Attributes
    ----------
    position : int
        Of the call in its request, from 0.
    merged, into : str
        The history of the first goes to the second; they differ.
    """

    position: int
    merged: str
    into: str


@dataclass(frozen=True, slots=True, eq=False)
class Calls:
    """What a request tells.

    Attributes
    ----------
    rows : CanonicalRows
        `line` is the position of the call in the request, from 0; rows of a call stand together.
    learnt : list of Learnt
    merges : list of Merge
    rejections : list of Rejection
        One for each call of which nothing was taken; `line` is its position, `column` the path of the member to blame.
    n_read : int
        Calls in all.
    """

    rows: CanonicalRows
    learnt: list[Learnt]
    merges: list[Merge]
    rejections: list[Rejection]
    n_read: int


class Head(NamedTuple):
    """What is the same for all rows of a call; fields as in `CanonicalRows`."""

    customer_id: str
    occurred_at: int
    reported_at: int
    message_id: str | None
    channel: str | None
    properties: str | None


class Row(NamedTuple):
    """What is a row's own; fields as in `CanonicalRows`."""

    event: str
    order_id: str | None
    product: str | None
    category: str | None
    quantity: float
    value: float
    rate: float


class Told(NamedTuple):
    """What one call tells."""

    head: Head | None = None
    rows: Sequence[Row] = ()
    learnt: Learnt | None = None
    merge: Merge | None = None


def gather(items: Sequence[object], tell: Callable[[int, Json], Told]) -> Calls:
    """Read the items of a request one by one; of an item that is wrong anywhere nothing is taken.

    Parameters
    ----------
    items : sequence
        As they came.
    tell : callable
        Takes position and item; raises `MemberError`.
    """
    rows: list[tuple[Any, ...]] = []
    learnt: list[Learnt] = []
    merges: list[Merge] = []
    rejections: list[Rejection] = []
    for position, item in enumerate(items):
        try:
            told = tell(position, as_object(item, ""))
        except MemberError as error:
            rejections.append(Rejection.of(position, error.path, _shown(error.value), error.code, error.reason))
            continue
        if told.head is not None:
            # A call is one message, so the place within it does not depend on what else the request holds.
            rows += [(position, *told.head, *row, ordinal) for ordinal, row in enumerate(told.rows)]
        if told.learnt is not None:
            learnt.append(told.learnt)
        if told.merge is not None:
            merges.append(told.merge)
    return Calls(_columns(rows), learnt, merges, rejections, len(items))


def _columns(rows: list[tuple[Any, ...]]) -> CanonicalRows:
    n_fields = 2 + len(Head._fields) + len(Row._fields)
    line, *of_head_and_row, ordinal = zip(*rows, strict=True) if rows else [()] * n_fields
    column = dict(zip(Head._fields + Row._fields, of_head_and_row, strict=True))
    each = np.arange(len(rows))

    def texts(name: str) -> Texts:
        return Texts.of(each, column[name])

    def integers(values: Sequence[int]) -> Any:
        return np.array(values, dtype=np.int64)

    def numbers(name: str) -> Any:
        return np.array(column[name], dtype=np.float64)

    message_id, order_id = texts("message_id"), texts("order_id")
    return CanonicalRows(
        line=integers(line),
        event=texts("event"),
        customer_id=texts("customer_id"),
        occurred_at=integers(column["occurred_at"]),
        reported_at=integers(column["reported_at"]),
        order_id=order_id,
        named_order=order_id,
        product=texts("product"),
        category=texts("category"),
        channel=texts("channel").ascending(),
        properties=texts("properties").ascending(),
        quantity=numbers("quantity"),
        value=numbers("value"),
        discount=np.full(len(rows), np.nan),
        rate=numbers("rate"),
        message_id=message_id,
        message_ordinal=np.where(message_id.given, integers(ordinal), -1),
    )


def _shown(value: object) -> object:
    """Return what is kept of a wrong value: of an object or list only what it is."""
    if isinstance(value, dict):
        return "{…}"
    if isinstance(value, list):
        return "[…]"
    return None if isinstance(value, str) and not value.strip() else value
