"""What a model must not learn from: features that tell the label because they were filled in after it.

A file of attributes shows customers as they are on the day it was written. What came about for them by then may have
left its mark in it: a reason for leaving, the length of the call in which they agreed, a flag that copies the label. A
model that learns from such a column looks excellent and is worthless, since for the customers it is asked about the
column is still empty.

No rule tells such a column from a very good honest one with certainty. So whatever is named can be kept on purpose,
and the bars stand where honest data doesn't reach. Measured on 38 purchase features each of CDNOW (90 days, 14 % stay),
Online Retail (90 days) and Complete Journey (28 days), on Telco's 19 attributes, and on leaks planted into Telco:

============================================  ========================  ===========================================
figure, and its bar                           highest of honest ones    planted
============================================  ========================  ===========================================
AUC of a feature alone, .9                    .857 (Complete Journey)   .954 (the label, 5 % of it changed)
what it adds to the AUC of all others, .05,   .007 (Telco's contract)   .078 (the label, 20 % of it changed);
of those with .75 alone                                                 .185 (`duration` of a sales call)
AUC of being filled in at all, .8             .761 (CDNOW)              .85 (filled for 80 % of the lost and 10 % else)
share of the rarer label among 50 holders     .81 (CDNOW)               1 (filled for 30 % of the lost only; Hillstrom's
of one value, .99                                                       `conversion` for `visit`, whose AUC is .53)
============================================  ========================  ===========================================

A name that speaks of what is known afterwards, or dates that lie ahead, are reasons of their own: with one of them an
AUC of .65 is enough (`duration`: .80).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.binary_classifier import FloatArray, as_categorical, as_feature_names, as_features, as_outcomes
from models.lightgbm_params import LightGBMParams
from models.metrics import auc
from models.propensity import PropensityModel
from models.univariate import ValueCounts, cross_fitted_auc, random_halves

__all__ = ["Leak", "find_leaks"]

_NEARLY_SEPARATES = 0.9
_STRONG = 0.75
_ADDS_TOO_MUCH = 0.05
_FEWEST_OTHERS = 3
_MISSINGNESS_TELLS = 0.8
_SUSPECT = 0.65
_FEWEST_DATES_AHEAD = 0.01  # share of the rows
_DECIDES = 0.99
_FEWEST_HOLDERS = 50

_SEED = 0
# A quick look is enough to tell whether something is missed: the strongest features on a part of the rows.
_MOST_COLUMNS_OF_A_MODEL = 40
_MOST_ROWS_OF_A_MODEL = 10_000
_MODEL = LightGBMParams(
    learning_rate=0.1, num_leaves=12, max_depth=4, min_data_in_leaf=30, feature_fraction=0.7, num_rounds=80
)

# What a name says that speaks of something only known once it is over.
_AFTERWARDS = re.compile(
    r"\b(attrition|attrited|bounced|cancel\w*|chargebacks?|churn\w*|clos(ed|ing|ure)|conver(ted|sion)|deactivat(ed|ion)|"
    r"exit(ed)?|lapsed|leav(er|ing)|lost|outcome|quit|refund\w*|resign(ed|ation)|terminat(ed|ion)|unsubscribed?)\b"
    r"|^duration$|\b(call|contact|conversation|talk)\b.*\bduration\b|\bduration\b.*\b(call|contact|conversation|talk)\b"
)
_BEFOREHAND = re.compile(r"\b(earlier|last year|past|previous|prior)\b")


@dataclass(frozen=True, slots=True)
class Leak:
    """A feature that tells the label by itself, or is only known afterwards.

    Attributes
    ----------
    feature : str
    why : str
        For whoever trains: what was seen, the figure, what to do.
    auc : float
        Of the feature alone, each half of the customers ranked by rates found on the other; .5 is chance.
    """

    feature: str
    why: str
    auc: float


def find_leaks(
    X: npt.ArrayLike,
    y: npt.ArrayLike,
    names: Sequence[str],
    categorical: Sequence[str],
    *,
    always_known: Sequence[str],
) -> tuple[Leak, ...]:
    """Name the features that a model must not learn from unless it is on purpose.

    A feature is named if

    - alone it nearly separates the label;
    - alone it is strong, and it adds to all other features together what no honest one does: the others know as
      little of it as they know of the future (with at least three others, or there is nothing to compare with);
    - having a value at all, or lacking one, tells the label;
    - one value of it, or any but its usual one, is held by at least 50 customers, nearly all of whom have the label
      that is the rarer one;
    - its name speaks of what is known afterwards, or its dates lie ahead of the snapshot, and alone it says something.

    Parameters
    ----------
    X : array, shape (n, n_features)
        Features; NaN is missing.
    y : array, shape (n,)
        1 where the target came about, else 0. If all are the same, nothing can be told and nothing is named.
    names : sequence of str
        Of the columns of X.
    categorical : sequence of str
        Those that hold codes of categories.
    always_known : sequence of str
        Those that hold days from a date to the snapshot (negative where the date lies ahead) and came without a day on
        which they were learnt, so that nothing says that they were known by then.

    Returns
    -------
    tuple of Leak
        In the order of the columns.

    Raises
    ------
    InputError
        The arrays don't fit each other or hold values that are not legal; or a name is none of the columns'.
    """
    columns = as_feature_names(names)
    categories = as_categorical(categorical, columns)
    dates = as_categorical(always_known, columns)
    features = as_features(X, columns, categories)
    label = as_outcomes(y, len(features))
    if label.min() == label.max():
        return ()
    half = random_halves(label, np.random.default_rng(_SEED))
    counted = [
        ValueCounts.of(column, label, half, categorical=name in categories)
        for name, column in zip(columns, np.asfortranarray(features).T, strict=True)
    ]
    alone = [cross_fitted_auc(counts.bins()) for counts in counted]
    found: dict[str, Leak] = {}
    for name, counts, its_auc in zip(columns, counted, alone, strict=True):
        seen = (
            _separates(its_auc)
            or _decides(counts)
            or _missingness_tells(counts)
            or _is_named_for_afterwards(name, its_auc)
            or (_dates_lie_ahead(counts, its_auc) if name in dates else None)
        )
        if seen:
            found[name] = Leak(name, f"{name} {seen} {_what_to_do(name)}", its_auc)
    others = [position for position, name in enumerate(columns) if name not in found]
    codes = [columns.index(name) for name in categories]
    for position, seen in _adding_too_much(features, label, half, others, codes, alone):
        name = columns[position]
        found[name] = Leak(name, f"{name} {seen} {_what_to_do(name)}", alone[position])
    return tuple(found[name] for name in columns if name in found)


def _what_to_do(name: str) -> str:
    return f"Leave it out, or force it with --keep {name} if it is known beforehand."


def _separates(its_auc: float) -> str | None:
    if its_auc < _NEARLY_SEPARATES:
        return None
    return f"nearly separates the label by itself (AUC {its_auc:.3f}), as a copy of the label does."


def _decides(counts: ValueCounts) -> str | None:
    rows = (counts.known() + counts.missing).sum(axis=0)
    rarer = int(rows[1] <= rows[0])
    for holders, described in _groups_of_holders(counts):
        n = int(holders.sum())
        if n >= _FEWEST_HOLDERS and holders[rarer] > _DECIDES * n:
            which = "have the label" if rarer else "don't have the label"
            return (
                f"decides the label: of the {n:,} customers {described}, {holders[rarer] / n:.1%} {which}, against "
                f"{rows[rarer] / rows.sum():.1%} of all."
            )
    return None


def _groups_of_holders(counts: ValueCounts) -> list[tuple[npt.NDArray[np.int64], str]]:
    """Return customers by label, shape (2,), for each thing that a value may say, with its words."""
    by_label = counts.by_label()
    held = by_label.sum(axis=0)
    known = by_label.sum(axis=1)
    groups = [(known, "with any value"), (counts.missing.sum(axis=0), "without a value")]
    if len(held):
        groups.append((known - by_label[:, np.argmax(held)], "with any but the usual value"))
    what = "category number" if counts.categorical else "value"
    groups.extend(
        (by_label[:, position], f"with the {what} {counts.values[position]:g}")
        for position in np.flatnonzero(held >= _FEWEST_HOLDERS)
    )
    return groups


def _missingness_tells(counts: ValueCounts) -> str | None:
    its_auc = cross_fitted_auc(np.dstack([counts.missing, counts.known()]))
    if its_auc < _MISSINGNESS_TELLS:
        return None
    return f"tells the label by whether it is filled in at all (AUC {its_auc:.3f})."


def _is_named_for_afterwards(name: str, its_auc: float) -> str | None:
    words = _in_words(name)
    if its_auc < _SUSPECT or _BEFOREHAND.search(words) or not (said := _AFTERWARDS.search(words)):
        return None
    return f"speaks of what is known only afterwards ({said[0]!r}), and tells the label (AUC {its_auc:.3f} alone)."


def _in_words(name: str) -> str:
    """Return the words of a name, in lower case and without the family that it starts with (`attribute.`)."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])|[\W_]+", " ", name.partition(".")[2] or name)
    return spaced.strip().lower()


