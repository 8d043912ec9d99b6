"""The command line before a business without purchases: nothing fails, and no command speaks of money."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from store.engine import Database
from tests.cli.conftest import Regulars
from tests.service.label_shop import LEAK, fill_with_attributes, train_on_labels
from tests.service.shop import publish, settings_for


@pytest.fixture(autouse=True, params=[("churn", "visit")])
def _shop(
    request: pytest.FixtureRequest, sqlite_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Put the command line before a business whose model knows these targets."""
    path = tmp_path / "labels.db"
    shutil.copy(sqlite_template, path)
    settings = settings_for(f"sqlite:///{path}", tmp_path / "bundles")
    database = Database(settings.database_url)
    fill_with_attributes(database)
    publish(database, settings, train_on_labels(database, settings.bundle_dir, names=request.param))
    database.close()
    monkeypatch.setenv("REGULARS_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("REGULARS_BUNDLE_DIR", str(settings.bundle_dir))
    monkeypatch.setenv("REGULARS_AS_OF", "2024-01-01")


def test_at_risk_is_ranked_by_churn_probability_and_says_so(regulars: Regulars) -> None:
    shown = regulars("at-risk", "--limit", 3)
    assert shown.exit_code == 0, shown.err
    assert "Ranked by churn_probability: there is no clv, and so no value at risk." in shown.out
    assert "USD" not in shown.out
    assert "2 of " in regulars("at-risk", "--budget", 2).out


def test_propensity_shows_who_and_why(regulars: Regulars) -> None:
    shown = regulars("propensity", "visit", "--limit", 3)
    assert "3 of 300 customers judged (what a file of labels says; base rate " in " ".join(shown.out.split())
    assert "plan is" in shown.out.lower()
    assert "Ranked by" not in shown.out


def test_segments_and_explain_have_no_amounts(regulars: Regulars) -> None:
    for shown in (regulars("segments"), regulars("explain", "t001")):
        assert shown.exit_code == 0, shown.err
        assert "USD" not in shown.out


def test_explain_shows_every_target_with_the_names_of_categories(regulars: Regulars) -> None:
    shown = regulars("explain", "t001").out
    assert "leaves with " in shown
    assert "visit with " in shown
    assert "attribute.plan" in shown
    assert any(plan in shown for plan in ("basic", "plus", "pro"))
    assert "nothing is said of leaving" not in shown


@pytest.mark.parametrize("_shop", [("visit",)], indirect=True)
def test_without_a_model_of_churn_explain_says_so_and_at_risk_is_empty(regulars: Regulars) -> None:
    assert "The model has no target named churn, so nothing is said of leaving." in regulars("explain", "t001").out
    empty = regulars("at-risk").out
    assert "0 of 0 customers at risk" in empty
    assert "The model has no target named churn, so nobody can be found at risk." in empty
    assert "visit" in regulars("models", "list").out


def test_evaluate_shows_the_targets_only_with_their_standard_deviations(regulars: Regulars) -> None:
    shown = regulars("evaluate")
    assert shown.exit_code == 0, shown.err
    assert "churn in five folds: 300 customers, " in shown.out
    assert "mean ± standard deviation" in shown.out
    assert "0.7000 ± 0.0110" in shown.out
    told = " ".join(shown.out.split())
    assert "There are no purchases, so there is no clv to evaluate." in told
    assert LEAK in told
    printed = json.loads(regulars("evaluate", "--json").out)
    assert printed["clv"] is None
    assert set(printed["targets"]) == {"churn", "visit"}
    churn = printed["targets"]["churn"]
    assert churn["sd"]["auc"] == 0.011
    assert set(churn["baselines"]["logit_all"]) == {"auc", "log_loss", "sd"}
