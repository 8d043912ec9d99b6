"""The LightGBM classifier: reproducible, explained exactly, quiet, and defined for the smallest data."""

import dataclasses
import warnings
from pathlib import Path

import lightgbm
import numpy as np
import pytest

from models.binary_classifier import BinaryClassifier
from models.exceptions import InputError, NotFittedError
from models.logistic import LogisticModel
from models.metrics import auc
from models.propensity import LightGBMParams, PropensityModel
from models.tree_shap import TreeShap
from tests.models.cdnow_snapshot import cdnow_snapshot, read_cdnow
from tests.models.propensity_fits import NAMES, PARAMS, fitted, history, path_dependent_shapley_values


def test_contributions_equal_shapley_values_by_their_definition_missing_values_included() -> None:
    params = dataclasses.replace(PARAMS, num_rounds=8, max_depth=3)
    model = fitted(params=params)
    X, _ = history(40, seed=9)
    values, base_value = model.contributions(X)
    booster = lightgbm.Booster(model_str=model.to_text())
    assert np.isnan(X[:, 2]).any()
    for row, ours in zip(X, values, strict=True):
        reference, reference_base = path_dependent_shapley_values(booster, row)
        np.testing.assert_allclose(ours, reference, atol=1e-10)
        assert base_value == pytest.approx(reference_base, abs=1e-10)


def test_contributions_equal_those_of_the_tree_explainer_of_shap_within_1e_6() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import shap

        model = fitted(missing=0.0)
        X, _ = history(200, seed=9, missing=0.0)
        explainer = shap.TreeExplainer(lightgbm.Booster(model_str=model.to_text()))
        # Left alone it calls LightGBM for the values; so it runs its own implementation. (That one reads NaN as a
        # number, hence no missing values here.)
        explainer.model.model_type = "internal"
        reference = explainer.shap_values(X)
    values, base_value = model.contributions(X)
    np.testing.assert_allclose(values, reference, atol=1e-6)
    assert base_value == pytest.approx(float(np.ravel(explainer.expected_value)[0]), abs=1e-6)


def test_contributions_sum_with_the_base_value_to_the_raw_margin_within_1e_9() -> None:
    model = fitted()
    X, _ = history(2000, seed=4)
    values, base_value = model.contributions(X)
    assert values.dtype == np.float64
    assert values.shape == X.shape
    assert np.abs(values.sum(axis=1) + base_value - model.raw_margin(X)).max() < 1e-9


def test_a_model_too_large_for_tables_is_explained_by_lightgbm_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    with_tables, without = fitted(), fitted()
    X, _ = history(50, seed=4)
    values, base_value = with_tables.contributions(X)
    monkeypatch.setattr(TreeShap, "from_text", lambda text: None)
    np.testing.assert_allclose(without.contributions(X)[0], values, atol=1e-10)
    assert without.contributions(X)[1] == base_value


def test_a_model_fitted_again_explains_its_new_trees() -> None:
    model = fitted()
    X, y = history(1500, seed=3)
    before, _ = model.contributions(X)
    after, base_value = model.fit(X, 1 - y, feature_names=NAMES).contributions(X)
    assert np.abs(after - before).max() > 0.1
    np.testing.assert_allclose(after.sum(axis=1) + base_value, model.raw_margin(X), atol=1e-9)


def test_one_row_gets_what_it_gets_among_many() -> None:
    model = fitted()
    X, _ = history(300, seed=4)
    many, (many_values, _) = model.raw_margin(X), model.contributions(X)
    for i in range(0, 300, 30):
        assert model.raw_margin(X[i : i + 1])[0] == many[i]
        np.testing.assert_array_equal(model.contributions(X[i : i + 1])[0][0], many_values[i])


def test_no_rows_give_no_scores() -> None:
    model = fitted()
    assert model.raw_margin(np.empty((0, 4))).shape == (0,)
    assert model.contributions(np.empty((0, 4)))[0].shape == (0, 4)


def test_the_same_input_gives_the_same_text_byte_for_byte_and_another_seed_does_not() -> None:
    X, y = history(1500, seed=3)
    watched = history(500, seed=5)
    params = dataclasses.replace(PARAMS, num_rounds=20)
    texts = [
        PropensityModel(params=params, seed=seed, num_threads=2)
        .fit(X, y, feature_names=NAMES, early_stopping=watched)
        .to_text()
        for seed in (7, 7, 8)
    ]
    assert texts[0] == texts[1]
    assert texts[0] != texts[2]


def test_text_holds_no_path_and_opens_in_lightgbm_itself() -> None:
    model = fitted()
    text = model.to_text()
    assert str(Path.cwd()) not in text
    X, _ = history(100, seed=1)
    np.testing.assert_array_equal(lightgbm.Booster(model_str=text).predict(X, raw_score=True), model.raw_margin(X))


