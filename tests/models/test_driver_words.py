"""What is said of drivers: directions, turning points with their unit, categories, and what weighs most."""

from __future__ import annotations

from typing import Any

import pytest

from models.driver_report import CategoryMean, DriverReport, FeatureDriver
from models.driver_words import direction_in_words, sides_of, summary, title_of


def row(feature: str, **parts: Any) -> FeatureDriver:
    found = FeatureDriver(
        feature=feature,
        driver="inactivity",
        mean_size=0.5,
        mean_contribution=0.0,
        mean_towards=0.25,
        mean_against=-0.25,
        towards=0.5,
        against=0.5,
        among_strongest=3,
        direction=None,
        turns_at=None,
        missing=None,
        categories=None,
    )
    found.update(parts)  # type: ignore[typeddict-item]
    return found


@pytest.mark.parametrize(
    ("found", "target", "words"),
    [
        (
            row("days_since_last_purchase", direction="higher", turns_at=45.0),
            "churn",
            "Higher values speak for leaving, from 45 days on",
        ),
        (
            row("value_90d", direction="lower", turns_at=12.5),
            "churn",
            "Lower values speak for leaving, below EUR 12.50",
        ),
        (row("frequency", direction="lower", turns_at=1.0), "upsell", "Lower values speak for it, below 1 day"),
        (row("frequency", direction="higher"), "churn", "Higher values speak for leaving"),
        (row("season_sine", direction="higher", turns_at=0.2), "churn", "Higher values speak for leaving"),
        (row("p_alive", direction="lower", turns_at=0.9954), "churn", "Lower values speak for leaving, below 99.5%"),
        (row("events_30d", direction="higher", turns_at=2.0), "visit", "Higher values speak for it, from 2 on"),
        (
            row("preferred_hour", direction="higher", turns_at=14.0),
            "churn",
            "Later hours speak for leaving, from 14:00 on",
        ),
        (row("lifecycle_stage", direction="lower", turns_at=2.0), "churn", "Quieter stages speak for leaving"),
        (row("attribute.age", direction="lower", turns_at=30.0), "churn", "Lower values speak for leaving, below 30"),
        (row("of_an_older_catalogue", direction="lower", turns_at=1.0), "churn", "Lower values speak for leaving"),
        (row("T"), "churn", "No single direction"),
        (row("attribute.Plan", categories=[]), "churn", "Missing for everybody here"),
    ],
)
def test_a_direction_is_told_with_the_value_it_begins_at(found: FeatureDriver, target: str, words: str) -> None:
    assert direction_in_words(found, target=target, currency="EUR") == words


def category(name: str, mean: float) -> CategoryMean:
    return CategoryMean(category=name, customers=10, mean_contribution=mean)


@pytest.mark.parametrize(
    ("means", "words"),
    [
        ((0.4, 0.1, -0.3), "Most for leaving: a; most for staying: c"),
        ((0.4, 0.1), "Most for leaving: a"),
        ((-0.1, -0.2), "Most for staying: b"),
        ((0.0,), "No category speaks either way"),
    ],
)
def test_of_categories_the_outermost_are_told(means: tuple[float, ...], words: str) -> None:
    categories = [category(name, mean) for name, mean in zip("abc", means, strict=False)]
    found = row("attribute.Plan", categories=categories)
    assert direction_in_words(found, target="churn", currency="EUR") == words


def test_names_are_written_as_words_and_those_of_attributes_as_they_are() -> None:
    assert title_of("purchase_days_90d") == "purchase days 90d"
    assert title_of("event.product_viewed.days_since") == "product viewed: days since"
    assert title_of("attribute.Internet_Service") == "Internet_Service"


def test_the_sides_of_a_propensity_do_not_speak_of_leaving() -> None:
    assert (sides_of("churn").towards, sides_of("visit").towards) == ("for leaving", "for it")


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        (
            {"inactivity": 0.9, "price": 0.4, "value": 0.2, "season": 0.1},
            "Inactivity weighs most, then price and value.",
        ),
        ({"inactivity": 0.9, "season": 0.0}, "Inactivity weighs most."),
        ({"season": 0.0}, "Every customer here has the same score: no feature contributes anything."),
    ],
)
def test_the_summary_names_the_three_that_weigh_most(sizes: dict[str, float], words: str) -> None:
    report: Any = {"customers": 5, "drivers": [{"driver": name, "mean_size": size} for name, size in sizes.items()]}
    found: DriverReport = report
    assert summary(found) == words
