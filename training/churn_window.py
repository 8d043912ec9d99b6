"""The churn window, found in the log: who returns after how long a silence, and which horizon that proposes.

**The rule.** Of `HORIZONS`, the shortest after which fewer than half of the silences of repeat customers still end in a
return: from then on a customer is more likely gone than not. Whoever is called churned at a horizon of h days has been
silent for h to 3 h days, and the longer the silence, the rarer the return; so this holds for those called churned too
soon the most, and for the others all the more. First purchases don't count: most of those who never come back bought
once, whatever the horizon, and would make any horizon look long enough. Three horizons must fit into the history, as
they must for a training: one to look back, one to learn from, one to test on.

Where customers buy like clockwork, too few silences last long enough to follow them, which says more than a share of
returns would: the shortest horizon by which nearly all silences have ended is long enough, since whoever is silent for
so long does what customers don't. Where no horizon is long enough, the longest that could be told is proposed, and said
to be too short; `auto` takes it only if it is no shorter than the default.

Returns within as many days again don't single out a horizon: their share hardly changes with its length (on CDNOW a
fifth from 45 to 180 days), since gaps between purchases have a heavy tail. Hence returns as far as observed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.event_log import EventLog
from store.training_request import AUTO, DEFAULT_HORIZON_DAYS, TrainingRequest
from training.silences import FEWEST_SILENCES, ReturnCurve, Silences

__all__ = [
    "ALL",
    "HORIZONS",
    "REPEAT",
    "SILENCES_SHOWN",
    "ChurnWindow",
    "ReturnFigure",
    "SilenceGroup",
    "find_churn_window",
    "resolved",
]

# Days of silence after which returns are shown, and horizons that may be proposed.
SILENCES_SHOWN = (30, 60, 90, 180)
HORIZONS = (7, 14, 30, 45, 60, 90, 120, 150, 180, 270, 365, 545, 730)
HORIZONS_IN_HISTORY = 3
MAX_RETURNING = 0.5

REPEAT = "repeat customers"
ALL = "all"
# By the customer's usual gap, each up to so many days; after the first purchase there is none.
_LONGEST_GAPS = (7, 30, 90, np.inf)
_CADENCES = ("up to 7 days", "8 to 30 days", "31 to 90 days", "over 90 days", "first purchase")
_FIRST = len(_CADENCES) - 1
_IN_NONE = np.int8(-1)
_TO_SEE = "To see why: regulars churn-window"


@dataclass(frozen=True, slots=True)
class ReturnFigure:
    """How many return after so many days of silence.

    Attributes
    ----------
    days : int
    silences, customers : int
        Silences that are known to have lasted so long, and whose they are.
    share : float or None
        Of them, those that end in a return as far as observed, in [0, 1]; None where there is too little to say.
    """

    days: int
    silences: int
    customers: int
    share: float | None


@dataclass(frozen=True, slots=True, eq=False)
class SilenceGroup:
    """The silences of customers with a like cadence; one whose cadence changes is in several groups.

    Attributes
    ----------
    name : str
    curve : ReturnCurve
    customers_by_length : int64, shape (k,)
        Customers with a silence of the group that is known to have lasted 0, 1, … days.
    """

    name: str
    curve: ReturnCurve
    customers_by_length: NDArray[np.int64]

    @property
    def silences(self) -> int:
        """All of them, however short."""
        return self.curve.n_lasted(0)

    @property
    def customers(self) -> int:
        """Whose they are."""
        return self._customers(0)

    @property
    def figures(self) -> tuple[ReturnFigure, ...]:
        """One for each of `SILENCES_SHOWN`."""
        return tuple(map(self.figure, SILENCES_SHOWN))

    def figure(self, days: int) -> ReturnFigure:
        """Return what is known of those who were silent for so long."""
        curve = self.curve
        return ReturnFigure(days, curve.n_lasted(days), self._customers(days), curve.share_returning(days))

    def _customers(self, days: int) -> int:
        return int(self.customers_by_length[days]) if days < len(self.customers_by_length) else 0


@dataclass(frozen=True, slots=True, eq=False)
class ChurnWindow:
    """What the silences of a log say of the horizon of churn.

    Attributes
    ----------
    silences : Silences
    groups : tuple of SilenceGroup
        By cadence, then after the first purchase, then `REPEAT` (all but those), then `ALL`.
    candidates : tuple of ReturnFigure
        Of repeat customers, one for each of `HORIZONS` that fits into the history.
    horizon_days : int or None
        What is proposed; None where there is too little to tell.
    is_long_enough : bool
        Whether fewer than `MAX_RETURNING` of them return after it, or nearly all silences have ended by then.
    reason : str
        Why this, or why nothing; sentences for an analyst.
    """

    silences: Silences
    groups: tuple[SilenceGroup, ...]
    candidates: tuple[ReturnFigure, ...]
    horizon_days: int | None
    is_long_enough: bool
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as JSON-safe values."""
        return {
            "history_days": self.silences.history_days,
            "horizon_days": self.horizon_days,
            "is_long_enough": self.is_long_enough,
            "reason": self.reason,
            "groups": [
                {
                    "name": group.name,
                    "customers": group.customers,
                    "silences": group.silences,
                    "followed_days": group.curve.followed_days,
                    "returns": [_as_dict(figure) for figure in group.figures],
                }
                for group in self.groups
            ],
            "candidates": [_as_dict(figure) for figure in self.candidates],
        }


