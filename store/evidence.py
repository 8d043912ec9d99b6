"""What scores rest on: which events and attributes were read, so that the same can be read again later."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from features.calendar import LocalCalendar
from features.event_log import EventLog
from features.netting import net
from store.customer_keys import CustomerKeys, among
from store.customers import AttributeVersions, read_versions
from store.event_rows import NumberedRows, read_numbered
from store.tables import Customer

__all__ = ["Evidence", "Holder", "has_merged_since", "holder_of", "read_with_evidence"]


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What the scores of some customers rest on, one element each.

    Attributes
    ----------
    sequence_number : int64
        The greatest of all that is stored of the customer, 0 without any: what came later has a greater one.
    n_rows : int64
        Lines of orders, and events without lines, that occurred before the instant that scores speak of.
    digest : uint64, shape (n, 2)
        Sums of both halves of the identities of these, modulo 2**64, so that no order matters.
    attribute_number : int64
        The greatest sequence number of the attributes in force at that instant, 0 without any.
    n_attributes : int64
        How many these are.
    attribute_digest : uint64
        Sum of their sequence numbers, modulo 2**64.
    """

    sequence_number: NDArray[np.int64]
    n_rows: NDArray[np.int64]
    digest: NDArray[np.uint64]
    attribute_number: NDArray[np.int64]
    n_attributes: NDArray[np.int64]
    attribute_digest: NDArray[np.uint64]

    @classmethod
    def of(cls, n_customers: int, rows: NumberedRows, versions: AttributeVersions, as_of: int) -> Evidence:
        """Sum up what was read.

        Parameters
        ----------
        n_customers : int
        rows : NumberedRows
        versions : AttributeVersions
        as_of : int
            The instant that scores speak of; microseconds since 1970-01-01 UTC.
        """
        sequence_number = np.zeros(n_customers, dtype=np.int64)
        np.maximum.at(sequence_number, rows.customer, rows.sequence_number)
        np.maximum.at(sequence_number, versions.customer, versions.sequence_number)
        used = rows.occurred_at < as_of
        digest = np.zeros((n_customers, 2), dtype=np.uint64)
        np.add.at(digest, rows.customer[used], rows.identity[used])
        known = np.flatnonzero(versions.learnt_at < as_of)
        name, customer = versions.name[known], versions.customer[known]
        # The last of each customer's versions of an attribute, which stand one after another.
        is_last = np.append((name[1:] != name[:-1]) | (customer[1:] != customer[:-1]), True)[: len(known)]
        in_force = known[is_last]
        numbers = versions.sequence_number[in_force]
        attribute_number = np.zeros(n_customers, dtype=np.int64)
        np.maximum.at(attribute_number, versions.customer[in_force], numbers)
        attribute_digest = np.zeros(n_customers, dtype=np.uint64)
        np.add.at(attribute_digest, versions.customer[in_force], numbers.astype(np.uint64))
        return cls(
            sequence_number=sequence_number,
            n_rows=np.bincount(rows.customer[used], minlength=n_customers),
            digest=digest,
            attribute_number=attribute_number,
            n_attributes=np.bincount(versions.customer[in_force], minlength=n_customers),
            attribute_digest=attribute_digest,
        )


def read_with_evidence(
    session: Session,
    customers: CustomerKeys,
    calendar: LocalCalendar,
    properties_of: Collection[str] = (),
    *,
    as_of: int,
    upto: int | None = None,
) -> tuple[EventLog, Evidence]:
    """Read what up to a few thousand customers did and what was learnt of them, and what that is.

    Parameters
    ----------
    session, customers, calendar, properties_of
        As for `store.events.read_events`.
    as_of : int
        The instant that scores will speak of; microseconds since 1970-01-01 UTC.
    upto : int, optional
        Only what was written up to this sequence number, as it was then.
    """
    which = among(customers.keys)
    raw, rows = read_numbered(session, customers, which, properties_of, upto=upto)
    versions = read_versions(session, customers, which, upto=upto)
    log, _ = net(raw, calendar)
    evidence = Evidence.of(len(customers.keys), rows, versions, as_of)
    return replace(log, attributes=versions.attributes()), evidence


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose a key is.

    Attributes
    ----------
    customer_id : str
    is_merged : bool
        Whether its history is another customer's now.
    """

    customer_id: str
    is_merged: bool


def holder_of(session: Session, customer_key: int) -> Holder | None:
    """Return whose a key is; None where nobody has it, or who had it was erased."""
    row = session.get(Customer, customer_key)
    return None if row is None or row.erased_at is not None else Holder(row.customer_id, row.merged_into is not None)


def has_merged_since(session: Session, customer_key: int, number: int) -> bool:
    """Say whether anybody was merged into a customer after a sequence number."""
    query = select(Customer.id).where(Customer.merged_into == customer_key, Customer.merged_number > number)
    return session.scalars(query.limit(1)).first() is not None
