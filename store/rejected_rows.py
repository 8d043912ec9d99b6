"""Rows that could not be taken, as far as they show the id of a customer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from sqlalchemy import select, tuple_

from store.engine import Database
from store.ingest.rejections import Rejection
from store.tables import RejectedRow

__all__ = ["rejected_rows_that_show"]

_ROWS_A_READ = 2_000


def rejected_rows_that_show(database: Database, customer_ids: Sequence[str]) -> Iterator[RejectedRow]:
    """Find the rejected rows that show one of some ids, as the value that was refused or within what is said of it.

    An id counts where it stands by itself: 17 is not shown by 17.50, A17 or 17-2. All rows are looked at, some thousand
    in a short read each.
    """
    # As long values and what no database takes are kept.
    kept = {Rejection.of(0, "", customer_id, "", "").value or "" for customer_id in customer_ids}
    shown = "|".join(re.escape(text) for text in sorted({*customer_ids, *kept} - {""}, key=len, reverse=True))
    # What goes on behind a point is another id or a number; what ends a sentence is not.
    pattern = re.compile(rf"(?<![\w@+-])(?<!\w[.,/])(?:{shown})(?![\w@+-])(?![.,/]\w)")
    key = tuple_(RejectedRow.file_hash, RejectedRow.line)
    query = select(RejectedRow).order_by(RejectedRow.file_hash, RejectedRow.line).limit(_ROWS_A_READ)
    last: tuple[bytes, int] | None = None
    while True:
        with database.read() as session:
            rows = session.scalars(query if last is None else query.where(key > last)).all()
        for row in rows:
            if row.value in kept or pattern.search(row.value or "") or pattern.search(row.reason):
                yield row
        if len(rows) < _ROWS_A_READ:
            return
        last = (rows[-1].file_hash, rows[-1].line)
