"""Where a list goes on, as opaque text."""

from __future__ import annotations

import base64
import json
import math
from typing import NamedTuple

from store.exceptions import CursorError

__all__ = ["Cursor"]

_LARGEST = 2**31 - 1  # of what the columns hold
_NOT_OURS = "The cursor was not made by this service. Take it from `next_cursor` as it is."


class Cursor(NamedTuple):
    """Where a list goes on: its run and name, the last row seen, and how many rows came before.

    `counted` is how many of these count against a budget: all but those whom the rules of a list to be worked down
    except.
    """

    scoring_run_id: int
    segment: str
    rank_value: float
    customer_key: int
    position: int
    counted: int

    def encode(self) -> str:
        """Return the cursor as opaque text."""
        return base64.urlsafe_b64encode(json.dumps(list(self)).encode()).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str) -> Cursor:
        """Read what `encode` gave; raises `CursorError` on anything else."""
        try:
            parts = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        except (ValueError, RecursionError) as error:
            raise CursorError(_NOT_OURS) from error
        match parts:
            case [int(run), str(segment), float(rank_value), int(key), int(position), int(counted)]:
                if math.isfinite(rank_value) and all(0 <= whole <= _LARGEST for whole in (run, key, position, counted)):
                    return cls(run, segment, rank_value, key, position, counted)
        raise CursorError(_NOT_OURS)
