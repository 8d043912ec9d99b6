"""Which column of a file means what."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from store.event_rows import ORDER_COMPLETED
from store.exceptions import IngestError
from store.ingest.rows import ROW

__all__ = ["EventMapping"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventMapping:
    """How the rows of a file become events; each field but a few names a column.

    A row that names an order, or says what was bought (product or quantity), is a line of an order. Any other is an
    event by itself.

    Attributes
    ----------
    customer_id, occurred_at : str
        Columns of who (`:row` for the number of the row, so that each row is a customer of its own), and when. A time
        without an offset is wall time in the time zone of the business; in an hour that the clocks go through twice it
        is the first.
    event : str
        Name of the event, for all rows.
    event_column : str or None
        Column of the event's name instead.
    order_id : str or None
        Rows of one customer and event with the same order id are one order.
    value : str or None
        Column of the row's value, without shipping and tax. An empty cell is an unknown value, 0 is a purchase for 0.
    quantity, unit_price : str or None
        Columns of the quantity and of the price of one; their product is the value where there is no `value`.
    product, channel, currency : str or None
        More columns.
    discounts : tuple of str
        Columns whose sum is the row's discount; empty cells are left out of it, and if all are empty it is unknown.
    categories : tuple of str
        Columns of where the product stands, coarse to fine.
    properties : tuple of str
        Columns kept with the event under their own names.
    message_id : str or None
        Column of the sender's own id of the message: a row is the same if its message id and its place among the
        rows of that message are.
    cancelled_order_prefix : str or None
        Rows whose order id begins with this are refunds.
    source : str
        Name of where the rows come from; part of their identity.
    date_format : str or None
        How `occurred_at` is written (`%d.%m.%Y %H:%M`) if it is not ISO 8601 or YYYYMMDD.
    """

    customer_id: str
    occurred_at: str
    event: str = ORDER_COMPLETED
    event_column: str | None = None
    order_id: str | None = None
    value: str | None = None
    quantity: str | None = None
    unit_price: str | None = None
    product: str | None = None
    categories: tuple[str, ...] = ()
    channel: str | None = None
    discounts: tuple[str, ...] = ()
    currency: str | None = None
    properties: tuple[str, ...] = ()
    message_id: str | None = None
    cancelled_order_prefix: str | None = None
    source: str = "file"
    date_format: str | None = None

    def __post_init__(self) -> None:
        """Refuse options that contradict each other."""
        if self.unit_price is not None and self.quantity is None:
            raise IngestError("A unit price needs a quantity to become a value. Name the column of the quantity too.")
        if self.cancelled_order_prefix is not None and self.order_id is None:
            raise IngestError("A prefix of cancelled orders needs order ids. Name the column of the order id too.")
        if self.customer_id == ROW and self.order_id is not None:
            raise IngestError(
                f"With {ROW} as customer id every row is a customer of its own, so that no two can be lines of one "
                "order. Name the column of the customer's id, or leave the order id out."
            )
        if ROW in (self.occurred_at, *self.columns()[1:]):
            raise IngestError(f"{ROW}, the number of the row, can stand for the customer id only. Name a column.")
        if self.cancelled_order_prefix == "":
            raise IngestError("The prefix of cancelled orders is empty, which would make every order a refund.")
        for what, name in (("event", self.event), ("source", self.source)):
            if not name.strip() or "\0" in name or len(name) > 255:
                raise IngestError(f"Expected a name of 1 to 255 characters for the {what}, got {name[:50]!r}.")
        for what, names in (
            ("category", self.categories),
            ("discount", self.discounts),
            ("property", self.properties),
        ):
            if len(set(names)) < len(names):
                raise IngestError(f"A {what} column is named twice: {', '.join(names)}.")
        for name in self.columns():
            if not name.isprintable():
                raise IngestError(f"The column name {name!r} can't be printed. Rename the column.")
        if self.date_format is not None:
            _check_date_format(self.date_format)

    def columns(self) -> tuple[str, ...]:
        """Names of all columns that are read, each once."""
        single = (
            self.customer_id,
            self.occurred_at,
            self.event_column,
            self.order_id,
            self.value,
            self.quantity,
            self.unit_price,
            self.product,
            self.channel,
            self.currency,
            self.message_id,
        )
        named = [name for name in single if name is not None]
        return tuple(dict.fromkeys([*named, *self.discounts, *self.categories, *self.properties]))


def _check_date_format(date_format: str) -> None:
    sample = datetime(2001, 2, 13, 14, 15, 16, tzinfo=UTC)
    try:
        understood = datetime.strptime(sample.strftime(date_format), date_format).date() == sample.date()  # noqa: DTZ007
    except ValueError:
        understood = False
    if not understood:
        raise IngestError(
            f"The date format {date_format!r} does not say year, month and day; expected one such as '%d.%m.%Y %H:%M'."
        )
