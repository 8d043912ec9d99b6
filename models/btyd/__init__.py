"""Buy-till-you-die models: how often customers will buy, whether they are still customers, and what they spend."""

from models.btyd.base import BuyTillYouDieModel
from models.btyd.bg_nbd import BetaGeoModel
from models.btyd.fitting import FitCertificate
from models.btyd.gamma_gamma import GammaGammaModel

__all__ = ["BetaGeoModel", "BuyTillYouDieModel", "FitCertificate", "GammaGammaModel"]
