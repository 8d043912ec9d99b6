"""The rows of an event: of an order or refund one for each of its products, of anything else one.

The names are those of the e-commerce specification, version 2, of Segment.
"""

from __future__ import annotations

import json
import math
from typing import NamedTuple

from store.event_rows import ORDER_COMPLETED, ORDER_UPDATED, REFUND_EVENTS
from store.ingest.calls.members import Json, MemberError, as_object, read_amount, read_id, read_label
from store.ingest.calls.told import Row
from store.ingest.cells import LARGEST_AMOUNT, TOO_LARGE, as_amount
from store.ingest.currency import rate_of
from store.ingest.rejections import CellError
from store.settings import Settings

__all__ = ["EventRows"]

_ORDERS = (ORDER_COMPLETED, ORDER_UPDATED)
_ORDER_REFUNDED = "Order Refunded"
_WHERE = "properties."
_MOST_PRODUCTS = 5_000
# So that no request holds up the others for seconds.
_MOST_LINES = 50_000

_written = json.JSONEncoder(ensure_ascii=False).encode


class EventRows:
    """Makes the rows of the events of one request, of orders and refunds at most 50,000 lines.

    Parameters
    ----------
    settings : Settings
        For the currency of the business and the rates of others.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lines_left = _MOST_LINES

    def of(self, event: str, properties: Json, message_id: str | None) -> list[Row]:
        """Return the rows of one event.

        An order's line is worth its price times its quantity, 1 unless it says otherwise. Lines without a price share
        what is left of the order's sum by their quantities, so that the lines make the sum. An order without lines is
        worth its sum: `revenue`, else `total` less `shipping` and `tax`, else `value`. A refund's lines take back their
        quantity, or the whole line where they name none. What is negative in an order is a refund, as in files.

        Parameters
        ----------
        event : str
        properties : mapping
        message_id : str or None
            Holds the lines of an order together that has no id.

        Raises
        ------
        MemberError
        """
        if event not in _ORDERS and event not in REFUND_EVENTS:
            value = _value(properties)
            return [Row(event, None, None, None, math.nan, value, self._rate(properties, value))]
        order_id = read_id(properties, "order_id", _WHERE)
        products = _products(properties)
        self._count(products)
        lines = _lines(products, default_quantity=1.0 if event in _ORDERS else math.nan)
        if not lines:
            lines = [_Line(None, None, math.nan, _sum(properties))]
        elif event in _ORDERS:
            lines = _with_rest(lines, _sum(properties))
            if order_id is None and event == ORDER_COMPLETED and len(lines) > 1:
                order_id = message_id
        rate = self._rate(properties, *(line.value for line in lines))
        return [_row(event, order_id, line, rate) for line in lines]

    def _count(self, products: list[object]) -> None:
        """Refuse a call that would make too many lines, before they are read; smaller ones after it may still fit."""
        if len(products) > self._lines_left:
            reason = (
                f"holds {len(products):,} products, with which the request has more than {_MOST_LINES:,} lines; send "
                "fewer calls at once"
            )
            raise MemberError(f"{_WHERE}products", products, "too_many_lines", reason)
        self._lines_left -= len(products)

    def _rate(self, properties: Json, *values: float) -> float:
        """Return what one unit of the values' currency is worth; where no value is known, nobody asks."""
        if all(map(math.isnan, values)):
            return 1.0
        currency = read_label(properties, "currency", _WHERE)
        try:
            rate = rate_of(currency, self._settings)
        except CellError as error:
            raise MemberError(f"{_WHERE}currency", currency, error.code, error.reason) from error
        if any(abs(value * rate) > LARGEST_AMOUNT for value in values):
            raise MemberError(f"{_WHERE}currency", currency, "number", f"makes the value {TOO_LARGE}")
        return rate


class _Line(NamedTuple):
    """What a product's entry says; fields as in `Row`."""

    product: str | None
    category: str | None
    quantity: float
    value: float


