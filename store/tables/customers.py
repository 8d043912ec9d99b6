"""Customers and what is known of them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from store.tables.base import Base, CodePointText

__all__ = ["Customer", "CustomerAttribute", "ErasedCustomer", "ReplacedAttribute"]


class Customer(Base):
    """One customer; `id` is the internal key that stands for the business's `customer_id` everywhere else.

    A row that is merged into another stays, so that what still comes under its id finds the other; it has no events,
    attributes or scores of its own any more. One that is being erased is shown to nobody.
    """

    __tablename__ = "customer"

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[str] = mapped_column(CodePointText, unique=True)
    created_at: Mapped[datetime]
    merged_into: Mapped[int | None] = mapped_column(
        index=True, doc="The customer for whom this id stands now; that one is merged into nobody."
    )
    merged_number: Mapped[int | None] = mapped_column(BigInteger, doc="Sequence number of the merge.")
    erased_at: Mapped[datetime | None] = mapped_column(doc="Since when the customer is hidden, until all is deleted.")


class CustomerAttribute(Base):
    """One attribute of one customer, from the instant it was learnt; `learnt_at` 0 (1970) means always known."""

    __tablename__ = "customer_attribute"
    __table_args__ = (
        CheckConstraint("kind IN ('number', 'category', 'date')", name="kind"),
        {"sqlite_with_rowid": False},
    )

    customer_key: Mapped[int] = mapped_column(ForeignKey("customer.id"), primary_key=True)
    name: Mapped[str] = mapped_column(CodePointText, primary_key=True)
    learnt_at: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    kind: Mapped[str]
    number: Mapped[float | None]
    text: Mapped[str | None] = mapped_column(doc="The category, or the date in ISO 8601.")
    sequence_number: Mapped[int] = mapped_column(BigInteger, server_default="0", doc="As that of an event.")


class ReplacedAttribute(Base):
    """What was said of an attribute at an instant before something else was said of the same instant."""

    __tablename__ = "replaced_attribute"
    __table_args__ = ({"sqlite_with_rowid": False},)

    customer_key: Mapped[int] = mapped_column(ForeignKey("customer.id"), primary_key=True)
    name: Mapped[str] = mapped_column(CodePointText, primary_key=True)
    learnt_at: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    replaced_by: Mapped[int] = mapped_column(
        BigInteger, primary_key=True, autoincrement=False, doc="Sequence number of what said something else."
    )
    sequence_number: Mapped[int] = mapped_column(BigInteger)
    kind: Mapped[str]
    number: Mapped[float | None]
    text: Mapped[str | None]


class ErasedCustomer(Base):
    """The keyed hash of an id that was erased, which keeps what still comes under it out."""

    __tablename__ = "erased_customer"
    __table_args__ = ({"sqlite_with_rowid": False},)

    id_hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    erased_at: Mapped[datetime]
