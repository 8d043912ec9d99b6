"""What all models with a few positive parameters share: fitted state, and a dictionary that JSON can hold."""

from abc import ABC
from collections.abc import Mapping
from math import isfinite
from typing import Any, ClassVar, Self

from models.btyd.fitting import FitCertificate
from models.exceptions import InputError, NotFittedError

__all__ = ["ParametricModel"]

GIVEN = FitCertificate(
    converged=False,
    gradient_norm=0.0,
    starts=0,
    at_bound=(),
    notes=("The parameters were given, not fitted.",),
    standard_errors={},
    covariance=(),
    condition_number=None,
    not_identified=(),
    neighbour_gain=0.0,
    n_sample=None,
)


class ParametricModel(ABC):
    """A model that is wholly described by a few positive parameters.

    Attributes
    ----------
    params_ : dict of str to float
        The parameters by their published names, in the unit of the data.
    log_likelihood_ : float
        Summed over the customers fitted; 0 if the parameters were given.
    n_customers_ : int
        How many customers the fit read; 0 if the parameters were given.
    certificate_ : FitCertificate
        How well the fit went.
    """

    name: ClassVar[str]
    parameter_names: ClassVar[tuple[str, ...]]

    params_: dict[str, float]
    log_likelihood_: float
    n_customers_: int
    certificate_: FitCertificate

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value:.6g}" for name, value in getattr(self, "params_", {}).items())
        return f"{type(self).__name__}({shown})"

    @classmethod
    def from_params(cls, **params: float) -> Self:
        """Make a model from known parameters, published ones for instance.

        Raises
        ------
        InputError
            If a parameter is missing, unknown, or not a finite number above 0.
        """
        if set(params) != set(cls.parameter_names):
            raise InputError(
                f"{cls.name}: expected the parameters {', '.join(cls.parameter_names)}, "
                f"got {', '.join(params) or 'none'}. Name each of them once."
            )
        wrong = {name: value for name, value in params.items() if not (isfinite(value) and value > 0)}
        if wrong:
            raise InputError(f"{cls.name}: expected finite parameters above 0, got {wrong}.")
        model = cls()
        model.params_ = {name: float(params[name]) for name in cls.parameter_names}
        model.log_likelihood_ = 0.0
        model.n_customers_ = 0
        model.certificate_ = GIVEN
        return model

    def to_dict(self) -> dict[str, Any]:
        """Return the fitted state as values that JSON can hold; ``from_dict`` gives back the very same floats.

        Raises
        ------
        NotFittedError
            If there is nothing to return yet.
        """
        self._fitted()
        return {
            "name": self.name,
            "params": dict(self.params_),
            "log_likelihood": self.log_likelihood_,
            "n_customers": self.n_customers_,
            "certificate": self.certificate_.to_dict(),
        }

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """Read what ``to_dict`` wrote.

        Raises
        ------
        InputError
            If a field is missing, or it is another model's.
        """
        expected = {"name", "params", "log_likelihood", "n_customers", "certificate"}
        missing = expected - set(fields)
        if missing:
            raise InputError(f"{cls.name}: expected the fields {sorted(expected)}, missing {sorted(missing)}.")
        if fields["name"] != cls.name:
            raise InputError(f"expected a model of the kind {cls.name!r}, got {fields['name']!r}.")
        model = cls.from_params(**fields["params"])
        model.log_likelihood_ = float(fields["log_likelihood"])
        model.n_customers_ = int(fields["n_customers"])
        model.certificate_ = FitCertificate.from_dict(fields["certificate"])
        return model

    def _fitted(self) -> dict[str, float]:
        """Return the parameters, or say that there are none yet."""
        if not hasattr(self, "params_"):
            raise NotFittedError(
                f"expected a fitted {type(self).__name__}, got one without parameters. Call fit first."
            )
        return self.params_
