"""Why the sum of a forecast is off, as far as purchases tell: the season, a single cohort, a faster pace."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta

import numpy as np

from training.purchase_holdout import PurchaseHoldout

__all__ = ["explain_total"]

# Sums that are off by less need no words.
_WORTH_WORDS = 0.1
# From this share of its days on, a season that was never seen is told.
_UNSEEN = 0.1
# First purchases within this share of the history are one cohort; a hundredth of the customers may come later.
_COHORT = 1 / 3
_ALL_BUT_LATE_COMERS = 0.99
_PACE = 0.1

_EPOCH = date(1970, 1, 1)


def explain_total(holdout: PurchaseHoldout, name: str, total_errors: Mapping[str, float | None]) -> list[str]:
    """Say why more or less came in a hold-out than a forecast had expected.

    Parameters
    ----------
    holdout : PurchaseHoldout
    name : str
        Of the forecast.
    total_errors : mapping of name to float or None
        Share by which the sum of each candidate is off, that of the forecast among them.

    Returns
    -------
    list of str
        Sentences; none where the sum is off by no more than a tenth.
    """
    error = total_errors[name]
    if error is None or abs(error) <= _WORTH_WORDS:
        return []
    came = holdout.actual.sum()
    told = (
        f"{name} expected {came * (1 + error):,.0f} purchase days in the hold-out's {holdout.days} days, and "
        f"{came:,.0f} came ({error:+.1%})."
    )
    is_too_low = error < 0
    causes = [*_season(holdout), *_cohort(holdout), *(_faster_pace(holdout) if is_too_low else ())]
    if not causes:
        pace = " nor a faster pace" if is_too_low else ""
        causes.append(f"Neither season nor a single cohort{pace} explains it.")
    return [told, *_others(error, list(total_errors.values())), *causes]


def _others(error: float, errors: list[float | None]) -> Iterator[str]:
    sizes = [abs(other) for other in errors if other is not None and other * error > 0]
    if len(sizes) == len(errors) > 1:
        yield (
            f"All {len(sizes)} candidates are too {'high' if error > 0 else 'low'}, by {min(sizes):.0%} to "
            f"{max(sizes):.0%}."
        )


def _season(holdout: PurchaseHoldout) -> Iterator[str]:
    """Name the months of the hold-out with days of the year that the history never met."""
    first = _first_day(holdout)
    met = {_day_of_year(day) for day in range(first, holdout.start.last_day + 1)}
    days = range(holdout.start.last_day + 1, holdout.start.last_day + 1 + holdout.days)
    unmet = [day for day in days if _day_of_year(day) not in met]
    if len(unmet) > _UNSEEN * holdout.days:
        months = ", ".join(dict.fromkeys(_date(day).strftime("%B") for day in unmet))
        yield (
            f"{len(unmet)} of the hold-out's {holdout.days} days lie in a season that the history, which begins on "
            f"{_date(first)}, never saw: {months}."
        )


def _cohort(holdout: PurchaseHoldout) -> Iterator[str]:
    """Tell of customers who all came at the beginning: their age and the calendar can't be told apart."""
    T = holdout.rfm.T
    history = T.max() + 1
    came_within = history - np.quantile(T, 1 - _ALL_BUT_LATE_COMERS)
    if came_within <= _COHORT * history:
        yield (
            f"{_ALL_BUT_LATE_COMERS:.0%} of the {len(T):,} customers first purchased in the first {came_within:.0f} of "
            f"{history:.0f} days: as one cohort, how they age can't be told from what the times do to all."
        )


def _faster_pace(holdout: PurchaseHoldout) -> Iterator[str]:
    """Compare what came with as many days before, of customers who were there in both.

    The models know customers who drop out, and none who hasten: of the same customers they expect no more than came
    before. So a rise is beyond what they expected, and tells why a forecast is too low. A fall does not tell why one is
    too high, as drop-out was expected.
    """
    there = holdout.days <= holdout.rfm.T
    before, then = holdout.before[there].sum(), holdout.actual[there].sum()
    if before and then / before - 1 > _PACE:
        yield (
            f"Customers known for all of the {holdout.days} days before the hold-out purchased on {before:,.0f} days "
            f"then, and on {then:,.0f} in it ({then / before - 1:+.0%})."
        )


def _first_day(holdout: PurchaseHoldout) -> int:
    return holdout.start.last_day - int(holdout.rfm.T.max())


def _day_of_year(day: int) -> tuple[int, int]:
    found = _date(day)
    # The 29th of February is no season of its own.
    return (found.month, min(found.day, 28)) if found.month == 2 else (found.month, found.day)


def _date(day: int) -> date:
    return _EPOCH + timedelta(days=day)
