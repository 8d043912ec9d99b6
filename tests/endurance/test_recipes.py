"""Every recipe of the documents, as it stands there, on both engines, with the quality that is asked of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from store import registry
from store.engine import Database
from store.lists import list_segment
from tests.conftest import shared_data
from tests.recipes import RECIPES, run_recipe

# What a recipe prints of its list and of its drivers.
_PRINTED = {
    "cdnow": ("customers at risk, as of 1998-07-01", "churn, all: "),
    "online-retail": ("customers at risk, as of 2011-12-10", "churn, all: "),
    "complete-journey": ("customers at risk, as of 2018-01-02", "upsell, all: "),
    "telco": ("customers at risk, as of 2020-01-01", "churn, all: "),
    "hillstrom": ("customers judged", "visit, all: "),
}

# AUC that a target has to reach; it is no worse than its best baseline by more than _TIE, either.
_BARS = {
    "cdnow": ("churn", 0.72),
    "online-retail": ("churn", 0.73),
    "complete-journey": ("churn", 0.5),
    "telco": ("churn", 0.847),
    "hillstrom": ("visit", 0.5),
}
_TIE = 0.003


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_runs_from_its_files_to_list_and_drivers(recipe: str, database_url: str, tmp_path: Path) -> None:
    printed = run_recipe(recipe, shared_data(RECIPES[recipe]), tmp_path, database_url)
    for words in _PRINTED[recipe]:
        assert words in printed
    assert "nan" not in printed.lower().split()
    report, upsell_ready = _stored(database_url)
    target, bar = _BARS[recipe]
    figures = report["targets"][target]
    assert figures["auc"] >= bar
    assert figures["auc"] >= max(baseline["auc"] for baseline in figures["baselines"].values()) - _TIE
    if (upsell := report["targets"].get("upsell")) is not None:
        # It beats "buys at all" among those who buy, or nobody is singled out by it.
        among = upsell["among_buyers"]
        beats = among["auc"] > among["baselines"]["buys_at_all"]["auc"]
        assert upsell["makes_segment"] <= beats
        assert upsell_ready == upsell["makes_segment"]


def _stored(database_url: str) -> tuple[dict[str, Any], bool]:
    """Return the champion's report, and whether anybody is ready to buy more."""
    database = Database(database_url)
    with database.read() as session:
        report = registry.find_version(session).report
        upsell_ready = bool(list_segment(session, "upsell_ready", limit=1).rows)
    database.close()
    return report, upsell_ready
