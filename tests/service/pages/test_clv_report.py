"""What the page of a model shows of purchases, by this release and by an older one."""

from __future__ import annotations

from datetime import UTC, datetime

from service.pages.model_report import read_report
from service.pages.models import ModelPage, ModelRow
from service.pages.templating import render
from tests.clv_report import CLV_REPORT, CLV_REPORT_OF_OLD


def test_every_candidate_and_baseline_is_a_row_and_what_is_in_use_is_marked() -> None:
    report = read_report({"clv": CLV_REPORT})
    assert [(row.name, row.is_model) for row in report.clv] == [
        ("BG/NBD", True),
        ("Boosted trees on the purchase model", True),
        ("Everybody goes on at the same rate", False),
        ("Nobody returns", False),
    ]
    assert report.clv[0].figures == ("1.610", "1.640", "0.440", "-12.2%", "0.700")
    assert report.clv[-1].figures == ("2.470", "1.640", "–", "-100.0%", "0.700")
    assert report.clv[-1].bar == 1.0
    assert report.clv_why == "bg_nbd is kept: the only one."
    assert ("80% intervals of purchases covered", "79.2%, ties split at random") in report.clv_facts


def test_the_report_of_a_release_that_knew_one_model_shows_what_it_holds() -> None:
    report = read_report({"clv": CLV_REPORT_OF_OLD})
    assert [(row.name, row.is_model) for row in report.clv] == [
        ("BG/NBD", True),
        ("Everybody goes on at the same rate", False),
        ("Nobody returns", False),
    ]
    assert report.clv[0].figures[0] == "1.610"
    assert report.clv_why is None


def test_the_page_shows_the_figures_and_why_the_model_was_kept() -> None:
    row = ModelRow(1, "/models/1", (), datetime(2024, 7, 1, tzinfo=UTC), "Churn", None, None)
    html = bytes(render(ModelPage(row, read_report({"clv": CLV_REPORT}), "hash", "UTC")).body).decode()
    for words in ("Poisson deviance", "Error of the total", "bg_nbd is kept: the only one.", "-12.2%", "1.640"):
        assert words in html
