"""Writes what was learnt of customers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sqlalchemy import Connection

from store.ingest.attribute_kinds import AttributeValue
from store.ingest.staging import StagingTable

__all__ = ["AttributeWriter", "LearntAttributes"]

_ATTRIBUTES = StagingTable("customer_attribute", ("customer_key", "name", "learnt_at", "kind", "number", "text"))
# A kind says which of number and text is there, so that empty ones may be compared as 0 and ''.
_UPSERT = (
    f"INSERT INTO customer_attribute ({_ATTRIBUTES.columns}) SELECT {_ATTRIBUTES.columns} FROM {_ATTRIBUTES.name} "
    "ORDER BY customer_key, name, learnt_at ON CONFLICT (customer_key, name, learnt_at) "
    "DO UPDATE SET kind = excluded.kind, number = excluded.number, text = excluded.text "
    "WHERE customer_attribute.kind <> excluded.kind "
    "OR coalesce(customer_attribute.number, 0) <> coalesce(excluded.number, 0) "
    "OR coalesce(customer_attribute.text, '') <> coalesce(excluded.text, '') "
    "RETURNING customer_key, learnt_at"
)


class LearntAttributes(NamedTuple):
    """What was learnt of one customer at one instant.

    Attributes
    ----------
    customer_key : int
    learnt_at : int
        Microseconds since 1970-01-01 UTC.
    attributes : mapping of name to AttributeValue
    """

    customer_key: int
    learnt_at: int
    attributes: Mapping[str, AttributeValue]


class AttributeWriter:
    """Writes attributes, inside the transactions that the caller begins.

    Parameters
    ----------
    connection : Connection
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def prepare(self) -> None:
        """Make what it needs on the connection, in a transaction that must not be rolled back."""
        _ATTRIBUTES.create(self._connection)

    def add(self, learnt: Iterable[LearntAttributes]) -> set[tuple[int, int]]:
        """Store what was learnt, of the same attribute at the same instant the last; return whose and when is new."""
        values = {
            (told.customer_key, name, told.learnt_at): value
            for told in learnt
            for name, value in told.attributes.items()
        }
        if not values:
            return set()
        rows = [(*key, *value) for key, value in values.items()]
        _ATTRIBUTES.fill(self._connection, list(zip(*rows, strict=True)))
        return {(key, learnt_at) for key, learnt_at in _ATTRIBUTES.run(self._connection, _UPSERT)}
