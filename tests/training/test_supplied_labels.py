"""Labels that came in a file: which rows they make, how they are divided, and what a training makes of them."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.targets import CHURN, Target, TargetSet
from features.windows import Snapshot
from models.model_inputs import ModelInputs
from models.scoring import score
from models.segment_policy import SegmentPolicy
from models.segments import SEGMENTS
from store.engine import Database
from store.ingest.labels import Labels
from store.tables import Customer
from store.training_request import TrainingRequest
from tests.attribute_table import ATTRIBUTES_AS_OF, attribute_log, telling_labels
from tests.shop import AS_OF, NOW, local_day, shop_inputs, shop_log, shop_settings
from training.exceptions import TrainingError
from training.fit import ClassifierSettings
from training.fit_bundle import Training, fit_bundle
from training.fit_target import ChampionSettings
from training.splits import ROLES, customer_draws
from training.supplied_labels import KnownLabels, dated_dataset, under_own_ids
from training.workshop import LabelledTarget

LABEL = Target(name=CHURN, kind="label").with_defaults(90, None)
END = local_day(AS_OF.year, AS_OF.month, AS_OF.day)


@pytest.fixture(scope="module")
def inputs() -> ModelInputs:
    return shop_inputs(END)


def _labels(customer_ids: list[str], positive: list[bool], day: list[int] | None = None) -> Labels:
    return Labels(
        customer_ids=tuple(customer_ids),
        positive=np.array(positive),
        day=None if day is None else np.array(day, dtype=np.int32),
        rejections=(),
        n_read=len(customer_ids),
    )


def _ids(known: KnownLabels) -> list[str]:
    return [shop_log().customer_ids[i] for i in known.customers.tolist()]


def test_each_label_of_a_known_customer_makes_a_row_at_its_own_midnight(inputs: ModelInputs) -> None:
    days = [local_day(2024, 1, 1), local_day(2023, 6, 1), local_day(2024, 1, 1), END]
    labels = _labels(["k0009", "k0003", "k0001", "nobody"], [True, False, False, True], days)
    found = KnownLabels.of(shop_log(), labels, end_day=END)
    rows = found.rows(shop_log(), inputs)
    assert found.unknown == 1
    assert list(zip(_ids(found), found.day.tolist(), rows.y.tolist(), strict=True)) == [
        ("k0003", days[1], 0.0),
        ("k0001", days[0], 0.0),
        ("k0009", days[0], 1.0),
    ]
    np.testing.assert_array_equal(rows.draw, customer_draws(_ids(found)))
    for i, customer in enumerate(found.customers.tolist()):
        alone = shop_log().take([customer])
        frame = inputs.frame(alone, Snapshot.at_midnight(int(found.day[i]), alone.calendar))
        assert frame.values.tobytes() == rows.X[i : i + 1].tobytes()


def test_labels_without_dates_are_looked_at_at_the_end_of_what_is_known() -> None:
    found = KnownLabels.of(shop_log(), _labels(["k0001", "k0002"], [True, False]), end_day=END)
    assert found.day.tolist() == [END, END]
    assert not found.has_dates


def test_labels_of_nobody_known_are_refused_with_an_example() -> None:
    with pytest.raises(TrainingError, match=r"None of the 2 labelled customers is known, the first being 'x1'"):
        KnownLabels.of(shop_log(), _labels(["x1", "x2"], [True, False]), end_day=END)


def test_a_label_of_an_id_that_was_merged_since_is_the_customers(database: Database) -> None:
    with database.write() as session:
        for number, customer_id in enumerate(("k0001", "k0002"), start=1):
            session.add(Customer(id=number, customer_id=customer_id, created_at=NOW))
        for number, (customer_id, into) in enumerate((("v1", 1), ("v2", 1), ("v3", 2)), start=3):
            session.add(Customer(id=number, customer_id=customer_id, created_at=NOW, merged_into=into))
    told = _labels(["k0002", "k0003", "v1", "v2", "v3"], [True, False, True, True, False])
    found = KnownLabels.of(shop_log(), under_own_ids(database, told), end_day=END)
    assert list(zip(_ids(found), found.positive.tolist(), strict=True)) == [("k0001", True), ("k0003", False)]
    assert (found.unknown, found.differing) == (0, 2)
    differing = under_own_ids(database, _labels(["k0002", "v3"], [True, False]))
    with pytest.raises(TrainingError, match="All 2 labels differ from others of the same customer"):
        KnownLabels.of(shop_log(), differing, end_day=END)


def test_labels_that_look_ahead_from_after_the_end_are_left_out() -> None:
    labels = _labels(["k0001", "k0002"], [True, False], [END + 1, END])
    found = KnownLabels.of(shop_log(), labels, end_day=END)
    assert (_ids(found), found.ahead) == (["k0002"], 1)
    with pytest.raises(TrainingError, match=r"All labels look ahead from after 2024-07-01.* later --as-of"):
        KnownLabels.of(shop_log(), _labels(["k0001"], [True], [END + 1]), end_day=END)


def _dated_labels() -> Labels:
    rng = np.random.default_rng(0)
    ids = [customer_id for customer_id in shop_log().customer_ids if customer_id.startswith("k")][:800]
    days = rng.integers(local_day(2024, 1, 1), local_day(2024, 6, 1), len(ids)).tolist()
    flags = [bool(flag) for flag in rng.random(900) < 0.4]
    return _labels([*ids, *ids[:100]], flags, [*days, *[END - 10] * 100])


def test_the_latest_fifth_of_dated_labels_tests_and_nobody_in_it_teaches(inputs: ModelInputs) -> None:
    dated = KnownLabels.of(shop_log(), _dated_labels(), end_day=END)
    dataset = dated_dataset(dated, dated.rows(shop_log(), inputs), LABEL)
    n_test = len(dataset.test.y)
    assert 180 <= n_test <= 200
    assert dataset.method == "dates of labels"
    learnt = {draw for role in ROLES for draw in getattr(dataset, role).draw.tolist()}
    assert not learnt & set(dataset.test.draw.tolist())
    assert sum(len(getattr(dataset, role).y) for role in ROLES) < 900 - n_test + 1
    first_test_day = date(1970, 1, 1) + timedelta(days=int(np.sort(dated.day)[-n_test]))
    assert dataset.snapshots["test"] == first_test_day.isoformat()


def test_too_few_dated_labels_are_refused(inputs: ModelInputs) -> None:
    labels = _labels(["k0001", "k0002", "k0003"], [True, False, True], [END - 50, END - 40, END - 30])
    found = KnownLabels.of(shop_log(), labels, end_day=END)
    with pytest.raises(TrainingError, match=r"too few rows for \w+: \d with a label, .* Bring more labels"):
        dated_dataset(found, found.rows(shop_log(), inputs), LABEL)


def _on_the_shop(labels: Labels, folder: Path, **request: Any) -> Training:
    return fit_bundle(
        shop_log(),
        shop_settings("sqlite:///unused.db", folder),
        TrainingRequest(trials=1, targets=(CHURN,), **request),
        today=NOW,
        policy=SegmentPolicy(),
        labelled=LabelledTarget(name=CHURN, labels=labels, label_column="left", source={"file": "labels.csv"}),
    )


def test_dated_labels_are_measured_with_what_was_known_before_the_days_that_test(tmp_path: Path) -> None:
    training = _on_the_shop(_dated_labels(), tmp_path)
    churn = training.bundle.report["targets"][CHURN]
    assert churn["splits"] == "dates of labels"
    assert list(training.bundle.targets) == [CHURN]
    # Labels are noise here, so nothing may be learnt from them.
    assert churn["auc"] == pytest.approx(0.5, abs=0.12)
    assert training.bundle.purchases is not None


def test_labels_of_one_date_are_looked_at_then_and_measured_by_folds(tmp_path: Path) -> None:
    some = _dated_labels()
    one_day = _labels(list(some.customer_ids[:800]), some.positive[:800].tolist(), [local_day(2024, 1, 1)] * 800)
    report = _on_the_shop(one_day, tmp_path).bundle.report
    assert report["targets"][CHURN]["snapshots"]["test"] == "2024-01-01"
    assert not any("no dates" in note for note in report["notes"])


def test_a_champion_is_measured_on_the_same_folds(tmp_path: Path, by_attributes: Training) -> None:
    told = by_attributes.bundle.report["targets"][CHURN]
    champion = ChampionSettings(
        7, by_attributes.bundle.targets[CHURN].target, ClassifierSettings.from_dict(told["classifier_settings"])
    )
    beside = _train(tmp_path, champion=champion).test_metrics["champion"]
    assert beside["version"] == 7
    assert beside["auc"] == pytest.approx(told["auc"], abs=0.01)


def test_a_name_that_nothing_has_is_refused_with_one_like_it(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"no attribute by the name of 'plann'\. Did you mean plan"):
        _train(tmp_path, leave_out=("plann",))


def test_a_target_by_labels_without_a_file_says_how_to_give_one(tmp_path: Path) -> None:
    targets = TargetSet((Target(name=CHURN, kind="inactivity"), Target(name="visit", kind="label")))
    bundle = fit_bundle(
        shop_log(),
        shop_settings("sqlite:///unused.db", tmp_path),
        TrainingRequest(trials=1),
        today=NOW,
        policy=SegmentPolicy(),
        targets=targets,
    ).bundle
    assert list(bundle.targets) == [CHURN]
    assert bundle.report["refused"]["visit"].startswith("Its labels come in a file: regulars train --target visit")


@pytest.fixture(scope="module")
def by_attributes(tmp_path_factory: pytest.TempPathFactory) -> Training:
    """A business of which only attributes and labels are known."""
    return _train(tmp_path_factory.mktemp("bundles"))


def _train(folder: Path, name: str = CHURN, champion: ChampionSettings | None = None, **request: Any) -> Training:
    log = attribute_log()
    labelled = LabelledTarget(
        name=name,
        labels=telling_labels(),
        label_column="left",
        source={"file": "labels.csv", "label": "left", "positive": "yes"},
    )
    return fit_bundle(
        log,
        shop_settings("sqlite:///unused.db", folder, as_of=ATTRIBUTES_AS_OF),
        TrainingRequest(trials=2, **request),
        today=NOW,
        policy=SegmentPolicy(),
        labelled=labelled,
        champion=champion,
    )


def test_a_business_without_events_is_measured_by_five_folds_and_has_no_clv(by_attributes: Training) -> None:
    bundle = by_attributes.bundle
    assert bundle.purchases is None
    assert list(bundle.targets) == [CHURN]
    churn = bundle.report["targets"][CHURN]
    assert churn["splits"] == "five folds of customers"
    assert len(churn["folds"]) == 5
    assert 0 < churn["standard_deviation"]["auc"] < 0.1
    assert bundle.report["clv"] is None
    assert bundle.report["labels"]["file"] == "labels.csv"
    assert any("no clv" in note for note in bundle.report["notes"])
    # Logit of the truth: plan 1.2, calls .5 a call; the best possible AUC is about .76.
    assert 0.70 < churn["auc"] < 0.82


def test_planted_leaks_are_named_and_left_out_unless_kept(by_attributes: Training, tmp_path: Path) -> None:
    churn = by_attributes.bundle.report["targets"][CHURN]
    named = {leak["feature"] for leak in churn["leaks"]}
    assert named == {"attribute.left_flag", "attribute.reason"}
    assert not named & set(by_attributes.bundle.targets[CHURN].classifier.feature_names_)
    kept = _train(tmp_path, keep=("left_flag",)).bundle
    assert "attribute.left_flag" in kept.targets[CHURN].classifier.feature_names_
    assert kept.report["targets"][CHURN]["auc"] > 0.9


def test_the_column_of_the_label_is_never_a_feature(by_attributes: Training) -> None:
    assert "left" in attribute_log().attributes.columns
    bundle = by_attributes.bundle
    assert "attribute.left" not in bundle.targets[CHURN].classifier.feature_names_
    assert "attribute.left" not in {leak["feature"] for leak in bundle.report["targets"][CHURN]["leaks"]}


def test_what_is_to_be_left_out_is(tmp_path: Path) -> None:
    bundle = _train(tmp_path, leave_out=("plan", "attribute.calls")).bundle
    names = set(bundle.targets[CHURN].classifier.feature_names_)
    assert not names & {"attribute.plan", "attribute.calls"}


def test_without_clv_the_likeliest_are_at_risk_and_everybody_is_judged(by_attributes: Training) -> None:
    bundle, log = by_attributes.bundle, attribute_log()
    scores = score(bundle, bundle.policy, bundle.cutoffs, log, {}, Snapshot.at(ATTRIBUTES_AS_OF, log.calendar))
    assert scores.eligible.all()
    assert np.isnan(scores.clv).all()
    at_risk = scores.member[:, SEGMENTS.index("at_risk")]
    assert 0 < at_risk.sum() <= bundle.policy.max_share * log.n_customers
    assert scores.churn_probability[at_risk].min() >= scores.churn_probability[~at_risk].max()
    columns = scores.columns()
    assert set(columns["clv"]) == set(columns["frequency"]) == set(columns["value_at_risk"]) == {None}
    told = {name for text in columns["reasons"] for name, _, _ in json.loads(text or "[]")}
    assert "attribute.plan" in told


def test_a_propensity_by_labels_has_no_one_at_risk(tmp_path: Path) -> None:
    bundle, log = _train(tmp_path, name="visit").bundle, attribute_log()
    assert bundle.churn is None
    scores = score(bundle, bundle.policy, bundle.cutoffs, log, {}, Snapshot.at(ATTRIBUTES_AS_OF, log.calendar))
    assert not scores.member[:, SEGMENTS.index("at_risk")].any()
    assert np.isnan(scores.churn_probability).all()
    assert '"visit":{"probability":' in (scores.columns()["propensities"][0] or "")


def test_the_same_labels_give_the_same_bundle(by_attributes: Training, tmp_path: Path) -> None:
    again = _train(tmp_path).bundle
    assert again.report == by_attributes.bundle.report
    texts = [bundle.targets[CHURN].classifier.to_text() for bundle in (again, by_attributes.bundle)]
    assert texts[0] == texts[1]


def test_no_events_and_no_labels_give_nothing_to_learn_from(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"no orders to learn from .* regulars train --target churn --labels FILE"):
        fit_bundle(
            attribute_log(),
            shop_settings("sqlite:///unused.db", tmp_path),
            TrainingRequest(trials=1),
            today=NOW,
            policy=SegmentPolicy(),
        )
