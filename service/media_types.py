"""Which of the media types on offer a client would rather have, by its Accept header (RFC 9110, section 12.5.1)."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["preferred"]


def preferred(accept: str | None, offered: Sequence[str]) -> str:
    """Return the best of the offered media types; the first of equals, and the first where the client wants none.

    Parameters
    ----------
    accept : str or None
        The header.
    offered : sequence of str
        Media types, the one to prefer first.

    Examples
    --------
    >>> preferred("text/html,application/xml;q=0.9,*/*;q=0.8", ("application/json", "text/html"))
    'text/html'
    >>> preferred("*/*", ("application/json", "text/html")), preferred(None, ("application/json", "text/csv"))
    ('application/json', 'application/json')
    """
    ranges = [_media_range(part) for part in (accept or "").split(",") if part.strip()]
    return max(offered, key=lambda media_type: _quality(media_type, ranges))


def _media_range(part: str) -> tuple[str, float]:
    name, *parameters = (piece.strip().lower() for piece in part.split(";"))
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return name, min(max(float(parameter[2:]), 0.0), 1.0)
            except ValueError:
                # An unreadable weight says nothing for the type.
                return name, 0.0
    return name, 1.0


def _quality(media_type: str, ranges: Sequence[tuple[str, float]]) -> float:
    """Return the weight of the most specific range that covers the type."""
    weights = dict(ranges)
    for name in (media_type, f"{media_type.partition('/')[0]}/*", "*/*"):
        if name in weights:
            return weights[name]
    return 0.0