def test_text_gives_the_same_model_with_its_settings() -> None:
    X, y = history(1500, seed=3)
    params = dataclasses.replace(PARAMS, learning_rate=0.0512345678901, lambda_l2=1 / 3e5, min_gain_to_split=0.01)
    model = PropensityModel(params=params, seed=11, num_threads=1).fit(
        X, y, feature_names=(*NAMES[:3], "âge"), early_stopping=history(500, seed=5)
    )
    restored = PropensityModel.from_text(model.to_text(), num_threads=2)
    assert restored.to_text() == model.to_text()
    assert restored.params == model.params
    assert restored.seed == 11
    assert restored.num_threads == 2
    assert restored.feature_names_ == (*NAMES[:3], "âge")
    assert restored.best_rounds_ == model.best_rounds_
    assert restored.base_value_ == model.base_value_
    np.testing.assert_array_equal(restored.raw_margin(X), model.raw_margin(X))


def test_early_stopping_keeps_the_best_rounds_only() -> None:
    X, y = history(800, seed=3)
    noise = np.random.default_rng(0).permutation(y)
    params = dataclasses.replace(PARAMS, num_rounds=400, learning_rate=0.3)
    model = PropensityModel(params=params, seed=7, num_threads=1).fit(
        X, y, feature_names=NAMES, early_stopping=(X, noise)
    )
    assert model.best_rounds_ < 20
    assert model.best_rounds_ == lightgbm.Booster(model_str=model.to_text()).num_trees()
    assert fitted().best_rounds_ == PARAMS.num_rounds


@pytest.mark.parametrize("n", [1, 2, 5, 39])
@pytest.mark.parametrize("outcomes", ["none", "all", "some"])
def test_too_few_rows_to_split_give_a_constant_model(n: int, outcomes: str) -> None:
    X, _ = history(n, seed=1)
    y = {"none": np.zeros(n), "all": np.ones(n), "some": (np.arange(n) % 3 == 0).astype(float)}[outcomes]
    model = PropensityModel(params=PARAMS, seed=7, num_threads=1).fit(X, y, feature_names=NAMES, early_stopping=(X, y))
    expected = np.log((y.sum() + 0.5) / (n - y.sum() + 0.5))
    np.testing.assert_allclose(model.raw_margin(X), expected, atol=1e-6)
    values, base_value = model.contributions(X)
    assert not values.any()
    assert base_value == pytest.approx(expected, abs=1e-6)
    assert PropensityModel.from_text(model.to_text()).to_text() == model.to_text()


def test_one_class_in_many_rows_gives_a_finite_constant() -> None:
    X, _ = history(1000, seed=1)
    model = PropensityModel(params=PARAMS, seed=7, num_threads=1).fit(X, np.ones(1000), feature_names=NAMES)
    np.testing.assert_allclose(model.raw_margin(X[:3]), np.log(1000.5 / 0.5), atol=1e-6)


def test_columns_without_information_give_the_rate() -> None:
    _, y = history(200, seed=1)
    model = PropensityModel(params=PARAMS, seed=7, num_threads=1).fit(np.full((200, 2), np.nan), y, feature_names="ab")
    np.testing.assert_allclose(model.raw_margin(np.zeros((1, 2))), np.log(y.mean() / (1 - y.mean())), atol=1e-3)


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    for n in (1, 10, 50, 500):
        X, y = history(n, seed=n)
        model = PropensityModel(params=PARAMS, seed=7, num_threads=1).fit(
            np.column_stack([X, np.ones(n)]), y, feature_names=(*NAMES, "constant"), early_stopping=None
        )
        PropensityModel.from_text(model.to_text()).raw_margin(np.zeros((2, 5)))
    assert capfd.readouterr() == ("", "")


def test_both_classifiers_satisfy_the_protocol() -> None:
    X, y = history(300, seed=1)
    candidates: list[BinaryClassifier] = [
        PropensityModel(params=PARAMS, seed=1, num_threads=1),
        LogisticModel(log1p=("purchases_90d",)),
    ]
    for candidate in candidates:
        values, base_value = candidate.fit(X, y, feature_names=NAMES).contributions(X)
        np.testing.assert_allclose(values.sum(axis=1) + base_value, candidate.raw_margin(X), atol=1e-6)
        assert candidate.feature_names_ == NAMES
    assert [candidate.kind for candidate in candidates] == ["lightgbm", "logistic"]


