"""What is said of a total that is off: the season, the cohort, a faster pace, or that none of these explains it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from features.calendar import LocalCalendar
from features.rfm import Rfm
from features.windows import Snapshot
from tests.data.cdnow import END_DAY, cdnow_log
from tests.shop import local_day
from training.purchase_holdout import PurchaseHoldout
from training.total_error_words import explain_total

START = local_day(2024, 3, 1)


def a_holdout(*, T: np.ndarray, before: float = 1.0, actual: float = 1.0, days: int = 30) -> PurchaseHoldout:
    """Customers known for T days who all bought alike before the hold-out, and alike in it."""
    n = len(T)
    nobody = np.zeros(n)
    rfm = Rfm(np.arange(n), nobody, nobody, T.astype(float), np.full(n, np.nan))
    start = Snapshot.at_midnight(START, LocalCalendar("UTC"))
    return PurchaseHoldout(start, days, rfm, np.full(n, before), np.full(n, actual), nobody)


# They came all through two years.
STEADY = np.linspace(0, 730, 500)


@pytest.mark.parametrize("error", [None, 0.0, 0.1, -0.1])
def test_a_total_within_a_tenth_needs_no_words(error: float | None) -> None:
    assert explain_total(a_holdout(T=STEADY), "bg_nbd", {"bg_nbd": error}) == []


def test_what_nothing_explains_is_said_to_be_unexplained() -> None:
    assert explain_total(a_holdout(T=STEADY), "bg_nbd", {"bg_nbd": 0.134})[1:] == [
        "Neither season nor a single cohort explains it.",
    ]
    assert explain_total(a_holdout(T=STEADY), "bg_nbd", {"bg_nbd": -0.134}) == [
        "bg_nbd expected 433 purchase days in the hold-out's 30 days, and 500 came (-13.4%).",
        "Neither season nor a single cohort nor a faster pace explains it.",
    ]


def test_candidates_that_err_to_the_same_side_are_said_to() -> None:
    told = explain_total(a_holdout(T=STEADY), "a", {"a": 0.2, "b": 0.05, "c": 0.31})
    assert "All 3 candidates are too high, by 5% to 31%." in told
    told = explain_total(a_holdout(T=STEADY), "a", {"a": 0.2, "b": -0.05, "c": None})
    assert not any("candidates" in sentence for sentence in told)


def test_months_that_the_history_never_saw_are_named() -> None:
    told = explain_total(a_holdout(T=np.linspace(0, 100, 500), days=60), "a", {"a": -0.3})
    assert (
        "60 of the hold-out's 60 days lie in a season that the history, which begins on 2023-11-21, never saw: March, "
        "April."
    ) in told
    leap_day_only = replace(
        a_holdout(T=np.linspace(0, 365, 500), days=1),
        start=Snapshot.at_midnight(local_day(2024, 2, 29), LocalCalendar("UTC")),
    )
    assert not any("season that" in sentence for sentence in explain_total(leap_day_only, "a", {"a": -0.3}))


def test_customers_who_all_came_at_the_beginning_are_called_a_cohort() -> None:
    told = explain_total(a_holdout(T=np.linspace(640, 730, 500)), "a", {"a": -0.3})
    assert any("99% of the 500 customers first purchased in the first 90 of 731 days" in sentence for sentence in told)


def test_a_faster_pace_is_told_of_those_who_were_there_in_both_periods() -> None:
    holdout = a_holdout(T=STEADY, before=2.0, actual=3.0)
    there = int((STEADY >= 30).sum())
    told = explain_total(holdout, "a", {"a": -0.3})
    assert (
        f"Customers known for all of the 30 days before the hold-out purchased on {2 * there} days then, and on "
        f"{3 * there:,} in it (+50%)."
    ) in told


@pytest.mark.parametrize(
    ("actual", "error"),
    [
        pytest.param(1.7, -0.178, id="a fall can't make a forecast too low"),
        pytest.param(1.5, 0.13, id="a fall may be the drop-out that the forecast expected"),
        pytest.param(3.0, 0.13, id="a rise can't make a forecast too high"),
    ],
)
def test_a_change_of_pace_that_can_not_be_the_cause_is_left_out(actual: float, error: float) -> None:
    told = explain_total(a_holdout(T=STEADY, before=2.0, actual=actual), "a", {"a": error})
    assert not any(sentence.startswith("Customers known for") for sentence in told)
    assert told[-1].startswith("Neither season nor a single cohort")


def test_cdnow_is_explained_by_its_one_cohort_and_by_the_months_it_never_saw() -> None:
    holdout = PurchaseHoldout.of(cdnow_log("cdnow_sample.parquet"), end_day=END_DAY, days=273)
    told = " ".join(explain_total(holdout, "bg_nbd", {"bg_nbd": -0.122}))
    assert "92 of the hold-out's 273 days" in told
    assert "October, November, December" in told
    assert "first purchased in the first 84 of 273 days" in told
