"""Maximum likelihood for a handful of positive parameters, with a certificate of how well it went."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from models.btyd.climbing import MeanLogLikelihood, Place, Slopes, Vector, largest_slope, rounding
from models.btyd.information import Information

__all__ = [
    "CUSTOMERS_FOR_STARTS",
    "Bound",
    "FitCertificate",
    "MeanLogLikelihood",
    "Optimum",
    "Sample",
    "maximise",
]

Bound = tuple[float, float]

CUSTOMERS_FOR_STARTS = 20_000
"""With more customers than this, the starts are tried on so many of them."""

CONVERGED_GRADIENT = 1e-6

# Neighbours lie this many standard errors from the optimum, but no further than a whole logarithm.
NEIGHBOUR = 0.5
FURTHEST_NEIGHBOUR = 1.0
CLIMBS = 4


@dataclass(frozen=True)
class FitCertificate:
    """How well a fit went, so that nobody has to take its parameters on trust.

    Attributes
    ----------
    converged : bool
        Whether the parameters are an optimum: ``gradient_norm`` is no more than 1e-6 and no neighbour is higher.
    gradient_norm : float
        The largest slope of the mean log-likelihood in the logarithm of a parameter that is free to move.
    starts : int
        From how many starting points the search set out; 0 if nothing was fitted.
    at_bound : tuple of str
        The parameters that ended on the bound of their range: the data would push them further.
    notes : tuple of str
        What a reader of the numbers has to know, in plain words.
    standard_errors : mapping of str to float or None
        Of each parameter, by the delta method; None for those at a bound or not identified. Empty if nothing was
        fitted.
    covariance : tuple of tuple of float, shape (k, k)
        Of the logarithms of the parameters, in their order, for predictions: no direction has a standard deviation
        above 1, not identified ones included; 0 in the rows and columns of those at a bound. Empty if nothing was
        fitted.
    condition_number : float or None
        Greatest over least eigenvalue of the information matrix, in the logarithms of the parameters not at a bound;
        None if some direction is flat or bends upwards.
    not_identified : tuple of str
        The parameters not at a bound of which the data tell not even the order of magnitude: a standard error above 2
        in the logarithm.
    neighbour_gain : float
        The largest gain in total log-likelihood at any of the points half a standard error away, along each parameter
        and each eigenvector of the information; at an optimum no more than rounding.
    n_sample : int or None
        The number of customers on which the starts were searched; None if on all. The optimum is always of all.
    """

    converged: bool
    gradient_norm: float
    starts: int
    at_bound: tuple[str, ...]
    notes: tuple[str, ...]
    standard_errors: Mapping[str, float | None]
    covariance: tuple[tuple[float, ...], ...]
    condition_number: float | None
    not_identified: tuple[str, ...]
    neighbour_gain: float
    n_sample: int | None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as values that JSON can hold."""
        lists = {name: list(getattr(self, name)) for name in ("at_bound", "notes", "not_identified")}
        return asdict(self) | lists | {"covariance": [list(row) for row in self.covariance]}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """Read what ``to_dict`` wrote."""
        return cls(
            converged=bool(fields["converged"]),
            gradient_norm=float(fields["gradient_norm"]),
            starts=int(fields["starts"]),
            at_bound=tuple(fields["at_bound"]),
            notes=tuple(fields["notes"]),
            standard_errors=dict(fields["standard_errors"]),
            covariance=tuple(tuple(row) for row in fields["covariance"]),
            condition_number=fields["condition_number"],
            not_identified=tuple(fields["not_identified"]),
            neighbour_gain=float(fields["neighbour_gain"]),
            n_sample=fields["n_sample"],
        )


