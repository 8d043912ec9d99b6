"""Shares and their differences with intervals, and how many customers it takes to tell two shares apart."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self

from scipy.optimize import brentq
from scipy.special import ndtri

from models.exceptions import InputError

__all__ = ["Interval", "needed_sample", "newcombe_difference", "ratio_interval", "wilson_interval"]

# Of a standard normal: for the 5 % level, from both sides; and for the power.
_Z = float(ndtri(0.975))
_POWER = 0.8
# On the scale of logarithms of a ratio.
_FIRST_STEP, _FAR = 0.01, 30.0


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate and between which bounds the truth lies in 95 cases of 100."""

    estimate: float
    low: float
    high: float

    def times(self, factor: float) -> Interval:
        """Return the interval of a multiple, the factor being 0 or more."""
        return Interval(self.estimate * factor, self.low * factor, self.high * factor)

    def plus(self, amount: float) -> Interval:
        """Return the interval of a sum with what is known exactly."""
        return Interval(self.estimate + amount, self.low + amount, self.high + amount)

    @classmethod
    def from_dict(cls, values: Mapping[str, float]) -> Self:
        """Read what `dataclasses.asdict` gave."""
        return cls(**values)


def wilson_interval(events: float, n: float, level: float = 0.95) -> Interval:
    """Return the share that was seen as ``events`` of ``n`` rows, with its score interval.

    Wilson, E. B. (1927), Journal of the American Statistical Association 22, 209-212; method 3 of Newcombe (1998a),
    Statistics in Medicine 17, 857-872. Its ends are the shares from which what was seen is just so far away as a normal
    distribution makes it at this level; so it stays within [0, 1], and has a width where none or all rows are events.

    Parameters
    ----------
    events : float
        From 0 to n; not whole where rows that are tied share their mean outcome.
    n : float
        Above 0.
    level : float
        In (0, 1): how often such intervals hold the true share.

    Raises
    ------
    InputError
        No rows, more events than rows, fewer than none, or a level outside (0, 1).

    Examples
    --------
    >>> found = wilson_interval(81, 263)
    >>> round(found.low, 4), round(found.high, 4)
    (0.2553, 0.3662)
    """
    if not (0 <= events <= n and n > 0 and 0 < level < 1):
        raise InputError(
            f"expected 0 to n events of n rows, n above 0, and a level between 0 and 1; got {events} of {n} and {level}"
        )
    z = float(ndtri(0.5 + level / 2))
    share = events / n
    middle, bottom = 2 * events + z**2, 2 * (n + z**2)
    spread = z * math.sqrt(z**2 + 4 * events * (1 - share))
    # At the ends it is exact; rounding could leave it on the other side of them.
    low = 0.0 if events == 0 else (middle - spread) / bottom
    high = 1.0 if events == n else (middle + spread) / bottom
    return Interval(share, low, high)


def newcombe_difference(came: int, n: int, came_held_out: int, n_held_out: int) -> Interval:
    """Return the difference of two shares with its 95 % hybrid score interval.

    Newcombe, R. G. (1998b), Statistics in Medicine 17, 873-890, method 10: the Wilson intervals of the two shares give
    how far each may lie off towards the other.

    Examples
    --------
    >>> found = newcombe_difference(56, 70, 48, 80)
    >>> round(found.estimate, 4), round(found.low, 4), round(found.high, 4)
    (0.2, 0.0524, 0.3339)
    """
    one, other = wilson_interval(came, n), wilson_interval(came_held_out, n_held_out)
    difference = one.estimate - other.estimate
    return Interval(
        difference,
        difference - math.hypot(one.estimate - one.low, other.high - other.estimate),
        difference + math.hypot(one.high - one.estimate, other.estimate - other.low),
    )


def ratio_interval(events: int, n: int, events_other: int, n_other: int) -> Interval:
    """Return the ratio of two shares with its 95 % score interval.

    Koopman, P. A. R. (1984), Biometrics 40, 513-517: the ratios at which the shares that are then most likely, given
    what was seen, are just so far from it as chance makes them. Unlike an interval from the logarithm's error (Katz et
    al. 1978) it does not take an arm in which all rows are events for one that can't have been otherwise.

    Parameters
    ----------
    events, n : int
        Of the numerator; events from 0 to n.
    events_other, n_other : int
        Of the denominator; at least one event.

    Raises
    ------
    InputError
        No rows, more events than rows, or no event in the denominator.

    Examples
    --------
    >>> found = ratio_interval(36, 40, 16, 80)
    >>> round(found.estimate, 2), round(found.low, 3), round(found.high, 3)
    (4.5, 2.94, 7.152)
    """
    if not (0 <= events <= n and 0 < events_other <= n_other and n > 0):
        raise InputError(
            f"expected 0 to n events of n rows in both, one at least in the second; got {events} of {n} and "
            f"{events_other} of {n_other}"
        )

    def distance(log_ratio: float) -> float:
        """How far off what was seen is at a ratio, in standard errors: it falls as the ratio grows."""
        ratio = math.exp(log_ratio)
        # The most likely share of the denominator, the numerator's being that times the ratio.
        a, c = (n + n_other) * ratio, events + events_other
        b = n * ratio + events + n_other + events_other * ratio
        other = min((b - math.sqrt(max(b * b - 4 * a * c, 0.0))) / (2 * a), 1.0, 1.0 / ratio)
        share = ratio * other
        variance = share * (1 - share) / n + ratio**2 * other * (1 - other) / n_other
        off = events / n - ratio * events_other / n_other
        return off / math.sqrt(variance) if variance > 0.0 else math.copysign(math.inf, off) if off else 0.0

    estimate = (events / n) / (events_other / n_other)
    middle = math.log(estimate) if events else None
    low = 0.0 if middle is None else math.exp(_crossing(distance, _Z, middle, -1.0))
    return Interval(estimate, low, math.exp(_crossing(distance, -_Z, -_FAR if middle is None else middle, 1.0)))


def _crossing(distance: Callable[[float], float], at: float, start: float, direction: float) -> float:
    """Return where a falling function passes a value, looking from where it is short of it into a direction."""
    step = _FIRST_STEP
    while (distance(start + direction * step) - at) * direction > 0.0:
        step *= 2.0
    ends = sorted((start, start + direction * step))
    return float(brentq(lambda x: distance(x) - at, ends[0], ends[1], xtol=1e-12))


def needed_sample(rate: float, rate_held_out: float, *, ratio: float = 1.0) -> tuple[int, int]:
    """Return how many customers, contacted and held out, tell two rates apart with a power of .8 at the 5 % level.

    Fleiss, Levin & Paik (2003), Statistical Methods for Rates and Proportions, section 4.4, without the correction for
    continuity.

    Parameters
    ----------
    rate, rate_held_out : float
        In [0, 1]; different.
    ratio : float
        Contacted customers for each who is held out, above 0.

    Examples
    --------
    >>> needed_sample(0.6, 0.7)
    (356, 356)
    """
    difference = rate - rate_held_out
    if difference == 0 or ratio <= 0:
        raise InputError(f"expected different rates and a ratio above 0, got {rate:g} twice, or ratio {ratio:g}")
    pooled = (rate_held_out + ratio * rate) / (1 + ratio)
    by_chance = _Z * math.sqrt((ratio + 1) * pooled * (1 - pooled))
    by_power = float(ndtri(_POWER)) * math.sqrt(ratio * rate_held_out * (1 - rate_held_out) + rate * (1 - rate))
    held_out = (by_chance + by_power) ** 2 / (ratio * difference**2)
    return math.ceil(round(ratio * held_out, 6)), math.ceil(round(held_out, 6))
