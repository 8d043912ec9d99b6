"""What the fitted purchase model says of a customer; `models.purchase_model` computes it."""

from __future__ import annotations

from features.feature import Feature

__all__ = ["FEATURES"]

FEATURES = (
    Feature(
        name="p_alive",
        unit="probability",
        driver="lifetime",
        description="P(alive) of the BTYD model; by BG/NBD 1 for one-time buyers, which says nothing of health.",
        clause="the purchase history alone puts the chance that the customer is still there at {value}",
        clause_at_one="the purchase history alone can't tell yet whether the customer is still there",
        needs="btyd",
        minimum=0,
        maximum=1,
    ),
    Feature(
        name="expected_purchases",
        unit="purchase days",
        driver="frequency",
        description="Purchase days that the BTYD model expects within the horizon.",
        clause="the purchase history alone leads one to expect purchases on {value} in the coming period",
        clause_at_zero="the purchase history alone leads one to expect hardly a purchase in the coming period",
        purchase_chance="rises",
        needs="btyd",
        minimum=0,
    ),
    Feature(
        name="expected_average_value",
        unit="currency",
        driver="value",
        description="Gamma-Gamma conditional mean of the value of a purchase day.",
        clause="a day with a purchase can be expected to come to {value}",
        clause_at_zero="a day with a purchase can be expected to come to nothing",
        needs="btyd",
        minimum=0,
    ),
)
