"""Who may be asked about, and what came of it: eligibility and labels over [snapshot, snapshot + horizon)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.aggregate import purchased_between
from features.build import FeatureFrame
from features.event_log import EventLog
from features.windows import Snapshot

__all__ = ["churned", "eligible"]


def eligible(frame: FeatureFrame, activity_days: int) -> NDArray[np.bool_]:
    """Whether each customer purchased within the activity window before the snapshot.

    Parameters
    ----------
    frame : FeatureFrame
        Features at the snapshot.
    activity_days : int
        Length of the window, in days, at least 1.

    Returns
    -------
    bool, length n
        False for customers without purchases.
    """
    # A comparison with NaN is false, which is what a customer without purchases is.
    return frame["days_since_last_purchase"] < activity_days


def churned(log: EventLog, snapshot: Snapshot, horizon_days: int) -> NDArray[np.float64]:
    """Label of churn by inactivity: 1 without a purchase within the horizon, else 0.

    Parameters
    ----------
    log : EventLog
        Must reach to the end of the horizon.
    snapshot : Snapshot
        A midnight.
    horizon_days : int
        Length of the label interval [snapshot, snapshot + horizon), in days.

    Returns
    -------
    float64, length n_customers
    """
    end = snapshot.after(horizon_days, log.calendar)
    return 1.0 - purchased_between(log, snapshot, end).astype(np.float64)
