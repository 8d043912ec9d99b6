"""What each page is given: its context, a small dataclass, and that the page shows it."""

from __future__ import annotations

import dataclasses

import pytest

from models.segments import SEGMENTS
from service.pages.at_risk import AtRiskPage
from service.pages.customer import CustomerPage
from service.pages.models import ModelPage, ModelsPage
from service.pages.propensities import PropensitiesPage, PropensityPage
from service.pages.segments import SegmentPage, SegmentsPage
from service.run_aggregates import BudgetOutcome
from tests.service.conftest import Shop
from tests.service.pages.conftest import Shown
from tests.service.shop import AS_OF, ODD_IDS, POLICY, PROSPECT


def test_the_at_risk_page_shows_the_list_as_the_api_tells_it(shop: Shop, shown: Shown) -> None:
    page, html = shown("/")
    answer = shop.get("/v1/at-risk", limit=50)
    assert isinstance(page, AtRiskPage)
    assert (page.customers, page.value_at_risk) == (answer["customers"], answer["value_at_risk"])
    assert (page.as_of, page.model_version, page.currency) == (AS_OF, 1, "USD")
    assert (page.save_rate, page.contact_cost) == (POLICY.save_rate, POLICY.contact_cost)
    assert (page.budget, page.outcome, page.first_href) == (None, None, None)
    assert page.export_href == "/v1/at-risk?format=csv"
    for row, told in zip(page.rows, answer["rows"], strict=True):
        for name in ("position", "customer_id", "value_at_risk", "clv", "sentence"):
            assert getattr(row, name) == told[name]
        assert row.probability == told["churn_probability"]
    assert page.rows[0].share == 1.0
    assert "1 January 2024" in html
    assert f"USD {page.value_at_risk:,.0f}" in html
    assert "<svg" in str(page.gain_chart)
    assert (page.ranked_by, page.why_nobody) == ("value_at_risk", None)


def test_the_at_risk_page_with_a_budget_ends_there_and_says_what_it_covers(shop: Shop, shown: Shown) -> None:
    page, html = shown("/", budget=5)
    told = shop.get("/v1/at-risk", budget=5)["budget"]
    assert page.outcome == BudgetOutcome(5, told["value_at_risk"], told["expected_saved_value"], told["cost"])
    assert len(page.rows) == 5
    assert page.export_href == "/v1/at-risk?format=csv&budget=5"
    assert "The first 5 to contact" in html
    assert 'value="5"' in html
    assert shown("/", budget="")[0].budget is None


def test_the_at_risk_page_shows_those_whose_reason_is_asked_for_and_the_drivers_page_leads_there(
    shop: Shop, shown: Shown
) -> None:
    everybody, html = shown("/")
    assert (everybody.reason, everybody.looked_at) == (None, None)
    drivers, _ = shown("/drivers", model="churn", segment="at_risk")
    counted = {row.row["feature"]: row.row["among_strongest"] for row in drivers.features}
    offered = [choice.reason.removesuffix(":towards") for choice in everybody.reasons]
    assert all(counted[name] for name in offered)
    titles = [choice.title for choice in shown("/", reason=offered[0])[0].reasons]
    assert titles[0].endswith(", either way")
    assert len(set(titles)) == len(titles) == len(offered) + 1
    assert all(f'<option value="{name}:towards">' in html for name in offered)
    assert shown("/", reason="")[0].rows == everybody.rows
    feature = offered[-1]
    (link,) = (row.customers_href for row in drivers.features if row.row["feature"] == feature)
    assert link == f"/?reason={feature}"
    assert all(row.customers_href is None for row in shown("/drivers", model="churn", segment="all")[0].features)
    for reason in (feature, f"{feature}:towards", f"{feature}:against"):
        page, html = shown("/", reason=reason, budget=40)
        told = shop.get("/v1/at-risk", reason=reason, limit=50, budget=40)
        assert [row.customer_id for row in page.rows] == [row["customer_id"] for row in told["rows"]]
        assert page.looked_at is not None
        assert page.looked_at.model_dump() == told["looked_at"]
        assert f'<option value="{reason}" selected>' in html
        assert (
            page.export_href
            == f"/v1/at-risk?format=csv&budget=40&reason={feature}{reason[len(feature) :].replace(':', '%3A')}"
        )
        assert page.everybody_href == "/?budget=40"
        assert page.contacted_href.endswith("&include_contacted=true")
        assert [choice.reason for choice in page.reasons].count(reason) == 1
    assert (
        shop.client.get("/", params={"reason": "no such feature"}, headers={"Accept": "text/html"}).status_code == 422
    )


