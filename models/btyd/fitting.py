"""Maximum likelihood for a handful of positive parameters, with a certificate of how well it went."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

__all__ = ["Bound", "FitCertificate", "MeanLogLikelihood", "Optimum", "maximise"]

Vector = NDArray[np.float64]
MeanLogLikelihood = Callable[[Vector], tuple[float, Vector]]
"""From the parameters' logarithms to the mean log-likelihood of a customer and its gradient in those logarithms."""

Bound = tuple[float, float]

POLISHED_GRADIENT = 1e-11
CONVERGED_GRADIENT = 1e-6
POLISHING_STEPS = 100
LONGEST_STEP = 2.0
HALVINGS = 30
DIFFERENCE = 1e-4
FLATTEST_CURVATURE = 1e-13
ROUNDING = 1e-13


@dataclass(frozen=True)
class FitCertificate:
    """How well a fit went, so that nobody has to take its parameters on trust.

    Attributes
    ----------
    converged : bool
        Whether ``gradient_norm`` is small enough (1e-6) for the parameters to be an optimum.
    gradient_norm : float
        The largest slope of the mean log-likelihood in the logarithm of a parameter that is free to move.
    starts : int
        From how many starting points the search set out; 0 if nothing was fitted.
    at_bound : tuple of str
        The parameters that ended on the bound of their range: the data would push them further.
    notes : tuple of str
        What a reader of the numbers has to know, in plain words.
    """

    converged: bool
    gradient_norm: float
    starts: int
    at_bound: tuple[str, ...]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as values that JSON can hold."""
        return asdict(self) | {"at_bound": list(self.at_bound), "notes": list(self.notes)}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """Read what ``to_dict`` wrote."""
        return cls(
            converged=bool(fields["converged"]),
            gradient_norm=float(fields["gradient_norm"]),
            starts=int(fields["starts"]),
            at_bound=tuple(fields["at_bound"]),
            notes=tuple(fields["notes"]),
        )


@dataclass(frozen=True)
class Optimum:
    """Where a search ended.

    Attributes
    ----------
    params : dict of str to float
        The parameters themselves, not their logarithms.
    mean_log_likelihood : float
        Of a customer, at these parameters.
    at_lower_bound, at_upper_bound : frozenset of str
        The parameters that ended on the respective end of their range.
    certificate : FitCertificate
        How well it went; its only notes are those of the search.
    """

    params: dict[str, float]
    mean_log_likelihood: float
    at_lower_bound: frozenset[str]
    at_upper_bound: frozenset[str]
    certificate: FitCertificate


def maximise(
    mean_log_likelihood: MeanLogLikelihood,
    *,
    starts: Sequence[Mapping[str, float]],
    bounds: Mapping[str, Bound],
) -> Optimum:
    """Search the most likely parameters within their bounds.

    A quasi-Newton search (L-BFGS-B) runs from each start; the best end is polished by Newton's method until rounding
    decides, because L-BFGS-B stops where the likelihood is flat, well before its last digits.

    Parameters
    ----------
    mean_log_likelihood : callable
        From the logarithms, in the order of ``bounds``, to value and gradient.
    starts : sequence of mapping
        Parameters to set out from; one outside its bounds is moved onto them.
    bounds : mapping of str to (float, float)
        Least and greatest value of each parameter, above 0.

    Returns
    -------
    Optimum
        Always with finite parameters; whether they are an optimum, the certificate says.
    """
    names = tuple(bounds)
    lower = np.log([bounds[name][0] for name in names])
    upper = np.log([bounds[name][1] for name in names])

    def descent(point: Vector) -> tuple[float, Vector]:
        value, gradient = mean_log_likelihood(point)
        return -value, -gradient

    ends = [
        minimize(
            descent,
            np.clip(np.log([start[name] for name in names]), lower, upper),
            jac=True,
            method="L-BFGS-B",
            bounds=list(zip(lower, upper, strict=True)),
            options={"maxiter": 500, "ftol": 1e-12, "gtol": 1e-8},
        )
        for start in starts
    ]
    best = min(ends, key=lambda end: float(end.fun))
    point, value, gradient = _polish(mean_log_likelihood, np.asarray(best.x, dtype=np.float64), lower, upper)
    norm = _norm(gradient, _free(point, gradient, lower, upper))
    converged = norm <= CONVERGED_GRADIENT
    at_lower = frozenset(name for name, at_bound in zip(names, point <= lower, strict=True) if at_bound)
    at_upper = frozenset(name for name, at_bound in zip(names, point >= upper, strict=True) if at_bound)
    certificate = FitCertificate(
        converged=converged,
        gradient_norm=norm,
        starts=len(starts),
        at_bound=tuple(name for name in names if name in at_lower | at_upper),
        notes=()
        if converged
        else (f"The search ended before it reached an optimum (slope {norm:.1e}): don't rely on these parameters.",),
    )
    params = {name: float(np.exp(coordinate)) for name, coordinate in zip(names, point, strict=True)}
    # exp(log(bound)) may miss the bound by a rounding error.
    params |= {name: bounds[name][0] for name in at_lower} | {name: bounds[name][1] for name in at_upper}
    return Optimum(params, value, at_lower, at_upper, certificate)


def _polish(
    mean_log_likelihood: MeanLogLikelihood, point: Vector, lower: Vector, upper: Vector
) -> tuple[Vector, float, Vector]:
    """Climb by Newton's method, with the parameters that press against a bound held there."""
    value, gradient = mean_log_likelihood(point)
    for _ in range(POLISHING_STEPS):
        free = _free(point, gradient, lower, upper)
        if _norm(gradient, free) <= POLISHED_GRADIENT:
            break
        step = _newton_step(mean_log_likelihood, point, gradient, free)
        for halving in range(HALVINGS):
            candidate = np.clip(point + step / 2**halving, lower, upper)
            new_value, new_gradient = mean_log_likelihood(candidate)
            climbed = new_value > value
            # Close to the top the value is all rounding: there the slope decides.
            as_high = new_value >= value - ROUNDING * (1 + abs(value))
            flatter = _norm(new_gradient, free) < _norm(gradient, free)
            if climbed or (as_high and flatter):
                point, value, gradient = candidate, new_value, new_gradient
                break
        else:
            break
    return point, value, gradient


