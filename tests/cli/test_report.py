"""`regulars report drivers` on the small shop."""

from __future__ import annotations

import json
from typing import Any

import pytest

from service.app import create_app
from store import drivers
from tests.cli.conftest import At, Regulars
from tests.service.drivers import driver_reports, write_drivers
from tests.shop_databases import Shop


@pytest.fixture
def shop(at: At) -> Shop:
    shop = at("scored")
    write_drivers(shop.database)
    return shop


def test_drivers_are_shown_as_tables_with_bars(regulars: Regulars, shop: Shop) -> None:
    shown = regulars("report", "drivers")
    assert shown.exit_code == 0, shown.err
    report = driver_reports()["churn"]["all"]
    for group in report["drivers"]:
        assert group["driver"] in shown.out
        assert f"{group['mean_size']:.3f}" in shown.out
    assert f"{report['mean_contribution']:+.3f}" in shown.out
    assert "█" in shown.out
    assert "Higher values speak for leaving, from 45 days on" in shown.out
    assert "Inactivity weighs most, then frequency and attributes." in shown.out
    assert "churn, all: 300 customers, as of 2024-07-01 00:00 UTC, model version 1." in shown.out


def test_drivers_of_another_model_and_segment_are_shown(regulars: Regulars, shop: Shop) -> None:
    shown = regulars("report", "drivers", "--model", "upsell", "--segment", "at_risk")
    assert "Lower values speak for it" in shown.out
    assert "upsell, at_risk:" in shown.out
    nobody = regulars("report", "drivers", "--segment", "dormant")
    assert (nobody.exit_code, "█" in nobody.out) == (0, False)
    assert "Nobody here is judged by this model" in nobody.out


def test_json_is_what_the_api_answers(regulars: Regulars, shop: Shop) -> None:
    told: dict[str, Any] = json.loads(regulars("report", "drivers", "--segment", "steady", "--json").out)
    schema = create_app(shop.settings).openapi()["components"]["schemas"]["DriversAnswer"]
    assert set(told) == set(schema["properties"])
    assert told["drivers"] == driver_reports()["churn"]["steady"]["drivers"]


def test_what_there_is_not_is_one_line_that_says_what_there_is(regulars: Regulars, shop: Shop) -> None:
    assert regulars("report", "drivers", "--model", "visit").complaint() == (
        "There is no model of the target 'visit'. Targets: churn, upsell."
    )
    assert "Segments: all, at_risk, high_value" in regulars("report", "drivers", "--segment", "vip").complaint()
    with shop.database.write() as session:
        drivers.clear(session, 1)
    assert "has no reports of drivers. Run: regulars score" in regulars("report", "drivers").complaint()


def test_before_the_first_scoring_it_is_said_what_to_run(regulars: Regulars, at: At) -> None:
    at("trained")
    assert regulars("report", "drivers").complaint() == "No customer has been scored yet. Run: regulars score"


def test_many_features_are_cut_at_twenty_and_the_rest_is_counted(regulars: Regulars, shop: Shop) -> None:
    report = driver_reports()["churn"]["all"]
    many: Any = {**report, "features": report["features"] * 6}
    with shop.database.write() as session:
        drivers.write(session, 1, "churn", {"all": many})
    shown = regulars("report", "drivers").out
    assert f"and {len(report['features']) * 6 - 20} smaller ones; --json has them all" in shown
