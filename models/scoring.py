"""From events to scores: the one place where a bundle meets customers, for training, lists and single requests."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.build import FeatureFrame, build_features
from features.catalogue import CATALOGUE
from features.event_log import EventLog
from features.labels import eligible
from features.windows import Snapshot
from models.bundle import Bundle
from models.reasons import Reason, Wording, sentence, top_contributions
from models.segments import SEGMENTS, Cutoffs, SegmentPolicy, assign_segments

__all__ = ["CHURN_WORDING", "REASONS_KEPT", "Scores", "churn_sentence", "read_reasons", "score"]

FloatArray = NDArray[np.float64]

# Enough for the drivers of a sentence, with room for what speaks for leaving even where most speaks against it; the
# rest is summed up as "all other features".
REASONS_KEPT = 8
REASONS_TOWARDS = 3

CHURN_WORDING = Wording(
    lone_sign="The main sign of leaving is that",
    nothing_towards="No sign of leaving stands out: the risk is the one that every customer carries",
    against="What speaks for staying is that",
)


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Scores of some customers, one element a customer; NaN where a number does not apply.

    Attributes
    ----------
    frame : FeatureFrame
        All features, those of the purchase model included.
    eligible : bool, shape (n,)
        Purchased within the activity window; only these have a churn probability.
    clv, churn_probability, raw_margin, value_at_risk : float64, shape (n,)
    base_value : float
        Log-odds from which the contributions start.
    reason_feature : int16, shape (n, k)
        Index into `reason_names`, -1 where there is none.
    reason_contribution : float64, shape (n, k)
        Log-odds, largest first.
    reason_other : float64, shape (n,)
        Sum of the contributions of all other features.
    reason_names : tuple of str
        Features of the classifier.
    primary : int8, shape (n,)
        Index into `SEGMENTS`.
    member : bool, shape (n, len(SEGMENTS))
    """

    frame: FeatureFrame
    eligible: NDArray[np.bool_]
    clv: FloatArray
    churn_probability: FloatArray
    raw_margin: FloatArray
    value_at_risk: FloatArray
    base_value: float
    reason_feature: NDArray[np.int16]
    reason_contribution: FloatArray
    reason_other: FloatArray
    reason_names: tuple[str, ...]
    primary: NDArray[np.int8]
    member: NDArray[np.bool_]

    def columns(self) -> dict[str, Sequence[Any]]:
        """Return plain columns as the store keeps them: Python values, None for what does not apply."""
        whole = ("frequency", "recency", "T", "days_since_last_purchase")
        amounts = ("monetary_value", "p_alive", "expected_purchases", "expected_average_value")
        return {
            "segment": [SEGMENTS[i] for i in self.primary],
            "segments": [" ".join(np.array(SEGMENTS)[row]) for row in self.member],
            "eligible": self.eligible.tolist(),
            **{name: [None if v is None else int(v) for v in _or_none(self.frame[name])] for name in whole},
            **{name: _or_none(self.frame[name]) for name in amounts},
            "clv": _or_none(self.clv),
            "churn_probability": _or_none(self.churn_probability),
            "value_at_risk": _or_none(self.value_at_risk),
            "upsell_propensity": [None] * len(self.clv),
            "raw_margin": _or_none(self.raw_margin),
            "base_value": [self.base_value if is_eligible else None for is_eligible in self.eligible.tolist()],
            "reasons": self._reasons(),
        }

    def _reasons(self) -> list[str | None]:
        """Return each customer's reasons as JSON: [[feature, value, contribution], …, ["", null, all others]]."""
        values = self.frame.select(self.reason_names)
        texts: list[str | None] = []
        for row, is_eligible in enumerate(self.eligible.tolist()):
            if not is_eligible:
                texts.append(None)
                continue
            told: list[list[Any]] = [
                [self.reason_names[i], None if np.isnan(values[row, i]) else float(values[row, i]), contribution]
                for i, contribution in zip(
                    self.reason_feature[row].tolist(), self.reason_contribution[row].tolist(), strict=True
                )
            ]
            told.append(["", None, float(self.reason_other[row])])
            texts.append(json.dumps(told, separators=(",", ":"), allow_nan=False))
        return texts


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
        Of one or of many customers; each is scored by its own events alone.
    memberships : mapping of segment to bool, shape (n,)
        Who is in which segment now, in the order of the log.
    snapshot : Snapshot
        Nothing at or after its instant is read.

    Returns
    -------
    Scores
    """
    frame = bundle.purchases.add_features(build_features(log, snapshot), bundle.horizon_days)
    clv = bundle.purchases.clv(frame, bundle.clv_terms)
    is_eligible = eligible(frame, bundle.activity_days)
    rows = np.flatnonzero(is_eligible)

    classifier = bundle.churn.classifier
    n, kept = log.n_customers, min(REASONS_KEPT, len(classifier.feature_names_))
    raw_margin, probability, other = (np.full(n, np.nan) for _ in range(3))
    reason_feature = np.full((n, kept), -1, dtype=np.int16)
    reason_contribution = np.full((n, kept), np.nan)
    base_value = 0.0
    if len(rows):
        inputs = frame.select(classifier.feature_names_)[rows]
        contributions, base_value = classifier.contributions(inputs)
        raw_margin[rows] = classifier.raw_margin(inputs)
        probability[rows] = bundle.churn.calibrator.predict(raw_margin[rows])
        reason_feature[rows], reason_contribution[rows], other[rows] = top_contributions(
            contributions, kept, towards=REASONS_TOWARDS
        )

    primary, member = assign_segments(
        policy,
        cutoffs,
        eligible=is_eligible,
        churn_probability=probability,
        clv=clv,
        upsell_propensity=None,
        T=frame["T"],
        horizon_days=bundle.horizon_days,
        memberships=memberships,
    )
    return Scores(
        frame=frame,
        eligible=is_eligible,
        clv=clv,
        churn_probability=probability,
        raw_margin=raw_margin,
        value_at_risk=probability * clv,
        base_value=base_value,
        reason_feature=reason_feature,
        reason_contribution=reason_contribution,
        reason_other=other,
        reason_names=classifier.feature_names_,
        primary=primary,
        member=member,
    )


def read_reasons(stored: str, currency: str) -> tuple[tuple[Reason, ...], float]:
    """Read the reasons of one customer as `Scores.columns` gives them.

    Parameters
    ----------
    stored : str
        JSON.
    currency : str
        For amounts in the clauses.

    Returns
    -------
    reasons : tuple of Reason
        Largest first, told by today's catalogue.
    other : float
        Contribution of all other features, in log-odds.
    """
    *told, (_, _, other) = json.loads(stored)
    reasons = []
    for name, value, contribution in told:
        feature = CATALOGUE.get(name)
        if feature is None:
            # A list made before an upgrade that did away with a feature still sums, though nobody can tell of it.
            reasons.append(Reason(name, name, value, contribution, text=""))
            continue
        text = feature.tell(float("nan") if value is None else value, currency)
        reasons.append(Reason(name, feature.driver, value, contribution, text))
    return tuple(reasons), other


def churn_sentence(reasons: Sequence[Reason]) -> str:
    """Say why a customer may leave, in reasons that agree with common sense.

    To the classifier a silence of 1.7 times the usual may speak for staying, because most are silent for longer; said
    aloud it would not.
    """
    told = [
        replace(reason, text="") if _shows(reason) == ("life" if reason.contribution > 0 else "quiet") else reason
        for reason in reasons
    ]
    return sentence(told, wording=CHURN_WORDING)


def _shows(reason: Reason) -> str | None:
    if reason.value is None or reason.feature not in CATALOGUE:
        return None
    return CATALOGUE[reason.feature].shows(reason.value)


def _or_none(column: FloatArray) -> list[Any]:
    """Return the values as Python floats, None for NaN."""
    return [None if value != value else value for value in column.tolist()]