def test_the_customer_page_shows_the_score_of_now_with_numbers_that_sum(shop: Shop, shown: Shown) -> None:
    customer_id = shop.get("/v1/at-risk", limit=1)["rows"][0]["customer_id"]
    page, html = shown("/customer", customer_id=customer_id)
    told = shop.get("/v1/score", customer_id=customer_id)
    assert isinstance(page, CustomerPage)
    panel = page.panel
    assert panel is not None
    assert panel.score.churn is not None
    assert panel.score.churn.sentence == told["sentence"]
    assert panel.segments[0] == "At risk"
    assert (panel.model_version, panel.policy_version, panel.horizon_days) == (1, 1, 90)
    assert panel.churn_asked == "no purchase within 90 days"
    reorder = told["propensities"]["reorder"]
    assert panel.propensities == (("Reorder", reorder["probability"], "a purchase within 30 days"),)
    assert reorder["sentence"] in html
    for shown_reasons, of_target in zip(panel.reasons, (told, reorder), strict=True):
        contributions = [reason.contribution for reason in shown_reasons.told.reasons]
        assert contributions == [reason["contribution"] for reason in of_target["reasons"]]
        for number in (of_target["base_value"], of_target["all_other_features"], of_target["raw_margin"]):
            assert f"{number:+.2f}".replace("-", "−") in html
    assert "speaks for leaving" in panel.reasons[0].chart
    assert "speaks against it" in panel.reasons[1].chart
    assert len(page.purchases) == told["frequency"] + 1
    assert page.purchases[-1].date < AS_OF.date()
    value = sum(entry.value for entry in page.purchases[1:]) / told["frequency"]
    assert value == pytest.approx(told["monetary_value"])
    assert f"{told['days_since_last_purchase']} day" in page.timeline
    assert page.listed is not None
    assert page.listed.score.churn is not None
    assert page.listed.score.churn.probability == told["churn_probability"]
    assert {stay.segment for stay in page.stays} == set(panel.segments)


@pytest.mark.parametrize("customer_id", ODD_IDS)
def test_a_customer_with_an_odd_id_is_shown_and_escaped(shown: Shown, customer_id: str) -> None:
    page, html = shown("/customer", customer_id=customer_id)
    assert page.customer_id == customer_id
    assert "<b>x</b>" not in html
    if customer_id == "a/b":
        assert ("country", "Chile") in [(item.name, item.value) for item in page.facts.attributes]
        assert "Chile" in html


def test_a_prospect_is_shown_with_a_note_and_without_numbers(shown: Shown) -> None:
    page, html = shown(f"/customers/{PROSPECT}")
    assert page.panel.score.note in html
    assert (page.purchases, page.panel.reasons) == ((), ())
    assert page.panel.propensities == (("Reorder", None, "a purchase within 30 days"),)
    assert "There are no purchases yet." in html


def test_the_segments_page_shows_every_segment_with_its_rule(shop: Shop, shown: Shown) -> None:
    page, html = shown("/segments")
    assert isinstance(page, SegmentsPage)
    told = shop.get("/v1/segments")
    assert [row.name for row in page.rows] == list(SEGMENTS)
    for row, segment in zip(page.rows, told["segments"], strict=True):
        assert (row.totals.customers, row.rule) == (segment["customers"], segment["rule"])
    assert page.total.customers == told["total"]["customers"]
    assert "no upsell target" in html


