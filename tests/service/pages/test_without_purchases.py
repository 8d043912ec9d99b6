"""Pages of a business without purchases: no amount anywhere, and words that say why."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.service.conftest import Shop
from tests.service.label_shop import CAVEAT, LEAK, REFUSED
from tests.service.pages.conftest import Shown

Showing = Callable[[Shop], Shown]


@pytest.mark.parametrize("path", ["/", "/?budget=5", "/segments", "/segments/at_risk", "/customers/t001"])
def test_no_page_has_an_amount(label_shop: Shop, showing: Showing, path: str) -> None:
    _, html = showing(label_shop)(path)
    assert ">clv<" not in html
    assert "Value at risk" not in html
    assert "Last purchase" not in html


def test_the_at_risk_page_is_by_churn_probability_and_says_so(label_shop: Shop, showing: Showing) -> None:
    page, html = showing(label_shop)("/", budget=5)
    answer = label_shop.get("/v1/at-risk", budget=5)
    assert page.ranked_by == answer["ranked_by"] == "churn_probability"
    assert page.gain_chart is None
    assert [row.probability for row in page.rows] == [row["churn_probability"] for row in answer["rows"]]
    assert page.rows[0].share == 1.0
    assert "Ranked by churn probability." in html
    assert "The first 5 to contact" in html
    assert "can’t be said without clv" in html
    assert CAVEAT in html


def test_without_a_model_of_churn_the_at_risk_page_leads_to_what_else_is_judged(
    visit_shop: Shop, showing: Showing
) -> None:
    page, html = showing(visit_shop)("/")
    assert page.why_nobody == "The model has no target named churn, so nobody can be found at risk."
    assert page.why_nobody in html
    assert 'href="/propensities">What else is judged' in html
    assert "How many customers can you contact?" not in html


def test_the_customer_page_shows_the_reasons_of_every_target(label_shop: Shop, showing: Showing) -> None:
    page, html = showing(label_shop)("/customers/t001")
    assert [reasons.target_title for reasons in page.panel.reasons] == ["Churn", "Visit"]
    assert page.panel.churn_asked == "what a file of labels says"
    for reasons in page.panel.reasons:
        assert reasons.told.sentence in html
    assert 'id="purchases"' not in html


def test_the_customer_page_without_a_model_of_churn_says_so(visit_shop: Shop, showing: Showing) -> None:
    page, html = showing(visit_shop)("/customers/t001")
    assert page.panel.score.note in html
    assert "Churn probability" not in html
    assert page.panel.reasons[0].told.sentence in html


def test_the_propensity_page_shows_who_and_why(visit_shop: Shop, showing: Showing) -> None:
    page, html = showing(visit_shop)("/propensities/visit")
    assert page.rows[0].sentence in html
    assert not page.has_clv
    assert "what a file of labels says" in html
    assert REFUSED in showing(visit_shop)("/propensities")[1]


def test_the_model_page_shows_folds_leaks_and_refused_targets(label_shop: Shop, showing: Showing) -> None:
    page, html = showing(label_shop)("/models/1")
    churn, visit = page.report.targets
    assert (churn.target_title, visit.target_title) == ("Churn", "Visit")
    assert churn.has_deviations
    assert [row.name for row in churn.rows[1:]] == [
        "Logistic regression on all features",
        "The same chance for everybody",
    ]
    assert churn.rows[1].figures == ("0.700 ± 0.011", "0.600 ± 0.020")
    assert dict(churn.figures)["calibration error"] == "0.020 ± 0.003"
    assert "mean of five folds ± standard deviation" in html
    assert [(leak.feature, leak.why) for leak in churn.leaks] == [("attribute.cancelled_on", LEAK)]
    assert page.report.refused == (("Renewal", REFUSED),)
    assert page.report.notes == (CAVEAT,)
    assert page.report.clv == ()
    assert LEAK in html
    assert REFUSED in html


def test_the_models_page_names_the_target_of_the_figures(visit_shop: Shop, showing: Showing) -> None:
    page, _ = showing(visit_shop)("/models")
    assert [row.target_title for row in page.rows] == ["Visit"]
