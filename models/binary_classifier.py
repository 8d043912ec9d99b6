"""What every binary classifier of this package takes and gives.

The classifier that is shipped for a target may be boosted trees (``models.propensity``) or logistic regression
(``models.logistic``), whichever won on the selection folds. Scoring, reasons and reports know this protocol only.
"""

from collections.abc import Sequence
from typing import ClassVar, Protocol, Self

import numpy as np
import numpy.typing as npt

from models.exceptions import InputError

__all__ = ["BinaryClassifier", "as_categorical", "as_feature_names", "as_features", "as_outcomes"]

FloatArray = npt.NDArray[np.float64]

_FORBIDDEN_IN_NAMES = frozenset('",:[]{}')

# LightGBM keeps a bit for every code up to the largest of a split, so codes have to be small.
_MOST_CATEGORIES = 65_536


class BinaryClassifier(Protocol):
    """A fitted estimator of log-odds that can say what each feature added to them.

    Attributes
    ----------
    kind : str
        Short name of the algorithm, stored with a bundle so that it knows which class reads the text back.
    feature_names_ : tuple of str
        Names of the columns of X, in order, as given to ``fit``.
    categorical_ : tuple of str
        Those of them that hold codes of categories, 0, 1, 2, …, whose order means nothing. A code that ``fit`` didn't
        meet counts as missing.
    """

    kind: ClassVar[str]
    feature_names_: tuple[str, ...]
    categorical_: tuple[str, ...]

    def fit(
        self, X: FloatArray, y: FloatArray, *, feature_names: Sequence[str], categorical: Sequence[str] = ()
    ) -> Self:
        """Learn from X (n, n_features; NaN is missing) and y (n,) of 0 and 1; return self."""
        ...

    def raw_margin(self, X: FloatArray) -> FloatArray:
        """Return the uncalibrated log-odds of the target, shape (n,)."""
        ...

    def contributions(self, X: FloatArray) -> tuple[FloatArray, float]:
        """Return SHAP values (n, n_features) in log-odds and the base value; each row sums to its raw margin."""
        ...

    def to_text(self) -> str:
        """Return the fitted model as text from which the class's ``from_text`` makes an equal one."""
        ...


def as_feature_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the columns as a tuple, after checking that they can be stored.

    Raises
    ------
    InputError
        No names; or one is empty, comes twice, or holds white space or one of ``" , : [ ] { }`` (the text format of
        LightGBM can't carry those).
    """
    checked = tuple(names)
    if not checked:
        raise InputError("expected at least one feature name, got none; give one name for each column of X")
    for name in checked:
        if not name or any(letter.isspace() or letter in _FORBIDDEN_IN_NAMES for letter in name):
            raise InputError(
                f'feature name {name!r} is empty or holds white space or one of " , : [ ] {{ }}; rename it'
            )
    if len(set(checked)) < len(checked):
        repeated = sorted({name for name in checked if checked.count(name) > 1})
        raise InputError(f"feature names must differ from each other; these come more than once: {', '.join(repeated)}")
    return checked


def as_categorical(categorical: Sequence[str], feature_names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of the categorical columns as a tuple in the order of the columns.

    Raises
    ------
    InputError
        One is no feature.
    """
    unknown = [name for name in categorical if name not in feature_names]
    if unknown:
        raise InputError(
            f"categorical names {', '.join(unknown)}, which are no features; there are {', '.join(feature_names)}"
        )
    return tuple(name for name in feature_names if name in categorical)


def as_features(X: npt.ArrayLike, feature_names: tuple[str, ...], categorical: tuple[str, ...] = ()) -> FloatArray:
    """Return X as float64 of shape (n, n_features), after checking it against the names of its columns.

    Raises
    ------
    InputError
        X is not two-dimensional, its number of columns is not that of the names, a value is infinite, or one of a
        categorical column is no code.
    """
    matrix = np.asarray(X, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[1] != len(feature_names):
        raise InputError(
            f"expected X with {len(feature_names)} columns ({', '.join(feature_names)}), "
            f"got an array of shape {matrix.shape}; give those columns in that order"
        )
    infinite = np.isinf(matrix)
    if infinite.any():
        column = int(np.argmax(infinite.any(axis=0)))
        raise InputError(
            f"feature {feature_names[column]!r} is infinite in {int(infinite[:, column].sum())} row(s), first in row "
            f"{int(np.argmax(infinite[:, column]))}; a value that is not known is given as NaN"
        )
    for name in categorical:
        _check_codes(name, matrix[:, feature_names.index(name)])
    return matrix


def _check_codes(name: str, codes: FloatArray) -> None:
    illegal = ~(np.isnan(codes) | ((codes >= 0) & (codes < _MOST_CATEGORIES) & (codes == np.floor(codes))))
    if illegal.any():
        first = int(np.argmax(illegal))
        raise InputError(
            f"categorical feature {name!r} holds {codes[first]:g} in row {first} ({int(illegal.sum())} such row(s)); "
            f"expected codes 0, 1, 2, … up to {_MOST_CATEGORIES - 1}, and NaN where it is not known"
        )


def as_outcomes(y: npt.ArrayLike, n_rows: int) -> FloatArray:
    """Return y as float64 of shape (n_rows,), after checking that it holds 0 and 1 only, and at least one row.

    Raises
    ------
    InputError
        No rows, another number of rows than expected, or a value other than 0 and 1.
    """
    outcomes = np.asarray(y, dtype=np.float64)
    if outcomes.shape != (n_rows,):
        raise InputError(f"expected y of shape ({n_rows},), one outcome a row, got {outcomes.shape}")
    if n_rows == 0:
        raise InputError("expected at least one row, got none; nothing can be learnt or measured from no customers")
    illegal = ~((outcomes == 0.0) | (outcomes == 1.0))
    if illegal.any():
        first = int(np.argmax(illegal))
        raise InputError(
            f"expected outcomes of 0 and 1, got {outcomes[first]} in row {first} ({int(illegal.sum())} such row(s))"
        )
    return outcomes
