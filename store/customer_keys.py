"""Customers by the business's own id and by the internal key that stands for it in all other tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from store.bulk_read import read_blocks
from store.exceptions import UnknownCustomerError
from store.tables import Customer

__all__ = ["CustomerKeys", "among", "between", "customers_between", "find_customer", "find_customers", "highest_key"]

_IDS_A_STATEMENT = 500

# Characters that no stored text has and that drivers refuse: NUL, and halves of a pair.
_NEVER_STORED = re.compile(r"[\0\ud800-\udfff]")


class CustomerKeys(NamedTuple):
    """Some or all customers, ascending by `customer_id` in code-point order."""

    customer_ids: tuple[str, ...]
    keys: NDArray[np.int64]

    def positions(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return where each of some keys, all of them ours, stands among the customers."""
        by_key = np.argsort(self.keys)
        # Rows of one customer mostly follow one another, and then there is little to search for.
        starts = np.append(np.flatnonzero(np.diff(keys, prepend=-1)), len(keys))
        found = np.searchsorted(self.keys, keys[starts[:-1]], sorter=by_key)
        positions: NDArray[np.int64] = np.repeat(by_key[found], np.diff(starts))
        return positions


def find_customers(session: Session, customer_ids: Sequence[str]) -> CustomerKeys:
    """Read the keys of these customers, ascending by id; ids that nobody has are left out."""
    possible = [customer_id for customer_id in customer_ids if not _NEVER_STORED.search(customer_id)]
    rows: set[tuple[str, int]] = set()
    for start in range(0, len(possible), _IDS_A_STATEMENT):
        wanted = possible[start : start + _IDS_A_STATEMENT]
        values = ", ".join(["{}"] * len(wanted))
        for found in read_blocks(
            session, f"SELECT customer_id, id FROM customer WHERE customer_id IN ({values})", wanted
        ):
            rows.update(found)
    return _customer_keys(rows)


def find_customer(session: Session, customer_id: str) -> CustomerKeys:
    """Read the key of one customer; raises `UnknownCustomerError`."""
    customers = find_customers(session, [customer_id])
    if not customers.customer_ids:
        raise UnknownCustomerError(f"No customer has the id {customer_id!r}.")
    return customers


def highest_key(session: Session) -> int:
    """Return the highest key of a customer, 0 without customers."""
    return session.scalar(select(func.max(Customer.id))) or 0


def customers_between(session: Session, lowest: int, highest: int) -> CustomerKeys:
    """Read the customers with keys from lowest to highest."""
    statement = f"SELECT customer_id, id FROM customer WHERE id {between(lowest, highest)}"
    return _customer_keys(chain.from_iterable(read_blocks(session, statement)))


def among(keys: Iterable[int]) -> str:
    """Condition on a column of keys: one of these.

    Keys are our own integers; as literals one statement serves both engines without a temporary table.
    """
    return f"IN ({', '.join(str(int(key)) for key in keys) or 'NULL'})"


def between(lowest: int, highest: int) -> str:
    """Condition on a column of keys: from lowest to highest."""
    return f"BETWEEN {lowest} AND {highest}"


def _customer_keys(rows: Iterable[tuple[Any, ...]]) -> CustomerKeys:
    # Strings compare by code point in Python, whatever the engine does.
    found = sorted(rows)
    return CustomerKeys(tuple(row[0] for row in found), np.array([row[1] for row in found], dtype=np.int64))
