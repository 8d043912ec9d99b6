"""From events to scores: the one place where a bundle meets customers, for training, lists and single requests."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.build import FeatureFrame
from features.event_log import EventLog
from features.labels import eligible_for
from features.targets import CHURN, UPSELL
from features.windows import Snapshot
from models.bundle import Bundle, TargetModel
from models.clv_wording import clv_texts
from models.drift import TrainingDistribution
from models.outlook import Outlook
from models.purchase_timing import PURCHASE_DAYS
from models.reason_texts import reason_texts
from models.reasons import top_contributions
from models.segment_policy import SegmentPolicy
from models.segments import SEGMENTS, Cutoffs, assign_segments

__all__ = ["REASONS_KEPT", "Scores", "TargetScores", "score"]

FloatArray = NDArray[np.float64]

# Enough for the drivers of a sentence, with room for what speaks for leaving even where most speaks against it; the
# rest is summed up as "all other features".
REASONS_KEPT = 8
REASONS_TOWARDS = 3

# Rounding errors of contributions are a thousandth of this.
_MARGIN_DECIMALS = 12

# Features that are columns of a score, of a business with purchases.
_WHOLE = ("frequency", "recency", "T", "days_since_last_purchase")
_AMOUNTS = ("monetary_value", "p_alive", "expected_average_value")
# Those that the outlook gives.
_EXPECTED = (
    "expected_purchases",
    "expected_purchases_low",
    "expected_purchases_high",
    "clv",
    "clv_low",
    "clv_high",
)


@dataclass(frozen=True, eq=False)
class TargetScores:
    """What the model of one target says of some customers.

    Attributes
    ----------
    model : TargetModel
    eligible : bool, shape (n,)
        Only these are judged.
    probability, raw_margin : float64, shape (n,)
        NaN where not eligible.
    base_value : float
        Log-odds from which the contributions start.
    values, contributions : float64, shape (n_eligible, k)
        Features of the classifier, and what each adds to the log-odds.
    """

    model: TargetModel
    eligible: NDArray[np.bool_]
    probability: FloatArray
    raw_margin: FloatArray
    base_value: float
    values: FloatArray
    contributions: FloatArray

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the features."""
        return self.model.classifier.feature_names_

    @cached_property
    def top(self) -> tuple[NDArray[np.int16], FloatArray, FloatArray]:
        """Return index (into `names`) and contribution of the strongest reasons, and the sum of all others."""
        kept = min(REASONS_KEPT, len(self.names))
        return top_contributions(self.contributions, kept, towards=REASONS_TOWARDS)

    def reasons(self, categories: Mapping[str, Sequence[str]]) -> list[str | None]:
        """Return the JSON of each customer's [[feature, value, contribution], …, ["", null, all others]].

        Parameters
        ----------
        categories : mapping of feature to sequence of str
            What the codes of categorical features stand for.

        Returns
        -------
        list of str or None
            None for customers who are not judged.
        """
        kept, contribution, other = self.top
        index = kept.astype(np.intp)
        values = np.take_along_axis(self.values, index, axis=1)
        told = iter(reason_texts(self.names, index, values, contribution, other=other, categories=categories))
        return [next(told) if is_eligible else None for is_eligible in self.eligible.tolist()]


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Scores of some customers, one element a customer; NaN where a number does not apply.

    Attributes
    ----------
    bundle : Bundle
        What gave them.
    frame : FeatureFrame
        All features that were read, those of the purchase model included.
    outlook : Outlook
        What is expected of purchases to come.
    targets : mapping of name to TargetScores
    primary : int8, shape (n,)
        Index into `SEGMENTS`.
    member : bool, shape (n, len(SEGMENTS))
    """

    bundle: Bundle
    frame: FeatureFrame
    outlook: Outlook
    targets: Mapping[str, TargetScores]
    primary: NDArray[np.int8]
    member: NDArray[np.bool_]

    @property
    def clv(self) -> FloatArray:
        """Discounted margin expected, shape (n,); NaN for customers who have not purchased."""
        return self.outlook.clv

    @property
    def eligible(self) -> NDArray[np.bool_]:
        """Whether the leading target judges each customer."""
        return self.targets[self.bundle.leading.name].eligible

    @property
    def churn_probability(self) -> FloatArray:
        """Calibrated; NaN for customers not eligible, and for all without a model of churn."""
        churn = self.targets.get(CHURN)
        return np.full(len(self.clv), np.nan) if churn is None else churn.probability

    @property
    def value_at_risk(self) -> FloatArray:
        """churn_probability x clv."""
        return self.churn_probability * self.clv

    def for_cutoffs(self) -> dict[str, Any]:
        """Return what `find_cutoffs` reads, by the names of its arguments."""
        upsell = self.bundle.targets.get(UPSELL)
        return {
            "eligible": self.eligible,
            "churn_probability": None if self.bundle.churn is None else self.churn_probability,
            "clv": None if self.bundle.purchases is None else self.clv,
            "upsell_base_rate": None if upsell is None or not upsell.makes_segment else upsell.base_rate,
        }

    def distributions(self) -> dict[str, TrainingDistribution]:
        """Return how what each model read and said is distributed over those it judged, by name of the target."""
        return {
            name: TrainingDistribution.of(
                told.names,
                told.values,
                told.raw_margin[told.eligible],
                told.probability[told.eligible],
                customers=len(told.eligible),
                categories=self.bundle.categories,
            )
            for name, told in self.targets.items()
        }

    def columns(self) -> dict[str, Sequence[Any]]:
        """Return plain columns as the store keeps them: Python values, None for what does not apply.

        The churn model has columns of its own; `propensities` holds the other targets as JSON by name.
        """
        outlook = self.outlook
        nothing = [None] * len(self.clv)
        known = set(self.frame.names)
        churn, upsell = self.targets.get(CHURN), self.targets.get(UPSELL)
        return {
            "segment": [SEGMENTS[i] for i in self.primary],
            "segments": _names_of(self.member),
            "eligible": self.eligible.tolist(),
            **{name: _whole(self.frame[name]) if name in known else nothing for name in _WHOLE},
            **{name: _or_none(self.frame[name]) if name in known else nothing for name in _AMOUNTS},
            **{name: _or_none(getattr(outlook, name)) for name in _EXPECTED},
            "clv_reasons": clv_texts(outlook.clv_inputs, outlook.clv_contributions),
            **{
                f"purchase_within_{days}d": _or_none(column)
                for days, column in zip(PURCHASE_DAYS, outlook.purchase_within.T, strict=True)
            },
            "purchase_likely_in_days": _whole(outlook.purchase_likely_in_days),
            "churn_probability": _or_none(self.churn_probability),
            "value_at_risk": _or_none(self.value_at_risk),
            "upsell_propensity": nothing if upsell is None else _or_none(upsell.probability),
            "raw_margin": nothing if churn is None else _or_none(churn.raw_margin),
            "base_value": nothing
            if churn is None
            else [churn.base_value if is_eligible else None for is_eligible in churn.eligible.tolist()],
            "reasons": nothing if churn is None else churn.reasons(self.bundle.categories),
            "propensities": self._propensities(),
        }

    def _propensities(self) -> list[str | None]:
        """Return what the models of all targets but churn say of each customer, as JSON by name of the target."""
        if not self.targets.keys() - {CHURN}:
            return [None] * len(self.clv)
        told: list[list[str]] = [[] for _ in self.clv]
        for name, scores in self.targets.items():
            if name == CHURN:
                continue
            reasons = scores.reasons(self.bundle.categories)
            probabilities, margins = scores.probability.tolist(), scores.raw_margin.tolist()
            for row in np.flatnonzero(scores.eligible).tolist():
                told[row].append(
                    f'{json.dumps(name)}:{{"probability":{probabilities[row]!r},"raw_margin":{margins[row]!r},'
                    f'"base_value":{scores.base_value!r},"reasons":{reasons[row]}}}'
                )
        return [f"{{{','.join(of_customer)}}}" if of_customer else None for of_customer in told]


def score(
    bundle: Bundle,
    policy: SegmentPolicy,
    cutoffs: Cutoffs,
    log: EventLog,
    memberships: Mapping[str, NDArray[np.bool_]],
    snapshot: Snapshot,
) -> Scores:
    """Score every customer of a log.

    Parameters
    ----------
    bundle : Bundle
    policy, cutoffs
        What makes the segments.
    log : EventLog
        Of one or of many customers; each is scored by its own events and attributes alone.
    memberships : mapping of segment to bool, shape (n,)
        Who is in which segment now, in the order of the log.
    snapshot : Snapshot
        Nothing at or after its instant is read.

    Returns
    -------
    Scores
    """
    frame = bundle.inputs.frame(log, snapshot)
    has_purchases = bundle.purchases is not None
    targets = {name: _score_target(model, frame, log, snapshot) for name, model in bundle.targets.items()}
    churn, upsell = targets.get(CHURN), targets.get(UPSELL)
    outlook = _look_ahead(bundle, frame, churn)
    primary, member = assign_segments(
        policy,
        cutoffs,
        eligible=targets[bundle.leading.name].eligible,
        churn_probability=None if churn is None else churn.probability,
        clv=outlook.clv if has_purchases else None,
        upsell_propensity=None if upsell is None else upsell.probability,
        T=frame["T"] if has_purchases else None,
        horizon_days=bundle.horizon_days,
        memberships=memberships,
    )
    return Scores(bundle=bundle, frame=frame, outlook=outlook, targets=targets, primary=primary, member=member)


def _look_ahead(bundle: Bundle, frame: FeatureFrame, churn: TargetScores | None) -> Outlook:
    if bundle.outlook is None:
        return Outlook.nothing(len(frame.customer_ids))
    if churn is None or churn.model.target.kind != "inactivity":
        return bundle.outlook.of(frame)
    # Who does not leave by inactivity purchases: chances of a purchase have to agree with that.
    return bundle.outlook.of(frame, churn_probability=churn.probability, churn_horizon_days=churn.model.target.horizon)


def _score_target(model: TargetModel, frame: FeatureFrame, log: EventLog, snapshot: Snapshot) -> TargetScores:
    classifier = model.classifier
    is_eligible = eligible_for(model.target, log, snapshot, frame)
    raw_margin, probability = (np.full(log.n_customers, np.nan) for _ in range(2))
    inputs = frame.select(classifier.feature_names_)[is_eligible]
    contributions, base_value = np.empty_like(inputs), 0.0
    if len(inputs):
        # Their sum is the raw margin, and asking for that too would take as long again. Rounded, so that customers of
        # the same leaves stay equal; laid out by rows, so that a customer alone gets the very number of the batch.
        contributions, base_value = classifier.contributions(inputs)
        contributions = np.ascontiguousarray(contributions)
        raw_margin[is_eligible] = np.round(base_value + contributions.sum(axis=1), _MARGIN_DECIMALS)
        probability[is_eligible] = model.calibrator.predict(raw_margin[is_eligible])
    return TargetScores(model, is_eligible, probability, raw_margin, base_value, inputs, contributions)


def _names_of(member: NDArray[np.bool_]) -> list[str]:
    """Return the names of the segments that each customer is in, joined by spaces."""
    code = member @ (1 << np.arange(len(SEGMENTS)))
    distinct = {i: " ".join(name for bit, name in enumerate(SEGMENTS) if i >> bit & 1) for i in set(code.tolist())}
    return [distinct[i] for i in code.tolist()]


def _whole(column: FloatArray) -> list[int | None]:
    """Return the values as Python integers, None for NaN."""
    return [None if value != value else int(value) for value in column.tolist()]


def _or_none(column: FloatArray) -> list[Any]:
    """Return the values as Python floats, None for NaN."""
    return [None if value != value else value for value in column.tolist()]
