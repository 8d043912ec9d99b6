"""What the purchase models take for granted, held against a log."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.build import build_features
from features.event_log import ORDER, EventLog
from features.rfm import Rfm
from features.windows import Snapshot
from models.btyd.assumptions import check_assumptions
from models.purchase_model import spent

__all__ = ["assumptions_of", "whole_months"]


def assumptions_of(log: EventLog, *, end_day: int) -> list[dict[str, Any]]:
    """Check each assumption of the models of purchases and of value on all that is known.

    Parameters
    ----------
    log : EventLog
        With at least one purchase.
    end_day : int
        Local day at whose midnight it ends.

    Returns
    -------
    list of dict
        JSON-safe: `name`, `holds` (None where the log can't tell), `n_customers`, `figure`, `text` in plain words.
    """
    rfm = Rfm.of(build_features(log, Snapshot.at_midnight(end_day, log.calendar)))
    days = log.day[(log.kind == ORDER) & (log.day < end_day)]
    first_day = int(days.min())
    by_month, first_month = whole_months(days, first_day, end_day)
    checks = check_assumptions(
        frequency=rfm.frequency,
        monetary_value=spent(rfm),
        # T runs up to the last day observed, the one before `end_day`.
        first_purchase_day=end_day - 1 - rfm.T - first_day,
        log_days=end_day - first_day,
        monthly_purchases=by_month,
        first_month=first_month,
    )
    return [asdict(check) for check in checks]


def whole_months(days: NDArray[np.int32], first_day: int, end_day: int) -> tuple[NDArray[np.int64], int]:
    """Count the orders of each whole calendar month.

    Parameters
    ----------
    days : int32, shape (n,)
        Local day of each order, since 1970-01-01.
    first_day, end_day : int
        The log runs from the one up to the midnight of the other.

    Returns
    -------
    counts : int64, shape (m,)
        In order; empty where no month is whole.
    first_month : int
        Which calendar month the first of them is, 1 to 12.
    """
    day = np.arange(first_day, end_day + 1).astype("datetime64[D]")
    begins = day[day.astype("datetime64[M]").astype("datetime64[D]") == day]
    if len(begins) < 2:
        return np.zeros(0, np.int64), 1
    bounds = begins.astype(np.int64)
    # The last bin of a histogram holds its upper bound too: the first day of the month that is not whole.
    counts, _ = np.histogram(days[days < bounds[-1]], bins=bounds)
    return counts, int(begins[0].astype("datetime64[M]").astype(np.int64) % 12) + 1