def _newton_step(
    mean_log_likelihood: MeanLogLikelihood, point: Vector, gradient: Vector, free: NDArray[np.bool_]
) -> Vector:
    """Return the step to the top of the local parabola; where it bends the wrong way, as far, but uphill."""
    columns = []
    for position in np.flatnonzero(free):
        shift = np.zeros_like(point)
        shift[position] = DIFFERENCE
        _, ahead = mean_log_likelihood(point + shift)
        _, behind = mean_log_likelihood(point - shift)
        columns.append((ahead - behind)[free] / (2 * DIFFERENCE))
    hessian = np.array(columns)
    curvatures, directions = np.linalg.eigh((hessian + hessian.T) / 2)
    lengths = directions.T @ gradient[free] / np.maximum(np.abs(curvatures), FLATTEST_CURVATURE)
    step = np.zeros_like(point)
    step[free] = directions @ lengths
    longest = float(np.abs(step).max())
    return step * min(1.0, LONGEST_STEP / longest) if longest > 0 else step


def _free(point: Vector, gradient: Vector, lower: Vector, upper: Vector) -> NDArray[np.bool_]:
    """Tell which parameters don't press against a bound."""
    return ~(((point <= lower) & (gradient < 0)) | ((point >= upper) & (gradient > 0)))


def _norm(gradient: Vector, free: NDArray[np.bool_]) -> float:
    return float(np.abs(gradient[free]).max(initial=0.0))
