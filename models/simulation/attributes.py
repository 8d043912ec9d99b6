"""What is known of each customer: two attributes that go with the drop-out probability, three that are mere noise."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, ndtri

from models.simulation.business import Business

__all__ = ["ACQUIRED_THROUGH", "COLOURS", "NOISE_ATTRIBUTES", "TELLING_ATTRIBUTES", "Attributes", "draw_attributes"]

# From those who bring the most loyal customers to those who bring the least.
ACQUIRED_THROUGH = ("referral", "search", "social media", "voucher site")
COLOURS = ("blue", "green", "red", "white", "yellow")

TELLING_ATTRIBUTES = ("acquired_through", "distance_km")
NOISE_ATTRIBUTES = ("birthday", "favourite_colour", "shoe_size")

_MEDIAN_KM, _SPREAD_OF_KM = 5.0, 0.8
# Days since 1970-01-01: birthdays of 1945 to 2004.
_EARLIEST_BIRTHDAY, _LATEST_BIRTHDAY = -9_131, 12_784


@dataclass(frozen=True, slots=True, eq=False)
class Attributes:
    """Attributes of n customers, each of shape (n,).

    Attributes
    ----------
    acquired_through : int64
        Index into `ACQUIRED_THROUGH`; later ones drop out sooner.
    distance_km : float64
        To the nearest store; those further away drop out sooner.
    favourite_colour : int64
        Index into `COLOURS`; noise.
    shoe_size : int64
        Noise.
    birthday : int32
        Days since 1970-01-01; noise.
    """

    acquired_through: NDArray[np.int64]
    distance_km: NDArray[np.float64]
    favourite_colour: NDArray[np.int64]
    shoe_size: NDArray[np.int64]
    birthday: NDArray[np.int32]


def draw_attributes(business: Business, drop_out: NDArray[np.float64], random: np.random.Generator) -> Attributes:
    """Draw attributes that go with given drop-out probabilities, which stay as they are: Beta(a, b) over all."""
    n = len(drop_out)
    rank = betainc(business.a, business.b, drop_out)
    # The smallest of p may be 0 in floating point.
    normal = ndtri(np.clip(rank, 1e-12, 1 - 1e-12))
    through = _correlated(normal, business.acquired_through_correlation, random)
    distance = _correlated(normal, business.distance_km_correlation, random)
    quartiles = ndtri([0.25, 0.5, 0.75])
    return Attributes(
        acquired_through=np.searchsorted(quartiles, through),
        distance_km=np.round(_MEDIAN_KM * np.exp(_SPREAD_OF_KM * distance), 1),
        favourite_colour=random.integers(0, len(COLOURS), n),
        shoe_size=random.integers(35, 47, n),
        birthday=random.integers(_EARLIEST_BIRTHDAY, _LATEST_BIRTHDAY, n).astype(np.int32),
    )


def _correlated(normal: NDArray[np.float64], correlation: float, random: np.random.Generator) -> NDArray[np.float64]:
    """Return standard normal numbers with that correlation to others."""
    return correlation * normal + math.sqrt(1 - correlation**2) * random.standard_normal(len(normal))
