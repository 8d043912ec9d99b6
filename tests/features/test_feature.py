"""What a feature says of itself: its clause for a person, its window, its hash."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from features.aggregate import Aggregate, Measure
from features.catalogue import CATALOGUE, WINDOWS
from features.feature import Feature, Unit, format_value

# What no clause may contain: a number and noun that don't agree, nothing counted, leftovers of formatting.
_WRONG = (
    r"\b1 (days|orders)\b",
    r"(?<![\d.,])(?!1 )[\d.,]+ (day|order)\b(?! (apart|ago)\b)(?!s)",
    r"\bwere 1\b",
    r"\b0 (days|orders)\b",
    r"\b[A-Z]{3} 0\.00\b",
    r"-\d",
    r"nan|inf|[{}]|  |[.;:!?]$",
)
_VALUES = (0.0, 1e-13, -1e-13, 0.004, 0.04, 0.3, 1.0, 1.04, 2.0, 12.5, 97.3, 99.96, 364.0, 1234.5, -1.0, -2.0, -97.3)


def _legal(feature: Feature) -> list[float]:
    low = -np.inf if feature.minimum is None else feature.minimum
    high = np.inf if feature.maximum is None else feature.maximum
    return [value for value in _VALUES if low <= value <= high]


@pytest.mark.parametrize("feature", CATALOGUE.values(), ids=lambda feature: feature.name)
def test_every_clause_can_be_read_aloud_in_the_middle_of_a_sentence(feature: Feature) -> None:
    for value in [*_legal(feature), np.nan]:
        clause = feature.tell(value, "USD")
        assert clause[0].islower(), clause
        assert len(clause.split()) >= 5, clause
        for wrong in _WRONG:
            assert re.search(wrong, clause) is None, clause


@pytest.mark.parametrize(
    ("name", "value", "clause"),
    [
        ("T", 97.3, "the first purchase was 97 days ago"),
        ("days_since_last_purchase", 0.0, "the last purchase was made just now"),
        ("days_since_last_purchase", 1.0, "it has been 1 day since the last purchase"),
        ("frequency", 0.0, "the customer has bought on one day only"),
        ("frequency", 1.0, "the customer has come back to buy on 1 day"),
        ("gap_deviation", 0.2, "purchases come at regular intervals"),
        ("gap_mean", 1.0, "purchases lie 1 day apart on average"),
        ("gap_mean", np.nan, "there is no second purchase to see a rhythm by"),
        ("monetary_value", 0.0, "repeat purchases came to nothing"),
        ("orders", 1.0, "the customer has placed 1 order in all"),
        ("p_alive", 0.25, "the purchase history alone puts the chance that the customer is still there at 25%"),
        ("p_alive", 1.0, "the purchase history alone can't tell yet whether the customer is still there"),
        ("purchase_days_90d", 0.0, "there were no purchases in the last 90 days"),
        ("purchase_days_90d", 1.0, "the customer bought on 1 day in the last 90 days"),
        ("purchase_days_change_30d", 0.0, "buying neither picked up nor slowed down in the last 30 days"),
        (
            "purchase_days_change_30d",
            -1.0,
            "in the last 30 days the customer bought on 1 day fewer than in the 30 days before",
        ),
        ("silence_ratio", 2.34, "the present silence is 2.3 times as long as the usual time between purchases"),
        ("total_value", -1234.5, "refunds so far exceed purchases by USD 1,234.50"),
        ("value_30d", 1e-14, "nothing was spent in the last 30 days"),
        ("value_30d", -1e-14, "nothing was spent in the last 30 days"),
        ("value_change_90d", -7.5, "the customer spent USD 7.50 less in the last 90 days than in the 90 days before"),
        ("last_day_value", -7.5, "the last purchase was worth minus USD 7.50"),
    ],
)
def test_a_clause_reads(name: str, value: float, clause: str) -> None:
    assert CATALOGUE[name].tell(value, "USD") == clause


@pytest.mark.parametrize(
    ("value", "unit", "written"),
    [
        (0.0, "days", "0 days"),
        (0.6, "days", "1 day"),
        (1_234.4, "days", "1,234 days"),
        (1.0, "purchase days", "1 day"),
        (0.96, "purchase days", "1 day"),
        (2.54, "purchase days", "2.5 days"),
        (120.6, "orders", "121 orders"),
        (0.004, "currency", "EUR 0.00"),
        (-0.004, "currency", "EUR 0.00"),
        (-1_234.567, "currency", "minus EUR 1,234.57"),
        (0.0, "probability", "less than 1%"),
        (0.004, "probability", "less than 1%"),
        (0.5, "probability", "50%"),
        (0.996, "probability", "more than 99%"),
        (1.0, "ratio", "1.0"),
        (1_234.56, "ratio", "1,235"),
        (-0.5, "phase", "-0.50"),
    ],
)
def test_a_value_is_written_as_a_person_would(value: float, unit: Unit, written: str) -> None:
    assert format_value(value, unit, "EUR") == written


def test_the_hash_changes_with_what_decides_values_and_not_with_text() -> None:
    feature = CATALOGUE["value_30d"]
    same = replace(feature, description="Other words.", clause="it came to {value}", driver="season", minimum=-1.0)
    assert same.definition_hash == feature.definition_hash
    for changed in (
        replace(feature, name="value_31d"),
        replace(feature, inputs=(Aggregate(Measure.VALUE, 31),)),
        replace(feature, inputs=(Aggregate(Measure.VALUE, 30, ago=1),)),
        replace(feature, inputs=(Aggregate(Measure.REPEAT_VALUE, 30),)),
        replace(feature, revision=2),
        replace(feature, source="btyd"),
    ):
        assert changed.definition_hash != feature.definition_hash


def test_the_hashes_of_all_features_differ() -> None:
    assert len({feature.definition_hash for feature in CATALOGUE.values()}) == len(CATALOGUE)


def test_the_catalogue_stands_by_name_and_has_every_window() -> None:
    assert all(name == feature.name for name, feature in CATALOGUE.items())
    for days in WINDOWS:
        for name in (f"purchase_days_{days}d", f"value_{days}d"):
            assert CATALOGUE[name].window == f"last {days} days"


@pytest.mark.parametrize(
    ("name", "window"),
    [
        ("purchase_days_year_ago_90d", "276 to 365 days back"),
        ("purchase_days_change_30d", "last 60 days"),
        ("season_sine", "date of the snapshot"),
        ("p_alive", "all history"),
        ("gap_mean", "all history"),
    ],
)
def test_the_window_of_a_feature_comes_from_its_inputs(name: str, window: str) -> None:
    assert CATALOGUE[name].window == window


def test_features_from_purchases_have_inputs_and_those_of_the_btyd_model_have_none() -> None:
    for feature in CATALOGUE.values():
        assert bool(feature.inputs) == (feature.source == "purchases")
        assert feature.description.endswith(".")
