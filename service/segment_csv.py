"""Lists as CSV: a header, one row a customer, every cell harmless in a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from itertools import islice

from service.explained import explain, stored_columns
from service.published_list import PublishedList
from store.lists import ScoreRow

__all__ = ["CSV_COLUMNS", "csv_text", "harmless"]

_NUMBERS = (
    "value_at_risk",
    "churn_probability",
    "clv",
    "p_alive",
    "expected_purchases",
    "expected_average_value",
    "frequency",
    "recency",
    "T",
    "monetary_value",
    "days_since_last_purchase",
)
CSV_COLUMNS = (
    "position",
    "customer_id",
    "segment",
    "segments",
    *_NUMBERS,
    "sentence",
    "currency",
    "as_of",
    "model_version",
)

_ROWS_A_PIECE = 500
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def csv_text(rows: Iterable[ScoreRow], published: PublishedList) -> Iterator[str]:
    """Write rows as CSV, a few hundred at a time.

    Parameters
    ----------
    rows : iterable of ScoreRow
    published : PublishedList
        The run that they belong to.

    Yields
    ------
    str
        The header, then pieces of several rows.
    """
    yield _lines([CSV_COLUMNS])
    currency = published.aggregates.currency
    run = published.run
    made_with = (currency, "" if run.as_of is None else run.as_of.isoformat(), run.model_version)
    remaining = iter(rows)
    while piece := list(islice(remaining, _ROWS_A_PIECE)):
        yield _lines((*_cells(row, currency), *made_with) for row in piece)


def harmless(text: str) -> str:
    """Return text that no spreadsheet takes for a formula.

    Examples
    --------
    >>> harmless("=1+1"), harmless("04711")
    ("'=1+1", '04711')
    """
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def _cells(row: ScoreRow, currency: str) -> tuple[object, ...]:
    score = explain(stored_columns(row.score), currency)
    numbers = (score.columns[name] for name in _NUMBERS)
    texts = (harmless(row.customer_id), score.columns["segment"], score.columns["segments"])
    return (row.position, *texts, *numbers, harmless(score.sentence or score.note or ""))


def _lines(rows: Iterable[Iterable[object]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerows(rows)
    return buffer.getvalue()
