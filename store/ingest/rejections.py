"""Rows that could not be taken: what is said of them, and where they are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text

from store.engine import Database
from store.ingest.activity import Activity, record
from store.ingest.staging import StagingTable

__all__ = ["CellError", "RejectedRows", "Rejection", "RejectionLog"]

_ROWS_A_TRANSACTION = 2_000
_LONGEST_VALUE = 200

_ROWS = StagingTable(
    "rejected_row",
    ("file_hash", "file", "source_id", "received_at", "line", "column", "value", "code", "reason"),
)
_KEEP = (
    f"INSERT INTO rejected_row ({_ROWS.columns}) SELECT {_ROWS.columns} FROM {_ROWS.name} ORDER BY line "
    'ON CONFLICT (file_hash, line) DO UPDATE SET "column" = excluded."column", value = excluded.value, '
    "code = excluded.code, reason = excluded.reason, received_at = excluded.received_at RETURNING line"
)


class CellError(ValueError):
    """A cell that can't be used.

    Parameters
    ----------
    code : str
        Short, stable name of the reason, for counting.
    reason : str
        What was expected and what came, for a person.
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Rejection:
    """One row that could not be taken, with the first column that is to blame.

    Attributes
    ----------
    line : int
        Line in a CSV file, its header being line 1; in a Parquet file the row, from 1.
    column : str
        Empty if the row as a whole is to blame.
    value : str or None
        What stands there, shortened; None for an empty cell.
    code : str
        Short, stable name of the reason.
    reason : str
        The reason, for a person.
    """

    line: int
    column: str
    value: str | None
    code: str
    reason: str

    @classmethod
    def of(cls, line: int, column: str, value: object, code: str, reason: str) -> Rejection:
        """Make one of any value: what a database can't keep is written as an escape."""
        return cls(
            line, _printable(column), None if value is None else _printable(str(value)), code, _printable(reason)
        )


class RejectedRows:
    """Writes rejected rows, inside the transactions that the caller begins.

    Parameters
    ----------
    connection : Connection
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def prepare(self) -> None:
        """Make what it needs on the connection."""
        _ROWS.create(self._connection)

    def keep(
        self, rejections: Sequence[Rejection], *, file: str, file_hash: bytes, source_id: int, received_at: int
    ) -> None:
        """Store rejections of different lines, as `RejectionLog` is told of them."""
        of_file = (file_hash, _printable(file), source_id, received_at)
        rows = [(*of_file, row.line, row.column, row.value, row.code, row.reason) for row in rejections]
        if rows:
            _ROWS.fill(self._connection, list(zip(*rows, strict=True)))
            _ROWS.run(self._connection, _KEEP)


class RejectionLog:
    """Keeps the rejected rows of one file in `rejected_row`, and counts them.

    Parameters
    ----------
    database, connection
        A connection of `Database.bulk`; the log begins its own short transactions on it.
    file : str
        Name of the file.
    file_hash : bytes
        SHA-256 of the file: the same file again replaces what was kept of it.
    source_id : int
        Key of the source.
    received_at : int
        Microseconds since 1970-01-01 UTC.
    """

    def __init__(
        self,
        database: Database,
        connection: Connection,
        *,
        file: str,
        file_hash: bytes,
        source_id: int,
        received_at: int,
    ) -> None:
        self._database = database
        self._connection = connection
        self._file = file
        self._file_hash = file_hash
        self._source_id = source_id
        self._received_at = received_at
        self._rows = RejectedRows(connection)
        with database.transaction(connection):
            self._rows.prepare()

    def clear(self) -> None:
        """Forget what an earlier run rejected of this file, so that a repaired mapping leaves nothing stale."""
        to_line = text(
            "SELECT max(line) FROM (SELECT line FROM rejected_row WHERE file_hash = :file_hash ORDER BY line "
            f"LIMIT {_ROWS_A_TRANSACTION}) AS first_lines"
        )
        delete = text("DELETE FROM rejected_row WHERE file_hash = :file_hash AND line <= :line")
        key = {"file_hash": self._file_hash}
        while True:
            with self._database.transaction(self._connection):
                line = self._connection.scalar(to_line, key)
                if line is None:
                    return
                self._connection.execute(delete, {**key, "line": line})

    def keep(self, rejections: Sequence[Rejection]) -> None:
        """Store rejections."""
        ordered = sorted(rejections, key=lambda rejection: rejection.line)
        for start in range(0, len(ordered), _ROWS_A_TRANSACTION):
            some = ordered[start : start + _ROWS_A_TRANSACTION]
            with self._database.transaction(self._connection):
                self._rows.keep(
                    some,
                    file=self._file,
                    file_hash=self._file_hash,
                    source_id=self._source_id,
                    received_at=self._received_at,
                )
                record(self._connection, [Activity(self._source_id, self._received_at, rejected=len(some))])


def _printable(value: str) -> str:
    """Shorten a text, and escape what is not UTF-8 or NUL, which PostgreSQL has no place for."""
    shortened = value if len(value) <= _LONGEST_VALUE else value[: _LONGEST_VALUE - 1] + "…"
    return shortened.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\x00")
