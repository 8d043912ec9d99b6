"""The chart of who returns after how long a silence."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models import svg
from models.binary_classifier import FloatArray
from models.exceptions import InputError

__all__ = ["ReturnLine", "return_chart"]

_LEFT, _TOP, _WIDTH, _HEIGHT = 50.0, 40.0, 290.0, 300.0
_BELOW = _TOP + _HEIGHT
# Told apart without colour, beside the name at the end of each line.
_DASHES = ("9 4", "2 4", "9 4 2 4", "16 5", "5 3")
_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
_MOST_TICKS = 6
_ROUND_STEPS = (5, 10, 15, 30, 60, 90, 180, 365)


@dataclass(frozen=True, slots=True, eq=False)
class ReturnLine:
    """One line of the chart.

    Attributes
    ----------
    label : str
        Whose silences, in about 16 letters.
    days : float64, shape (n,)
        Of silence, ascending, from 0.
    share : float64, shape (n,)
        Of those silent so long, who return; in [0, 1].
    is_main : bool
        Whether it is the one that the horizon is judged by; drawn thick.
    """

    label: str
    days: FloatArray
    share: FloatArray
    is_main: bool = False


def return_chart(
    lines: Sequence[ReturnLine], *, title: str, description: str, level: float, horizon_days: int | None = None
) -> str:
    """Return the share of silences that end in a return, against how long they have lasted.

    Parameters
    ----------
    lines : sequence of ReturnLine
        Those without points are left out.
    title, description : str
        What is shown, in a few words, and how to read it.
    level : float
        Share in [0, 1] at which a dashed line stands: below it a horizon is long enough.
    horizon_days : int, optional
        The horizon to mark.

    Raises
    ------
    InputError
        A line whose days and shares are not of one length, finite, and in range.
    """
    drawn = [_checked(line) for line in lines if len(line.days)]
    last_day = max([1.0, float(horizon_days or 0), *(float(line.days[-1]) for line in drawn)])

    def across(days: FloatArray | float) -> FloatArray:
        return np.asarray(_LEFT + _WIDTH * np.asarray(days) / last_day)

    def up(share: FloatArray | float) -> FloatArray:
        return np.asarray(_BELOW - _HEIGHT * np.asarray(share))

    body = [svg.text(0, svg.FONT, "share that returns")]
    for share in _SHARES:
        body.append(svg.line(_LEFT, float(up(share)), _LEFT + _WIDTH, float(up(share)), svg.GRID_COLOUR, width=0.5))
        body.append(svg.text(_LEFT - 6, float(up(share)) + 5, f"{share:.0%}", anchor="end"))
    ticks = _ticks(last_day)
    body += [svg.text(float(across(days)), _BELOW + svg.LINE, f"{days:,}", anchor="middle") for days in ticks]
    body.append(svg.text(_LEFT + _WIDTH / 2, _BELOW + 2 * svg.LINE, "days without a purchase", anchor="middle"))
    body.append(svg.line(_LEFT, float(up(level)), _LEFT + _WIDTH, float(up(level)), svg.TOWARDS_COLOUR, dashed=True))
    if horizon_days is not None:
        at = float(across(horizon_days))
        body.append(svg.line(at, _TOP, at, _BELOW, svg.TOWARDS_COLOUR))
        body.append(svg.text(at, _TOP - 6, f"{horizon_days:,} days", anchor="middle"))

    dashes = iter(_DASHES * len(drawn))
    for line, label_at in zip(drawn, _apart([float(up(line.share[-1])) for line in drawn]), strict=True):
        x, y = across(line.days), up(line.share)
        if line.is_main:
            body.append(svg.polyline(x, y, svg.BAR_COLOUR, width=4))
        else:
            body.append(svg.polyline(x, y, svg.AGAINST_COLOUR, width=1.5, dashes=next(dashes)))
        body.append(svg.line(float(x[-1]), float(y[-1]), _LEFT + _WIDTH + 10, label_at, svg.GRID_COLOUR, width=0.5))
        body.append(svg.text(_LEFT + _WIDTH + 14, label_at + 5, svg.cut(line.label, 17)))
    return svg.drawing(title, description, [_spoken(line) for line in drawn], _BELOW + 2 * svg.LINE + 6, body)


def _checked(line: ReturnLine) -> ReturnLine:
    days, share = line.days, line.share
    in_range = np.isfinite(days).all() and ((share >= 0) & (share <= 1)).all()
    if len(days) != len(share) or not in_range or days[0] < 0 or (np.diff(days) <= 0).any():
        raise InputError(
            f"{line.label}: expected ascending days from 0 and one share in [0, 1] for each, got {len(days)} days and "
            f"{len(share)} shares, some out of range or order"
        )
    return line


def _ticks(last_day: float) -> range:
    step = next((step for step in _ROUND_STEPS if last_day / step <= _MOST_TICKS), 365 * int(last_day / 1825 + 1))
    return range(0, int(last_day) + 1, step)


def _apart(heights: Sequence[float]) -> list[float]:
    """Return heights for labels that are a line apart and within the chart, in their order from above."""
    placed = [0.0] * len(heights)
    order = sorted(range(len(heights)), key=lambda i: (heights[i], i))
    free = _TOP
    for i in order:
        placed[i] = max(heights[i], free)
        free = placed[i] + svg.LINE
    limit = _BELOW
    for i in reversed(order):
        placed[i] = min(placed[i], limit)
        limit = placed[i] - svg.LINE
    return placed


def _spoken(line: ReturnLine) -> str:
    """Say a line in words, at five of its points."""
    shown = np.unique(np.linspace(0, len(line.days) - 1, 5).round().astype(np.int64))
    points = ", ".join(f"{line.share[i]:.0%} after {line.days[i]:,.0f} days" for i in shown)
    return f"{line.label}: {points}"
