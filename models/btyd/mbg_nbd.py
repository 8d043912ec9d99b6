"""The MBG/NBD model of repeat purchases: BG/NBD in which those who bought once can be lost too.

While a customer is alive, purchases come at random with a rate lambda ~ Gamma(shape r, rate alpha). After each
purchase, the first included, the customer drops out for good with a probability p ~ Beta(a, b).

References
----------
.. [1] Batislam, Emine Persentili, Meltem Denizel, and Alpay Filiztekin (2007), "Empirical Validation and Comparison of
   Models for Customer Base Analysis", International Journal of Research in Marketing, 24 (3), 201-209.
.. [2] Hoppe, Daniel and Udo Wagner (2007), "Customer Base Analysis: The Case for a Central Variant of the
   Betageometric/NBD Model", Marketing - Journal of Research and Management, 3 (2), 75-90.
"""

from typing import TYPE_CHECKING, ClassVar, Self

from models.btyd import lifetimes_bridge
from models.btyd.beta_geometric import BetaGeometricModel

if TYPE_CHECKING:
    from lifetimes import ModifiedBetaGeoFitter

__all__ = ["ModifiedBetaGeoModel"]


class ModifiedBetaGeoModel(BetaGeometricModel):
    """MBG/NBD: gamma-distributed purchase rates, beta-geometric drop-out at every purchase [1]_, [2]_.

    The parameters are ``r`` and ``alpha`` (a length of time) of the rate, ``a`` and ``b`` of the drop-out. A new
    customer may be lost at the very purchase that brought him: that is in ``expected_purchases_new_customer`` and in
    ``probability_of_n_purchases_new_customer``.

    Examples
    --------
    >>> model = ModifiedBetaGeoModel.from_params(r=0.525, alpha=6.183, a=0.891, b=1.614)  # weeks
    >>> model.p_alive([0, 0], [0, 0], [1, 39]).round(3).tolist()
    [0.626, 0.389]
    """

    name: ClassVar[str] = "mbg_nbd"
    chances_at_first_purchase: ClassVar[int] = 1

    @classmethod
    def from_lifetimes(cls, fitter: "ModifiedBetaGeoFitter") -> Self:
        """Take over the parameters of a fitted ``lifetimes.ModifiedBetaGeoFitter``."""
        return cls.from_params(**lifetimes_bridge.fitted_params(fitter, cls.parameter_names))

    def to_lifetimes(self) -> "ModifiedBetaGeoFitter":
        """Return a ``lifetimes.ModifiedBetaGeoFitter`` that predicts with these parameters."""
        return lifetimes_bridge.modified_beta_geo_fitter(self._fitted())
