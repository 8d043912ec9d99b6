"""Predictive distributions: between which bounds purchases and value will lie, and how well such bounds held."""

from models.predictive.counts import purchase_cdf, purchase_interval
from models.predictive.interval import DEFAULT_LEVEL, Interval, interval_in_words
from models.predictive.pace import horizons_at_pace
from models.predictive.recalibration import IDENTITY, Recalibration, RecalibrationTrial
from models.predictive.values import clv_interval, value_cdf

__all__ = [
    "DEFAULT_LEVEL",
    "IDENTITY",
    "Interval",
    "Recalibration",
    "RecalibrationTrial",
    "clv_interval",
    "horizons_at_pace",
    "interval_in_words",
    "purchase_cdf",
    "purchase_interval",
    "value_cdf",
]
