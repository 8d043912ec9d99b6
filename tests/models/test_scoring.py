"""From events to scores: what applies to whom, what is stored, and what is said."""

from __future__ import annotations

import json
from types import NoneType

import numpy as np
import pytest

from features.catalogue import CATALOGUE
from features.targets import CHURN
from features.windows import Snapshot
from models.bundle import Bundle
from models.scoring import REASONS_KEPT, Scores, TargetScores, score
from models.segments import SEGMENTS, Cutoffs
from models.wording import read_reasons, target_sentence
from store.scores import SCORE_COLUMNS
from tests.shop import AS_OF, PROSPECTS, shop_log, shop_training

TOLD = (str, NoneType)
WORDS = {
    "segment": str,
    "segments": str,
    "eligible": bool,
    "reasons": TOLD,
    "clv_reasons": TOLD,
    "propensities": TOLD,
}
WHOLE = ("frequency", "recency", "T", "days_since_last_purchase", "purchase_likely_in_days")


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return shop_training().bundle


@pytest.fixture(scope="module")
def scores(bundle: Bundle) -> Scores:
    log = shop_log()
    return score(bundle, bundle.policy, bundle.cutoffs, log, {}, Snapshot.at(AS_OF, log.calendar))


@pytest.fixture(scope="module")
def churn(scores: Scores) -> TargetScores:
    return scores.targets[CHURN]


def test_the_columns_are_those_of_the_store_in_plain_python(scores: Scores) -> None:
    columns = scores.columns()
    assert set(columns) == set(SCORE_COLUMNS)
    for name, values in columns.items():
        kinds = WORDS.get(name, (int, NoneType) if name in WHOLE else (float, NoneType))
        allowed = kinds if isinstance(kinds, tuple) else (kinds,)
        assert {type(value) for value in values} <= set(allowed), name
        assert len(values) == len(scores.clv)
        assert not [value for value in values if isinstance(value, float) and not np.isfinite(value)], name


def test_every_purchaser_has_a_clv_and_only_eligible_customers_a_churn_probability(scores: Scores) -> None:
    purchased = ~np.isnan(scores.frame["frequency"])
    assert purchased.sum() == len(scores.clv) - len(PROSPECTS)
    assert np.isfinite(scores.clv[purchased]).all()
    assert (scores.clv[purchased] > 0).all()
    assert np.isnan(scores.clv[~purchased]).all()
    for column in (scores.churn_probability, scores.targets[CHURN].raw_margin, scores.value_at_risk):
        np.testing.assert_array_equal(np.isfinite(column), scores.eligible)
    probability = scores.churn_probability[scores.eligible]
    assert ((probability > 0) & (probability < 1)).all()
    np.testing.assert_array_equal(scores.value_at_risk, scores.churn_probability * scores.clv)


def test_one_time_buyers_of_all_ages_have_finite_numbers(scores: Scores) -> None:
    once = scores.frame["frequency"] == 0
    assert once.sum() > 100
    assert np.isfinite(scores.clv[once]).all()
    assert (scores.frame["p_alive"][once] == 1).all()


def test_the_order_by_probability_is_the_order_by_margin(churn: TargetScores) -> None:
    by_margin = np.argsort(churn.raw_margin[churn.eligible])
    steps = np.diff(churn.probability[churn.eligible][by_margin])
    margins = np.diff(np.sort(churn.raw_margin[churn.eligible]))
    assert (steps[margins > 0] > 0).all()


def test_stored_reasons_sum_to_the_raw_margin_with_base_value_and_all_others(scores: Scores) -> None:
    columns = scores.columns()
    judged = [i for i, text in enumerate(columns["reasons"]) if text is not None]
    assert judged == np.flatnonzero(scores.eligible).tolist()
    for i in judged:
        reasons, other = read_reasons(columns["reasons"][i], "USD")
        assert len(reasons) == REASONS_KEPT
        sizes = [abs(reason.contribution) for reason in reasons]
        assert sizes == sorted(sizes, reverse=True)
        total = columns["base_value"][i] + sum(reason.contribution for reason in reasons) + other
        assert total == pytest.approx(columns["raw_margin"][i], abs=1e-6)