def test_the_pages_of_a_segment_lead_from_one_to_the_next(shop: Shop, shown: Shown) -> None:
    page, _ = shown("/segments/dormant")
    assert isinstance(page, SegmentPage)
    seen = [row.customer_id for row in page.rows]
    assert page.first_href is None
    while page.next_href:
        page, _ = shown(page.next_href)
        assert page.first_href == "/segments/dormant"
        seen.extend(row.customer_id for row in page.rows)
    assert seen == [row["customer_id"] for row in shop.get("/v1/segments/dormant/customers", limit=1000)["rows"]]


def test_the_models_page_shows_the_versions_with_their_role(shown: Shown) -> None:
    page, html = shown("/models")
    assert isinstance(page, ModelsPage)
    assert [(row.version, row.aliases) for row in page.rows] == [(1, ("champion",))]
    assert "champion" in html


def test_the_model_page_shows_the_report_against_baselines(shown: Shown) -> None:
    page, html = shown("/models/champion")
    assert isinstance(page, ModelPage)
    churn, reorder = page.report.targets
    assert (churn.asked, reorder.asked) == ("no purchase within 90 days", "a purchase within 30 days")
    assert [row.name for row in churn.rows] == [
        "This model",
        "Days since the last purchase",
        "Logistic regression on RFM",
    ]
    assert [row.name for row in page.report.clv] == [
        "BG/NBD",
        "Everybody goes on at the same rate",
        "Nobody returns",
    ]
    assert str(churn.verdict) in html
    assert "of them churned" in dict(churn.figures)
    assert "for whom it came about" in dict(reorder.figures)
    assert ("horizon_days", "90") in page.report.settings
    assert ("stopped", "no") in page.report.settings
    assert churn.calibration_chart is not None
    assert str(reorder.calibration_chart) in html
    assert "Invented customers." in html


def test_the_propensities_page_leads_to_the_list_of_each_target(shop: Shop, shown: Shown) -> None:
    page, html = shown("/propensities")
    assert isinstance(page, PropensitiesPage)
    (told,) = shop.get("/v1/propensities")["propensities"]
    (row,) = page.rows
    assert (row.target_title, row.asked, row.href) == ("Reorder", "a purchase within 30 days", "/propensities/reorder")
    assert (row.totals.customers, row.totals.base_rate) == (told["customers"], told["base_rate"])
    assert 'href="/propensities/reorder"' in shown("/segments")[1]
    assert f"{told['base_rate']:.1%}" in html


def test_the_pages_of_a_propensity_lead_through_the_list_as_the_api_tells_it(shop: Shop, shown: Shown) -> None:
    page, html = shown("/propensities/reorder")
    assert isinstance(page, PropensityPage)
    assert page.export_href == "/v1/propensities/reorder?format=csv"
    assert page.drivers_href == "/drivers?model=reorder"
    assert page.rows[0].share == 1.0
    assert "a purchase within 30 days" in html
    seen = list(page.rows)
    while page.next_href:
        page, _ = shown(page.next_href)
        assert page.first_href == "/propensities/reorder"
        seen.extend(page.rows)
    for row, told in zip(seen, shop.get("/v1/propensities/reorder", limit=1000)["rows"], strict=True):
        for name in ("position", "customer_id", "clv", "days_since_last_purchase", "sentence"):
            assert getattr(row, name) == told[name]
        assert row.probability == told["propensities"]["reorder"]


@pytest.mark.parametrize(
    "context",
    [
        AtRiskPage,
        CustomerPage,
        SegmentsPage,
        SegmentPage,
        PropensitiesPage,
        PropensityPage,
        ModelsPage,
        ModelPage,
    ],
)
def test_every_context_is_a_frozen_documented_dataclass(context: type) -> None:
    assert dataclasses.is_dataclass(context)
    assert context.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert f"`{context.template}`" in str(context.__doc__)  # type: ignore[attr-defined]
