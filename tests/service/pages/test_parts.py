"""The parts that pages are made of: the timeline, reports with parts missing, numbers as they are written."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from datetime import date
from typing import Any

import numpy as np
import pytest

from features.calendar import LocalCalendar
from features.netting import NO_PRODUCT, ROW_ORDER, ROW_REFUND, RawEvents, net
from service.pages.formats import decimal, percent
from service.pages.links import customer_href
from service.pages.model_report import read_report
from service.pages.models import ModelPage, ModelRow
from service.pages.templating import render
from service.pages.timeline import PurchaseDay, purchase_days, timeline
from service.run_aggregates import RunAggregates
from store.tables import ScoringRun
from tests.service.conftest import Bundles
from tests.service.shop import AS_OF, POLICY

DAY = 86_400_000_000
FURTHER_PARTS = {
    "standard_deviation": {"auc": 0.01, "brier": 0.001},
    "leaks": [{"feature": "attribute.left_on", "auc": 0.99, "why": "Only who left has it."}],
    "among_buyers": {
        "n": 120,
        "rate": 0.4,
        "auc": 0.61,
        "baselines": {"buys_at_all": {"auc": 0.52}},
        "difference": {"low": 0.02, "high": 0.16},
        "beats_buys_at_all": True,
        "beats_chance": True,
    },
}
SVG = "{http://www.w3.org/2000/svg}"


def _log(rows: list[tuple[int, int, int, float]]) -> Any:
    """An event log of one customer from (day, action, order, value)."""
    days, actions, orders, values = zip(*rows, strict=True)
    n = len(rows)
    raw = RawEvents(
        customer_ids=("c",),
        customer=np.zeros(n, dtype=np.int64),
        occurred_at=np.array(days, dtype=np.int64) * DAY,
        action=np.array(actions, dtype=np.int8),
        group=np.arange(1, n + 1),
        order_key=np.array(orders, dtype=np.int64),
        product=np.full(n, NO_PRODUCT, dtype=np.int64),
        quantity=np.full(n, np.nan),
        value=np.array(values),
        event_type=np.zeros(n, dtype=np.int16),
        event_types=("Order Completed",),
    )
    return net(raw, LocalCalendar("UTC"))[0]


def test_purchase_days_count_orders_with_what_refunds_left_of_them_on_their_own_day() -> None:
    log = _log(
        [
            (10, ROW_ORDER, 1, 20.0),
            (10, ROW_ORDER, 2, 5.0),
            (12, ROW_ORDER, 3, 8.0),
            (13, ROW_REFUND, 3, 8.0),
            (20, ROW_ORDER, 4, 50.0),
            (21, ROW_REFUND, 4, 30.0),
        ]
    )
    assert purchase_days(log) == (
        PurchaseDay(date(1970, 1, 11), 2, 25.0),
        PurchaseDay(date(1970, 1, 21), 1, 20.0),
    )
    assert purchase_days(log.before(13 * DAY))[-1] == PurchaseDay(date(1970, 1, 13), 1, 8.0)


def _parsed(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)  # noqa: S314  # our own text


def test_the_timeline_draws_a_bar_a_purchase_day_and_says_them_in_words() -> None:
    days = [PurchaseDay(date(2023, 1, 5), 1, 10.0), PurchaseDay(date(2023, 3, 1), 2, 40.0)]
    svg = _parsed(timeline(days, date(2023, 3, 31), "EUR"))
    heights = [float(bar.attrib["height"]) for bar in svg.iter(f"{SVG}rect")]
    assert heights[0] / heights[1] == pytest.approx(0.25)
    texts = [element.text for element in svg.iter(f"{SVG}text")]
    assert texts == ["highest EUR 40.00", "30 days without a purchase", "5 January 2023", "31 March 2023"]
    assert "1 March 2023: EUR 40.00" in str(svg.findtext(f"{SVG}desc"))


@pytest.mark.parametrize(
    "days",
    [
        [],
        [PurchaseDay(date(2023, 1, 5), 1, 0.0)],
        [PurchaseDay(date(2023, 1, 5), 1, -3.0)],
        [PurchaseDay(date(2023, 1, 5), 1, 10.0)] * 40,
    ],
)
def test_the_timeline_of_any_history_is_well_formed(days: list[PurchaseDay]) -> None:
    svg = _parsed(timeline(days, date(2023, 1, 5), "USD"))
    assert svg.findtext(f"{SVG}title")
    assert all(float(bar.attrib["height"]) > 0 for bar in svg.iter(f"{SVG}rect"))


def _without(report: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    head, *rest = path
    if not rest:
        return {name: value for name, value in report.items() if name != head}
    return {**report, head: _without(report[head], tuple(rest))}


def _paths(report: dict[str, Any]) -> list[tuple[str, ...]]:
    paths: list[tuple[str, ...]] = []
    for name, value in report.items():
        paths.append((name,))
        if isinstance(value, dict):
            paths.extend((name, *path) for path in _paths(value))
    return paths


def test_a_report_with_any_part_missing_is_still_shown(bundles: Bundles) -> None:
    of_churn = bundles.first.report["targets"]["churn"]
    whole = {
        **bundles.first.report,
        "targets": {"churn": {**of_churn, **FURTHER_PARTS}},
        "refused": {"upsell": "Too rare."},
    }
    paths = [path for path in _paths(whole) if path[-1] not in ("predicted", "observed", "counts")]
    assert len(paths) > 40
    row = ModelRow(1, "/models/1", (), AS_OF, "Churn", None, None)
    for report in ({}, *(_without(whole, path) for path in paths)):
        response = render(ModelPage(row, read_report(report), "hash", "UTC"))
        assert b"Model 1" in response.body


def test_a_report_tells_of_those_who_buy_and_of_leaks() -> None:
    report = {"targets": {"upsell": {"target": {"name": "upsell", "kind": "upsell"}, **FURTHER_PARTS}}}
    (upsell,) = read_report(report).targets
    assert upsell.among_buyers is not None
    assert (upsell.among_buyers.customers, upsell.among_buyers.rate) == ("120", "40.0%")
    assert [row.figures for row in upsell.among_buyers.rows] == [("0.610",), ("0.520",)]
    assert upsell.among_buyers.difference == "+0.020 to +0.160"
    assert upsell.leaks[0].why == "Only who left has it."
    assert str(upsell.asked).startswith("orders worth more than 1.25 times")


def test_percentages_and_decimals_are_written_as_they_are_read() -> None:
    assert [percent(p) for p in (0.0, 1.0, 0.5, 0.004999, 0.9951, None)] == ["0%", "100%", "50%", "<1%", ">99%", "–"]
    assert decimal(0.12345) == "0.123"


@pytest.mark.parametrize(
    ("customer_id", "address"),
    [
        ("04711", "/customers/04711"),
        ("a b", "/customers/a%20b"),
        ("a/b", "/customer?customer_id=a%2Fb"),
        ("..", "/customer?customer_id=.."),
        ("a?b#c", "/customers/a%3Fb%23c"),
        ("客", "/customers/%E5%AE%A2"),
    ],
)
def test_the_address_of_a_customer_survives_every_browser(customer_id: str, address: str) -> None:
    assert customer_href(customer_id) == address


def test_a_budget_between_stored_points_of_the_curve_is_read_off_a_straight_line() -> None:
    totals = {"customers": 4, "primary": 4, "clv": 1.0, "value_at_risk": 100.0, "expected_purchases": 1.0}
    run = ScoringRun(
        aggregates={
            "segments": {"at_risk": totals},
            "total": totals,
            "at_risk_curve": [[1, 50.0], [3, 90.0], [4, 100.0]],
            "currency": "USD",
        }
    )
    aggregates = RunAggregates.of(run)
    assert [aggregates.outcome(n, POLICY).value_at_risk for n in (1, 2, 3, 4, 9)] == [50.0, 70.0, 90.0, 100.0, 100.0]
    assert aggregates.outcome(9, POLICY).contacts == 4
    assert aggregates.value_by_contacts() == [50.0, 20.0, 20.0, 10.0]


def test_an_empty_list_has_an_empty_curve() -> None:
    totals = {"customers": 0, "primary": 0, "clv": None, "value_at_risk": None, "expected_purchases": None}
    aggregates = RunAggregates.of(
        ScoringRun(aggregates={"segments": {}, "total": totals, "at_risk_curve": [], "currency": "USD"})
    )
    assert aggregates.value_by_contacts() == []
    assert aggregates.outcome(10, POLICY).value_at_risk == 0.0
