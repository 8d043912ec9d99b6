"""Whether scores came true, as the API and the page tell it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import update

from service.pages import quality as page_of_quality
from service.pages.quality import QualityPage
from service.pages.templating import render
from store.tables import DriftReport
from tests.service.conftest import Shop
from tests.service.quality import THEN, compare_shop
from tests.service.shop import AS_OF

Shown = Callable[..., tuple[QualityPage, str]]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Shown:
    """Ask for the page: `shown(shop, **params)` returns its context and its HTML."""
    contexts: list[QualityPage] = []

    def spy(page: QualityPage) -> Any:
        contexts.append(page)
        return render(page)

    monkeypatch.setattr(page_of_quality, "render", spy)

    def ask(shop: Shop, **params: Any) -> tuple[QualityPage, str]:
        response = shop.client.get("/quality", params=params, headers={"accept": "text/html"})
        assert response.status_code == 200, response.text
        return contexts[-1], response.text

    return ask


def test_before_a_horizon_has_passed_a_run_says_when_it_will_have(shop: Shop, shown: Shown) -> None:
    told = shop.get("/v1/quality")
    assert (told["latest"], told["next_before"]) == ([], None)
    (run,) = told["runs"]
    assert (run["scoring_run_id"], run["as_of"]) == (1, AS_OF.isoformat().replace("+00:00", "Z"))
    due = {part["name"]: (part["status"], part["due_at"]) for part in run["parts"]}
    assert due == {
        "churn": ("not_due", "2024-03-31T00:00:00Z"),
        "reorder": ("not_due", "2024-01-31T00:00:00Z"),
        "purchases": ("not_due", "2024-03-31T00:00:00Z"),
    }
    assert run["parts"][0]["why"] == "Not due until 2024-03-31 00:00 UTC, when its horizon has passed."
    page, html = shown(shop)
    assert (page.came_true, page.forecast) == (None, None)
    assert "No run has been compared yet" in html
    assert "Not due until 2024-03-31" in html


def test_what_came_true_is_told_with_its_curve_its_list_and_its_money(own_shop: Shop, shown: Shown) -> None:
    run_id = compare_shop(own_shop.database, own_shop.settings)
    told = own_shop.get("/v1/quality")
    assert [(part["kind"], part["name"], part["scoring_run_id"]) for part in told["latest"]] == [
        ("target", "churn", run_id),
        ("target", "reorder", run_id),
        ("forecast", "purchases", run_id),
    ]
    churn, reorder, purchases = told["latest"]
    assert {part["status"] for part in told["latest"]} == {"compared"}
    assert churn["as_of"] == THEN.isoformat().replace("+00:00", "Z")
    assert churn["listed"]["customers"] > 0
    assert reorder["listed"] is None
    assert len(churn["calibration_curve"]["low"]) == len(churn["calibration_curve"]["observed"]) == 10
    assert purchases["purchases"]["actual"] > 0
    assert purchases["auc"] is None

    page, html = shown(own_shop)
    assert page.target == "churn"
    assert page.came_true is not None
    assert page.forecast is not None
    figures = {figure.name: figure.came for figure in page.came_true.figures}
    assert figures["AUC"] == f"{churn['auc']:.3f}"
    assert f"{churn['listed']['value_at_risk']:,.0f}" in html
    assert page.came_true.calibration_chart is not None
    assert "interval" in page.came_true.calibration_chart
    assert [(row.run_id, row.status) for row in page.runs] == [
        (3, "not yet due"),
        (run_id, "compared"),
        (1, "not yet due"),
    ]
    of_reorder, _ = shown(own_shop, model="reorder")
    assert of_reorder.came_true is not None
    assert of_reorder.came_true.listed == ()
    assert [choice.is_shown for choice in of_reorder.targets] == [False, True]


def test_drift_is_told_feature_by_feature_and_drawn_over_runs(own_shop: Shop, shown: Shown) -> None:
    compare_shop(own_shop.database, own_shop.settings)
    newest, older, _ = own_shop.get("/v1/quality")["runs"]
    drift = {row["target"]: row for row in newest["drift"]}
    assert list(drift) == ["churn", "reorder"]
    assert drift["churn"]["trained_as_of"] == "2024-01-01"
    # The very customers and instant of the training.
    assert {feature["psi"] for feature in drift["churn"]["features"]} == {0.0}
    moved = older["drift"][0]["features"]
    assert [row["psi"] for row in moved] == sorted((row["psi"] for row in moved), reverse=True)
    page, html = shown(own_shop)
    assert page.drift is not None
    assert page.drift.summary == "No feature has moved far from what the model was trained on."
    assert page.drift.report["features"] == drift["churn"]["features"]
    assert str(page.drift.feature_chart) in html
    assert str(page.drift.score_chart) in html
    assert page.runs[0].psi == 0.0


def test_a_model_without_distributions_has_no_reference(own_shop: Shop, shown: Shown) -> None:
    with own_shop.database.write() as session:
        session.execute(update(DriftReport).values(report=None))
    (run,) = own_shop.get("/v1/quality")["runs"]
    assert [(row["target"], row["trained_as_of"], row["score"]) for row in run["drift"]] == [
        ("churn", None, None),
        ("reorder", None, None),
    ]
    page, html = shown(own_shop)
    assert page.drift is None
    assert "No reference" in html


def test_older_runs_are_on_pages_of_their_own(own_shop: Shop) -> None:
    compare_shop(own_shop.database, own_shop.settings)
    first = own_shop.get("/v1/quality", limit=2)
    assert [run["scoring_run_id"] for run in first["runs"]] == [3, 2]
    second = own_shop.get("/v1/quality", limit=2, before=first["next_before"])
    assert ([run["scoring_run_id"] for run in second["runs"]], second["next_before"]) == ([1], None)


def test_labels_from_a_file_can_not_be_compared(label_shop: Shop) -> None:
    parts = {part["name"]: part for run in label_shop.get("/v1/quality")["runs"] for part in run["parts"]}
    assert parts["churn"]["status"] == "not_comparable"
    assert "labels come in a file" in parts["churn"]["why"]


def test_a_target_that_no_model_has_is_not_found(shop: Shop) -> None:
    response = shop.client.get("/quality", params={"model": "nothing"})
    assert response.status_code == 404
    assert "Targets: churn, reorder" in response.text


def test_the_context_is_a_frozen_documented_dataclass() -> None:
    assert dataclasses.is_dataclass(QualityPage)
    assert QualityPage.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert f"`{QualityPage.template}`" in str(QualityPage.__doc__)
