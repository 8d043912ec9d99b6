"""What customers did, as it came: events, lines of orders, and the rows that could not be taken."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from store.tables.base import Base, CodePointText

__all__ = [
    "Category",
    "Channel",
    "Event",
    "EventType",
    "OrderLine",
    "Product",
    "RejectedRow",
    "ReplacedHead",
    "Source",
    "SourceActivity",
    "WriteNumber",
]


class Source(Base):
    """Where events come from: a shop system, a file feed, a client."""

    __tablename__ = "source"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(CodePointText, unique=True)


class EventType(Base):
    """The name of an event, such as `Order Completed`, kept once."""

    __tablename__ = "event_type"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(CodePointText, unique=True)


class Product(Base):
    """The business's own id of a product, kept once."""

    __tablename__ = "product"

    id: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[str] = mapped_column(CodePointText, unique=True)


class Category(Base):
    """Where a product stands in the business's range: JSON of level name to category, coarse to fine."""

    __tablename__ = "category"

    id: Mapped[int] = mapped_column(primary_key=True)
    levels: Mapped[str] = mapped_column(CodePointText, unique=True)


class Channel(Base):
    """Through what the customer came: web, store, e-mail."""

    __tablename__ = "channel"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(CodePointText, unique=True)


class Event(Base):
    """One thing a customer did, or the head of one order (or refund) whose lines stand in `order_line`.

    `identity` makes the same fact the same row, whenever and however often it comes. `order_key` is a hash of the order
    that this event is or, on a refund, names. Values are in the currency of the business, before refunds, which act
    when events are read; where there are lines, the value is theirs.
    """

    __tablename__ = "event"
    __table_args__ = (Index(None, "customer_key", "occurred_at"),)

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    customer_key: Mapped[int] = mapped_column(ForeignKey("customer.id"))
    event_type_id: Mapped[int] = mapped_column(ForeignKey("event_type.id"))
    occurred_at: Mapped[datetime] = mapped_column(doc="An order's is that of its earliest line.")
    reported_at: Mapped[datetime | None] = mapped_column(doc="The sender's own clock, where it ran ahead of ours.")
    received_at: Mapped[datetime]
    source_id: Mapped[int] = mapped_column(ForeignKey("source.id"))
    has_message_id: Mapped[bool]
    identity: Mapped[bytes] = mapped_column(LargeBinary(16), unique=True)
    order_id: Mapped[str | None]
    order_key: Mapped[int | None] = mapped_column(BigInteger)
    value: Mapped[float | None]
    channel_id: Mapped[int | None] = mapped_column(ForeignKey("channel.id"))
    properties: Mapped[str | None] = mapped_column(doc="JSON of what else the sender said.")
    sequence_number: Mapped[int] = mapped_column(
        BigInteger,
        server_default="0",
        doc="Of the transaction that wrote it: of one customer's, ascending as they are seen.",
    )


class ReplacedHead(Base):
    """What the head of an order said before an earlier line came, for scores that were computed then."""

    __tablename__ = "replaced_head"
    __table_args__ = ({"sqlite_with_rowid": False},)

    event_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("event.id"), primary_key=True, autoincrement=False)
    replaced_by: Mapped[int] = mapped_column(
        BigInteger, primary_key=True, autoincrement=False, doc="Sequence number of what said something else."
    )
    channel_id: Mapped[int | None] = mapped_column(ForeignKey("channel.id"))
    properties: Mapped[str | None]


class OrderLine(Base):
    """One line of an order or refund; quantity and value of a refund are what it takes back, as positive numbers."""

    __tablename__ = "order_line"
    __table_args__ = ({"sqlite_with_rowid": False},)

    event_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("event.id"), primary_key=True, autoincrement=False)
    identity: Mapped[bytes] = mapped_column(LargeBinary(16), primary_key=True)
    occurred_at: Mapped[datetime]
    product_key: Mapped[int | None] = mapped_column(ForeignKey("product.id"))
    category_id: Mapped[int | None] = mapped_column(ForeignKey("category.id"))
    quantity: Mapped[float | None]
    value: Mapped[float | None]
    discount: Mapped[float | None]
    sequence_number: Mapped[int | None] = mapped_column(BigInteger, doc="Null where it came with its event.")


class RejectedRow(Base):
    """A row of a file that could not be taken, and why."""

    __tablename__ = "rejected_row"
    __table_args__ = ({"sqlite_with_rowid": False},)

    file_hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    line: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    source_id: Mapped[int] = mapped_column(ForeignKey("source.id"))
    file: Mapped[str]
    column: Mapped[str]
    value: Mapped[str | None]
    code: Mapped[str] = mapped_column(doc="Short, stable name of the reason, for counting.")
    reason: Mapped[str]
    received_at: Mapped[datetime]


class SourceActivity(Base):
    """What one source sent in one hour, and what became of it: counted in the transaction that stores it."""

    __tablename__ = "source_activity"
    __table_args__ = ({"sqlite_with_rowid": False},)

    source_id: Mapped[int] = mapped_column(ForeignKey("source.id"), primary_key=True)
    hour: Mapped[int] = mapped_column(
        BigInteger, primary_key=True, autoincrement=False, doc="When it came, in hours since 1970-01-01 UTC."
    )
    stored: Mapped[int] = mapped_column(BigInteger)
    already_there: Mapped[int] = mapped_column(BigInteger)
    rejected: Mapped[int] = mapped_column(BigInteger)
    last_received_at: Mapped[datetime]
    last_occurred_at: Mapped[datetime | None] = mapped_column(doc="Of what was stored or there already.")


class WriteNumber(Base):
    """Where sequence numbers come from: SQLite counts the one row up, PostgreSQL takes them from the key's sequence."""

    __tablename__ = "write_number"

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
