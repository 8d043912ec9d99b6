"""One thing that is wrong, in plain words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

__all__ = ["SEVERITIES", "Finding", "Severity", "percent"]

Severity = Literal["problem", "warning", "note"]

SEVERITIES: tuple[Severity, ...] = get_args(Severity)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with the data.

    Attributes
    ----------
    code : str
        Stable name of its kind, for programs.
    severity : Severity
        A `problem` makes scores wrong or incomplete; a `warning` may; a `note` is worth knowing.
    source : str or None
        The source to blame; None if none can be told.
    what : str
        What is wrong, with the number behind it.
    todo : str
        What to do about it.
    figures : mapping of str to number or text
        The numbers, for programs.
    """

    code: str
    severity: Severity
    source: str | None
    what: str
    todo: str
    figures: Mapping[str, float | str]

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        return {**asdict(self), "figures": dict(self.figures)}


def percent(share: float) -> str:
    """Write a share so that neither a small nor a nearly whole one looks like none or all.

    Examples
    --------
    >>> percent(0.25), percent(0.0004), percent(0.99999), percent(1.0)
    ('25.0%', '<0.1%', '>99.9%', '100.0%')
    """
    if 0.0 < share < 0.0005:
        return "<0.1%"
    return ">99.9%" if 0.9995 <= share < 1.0 else f"{share:.1%}"
