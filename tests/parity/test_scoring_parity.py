"""One customer alone gets the very scores of the batch, and nothing at or after as_of reaches them."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.event_log import EventLog
from features.windows import Snapshot
from models.bundle import Bundle
from models.propensity import LightGBMParams
from models.scoring import Scores, score
from models.segments import SEGMENTS
from tests.features.strategies import PROPERTY, TIMEZONES, Row, histories, to_log
from tests.shop import AS_OF, CHURN_TARGET, PROSPECTS, local_day, shop_inputs, shop_log, shop_training
from training.dataset import labelled_rows
from training.fit import LOGIT_RFM, ClassifierSettings, fit_final

INSTANTS = {
    "at midnight": AS_OF,
    "in the middle of a day": datetime(2024, 3, 9, 14, 25, 3, 7, tzinfo=UTC),
    "before the shop had many customers": datetime(2022, 1, 20, 6, tzinfo=UTC),
}
KINDS = ("lightgbm", "logistic")
_TREES = ClassifierSettings(
    "lightgbm",
    (*LOGIT_RFM.features, "days_since_last_purchase", "gap_mean"),
    asdict(LightGBMParams(num_rounds=20, max_depth=3, num_leaves=6, min_data_in_leaf=20)),
)
FEWER = settings(PROPERTY, max_examples=40)


@cache
def _bundle(kind: str) -> Bundle:
    bundle = shop_training().bundle
    if kind == bundle.leading.classifier.kind:
        return bundle
    rows = labelled_rows(shop_log(), local_day(2024, 1, 1), CHURN_TARGET, shop_inputs(local_day(2024, 7, 1)))
    other = fit_final(LOGIT_RFM if kind == "logistic" else _TREES, rows, CHURN_TARGET, seed=0)
    return replace(bundle, targets={**bundle.targets, other.name: other})


def _scores(bundle: Bundle, log: EventLog, as_of: datetime, members: dict[str, bool] | None = None) -> Scores:
    memberships = {name: np.full(log.n_customers, is_in) for name, is_in in (members or {}).items()}
    return score(bundle, bundle.policy, bundle.cutoffs, log, memberships, Snapshot.at(as_of, log.calendar))


def _rows(scores: Scores) -> list[dict[str, object]]:
    columns = scores.columns()
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("as_of", INSTANTS.values(), ids=list(INSTANTS))
def test_one_customer_alone_gets_the_scores_of_the_batch_bit_for_bit(kind: str, as_of: datetime) -> None:
    # Bit for bit, not merely close: every step goes row by row, so a list and a request can never disagree.
    log, bundle = shop_log(), _bundle(kind)
    batch = _rows(_scores(bundle, log, as_of))
    for i in range(0, log.n_customers, 7):
        alone = _scores(bundle, log.take([i]), as_of)
        assert _rows(alone) == [batch[i]], log.customer_ids[i]


def test_the_customers_compared_are_of_every_kind() -> None:
    log, bundle = shop_log(), _bundle("lightgbm")
    some = log.take(range(0, log.n_customers, 7))
    found = _scores(bundle, some, INSTANTS["in the middle of a day"])
    kinds = {SEGMENTS[i] for i in found.primary}
    assert {"at_risk", "high_value", "new", "steady", "dormant", "prospect"} <= kinds
    assert (found.frame["frequency"] == 0).sum() > 10


def test_prospects_and_an_unknown_share_of_members_are_judged_alone_as_in_the_batch() -> None:
    log, bundle = shop_log(), _bundle("lightgbm")
    members = {"at_risk": True, "high_value": True}
    batch = _rows(_scores(bundle, log, AS_OF, members))
    for customer_id in (*PROSPECTS, *log.customer_ids[:40]):
        i = log.customer_ids.index(customer_id)
        assert _rows(_scores(bundle, log.take([i]), AS_OF, members)) == [batch[i]]


@pytest.mark.parametrize("kind", KINDS)
@FEWER
@given(
    history=histories(), days=st.integers(0, 900), minutes=st.integers(0, 1_440), timezone=st.sampled_from(TIMEZONES)
)
def test_events_at_or_after_as_of_change_no_score(
    kind: str, history: list[Row], days: int, minutes: int, timezone: str
) -> None:
    as_of = datetime(2022, 9, 1, tzinfo=UTC) + timedelta(days=days, minutes=minutes)
    everybody = sorted({row.customer for row in history})
    known = [row for row in history if row.at < as_of]
    bundle = _bundle(kind)
    assert _rows(_scores(bundle, to_log(history, timezone), as_of)) == _rows(
        _scores(bundle, to_log(known, timezone, everybody), as_of)
    )


@pytest.mark.parametrize("kind", KINDS)
@FEWER
@given(history=histories(), days=st.integers(0, 900), timezone=st.sampled_from(TIMEZONES))
def test_any_history_gives_finite_scores_and_reasons_that_sum(
    kind: str, history: list[Row], days: int, timezone: str
) -> None:
    as_of = datetime(2022, 9, 1, 12, tzinfo=UTC) + timedelta(days=days)
    found = _scores(_bundle(kind), to_log(history, timezone), as_of)
    purchased = ~np.isnan(found.frame["frequency"])
    assert np.isfinite(found.clv[purchased]).all()
    assert (found.clv[purchased] >= 0).all()
    for told in found.targets.values():
        _, contribution, other = told.top
        total = told.base_value + contribution.sum(axis=1) + other
        np.testing.assert_allclose(total, told.raw_margin[told.eligible], rtol=0, atol=1e-6)
    for i in range(len(purchased)):
        alone = _scores(_bundle(kind), to_log(history, timezone).take([i]), as_of)
        assert _rows(alone) == [_rows(found)[i]]