@pytest.mark.parametrize(
    ("setting", "value"),
    [("max_depth", 9), ("max_depth", 0), ("num_leaves", 1), ("learning_rate", 0.0), ("bagging_fraction", 1.5),
     ("lambda_l2", -1.0), ("num_rounds", 0), ("learning_rate", float("nan"))],
)  # fmt: skip
def test_a_setting_out_of_range_is_refused_by_name(setting: str, value: float) -> None:
    with pytest.raises(InputError, match=f"{setting} must be between"):
        LightGBMParams(**{setting: value})  # type: ignore[arg-type]


def test_what_is_illegal_is_refused_with_what_was_expected() -> None:
    X, y = history(100, seed=1)
    model = PropensityModel(params=PARAMS, seed=7, num_threads=1)
    with pytest.raises(NotFittedError, match="call fit"):
        model.raw_margin(X)
    with pytest.raises(InputError, match="outcomes of 0 and 1"):
        model.fit(X, y + 1, feature_names=NAMES)
    with pytest.raises(InputError, match="at least one row"):
        model.fit(X[:0], y[:0], feature_names=NAMES)
    with pytest.raises(InputError, match="at least one row"):
        model.fit(X, y, feature_names=NAMES, early_stopping=(X[:0], y[:0]))
    with pytest.raises(InputError, match="num_leaves must be a whole number"):
        LightGBMParams(num_leaves=3.5)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="seed must be a whole number"):
        PropensityModel(params=PARAMS, seed=-1, num_threads=1).fit(X, y, feature_names=NAMES)
    with pytest.raises(InputError, match="num_threads must be at least 1"):
        PropensityModel(params=PARAMS, seed=1, num_threads=0).fit(X, y, feature_names=NAMES)
    with pytest.raises(InputError, match="categorical names colour, which are no features; there are days_since"):
        model.fit(X, y, feature_names=NAMES, categorical=("colour",))
    with pytest.raises(InputError, match=r"'tenure' holds \d+\.\d+ in row 0 .*expected codes 0, 1, 2"):
        model.fit(X, y, feature_names=NAMES, categorical=("tenure",))
    with pytest.raises(InputError, match="monotone names colour, tenure, which are no features with an order"):
        model.fit(X, y, feature_names=NAMES, categorical=("tenure",), monotone={"colour": 1, "tenure": 1})
    with pytest.raises(InputError, match=r"direction of 'tenure' must be 1 \(rises\) or -1 \(falls\), got 0"):
        model.fit(X, y, feature_names=NAMES, monotone={"tenure": 0})
    model.fit(X, y, feature_names=NAMES)
    with pytest.raises(InputError, match=r"4 columns \(days_since_last_purchase, .*\(100, 3\)"):
        model.raw_margin(X[:, :3])
    with pytest.raises(InputError, match="'mean_gap' is infinite"):
        model.contributions(np.array([[1.0, 1.0, np.inf, 1.0]]))


def test_damaged_text_is_refused_before_lightgbm_sees_it() -> None:
    text = fitted().to_text()
    for cut in (len(text) // 3, text.index("end of trees"), text.index("end of parameters")):
        with pytest.raises(InputError, match="restore the file"):
            PropensityModel.from_text(text[:cut])
    with pytest.raises(InputError, match="tree 1 is not where its header says"):
        PropensityModel.from_text(text.replace("Tree=0\n", "Tree=0\n\n"))
    for other in ("", "{}", text.replace("objective=binary", "objective=regression")):
        with pytest.raises(InputError, match="expected the text of a LightGBM model with a binary objective"):
            PropensityModel.from_text(other)


def test_churn_on_cdnow_is_ranked_as_in_the_published_reference_by_trees_and_by_logistic_regression_on_rfm() -> None:
    log = read_cdnow()
    names = (
        "days_since_last_purchase", "frequency", "recency", "tenure", "value", "mean_value", "n_30d", "n_90d", "n_180d",
    )  # fmt: skip
    train, watched, test = (cdnow_snapshot(log, day) for day in ("1997-10-03", "1998-01-01", "1998-04-02"))
    X, y = test
    assert len(y) == 23_570
    assert y.mean() == pytest.approx(0.860, abs=5e-4)
    trees = PropensityModel(
        params=LightGBMParams(num_leaves=15, max_depth=4, learning_rate=0.1, early_stopping_rounds=20),
        seed=1,
        num_threads=1,
    ).fit(*train, feature_names=names, early_stopping=watched)
    rfm = [0, 1, 5]
    logistic = LogisticModel(log1p=("days_since_last_purchase", "frequency", "mean_value")).fit(
        watched[0][:, rfm], watched[1], feature_names=[names[i] for i in rfm]
    )
    assert auc(y, X[:, 0]) == pytest.approx(0.8280, abs=5e-4)
    assert auc(y, trees.raw_margin(X)) == pytest.approx(0.8375, abs=0.002)
    assert auc(y, logistic.raw_margin(X[:, rfm])) == pytest.approx(0.8365, abs=0.002)
