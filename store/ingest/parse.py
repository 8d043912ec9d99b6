"""From the cells of a file to canonical rows: what each column means, and which rows can't be taken."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from store.event_rows import ORDER_COMPLETED, REFUND_EVENTS
from store.ingest.canonical import CanonicalRows
from store.ingest.cells import LARGEST_AMOUNT, TOO_LARGE, as_id, as_json, as_label, as_text
from store.ingest.chunks import Chunk
from store.ingest.clock import Clock
from store.ingest.currency import rate_of
from store.ingest.identity import message_ordinals
from store.ingest.instants import InstantReader
from store.ingest.mapping import EventMapping
from store.ingest.ordinals import OrdinalCounter
from store.ingest.rejections import Rejection
from store.ingest.screening import Screening, required
from store.ingest.texts import Texts, distinct_rows
from store.settings import Settings

__all__ = ["EventParser"]

_ORDER_REFUNDED = "Order Refunded"
_LONGEST_CATEGORY = 2_000  # bytes of JSON: what an index of PostgreSQL takes


class EventParser:
    """Turns the chunks of one file, in their order, into canonical rows.

    Parameters
    ----------
    mapping : EventMapping
    settings : Settings
        For currency, rates and time zone.
    received_at : datetime
        Aware.
    """

    def __init__(self, mapping: EventMapping, settings: Settings, received_at: datetime) -> None:
        self._mapping = mapping
        self._settings = settings
        self._clock = Clock(received_at)
        self._read_instant = InstantReader(ZoneInfo(settings.timezone), mapping.date_format)
        self._messages = OrdinalCounter()

    def parse(self, chunk: Chunk) -> tuple[CanonicalRows, list[Rejection]]:
        """Return the rows that can be stored, in their order, and the others with the first thing wrong."""
        if not len(chunk.lines):
            return _no_rows(), list(chunk.broken)
        mapping = self._mapping
        rows = Screening(chunk)
        customer_id = rows.texts(mapping.customer_id, required(as_id, "customer_id"))
        reported_at = rows.integers(mapping.occurred_at, required(self._instant, "occurred_at"), self._instants_at_once)
        told_event = self._events(rows)
        order_id = rows.texts(mapping.order_id, as_id)
        product = rows.texts(mapping.product, as_id)
        quantity, value = self._amounts(rows)
        discount = self._discounts(rows)
        rate = self._rates(rows, value, discount)
        category = _json_objects(rows, mapping.categories, _category)
        self._check_categories(rows, category)
        channel = rows.texts(mapping.channel, as_label)
        properties = _json_objects(rows, tuple(sorted(mapping.properties)), as_json)
        message_id = rows.texts(mapping.message_id, as_id)

        event, named_order = self._find_refunds(told_event, order_id, quantity, value)
        takes_back = event.where(REFUND_EVENTS.__contains__)
        canonical = CanonicalRows(
            line=chunk.lines,
            event=event,
            customer_id=customer_id,
            occurred_at=self._clock.occurred_at(reported_at),
            reported_at=reported_at,
            order_id=order_id,
            named_order=named_order,
            product=product,
            category=category,
            channel=channel.ascending(),
            properties=properties.ascending(),
            quantity=np.where(takes_back, np.abs(quantity), quantity),
            value=np.where(takes_back, np.abs(value), value),
            discount=discount,
            rate=rate,
            message_id=message_id,
            message_ordinal=message_ordinals(mapping.source, message_id, self._messages),
        )
        return canonical.take(rows.fit), chunk.broken + rows.rejections

    def _instant(self, value: object) -> int | None:
        reported_at = self._read_instant(value)
        return None if reported_at is None else self._clock.admit(reported_at)

    def _instants_at_once(self, values: Sequence[object]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        reported_at, is_read = self._read_instant.at_once(values)
        return reported_at, is_read & self._clock.admits(reported_at)

    def _events(self, rows: Screening) -> Texts:
        if self._mapping.event_column is None:
            return Texts.same(self._mapping.event.strip(), len(rows))
        return rows.texts(self._mapping.event_column, required(as_label, "event"))

    def _amounts(self, rows: Screening) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return quantity, and value or else quantity x unit price."""
        mapping = self._mapping
        quantity = rows.numbers(mapping.quantity)
        value = rows.numbers(mapping.value)
        if mapping.unit_price is not None:
            unit_price = rows.numbers(mapping.unit_price)
            product = quantity * unit_price
            rows.reject(
                np.abs(product) > LARGEST_AMOUNT, mapping.unit_price, "number", f"times the quantity is {TOO_LARGE}"
            )
            value = np.where(np.isnan(value), product, value)
        return quantity, value

    def _discounts(self, rows: Screening) -> NDArray[np.float64]:
        """Return the sum of the discounts that are known, NaN where none is."""
        discount = np.full(len(rows), np.nan)
        for column in self._mapping.discounts:
            one = rows.numbers(column)
            discount = np.where(np.isnan(discount), one, discount + np.nan_to_num(one))
            rows.reject(np.abs(discount) > LARGEST_AMOUNT, column, "number", f"makes the discount {TOO_LARGE}")
        return discount

    def _rates(self, rows: Screening, value: NDArray[np.float64], discount: NDArray[np.float64]) -> NDArray[np.float64]:
        column = self._mapping.currency
        if column is None:
            return np.ones(len(rows))
        rate = np.nan_to_num(rows.numbers(column, self._rate), nan=1.0)
        too_large = (np.abs(value * rate) > LARGEST_AMOUNT) | (np.abs(discount * rate) > LARGEST_AMOUNT)
        rows.reject(too_large, column, "number", f"makes the value {TOO_LARGE}")
        return rate

    def _rate(self, value: object) -> float:
        return rate_of(as_text(value), self._settings)

    def _check_categories(self, rows: Screening, category: Texts) -> None:
        too_long = category.where(lambda text: len(text.encode()) > _LONGEST_CATEGORY)
        if too_long.any():
            reason = f"is too long together with the other levels; expected at most {_LONGEST_CATEGORY} bytes"
            rows.reject(too_long, self._mapping.categories[0], "text", reason)

    def _find_refunds(
        self, event: Texts, order_id: Texts, quantity: NDArray[np.float64], value: NDArray[np.float64]
    ) -> tuple[Texts, Texts]:
        """Return the events, with refunds for what is told as one by prefix or sign, and the order that each row names.

        The id of a cancelled order without its prefix may be that of the order; where it is not, the refund finds its
        lines by product.
        """
        amount = np.where(np.isnan(quantity), value, quantity)
        is_refund = event.where(ORDER_COMPLETED.__eq__) & (amount < 0)
        prefix = self._mapping.cancelled_order_prefix
        if prefix is None:
            return event.replace(is_refund, _ORDER_REFUNDED), order_id
        is_refund |= order_id.where(lambda text: text.startswith(prefix))
        named_order = order_id.map(lambda text: text.removeprefix(prefix).strip() or None)
        return event.replace(is_refund, _ORDER_REFUNDED), named_order


