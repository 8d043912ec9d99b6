"""What a scoring run adds up while it writes, so that no page has to."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from features.targets import UPSELL
from models.bundle import Bundle
from models.drift import DriftReport, DriftSums
from models.driver_report import DriverReport
from models.drivers import DriverSums
from models.scoring import Scores
from models.segments import SEGMENTS
from store.held_out import HeldOut
from store.listings import Places
from training.run_notes import RunNotes

__all__ = ["RunSums"]

_CURVE_POINTS = 200

# Sums over customers whose scores have no such number; null, since 0 would be a statement.
_NOT_APPLICABLE = {"dormant": ("value_at_risk",), "prospect": ("clv", "value_at_risk", "expected_purchases")}


@dataclass(slots=True)
class RunSums:
    """Sums over the customers of a run, or of a part of it.

    Attributes
    ----------
    drivers : dict of target to DriverSums
    drift : dict of target to DriftSums
        Of those whose distributions at training are known.
    n_customers : int
    by_segment : float64, shape (n_segments + 1, 5)
        Customers, those of them for whom it is the primary segment, clv, value at risk and expected purchases; of
        everybody in the last row.
    judged : dict of target to int
    places : list of Places
        Where everybody stands in the lists.
    notes : RunNotes
    """

    drivers: dict[str, DriverSums]
    drift: dict[str, DriftSums] = field(default_factory=dict)
    n_customers: int = 0
    by_segment: NDArray[np.float64] = field(default_factory=lambda: np.zeros((len(SEGMENTS) + 1, 5)))
    judged: dict[str, int] = field(default_factory=dict)
    places: list[Places] = field(default_factory=list)
    notes: RunNotes = field(default_factory=RunNotes)

    @classmethod
    def of_nobody(cls, bundle: Bundle) -> Self:
        """Return the sums to begin with."""
        return cls(
            {
                name: DriverSums(
                    model.classifier.feature_names_,
                    categories=bundle.categories,
                    edges=model.edges,
                    segments=SEGMENTS,
                )
                for name, model in bundle.targets.items()
            },
            {
                name: DriftSums(training, bundle.targets[name].classifier.feature_names_, bundle.categories)
                for name, training in bundle.distributions.items()
            },
        )

    def add(self, found: Scores, places: Places) -> None:
        """Add some customers, and their places in the lists."""
        n = len(found.clv)
        self.places.append(places)
        self.n_customers += n
        expected = found.outlook.expected_purchases
        amounts = np.nan_to_num(np.column_stack((found.clv, found.value_at_risk, expected)), nan=0.0)
        for i in range(len(SEGMENTS)):
            member = found.member[:, i]
            self.by_segment[i] += (member.sum(), (found.primary == i).sum(), *amounts[member].sum(axis=0))
        self.by_segment[-1] += (n, n, *amounts.sum(axis=0))
        for name, told in found.targets.items():
            self.judged[name] = self.judged.get(name, 0) + int(told.eligible.sum())
            self.drivers[name].add(told.contributions, told.values, found.member[told.eligible])
            if name in self.drift:
                self.drift[name].add(
                    told.values, told.raw_margin[told.eligible], told.probability[told.eligible], customers=n
                )

    def merge(self, other: RunSums) -> None:
        """Add the customers that another has added up."""
        self.n_customers += other.n_customers
        self.by_segment += other.by_segment
        self.places += other.places
        self.notes.merge(other.notes)
        for name, count in other.judged.items():
            self.judged[name] = self.judged.get(name, 0) + count
        for name, drivers in self.drivers.items():
            drivers.merge(other.drivers[name])
        for name, drift in self.drift.items():
            drift.merge(other.drift[name])

    def driver_reports(self) -> dict[str, dict[str, DriverReport]]:
        """Return what drives the scores of each target, by segment."""
        return {name: drivers.reports() for name, drivers in self.drivers.items()}

    def drift_reports(self, bundle: Bundle) -> dict[str, DriftReport | None]:
        """Return how far the customers of each target have moved away from training; None where that isn't known."""
        reports: dict[str, DriftReport | None] = dict.fromkeys(bundle.targets)
        for name, drift in self.drift.items():
            model = bundle.targets[name]
            reports[name] = drift.report(
                trained_as_of=bundle.snapshot_date,
                base_rate=model.base_rate,
                edges=model.calibrator.predict(drift.margin_edges).tolist() if len(drift.margin_edges) else [],
            )
        return reports

    def aggregates(self, bundle: Bundle, held_out: HeldOut) -> dict[str, Any]:
        """Return the sums as stored with the run."""
        has_clv = bundle.purchases is not None
        segments = {}
        for name, row in zip(SEGMENTS, self.by_segment, strict=False):
            segments[name] = _named(row, bundle) | dict.fromkeys(_NOT_APPLICABLE.get(name, ()))
            if not row[0]:
                segments[name]["why_empty"] = _why_empty(name, bundle)
        has_value = has_clv and bundle.churn is not None
        values, is_held_out = self._at_risk(held_out)
        return {
            "segments": segments,
            "total": _named(self.by_segment[-1], bundle),
            "at_risk_curve": _curve(values[~is_held_out]) if has_value else [],
            "held_out": {
                "customers": int(is_held_out.sum()),
                "value_at_risk": math.fsum(values[is_held_out].tolist()) if has_value else None,
            },
            "has_clv": has_clv,
            "targets": {
                name: {
                    "description": model.target.describe(),
                    "horizon_days": model.target.horizon_days,
                    "customers": self.judged.get(name, 0),
                    "base_rate": model.base_rate,
                    "makes_segment": model.makes_segment,
                    "features": list(model.classifier.feature_names_),
                }
                for name, model in bundle.targets.items()
            },
            "currency": bundle.currency,
            "clv_reference": None if bundle.outlook is None else bundle.outlook.reference.to_dict(),
        }

    def _at_risk(self, held_out: HeldOut) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return by what each member of at_risk is ranked (value at risk, if there is any), and who is held out."""
        parts = [part["at_risk"] for part in self.places if "at_risk" in part]
        if not parts:
            return np.empty(0), np.empty(0, dtype=np.bool_)
        values, keys = (np.concatenate(column) for column in zip(*parts, strict=True))
        return values, np.array([key in held_out for key in keys.tolist()], dtype=np.bool_)


def _curve(values: NDArray[np.float64]) -> list[list[float]]:
    """Return [contacts, value at risk of so many on top], at most `_CURVE_POINTS` points."""
    if not len(values):
        return []
    descending = np.sort(values)[::-1]
    contacts = np.unique(np.linspace(1, len(values), _CURVE_POINTS).round().astype(int))
    return [[int(n), float(total)] for n, total in zip(contacts, np.cumsum(descending)[contacts - 1], strict=True)]


def _named(row: NDArray[np.float64], bundle: Bundle) -> dict[str, Any]:
    customers, primary, clv, value_at_risk, expected_purchases = row.tolist()
    has_clv = bundle.purchases is not None
    return {
        "customers": int(customers),
        "primary": int(primary),
        "clv": clv if has_clv else None,
        "value_at_risk": value_at_risk if has_clv and bundle.churn is not None else None,
        "expected_purchases": expected_purchases if has_clv else None,
    }


def _why_empty(segment: str, bundle: Bundle) -> str:
    """Say why nobody is in a segment."""
    upsell = bundle.targets.get(UPSELL)
    if segment == "at_risk" and bundle.churn is None:
        return "The model has no target named churn, so nobody can be found at risk."
    if segment == "high_value" and bundle.purchases is None:
        return "There are no purchases, so there is no clv."
    if segment in ("new", "prospect") and bundle.purchases is None:
        return "There are no purchases, so nobody is new or has yet to buy."
    if segment == "upsell_ready" and upsell is None:
        why = bundle.report.get("refused", {}).get(UPSELL)
        return f"The model has no upsell target: {why}" if why else "The model has no upsell target."
    if segment == "upsell_ready" and upsell is not None and not upsell.makes_segment:
        return "The upsell model says too little of those who buy, so nobody is singled out by it."
    return "Every known customer has purchased." if segment == "prospect" else "No customer meets its rule."
