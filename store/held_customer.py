"""One customer with all ids under which the business knows it: its own, and those of whoever was merged into it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from store.customer_keys import find_customer
from store.exceptions import UnknownCustomerError
from store.tables import Customer

__all__ = ["HeldCustomer", "find_held"]


@dataclass(frozen=True, slots=True)
class HeldCustomer:
    """A customer and whom it stands for.

    Attributes
    ----------
    rows : sequence of Customer
        The customer's own row, then those merged into it, by key.
    """

    rows: Sequence[Customer]

    @property
    def key(self) -> int:
        """The customer's own key."""
        return self.rows[0].id

    @property
    def keys(self) -> list[int]:
        """Its own key and those of whoever was merged into it."""
        return [row.id for row in self.rows]

    @property
    def customer_ids(self) -> list[str]:
        """Its own id and those of whoever was merged into it."""
        return [row.customer_id for row in self.rows]


def find_held(session: Session, customer_id: str, *, lock: bool = False) -> HeldCustomer:
    """Find a customer by any of its ids; raises `UnknownCustomerError`, as of one that has been erased.

    Parameters
    ----------
    session : Session
    customer_id : str
    lock : bool
        Whether its rows are to be changed in this transaction.
    """
    key = int(find_customer(session, customer_id).keys[0])
    if lock:
        key = _locked(session, key)
    query = select(Customer).where(or_(Customer.id == key, Customer.merged_into == key))
    query = query.order_by(Customer.merged_into.is_not(None), Customer.id).execution_options(populate_existing=True)
    rows = session.scalars(query.with_for_update() if lock else query).all()
    if not rows or rows[0].id != key or rows[0].erased_at is not None:
        raise UnknownCustomerError(f"No customer has the id {customer_id!r}.")
    return HeldCustomer(rows)


def _locked(session: Session, key: int) -> int:
    """Lock a customer, from when on nobody is merged into it, and return its key.

    Whoever held it before us may have merged it into another, on PostgreSQL, where we had to wait: then it is that one.
    """
    while True:
        into = session.scalar(select(Customer.merged_into).where(Customer.id == key).with_for_update())
        if into is None:
            return key
        key = into
