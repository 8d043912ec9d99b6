"""Every recipe of the documents, as it stands there, on both engines."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import shared_data
from tests.recipes import RECIPES, run_recipe

# What a recipe has to end in: its list, and its report of drivers.
_PRINTED = {
    "cdnow": ("customers at risk, as of 1998-07-01", "Drivers of churn"),
    "online-retail": ("customers at risk, as of 2011-12-10", "Drivers of churn"),
    "complete-journey": ("customers at risk, as of 2018-01-02", "Drivers of upsell"),
    "telco": ("customers at risk, as of 2020-01-01", "Drivers of churn"),
    "hillstrom": ("Drivers of visit",),
}


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_runs_from_its_files_to_list_and_drivers(recipe: str, database_url: str, tmp_path: Path) -> None:
    printed = run_recipe(recipe, shared_data(RECIPES[recipe]), tmp_path, database_url)
    for words in _PRINTED[recipe]:
        assert words in printed
    assert "Traceback" not in printed
    assert "nan" not in printed.lower().split()