def test_a_reason_holds_the_value_of_the_customer(scores: Scores) -> None:
    row = int(np.flatnonzero(scores.eligible)[7])
    reasons, _ = read_reasons(scores.columns()["reasons"][row] or "", "USD")
    for reason in reasons:
        value = scores.frame[reason.feature][row]
        assert reason.value == (None if np.isnan(value) else value)
        assert reason.text == CATALOGUE[reason.feature].tell(value, "USD")


def test_every_sentence_reads_as_one(scores: Scores) -> None:
    for text in scores.columns()["reasons"]:
        if text is None:
            continue
        told = target_sentence(CHURN, read_reasons(text, "USD")[0])
        assert told.endswith(".")
        assert "  " not in told
        assert "nan" not in told.lower().split()
        assert told[0].isupper()


def test_reasons_stored_before_a_feature_was_given_up_still_read_and_sum(scores: Scores) -> None:
    text = next(text for text in scores.columns()["reasons"] if text is not None)
    before, other = read_reasons(text, "USD")
    after, same = read_reasons(text.replace(f'"{before[0].feature}"', '"given_up"', 1), "USD")
    assert [reason.contribution for reason in after] == [reason.contribution for reason in before]
    assert same == other
    assert (after[0].feature, after[0].text) == ("given_up", "")
    assert target_sentence(CHURN, after).endswith(".")


def test_each_customer_has_one_primary_segment_among_all_of_hers(scores: Scores) -> None:
    rows = np.arange(len(scores.clv))
    assert scores.member[rows, scores.primary].all()
    for primary, segments in zip(scores.columns()["segment"], scores.columns()["segments"], strict=True):
        assert segments.split()[0] == primary
    found = {name: int(scores.member[:, i].sum()) for i, name in enumerate(SEGMENTS)}
    assert found["prospect"] == len(PROSPECTS)
    assert (found["upsell_ready"] > 0) == bool(scores.bundle.targets["upsell"].makes_segment)
    assert all(found[name] for name in ("at_risk", "high_value", "new", "steady", "dormant"))
    np.testing.assert_array_equal(scores.member[:, SEGMENTS.index("dormant")], ~scores.eligible & ~np.isnan(scores.clv))


def test_the_cut_offs_of_the_bundle_are_met_by_its_own_customers(scores: Scores, bundle: Bundle) -> None:
    at_risk = scores.member[:, SEGMENTS.index("at_risk")]
    assert 0 < at_risk.sum() <= bundle.policy.max_share * scores.eligible.sum()
    assert scores.value_at_risk[at_risk].min() == pytest.approx(bundle.cutoffs.at_risk_value)
    high_value = scores.member[:, SEGMENTS.index("high_value")]
    held = scores.clv[high_value].sum() / scores.clv[scores.eligible].sum()
    assert 0.5 <= held < 0.52


def test_before_the_first_purchase_everybody_is_a_prospect(bundle: Bundle) -> None:
    log = shop_log()
    found = score(bundle, bundle.policy, bundle.cutoffs, log, {}, Snapshot.at(AS_OF.replace(year=2020), log.calendar))
    columns = found.columns()
    assert set(columns["segment"]) == {"prospect"}
    for name in SCORE_COLUMNS:
        if name not in ("segment", "segments", "eligible"):
            assert set(columns[name]) == {None}, name


def test_nobody_at_all_gives_empty_columns(bundle: Bundle) -> None:
    log = shop_log().take([])
    found = score(
        bundle, bundle.policy, Cutoffs(at_risk_value=1.0, high_value_clv=1.0), log, {}, Snapshot.at(AS_OF, log.calendar)
    )
    assert {name: len(values) for name, values in found.columns().items()} == dict.fromkeys(SCORE_COLUMNS, 0)


def test_reasons_are_kept_as_json_without_spaces(scores: Scores) -> None:
    text = next(text for text in scores.columns()["reasons"] if text is not None)
    told = json.loads(text)
    assert told[-1][:2] == ["", None]
    assert json.dumps(told, separators=(",", ":")) == text
