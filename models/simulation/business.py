"""What is true of a simulated business: the parameters of its purchases, and how customers who are lost show it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from models.btyd import BetaGeoModel, GammaGammaModel
from models.exceptions import InputError

__all__ = ["Business"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Business:
    """The truth behind a simulated shop.

    Purchases are BG/NBD, their values Gamma-Gamma. Neither depends on anything else here: visits, letters, tickets and
    attributes only show what is so.

    Attributes
    ----------
    r, alpha, a, b : float
        BG/NBD: a customer buys at a rate ~ Gamma(shape r, rate alpha days), and is lost after each repeat purchase
        with a probability ~ Beta(a, b). By default a purchase in 62.5 days, one in five the last.
    p, q, v : float
        Gamma-Gamma: the values of a customer's purchases are Gamma(shape p, rate nu), with nu ~ Gamma(shape q, rate v).
        By default 60 on average.
    visits_a_day : float
        Mean over customers, besides the visits that lead to an order.
    subscribed : float
        Share of customers who get the letters.
    days_between_letters : int
        Days from one e-mail to all subscribers to the next.
    opens, clicks : float
        Share of the letters that a customer opens, and of the opened ones that are clicked.
    fading_days : int
        So many days before the order after which a customer is lost, visiting and opening begin to fade.
    fading : float
        What is left of visiting and opening in those days, as a share.
    visits_when_lost, opens_when_lost : float
        What is left of each afterwards, as a share.
    ticket_after_last_order, ticket_after_order : float
        How often a support ticket follows the order after which a customer is lost, and any other order.
    unresolved_when_lost, unresolved : float
        Shares of those tickets that nobody resolves.
    acquired_through_correlation, distance_km_correlation : float
        Correlation, on the normal scale, of two attributes with the customer's drop-out probability.
    distractions_a_day : float
        Rate of an event that says nothing, and goes on whether the customer is lost or not.

    Raises
    ------
    InputError
        A parameter is not one that the models can have, or a share is not from 0 to 1.
    """

    r: float = 1.2
    alpha: float = 75.0
    a: float = 0.8
    b: float = 3.2
    p: float = 4.0
    q: float = 4.0
    v: float = 45.0
    visits_a_day: float = 0.015
    subscribed: float = 0.6
    days_between_letters: int = 30
    opens: float = 0.45
    clicks: float = 0.25
    fading_days: int = 45
    fading: float = 0.6
    visits_when_lost: float = 0.1
    opens_when_lost: float = 0.1
    ticket_after_last_order: float = 0.4
    ticket_after_order: float = 0.05
    unresolved_when_lost: float = 0.85
    unresolved: float = 0.15
    acquired_through_correlation: float = 0.7
    distance_km_correlation: float = 0.6
    distractions_a_day: float = 0.002

    def __post_init__(self) -> None:
        """Refuse what no business can be."""
        BetaGeoModel.from_params(**self.bg_nbd)
        GammaGammaModel.from_params(**self.gamma_gamma)
        rates_and_lengths = ("visits_a_day", "distractions_a_day", "days_between_letters", "fading_days")
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in rates_and_lengths and not value >= 0:
                raise InputError(f"{field.name}: expected 0 or more, got {value!r}.")
            is_share = field.name not in (*rates_and_lengths, *self.bg_nbd, *self.gamma_gamma)
            if is_share and not 0 <= value <= 1:
                raise InputError(f"{field.name}: expected a share from 0 to 1, got {value!r}.")
        if self.days_between_letters < 1:
            raise InputError(f"days_between_letters: expected 1 or more, got {self.days_between_letters!r}.")

    @property
    def bg_nbd(self) -> dict[str, float]:
        """Parameters of the purchases, as ``BetaGeoModel.params_`` has them, alpha in days."""
        return {name: getattr(self, name) for name in BetaGeoModel.parameter_names}

    @property
    def gamma_gamma(self) -> dict[str, float]:
        """Parameters of their values, as ``GammaGammaModel.params_`` has them."""
        return {name: getattr(self, name) for name in GammaGammaModel.parameter_names}

    def to_dict(self) -> dict[str, Any]:
        """Return parameters and mechanism as values that JSON can hold."""
        purchases = {"bg_nbd": self.bg_nbd, "gamma_gamma": self.gamma_gamma}
        known = {*self.bg_nbd, *self.gamma_gamma}
        mechanism = {name: value for name, value in asdict(self).items() if name not in known}
        return {"parameters": purchases, "mechanism": mechanism}
