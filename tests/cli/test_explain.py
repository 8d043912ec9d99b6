"""`regulars explain`: why a customer has these scores, and why they moved."""

from __future__ import annotations

from store.lists import iterate_segment
from tests.cli.conftest import At, Regulars
from tests.shop import PROSPECTS


def test_explain_says_why_and_shows_contributions_that_sum(regulars: Regulars, at: At) -> None:
    shop = at("scored")
    first = next(iterate_segment(shop.database, "at_risk"))
    shown = regulars("explain", first.customer_id)
    assert shown.exit_code == 0, shown.err
    assert f"leaves within 90 days with {first.score.churn_probability:.0%}" in shown.out
    assert "raw margin" in shown.out
    assert f"{first.score.raw_margin:+.3f}" in shown.out
    assert "reasons of upsell, in log-odds" in shown.out
    assert "for it" in shown.out or "against it" in shown.out
    assert "all other features" in shown.out
    assert "As of 2024-07-01 00:00 UTC, model version 1." in shown.out


def test_explain_says_how_sure_clv_is_and_what_it_comes_from(regulars: Regulars, at: At) -> None:
    shop = at("scored")
    first = next(iterate_segment(shop.database, "at_risk"))
    shown = " ".join(regulars("explain", first.customer_id).out.split())
    assert f"(USD {first.score.clv_low:,.2f} to USD {first.score.clv_high:,.2f} in at least 8 cases of 10)" in shown
    assert f"{first.score.purchase_within_30d:.0%} within 30 days" in shown
    assert "than of the typical active customer" in shown
    assert "Compared with the typical active customer, who" in shown


def test_explain_says_why_scores_moved_since_a_day(regulars: Regulars, at: At) -> None:
    shop = at("scored")
    first = next(iterate_segment(shop.database, "at_risk"))
    shown = " ".join(regulars("explain", first.customer_id, "--since", "2024-06-01").out.split())
    assert "Since 2024-06-01 clv" in shown
    assert "what moved" in shown
    assert "No score of 2020-01-01" in regulars("explain", first.customer_id, "--since", "2020-01-01").out
    ahead = regulars("explain", first.customer_id, "--since", "2025-01-01")
    assert ahead.exit_code != 0
    assert "--since: expected an instant before 2024-07-01 00:00 UTC" in " ".join(ahead.err.split())


def test_explain_tells_of_customers_without_a_churn_probability_why(regulars: Regulars, at: At) -> None:
    shop = at("scored")
    assert "No purchase is known before this date" in regulars("explain", PROSPECTS[0]).out
    dormant = next(iterate_segment(shop.database, "dormant"))
    shown = regulars("explain", dormant.customer_id).out
    assert "too long ago to count as an active customer" in shown
    assert "clv USD" in shown
    assert "Not judged for upsell." in shown
