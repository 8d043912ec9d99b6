"""Fitted models to and from the fitters of the package lifetimes.

Importing lifetimes switches off a pandas option for the whole process and warns about it; that is undone here, and it
is imported only when a converter is called.
"""

import importlib
import warnings
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pandas as pd

from models.exceptions import InputError

if TYPE_CHECKING:
    from lifetimes import BaseFitter, BetaGeoFitter, GammaGammaFitter, ModifiedBetaGeoFitter, ParetoNBDFitter

__all__ = [
    "beta_geo_fitter",
    "fitted_params",
    "gamma_gamma_fitter",
    "modified_beta_geo_fitter",
    "pareto_nbd_fitter",
]

OPTION_THAT_LIFETIMES_SETS = "mode.chained_assignment"


def beta_geo_fitter(params: Mapping[str, float]) -> "BetaGeoFitter":
    """Return a BG/NBD fitter of lifetimes with these parameters, ready to predict."""
    return _with_params(_lifetimes().BetaGeoFitter(), params)


def modified_beta_geo_fitter(params: Mapping[str, float]) -> "ModifiedBetaGeoFitter":
    """Return an MBG/NBD fitter of lifetimes with these parameters, ready to predict."""
    return _with_params(_lifetimes().ModifiedBetaGeoFitter(), params)


def pareto_nbd_fitter(params: Mapping[str, float]) -> "ParetoNBDFitter":
    """Return a Pareto/NBD fitter of lifetimes with these parameters, ready to predict."""
    return _with_params(_lifetimes().ParetoNBDFitter(), params)


def gamma_gamma_fitter(params: Mapping[str, float]) -> "GammaGammaFitter":
    """Return a Gamma-Gamma fitter of lifetimes with these parameters, ready to predict."""
    fitter = _lifetimes().GammaGammaFitter()
    fitter.params_ = pd.Series(dict(params))
    return fitter


def fitted_params(fitter: "BaseFitter", names: Sequence[str]) -> dict[str, float]:
    """Return the parameters of a fitter of lifetimes.

    Raises
    ------
    InputError
        If it is not fitted, or is another model's.
    """
    params = dict(getattr(fitter, "params_", {}))
    if set(params) != set(names):
        raise InputError(
            f"expected a fitted lifetimes model with the parameters {', '.join(names)}, "
            f"got {type(fitter).__name__} with {', '.join(map(str, params)) or 'none'}. "
            "Fit it first, or take the class that is made for it."
        )
    return {name: float(params[name]) for name in names}


def _with_params(fitter: Any, params: Mapping[str, float]) -> Any:
    fitter.params_ = pd.Series(dict(params))
    fitter.predict = fitter.conditional_expected_number_of_purchases_up_to_time
    return fitter


def _lifetimes() -> ModuleType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before = pd.get_option(OPTION_THAT_LIFETIMES_SETS)
        module = importlib.import_module("lifetimes")
        pd.set_option(OPTION_THAT_LIFETIMES_SETS, before)
    return module
