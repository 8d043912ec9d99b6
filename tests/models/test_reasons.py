"""Reasons: ranked numbers that sum, and sentences that a person can say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hypothesis_numpy

from models.exceptions import InputError
from models.reasons import Reason, Wording, sentence, top_contributions

CHURN = Wording(
    lone_sign="There is only one sign of leaving:",
    nothing_towards="Nothing in the history points to leaving",
    against="On the other hand,",
)


def reason(driver: str, contribution: float, text: str, feature: str | None = None) -> Reason:
    return Reason(feature=feature or driver, driver=driver, value=1.0, contribution=contribution, text=text)


INACTIVE = reason("inactivity", 1.4, "it has been 97 days since the last purchase")
NONE_LATELY = reason("frequency", 0.9, "there were no purchases in the last 90 days")
RHYTHM = reason("rhythm", 0.5, "the usual gap between purchases is 21 days")


@given(
    hypothesis_numpy.arrays(
        np.float64,
        st.tuples(st.integers(0, 20), st.integers(1, 12)),
        # Quarters, so that ties and cancelling values are common.
        elements=st.integers(-8, 8).map(lambda quarters: quarters / 4),
    ),
    st.integers(1, 15),
)
@settings(deadline=None)  # the first call compiles
def test_top_contributions_are_those_of_a_stable_sort_and_sum_with_the_others(values: np.ndarray, k: int) -> None:
    index, value, other = top_contributions(values, k)
    kept = min(k, values.shape[1])
    reference = np.argsort(-np.abs(values), axis=1, kind="stable")[:, :kept]
    np.testing.assert_array_equal(index, reference)
    np.testing.assert_array_equal(value, np.take_along_axis(values, reference, axis=1))
    np.testing.assert_allclose(value.sum(axis=1) + other, values.sum(axis=1), atol=1e-12)
    assert [array.dtype.name for array in (index, value, other)] == ["int16", "float64", "float64"]


def test_the_input_is_left_as_it_was() -> None:
    values = np.array([[3.0, -4.0, 1.0]])
    top_contributions(values, 2)
    assert values.tolist() == [[3.0, -4.0, 1.0]]


def test_a_million_contributions_sum_within_1e_6() -> None:
    values = np.random.default_rng(0).normal(size=(30_000, 33))
    _, value, other = top_contributions(values, 6)
    assert np.abs(value.sum(axis=1) + other - values.sum(axis=1)).max() < 1e-12


def test_illegal_contributions_are_refused() -> None:
    with pytest.raises(InputError, match="at least 1 contribution"):
        top_contributions(np.zeros((1, 2)), 0)
    with pytest.raises(InputError, match="1 not finite"):
        top_contributions(np.array([[np.nan, 1.0]]), 1)
    with pytest.raises(InputError, match="shape"):
        top_contributions(np.zeros(3), 1)


def test_places_are_kept_for_what_pushes_towards_the_target() -> None:
    values = np.array([[-5.0, 0.1, -4.0, 0.3, -3.0, 0.2]])
    for towards, expected in ((0, [0, 2, 4]), (1, [0, 2, 3]), (2, [0, 3, 5]), (3, [3, 5, 1]), (9, [3, 5, 1])):
        index, value, other = top_contributions(values, 3, towards=towards)
        assert index.tolist() == [expected]
        assert value.sum() + other == pytest.approx(values.sum())
    assert top_contributions(-np.abs(values), 3, towards=3)[0].tolist() == [[0, 2, 4]]


def test_three_reasons_read_as_one_sentence_strongest_first() -> None:
    assert sentence([RHYTHM, INACTIVE, NONE_LATELY], wording=CHURN) == (
        "It has been 97 days since the last purchase, there were no purchases in the last 90 days and the usual gap "
        "between purchases is 21 days."
    )


def test_two_reasons_are_joined_by_and_and_one_stands_alone() -> None:
    assert sentence([INACTIVE, RHYTHM], wording=CHURN) == (
        "It has been 97 days since the last purchase and the usual gap between purchases is 21 days."
    )
    assert sentence([RHYTHM], wording=CHURN) == "The usual gap between purchases is 21 days."


def test_a_driver_speaks_once_through_its_strongest_feature() -> None:
    again = reason("inactivity", 0.3, "the last order is long ago", feature="weeks_since_last_purchase")
    assert sentence([again, INACTIVE], wording=CHURN) == "It has been 97 days since the last purchase."


def test_the_sum_of_a_driver_decides_its_direction_so_that_it_never_speaks_on_both_sides() -> None:
    recent = reason("inactivity", -2.0, "there was a purchase 3 days ago", feature="recent")
    assert sentence([INACTIVE, recent, RHYTHM], wording=CHURN) == (
        "The usual gap between purchases is 21 days. On the other hand, there was a purchase 3 days ago."
    )


def test_a_strong_reason_against_is_said_and_a_weak_one_is_not() -> None:
    loyal = reason("lifetime", -0.8, "there were 12 purchases in the year before")
    assert sentence([INACTIVE, loyal], wording=CHURN) == (
        "It has been 97 days since the last purchase. On the other hand, there were 12 purchases in the year before."
    )
    weak = reason("lifetime", -0.6, "there were 12 purchases in the year before")
    assert sentence([INACTIVE, weak], wording=CHURN) == "It has been 97 days since the last purchase."


def test_faint_reasons_are_left_out() -> None:
    faint = reason("season", 0.1, "it is June")
    assert "June" not in sentence([INACTIVE, faint], wording=CHURN)


def test_at_most_the_number_asked_for_is_said() -> None:
    four = [INACTIVE, NONE_LATELY, RHYTHM, reason("value", 0.4, "a usual purchase is 12 EUR")]
    assert "12 EUR" not in sentence(four, wording=CHURN)
    assert sentence(four, wording=CHURN, most_towards=1) == "It has been 97 days since the last purchase."
    against = [reason("a", -1.0, "this is so"), reason("b", -0.9, "that is so")]
    both = sentence([INACTIVE, *against], wording=CHURN, most_against=2)
    assert both.endswith("On the other hand, this is so and that is so.")
    assert sentence([INACTIVE, *against], wording=CHURN, most_against=0) == (
        "It has been 97 days since the last purchase."
    )


def test_where_nothing_pushes_towards_the_target_it_says_so() -> None:
    recent = reason("inactivity", -2.0, "the last purchase was 3 days ago")
    assert sentence([recent], wording=CHURN) == (
        "Nothing in the history points to leaving. On the other hand, the last purchase was 3 days ago."
    )
    assert sentence([], wording=CHURN) == "Nothing in the history points to leaving."
    assert sentence([reason("a", 0.0, "zero")], wording=CHURN) == "Nothing in the history points to leaving."


def test_where_all_drivers_push_against_the_one_sign_for_it_is_named_and_its_driver_does_not_speak_against() -> None:
    often = reason("frequency", -2.0, "there were 12 purchases in the last year")
    recent = reason("inactivity", -0.9, "the silence is shorter than usual", feature="silence_ratio")
    sign = reason("inactivity", 0.4, "it has been 82 days since the last purchase")
    assert sentence([often, recent, sign], wording=CHURN) == (
        "There is only one sign of leaving: it has been 82 days since the last purchase. On the other hand, there were "
        "12 purchases in the last year."
    )
    faint = reason("inactivity", 0.1, "it has been 82 days since the last purchase")
    assert sentence([often, recent, faint], wording=CHURN) == (
        "Nothing in the history points to leaving. On the other hand, there were 12 purchases in the last year."
    )


def test_a_clause_that_has_nothing_to_say_is_not_said() -> None:
    silent = reason("value", 2.0, "")
    assert sentence([silent, INACTIVE], wording=CHURN) == "It has been 97 days since the last purchase."
    assert sentence([silent], wording=CHURN) == "Nothing in the history points to leaving."


def test_equal_reasons_come_in_the_order_of_their_names_whatever_order_they_are_given_in() -> None:
    a, b = reason("alpha", 1.0, "a is so"), reason("beta", 1.0, "b is so")
    assert sentence([b, a], wording=CHURN) == sentence([a, b], wording=CHURN) == "A is so and b is so."
