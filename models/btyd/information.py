"""What a sample tells of its parameters: their covariance, and those of which it tells next to nothing.

At an optimum the inverse of the information matrix (minus the second derivatives of the log-likelihood) is the
covariance of the estimates, in large samples. Here all of it is in the logarithms of the parameters, where the
likelihood of a positive parameter is nearest to a parabola.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["Information"]

# A parameter is identified if the standard error of its logarithm is no more than this: beyond, not even its order of
# magnitude is known.
LARGEST_ERROR = 2.0

# Information below this, in any direction, counts as this: a flat direction is then followed a hundredfold, not
# for ever, and spares the parameters that have no part in it.
LEAST_INFORMATION = 1e-4

# Of what is not known a factor of e either way is believed: beyond, the likelihood is no parabola any more.
GREATEST_DEVIATION = 1.0


@dataclass(frozen=True, eq=False)
class Information:
    """What is known of k parameters at an optimum.

    Attributes
    ----------
    covariance : ndarray of float64, shape (k, k)
        Of the logarithms; rows and columns of those not identified or not free are 0.
    spread : ndarray of float64, shape (k, k)
        The same for predictions, which what is not identified makes uncertain too: with no direction left out, and none
        with a standard deviation above `GREATEST_DEVIATION`. Rows and columns of those not free are 0.
    identified : ndarray of bool, shape (k,)
    eigenvalues : ndarray of float64, shape (f,)
        Of the information matrix of the f free parameters, ascending.
    directions : ndarray of float64, shape (f, k)
        A unit vector of the logarithms for each eigenvalue.
    """

    covariance: NDArray[np.float64]
    spread: NDArray[np.float64]
    identified: NDArray[np.bool_]
    eigenvalues: NDArray[np.float64]
    directions: NDArray[np.float64]

    @classmethod
    def of(cls, matrix: NDArray[np.float64], free: NDArray[np.bool_]) -> Self:
        """Invert an information matrix, without the parameters of which it tells too little.

        Parameters
        ----------
        matrix : ndarray of float64, shape (f, f)
            Of the logarithms of the free parameters.
        free : ndarray of bool, shape (k,)
            Which of all parameters they are.
        """
        positions = np.flatnonzero(free)
        eigenvalues, vectors = np.linalg.eigh(matrix)
        known = np.arange(len(positions))
        while True:
            inverse = _inverse(matrix[np.ix_(known, known)])
            precise = np.diag(inverse) <= LARGEST_ERROR**2
            if precise.all():
                break
            # The others are judged again with these held where they are.
            known = known[precise]
        covariance = np.zeros((len(free), len(free)))
        covariance[np.ix_(positions[known], positions[known])] = inverse
        spread = np.zeros((len(free), len(free)))
        spread[np.ix_(positions, positions)] = _inverse(matrix, least=1 / GREATEST_DEVIATION**2)
        identified = np.zeros(len(free), dtype=np.bool_)
        identified[positions[known]] = True
        directions = np.zeros((len(positions), len(free)))
        directions[:, positions] = vectors.T
        return cls(covariance, spread, identified, eigenvalues, directions)

    @property
    def condition_number(self) -> float | None:
        """Greatest over least eigenvalue of the information matrix; None where there is no top to speak of."""
        if len(self.eigenvalues) == 0 or self.eigenvalues[0] <= 0:
            return None
        return float(self.eigenvalues[-1] / self.eigenvalues[0])

    @property
    def log_errors(self) -> NDArray[np.float64]:
        """The standard errors of the logarithms, shape (k,); 0 for those that are not identified."""
        return np.asarray(np.sqrt(np.diag(self.covariance)))


def _inverse(matrix: NDArray[np.float64], least: float = LEAST_INFORMATION) -> NDArray[np.float64]:
    eigenvalues, vectors = np.linalg.eigh(matrix)
    inverse = (vectors / np.maximum(eigenvalues, least)) @ vectors.T
    return np.asarray((inverse + inverse.T) / 2)