@dataclass(frozen=True)
class Optimum:
    """Where a search ended.

    Attributes
    ----------
    params : dict of str to float
        The parameters themselves, in the unit of the data.
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


@dataclass(frozen=True, eq=False)
class Sample:
    """Some of the customers, to try the starts on: their mean log-likelihood, and how many they are."""

    mean_log_likelihood: MeanLogLikelihood
    n_customers: int


def maximise(
    mean_log_likelihood: MeanLogLikelihood,
    *,
    starts: Sequence[Mapping[str, float]],
    bounds: Mapping[str, Bound],
    n_customers: int,
    sample: Sample | None = None,
    units: Mapping[str, float] | None = None,
) -> Optimum:
    """Search the most likely parameters within their bounds.

    A quasi-Newton search runs from each start, on the sample if there is one; the best end is polished on all by
    Newton's method until rounding decides. A sample's end on a bound is not believed: then all starts are searched
    again with everybody. If a neighbour of the optimum is higher, the climb goes on from there.

    Parameters
    ----------
    mean_log_likelihood : callable
        From the logarithms, in the order of ``bounds``, to value and gradient, of all customers.
    starts : sequence of mapping
        Parameters to set out from; one outside its bounds is moved onto them.
    bounds : mapping of str to (float, float)
        Least and greatest value of each parameter, above 0.
    n_customers : int
        Of how many customers the likelihood is the mean.
    sample : Sample, optional
        Some of them.
    units : mapping of str to float, optional
        What one unit of a parameter during the search is in the unit of the data; 1 unless told.

    Returns
    -------
    Optimum
        Always with finite parameters; whether they are an optimum, the certificate says.
    """
    names = tuple(bounds)
    lower, upper = (np.log([bounds[name][end] for name in names]) for end in (0, 1))
    slopes = Slopes(mean_log_likelihood, lower, upper)
    points = [np.log([start[name] for name in names]) for start in starts]
    place = slopes.polish(_best_end(slopes, points, sample))
    for climb in range(CLIMBS):
        free = slopes.free(place)
        inside = free & (place.point > lower) & (place.point < upper)
        information = Information.of(-n_customers * slopes.hessian(place, inside, central=True), inside)
        highest = max((slopes.at(point) for point in _neighbours(place, information)), key=lambda other: other.value)
        is_top = highest.value <= place.value + rounding(place.value)
        if is_top or climb == CLIMBS - 1:
            break
        place = slopes.polish(highest)
    norm = largest_slope(place, free)
    converged = norm <= CONVERGED_GRADIENT and is_top
    at_lower = frozenset(name for name, at_bound in zip(names, place.point <= lower, strict=True) if at_bound)
    at_upper = frozenset(name for name, at_bound in zip(names, place.point >= upper, strict=True) if at_bound)
    params = {name: float(np.exp(coordinate)) for name, coordinate in zip(names, place.point, strict=True)}
    # exp(log(bound)) may miss the bound by a rounding error.
    params |= {name: bounds[name][0] for name in at_lower} | {name: bounds[name][1] for name in at_upper}
    params = {name: value * (units or {}).get(name, 1.0) for name, value in params.items()}
    at_bound = at_lower | at_upper
    known = dict(zip(names, information.identified.tolist(), strict=True))
    certificate = FitCertificate(
        converged=converged,
        gradient_norm=norm,
        starts=len(starts),
        at_bound=tuple(name for name in names if name in at_bound),
        notes=()
        if converged
        else (f"The search ended before it reached an optimum (slope {norm:.1e}): don't rely on these parameters.",),
        standard_errors={
            name: params[name] * float(error) if known[name] else None
            for name, error in zip(names, information.log_errors, strict=True)
        },
        covariance=tuple(tuple(row) for row in information.spread.tolist()),
        condition_number=information.condition_number,
        not_identified=tuple(name for name in names if not known[name] and name not in at_bound),
        neighbour_gain=n_customers * (highest.value - place.value),
        n_sample=None if sample is None else sample.n_customers,
    )
    return Optimum(params, place.value, at_lower, at_upper, certificate)


def _best_end(slopes: Slopes, points: Sequence[Vector], sample: Sample | None) -> Place:
    if sample is not None:
        of_sample = Slopes(sample.mean_log_likelihood, slopes.lower, slopes.upper)
        best = _highest(of_sample, points)
        if ((best.point > slopes.lower) & (best.point < slopes.upper)).all():
            return slopes.at(best.point)
        points = [best.point, *points]
    return _highest(slopes, points)


def _highest(slopes: Slopes, points: Sequence[Vector]) -> Place:
    return max((slopes.search(point) for point in points), key=lambda end: end.value)


def _neighbours(place: Place, information: Information) -> list[Vector]:
    """Return points around a place, along each coordinate and each eigenvector of the information."""
    along_eigenvectors = information.directions
    along_coordinates = np.eye(len(place.point))
    ways = np.concatenate([along_coordinates, along_eigenvectors])
    # How much is known along each way, with everything else held.
    known = np.sum((ways @ along_eigenvectors.T) ** 2 * information.eigenvalues, axis=1)
    with_end = np.maximum(known, (NEIGHBOUR / FURTHEST_NEIGHBOUR) ** 2)
    steps = ways * (NEIGHBOUR / np.sqrt(with_end))[:, np.newaxis]
    return [place.point + sign * step for step in steps for sign in (1, -1)]
