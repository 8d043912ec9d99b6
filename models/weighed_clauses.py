"""Clauses with what each adds or takes off: the strongest of them, and how they are joined in a sentence."""

from __future__ import annotations

from collections.abc import Sequence

from features.units import format_value

__all__ = ["WeighedClause", "joined", "strongest"]

# Text without a full stop, and its signed weight.
WeighedClause = tuple[str, float]

# A clause weaker than this share of the strongest one is not worth a person's breath.
_FAINT = 0.1


def strongest(clauses: Sequence[WeighedClause], most: int) -> list[WeighedClause]:
    """Return up to `most` clauses, largest weight first whatever its sign; faint ones and weights of 0 are left out.

    Clauses of the same text are one, with the sum of their weights.

    Examples
    --------
    >>> strongest([("a", 1.0), ("b", -5.0), ("c", 0.1), ("a", 2.0)], most=3)
    [('b', -5.0), ('a', 3.0)]
    """
    weights: dict[str, float] = {}
    for text, weight in clauses:
        weights[text] = weights.get(text, 0.0) + weight
    largest = max((abs(weight) for weight in weights.values()), default=0.0)
    told = [(text, weight) for text, weight in weights.items() if weight and abs(weight) >= _FAINT * largest]
    return sorted(told, key=lambda clause: -abs(clause[1]))[:most]


def joined(clauses: Sequence[WeighedClause], currency: str | None) -> str:
    """Join clauses, at least one, as a sentence does; with a currency each is followed by its amount.

    Examples
    --------
    >>> joined([("it rains", -5.0), ("it pours", 3.0)], "USD")
    'it rains (minus USD 5.00) and it pours (plus USD 3.00)'
    >>> joined([("it rains", 1.0), ("it pours", 1.0), ("it snows", 1.0)], None)
    'it rains, it pours and it snows'
    """
    told = [text if currency is None else f"{text} ({_amount(weight, currency)})" for text, weight in clauses]
    return told[0] if len(told) == 1 else f"{', '.join(told[:-1])} and {told[-1]}"


def _amount(weight: float, currency: str) -> str:
    return f"{'plus' if weight > 0 else 'minus'} {format_value(abs(weight), 'currency', currency)}"
