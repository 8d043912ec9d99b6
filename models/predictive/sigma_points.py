"""What the parameters might also be: a few models that stand for the uncertainty of a fit.

The logarithms of fitted parameters are taken as normal around their optimum, with the covariance that the fit's
certificate gives. Instead of random draws, 2 k points have the same mean and covariance [1]_: k uncorrelated
directions, sqrt(k) standard deviations along each, either way. So nothing depends on a seed, and a customer alone gets
the number of the batch.

References
----------
.. [1] Julier, Simon J. and Jeffrey K. Uhlmann (1997), "A New Extension of the Kalman Filter to Nonlinear Systems",
   equation (12) with kappa = 0.
"""

from functools import lru_cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from models.btyd.parametric import ParametricModel
from models.exceptions import NotFittedError

__all__ = ["covariance_of", "sigma_points"]

# Beyond a factor of e the normal approximation says nothing any more, and steps would leave every sensible range.
GREATEST_DEVIATION = 1.0

NEGLIGIBLE_SHARE = 1e-12

Model = TypeVar("Model", bound=ParametricModel)


def sigma_points(model: Model) -> tuple[Model, ...]:
    """Return models of equal weight that stand for what the parameters of one might be.

    Parameters
    ----------
    model : ParametricModel
        Fitted.

    Returns
    -------
    tuple of ParametricModel
        Two for each parameter that was identified; the model's own parameters only if nothing is known of their
        uncertainty (given, not fitted).

    Raises
    ------
    NotFittedError
        If the model has no parameters.
    """
    if not hasattr(model, "params_"):
        raise NotFittedError(f"expected a fitted {type(model).__name__}, got one without parameters. Call fit first.")
    return _sigma_points(type(model), tuple(model.params_.values()), model.certificate_.covariance)


def covariance_of(model: ParametricModel) -> NDArray[np.float64]:
    """Return the covariance of the logarithms of a model's parameters, shape (k, k), within what can be believed.

    Parameters at a bound have none. No direction has a standard deviation above `GREATEST_DEVIATION`.
    """
    roots = _roots(model.certificate_.covariance, len(model.params_))
    return np.asarray(np.einsum("ik,jk->ij", roots, roots))


# A model is asked for customer by customer; the points depend on its parameters only.
@lru_cache(maxsize=32)
def _sigma_points(
    kind: type[Model], params: tuple[float, ...], covariance: tuple[tuple[float, ...], ...]
) -> tuple[Model, ...]:
    roots = _roots(covariance, len(params))
    directions = roots.shape[1]
    if directions == 0:
        return (kind.from_params(**dict(zip(kind.parameter_names, params, strict=True))),)
    steps = np.sqrt(directions) * np.concatenate([roots.T, -roots.T])
    points = np.exp(np.log(params) + steps)
    return tuple(
        kind.from_params(**{name: float(value) for name, value in zip(kind.parameter_names, point, strict=True)})
        for point in points
    )


def _roots(covariance: tuple[tuple[float, ...], ...], n_params: int) -> NDArray[np.float64]:
    """Return the directions of the covariance, each a column as long as its standard deviation, shape (n_params, k)."""
    matrix = np.array(covariance, dtype=np.float64).reshape(-1, n_params)
    if not matrix.any():
        return np.zeros((n_params, 0))
    variances, directions = np.linalg.eigh(matrix)
    known = variances > NEGLIGIBLE_SHARE * variances[-1]
    deviations = np.minimum(np.sqrt(variances[known]), GREATEST_DEVIATION)
    return np.asarray(directions[:, known] * deviations)