def _row(event: str, order_id: str | None, line: _Line, rate: float) -> Row:
    product, category, quantity, value = line
    if event == ORDER_COMPLETED and (value if math.isnan(quantity) else quantity) < 0:
        event = _ORDER_REFUNDED
    if event in REFUND_EVENTS:
        quantity, value = abs(quantity), abs(value)
    return Row(event, order_id, product, category, quantity, value, rate)


def _products(properties: Json) -> list[object]:
    products = properties.get("products")
    if products is None:
        return []
    path = f"{_WHERE}products"
    if not isinstance(products, list):
        raise MemberError(path, products, "products", "is not a list of products")
    if len(products) > _MOST_PRODUCTS:
        reason = f"holds {len(products):,} products; expected at most {_MOST_PRODUCTS:,}"
        raise MemberError(path, products, "too_many", reason)
    return products


def _lines(products: list[object], default_quantity: float) -> list[_Line]:
    path = f"{_WHERE}products"
    return [
        _line(as_object(product, f"{path}[{place}]"), f"{path}[{place}]", default_quantity)
        for place, product in enumerate(products)
        if product is not None
    ]


def _line(product: Json, path: str, default_quantity: float) -> _Line:
    where = f"{path}."
    product_id = read_id(product, "product_id", where) or read_id(product, "sku", where)
    quantity, price = read_amount(product, "quantity", where), read_amount(product, "price", where)
    if product_id is None and math.isnan(price):
        raise MemberError(path, product, "product", "names neither product_id nor sku nor price; expected one of them")
    if math.isnan(quantity):
        quantity = default_quantity
    value = quantity * price + 0.0  # -0.0 becomes 0.0, as in files
    if abs(value) > LARGEST_AMOUNT:
        raise MemberError(f"{where}price", price, "number", f"times the quantity is {TOO_LARGE}")
    # Lists and objects are no name of a category, and no reason to refuse an order.
    told = product.get("category")
    category = None if isinstance(told, (dict, list)) else read_label(product, "category", where)
    return _Line(product_id, category and f'{{"category": {_written(category)}}}', quantity, value)


def _with_rest(lines: list[_Line], order_sum: float) -> list[_Line]:
    """Let the lines of unknown value share what the others leave of a sum, by their quantities."""
    unknown = [line.quantity for line in lines if math.isnan(line.value)]
    rest = order_sum - sum(line.value for line in lines if not math.isnan(line.value))
    quantity = sum(unknown)
    is_shared = (min(unknown, default=0.0) >= 0 or max(unknown, default=0.0) <= 0) and math.isfinite(quantity)
    if not quantity or not is_shared or not math.isfinite(rest):
        return lines
    # Prices that make more than the sum leave nothing to share.
    rest = rest if rest * quantity > 0 else 0.0
    return [
        line._replace(value=rest * (line.quantity / quantity) + 0.0) if math.isnan(line.value) else line
        for line in lines
    ]


def _sum(properties: Json) -> float:
    """Return the sum of an order without shipping and tax, NaN if it is not told."""
    revenue = read_amount(properties, "revenue", _WHERE)
    if not math.isnan(revenue):
        return revenue
    total = read_amount(properties, "total", _WHERE)
    if math.isnan(total):
        return read_amount(properties, "value", _WHERE)
    for name in ("shipping", "tax"):
        part = read_amount(properties, name, _WHERE)
        total -= 0.0 if math.isnan(part) else part
    if abs(total) > LARGEST_AMOUNT:
        raise MemberError(f"{_WHERE}total", None, "number", f"less shipping and tax is {TOO_LARGE}")
    return total


def _value(properties: Json) -> float:
    """Return what an event that is no order is worth: `value` or else `revenue`, NaN if neither is a finite number."""
    for name in ("value", "revenue"):
        try:
            number = as_amount(properties.get(name))
        except CellError:
            # Any event may call something a value that is none, and keeps it among its properties.
            continue
        if number is not None:
            return number
    return math.nan
