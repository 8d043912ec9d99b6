"""Writes what was learnt of customers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sqlalchemy import Connection

from store.bulk_read import driver_of
from store.ingest.attribute_kinds import AttributeValue
from store.ingest.staging import StagingTable

__all__ = ["AttributeWriter", "LearntAttributes"]

_ATTRIBUTES = StagingTable(
    "customer_attribute", ("customer_key", "name", "learnt_at", "kind", "number", "text", "sequence_number")
)
_SAME = (
    "{one}.customer_key = {other}.customer_key AND {one}.name = {other}.name AND {one}.learnt_at = {other}.learnt_at"
)
# A kind says which of number and text is there, so that empty ones may be compared as 0 and ''.
_DIFFERS = (
    "({one}.kind <> {other}.kind OR coalesce({one}.number, 0) <> coalesce({other}.number, 0) "
    "OR coalesce({one}.text, '') <> coalesce({other}.text, ''))"
)
_KEEP = (
    "INSERT INTO replaced_attribute "
    "(customer_key, name, learnt_at, replaced_by, sequence_number, kind, number, text) "
    "SELECT a.customer_key, a.name, a.learnt_at, i.sequence_number, a.sequence_number, a.kind, a.number, a.text "
    f"FROM {_ATTRIBUTES.name} i JOIN customer_attribute a ON {_SAME.format(one='a', other='i')} "
    f"WHERE a.sequence_number < i.sequence_number AND {_DIFFERS.format(one='a', other='i')}"
)
_UPSERT = (
    f"INSERT INTO customer_attribute ({_ATTRIBUTES.columns}) SELECT {_ATTRIBUTES.columns} FROM {_ATTRIBUTES.name} "
    "ORDER BY customer_key, name, learnt_at ON CONFLICT (customer_key, name, learnt_at) "
    "DO UPDATE SET kind = excluded.kind, number = excluded.number, text = excluded.text, "
    "sequence_number = excluded.sequence_number "
    f"WHERE {_DIFFERS.format(one='customer_attribute', other='excluded')} "
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

    def add(self, learnt: Iterable[LearntAttributes], number: int) -> set[tuple[int, int]]:
        """Store what was learnt, of the same attribute at the same instant the last; return whose and when is new.

        Parameters
        ----------
        learnt : iterable of LearntAttributes
        number : int
            That of the transaction, from `next_number`.
        """
        values = {
            (told.customer_key, name, told.learnt_at): value
            for told in learnt
            for name, value in told.attributes.items()
        }
        if not values:
            return set()
        rows = [(*key, *value, number) for key, value in values.items()]
        _ATTRIBUTES.fill(self._connection, list(zip(*rows, strict=True)))
        driver_of(self._connection).execute(_KEEP)
        return {(key, learnt_at) for key, learnt_at in _ATTRIBUTES.run(self._connection, _UPSERT)}
