"""Numbers of writing transactions, so that what a reader saw of a customer can be told from what came later.

`received_at` can't: a transaction that began earlier may be seen later. A number is drawn once the customers are held
of whom is written. So of one customer's rows those with a greater number were seen later, and all with the same one at
once.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

__all__ = ["next_number"]

_ON_SQLITE = "UPDATE write_number SET id = id + 1 RETURNING id"
_ON_POSTGRESQL = "SELECT nextval('write_number_id_seq')"


def next_number(connection: Connection) -> int:
    """Draw the number of a transaction that holds its customers, inside it."""
    driver: Any = connection.connection.driver_connection
    statement = _ON_SQLITE if connection.dialect.name == "sqlite" else _ON_POSTGRESQL
    number: int = driver.execute(statement).fetchone()[0]
    return number
