"""Lists as CSV: a header, one row a customer, every cell harmless in a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from itertools import islice

from service.published_list import Listing, PublishedList
from store.listings import propensity_list
from store.lists import ScoreRow

__all__ = ["CSV_COLUMNS", "WORK_COLUMNS", "csv_columns", "csv_text", "harmless"]

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
# Of a list to be worked down, behind all others.
WORK_COLUMNS = ("held_out", "contacted_at")

_ROWS_A_PIECE = 500
# Also as wide as a CJK character, which some spreadsheets take for the same.
_FORMULA_STARTS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_CONTROLS = ("\t", "\r", "\n")
# What a spreadsheet may pass over before it looks, and `str.lstrip` does not by itself.
_UNSEEN = "\0\u200b\u200c\u200d\u2060\ufeff"


def csv_columns(published: PublishedList) -> tuple[str, ...]:
    """Return the header of the lists of a run: `CSV_COLUMNS`, then the propensity of each target."""
    return (*CSV_COLUMNS, *map(propensity_list, published.propensities))


def csv_text(
    rows: Iterable[ScoreRow],
    listing: Listing,
    published: PublishedList,
    *,
    is_work_list: bool = False,
    next_cursor: str | None = None,  # noqa: ARG001  # as other writers are told
) -> Iterator[str]:
    """Write rows as CSV, a few hundred at a time.

    Parameters
    ----------
    rows : iterable of ScoreRow
    listing : Listing
        The list that they are of.
    published : PublishedList
        The run that they belong to.
    is_work_list : bool
        Whether to add `WORK_COLUMNS`.
    next_cursor : str, optional
        CSV has no place for it; the header Link of the answer has.

    Yields
    ------
    str
        The header, then pieces of several rows.
    """
    yield _lines([(*csv_columns(published), *(WORK_COLUMNS if is_work_list else ()))])
    remaining = iter(rows)
    while piece := list(islice(remaining, _ROWS_A_PIECE)):
        yield _lines((*_cells(row, listing, published), *(_work_cells(row) if is_work_list else ())) for row in piece)


def harmless(text: str) -> str:
    """Return text that no spreadsheet takes for a formula.

    Examples
    --------
    >>> harmless("=1+1"), harmless(" @SUM(A1)"), harmless("04711")
    ("'=1+1", "' @SUM(A1)", '04711')
    """
    seen = text
    while (stripped := seen.lstrip().lstrip(_UNSEEN)) != seen:
        seen = stripped
    return f"'{text}" if text.startswith(_CONTROLS) or seen.startswith(_FORMULA_STARTS) else text


def _cells(row: ScoreRow, listing: Listing, published: PublishedList) -> tuple[object, ...]:
    score, as_of = published.explained(row.score), published.as_of(row.score)
    told = score.of(listing.target)
    return (
        row.position,
        harmless(row.customer_id),
        score.columns["segment"],
        score.columns["segments"],
        *(score.columns[name] for name in _NUMBERS),
        harmless((told.sentence if told is not None else score.note) or ""),
        published.aggregates.currency,
        "" if as_of is None else as_of.isoformat(),
        published.run.model_version,
        published.ranked_by(listing),
        *(None if of is None else of.probability for of in score.propensities.values()),
    )


def _work_cells(row: ScoreRow) -> tuple[object, ...]:
    return ("yes" if row.held_out else "no", "" if row.contacted_at is None else row.contacted_at.isoformat())


def _lines(rows: Iterable[Iterable[object]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerows(rows)
    return buffer.getvalue()
