"""Very many events that are there already, put into the tables of an SQLite database directly.

They lie as if they had come over years: customers and identities at random, in parts, so that the pages of the indexes
are as full as they become by themselves and not as if each index had been made at once.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

__all__ = ["store_events"]

_EVENTS_A_PART = 250_000
_FIRST_INSTANT, _MICROSECONDS_APART = 1_640_995_200_000_000, 9_000_000
_SOURCE, _EVENT = "years before", "Product Viewed"
_NUMBERS = "WITH RECURSIVE number(n) AS (SELECT :first UNION ALL SELECT n + 1 FROM number WHERE n + 1 < :end) "
_CUSTOMERS = (
    "INSERT OR IGNORE INTO customer (customer_id, created_at) SELECT printf('C%08d', n), :created_at FROM number"
)
_EVENTS = (
    "INSERT INTO event (customer_key, event_type_id, occurred_at, received_at, source_id, has_message_id, identity, "
    "properties) "
    "SELECT 1 + abs(random()) % :customers, type.id, :instant + n * :apart, :instant + n * :apart, source.id, 1, "
    """randomblob(16), printf('{"category": "Games", "name": "Game number %d", "price": %d}', n % 5000, n % 40) """
    "FROM number JOIN event_type type ON type.name = :event JOIN source ON source.name = :source ORDER BY 7"
)


def store_events(path: Path, n: int, *, customers: int) -> None:
    """Store customers, and events of theirs, until there are so many events.

    Parameters
    ----------
    path : Path
        The database, with its tables.
    n : int
    customers : int
        Named `C00000000`, `C00000001` and so on.
    """
    connection = sqlite3.connect(path, isolation_level=None)
    # In memory, and written once at the end: should the machine go down, it is of no use to anybody.
    for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -3000000", "temp_store = MEMORY"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("BEGIN")
    names = {"event": _EVENT, "source": _SOURCE}
    connection.execute("INSERT OR IGNORE INTO event_type (name) VALUES (:event)", names)
    connection.execute("INSERT OR IGNORE INTO source (name) VALUES (:source)", names)
    connection.execute(_NUMBERS + _CUSTOMERS, {"first": 0, "end": customers, "created_at": _FIRST_INSTANT})
    (stored,) = connection.execute("SELECT count(*) FROM event").fetchone()
    for first in range(stored, n, _EVENTS_A_PART):
        part = {"first": first, "end": min(first + _EVENTS_A_PART, n)}
        instants = {"instant": _FIRST_INSTANT, "apart": _MICROSECONDS_APART}
        connection.execute(_NUMBERS + _EVENTS, {**part, **instants, **names, "customers": customers})
    connection.execute("COMMIT")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()