def find_churn_window(log: EventLog) -> ChurnWindow:
    """Find what the silences of a log say of the horizon of churn.

    Parameters
    ----------
    log : EventLog
        What was known at the instant that is meant; it ends at the midnight after its last purchase day.

    Returns
    -------
    ChurnWindow
    """
    silences = Silences.of(log)
    cadence = np.searchsorted(_LONGEST_GAPS, silences.usual_gap).astype(np.int8)  # NaN comes after all numbers
    everybody = np.zeros_like(cadence)
    [repeat] = _groups(silences, np.where(cadence == _FIRST, _IN_NONE, everybody), (REPEAT,))
    fitting = [days for days in HORIZONS if HORIZONS_IN_HISTORY * days <= silences.history_days]
    candidates = tuple(map(repeat.figure, fitting))
    groups = (*_groups(silences, cadence, _CADENCES), repeat, *_groups(silences, everybody, (ALL,)))
    return ChurnWindow(silences, groups, candidates, *_propose(silences, repeat.curve, candidates))


def resolved(request: TrainingRequest, log: EventLog) -> tuple[TrainingRequest, str | None]:
    """Put a number in the place of `auto`, and say what the log proposes.

    Parameters
    ----------
    request : TrainingRequest
    log : EventLog
        What was known at the instant that the models speak of, such as `request.as_of`.

    Returns
    -------
    request : TrainingRequest
        Its `horizon_days` are a number: the one asked for, else the one proposed, else the default. A proposal that is
        too short and below the default is not taken: more of those called churned would come back.
    note : str or None
        For the report; None where nothing was asked and nothing can be said.
    """
    window = find_churn_window(log)
    proposed = window.horizon_days
    if request.horizon_days == AUTO:
        chosen = DEFAULT_HORIZON_DAYS if proposed is None else proposed
        kept = "keeps its default" if proposed is None else "was chosen by the silences of the log"
        if not window.is_long_enough and chosen < DEFAULT_HORIZON_DAYS:
            kept = f"keeps its default, as the {chosen} days that the silences of the log propose are too short"
            chosen = DEFAULT_HORIZON_DAYS
        note = f"The horizon of {chosen} days {kept}: {window.reason} {_TO_SEE}"
        return request.model_copy(update={"horizon_days": chosen}), note
    if proposed is None:
        return request, None
    if proposed == request.horizon_days:
        return request, f"The horizon of {proposed} days is also what the silences of the log propose: {window.reason}"
    note = f"The horizon is {request.horizon_days} days; the silences of the log propose {proposed}: {window.reason}"
    return request, f"{note} {_TO_SEE}"


def _propose(
    silences: Silences, curve: ReturnCurve, candidates: tuple[ReturnFigure, ...]
) -> tuple[int | None, bool, str]:
    """Return the horizon, whether it is long enough, and why."""
    history = f"{silences.history_days:,} days of history"
    if not candidates:
        return None, False, f"there are {history}; a proposal needs {HORIZONS_IN_HISTORY * HORIZONS[0]} at least."
    told = [(figure, figure.share) for figure in candidates if figure.share is not None]
    for figure, share in told:
        if share < MAX_RETURNING:
            return figure.days, True, f"of the {_in_words(figure, share)}, fewer than half."
    for figure in candidates[len(told) :]:  # none is told after one that is not: fewer last longer
        if curve.nearly_all_ended(figure.days):
            ended = f"{_rounded_down(curve.share_ended(figure.days))} of the silences of repeat customers have ended"
            return figure.days, True, f"by then {ended}; whoever is silent for longer is likely leaving."
    if not told:
        return None, False, f"fewer than {FEWEST_SILENCES} silences of repeat customers could be followed."
    longest, share = told[-1]
    though = f"though of the {_in_words(longest, share)}."
    if longest is candidates[-1]:
        why = f"it is the longest that {history} can tell of, {though} A longer history may propose a longer one."
    else:
        why = f"too few silences of repeat customers last long enough to tell of a longer one, {though}"
    return longest.days, False, why


def _in_words(figure: ReturnFigure, share: float) -> str:
    is_half_in_whole_numbers = share < MAX_RETURNING and f"{share:.0%}" == f"{MAX_RETURNING:.0%}"
    shown = _rounded_down(share) if is_half_in_whole_numbers else f"{share:.0%}"
    return f"{figure.silences:,} silences of repeat customers that lasted {figure.days} days {shown} ended in a return"


def _rounded_down(share: float) -> str:
    # What is below a half, or below all, is not to look like it.
    return f"{math.floor(share * 1000) / 1000:.1%}"


def _groups(silences: Silences, code: NDArray[np.int8], names: tuple[str, ...]) -> list[SilenceGroup]:
    """Return the groups that a code of each silence, an index into names, tells apart."""
    customers = silences.customers_by_length(code, len(names))
    return [
        SilenceGroup(name, ReturnCurve.of(silences.lasts[code == i], silences.returns[code == i]), customers[i])
        for i, name in enumerate(names)
    ]


def _as_dict(figure: ReturnFigure) -> dict[str, Any]:
    return {
        "days": figure.days,
        "silences": figure.silences,
        "customers": figure.customers,
        "share": figure.share,
    }
