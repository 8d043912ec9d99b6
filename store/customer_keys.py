"""Customers by the business's own id and by the internal key that stands for it in all other tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from store.bulk_read import read_blocks
from store.exceptions import UnknownCustomerError
from store.tables import Customer

__all__ = [
    "CustomerKeys",
    "among",
    "between",
    "conditions",
    "customers_among",
    "customers_between",
    "find_customer",
    "find_customers",
    "highest_key",
]

_IDS_A_STATEMENT = 500
_KEYS_A_STATEMENT = 500

# Characters that no stored text has and that drivers refuse: NUL, and halves of a pair.
_NEVER_STORED = re.compile(r"[\0\ud800-\udfff]")


_OWN_OF_ASKED = (
    "SELECT c.customer_id, coalesce(own.customer_id, c.customer_id), coalesce(own.id, c.id) "
    "FROM customer c LEFT JOIN customer own ON own.id = c.merged_into "
    "WHERE c.erased_at IS NULL AND own.erased_at IS NULL"
)


class CustomerKeys(NamedTuple):
    """Some or all customers, ascending by `customer_id` in code-point order.

    Attributes
    ----------
    customer_ids : tuple of str
    keys : int64
    merged : mapping of str to str
        Of the ids asked for, those that were merged, and the customer's own id, which is among these.
    """

    customer_ids: tuple[str, ...]
    keys: NDArray[np.int64]
    merged: Mapping[str, str] = MappingProxyType({})

    def id_of(self, customer_id: str) -> str:
        """Return the customer's own id for one that was asked for, which is the same unless it was merged."""
        return self.merged.get(customer_id, customer_id)

    def positions(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return where each of some keys, all of them ours, stands among the customers."""
        by_key = np.argsort(self.keys)
        # Rows of one customer mostly follow one another, and then there is little to search for.
        starts = np.append(np.flatnonzero(np.diff(keys, prepend=-1)), len(keys))
        found = np.searchsorted(self.keys, keys[starts[:-1]], sorter=by_key)
        positions: NDArray[np.int64] = np.repeat(by_key[found], np.diff(starts))
        return positions


def find_customers(session: Session, customer_ids: Sequence[str]) -> CustomerKeys:
    """Read the keys of these customers, ascending by id.

    An id that was merged finds the customer for whom it stands; ids that nobody has, or that were erased, are left out.
    """
    possible = [customer_id for customer_id in customer_ids if not _NEVER_STORED.search(customer_id)]
    rows: set[tuple[str, int]] = set()
    merged: dict[str, str] = {}
    for start in range(0, len(possible), _IDS_A_STATEMENT):
        wanted = possible[start : start + _IDS_A_STATEMENT]
        values = ", ".join(["{}"] * len(wanted))
        for block in read_blocks(session, f"{_OWN_OF_ASKED} AND c.customer_id IN ({values})", wanted):
            for asked, own, key in block:
                rows.add((own, key))
                if asked != own:
                    merged[asked] = own
    return _customer_keys(rows)._replace(merged=merged)


def find_customer(session: Session, customer_id: str) -> CustomerKeys:
    """Read the key of one customer; raises `UnknownCustomerError`."""
    customers = find_customers(session, [customer_id])
    if not customers.customer_ids:
        raise UnknownCustomerError(f"No customer has the id {customer_id!r}.")
    return customers


def highest_key(session: Session) -> int:
    """Return the highest key of a customer, 0 without customers."""
    return session.scalar(select(func.max(Customer.id))) or 0


def customers_between(session: Session, lowest: int, highest: int) -> tuple[CustomerKeys, str]:
    """Read the customers with keys from lowest to highest.

    Returns
    -------
    customers : CustomerKeys
        Without those that were merged, who have nothing of their own, and those that are being erased.
    which : str
        Condition on the column `customer_key`, of the one table of a statement that has it: one of these.
    """
    which = between(lowest, highest)
    statement = f"SELECT customer_id, id, erased_at FROM customer WHERE merged_into IS NULL AND id {which}"
    rows: list[tuple[str, int]] = []
    hidden: list[int] = []
    for customer_id, key, erased_at in chain.from_iterable(read_blocks(session, statement)):
        if erased_at is None:
            rows.append((customer_id, key))
        else:
            hidden.append(key)
    if hidden:
        which = f"{which} AND customer_key NOT {among(hidden)}"
    return _customer_keys(rows), which


def customers_among(session: Session, keys: Iterable[int]) -> CustomerKeys:
    """Read those of some customers, by key, who have been neither merged nor erased."""
    query = "SELECT customer_id, id FROM customer WHERE merged_into IS NULL AND erased_at IS NULL AND id"
    return _customer_keys(chain.from_iterable(read_blocks(session, f"{query} {among(keys)}")))


def among(keys: Iterable[int]) -> str:
    """Condition on a column of keys: one of these.

    Keys are our own integers; as literals one statement serves both engines without a temporary table.
    """
    return f"IN ({', '.join(str(int(key)) for key in keys) or 'NULL'})"


def between(lowest: int, highest: int) -> str:
    """Condition on a column of keys: from lowest to highest."""
    return f"BETWEEN {lowest} AND {highest}"


def conditions(keys: Sequence[int]) -> Iterator[str]:
    """Conditions that together find these by index: one range of neighbours, or some hundreds at a time.

    In a range there may be others too.
    """
    if len(keys) > _KEYS_A_STATEMENT and max(keys) - min(keys) < 2 * len(keys):
        yield between(min(keys), max(keys))
        return
    for start in range(0, len(keys), _KEYS_A_STATEMENT):
        yield among(keys[start : start + _KEYS_A_STATEMENT])


def _customer_keys(rows: Iterable[tuple[Any, ...]]) -> CustomerKeys:
    # Strings compare by code point in Python, whatever the engine does.
    found = sorted(rows)
    return CustomerKeys(tuple(row[0] for row in found), np.array([row[1] for row in found], dtype=np.int64))