def _category(value: object) -> str | None:
    text = as_label(value)
    return None if text is None else json.dumps(text, ensure_ascii=False)


def _json_objects(rows: Screening, columns: Sequence[str], convert: Callable[[object], str | None]) -> Texts:
    """Return one JSON object a row, of column name to value; none where all are missing."""
    if not columns:
        return Texts.none(len(rows))
    names = [json.dumps(column, ensure_ascii=False) for column in columns]
    values = [rows.texts(column, convert) for column in columns]
    group, first = distinct_rows(values)
    objects = []
    for members in zip(*(column.take(first).tolist() for column in values), strict=True):
        given = [f"{name}: {value}" for name, value in zip(names, members, strict=True) if value is not None]
        objects.append("{" + ", ".join(given) + "}" if given else None)
    return Texts.of(group, objects)


def _no_rows() -> CanonicalRows:
    texts, numbers, integers = Texts.none(0), np.empty(0), np.empty(0, dtype=np.int64)
    return CanonicalRows(
        line=integers,
        event=texts,
        customer_id=texts,
        occurred_at=integers,
        reported_at=integers,
        order_id=texts,
        named_order=texts,
        product=texts,
        category=texts,
        channel=texts,
        properties=texts,
        quantity=numbers,
        value=numbers,
        discount=numbers,
        rate=numbers,
        message_id=texts,
        message_ordinal=integers,
    )
