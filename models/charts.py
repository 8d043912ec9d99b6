"""Charts as SVG text, for pages, reports and documents alike.

Every chart scales with its container (set a ``max-width`` in CSS; the text stays at 11 px and more from a width of 352
px on), takes its text colour from around it and its other colours from CSS variables (``--chart-bar``,
``--chart-towards``, ``--chart-against``, ``--chart-grid``) with fallbacks, and carries all of its data in words in
``<desc>``, since a screen reader sees one image. No inline style and no script, so that a strict content security
policy lets it pass. The same data gives the same text.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from xml.sax.saxutils import escape

import numpy as np

from models.binary_classifier import FloatArray
from models.exceptions import InputError
from models.metrics import CalibrationCurve

__all__ = ["bar_chart", "calibration_chart", "contribution_bars", "driver_bars", "gain_curve"]

_WIDTH = 480.0
_FONT = 15.0
_LINE = 20.0
_BAR = 10.0
_ROW = _LINE + _BAR + 10.0
_BAR_COLOUR = "var(--chart-bar, #2b6cb0)"
_TOWARDS_COLOUR = "var(--chart-towards, #b4411f)"
_AGAINST_COLOUR = "var(--chart-against, #1f6f78)"
_GRID_COLOUR = "var(--chart-grid, #8a94a0)"
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
        body.append(_text(0, top + _FONT, _cut(label, 42)))
        body.append(_text(_WIDTH, top + _FONT, number, anchor="end"))
        body.append(_rect(0, top + _LINE, _WIDTH * length / longest, _BAR, _BAR_COLOUR))
    spoken = [f"{label}: {number}" for label, number in zip(labels, numbers, strict=True)]
    return _svg(title, description, spoken, len(labels) * _ROW, body)


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
    middle = _WIDTH / 2
    body = [
        _text(middle - 8, _FONT, f"← {_cut(against, 26)}", anchor="end"),
        _text(middle + 8, _FONT, f"{_cut(towards, 26)} →"),
    ]
    for row, (label, size, number) in enumerate(zip(labels, sizes, numbers, strict=True)):
        top = _LINE + 4 + row * _ROW
        length = abs(size) / largest * middle
        left, colour = (middle, _TOWARDS_COLOUR) if size >= 0 else (middle - length, _AGAINST_COLOUR)
        body.append(_text(0, top + _FONT, _cut(label, 50)))
        body.append(_text(_WIDTH, top + _FONT, number, anchor="end"))
        body.append(_rect(left, top + _LINE, length, _BAR, colour))
        body.append(_line(middle, top + _LINE - 2, middle, top + _LINE + _BAR + 2, _GRID_COLOUR))
    spoken = [f"{label}: {number}" for label, number in zip(labels, numbers, strict=True)]
    return _svg(title, description, spoken, _LINE + 4 + len(sizes) * _ROW, body)


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
    middle, top = _WIDTH / 2, _LINE + 10
    body = [
        _rect(0, _FONT - 11, 12, 12, _TOWARDS_COLOUR),
        _text(18, _FONT, _cut(towards_caption, 28)),
        _rect(middle, _FONT - 11, 12, 12, _AGAINST_COLOUR),
        _text(middle + 18, _FONT, _cut(against_caption, 28)),
    ]
    if any(directions):
        body.append(_text(0, top + _FONT, "↑ the higher, the likelier"))
        body.append(_text(middle, top + _FONT, "↓ the lower, the likelier"))
        top += _LINE + 10
    spoken = []
    for label, direction, size, part, rest in zip(labels, directions, sizes, left, right, strict=True):
        parted = _WIDTH * part / longest
        body.append(_text(0, top + _FONT, _cut(label, 42) + _ARROWS.get(direction, "")))
        body.append(_text(_WIDTH, top + _FONT, f"{size:.2f}", anchor="end"))
        body.append(_rect(0, top + _LINE, parted, _BAR, _TOWARDS_COLOUR))
        body.append(_rect(parted, top + _LINE, _WIDTH * size / longest - parted, _BAR, _AGAINST_COLOUR))
        top += _ROW
        said = f"{label}: {size:.2f}, of which {part:.2f} {towards_caption} and {rest:.2f} {against_caption}"
        spoken.append(said if direction is None else f"{said}; the {direction}, the likelier")
    return _svg(title, description, spoken, top, body)


def calibration_chart(curve: CalibrationCurve, *, title: str, description: str) -> str:
    """Return observed share against predicted probability, with the number of customers behind each point.

    A perfectly calibrated model lies on the dashed diagonal. The bars below are the customers of each group.

    Parameters
    ----------
    curve : CalibrationCurve
        Of ``models.metrics.calibration_curve``.
    title, description : str
        What is shown, in a few words, and how to read it.
    """
    left, top, side, strip = 56.0, 34.0, 400.0, 40.0
    x = left + side * curve.predicted
    y = top + side * (1.0 - curve.observed)
    floor = top + side + 2 * _LINE + 8 + strip
    body = [
        _text(0, _FONT, "share that came about"),
        _text(left + side / 2, top + side + 2 * _LINE, "predicted probability", anchor="middle"),
    ]
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        at_x, at_y = left + side * share, top + side * (1.0 - share)
        body.append(_line(left, at_y, left + side, at_y, _GRID_COLOUR, width=0.5))
        body.append(_text(left - 6, at_y + 5, f"{share:.0%}", anchor="end"))
        body.append(_text(at_x, top + side + _LINE, f"{share:.0%}", anchor="middle"))
    body.append(_line(left, top + side, left + side, top, _GRID_COLOUR, dashed=True))
    body.append(_polyline(x, y, _BAR_COLOUR))
    heights = strip * curve.count / max(1, int(curve.count.max(initial=0)))
    for at_x, at_y, height in zip(x, y, heights, strict=True):
        body.append(f'<circle cx="{at_x:.2f}" cy="{at_y:.2f}" r="5" fill="{_BAR_COLOUR}"/>')
        body.append(_rect(at_x - 3, floor - height, 6, height, _GRID_COLOUR))
    largest = int(curve.count.max(initial=0))
    body.append(_text(left, floor + _LINE, f"customers in each group (largest {largest:,})"))
    spoken = [
        f"predicted {predicted:.1%}, came about {observed:.1%}, {count:,} customers"
        for predicted, observed, count in zip(curve.predicted, curve.observed, curve.count, strict=True)
    ]
    return _svg(title, description, spoken, floor + _LINE + 6, body)


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
    left, top, width, height = 8.0, 2 * _LINE, 456.0, 260.0
    low, high = float(gathered.min()), float(gathered.max())
    span = (high - low) or 1.0

    def at(contacts: np.typing.NDArray[np.int64]) -> tuple[FloatArray, FloatArray]:
        return left + width * contacts / max(1, n), top + height * (high - gathered[contacts]) / span

    ends_x, ends_y = at(np.array([0, n]))
    body = [
        _text(0, _FONT, f"value gathered, up to {high:,.0f}"),
        _line(left, top, left + width, top, _GRID_COLOUR, width=0.5),
        _line(left, top + height, left + width, top + height, _GRID_COLOUR),
        _line(ends_x[0], ends_y[0], ends_x[1], ends_y[1], _GRID_COLOUR, dashed=True),
        _polyline(*at(shown), _BAR_COLOUR),
        _text(left, top + height + _LINE, "0"),
        _text(left + width, top + height + _LINE, f"{n:,}", anchor="end"),
        _text(left + width / 2, top + height + _LINE, "customers contacted", anchor="middle"),
        _text(left, top + height + 2 * _LINE, "dashed: the same customers in random order"),
    ]
    if marked is not None:
        (mark_x,), (mark_y,) = at(np.array([marked]))
        body.append(_line(mark_x, top, mark_x, top + height, _TOWARDS_COLOUR))
        body.append(f'<circle cx="{mark_x:.2f}" cy="{mark_y:.2f}" r="5" fill="{_TOWARDS_COLOUR}"/>')
    spoken_at = sorted({n * quarter // 4 for quarter in (1, 2, 3, 4)} | ({marked} if marked is not None else set()))
    spoken = [f"the first {contacts:,} contacted: {gathered[contacts]:,.0f}" for contacts in spoken_at]
    return _svg(title, description, spoken if n else [], top + height + 2 * _LINE + 6, body)


def _svg(title: str, description: str, spoken: Sequence[str], height: float, body: Sequence[str]) -> str:
    """Return the image; without data it holds one sentence that says so."""
    if not spoken:
        height, body = 2 * _LINE, [_text(0, _FONT, "There is no data to show yet.")]
    details = "; ".join(spoken) or "There is no data to show yet"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" class="chart" width="100%" '
            f'viewBox="0 0 {_WIDTH:.0f} {height:.0f}" font-size="{_FONT:.0f}" font-family="inherit" '
            f'fill="currentColor">',
            f"<title>{_escaped(title)}</title>",
            f"<desc>{_escaped(description)} {_escaped(details)}.</desc>",
            *body,
            "</svg>",
        ]
    )


def _text(x: float, y: float, content: str, *, anchor: str = "start") -> str:
    return f'<text x="{x:.2f}" y="{y:.2f}" text-anchor="{anchor}">{_escaped(content)}</text>'


def _rect(x: float, y: float, width: float, height: float, colour: str) -> str:
    return f'<rect x="{x:.2f}" y="{y:.2f}" width="{width:.2f}" height="{height:.2f}" fill="{colour}"/>'


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, *, width: float = 1.5, dashed: bool = False) -> str:
    dashes = ' stroke-dasharray="6 4"' if dashed else ""
    return (
        f'<line x1="{x1:.2f}" y1="{y1:.2f}" x2="{x2:.2f}" y2="{y2:.2f}" stroke="{colour}" '
        f'stroke-width="{width:.1f}"{dashes}/>'
    )


def _polyline(x: FloatArray, y: FloatArray, colour: str) -> str:
    points = " ".join(f"{at_x:.2f},{at_y:.2f}" for at_x, at_y in zip(x, y, strict=True))
    return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'


def _escaped(content: str) -> str:
    # XML 1.0 has no way to write most control characters, escaped or not; an attribute from a file may hold one.
    legal = "".join(letter if letter.isprintable() else " " for letter in content)
    return escape(legal)


def _cut(label: str, most: int) -> str:
    return label if len(label) <= most else f"{label[: most - 1].rstrip()}…"


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
