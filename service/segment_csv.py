"""Lists as CSV: a header, one row a customer, every cell harmless in a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from itertools import islice

from service.published_list import Listing, PublishedList
from store.listings import propensity_list
from store.lists import ScoreRow

__all__ = ["CSV_COLUMNS", "csv_columns", "csv_text", "harmless"]

_NUMBERS = (
    "value_at_risk",
    "churn_probability",
    "clv",
    "clv_low",
    "clv_high",
    "p_alive",
    "expected_purchases",
    "expected_purchases_low",
    "expected_purchases_high",
    "expected_average_value",
    "purchase_within_30d",
    "purchase_within_60d",
    "purchase_within_90d",
    "purchase_within_180d",
    "purchase_likely_in_days",
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
    "ranked_by",
)

_ROWS_A_PIECE = 500
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def csv_columns(published: PublishedList) -> tuple[str, ...]:
    """Return the header of the lists of a run: `CSV_COLUMNS`, then the propensity of each target."""
    return (*CSV_COLUMNS, *map(propensity_list, published.propensities))


def csv_text(rows: Iterable[ScoreRow], listing: Listing, published: PublishedList) -> Iterator[str]:
    """Write rows as CSV, a few hundred at a time.

    Parameters
    ----------
    rows : iterable of ScoreRow
    listing : Listing
        The list that they are of.
    published : PublishedList
        The run that they belong to.

    Yields
    ------
    str
        The header, then pieces of several rows.
    """
    yield _lines([csv_columns(published)])
    remaining = iter(rows)
    while piece := list(islice(remaining, _ROWS_A_PIECE)):
        yield _lines(_cells(row, listing, published) for row in piece)


def harmless(text: str) -> str:
    """Return text that no spreadsheet takes for a formula.

    Examples
    --------
    >>> harmless("=1+1"), harmless("04711")
    ("'=1+1", '04711')
    """
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def _cells(row: ScoreRow, listing: Listing, published: PublishedList) -> tuple[object, ...]:
    score, run = published.explained(row.score), published.run
    told = score.of(listing.target)
    return (
        row.position,
        harmless(row.customer_id),
        score.columns["segment"],
        score.columns["segments"],
        *(score.columns[name] for name in _NUMBERS),
        harmless((told.sentence if told is not None else score.note) or ""),
        published.aggregates.currency,
        "" if run.as_of is None else run.as_of.isoformat(),
        run.model_version,
        published.ranked_by(listing),
        *(None if of is None else of.probability for of in score.propensities.values()),
    )


def _lines(rows: Iterable[Iterable[object]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerows(rows)
    return buffer.getvalue()
