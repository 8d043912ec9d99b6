"""The simulated shop is what it says it is."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import kstest

from features.build import build_features
from features.rfm import Rfm
from features.windows import Snapshot
from models.btyd import BetaGeoModel, GammaGammaModel
from models.exceptions import InputError
from models.simulation import BLOCK_CUSTOMERS, Business, ShopBlock, SimulatedShop
from models.simulation.attributes import ACQUIRED_THROUGH
from models.simulation.behaviour import EVENTS, NONE
from models.simulation.period import DAY
from models.simulation.purchases import NEVER
from tests.simulated_log import UTC as UTC_CALENDAR
from tests.simulated_log import simulated_log

END = datetime(2026, 1, 1, tzinfo=UTC)
TRUTH = Business()
N_BLOCKS = 5


def make(n_customers: int = BLOCK_CUSTOMERS, *, end: datetime = END, days: int = 730, seed: int = 1) -> SimulatedShop:
    return SimulatedShop.up_to(end, n_customers=n_customers, days=days, seed=seed)


@cache
def first_block() -> ShopBlock:
    return make().block(0)


@cache
def purchases_of_50000_customers() -> Rfm:
    """As Regulars itself sees them: netted, cut into days, aggregated at the end."""
    log = simulated_log(make(N_BLOCKS * BLOCK_CUSTOMERS).blocks())
    return Rfm.of(build_features(log, Snapshot.at(END, UTC_CALENDAR)))


def test_bg_nbd_parameters_are_recovered_from_purchase_days_within_three_standard_errors() -> None:
    rfm = purchases_of_50000_customers()
    history = np.stack((rfm.frequency, rfm.recency, rfm.T))
    distinct, counts = np.unique(history, axis=1, return_counts=True)

    model = BetaGeoModel().fit(*history)

    def total(params: dict[str, float]) -> float:
        return float(counts @ BetaGeoModel.from_params(**params).log_likelihood(*distinct))

    assert model.certificate_.converged
    assert_recovered(model.params_, TRUTH.bg_nbd, total, widest=0.1)


def test_gamma_gamma_parameters_are_recovered_from_monetary_value_within_three_standard_errors() -> None:
    rfm = purchases_of_50000_customers()

    model = GammaGammaModel().fit(rfm.frequency, rfm.monetary_value)

    def total(params: dict[str, float]) -> float:
        return float(GammaGammaModel.from_params(**params).log_likelihood(rfm.frequency, rfm.monetary_value).sum())

    assert model.certificate_.converged
    assert_recovered(model.params_, TRUTH.gamma_gamma, total, widest=0.05)


def assert_recovered(
    fitted: dict[str, float], truth: dict[str, float], total: Callable[[dict[str, float]], float], *, widest: float
) -> None:
    """Standard errors, of logarithms, are those of the observed information: the curvature at the optimum."""
    names = list(truth)
    point = np.log([fitted[name] for name in names])

    def at(shift: NDArray[np.float64]) -> float:
        return total(dict(zip(names, np.exp(point + shift).tolist(), strict=True)))

    step = 1e-3 * np.eye(len(names))
    hessian = np.array([[at(i + j) - at(i - j) - at(j - i) + at(-i - j) for j in step] for i in step]) / (4 * 1e-6)
    errors = np.sqrt(np.diag(np.linalg.inv(-hessian)))
    away = (point - np.log([truth[name] for name in names])) / errors
    assert (np.abs(away) < 3).all(), dict(zip(names, away, strict=True))
    assert (errors < widest).all(), dict(zip(names, errors, strict=True))


def test_drop_out_stays_beta_whatever_the_attributes_tell_of_it() -> None:
    drop_out = first_block().traits.drop_out
    assert kstest(drop_out, "beta", args=(TRUTH.a, TRUTH.b)).pvalue > 0.01


def test_two_attributes_tell_of_drop_out_and_three_are_noise() -> None:
    block = first_block()
    known, drop_out = block.attributes, block.traits.drop_out
    means = [drop_out[known.acquired_through == code].mean() for code in range(len(ACQUIRED_THROUGH))]
    assert means == sorted(means)
    assert means[-1] > 3 * means[0]
    assert correlation(known.distance_km, drop_out) > 0.3
    for noise in (known.shoe_size, known.birthday, known.favourite_colour):
        assert abs(correlation(noise, drop_out)) < 3 / np.sqrt(block.n_customers)


def correlation(x: NDArray[Any], y: NDArray[Any]) -> float:
    return float(np.corrcoef(x, y)[0, 1])


def test_a_customer_orders_once_a_day_at_most_and_never_after_being_lost() -> None:
    orders = first_block().orders
    same = orders.customer[1:] == orders.customer[:-1]
    assert (np.diff(orders.occurred_at // DAY)[same] >= 1).all()
    assert (orders.occurred_at <= orders.lost_at[orders.customer]).all()
    assert orders.is_last.sum() == (orders.lost_at != NEVER).sum()
    assert not orders.is_last[orders.number == 1].any()
    assert np.array_equal(np.unique(orders.customer), np.arange(BLOCK_CUSTOMERS))


def test_lines_add_up_to_what_was_paid_for_the_order() -> None:
    block = first_block()
    total = np.bincount(block.lines.order, weights=block.lines.value)
    np.testing.assert_allclose(total, block.orders.cents / 100, rtol=0, atol=1e-9)
    assert (block.lines.value >= 0.01).all()
    assert (block.lines.discount >= 0).all()
    assert (block.lines.quantity >= 1).all()


def test_everybody_is_seen_first_with_an_order_or_the_visit_that_leads_to_it() -> None:
    block = first_block()
    joined_at = block.orders.occurred_at[block.orders.number == 1]
    assert (block.events.occurred_at > joined_at[block.events.customer] - DAY).all()


@pytest.mark.parametrize(
    "end", [END, datetime(2026, 3, 4, 15, 30, 20, tzinfo=UTC), datetime(2026, 3, 4, 2, tzinfo=UTC)]
)
@pytest.mark.parametrize("days", [2, 30, 400])
def test_nothing_happens_before_the_first_day_nor_at_or_after_the_end(end: datetime, days: int) -> None:
    shop = make(end=end, days=days)
    block = shop.block(0)
    until = int(end.timestamp() * 1e6)
    for occurred_at in (block.orders.occurred_at, block.events.occurred_at):
        assert occurred_at.max() < until
        assert occurred_at.min() >= shop.period.first_day * DAY
    assert shop.period.last_day - shop.period.first_day == days - 1
    assert (block.orders.lost_at[block.orders.lost_at != NEVER] < until).all()
    assert block.n_customers == BLOCK_CUSTOMERS


def test_what_a_lost_customer_leaves_behind_is_the_known_mechanism() -> None:
    block = first_block()
    orders, events = block.orders, block.events
    lost_at = orders.lost_at[events.customer]
    fading = (events.occurred_at < lost_at) & (events.occurred_at >= lost_at - TRUTH.fading_days * DAY)

    def count(name: str, rows: NDArray[np.bool_]) -> int:
        return int((rows & (events.event == EVENTS.index(name))).sum())

    # Shares within four standard errors of what the business says.
    for name, expected, rows in (
        ("opens", TRUTH.opens, lost_at == NEVER),
        ("opens when fading", TRUTH.opens * TRUTH.fading, fading),
        ("opens when lost", TRUTH.opens * TRUTH.opens_when_lost, events.occurred_at >= lost_at),
    ):
        # By the letter, since one may be opened in the days after it was sent.
        assert_share(count("Email Opened", rows), count("Email Sent", rows), expected, name, slack=0.03)
    tickets = count("Support Ticket Opened", np.ones(len(lost_at), dtype=np.bool_))
    last, other = int(orders.is_last.sum()), int((~orders.is_last).sum())
    expected_tickets = TRUTH.ticket_after_last_order * last + TRUTH.ticket_after_order * other
    assert tickets == pytest.approx(expected_tickets, rel=0.1)
    of_lost = np.isin(events.customer, np.flatnonzero(orders.lost_at != NEVER)) & (events.occurred_at >= lost_at)
    opened, resolved = count("Support Ticket Opened", of_lost), count("Support Ticket Resolved", of_lost)
    assert_share(resolved, opened, 1 - TRUTH.unresolved_when_lost, "resolved when lost", slack=0.03)


def assert_share(part: int, whole: int, expected: float, name: str, *, slack: float) -> None:
    error = np.sqrt(expected * (1 - expected) / whole)
    assert abs(part / whole - expected) < 4 * error + slack * expected + 0.01, (name, part / whole, expected)


def test_visits_besides_those_for_orders_come_at_the_rate_of_the_business_until_a_customer_is_lost() -> None:
    business = replace(TRUTH, visits_a_day=0.1, fading=1.0, r=0.5, alpha=500.0, a=3.2, b=0.8)
    shop = SimulatedShop.up_to(END, n_customers=BLOCK_CUSTOMERS, days=730, seed=3, business=business)
    block = shop.block(0)
    events, orders = block.events, block.orders
    visits = events.event == EVENTS.index("Session Started")
    online_orders = int((block.order_channel != 3).sum())
    joined_at = orders.occurred_at[orders.number == 1]
    until = np.minimum(orders.lost_at, shop.period.end)
    before = float((until - joined_at).sum()) / DAY
    after = float((shop.period.end - until).sum()) / DAY
    lost = events.occurred_at >= orders.lost_at[events.customer]
    assert int((visits & ~lost).sum()) - online_orders == pytest.approx(0.1 * before, rel=0.03)
    assert int((visits & lost).sum()) == pytest.approx(0.1 * TRUTH.visits_when_lost * after, rel=0.06)


def test_the_distraction_goes_on_as_before_when_a_customer_is_lost() -> None:
    block = first_block()
    events, orders = block.events, block.orders
    end = make().period.end
    is_distraction = events.event == EVENTS.index("Wallpaper Downloaded")
    lost = events.occurred_at >= orders.lost_at[events.customer]
    days_after = float((end - np.minimum(orders.lost_at, end)).sum()) / DAY
    expected = TRUTH.distractions_a_day * days_after
    assert int((is_distraction & lost).sum()) == pytest.approx(expected, abs=4 * np.sqrt(expected))


def test_properties_stand_with_the_events_that_have_them() -> None:
    events = first_block().events
    names = np.array(EVENTS)[events.event]
    assert np.array_equal(events.product != NONE, np.isin(names, ["Product Viewed", "Product Added"]))
    assert np.array_equal(events.topic != NONE, np.char.startswith(names, "Support Ticket"))
    assert np.array_equal(events.letter != NONE, np.char.startswith(names, "Email"))


def test_the_same_seed_gives_the_same_shop_and_another_seed_another() -> None:
    again, other = make().block(0), make(seed=2).block(0)
    assert equal(again, first_block())
    assert not np.array_equal(other.traits.rate, first_block().traits.rate)


def test_more_customers_leave_the_first_ones_as_they_are() -> None:
    few, many = make(BLOCK_CUSTOMERS + 7), make(BLOCK_CUSTOMERS + 500)
    assert few.n_blocks == many.n_blocks == 2
    assert equal(few.block(1), many.block(1).first(7))
    assert few.block(1).n_customers == 7
    assert few.block(1).first_customer == BLOCK_CUSTOMERS + 1
    assert [block.n_customers for block in few.blocks()] == [BLOCK_CUSTOMERS, 7]


def test_another_end_at_midnight_moves_everything_by_whole_days() -> None:
    later = make(end=END + timedelta(days=10)).block(0)
    assert np.array_equal(later.orders.occurred_at, first_block().orders.occurred_at + 10 * DAY)
    assert np.array_equal(later.events.occurred_at, first_block().events.occurred_at + 10 * DAY)


def test_what_lies_after_an_earlier_end_of_the_same_day_has_not_happened() -> None:
    noon = make(end=END - timedelta(hours=10)).block(0)
    whole = first_block().orders
    known = whole.occurred_at < int((END - timedelta(hours=10)).timestamp()) * 1_000_000
    assert 0 < (~known).sum() < 1_000
    assert np.array_equal(noon.orders.occurred_at, whole.occurred_at[known])
    not_lost_yet = whole.customer[whole.is_last & ~known]
    assert len(not_lost_yet)
    assert (noon.orders.lost_at[not_lost_yet] == NEVER).all()


def equal(one: ShopBlock, other: ShopBlock) -> bool:
    parts = ("traits", "attributes", "orders", "lines", "events")
    return np.array_equal(one.order_channel, other.order_channel) and all(
        np.array_equal(getattr(getattr(one, part), field.name), getattr(getattr(other, part), field.name))
        for part in parts
        for field in fields(getattr(one, part))
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"r": 0.0}, "finite parameters above 0"),
        ({"q": 0.9}, "expected q above 1"),
        ({"opens": 1.2}, "opens: expected a share from 0 to 1, got 1.2"),
        ({"visits_a_day": -1.0}, "visits_a_day: expected 0 or more"),
        ({"days_between_letters": 0}, "days_between_letters: expected 1 or more"),
    ],
)
def test_a_business_that_can_not_be_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(TRUTH, **changes)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_customers": 0}, "expected customers from 1"),
        ({"seed": -1}, "a seed from 0"),
        ({"days": 1}, "days: expected at least 2"),
        ({"end": datetime(2026, 1, 1)}, "expected an instant with its time zone"),  # noqa: DTZ001
    ],
)
def test_a_shop_that_can_not_be_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make(**arguments)


def test_the_truth_as_json_has_parameters_and_mechanism() -> None:
    truth = TRUTH.to_dict()
    assert truth["parameters"] == {"bg_nbd": TRUTH.bg_nbd, "gamma_gamma": TRUTH.gamma_gamma}
    assert set(truth["mechanism"]) == {field.name for field in fields(Business)} - {
        "r",
        "alpha",
        "a",
        "b",
        "p",
        "q",
        "v",
    }


def test_the_document_tells_the_parameters_as_they_are() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "simulated-shop.md").read_text(encoding="utf-8")
    for name, value in (TRUTH.bg_nbd | TRUTH.gamma_gamma).items():
        written = f"{value:g}".removeprefix("0")
        assert re.search(rf"\b{name} {re.escape(written)}\b", page), (name, written)
