"""Buy-till-you-die models: how often customers will buy, whether they are still customers, and what they spend."""

from collections.abc import Mapping
from types import MappingProxyType

from models.btyd.base import BuyTillYouDieModel
from models.btyd.bg_nbd import BetaGeoModel
from models.btyd.fitting import FitCertificate
from models.btyd.gamma_gamma import GammaGammaModel
from models.btyd.mbg_nbd import ModifiedBetaGeoModel
from models.btyd.pareto_nbd import ParetoModel

__all__ = [
    "PURCHASE_MODELS",
    "BetaGeoModel",
    "BuyTillYouDieModel",
    "FitCertificate",
    "GammaGammaModel",
    "ModifiedBetaGeoModel",
    "ParetoModel",
]

PURCHASE_MODELS: Mapping[str, type[BuyTillYouDieModel]] = MappingProxyType(
    {model.name: model for model in (BetaGeoModel, ModifiedBetaGeoModel, ParetoModel)}
)
"""The models of purchases, by name."""
