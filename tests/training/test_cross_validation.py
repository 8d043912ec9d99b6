"""Cross-validation: nothing of a left-out fold is known to what it is measured by."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.special import expit

from features.targets import Target
from models.metrics import binary_report
from training import cross_validation
from training.cross_validation import CrossValidation, cross_validate
from training.dataset import Dataset, Rows
from training.exceptions import TrainingError
from training.search import SearchResult, search
from training.splits import customer_draws

TELCO = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "ibm_telco_churn" / "telco_churn.csv.gz"
CHURN_BY_LABEL = Target(name="churn", kind="label")
NAMES = ("attribute.calls", "attribute.tenure", "attribute.row")


def _rows(n: int = 900, seed: int = 1) -> Rows:
    """Customers whose last feature numbers them, so that a row can be recognised."""
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.poisson(2, n), rng.uniform(0, 72, n), np.arange(n)]).astype(np.float64)
    y = (rng.random(n) < expit(-1 + 0.6 * (X[:, 0] - 2) - (X[:, 1] - 36) / 20)).astype(np.float64)
    return Rows(NAMES, X, y, customer_draws(_ids(n)), np.full(n, np.nan))


def _ids(n: int) -> list[str]:
    return [f"{number:05}" for number in range(n)]


def _cross_validate(rows: Rows, **changes: Any) -> CrossValidation:
    options: dict[str, Any] = {
        "customer_ids": _ids(len(rows.y)),
        "target": CHURN_BY_LABEL,
        "trials": 1,
        "seed": 3,
        "time_limit_seconds": 1e9,
        "progress": lambda done: None,
        **changes,
    }
    return cross_validate(rows, rows.names, **options)


@pytest.fixture(scope="module")
def validated() -> CrossValidation:
    return _cross_validate(_rows())


def test_each_search_sees_the_other_folds_only_and_the_last_sees_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[list[set[int]]] = []

    def numbers(rows: Rows) -> set[int]:
        return set(rows.inputs(["attribute.row"])[:, 0].astype(int).tolist())

    def watched(dataset: Dataset, *args: Any, **options: Any) -> SearchResult:
        parts = (dataset.train, dataset.early_stopping, dataset.calibration, dataset.test)
        seen.append([numbers(part) for part in parts])
        return search(dataset, *args, **options)

    monkeypatch.setattr(cross_validation, "search", watched)
    fold = _cross_validate(_rows()).fold
    assert len(seen) == 6
    for left_out, (train, early_stopping, calibration, test) in enumerate(seen):
        assert not test
        assert not train & early_stopping
        assert not train & calibration
        assert not early_stopping & calibration
        known = set(np.flatnonzero(fold != left_out).tolist())
        assert train | early_stopping | calibration == known
        assert len(train) == pytest.approx(0.6 * len(known), abs=3)


def test_what_a_row_is_given_does_not_depend_on_its_own_label(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = _rows(600)
    fold = np.arange(600) % 5

    def fixed(X: NDArray[np.float64], y: NDArray[np.float64], **options: Any) -> NDArray[np.int64]:
        return fold[: len(y)]

    # The labels decide the folds too, so these are held.
    monkeypatch.setattr(cross_validation, "stratified_folds", fixed)
    left_out = fold == 2
    otherwise = Rows(rows.names, rows.X, np.where(left_out, 1 - rows.y, rows.y), rows.draw, rows.bought)
    first, changed = _cross_validate(rows), _cross_validate(otherwise)
    assert changed.probability[left_out].tobytes() == first.probability[left_out].tobytes()
    assert (changed.probability[~left_out] != first.probability[~left_out]).any()
    for name in ("logit_all", "base_rate"):
        assert changed.baselines[name][left_out].tobytes() == first.baselines[name][left_out].tobytes()


def test_figures_are_means_over_the_folds_with_their_standard_deviation(validated: CrossValidation) -> None:
    report = validated.report()
    of_folds = [
        binary_report(validated.y[validated.fold == number], validated.probability[validated.fold == number])
        for number in range(5)
    ]
    aucs = [figures["auc"] for figures in of_folds]
    assert None not in aucs
    assert report["auc"] == pytest.approx(np.mean(np.array(aucs, dtype=float)))
    assert report["standard_deviation"]["auc"] == pytest.approx(np.std(np.array(aucs, dtype=float), ddof=1))
    assert report["n"] == 900
    assert report["standard_deviation"].keys() == of_folds[0].keys() - {"n"}
    assert [fold["log_loss"] for fold in report["folds"]] == [figures["log_loss"] for figures in of_folds]
    assert sum(report["calibration_curve"]["counts"]) == 900
    assert report["auc"] > 0.7
    assert json.loads(json.dumps(report)) == report


def test_baselines_are_measured_on_the_same_folds(validated: CrossValidation) -> None:
    baselines = validated.report()["baselines"]
    assert baselines["base_rate"]["auc"] == 0.5
    assert baselines["base_rate"]["log_loss"] == pytest.approx(
        -np.mean(validated.y * np.log(validated.y.mean()) + (1 - validated.y) * np.log(1 - validated.y.mean())),
        abs=1e-3,
    )
    assert baselines["logit_all"]["auc"] > 0.7
    assert baselines["logit_all"]["standard_deviation"]["auc"] > 0


def test_differences_are_of_the_means_over_the_folds(validated: CrossValidation) -> None:
    report = validated.report()
    for figure in ("auc", "log_loss"):
        told = report["differences"][figure]
        assert told["against"] == "logit_all"
        assert told["low"] <= report[figure] - report["baselines"]["logit_all"][figure] <= told["high"]
    assert report["calibration_error_if_perfect"]["mean"] == pytest.approx(report["calibration_error"], rel=0.5)


def test_the_settings_for_the_final_fit_name_the_number_of_trees(validated: CrossValidation) -> None:
    settings = validated.search.settings
    assert settings.kind in ("lightgbm", "logistic")
    if settings.kind == "lightgbm":
        assert settings.params["num_rounds"] < 500


def test_the_same_seed_gives_the_same_and_another_folds_otherwise(validated: CrossValidation) -> None:
    again, other = _cross_validate(_rows()), _cross_validate(_rows(), seed=4)
    assert again.probability.tobytes() == validated.probability.tobytes()
    assert again.report() == validated.report()
    assert (other.fold != validated.fold).any()


def test_progress_goes_on_to_the_end() -> None:
    told: list[float] = []
    _cross_validate(_rows(400), trials=2, progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1
    assert len(told) == 12


def test_too_few_labels_are_refused_with_what_to_do() -> None:
    with pytest.raises(TrainingError, match=r"too few rows for five folds: 40 .*Bring more labels"):
        _cross_validate(_rows(40))


def test_telco_reaches_the_published_auc_of_plain_lightgbm_and_more() -> None:
    if not TELCO.exists():
        pytest.skip("the Telco data is not beside the project")
    frame = pd.read_csv(TELCO).sort_values("customerID").reset_index(drop=True)
    frame["TotalCharges"] = pd.to_numeric(frame["TotalCharges"], errors="coerce")
    table = frame.drop(columns=["customerID", "Churn"])
    columns = [
        table[name] if pd.api.types.is_numeric_dtype(table[name]) else pd.Categorical(table[name]).codes
        for name in table
    ]
    y = np.asarray(frame["Churn"] == "Yes", dtype=np.float64)
    ids = frame["customerID"].tolist()
    names = tuple(f"attribute.{name}" for name in table)
    rows = Rows(names, np.column_stack(columns).astype(np.float64), y, customer_draws(ids), np.full(len(ids), np.nan))
    report = _cross_validate(rows, customer_ids=ids).report()
    # Untuned LightGBM reaches .8457.
    assert report["auc"] >= 0.847
    assert report["standard_deviation"]["auc"] < 0.02
    assert report["log_loss"] < 0.416
    assert report["calibration_error"] < 0.03