def _dates_lie_ahead(counts: ValueCounts, its_auc: float) -> str | None:
    ahead = int(counts.counts[:, :, counts.values < 0].sum())
    n = int(counts.counts.sum() + counts.missing.sum())
    if its_auc < _SUSPECT or ahead < max(_FEWEST_DATES_AHEAD * n, 1):
        return None
    return (
        f"has dates after the day that the model looks at it ({ahead:,} customers), which may have been written later, "
        f"and tells the label (AUC {its_auc:.3f} alone)."
    )


@dataclass(frozen=True, slots=True)
class _Jury:
    """Two models of the same features, each fitted on one half of some rows and asked about the other.

    Attributes
    ----------
    columns : list of int
        Of the matrix that both models read.
    halves : list of (model, features, label)
        Each model with the rows it is asked about.
    auc : float
        Mean of both.
    """

    columns: list[int]
    halves: list[tuple[PropensityModel, FloatArray, FloatArray]]
    auc: float

    @classmethod
    def of(
        cls,
        features: FloatArray,
        label: FloatArray,
        half: npt.NDArray[np.int64],
        columns: list[int],
        categorical: Sequence[int],
    ) -> _Jury:
        halves = []
        for asked in (0, 1):
            taught = half != asked
            model = PropensityModel(params=_MODEL, seed=_SEED, num_threads=1).fit(
                features[np.ix_(taught, columns)],
                label[taught],
                feature_names=[str(column) for column in columns],
                categorical=[str(column) for column in columns if column in categorical],
            )
            halves.append((model, features[np.ix_(~taught, columns)], label[~taught]))
        return cls(columns, halves, _mean_auc(halves))

    def auc_without_help_of(self, column: int) -> float:
        """Return the mean AUC with one column shuffled among the rows asked about."""
        position = self.columns.index(column)
        shuffled = []
        for model, features, label in self.halves:
            changed = features.copy()
            changed[:, position] = np.random.default_rng(_SEED).permutation(changed[:, position])
            shuffled.append((model, changed, label))
        return _mean_auc(shuffled)


