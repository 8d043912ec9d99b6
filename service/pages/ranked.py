"""Rows of the lists that are worked from the top: who, by what, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from service.pages.links import customer_href
from service.published_list import Listing, PublishedList
from store.lists import ScoreRow

__all__ = ["ROWS_A_PAGE", "RankedRow", "ranked_rows", "titled"]

ROWS_A_PAGE = 50


@dataclass(frozen=True, slots=True)
class RankedRow:
    """One row of a list; `share` is what it is ranked by as a share of the largest on this page.

    `held_out` and `contacted_at` are of the at-risk list only.
    """

    position: int
    customer_id: str
    href: str
    share: float
    value_at_risk: float | None
    probability: float | None
    clv: float | None
    days_since_last_purchase: int | None
    sentence: str | None
    held_out: bool = False
    contacted_at: datetime | None = None


def ranked_rows(rows: Sequence[ScoreRow], listing: Listing, published: PublishedList) -> tuple[RankedRow, ...]:
    """Return one page of a list, with the probability and the reasons of its target."""
    explained = [published.explained(row.score).of(listing.target) for row in rows]
    probabilities = [None if told is None else told.probability for told in explained]
    by_value = published.ranked_by(listing) == "value_at_risk"
    ranks = [row.score.value_at_risk for row in rows] if by_value else probabilities
    largest = max((rank or 0.0 for rank in ranks), default=0.0) or 1.0
    return tuple(
        RankedRow(
            position=row.position,
            customer_id=row.customer_id,
            href=customer_href(row.customer_id),
            share=(rank or 0.0) / largest,
            value_at_risk=row.score.value_at_risk,
            probability=probability,
            clv=row.score.clv,
            days_since_last_purchase=row.score.days_since_last_purchase,
            sentence=None if told is None else told.sentence,
            held_out=row.held_out,
            contacted_at=row.contacted_at,
        )
        for row, rank, probability, told in zip(rows, ranks, probabilities, explained, strict=True)
    )


def titled(target: str) -> str:
    """Return the name of a target as a heading.

    Examples
    --------
    >>> titled("new_category")
    'New category'
    """
    return target.replace("_", " ").capitalize()
