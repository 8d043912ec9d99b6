"""How a job tells how far it is."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Progress", "silent"]

# Told the name of the present step and the share of it that is done, from 0 to 1.
Progress = Callable[[str, float], None]


def silent(step: str, done: float) -> None:
    """Tell nobody."""
    del step, done