def _mean_auc(halves: Sequence[tuple[PropensityModel, FloatArray, FloatArray]]) -> float:
    return float(np.mean([auc(label, model.raw_margin(features)) or 0.5 for model, features, label in halves]))


def _adding_too_much(
    features: FloatArray,
    label: FloatArray,
    half: npt.NDArray[np.int64],
    columns: list[int],
    categorical: Sequence[int],
    alone: Sequence[float],
) -> list[tuple[int, str]]:
    """Find the strong features that all others together know too little of, the strongest first."""
    by_strength = sorted(columns, key=lambda column: -alone[column])
    strong = [column for column in by_strength if alone[column] >= _STRONG]
    if not strong or len(columns) <= _FEWEST_OTHERS:
        return []
    if len(label) > _MOST_ROWS_OF_A_MODEL:
        drawn = np.random.default_rng(_SEED).choice(len(label), _MOST_ROWS_OF_A_MODEL, replace=False)
        features, label, half = features[drawn], label[drawn], half[drawn]
    found = []
    jury = _Jury.of(features, label, half, sorted(by_strength[:_MOST_COLUMNS_OF_A_MODEL]), categorical)
    for column in strong[:_MOST_COLUMNS_OF_A_MODEL]:
        # A model that was fitted with a feature misses it more than one that never knew it, so this spares most fits.
        if jury.auc - jury.auc_without_help_of(column) < _ADDS_TOO_MUCH:
            continue
        others = [other for other in jury.columns if other != column]
        without = _Jury.of(features, label, half, others, categorical)
        if jury.auc - without.auc >= _ADDS_TOO_MUCH and len(others) >= _FEWEST_OTHERS:
            seen = (
                f"tells more of the label than anything else does: AUC {alone[column]:.3f} alone, {without.auc:.3f} "
                f"of the others together, {jury.auc:.3f} with it."
            )
            found.append((column, seen))
            jury = without
    return found
