"""`regulars churn-window` on the small shop, and `train --horizon-days`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import At, Regulars


def _words(text: str) -> str:
    """Return what was printed as one line, however it was wrapped."""
    return " ".join(text.split())


@pytest.fixture
def earlier(at: At, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shop that was scored, looked at as it was known when its history was too short for 90 days."""
    at("scored")
    monkeypatch.setenv("REGULARS_AS_OF", "2022-09-01")


@pytest.mark.usefixtures("earlier")
def test_figures_proposal_and_change_are_shown_and_drawn(regulars: Regulars, tmp_path: Path) -> None:
    shown = regulars("churn-window", "--svg", tmp_path / "returns.svg")
    assert shown.exit_code == 0, shown.err
    words = _words(shown.out)
    for part in ("31 to 90 days", "repeat customers", "after 180", "█", "present", "proposed", "on the list"):
        assert part in words
    assert "Proposed is a horizon of " in words
    assert "names on the published list (model version 1, as of 2024-07-01)" in words
    assert "Both lists are made by the purchase model alone" in words
    assert (tmp_path / "returns.svg").read_text(encoding="utf-8").startswith("<svg ")
    assert "Following silences" in shown.err


@pytest.mark.usefixtures("earlier")
def test_json_has_both_horizons_and_how_many_names_stay(regulars: Regulars) -> None:
    told = json.loads(regulars("churn-window", "--json").out)
    assert told["present_horizon_days"] == told["at_risk"]["present"]["horizon_days"] == 90
    assert told["horizon_days"] == told["at_risk"]["proposed"]["horizon_days"] != 90
    assert told["at_risk"]["on_both"] <= told["at_risk"]["present"]["on_list"]
    assert told["published"]["as_of"] == "2024-07-01"


def test_where_the_default_is_what_is_proposed_no_list_changes(regulars: Regulars, at: At) -> None:
    at("untrained")
    shown = regulars("churn-window", "--json")
    told = json.loads(shown.out)
    assert (told["horizon_days"], told["present_horizon_days"]) == (90, 90)
    assert (told["at_risk"], told["published"]) == (None, None)
    assert "That is the present one, so the at-risk list stays as it is." in _words(shown.err)


def test_without_purchases_one_line_says_what_to_do(
    regulars: Regulars, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REGULARS_DATABASE_URL", f"sqlite:///{tmp_path}/empty.db")
    assert regulars("db", "upgrade").exit_code == 0
    assert regulars("churn-window").complaint() == (
        "There are no purchases to find a churn window by. Run: regulars ingest events FILE"
    )


@pytest.mark.parametrize("days", ["0", "1826", "soon", "-5"])
def test_a_horizon_that_is_neither_days_nor_auto_is_refused_in_one_line(regulars: Regulars, days: str) -> None:
    assert f"expected a whole number of days from 1 to 1825, or auto; got '{days}'" in (
        regulars("train", f"--horizon-days={days}").complaint()
    )
