"""The recipes' own commands on excerpts of the real data: from files to list and report of drivers.

Some on one engine, some on the other. The whole data with the trials of the documents, on both, are for
`make endurance`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.main import main
from store import registry
from store.engine import Database
from store.listings import propensity_list
from store.lists import list_segment
from store.scores import published_run
from tests.data.excerpts import EXCERPTS
from tests.recipes import commands_of

TRIALS = 1

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)

Run = Callable[[str], dict[str, str]]


@pytest.fixture
def run(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a recipe on an excerpt; return what each command printed, by its first words."""

    def run_all(recipe: str) -> dict[str, str]:
        data = tmp_path / "data"
        data.mkdir()
        EXCERPTS[recipe](data)
        settings, commands = commands_of(recipe, data)
        for name, value in {**settings, "REGULARS_DATABASE_URL": database_url, "COLUMNS": "118"}.items():
            monkeypatch.setenv(name, value)
        printed: dict[str, str] = {}
        for arguments in commands:
            trials = ["--trials", str(TRIALS)] if arguments[0] == "train" else []
            monkeypatch.setattr(sys, "argv", ["regulars", *arguments, *trials])
            with pytest.raises(SystemExit) as left:
                main()
            captured = capsys.readouterr()
            assert not left.value.code, (arguments, captured.err)
            words = " ".join(argument for argument in arguments[:2] if not argument.startswith("-"))
            printed[words] = printed.get(words, "") + captured.out
        return printed

    return run_all


@pytest.fixture
def stored(database_url: str) -> Callable[[], dict[str, Any]]:
    """Return the report of the champion."""

    def read() -> dict[str, Any]:
        database = Database(database_url)
        with database.read() as session:
            report = registry.find_version(session).report
        database.close()
        return report

    return read


@on_postgresql
def test_cdnow_a_purchase_log_and_nothing_else(run: Run, stored: Callable[[], dict[str, Any]]) -> None:
    printed = run("cdnow")
    assert "read 6,919 = stored 6,919" in printed["ingest events"]
    assert "customers at risk, as of 1998-07-01" in printed["at-risk"]
    assert "frequency" in printed["report drivers"]
    assert "churn" in printed["targets check"]
    assert set(stored()["targets"]) | set(stored()["refused"]) == {"churn", "upsell"}


@on_postgresql
def test_online_retail_dirty_order_lines(run: Run, stored: Callable[[], dict[str, Any]], database_url: str) -> None:
    printed = run("online-retail")
    assert "rejected 500" in printed["ingest events"]
    assert "unmatched refunds among those stored" in printed["ingest events"]
    assert "customers at risk, as of 2011-12-10" in printed["at-risk"]
    upsell = stored()["targets"]["upsell"]
    assert {"auc", "rate", "baselines", "difference", "beats_buys_at_all"} <= set(upsell["among_buyers"])
    database = Database(database_url)
    with database.read() as session:
        in_segment = list_segment(session, "upsell_ready", limit=1).rows
    database.close()
    # A model that says no more than who buys at all singles nobody out.
    assert bool(in_segment) <= upsell["makes_segment"]


@on_sqlite
def test_complete_journey_campaigns_coupons_discounts_and_demographics(
    run: Run, stored: Callable[[], dict[str, Any]]
) -> None:
    printed = run("complete-journey")
    assert "customers at risk, as of 2018-01-02" in printed["at-risk"]
    used = set(stored()["targets"]["churn"]["classifier_settings"]["features"])
    assert stored()["targets"]["churn"]["classifier"] == "lightgbm"
    assert {name.split(".")[1] for name in used if name.startswith("event.")} >= {
        "campaign_received",
        "coupon_redeemed",
    }
    assert {name for name in used if name.startswith("attribute.")} >= {"attribute.age", "attribute.income"}
    assert "basket" in printed["report drivers"]


@on_sqlite
def test_telco_attributes_and_a_label_by_five_folds(
    run: Run, stored: Callable[[], dict[str, Any]], database_url: str
) -> None:
    printed = run("telco")
    churn = stored()["targets"]["churn"]
    assert churn["n"] == 2_500
    assert churn["auc"] >= 0.83
    assert churn["calibration_error"] < 0.05
    assert set(churn["standard_deviation"]) >= {"auc", "log_loss", "brier", "average_precision", "calibration_error"}
    assert churn["leaks"] == []
    assert stored()["clv"] is None
    assert "no clv" in printed["train"]
    assert "Ranked by churn_probability: there is no clv" in printed["at-risk"]
    database = Database(database_url)
    with database.read() as session:
        rows = list_segment(session, "at_risk", limit=100).rows
    database.close()
    probabilities = [row.score.churn_probability or 0.0 for row in rows]
    assert probabilities == sorted(probabilities, reverse=True)
    assert {row.score.clv for row in rows} == {None}
    reasons = [name for row in rows for name, _, _ in json.loads(row.score.reasons or "[]")]
    assert "attribute.Contract" in reasons


@on_postgresql
def test_hillstrom_an_outcome_and_rows_without_ids(
    run: Run, stored: Callable[[], dict[str, Any]], database_url: str
) -> None:
    printed = run("hillstrom")
    visit = stored()["targets"]["visit"]
    assert {leak["feature"] for leak in visit["leaks"]} == {"attribute.conversion", "attribute.spend"}
    assert not {"attribute.visit", "attribute.conversion"} & set(visit["classifier_settings"]["features"])
    assert "conversion" in printed["train"]
    database = Database(database_url)
    with database.read() as session:
        run_row = published_run(session)
        rows = list_segment(session, propensity_list("visit"), limit=50).rows
    database.close()
    assert run_row is not None
    assert run_row.n_customers == 6_000
    propensities = [json.loads(row.score.propensities or "")["visit"]["probability"] for row in rows]
    assert propensities == sorted(propensities, reverse=True)
    assert all(row.customer_id.isdecimal() for row in rows)
