"""Declarative checks of a frame before a model learns from it: unique customers, finite columns, declared ranges."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.build import FeatureFrame
from features.exceptions import CheckError

__all__ = ["check_frame"]

_SHOWN = 3


def check_frame(frame: FeatureFrame) -> None:
    """Raise `CheckError` naming the column, how many rows are wrong and the first of them.

    Parameters
    ----------
    frame : FeatureFrame
    """
    ids = np.array(frame.customer_ids, dtype=object)
    unique, counts = np.unique(ids, return_counts=True) if len(ids) else (ids, np.empty(0))
    if (counts > 1).any():
        raise CheckError(f"expected each customer once, got {_named(unique, counts > 1)} more than once")
    for feature, column in zip(frame.features, frame.values.T, strict=True):
        low = -np.inf if feature.minimum is None else feature.minimum
        high = np.inf if feature.maximum is None else feature.maximum
        # Written so that NaN, which means missing, passes.
        wrong = np.isinf(column) | (column < low) | (column > high)
        if wrong.any():
            first = column[wrong][0]
            raise CheckError(
                f"{feature.name}: expected finite values from {low} to {high}, got {first} and the like for "
                f"{_named(ids, wrong)}"
            )


def _named(ids: NDArray[np.object_], wrong: NDArray[np.bool_]) -> str:
    shown = ", ".join(str(i) for i in ids[wrong][:_SHOWN])
    return f"{int(wrong.sum())} customers ({shown}{', …' if wrong.sum() > _SHOWN else ''})"
