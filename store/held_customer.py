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
    found = session.get_one(Customer, int(find_customer(session, customer_id).keys[0]))
    key = found.id if found.merged_into is None else found.merged_into
    query = select(Customer).where(or_(Customer.id == key, Customer.merged_into == key))
    query = query.order_by(Customer.merged_into.is_not(None), Customer.id).execution_options(populate_existing=True)
    rows = session.scalars(query.with_for_update() if lock else query).all()
    if not rows or rows[0].id != key or rows[0].erased_at is not None:
        raise UnknownCustomerError(f"No customer has the id {customer_id!r}.")
    return HeldCustomer(rows)
