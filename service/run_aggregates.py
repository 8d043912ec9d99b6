"""What a scoring run stored of its own sums, so that nothing is added up while somebody waits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

import numpy as np

from models.clv_reasons import ClvReference
from models.segments import SegmentPolicy
from store.tables import ScoringRun

__all__ = ["BudgetOutcome", "RankedBy", "RunAggregates", "SegmentTotals", "TargetTotals"]

RankedBy = Literal["value_at_risk", "churn_probability"]


@dataclass(frozen=True, slots=True)
class SegmentTotals:
    """Sums over the members of one segment, or over all customers; None where a sum does not apply.

    Attributes
    ----------
    customers : int
        Members.
    primary : int
        Those of them for whom it is the primary segment.
    clv, value_at_risk : float or None
        In the currency of the run.
    expected_purchases : float or None
        Purchase days within the horizon.
    why_empty : str or None
        Why nobody is in it.
    """

    customers: int
    primary: int
    clv: float | None
    value_at_risk: float | None
    expected_purchases: float | None
    why_empty: str | None = None

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Self:
        """Read what a run stored of one segment."""
        return cls(
            customers=stored["customers"],
            primary=stored["primary"],
            clv=stored["clv"],
            value_at_risk=stored["value_at_risk"],
            expected_purchases=stored["expected_purchases"],
            why_empty=stored.get("why_empty"),
        )


@dataclass(frozen=True, slots=True)
class TargetTotals:
    """What a run says of one target in sum.

    Attributes
    ----------
    customers : int
        Judged by its model.
    base_rate : float
        Share of customers for whom it came about, at training.
    makes_segment : bool
        False where its model says no more than its baseline.
    """

    customers: int
    base_rate: float
    makes_segment: bool

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Self:
        """Read what a run stored of one target."""
        return cls(stored["customers"], stored["base_rate"], stored["makes_segment"])


@dataclass(frozen=True, slots=True)
class BudgetOutcome:
    """What contacting the first customers of the at-risk list is expected to bring.

    Attributes
    ----------
    contacts : int
        The budget, or all customers at risk where they are fewer.
    value_at_risk : float or None
        Of those contacted; None without clv.
    expected_saved_value : float or None
        The policy's save rate times that.
    cost : float
        The policy's cost of a contact times their number.
    """

    contacts: int
    value_at_risk: float | None
    expected_saved_value: float | None
    cost: float


@dataclass(frozen=True, slots=True)
class RunAggregates:
    """The sums of one run.

    Attributes
    ----------
    segments : mapping of name to SegmentTotals
    total : SegmentTotals
        Of all customers.
    at_risk_curve : tuple of (contacts, value at risk)
        Cumulative along the at-risk list, in ascending order, from (0, 0) to the whole list; only that without clv.
    currency : str
    caveats : tuple of str
        What every forecast of the run has to be read with.
    has_clv : bool
        False for a business without purchases.
    targets : mapping of name to TargetTotals
        Of the model; empty for a run of before models had several.
    refused : mapping of name to str
        Targets that training refused, and why.
    clv_reference : ClvReference or None
        The customer with whom reasons of clv compare; None without clv or such reasons.
    """

    segments: Mapping[str, SegmentTotals]
    total: SegmentTotals
    at_risk_curve: tuple[tuple[int, float], ...]
    currency: str
    caveats: tuple[str, ...] = ()
    has_clv: bool = True
    targets: Mapping[str, TargetTotals] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    clv_reference: ClvReference | None = None

    @classmethod
    def of(cls, run: ScoringRun) -> Self:
        """Read the sums of a completed run."""
        stored = run.aggregates or {}
        reference = stored.get("clv_reference")
        curve = tuple((int(contacts), float(value)) for contacts, value in stored["at_risk_curve"])
        return cls(
            segments={name: SegmentTotals.of(totals) for name, totals in stored["segments"].items()},
            total=SegmentTotals.of(stored["total"]),
            at_risk_curve=curve if curve and curve[0][0] == 0 else ((0, 0.0), *curve),
            currency=stored["currency"],
            caveats=tuple(stored.get("caveats", ())),
            has_clv=stored.get("has_clv", True),
            targets={name: TargetTotals.of(totals) for name, totals in stored.get("targets", {}).items()},
            refused=stored.get("refused", {}),
            clv_reference=None if reference is None else ClvReference.from_dict(reference),
        )

    @property
    def ranked_by(self) -> RankedBy:
        """What decides the order of the lists of segments, the most first."""
        return "value_at_risk" if self.has_clv else "churn_probability"

    def value_by_contacts(self) -> list[float]:
        """Return the value at risk that each contact adds, in the order of the list; even between stored points."""
        contacts, value = zip(*self.at_risk_curve, strict=True)
        return [float(added) for added in np.diff(np.interp(np.arange(contacts[-1] + 1), contacts, value))]

    def outcome(self, budget: int, policy: SegmentPolicy) -> BudgetOutcome:
        """Return what a number of contacts is expected to bring.

        Between the stored points the curve is taken as straight, which never says more than there is: each customer
        of the list has no more value at risk than the one before.
        """
        if not self.has_clv:
            reached = min(budget, self.segments["at_risk"].customers)
            return BudgetOutcome(reached, None, None, cost=policy.contact_cost * reached)
        contacts, value = zip(*self.at_risk_curve, strict=True)
        reached = min(budget, contacts[-1])
        value_at_risk = float(np.interp(reached, contacts, value))
        return BudgetOutcome(
            contacts=reached,
            value_at_risk=value_at_risk,
            expected_saved_value=policy.save_rate * value_at_risk,
            cost=policy.contact_cost * reached,
        )
