"""Charts of drift: how far each feature moved from run to run, and where scores went since training."""

from collections.abc import Sequence

import numpy as np

from models import svg
from models.exceptions import InputError
from models.stability_index import ACT, WATCH

__all__ = ["drift_lines", "shift_bars"]

_STRIP = 40.0
_MOST = 0.5  # of an index; more is beyond telling apart
_ROW = svg.LINE + _STRIP + 14.0
_BAR = 9.0
_PAIR = svg.LINE + 2 * _BAR + 14.0


def drift_lines(labels: Sequence[str], indices: Sequence[Sequence[float]], *, title: str, description: str) -> str:
    """Return a row a feature: its population stability index over runs, the oldest on the left.

    All rows have one scale, from 0 to .5: whatever is above is drawn there, and its number tells. A thin line stands at
    .1, a dashed one at .25.

    Parameters
    ----------
    labels : sequence of str
        What each row stands for, in the order to be shown.
    indices : sequence of sequence of float
        Of each row, one a run, 0 or more; NaN of a run that has none of it.
    title, description : str
        What is shown, in a few words, and how to read it.

    Raises
    ------
    InputError
        Lengths that differ, or an index that is negative or infinite.
    """
    rows = [np.asarray(of_one, dtype=np.float64) for of_one in indices]
    if len(rows) != len(labels) or len({len(row) for row in rows}) > 1 or any(np.isinf(row).any() for row in rows):
        raise InputError(f"expected an index of each of the {len(labels)} rows for every run, finite or missing")
    if any((row < 0).any() for row in rows):
        raise InputError("expected indices of 0 and more")
    left, width = 0.0, svg.WIDTH - 8.0
    body, spoken = [], []
    for number, (label, row) in enumerate(zip(labels, rows, strict=True)):
        top = number * _ROW
        floor = top + svg.LINE + _STRIP
        known = np.flatnonzero(~np.isnan(row))
        newest = f"{row[known[-1]]:.2f}" if len(known) else "–"
        body.append(svg.text(0, top + svg.FONT, svg.cut(label, 46)))
        body.append(svg.text(svg.WIDTH, top + svg.FONT, newest, anchor="end"))
        body.append(svg.line(left, floor, svg.WIDTH, floor, svg.GRID_COLOUR, width=0.5))
        for level, dashed in ((WATCH, False), (ACT, True)):
            at = floor - _STRIP * level / _MOST
            body.append(svg.line(left, at, svg.WIDTH, at, svg.GRID_COLOUR, width=0.5, dashed=dashed))
        x = left + 4.0 + (width * known / (len(row) - 1) if len(row) > 1 else width * np.ones(len(known)))
        y = floor - _STRIP * np.minimum(row[known], _MOST) / _MOST
        body.append(svg.polyline(x, y, svg.BAR_COLOUR))
        if len(known):
            body.append(f'<circle cx="{x[-1]:.2f}" cy="{y[-1]:.2f}" r="4" fill="{svg.BAR_COLOUR}"/>')
        first = f", from {row[known[0]]:.2f}" if len(known) > 1 else ""
        spoken.append(f"{label}: {newest} in the newest run{first}")
    return svg.drawing(title, description, spoken, len(rows) * _ROW, body)


def shift_bars(
    labels: Sequence[str], before: Sequence[float], now: Sequence[float], *, title: str, description: str
) -> str:
    """Return two bars a bin: the share of customers in it at training, and in a run.

    Parameters
    ----------
    labels : sequence of str
        What each bin holds, in order.
    before, now : sequence of float
        Shares in [0, 1].
    title, description : str
        What is shown, in a few words, and how to read it.

    Raises
    ------
    InputError
        Lengths that differ, or a share outside [0, 1].
    """
    first, second = (np.asarray(shares, dtype=np.float64) for shares in (before, now))
    both = np.concatenate([first, second])
    if not len(labels) == len(first) == len(second) or not ((both >= 0) & (both <= 1)).all():
        raise InputError(f"expected two shares in [0, 1] for each of the {len(labels)} bins")
    longest = both.max(initial=0.0) or 1.0
    body = [
        svg.rect(0, svg.FONT - 11, 12, 12, svg.GRID_COLOUR),
        svg.text(18, svg.FONT, "at training"),
        svg.rect(svg.WIDTH / 2, svg.FONT - 11, 12, 12, svg.BAR_COLOUR),
        svg.text(svg.WIDTH / 2 + 18, svg.FONT, "in this run"),
    ]
    top = svg.LINE + 10
    spoken = []
    for label, then, here in zip(labels, first, second, strict=True):
        body.append(svg.text(0, top + svg.FONT, svg.cut(label, 36)))
        body.append(svg.text(svg.WIDTH, top + svg.FONT, f"{then:.1%} → {here:.1%}", anchor="end"))
        body.append(svg.rect(0, top + svg.LINE, svg.WIDTH * then / longest, _BAR, svg.GRID_COLOUR))
        body.append(svg.rect(0, top + svg.LINE + _BAR, svg.WIDTH * here / longest, _BAR, svg.BAR_COLOUR))
        spoken.append(f"{label}: {then:.1%} at training, {here:.1%} in this run")
        top += _PAIR
    return svg.drawing(title, description, spoken, top, body)
