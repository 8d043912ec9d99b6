"""The BG/NBD model of repeat purchases.

While a customer is alive, purchases come at random with a rate lambda ~ Gamma(shape r, rate alpha). After each repeat
purchase the customer drops out for good with a probability p ~ Beta(a, b).

References
----------
.. [1] Fader, Peter S., Bruce G. S. Hardie, and Ka Lok Lee (2005), "Counting Your Customers the Easy Way: An
   Alternative to the Pareto/NBD Model", Marketing Science, 24 (2), 275-284.
.. [2] Fader, Peter S., Bruce G. S. Hardie, and Ka Lok Lee (2008), "Computing P(alive) Using the BG/NBD Model",
   note 021 on brucehardie.com.
.. [3] Fader, Peter S. and Bruce G. S. Hardie (2013), "Overcoming the BG/NBD Model's #NUM! Error Problem", note 027 on
   brucehardie.com.
"""

from typing import TYPE_CHECKING, ClassVar, Self

from models.btyd import lifetimes_bridge
from models.btyd.beta_geometric import BetaGeometricModel

if TYPE_CHECKING:
    from lifetimes import BetaGeoFitter

__all__ = ["BetaGeoModel"]


class BetaGeoModel(BetaGeometricModel):
    """BG/NBD: gamma-distributed purchase rates, beta-geometric drop-out at repeat purchases [1]_.

    The parameters are ``r`` and ``alpha`` (a length of time) of the rate, ``a`` and ``b`` of the drop-out. The
    likelihood is equation (6) of [1]_ in the form of [3]_, p_alive that of [2]_; expectations and probabilities are
    equations (10) and (8) of [1]_, in forms that hold their digits.

    Notes
    -----
    Drop-out comes with a repeat purchase only: ``p_alive`` is exactly 1 for everybody who bought once, however long
    ago. It is the model's assumption, not a finding; never read it as a sign of health.

    Examples
    --------
    >>> model = BetaGeoModel.from_params(r=0.243, alpha=4.414, a=0.793, b=2.426)  # CDNOW, weeks
    >>> round(float(model.expected_purchases(39, 2, 30.43, 38.86)[0]), 3)
    1.226
    """

    name: ClassVar[str] = "bg_nbd"
    chances_at_first_purchase: ClassVar[int] = 0

    @classmethod
    def from_lifetimes(cls, fitter: "BetaGeoFitter") -> Self:
        """Take over the parameters of a fitted ``lifetimes.BetaGeoFitter``."""
        return cls.from_params(**lifetimes_bridge.fitted_params(fitter, cls.parameter_names))

    def to_lifetimes(self) -> "BetaGeoFitter":
        """Return a ``lifetimes.BetaGeoFitter`` that predicts with these parameters."""
        return lifetimes_bridge.beta_geo_fitter(self._fitted())
