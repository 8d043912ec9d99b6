"""How PostgreSQL finds what a transaction of ingestion asks for: by index, however large the tables seem to it.

A transaction asks for some thousand rows. Of a table that is being filled PostgreSQL knows neither size nor content
before it is analysed, and of one with a few hundred thousand rows it holds reading all of them to be cheaper. It would
do so in every transaction.
"""

from __future__ import annotations

from sqlalchemy import Connection

__all__ = ["look_up_by_index"]

# The compiler is off because in older versions what is avoided seems so dear that it is worth compiling.
_SETTINGS = ("enable_seqscan", "enable_hashjoin", "enable_mergejoin", "jit")


def look_up_by_index(connection: Connection) -> None:
    """Let all statements of a connection do so, once its transaction is committed."""
    if connection.dialect.name != "sqlite":
        for setting in _SETTINGS:
            connection.exec_driver_sql(f"SET {setting} = off")
