"""What time it is: an argument everywhere, and read from the machine in this one place."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

__all__ = ["Clock", "utc_now"]

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the present instant, aware."""
    return datetime.now(UTC)
