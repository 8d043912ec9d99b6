"""Climbing to the top of a smooth likelihood between bounds: a quasi-Newton search, then Newton's last digits."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

__all__ = ["MeanLogLikelihood", "Place", "Slopes", "Vector", "largest_slope", "rounding"]

Vector = NDArray[np.float64]
MeanLogLikelihood = Callable[[Vector], tuple[float, Vector]]
"""From the parameters' logarithms to the mean log-likelihood of a customer and its gradient in those logarithms."""

POLISHED_GRADIENT = 1e-11
POLISHING_STEPS = 100
LONGEST_STEP = 2.0
HALVINGS = 30
DIFFERENCE = 1e-4
FLATTEST_CURVATURE = 1e-13
ROUNDING = 1e-13

# While a step shrinks the slope to less than this share, the curvature it was taken with is good for another.
FAST = 0.2


@dataclass(frozen=True, eq=False)
class Place:
    """A point of the parameters' logarithms, shape (k,), with the value and the gradient there."""

    point: Vector
    value: float
    gradient: Vector


@dataclass(frozen=True, eq=False)
class Slopes:
    """A mean log-likelihood between bounds.

    Attributes
    ----------
    mean_log_likelihood : callable
        From the logarithms to value and gradient.
    lower, upper : ndarray of float64, shape (k,)
        The ends of each logarithm's range.
    """

    mean_log_likelihood: MeanLogLikelihood
    lower: Vector
    upper: Vector

    def at(self, point: Vector) -> Place:
        """Return the place at a point, moved onto the bounds if it lies beyond them."""
        within = np.clip(point, self.lower, self.upper)
        value, gradient = self.mean_log_likelihood(within)
        return Place(within, float(value), gradient)

    def search(self, start: Vector) -> Place:
        """Climb from a start by L-BFGS-B, which stops where the likelihood is flat, well before its last digits."""

        def descent(point: Vector) -> tuple[float, Vector]:
            value, gradient = self.mean_log_likelihood(point)
            return -value, -gradient

        end = minimize(
            descent,
            np.clip(start, self.lower, self.upper),
            jac=True,
            method="L-BFGS-B",
            bounds=list(zip(self.lower, self.upper, strict=True)),
            options={"maxiter": 500, "ftol": 1e-12, "gtol": 1e-8},
        )
        return self.at(np.asarray(end.x, dtype=np.float64))

    def polish(self, place: Place) -> Place:
        """Climb by Newton's method until rounding decides, with what presses against a bound held there."""
        direction: _Newton | None = None
        for _ in range(POLISHING_STEPS):
            free = self.free(place)
            slope = largest_slope(place, free)
            if slope <= POLISHED_GRADIENT:
                break
            fresh = direction is None or not np.array_equal(direction.free, free)
            if direction is None or fresh:
                direction = _Newton(free, *np.linalg.eigh(self.hessian(place, free, central=False)))
            higher = self._along(direction.step(place.gradient), place, free)
            if higher is None:
                if fresh:
                    break
                direction = None
                continue
            if largest_slope(higher, free) > FAST * slope:
                direction = None
            place = higher
        return place

    def hessian(self, place: Place, free: NDArray[np.bool_], *, central: bool) -> NDArray[np.float64]:
        """Return the second derivatives in the free coordinates, by differences of the gradient.

        Central differences are exact to some eight digits; one-sided ones, to four, cost half.
        """
        columns = []
        for position in np.flatnonzero(free):
            shift = np.zeros_like(place.point)
            shift[position] = DIFFERENCE
            _, ahead = self.mean_log_likelihood(place.point + shift)
            behind = self.mean_log_likelihood(place.point - shift)[1] if central else place.gradient
            columns.append((ahead - behind)[free] / (DIFFERENCE * (2 if central else 1)))
        hessian = np.array(columns).reshape(len(columns), len(columns))
        return np.asarray((hessian + hessian.T) / 2)

    def free(self, place: Place) -> NDArray[np.bool_]:
        """Tell which coordinates don't press against a bound."""
        pressed_down = (place.point <= self.lower) & (place.gradient < 0)
        pressed_up = (place.point >= self.upper) & (place.gradient > 0)
        return ~(pressed_down | pressed_up)

    def _along(self, step: Vector, place: Place, free: NDArray[np.bool_]) -> Place | None:
        """Return the first place along a step, halved and halved again, that is better; None if there is none."""
        for halving in range(HALVINGS):
            candidate = self.at(place.point + step / 2**halving)
            climbed = candidate.value > place.value
            # Close to the top the value is all rounding: there the slope decides.
            as_high = candidate.value >= place.value - rounding(place.value)
            flatter = largest_slope(candidate, free) < largest_slope(place, free)
            if climbed or (as_high and flatter):
                return candidate
        return None


@dataclass(frozen=True, eq=False)
class _Newton:
    """The way to the top of a local parabola; where it bends the wrong way, as far, but uphill."""

    free: NDArray[np.bool_]
    curvatures: Vector
    directions: NDArray[np.float64]

    def step(self, gradient: Vector) -> Vector:
        lengths = self.directions.T @ gradient[self.free] / np.maximum(np.abs(self.curvatures), FLATTEST_CURVATURE)
        step = np.zeros_like(gradient)
        step[self.free] = self.directions @ lengths
        longest = float(np.abs(step).max())
        return step * min(1.0, LONGEST_STEP / longest) if longest > 0 else step


def largest_slope(place: Place, free: NDArray[np.bool_]) -> float:
    """Return the largest slope in a free coordinate; 0 if none is free."""
    return float(np.abs(place.gradient[free]).max(initial=0.0))


def rounding(value: float) -> float:
    """Return the difference of two mean log-likelihoods near this value that rounding alone may make."""
    return ROUNDING * (1 + abs(value))
