"""Reasons of clv in words: the customer's value beside what is typical, and amounts of money."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from models.clv_reasons import CLV_INPUTS, ClvReference
from models.clv_wording import clv_sentence, clv_texts, read_clv_reasons

REFERENCE = ClvReference(
    name="the typical active customer",
    frequency=3.0,
    recency=150.0,
    days_since_last_purchase=45.0,
    monetary_value=34.2,
    mean_value=36.4,
    clv=90.0,
)
USUAL = (3.0, 150.0, 45.0, 34.2)


def texts(values: tuple[float, ...], contributions: tuple[float, ...]) -> dict[str, str]:
    [entries] = clv_texts(np.array([values]), np.array([contributions]))
    assert entries is not None
    return {reason.feature: reason.text for reason in read_clv_reasons(entries, REFERENCE, "USD")}


def sentence(values: tuple[float, ...], contributions: tuple[float, ...], reference: ClvReference = REFERENCE) -> str:
    [entries] = clv_texts(np.array([values]), np.array([contributions]))
    assert entries is not None
    reasons = read_clv_reasons(entries, reference, "USD")
    return clv_sentence(reasons, reference.clv + sum(contributions), reference, "USD")


def test_reasons_are_kept_as_json_with_nothing_for_what_is_missing() -> None:
    inputs = np.array([[0.0, 0.0, 12.0, np.nan], [np.nan] * 4])
    contributions = np.array([[-1.0, -2.0, 0.5, 0.25], [np.nan] * 4])
    assert [None if text is None else json.loads(text) for text in clv_texts(inputs, contributions)] == [
        [
            ["frequency", 0.0, -1.0],
            ["recency", 0.0, -2.0],
            ["days_since_last_purchase", 12.0, 0.5],
            ["monetary_value", None, 0.25],
        ],
        None,
    ]


def test_reasons_are_read_from_json_largest_first_with_what_is_typical() -> None:
    [entries] = clv_texts(np.array([[7.0, 210.0, 5.0, 52.4]]), np.array([[60.0, -12.0, 25.0, 80.0]]))
    assert entries is not None
    reasons = read_clv_reasons(entries, REFERENCE, "USD")
    assert [(reason.feature, reason.value, reason.typical, reason.contribution) for reason in reasons] == [
        ("monetary_value", 52.4, 34.2, 80.0),
        ("frequency", 7.0, 3.0, 60.0),
        ("days_since_last_purchase", 5.0, 45.0, 25.0),
        ("recency", 210.0, 150.0, -12.0),
    ]


@pytest.mark.parametrize(
    ("feature", "value", "contribution", "text"),
    [
        ("frequency", 7, 9, "the customer has come back to buy on 7 days, more often than is typical"),
        ("frequency", 7, -9, "the customer has come back to buy on 7 days, which makes the silence a sign of leaving"),
        ("frequency", 1, -9, "the customer has come back to buy on 1 day, less often than is typical"),
        ("frequency", 1, 9, "the customer has come back to buy on 1 day, after which the silence says less"),
        ("frequency", 3, 0, "the customer has come back to buy on 3 days"),
        ("recency", 300, 9, "the customer has kept buying for 300 days, longer than is typical"),
        ("recency", 300, -9, "the purchases are spread over 300 days, longer than is typical"),
        ("recency", 20, 9, "the purchases fell within 20 days, closer together than is typical"),
        ("recency", 20, -9, "the customer has kept buying for 20 days, less long than is typical"),
        ("recency", 150, 0, "the first and the last purchase lie 150 days apart"),
        ("days_since_last_purchase", 97, -9, "it has been 97 days since the last purchase, longer than is typical"),
        ("days_since_last_purchase", 2, 9, "it has been 2 days since the last purchase, less long than is typical"),
        ("days_since_last_purchase", 45, 0, "it has been 45 days since the last purchase"),
        (
            "monetary_value",
            52.4,
            9,
            "each day of repeat purchases came to USD 52.40 on average, more than is typical",
        ),
        ("monetary_value", 9.5, -9, "each day of repeat purchases came to USD 9.50 on average, less than is typical"),
        # What reads the same is not told as more or less.
        ("monetary_value", 34.2001, 0.01, "each day of repeat purchases came to USD 34.20 on average"),
    ],
)
def test_each_input_is_told_in_both_directions(feature: str, value: float, contribution: float, text: str) -> None:
    column = CLV_INPUTS.index(feature)
    values, contributions = list(USUAL), [0.0] * 4
    values[column], contributions[column] = value, contribution
    assert texts(tuple(values), tuple(contributions))[feature] == text


def test_every_combination_of_value_and_direction_has_a_whole_clause() -> None:
    for values in product((0.0, 1.0, 9.0), (20.0, 400.0), (0.0, 300.0), (0.0, 99.0)):
        for contributions in product((-5.0, 0.0, 5.0), repeat=4):
            for text in texts(values, contributions).values():
                assert text
                assert "{" not in text
                assert text[0].islower()
                assert not text.endswith(".")


def test_somebody_who_bought_once_is_told_so_once_with_both_amounts() -> None:
    assert sentence((0.0, 0.0, 20.0, np.nan), (-30.0, -25.0, 15.0, 1.0)) == (
        "USD 51.00 is expected of the customer, USD 39.00 less than of the typical active customer. The main reason is "
        "that the customer has bought on one day only (minus USD 55.00). On the other hand, it has been 20 days since "
        "the last purchase, less long than is typical (plus USD 15.00)."
    )
    told = texts((0.0, 0.0, 20.0, np.nan), (30.0, -5.0, 15.0, 1.0))
    assert told["frequency"] == told["recency"]
    assert told["frequency"] == "the customer has bought on one day only, after which the silence says little"
    assert told["monetary_value"] == (
        "what repeat purchases would come to is not known yet, so that everybody's average is expected"
    )


def test_three_reasons_at_most_are_told_and_faint_ones_are_not() -> None:
    assert sentence((7.0, 210.0, 5.0, 52.4), (60.0, -7.9, 25.0, 80.0)) == (
        "USD 247.10 is expected of the customer, USD 157.10 more than of the typical active customer. The main reasons "
        "are that each day of repeat purchases came to USD 52.40 on average, more than is typical (plus USD 80.00), "
        "the customer has come back to buy on 7 days, more often than is typical (plus USD 60.00) and it has been 5 "
        "days since the last purchase, less long than is typical (plus USD 25.00)."
    )


def test_somebody_like_the_typical_customer_has_nothing_to_explain() -> None:
    assert sentence(USUAL, (0.0, 0.0, 0.001, 0.0)) == (
        "USD 90.00 is expected of the customer, as much as of the typical active customer."
    )


def test_a_reference_without_repeat_purchases_is_compared_by_what_everybody_spends() -> None:
    once = replace(REFERENCE, frequency=0.0, recency=0.0, monetary_value=None)
    assert "came to USD 36.00 on average, less than is typical (minus USD 5.00)" in sentence(
        (3.0, 150.0, 45.0, 36.0), (9.0, 9.0, 0.0, -5.0), once
    )
