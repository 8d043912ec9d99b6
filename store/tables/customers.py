"""Customers and what is known of them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from store.tables.base import Base, CodePointText

__all__ = ["Customer", "CustomerAttribute"]


class Customer(Base):
    """One customer; `id` is the internal key that stands for the business's `customer_id` everywhere else."""

    __tablename__ = "customer"

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[str] = mapped_column(CodePointText, unique=True)
    created_at: Mapped[datetime]


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
