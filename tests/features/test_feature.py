"""What a feature says of itself: its clause for a person, its window, its hash."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from features.aggregate import Aggregate, Measure
from features.catalogue import CATALOGUE, WINDOWS, find_feature
from features.feature import Feature, Unit, format_value

# What no clause may contain: a number and noun that don't agree, nothing counted, leftovers of formatting.
_NOUNS = "days|orders|items|pieces|products|categories|channels|refunds|times"
_NOUN = "day|order|item|piece|product|category|channel|refund|time"
_WRONG = (
    rf"\b1 ({_NOUNS})\b",
    rf"(?<![\d.,])(?!1 )[\d.,]+ ({_NOUN})\b(?! (apart|ago)\b)(?!s)",
    r"\bwere 1 ",
    rf"(?<![\d.,])0 ({_NOUNS})\b",
    r"\b0%",
    r"\b[A-Z]{3} 0\.00\b",
    r"-\d",
    r"\bnan\b|\binf\b|[{}]|  |[.;:!?]$",
)
_VALUES = (
    *(0.0, 1e-13, -1e-13, 0.004, 0.04, 0.3, 0.999, 1.0, 1.04, 2.0, 2.96, 3.0, 12.5, 97.3, 99.96, 364.0, 1234.5),
    *(-0.3, -1.0, -2.0, -97.3),
)
_BY_RULE = [
    feature
    for name in (
        *(f"event.newsletter_signup.{what}" for what in ("days_since", "count_7d", "count_30d", "count_90d")),
        *("event.newsletter_signup.days_90d", "event.newsletter_signup.change_30d", "event.complaint.count_30d"),
        *("attribute.tenure", "attribute.renewal_date.days_since"),
    )
    if (feature := find_feature(name)) is not None
]


def _legal(feature: Feature) -> list[float]:
    low = -np.inf if feature.minimum is None else feature.minimum
    high = np.inf if feature.maximum is None else feature.maximum
    return [value for value in _VALUES if low <= value <= high]


@pytest.mark.parametrize("feature", [*CATALOGUE.values(), *_BY_RULE], ids=lambda feature: feature.name)
def test_every_clause_can_be_read_aloud_in_the_middle_of_a_sentence(feature: Feature) -> None:
    is_attribute = feature.driver == "attributes"
    for value in [*_legal(feature), np.nan]:
        clause = feature.tell(value, "USD")
        # An attribute has the name that the business gave it, and whatever number.
        assert is_attribute or not clause[0].isupper(), clause
        assert is_attribute or len(clause.split()) >= 5, clause
        for wrong in _WRONG:
            if not (feature.unit == "attribute" and wrong == r"-\d"):
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
        ("order_value_ratio_90d", np.nan, "there were no orders in the last 90 days to compare with earlier ones"),
        ("gap_regularity", 0.42, "the time between purchases typically varies by 42% of its average"),
        ("preferred_weekday", 4.0, "the customer's day for orders is Friday"),
        ("preferred_hour", 15.0, "the customer mostly orders in the hour from 15:00 on"),
        ("weekend_share", 0.004, "of the orders, less than 1% were placed at a weekend"),
        ("weekend_share", 0.0, "no order was ever placed at a weekend"),
        ("weekend_share", 1.0, "all orders were placed at a weekend"),
        (
            "purchase_days_slope_30d",
            -0.5,
            "over the last 120 days the number of days with a purchase went down by 0.5 every 30 days",
        ),
        ("value_slope_90d", 0.0, "spending neither rose nor fell over the last 360 days"),
        ("pace_ratio_90d", 0.5, "in the last 90 days the customer bought 0.5 times as often as is usual for them"),
        ("lifecycle_stage", 1.0, "the customer is later than usual with the next purchase"),
        ("first_purchase_month", 12.0, "the first purchase was made in December"),
        ("lines_per_order", 1.0, "an order holds 1 item on average"),
        ("products", 14.0, "purchases so far were spread over 14 products"),
        ("products", 1.0, "all purchases so far were of one product"),
        ("novelty_90d", 0.0, "nothing bought in the last 90 days was new to the customer"),
        ("category_spread", 3.24, "spending is spread as if evenly over 3.2 categories"),
        ("discount_share", -0.02, "surcharges made up 2% of the full price of what was bought so far"),
        ("discounted_line_share_90d", np.nan, "nothing was bought in the last 90 days"),
        ("coupon_applied_share_90d", 0.25, "coupons were used on 25% of the days with a purchase in the last 90 days"),
        ("price_level", 0.124, "prices paid so far were 12% above what is usual for such things"),
        ("price_level", -0.3, "prices paid so far were 30% below what is usual for such things"),
        ("price_level", 0.004, "prices paid so far were what is usual for such things"),
        ("refunds_90d", 1.0, "the customer has had 1 refund in the last 90 days"),
        ("refunded_share", 1.3, "of the money spent so far, 130% was refunded"),
        ("days_since_last_refund", np.nan, "the customer has never had a refund"),
        ("days_since_last_event", 12.0, "it has been 12 days since anything happened with the customer"),
        ("sent_to_opened_90d", 0.999, "of the e-mails sent in the last 90 days, more than 99% were opened"),
        ("cart_to_order_90d", 0.0, "none of the days with a filled cart in the last 90 days led to a purchase"),
        ("channels", 1.0, "everything that the customer does comes through one channel"),
        (
            "channel_entropy",
            0.69,
            "what the customer does is spread over channels as if over 2.0 equally used channels",
        ),
    ],
)
def test_a_clause_reads(name: str, value: float, clause: str) -> None:
    assert CATALOGUE[name].tell(value, "USD") == clause


@pytest.mark.parametrize(
    ("name", "value", "clause"),
    [
        ("event.newsletter_signup.days_since", 12.0, "it has been 12 days since the customer last did {}"),
        ("event.newsletter_signup.days_since", 0.0, "the customer did {} just now"),
        ("event.newsletter_signup.days_since", np.nan, "so far the customer did not do {}"),
        ("event.newsletter_signup.count_30d", 3.0, "the customer did {} 3 times in the last 30 days"),
        ("event.newsletter_signup.count_30d", 1.0, "the customer did {} once in the last 30 days"),
        ("event.newsletter_signup.count_7d", 0.0, "the customer did not do {} in the last 7 days"),
        (
            "event.newsletter_signup.count_90d",
            np.nan,
            "{} events have not been recorded for long enough to say more",
        ),
        ("event.newsletter_signup.days_90d", 1.0, "the customer did {} on 1 day in the last 90 days"),
        (
            "event.newsletter_signup.change_30d",
            2.0,
            "the number of {} events in the last 30 days was 2 higher than in the 30 days before",
        ),
        (
            "event.newsletter_signup.change_30d",
            -1.0,
            "the number of {} events in the last 30 days was 1 lower than in the 30 days before",
        ),
        (
            "event.newsletter_signup.change_30d",
            0.0,
            "the number of {} events in the last 30 days was the same as in the 30 days before",
        ),
        ("event.session_started.count_30d", 0.0, "the customer did not visit in the last 30 days"),
        ("event.email_opened.count_30d", 2.0, "the customer opened an e-mail twice in the last 30 days"),
        (
            "event.support_ticket_opened.days_since",
            1.0,
            "it has been 1 day since the customer last opened a support ticket",
        ),
        ("attribute.Contract", "Month-to-month", "Contract is Month-to-month"),
        ("attribute.Contract", "{value} of {0}", "Contract is {{value}} of {{0}}"),
        ("attribute.tenure", 34.0, "tenure is 34"),
        ("attribute.tenure", np.nan, "no common value of tenure is known"),
        ("attribute.balance", -12.5, "balance is -12.5"),
        ("attribute.renewal_date.days_since", 12.0, "renewal_date was 12 days ago"),
        ("attribute.renewal_date.days_since", 0.0, "renewal_date is today"),
        ("attribute.renewal_date.days_since", -1.0, "renewal_date is in 1 day"),
        ("attribute.renewal_date.days_since", np.nan, "renewal_date is not known"),
    ],
)
def test_a_clause_made_by_rule_reads(name: str, value: float | str, clause: str) -> None:
    feature = find_feature(name)
    assert feature is not None
    assert feature.tell(value, "USD") == clause.format("“newsletter signup”")


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
        (1.0, "times", "once"),
        (2.0, "times", "twice"),
        (2.5, "times", "2.5 times"),
        (1_204.0, "times", "1,204 times"),
        (3.0, "count", "3"),
        (1.0, "categories", "1 category"),
        (0.0, "share", "0%"),
        (0.004, "share", "less than 1%"),
        (0.25, "share", "25%"),
        (0.999, "share", "more than 99%"),
        (1.0, "share", "100%"),
        (13.04, "share", "1,304%"),
        (0.69, "nats", "2.0 equally used channels"),
        (6.0, "weekday", "Sunday"),
        (2.4, "weekday", "Wednesday"),
        (1.0, "month", "January"),
        (12.0, "month", "December"),
        (0.0, "hour", "0:00"),
        (4.0, "stage", "keeps buying at the usual pace"),
        (1998.0, "attribute", "1998"),
        (-0.0, "attribute", "0"),
        (29.85, "attribute", "29.85"),
    ],
)
def test_a_value_is_written_as_a_person_would(value: float, unit: Unit, written: str) -> None:
    assert format_value(value, unit, "EUR") == written


def test_the_hash_changes_with_what_decides_values_and_not_with_text() -> None:
    feature = CATALOGUE["value_30d"]
    same = replace(feature, description="Other words.", clause="it came to {value}", driver="season", minimum=-1.0)
    assert same.definition_hash == feature.definition_hash
    assert replace(feature, purchase_chance="rises").definition_hash == feature.definition_hash
    for changed in (
        replace(feature, name="value_31d"),
        replace(feature, inputs=(Aggregate(Measure.VALUE, 31),)),
        replace(feature, inputs=(Aggregate(Measure.VALUE, 30, ago=1),)),
        replace(feature, inputs=(Aggregate(Measure.REPEAT_VALUE, 30),)),
        replace(feature, revision=2),
        replace(feature, needs="btyd"),
        replace(feature, inputs=(Aggregate(Measure.VALUE, 30, of="visit"),)),
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


def test_features_from_the_log_have_inputs_and_those_of_the_purchase_model_have_none() -> None:
    assert {feature.source for feature in CATALOGUE.values()} == {"log", "btyd"}
    for feature in CATALOGUE.values():
        assert bool(feature.inputs) == (feature.source == "log")
        assert feature.description.endswith(".")


def test_a_feature_waits_for_its_kind_of_data_and_for_the_events_that_it_reads() -> None:
    assert CATALOGUE["value_30d"].gates == ()
    assert CATALOGUE["p_alive"].gates == ()
    assert CATALOGUE["discount_share"].gates == ("discounts",)
    assert CATALOGUE["sent_to_opened_90d"].gates == ("event.email_sent", "event.email_opened")
    assert CATALOGUE["event.email_sent.count_30d"].gates == ("event.email_sent",)


def test_the_longest_window_reaches_to_the_oldest_day_that_is_looked_at() -> None:
    assert CATALOGUE["frequency"].longest_window == 0
    assert CATALOGUE["event.email_sent.change_30d"].longest_window == 60
    assert CATALOGUE["purchase_days_year_ago_90d"].longest_window == 365


def test_hashes_of_released_features_stay_so_that_their_models_load() -> None:
    released = {
        "frequency": "c551a93ef89cd502",
        "value_30d": "88c59688b0c155c2",
        "purchase_days_change_90d": "3e1898a0556cc134",
        "p_alive": "9efc98639c6de301",
    }
    assert {name: CATALOGUE[name].definition_hash[:16] for name in released} == released


def test_a_value_is_written_with_its_unit_a_category_as_it_is_and_nothing_where_it_is_missing() -> None:
    feature = CATALOGUE["value_30d"]
    assert [feature.written(value, "EUR") for value in (5.0, "Basic", np.nan)] == ["EUR 5.00", "Basic", ""]
