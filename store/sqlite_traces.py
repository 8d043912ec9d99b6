"""What SQLite's file still shows of customers after they were deleted, and making an end of it.

Deleted content is overwritten with zeros (`PRAGMA secure_delete`), but two copies may be elsewhere. The log keeps the
pages as they were before, until it is cut off. And where a page of an index was split, what moved to the new page may
still stand in the unused part of the old one: of 20,000 random ids, stored in random order, 13 stood in the file once
more than they should, and 1,607 with an older connection that does not overwrite. Only `VACUUM`, which writes the file
anew, takes those away, and since everybody waits meanwhile, it is done only if the file is found to need it.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from store import raw_search
from store.engine import Database
from store.exceptions import StoreError
from store.tables import Customer
from store.tables.base import to_microseconds
from store.turns import Turns

__all__ = ["remove_traces", "traces_of"]

# Of a page that is being read meanwhile: while a checkpoint waits for readers, writers wait for it.
_CHECKPOINT_MS = 50
_SECONDS_TO_TRUNCATE = 30.0
_SECONDS_BETWEEN = 0.1
# Shorter ids are likely to stand in a file by chance, within numbers and other ids.
_SHORTEST_DISTINCT = 8


def traces_of(connection: Connection, customers: Sequence[Customer]) -> list[tuple[bytes, bytes]]:
    """Return what to look for in the raw file once these customers are gone.

    Parameters
    ----------
    connection : Connection
        Of a database that still has them.
    customers : sequence of Customer

    Returns
    -------
    list of (bytes, bytes)
        The bytes of each id, and a pattern of where they count: as SQLite writes a row of `customer` or of its index;
        of a long id that is no part of another customer's, anywhere.
    """
    found = []
    for customer in customers:
        text = customer.customer_id.encode()
        of_text = re.escape(_varint(13 + 2 * len(text)))
        serial, key = _integer(customer.id)
        _, created_at = _integer(to_microseconds(customer.created_at))
        ways = [
            of_text + re.escape(serial + text + key),
            of_text + rb"[\x01-\x06](?:[\x00-\x09]{2})?" + re.escape(text + created_at),
        ]
        others = "SELECT 1 FROM customer WHERE instr(customer_id, ?) > 0 AND id <> ? LIMIT 1"
        if (
            len(text) >= _SHORTEST_DISTINCT
            and not _driver(connection).execute(others, (customer.customer_id, customer.id)).fetchone()
        ):
            ways.append(re.escape(text))
        found.append((text, b"|".join(ways)))
    return found


def remove_traces(
    database: Database, connection: Connection, traces: Sequence[tuple[bytes, bytes]], *, unknown: bool
) -> bool:
    """Cut off the log, and write the file anew if it still shows what was deleted.

    Parameters
    ----------
    database : Database
    connection : Connection
        Of SQLite, outside of transactions; not to be used by anyone else after.
    traces : sequence of (bytes, bytes)
        From `traces_of`.
    unknown : bool
        Whether there may be others, so that it is written anew whatever is found.

    Returns
    -------
    bool
        Whether it could be done; not while somebody reads the database all the time, as a backup does.
    """
    file = Path(str(database.engine.url.database))
    if not _truncate_log(connection):
        return False
    if not unknown and not (traces and _shows(file, traces)):
        return True
    with Turns(file).next():
        _driver(connection).execute("VACUUM")
    return _truncate_log(connection)


def _truncate_log(connection: Connection) -> bool:
    driver = _driver(connection)
    (usual,) = driver.execute("PRAGMA busy_timeout").fetchone()
    driver.execute(f"PRAGMA busy_timeout = {_CHECKPOINT_MS}")
    deadline = time.monotonic() + _SECONDS_TO_TRUNCATE
    while True:
        (is_busy, _, _) = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if not is_busy or time.monotonic() > deadline:
            break
        time.sleep(_SECONDS_BETWEEN)
    driver.execute(f"PRAGMA busy_timeout = {usual}")
    return not is_busy


def _shows(file: Path, traces: Sequence[tuple[bytes, bytes]]) -> bool:
    # In a process of its own: a file that is opened and closed beside SQLite takes its locks away from it.
    request = {"file": str(file), "traces": [[text.hex(), pattern.hex()] for text, pattern in traces]}
    done = subprocess.run(  # noqa: S603  # our own program
        [sys.executable, "-I", raw_search.__file__],
        input=json.dumps(request).encode(),
        capture_output=True,
        check=False,
    )
    if done.returncode not in (raw_search.SHOWN, raw_search.NOT_SHOWN):
        raise StoreError(f"The database file could not be searched: {done.stderr.decode(errors='replace')[-200:]}")
    return done.returncode == raw_search.SHOWN


def _varint(value: int) -> bytes:
    """Return a number as SQLite writes one whose size is not known; here below 2**14."""
    return bytes([value]) if value < 0x80 else bytes([0x80 | value >> 7, value & 0x7F])


def _integer(value: int) -> tuple[bytes, bytes]:
    """Return a whole number from 0 as SQLite writes it in a row: its serial type, then its bytes."""
    if value in (0, 1):
        return bytes([8 + value]), b""
    for serial, size in enumerate((1, 2, 3, 4, 6, 8), start=1):
        if value < 1 << 8 * size - 1:
            return bytes([serial]), value.to_bytes(size, "big")
    raise ValueError(f"expected a number of 63 bits, got {value}")


def _driver(connection: Connection) -> Any:
    return connection.connection.driver_connection
