"""What charts are drawn with: text, lines and boxes as SVG, and the image around them."""

from collections.abc import Sequence
from xml.sax.saxutils import escape

from models.binary_classifier import FloatArray

__all__ = [
    "AGAINST_COLOUR",
    "BAR_COLOUR",
    "FONT",
    "GRID_COLOUR",
    "LINE",
    "TOWARDS_COLOUR",
    "WIDTH",
    "cut",
    "drawing",
    "line",
    "polyline",
    "rect",
    "text",
]

WIDTH = 480.0
FONT = 15.0
LINE = 20.0
BAR_COLOUR = "var(--chart-bar, #2b6cb0)"
TOWARDS_COLOUR = "var(--chart-towards, #b4411f)"
AGAINST_COLOUR = "var(--chart-against, #1f6f78)"
GRID_COLOUR = "var(--chart-grid, #8a94a0)"


def drawing(title: str, description: str, spoken: Sequence[str], height: float, body: Sequence[str]) -> str:
    """Return the image; without data it holds one sentence that says so."""
    if not spoken:
        height, body = 2 * LINE, [text(0, FONT, "There is no data to show yet.")]
    details = "; ".join(spoken) or "There is no data to show yet"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" class="chart" width="100%" '
            f'viewBox="0 0 {WIDTH:.0f} {height:.0f}" font-size="{FONT:.0f}" font-family="inherit" '
            f'fill="currentColor">',
            f"<title>{_escaped(title)}</title>",
            f"<desc>{_escaped(description)} {_escaped(details)}.</desc>",
            *body,
            "</svg>",
        ]
    )


def text(x: float, y: float, content: str, *, anchor: str = "start") -> str:
    """Return a line of text whose `anchor` (start, middle or end) lies at a point of its baseline."""
    return f'<text x="{x:.2f}" y="{y:.2f}" text-anchor="{anchor}">{_escaped(content)}</text>'


def rect(x: float, y: float, width: float, height: float, colour: str) -> str:
    """Return a filled box, from its upper left corner."""
    return f'<rect x="{x:.2f}" y="{y:.2f}" width="{width:.2f}" height="{height:.2f}" fill="{colour}"/>'


def line(x1: float, y1: float, x2: float, y2: float, colour: str, *, width: float = 1.5, dashed: bool = False) -> str:
    """Return a straight line between two points."""
    dashes = ' stroke-dasharray="6 4"' if dashed else ""
    return (
        f'<line x1="{x1:.2f}" y1="{y1:.2f}" x2="{x2:.2f}" y2="{y2:.2f}" stroke="{colour}" '
        f'stroke-width="{width:.1f}"{dashes}/>'
    )


def polyline(x: FloatArray, y: FloatArray, colour: str, *, width: float = 2.0, dashes: str | None = None) -> str:
    """Return a line through points, x and y of shape (n,); dashed where `dashes` says, as in `stroke-dasharray`."""
    points = " ".join(f"{at_x:.2f},{at_y:.2f}" for at_x, at_y in zip(x, y, strict=True))
    dashed = "" if dashes is None else f' stroke-dasharray="{dashes}"'
    return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="{width:g}"{dashed}/>'


def cut(label: str, most: int) -> str:
    """Return a label of at most so many letters, with an ellipsis for what is cut off."""
    return label if len(label) <= most else f"{label[: most - 1].rstrip()}…"


def _escaped(content: str) -> str:
    # XML 1.0 has no way to write most control characters, escaped or not; an attribute from a file may hold one.
    legal = "".join(letter if letter.isprintable() else " " for letter in content)
    return escape(legal)
