"""Charts as SVG text, for pages, reports and documents alike.

Every chart scales with its container (set a ``max-width`` in CSS; the text stays at 11 px and more from a width of 352
px on), takes its text colour from around it and its other colours from CSS variables (``--chart-bar``,
``--chart-towards``, ``--chart-against``, ``--chart-grid``) with fallbacks, and carries all of its data in words in
``<desc>``, since a screen reader sees one image. No inline style and no script, so that a strict content security
policy lets it pass. The same data gives the same text.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from models import svg
from models.binary_classifier import FloatArray
from models.exceptions import InputError
from models.metrics import CalibrationCurve

__all__ = ["bar_chart", "calibration_chart", "contribution_bars", "driver_bars", "gain_curve", "rates_chart"]

_BAR = 10.0
_ROW = svg.LINE + _BAR + 10.0
_MOST_POINTS = 200
_ARROWS: Mapping[str | None, str] = MappingProxyType({"higher": " ↑", "lower": " ↓"})


def bar_chart(
    labels: Sequence[str], values: Sequence[float] | FloatArray, *, title: str, description: str, decimals: int = 0
) -> str:
    """Return horizontal bars, one a label, each with its number.

    Parameters
    ----------
    labels : sequence of str
        What each bar stands for.
    values : sequence of float
        Lengths, finite, from 0.
    title, description : str
        What is shown, in a few words, and how to read it.
    decimals : int
        Decimals of the numbers printed.

    Raises
    ------
    InputError
        Lengths that differ, or a value that is negative or not finite.
    """
    lengths = _finite(values, labels)
    if (lengths < 0).any():
        raise InputError(f"expected bars of length 0 and more, got {lengths.min():g}; use contribution_bars for signs")
    numbers = [f"{length:,.{decimals}f}" for length in lengths]
    longest = lengths.max(initial=0.0) or 1.0
    body = []
    for row, (label, length, number) in enumerate(zip(labels, lengths, numbers, strict=True)):
        top = row * _ROW
        body.append(svg.text(0, top + svg.FONT, svg.cut(label, 42)))
        body.append(svg.text(svg.WIDTH, top + svg.FONT, number, anchor="end"))
        body.append(svg.rect(0, top + svg.LINE, svg.WIDTH * length / longest, _BAR, svg.BAR_COLOUR))
    spoken = [f"{label}: {number}" for label, number in zip(labels, numbers, strict=True)]
    return svg.drawing(title, description, spoken, len(labels) * _ROW, body)


def contribution_bars(
    labels: Sequence[str],
    contributions: Sequence[float] | FloatArray,
    *,
    title: str,
    description: str,
    towards: str = "raises the score",
    against: str = "lowers the score",
) -> str:
    """Return the reasons of one score as bars to the right (towards the target) and to the left (against) of a line.

    Direction and the printed sign say what the colour says.

    Parameters
    ----------
    labels : sequence of str
        The reasons, in the order to be shown.
    contributions : sequence of float
        Log-odds, finite.
    title, description : str
        What is shown, in a few words, and how to read it.
    towards, against : str
        Captions of the two directions.

    Raises
    ------
    InputError
        Lengths that differ, or a contribution that is not finite.
    """
    sizes = _finite(contributions, labels)
    numbers = [_signed(size) for size in sizes]
    largest = np.abs(sizes).max(initial=0.0) or 1.0
    middle = svg.WIDTH / 2
    body = [
        svg.text(middle - 8, svg.FONT, f"← {svg.cut(against, 26)}", anchor="end"),
        svg.text(middle + 8, svg.FONT, f"{svg.cut(towards, 26)} →"),
    ]
    for row, (label, size, number) in enumerate(zip(labels, sizes, numbers, strict=True)):
        top = svg.LINE + 4 + row * _ROW
        length = abs(size) / largest * middle
        left, colour = (middle, svg.TOWARDS_COLOUR) if size >= 0 else (middle - length, svg.AGAINST_COLOUR)
        body.append(svg.text(0, top + svg.FONT, svg.cut(label, 50)))
        body.append(svg.text(svg.WIDTH, top + svg.FONT, number, anchor="end"))
        body.append(svg.rect(left, top + svg.LINE, length, _BAR, colour))
        body.append(svg.line(middle, top + svg.LINE - 2, middle, top + svg.LINE + _BAR + 2, svg.GRID_COLOUR))
    spoken = [f"{label}: {number}" for label, number in zip(labels, numbers, strict=True)]
    return svg.drawing(title, description, spoken, svg.LINE + 4 + len(sizes) * _ROW, body)


def driver_bars(
    labels: Sequence[str],
    towards: Sequence[float] | FloatArray,
    against: Sequence[float] | FloatArray,
    directions: Sequence[str | None],
    *,
    title: str,
    description: str,
    towards_caption: str = "raises scores",
    against_caption: str = "lowers scores",
) -> str:
    """Return what drives many scores: bars as long as the mean contribution is large, parted by its two directions.

    The left part of a bar is what pushes towards the target, the right part what pushes against it. An arrow behind a
    label says whether high values or low ones make the target likelier.

    Parameters
    ----------
    labels : sequence of str
        The drivers, in the order to be shown.
    towards, against : sequence of float
        Mean over all customers of the contributions above 0 and of those below, in log-odds; finite.
    directions : sequence of str or None
        "higher", "lower" or None for each.
    title, description : str
        What is shown, in a few words, and how to read it.
    towards_caption, against_caption : str
        Captions of the two parts.

    Raises
    ------
    InputError
        Lengths that differ, a number that is not finite, or one on the wrong side of 0.
    """
    left, right = _finite(towards, labels), 0.0 - _finite(against, labels)
    if min(left.min(initial=0.0), right.min(initial=0.0)) < 0 or len(directions) != len(labels):
        raise InputError(
            f"expected a direction for each of the {len(labels)} labels, means towards of 0 and more, and means "
            f"against of 0 and less; got {len(directions)} directions, least {left.min(initial=0.0):g}, most "
            f"{-right.min(initial=0.0):g}"
        )
    sizes = left + right
    longest = sizes.max(initial=0.0) or 1.0
    middle, top = svg.WIDTH / 2, svg.LINE + 10
    body = [
        svg.rect(0, svg.FONT - 11, 12, 12, svg.TOWARDS_COLOUR),
        svg.text(18, svg.FONT, svg.cut(towards_caption, 28)),
        svg.rect(middle, svg.FONT - 11, 12, 12, svg.AGAINST_COLOUR),
        svg.text(middle + 18, svg.FONT, svg.cut(against_caption, 28)),
    ]
    if any(directions):
        body.append(svg.text(0, top + svg.FONT, "↑ the higher, the likelier"))
        body.append(svg.text(middle, top + svg.FONT, "↓ the lower, the likelier"))
        top += svg.LINE + 10
    spoken = []
    for label, direction, size, part, rest in zip(labels, directions, sizes, left, right, strict=True):
        parted = svg.WIDTH * part / longest
        body.append(svg.text(0, top + svg.FONT, svg.cut(label, 42) + _ARROWS.get(direction, "")))
        body.append(svg.text(svg.WIDTH, top + svg.FONT, f"{size:.2f}", anchor="end"))
        body.append(svg.rect(0, top + svg.LINE, parted, _BAR, svg.TOWARDS_COLOUR))
        body.append(svg.rect(parted, top + svg.LINE, svg.WIDTH * size / longest - parted, _BAR, svg.AGAINST_COLOUR))
        top += _ROW
        said = f"{label}: {size:.2f}, of which {part:.2f} {towards_caption} and {rest:.2f} {against_caption}"
        spoken.append(said if direction is None else f"{said}; the {direction}, the likelier")
    return svg.drawing(title, description, spoken, top, body)


def calibration_chart(
    curve: CalibrationCurve, *, title: str, description: str, interval: tuple[FloatArray, FloatArray] | None = None
) -> str:
    """Return observed share against predicted probability, with the number of customers behind each point.

    A perfectly calibrated model lies on the dashed diagonal. The bars below are the customers of each group.

    Parameters
    ----------
    curve : CalibrationCurve
        Of ``models.metrics.calibration_curve``.
    title, description : str
        What is shown, in a few words, and how to read it.
    interval : (low, high), optional
        Ends of an interval of each observed share, in [0, 1]; a line through each point.

    Raises
    ------
    InputError
        Ends that are not one for each group.
    """
    left, top, side, strip = 56.0, 34.0, 400.0, 40.0
    x = left + side * curve.predicted
    y = top + side * (1.0 - curve.observed)
    floor = top + side + 2 * svg.LINE + 8 + strip
    body = [
        svg.text(0, svg.FONT, "share that came about"),
        svg.text(left + side / 2, top + side + 2 * svg.LINE, "predicted probability", anchor="middle"),
    ]
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        at_x, at_y = left + side * share, top + side * (1.0 - share)
        body.append(svg.line(left, at_y, left + side, at_y, svg.GRID_COLOUR, width=0.5))
        body.append(svg.text(left - 6, at_y + 5, f"{share:.0%}", anchor="end"))
        body.append(svg.text(at_x, top + side + svg.LINE, f"{share:.0%}", anchor="middle"))
    body.append(svg.line(left, top + side, left + side, top, svg.GRID_COLOUR, dashed=True))
    body.append(svg.polyline(x, y, svg.BAR_COLOUR))
    ends = () if interval is None else tuple(_finite(end, [""] * len(x)) for end in interval)
    for at_x, low, high in zip(x, *ends, strict=True) if ends else ():
        body.append(svg.line(at_x, top + side * (1.0 - low), at_x, top + side * (1.0 - high), svg.BAR_COLOUR))
    heights = strip * curve.count / max(1, int(curve.count.max(initial=0)))
    for at_x, at_y, height in zip(x, y, heights, strict=True):
        body.append(f'<circle cx="{at_x:.2f}" cy="{at_y:.2f}" r="5" fill="{svg.BAR_COLOUR}"/>')
        body.append(svg.rect(at_x - 3, floor - height, 6, height, svg.GRID_COLOUR))
    largest = int(curve.count.max(initial=0))
    body.append(svg.text(left, floor + svg.LINE, f"customers in each group (largest {largest:,})"))
    spoken = [
        f"predicted {predicted:.1%}, came about {observed:.1%}, {count:,} customers"
        for predicted, observed, count in zip(curve.predicted, curve.observed, curve.count, strict=True)
    ]
    if ends:
        spoken = [f"{said} (interval {low:.1%} to {high:.1%})" for said, low, high in zip(spoken, *ends, strict=True)]
    return svg.drawing(title, description, spoken, floor + svg.LINE + 6, body)


def gain_curve(values: Sequence[float] | FloatArray, *, title: str, description: str, marked: int | None = None) -> str:
    """Return the value gathered by contacting customers one after another, against the number contacted.

    Parameters
    ----------
    values : sequence of float, shape (n,)
        What each contact brings, in the order of contact; finite, may be negative. At most 200 points of the curve are
        drawn, evenly spaced, and the marked one.
    title, description : str
        What is shown, in a few words, and how to read it.
    marked : int, optional
        A number of contacts to mark, such as a budget, from 0 to n.

    Raises
    ------
    InputError
        A value that is not finite, or a mark outside 0 to n.
    """
    gains = _finite(values, None)
    n = len(gains)
    if marked is not None and not 0 <= marked <= n:
        raise InputError(f"expected a mark between 0 and the {n} contacts, got {marked}")
    gathered = np.concatenate([[0.0], np.cumsum(gains)])
    shown = np.unique(np.round(np.linspace(0, n, min(n, _MOST_POINTS) + 1)).astype(np.int64))
    left, top, width, height = 8.0, 2 * svg.LINE, 456.0, 260.0
    low, high = float(gathered.min()), float(gathered.max())
    span = (high - low) or 1.0

    def at(contacts: np.typing.NDArray[np.int64]) -> tuple[FloatArray, FloatArray]:
        return left + width * contacts / max(1, n), top + height * (high - gathered[contacts]) / span

    ends_x, ends_y = at(np.array([0, n]))
    body = [
        svg.text(0, svg.FONT, f"value gathered, up to {high:,.0f}"),
        svg.line(left, top, left + width, top, svg.GRID_COLOUR, width=0.5),
        svg.line(left, top + height, left + width, top + height, svg.GRID_COLOUR),
        svg.line(ends_x[0], ends_y[0], ends_x[1], ends_y[1], svg.GRID_COLOUR, dashed=True),
        svg.polyline(*at(shown), svg.BAR_COLOUR),
        svg.text(left, top + height + svg.LINE, "0"),
        svg.text(left + width, top + height + svg.LINE, f"{n:,}", anchor="end"),
        svg.text(left + width / 2, top + height + svg.LINE, "customers contacted", anchor="middle"),
        svg.text(left, top + height + 2 * svg.LINE, "dashed: the same customers in random order"),
    ]
    if marked is not None:
        (mark_x,), (mark_y,) = at(np.array([marked]))
        body.append(svg.line(mark_x, top, mark_x, top + height, svg.TOWARDS_COLOUR))
        body.append(f'<circle cx="{mark_x:.2f}" cy="{mark_y:.2f}" r="5" fill="{svg.TOWARDS_COLOUR}"/>')
    spoken_at = sorted({n * quarter // 4 for quarter in (1, 2, 3, 4)} | ({marked} if marked is not None else set()))
    spoken = [f"the first {contacts:,} contacted: {gathered[contacts]:,.0f}" for contacts in spoken_at]
    return svg.drawing(title, description, spoken if n else [], top + height + 2 * svg.LINE + 6, body)


def rates_chart(
    labels: Sequence[str],
    rates: Sequence[float] | FloatArray,
    low: Sequence[float] | FloatArray,
    high: Sequence[float] | FloatArray,
    *,
    title: str,
    description: str,
) -> str:
    """Return shares as points, one a label, each with the line of its interval.

    Parameters
    ----------
    labels : sequence of str
        What each share is of.
    rates, low, high : sequence of float
        Shares and the ends of their intervals, in [0, 1].
    title, description : str
        What is shown, in a few words, and how to read it.

    Raises
    ------
    InputError
        Lengths that differ, or ends that don't enclose their share within 0 and 1.
    """
    share, least, most = (_finite(values, labels) for values in (rates, low, high))
    if ((least < 0) | (share < least) | (most < share) | (most > 1)).any():
        raise InputError("expected 0 <= low <= rate <= high <= 1 for each label")
    # To the next twentieth, so that the scale ends in a round number.
    end = min(1.0, np.ceil(20 * (most.max(initial=0.0) or 1.0)) / 20)
    body = []
    for row, (label, rate, left, right) in enumerate(zip(labels, share, least, most, strict=True)):
        middle = row * _ROW + svg.LINE + _BAR / 2
        body.append(svg.text(0, row * _ROW + svg.FONT, svg.cut(label, 40)))
        body.append(svg.text(svg.WIDTH, row * _ROW + svg.FONT, f"{rate:.2%}", anchor="end"))
        body.append(svg.line(0, middle, svg.WIDTH, middle, svg.GRID_COLOUR, width=0.5))
        body.append(svg.rect(svg.WIDTH * left / end, middle - 2, svg.WIDTH * (right - left) / end, 4, svg.BAR_COLOUR))
        at = svg.WIDTH * rate / end
        body.append(f'<circle cx="{at:.2f}" cy="{middle:.2f}" r="5" fill="{svg.BAR_COLOUR}"/>')
    bottom = len(labels) * _ROW
    body.append(svg.text(0, bottom + svg.FONT, "0%"))
    body.append(svg.text(svg.WIDTH, bottom + svg.FONT, f"{end:.0%}", anchor="end"))
    spoken = [
        f"{label}: {rate:.2%}, between {left:.2%} and {right:.2%}"
        for label, rate, left, right in zip(labels, share, least, most, strict=True)
    ]
    return svg.drawing(title, description, spoken, bottom + svg.LINE, body)


def _signed(size: float) -> str:
    number = f"{size:+.2f}"
    return "0.00" if float(number) == 0.0 else number.replace("-", "−")


def _finite(values: Sequence[float] | FloatArray, labels: Sequence[str] | None) -> FloatArray:
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.ndim != 1 or (labels is not None and len(labels) != len(numbers)) or not np.isfinite(numbers).all():
        wanted = "" if labels is None else f", one for each of the {len(labels)} labels"
        raise InputError(
            f"expected finite numbers of shape (n,){wanted}; got shape {numbers.shape} with "
            f"{int((~np.isfinite(numbers)).sum())} not finite"
        )
    return numbers
