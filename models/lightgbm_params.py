"""The settings of boosted trees, typed and bounded."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

from models.exceptions import InputError

__all__ = ["MAX_DEPTH", "LightGBMParams", "as_monotone"]

MAX_DEPTH = 8


@dataclass(frozen=True, kw_only=True)
class LightGBMParams:
    """The settings of the trees that a search may move; LightGBM's own names and meanings but for the last two.

    Numbers are kept at six significant digits, which is what LightGBM writes into a model's text: so a loaded model
    has exactly the settings it was fitted with.

    Attributes
    ----------
    learning_rate : float
        Shrinkage of each tree, in (0, 1].
    num_leaves : int
        Leaves of a tree at most, 2 to 256.
    max_depth : int
        Depth of a tree at most, 1 to 8. Bounded, since the time of exact SHAP values grows with its square.
    min_data_in_leaf : int
        Rows in a leaf at least, from 1.
    min_sum_hessian_in_leaf : float
        Sum of p (1 - p) over the rows of a leaf at least, from 0.
    feature_fraction, bagging_fraction : float
        Share of the features (rows) drawn for each tree, in (0, 1].
    lambda_l1, lambda_l2 : float
        Penalties on the leaf values, from 0.
    min_gain_to_split : float
        Gain in log-likelihood that a split has to bring, from 0.
    num_rounds : int
        Trees at most, from 1.
    early_stopping_rounds : int
        Rounds without a better log loss on the early stopping rows after which the fit stops, from 1. Not used where
        ``fit`` gets no such rows.
    """

    learning_rate: float = 0.05
    num_leaves: int = 31
    max_depth: int = 6
    min_data_in_leaf: int = 20
    min_sum_hessian_in_leaf: float = 0.001
    feature_fraction: float = 1.0
    bagging_fraction: float = 1.0
    lambda_l1: float = 0.0
    lambda_l2: float = 0.0
    min_gain_to_split: float = 0.0
    num_rounds: int = 500
    early_stopping_rounds: int = 50

    def __post_init__(self) -> None:
        for field in fields(self):
            low, high = _LEGAL_RANGES[field.name]
            value = getattr(self, field.name)
            if not low <= value <= high:
                raise InputError(f"{field.name} must be between {low:g} and {high:g}, got {value!r}")
            if isinstance(field.default, float):
                object.__setattr__(self, field.name, float(f"{value:.6g}"))
            elif value != int(value):
                raise InputError(f"{field.name} must be a whole number, got {value!r}")


_LEGAL_RANGES: dict[str, tuple[float, float]] = {
    "learning_rate": (1e-6, 1.0),
    "num_leaves": (2, 2**MAX_DEPTH),
    "max_depth": (1, MAX_DEPTH),
    "min_data_in_leaf": (1, 2**31 - 1),
    "min_sum_hessian_in_leaf": (0.0, 1e9),
    "feature_fraction": (1e-6, 1.0),
    "bagging_fraction": (1e-6, 1.0),
    "lambda_l1": (0.0, 1e9),
    "lambda_l2": (0.0, 1e9),
    "min_gain_to_split": (0.0, 1e9),
    "num_rounds": (1, 100_000),
    "early_stopping_rounds": (1, 100_000),
}


def as_monotone(
    monotone: Mapping[str, int], feature_names: tuple[str, ...], categorical: tuple[str, ...]
) -> dict[str, int]:
    """Return the directions of monotone columns in the order of the columns.

    Raises
    ------
    InputError
        One is no feature, is categorical (codes have no order), or has a direction other than -1 and 1.
    """
    unknown = [name for name in monotone if name not in feature_names or name in categorical]
    if unknown:
        raise InputError(
            f"monotone names {', '.join(unknown)}, which are no features with an order; give names of columns that "
            "hold numbers"
        )
    for name, direction in monotone.items():
        if direction not in (-1, 1):
            raise InputError(f"the direction of {name!r} must be 1 (rises) or -1 (falls), got {direction!r}")
    return {name: monotone[name] for name in feature_names if name in monotone}
