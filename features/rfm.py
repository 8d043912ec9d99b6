"""Frequency, recency, T and monetary value: what the BTYD models read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.build import FeatureFrame

__all__ = ["Rfm"]


@dataclass(frozen=True, slots=True, eq=False)
class Rfm:
    """Purchase days of the customers who have any.

    Attributes
    ----------
    rows : int64, length n
        Their rows in the frame they come from, ascending.
    frequency, recency, T : float64, length n
        Repeat purchase days; days from first to last; days from first to the last day observed.
    monetary_value : float64, length n
        Mean value of the repeat purchase days; NaN for frequency 0.
    """

    rows: NDArray[np.int64]
    frequency: NDArray[np.float64]
    recency: NDArray[np.float64]
    T: NDArray[np.float64]
    monetary_value: NDArray[np.float64]

    @classmethod
    def of(cls, frame: FeatureFrame) -> Rfm:
        """Take them from a frame; customers without purchases are left out."""
        rows = np.flatnonzero(~np.isnan(frame["frequency"]))
        return cls(rows, *(frame[name][rows] for name in ("frequency", "recency", "T", "monetary_value")))
