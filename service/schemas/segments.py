"""Segments: their rules, how many are in them, and what those are worth."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from models.segment_policy import SegmentPolicy
from service.published_list import PublishedList
from service.run_aggregates import SegmentTotals
from service.schemas.of_run import RUN_EXAMPLE, OfRun, run_fields

__all__ = [
    "Move",
    "Rule",
    "SaveRateMeasured",
    "SaveRateOut",
    "SegmentOut",
    "SegmentsAnswer",
    "TotalsOut",
    "TransitionsOut",
    "totals_fields",
]


class TotalsOut(BaseModel):
    """Sums over some customers."""

    customers: int = Field(description="How many there are.")
    primary: int = Field(description="For how many of them it is the primary segment.")
    clv: float | None = Field(description="Sum of clv, in `currency`; null where nobody has one.")
    value_at_risk: float | None = Field(description="Sum of value at risk, in `currency`; null where nobody has one.")
    expected_purchases: float | None = Field(description="Sum of purchase days expected within the horizon.")


class Rule(BaseModel):
    """A segment and its rule."""

    segment: str = Field(description="Name of the segment.")
    rule: str = Field(description="Who is in it, in words, with the numbers of the policy.")
    why_empty: str | None = Field(description="Why nobody is in it; null where somebody is.")


class SegmentOut(TotalsOut, Rule):
    """One segment in sum."""


class Move(BaseModel):
    """How many customers went from one primary segment to another, or stayed."""

    before: str | None = Field(description="Primary segment in the run before; null for who was not in it.")
    now: str = Field(description="Primary segment in this run.")
    customers: int = Field(description="How many there are.")


class TransitionsOut(BaseModel):
    """Where customers went since the run that was published before, by their primary segments."""

    scoring_run_id: int = Field(description="The run before.")
    moves: list[Move] = Field(description="All that came about, in the order of the policy; they sum to all customers.")


class SaveRateMeasured(BaseModel):
    """Where a save rate that was measured comes from."""

    campaign: str = Field(description="Name of the campaign.")
    low: float = Field(description="Lower end of the 95 % interval of the save rate.")
    high: float = Field(description="Upper end of it.")
    n_contacted: int = Field(description="Customers assigned to be contacted.")
    n_held_out: int = Field(description="Customers held out.")
    outcome_days: int = Field(description="Days within which they had to purchase.")
    as_of: datetime = Field(description="The instant that it speaks of.")


class SaveRateOut(BaseModel):
    """The policy's save rate, and where it comes from."""

    save_rate: float = Field(description="Of the customers who would leave, the share whom a contact keeps.")
    save_rate_source: Literal["assumed", "measured"] = Field(
        description="`measured` once a campaign has measured it well enough, else `assumed`."
    )
    save_rate_measured: SaveRateMeasured | None = Field(
        description="Which campaign measured it, and how well; null for one that is assumed."
    )

    @classmethod
    def fields_of(cls, policy: SegmentPolicy) -> dict[str, Any]:
        """Return the fields."""
        measured = policy.save_rate_measured
        return {
            "save_rate": policy.save_rate,
            "save_rate_source": "assumed" if measured is None else "measured",
            "save_rate_measured": None if measured is None else SaveRateMeasured(**asdict(measured)),
        }


class SegmentsAnswer(SaveRateOut, OfRun):
    """All segments of the published run, in the order of the policy."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    **RUN_EXAMPLE,
                    "save_rate": 0.1,
                    "save_rate_source": "assumed",
                    "save_rate_measured": None,
                    "segments": [
                        {
                            "segment": "at_risk",
                            "rule": "Active, a churn probability of 30% or more, …",
                            "customers": 812,
                            "primary": 812,
                            "clv": 151234.5,
                            "value_at_risk": 70211.9,
                            "expected_purchases": 1033.2,
                            "why_empty": None,
                        }
                    ],
                    "total": {
                        "customers": 23570,
                        "primary": 23570,
                        "clv": 701234.5,
                        "value_at_risk": 140211.9,
                        "expected_purchases": 9033.2,
                    },
                    "transitions": {
                        "scoring_run_id": 11,
                        "moves": [{"before": "steady", "now": "at_risk", "customers": 31}],
                    },
                }
            ]
        }
    )

    segments: list[SegmentOut] = Field(description="In the order of the policy.")
    total: TotalsOut = Field(description="Over all customers.")
    transitions: TransitionsOut | None = Field(description="Null for the first run, which nobody could move since.")

    @classmethod
    def of(cls, published: PublishedList) -> SegmentsAnswer:
        """Return the sums that a run stored."""
        totals = published.aggregates.segments
        segments = [
            SegmentOut(segment=name, rule=rule, why_empty=totals[name].why_empty, **totals_fields(totals[name]))
            for name, rule in published.rules.items()
        ]
        total = TotalsOut(**totals_fields(published.aggregates.total))
        moved = published.aggregates.transitions
        transitions = None
        if moved is not None:
            moves = [Move(before=before, now=now, customers=n) for before, now, n in moved.moves]
            transitions = TransitionsOut(scoring_run_id=moved.run_before, moves=moves)
        return cls(
            segments=segments,
            total=total,
            transitions=transitions,
            **cls.fields_of(published.policy),
            **run_fields(published),
        )


def totals_fields(totals: SegmentTotals) -> dict[str, Any]:
    """Return the fields of `TotalsOut`."""
    return {name: getattr(totals, name) for name in TotalsOut.model_fields}
