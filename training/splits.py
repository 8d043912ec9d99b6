"""Which snapshots, and which customers, teach, stop, calibrate and test a classifier."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from training.exceptions import TrainingError

__all__ = ["ROLES", "Role", "Splits", "customer_draws", "plan_splits", "role_of_draws"]

Role = Literal["train", "early_stopping", "calibration"]
ROLES: tuple[Role, ...] = ("train", "early_stopping", "calibration")

# Where one set of snapshots has to do for all, each customer has one role in all of them.
_SHARES = {"train": 0.6, "early_stopping": 0.2, "calibration": 0.2}


@dataclass(frozen=True, slots=True)
class Splits:
    """A plan of snapshots, each a midnight given as local day since 1970-01-01.

    Attributes
    ----------
    method : {"separate snapshots", "customer folds"}
        With separate snapshots every label window ends before the next one begins. With customer folds all roles
        share all snapshots, and each customer has one role, by a hash of the id.
    train, early_stopping, calibration : tuple of int
        Ascending.
    test : int
        The last snapshot whose label is complete.
    """

    method: Literal["separate snapshots", "customer folds"]
    train: tuple[int, ...]
    early_stopping: tuple[int, ...]
    calibration: tuple[int, ...]
    test: int

    def days(self, role: Role) -> tuple[int, ...]:
        """Snapshots of a role."""
        return {"train": self.train, "early_stopping": self.early_stopping, "calibration": self.calibration}[role]

    def as_dates(self) -> dict[str, Any]:
        """Return the plan as ISO dates, for the report."""
        return {**{role: [_iso(day) for day in self.days(role)] for role in ROLES}, "test": _iso(self.test)}


def plan_splits(*, first_day: int, end_day: int, horizon_days: int, activity_days: int) -> Splits:
    """Plan the snapshots for a log.

    Parameters
    ----------
    first_day : int
        Local day of the first purchase.
    end_day : int
        Local day after the last purchase, at whose midnight the log ends.
    horizon_days, activity_days : int

    Returns
    -------
    Splits

    Raises
    ------
    TrainingError
        The log is too short for one snapshot with a label before the test snapshot.
    """
    test = end_day - horizon_days
    earlier = range(test - horizon_days, first_day + horizon_days - 1, -horizon_days)
    if not earlier:
        raise TrainingError(
            f"The log spans {end_day - first_day} days; a horizon of {horizon_days} days needs at least "
            f"{3 * horizon_days}: one to look back, one to learn from, one to test on. Choose a shorter --horizon-days."
        )
    strict = [day for day in earlier if day - first_day >= activity_days + 2 * horizon_days]
    if len(strict) >= len(ROLES):
        return Splits("separate snapshots", tuple(sorted(strict[2:])), (strict[1],), (strict[0],), test)
    snapshots = tuple(sorted(earlier))
    return Splits("customer folds", snapshots, snapshots, snapshots, test)


def customer_draws(customer_ids: Sequence[str]) -> NDArray[np.float64]:
    """Give each customer a number in [0, 1) by a hash of the id, the same in every training, shape (n,)."""
    return np.array([_draw(customer_id) for customer_id in customer_ids], dtype=np.float64)


def role_of_draws(draws: NDArray[np.float64]) -> NDArray[np.str_]:
    """Return the role, an element of `ROLES`, that goes with each draw, shape (n,)."""
    bounds = np.cumsum([_SHARES[role] for role in ROLES])[:-1]
    return np.array(ROLES)[np.searchsorted(bounds, draws, side="right")]


def _draw(customer_id: str) -> float:
    # 53 bits are what a float holds exactly.
    return (int.from_bytes(hashlib.blake2b(customer_id.encode(), digest_size=8).digest()) >> 11) / 2**53


def _iso(day: int) -> str:
    return (date(1970, 1, 1) + timedelta(days=day)).isoformat()
