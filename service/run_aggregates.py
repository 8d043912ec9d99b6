"""What a scoring run stored of its own sums, so that nothing is added up while somebody waits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

import numpy as np

from models.clv_reasons import ClvReference
from models.segment_policy import SegmentPolicy
from store.tables import ScoringRun

__all__ = [
    "BudgetOutcome",
    "HeldOutTotals",
    "RankedBy",
    "RunAggregates",
    "SegmentTotals",
    "TargetTotals",
    "Transitions",
]

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
    features : tuple of str
        What reasons may name; none where the run did not store it.
    """

    customers: int
    base_rate: float
    makes_segment: bool
    features: tuple[str, ...] = ()

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Self:
        """Read what a run stored of one target."""
        return cls(stored["customers"], stored["base_rate"], stored["makes_segment"], tuple(stored.get("features", ())))


@dataclass(frozen=True, slots=True)
class Transitions:
    """Where customers went since the run that was published before.

    Attributes
    ----------
    run_before : int
    moves : tuple of (segment before or None, segment now, customers)
        By primary segment; None is who was not in the run before.
    """

    run_before: int
    moves: tuple[tuple[str | None, str, int], ...]

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Self:
        """Read what a run stored."""
        return cls(stored["scoring_run_id"], tuple((before, now, n) for before, now, n in stored["moved"]))


@dataclass(frozen=True, slots=True)
class HeldOutTotals:
    """Sums over the customers at risk who are held out.

    Attributes
    ----------
    customers : int
    value_at_risk : float or None
        None without clv.
    """

    customers: int
    value_at_risk: float | None


@dataclass(frozen=True, slots=True)
class BudgetOutcome:
    """What contacting the first customers of the at-risk list who may be contacted is expected to bring.

    Attributes
    ----------
    contacts : int
        The budget, or all who may be contacted where they are fewer.
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
        Cumulative along the at-risk list but for those held out, in ascending order, from (0, 0) to all of them; only
        (0, 0) without clv.
    currency : str
    caveats : tuple of str
        What every forecast of the run has to be read with.
    has_clv : bool
        False for a business without purchases.
    targets : mapping of name to TargetTotals
        Of the model; empty for a run of before models had several.
    refused : mapping of name to str
        Targets that training refused, and why.
    attributes : tuple of str or None
        Names of what is known of anybody; None where the run did not store it.
    transitions : Transitions or None
        None for the first run.
    clv_reference : ClvReference or None
        The customer with whom reasons of clv compare; None without clv or such reasons.
    held_out : HeldOutTotals
        Of the at-risk list.
    """

    segments: Mapping[str, SegmentTotals]
    total: SegmentTotals
    at_risk_curve: tuple[tuple[int, float], ...]
    currency: str
    caveats: tuple[str, ...] = ()
    has_clv: bool = True
    targets: Mapping[str, TargetTotals] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    attributes: tuple[str, ...] | None = None
    transitions: Transitions | None = None
    clv_reference: ClvReference | None = None
    held_out: HeldOutTotals = HeldOutTotals(0, None)

    @classmethod
    def of(cls, run: ScoringRun) -> Self:
        """Read the sums of a completed run."""
        stored = run.aggregates or {}
        reference, transitions = stored.get("clv_reference"), stored.get("transitions")
        # Runs of before anybody was held out say nothing of it.
        held_out = stored.get("held_out", {"customers": 0, "value_at_risk": None})
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
            attributes=None if stored.get("attributes") is None else tuple(stored["attributes"]),
            transitions=None if transitions is None else Transitions.of(transitions),
            clv_reference=None if reference is None else ClvReference.from_dict(reference),
            held_out=HeldOutTotals(held_out["customers"], held_out["value_at_risk"]),
        )

    @property
    def ranked_by(self) -> RankedBy:
        """What decides the order of the lists of segments, the most first."""
        return "value_at_risk" if self.has_clv else "churn_probability"

    def value_by_contacts(self) -> list[float]:
        """Return the value at risk that each contact adds, in the order of the list; even between stored points."""
        contacts, value = zip(*self.at_risk_curve, strict=True)
        return [float(added) for added in np.diff(np.interp(np.arange(contacts[-1] + 1), contacts, value))]

    def outcome(self, budget: int, policy: SegmentPolicy, *, passed_over: int = 0) -> BudgetOutcome:
        """Return what a number of contacts is expected to bring, of those who may be contacted.

        Between the stored points the curve is taken as straight, which never says more than there is: each customer
        of the list has no more value at risk than the one before. Nor does it where some are passed over: it is
        read on from behind as many as if they had been the first.

        Parameters
        ----------
        budget : int
        policy : SegmentPolicy
        passed_over : int
            Customers of the list who were contacted of late, or whom a campaign holds out.
        """
        if not self.has_clv:
            there = self.segments["at_risk"].customers - self.held_out.customers
            reached = min(budget, max(0, there - passed_over))
            return BudgetOutcome(reached, None, None, cost=policy.contact_cost * reached)
        contacts, value = zip(*self.at_risk_curve, strict=True)
        begin = min(passed_over, contacts[-1])
        reached = min(budget, contacts[-1] - begin)
        before, after = np.interp([begin, begin + reached], contacts, value).tolist()
        value_at_risk = after - before
        return BudgetOutcome(
            contacts=reached,
            value_at_risk=value_at_risk,
            expected_saved_value=policy.save_rate * value_at_risk,
            cost=policy.contact_cost * reached,
        )
