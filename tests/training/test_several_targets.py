"""Several targets in one training: which are fitted, which are refused, and what a bundle of them says."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.targets import Target, TargetSet
from features.windows import Snapshot
from models.bundle import load_bundle, save_bundle
from models.scoring import score
from models.segment_policy import SegmentPolicy
from models.segments import SEGMENTS
from store.training_request import TrainingRequest
from tests.shop import AS_OF, NOW, Row, shop_log, shop_rows, shop_settings, to_log
from training.exceptions import TrainingError
from training.fit_bundle import Training, fit_bundle

TARGETS = TargetSet(
    (
        Target(name="purchase_30d", kind="purchase", horizon_days=30),
        Target(name="churn", kind="inactivity"),
        Target(name="upsell", kind="upsell"),
        Target(name="survey", kind="event", event="Survey Answered"),
        Target(name="back_again", kind="purchase", horizon_days=240, activity_days=70),
    )
)


def _fit(in_force: TargetSet, folder: Path, rows: tuple[Row, ...] = (), **request: Any) -> Training:
    log = to_log([*shop_rows(), *rows]) if rows else shop_log()
    return fit_bundle(
        log,
        shop_settings("sqlite:///unused.db", folder),
        TrainingRequest(trials=1, **request),
        today=NOW,
        policy=SegmentPolicy(),
        targets=in_force,
    )


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Training:
    return _fit(TARGETS, tmp_path_factory.mktemp("bundles"))


def test_churn_leads_and_each_target_has_its_own_horizon_and_window(several: Training) -> None:
    targets = {name: model.target for name, model in several.bundle.targets.items()}
    assert list(targets) == ["churn", "purchase_30d", "upsell"]
    assert [(target.horizon, target.activity) for target in targets.values()] == [(90, 180), (30, 60), (90, 180)]
    assert several.bundle.leading.name == "churn"
    assert several.test_metrics["target"]["name"] == "churn"


def test_a_target_that_never_comes_about_is_refused_and_the_others_are_fitted(several: Training) -> None:
    refused = several.bundle.report["refused"]
    assert set(refused) == {"survey", "back_again"}
    assert "0 of them with survey" in refused["survey"]
    assert any(note.startswith("No model of survey: ") for note in several.bundle.report["notes"])


def test_a_propensity_of_most_customers_is_refused_with_its_rate(several: Training) -> None:
    assert "60" in several.bundle.report["refused"]["back_again"]


def test_only_the_targets_asked_for_are_fitted(tmp_path: Path) -> None:
    assert list(_fit(TARGETS, tmp_path, targets=("purchase_30d",)).bundle.targets) == ["purchase_30d"]


def test_a_target_that_is_not_in_force_is_refused_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"no target renewal\. Targets in force: purchase_30d, churn, upsell, "):
        _fit(TARGETS, tmp_path, targets=("renewal",))


def test_a_refused_target_that_was_asked_for_alone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="0 of them with survey"):
        _fit(TARGETS, tmp_path, targets=("survey",))


def test_purchase_propensity_is_of_those_who_bought_lately_and_near_its_rate(several: Training) -> None:
    bundle, log = several.bundle, shop_log()
    scores = score(bundle, bundle.policy, bundle.cutoffs, log, {}, Snapshot.at(AS_OF, log.calendar))
    found = scores.targets["purchase_30d"]
    lately = scores.frame["days_since_last_purchase"] < 60
    np.testing.assert_array_equal(found.eligible, lately)
    assert np.nanmean(found.probability) == pytest.approx(bundle.targets["purchase_30d"].base_rate, abs=0.06)
    # Who buys within 30 days is not lost within 90.
    both = found.eligible & scores.eligible
    assert np.corrcoef(found.probability[both], scores.churn_probability[both])[0, 1] < -0.3


def test_upsell_is_compared_with_buying_at_all_among_buyers_and_makes_a_segment_only_if_it_wins(
    several: Training,
) -> None:
    upsell = several.bundle.report["targets"]["upsell"]
    assert set(upsell["baselines"]) == {"logit_rfm", "buys_at_all", "own_mean_value"}
    among = upsell["among_buyers"]
    assert 0 < among["n"] < upsell["n"]
    assert among["beats_buys_at_all"] == (among["difference"]["low"] > 0)
    assert upsell["makes_segment"] == (among["beats_buys_at_all"] and among["beats_chance"])
    assert several.bundle.targets["upsell"].makes_segment == upsell["makes_segment"]
    assert (several.bundle.cutoffs.upsell_propensity is None) == (not upsell["makes_segment"])
    assert ("makes no segment" in upsell["verdict"]) == (not upsell["makes_segment"])


def test_without_a_model_of_churn_nobody_is_at_risk_and_lists_go_by_the_leading_target(tmp_path: Path) -> None:
    bundle, log = _fit(TARGETS, tmp_path, targets=("purchase_30d",)).bundle, shop_log()
    scores = score(bundle, bundle.policy, bundle.cutoffs, log, {}, Snapshot.at(AS_OF, log.calendar))
    assert bundle.churn is None
    assert not scores.member[:, SEGMENTS.index("at_risk")].any()
    np.testing.assert_array_equal(scores.eligible, scores.targets["purchase_30d"].eligible)
    assert set(scores.columns()["reasons"]) == {None}


def test_a_bundle_of_several_targets_comes_back_whole(several: Training, tmp_path: Path) -> None:
    name, bundle_hash = save_bundle(several.bundle, tmp_path)
    loaded = load_bundle(tmp_path / name, expected_hash=bundle_hash)
    assert list(loaded.targets) == list(several.bundle.targets)
    assert save_bundle(loaded, tmp_path / "again")[0] == name


def _cancelling_rows() -> tuple[Row, ...]:
    """Every third customer cancels 20 days after the last order."""
    last = {row.customer_id: row.at for row in shop_rows() if row.value is not None}
    return tuple(
        Row(customer_id, at + timedelta(days=20), None, "Subscription Cancelled")
        for number, (customer_id, at) in enumerate(sorted(last.items()))
        if number % 3 == 0 and at + timedelta(days=20) < AS_OF
    )


def test_churn_by_a_named_event_asks_about_those_who_have_not_left(tmp_path: Path) -> None:
    rows = _cancelling_rows()
    targets = TargetSet((Target(name="churn", kind="event", event="Subscription Cancelled"),))
    bundle = _fit(targets, tmp_path, rows).bundle
    log = to_log([*shop_rows(), *rows])
    scores = score(bundle, bundle.policy, bundle.cutoffs, log, {}, Snapshot.at(AS_OF, log.calendar))
    left = {row.customer_id for row in rows}
    eligible = {log.customer_ids[i] for i in np.flatnonzero(scores.eligible).tolist()}
    assert eligible
    assert not eligible & left
    assert bundle.purchases is not None
    churn = bundle.report["targets"]["churn"]
    assert 0.02 < churn["rate"] < 0.6
