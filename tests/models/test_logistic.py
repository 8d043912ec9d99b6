"""Logistic regression against scikit-learn, its contributions against their sum, its text against itself."""

import warnings

import numpy as np
import pytest
from scipy.special import expit
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from models.exceptions import InputError, NotFittedError
from models.logistic import LogisticModel

NAMES = ("frequency", "recency", "monetary_value")


def history(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.poisson(2.0, n), rng.uniform(0, 300, n), rng.lognormal(3, 1, n)]).astype(float)
    y = (rng.random(n) < expit(0.5 - 0.6 * X[:, 0] + X[:, 1] / 150)).astype(float)
    X[rng.random(n) < 0.2, 2] = np.nan
    return X, y


@pytest.mark.parametrize("l2", [0.01, 1.0, 100.0])
def test_margins_equal_those_of_sklearn_at_the_same_penalty(l2: float) -> None:
    X, y = history(800, seed=1)
    ours = LogisticModel(l2=l2).fit(X, y, feature_names=NAMES)
    reference = make_pipeline(
        SimpleImputer(strategy="median"), StandardScaler(), LogisticRegression(C=1 / l2, tol=1e-12, max_iter=10_000)
    ).fit(X, y)
    fresh, _ = history(300, seed=2)
    np.testing.assert_allclose(ours.raw_margin(fresh), reference.decision_function(fresh), atol=1e-6)
    np.testing.assert_allclose(ours.coef_, reference[-1].coef_[0], atol=1e-6)


def test_log1p_features_equal_features_that_were_logged_beforehand() -> None:
    X, y = history(500, seed=3)
    logged = X.copy()
    logged[:, [0, 2]] = np.log1p(logged[:, [0, 2]])
    ours = LogisticModel(log1p=("frequency", "monetary_value")).fit(X, y, feature_names=NAMES)
    reference = LogisticModel().fit(logged, y, feature_names=NAMES)
    # The median of an even count is a mean of two, which the logarithm moves a little.
    known = ~np.isnan(X).any(axis=1)
    np.testing.assert_allclose(ours.raw_margin(X)[known], reference.raw_margin(logged)[known], atol=1e-3)


def test_a_negative_amount_is_logged_by_its_size() -> None:
    X, y = history(500, seed=3)
    model = LogisticModel(log1p=("monetary_value",)).fit(X, y, feature_names=NAMES)
    up, down, zero = (model.contributions(np.array([[1.0, 1.0, m]]))[0][0, 2] for m in (50.0, -50.0, 0.0))
    assert up - zero == pytest.approx(zero - down, abs=1e-12)


def test_contributions_sum_with_the_base_value_to_the_raw_margin() -> None:
    X, y = history(500, seed=4)
    model = LogisticModel(log1p=("frequency",)).fit(X, y, feature_names=NAMES)
    values, base_value = model.contributions(X)
    assert values.shape == X.shape
    np.testing.assert_allclose(values.sum(axis=1) + base_value, model.raw_margin(X), atol=1e-12)
    np.testing.assert_allclose(values.mean(axis=0), 0.0, atol=1e-9)


def test_contributions_equal_those_of_the_linear_explainer_of_shap() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import shap
    X, y = history(400, seed=5)
    X = np.nan_to_num(X, nan=20.0)
    model = LogisticModel().fit(X, y, feature_names=NAMES)
    slope = model.coef_ / model.scale_
    intercept = model.intercept_ - float(slope @ model.center_)
    explainer = shap.LinearExplainer((slope, intercept), shap.maskers.Independent(X, max_samples=len(X)))
    values, base_value = model.contributions(X)
    np.testing.assert_allclose(values, explainer.shap_values(X), atol=1e-6)
    assert base_value == pytest.approx(float(explainer.expected_value), abs=1e-6)


CATEGORIES = ("contract", "tenure", "city")


def with_categories(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Three contracts, never missing; cities 0, 2, 4, …, some missing."""
    rng = np.random.default_rng(seed)
    contract, city, tenure = rng.integers(0, 3, n), 2 * rng.integers(0, 6, n), rng.uniform(0, 72, n)
    y = (rng.random(n) < expit(np.array([1.2, -1.0, 0.5])[contract] + (city > 5) - tenure / 40)).astype(float)
    X = np.column_stack([contract, tenure, city]).astype(float)
    X[rng.random(n) < 0.1, 2] = np.nan
    return X, y


def one_hot(X: np.ndarray) -> np.ndarray:
    """Return tenure, then a column for each contract, for no city, and for each city."""
    cities = [np.isnan(X[:, 2]), *(X[:, 2] == code for code in range(0, 12, 2))]
    return np.column_stack([X[:, 1], *(X[:, 0] == code for code in range(3)), *cities]).astype(float)


@pytest.mark.parametrize("l2", [0.1, 10.0])
def test_margins_with_categories_equal_those_of_sklearn_on_columns_of_0_and_1_that_are_not_scaled(l2: float) -> None:
    X, y = with_categories(800, seed=1)
    ours = LogisticModel(l2=l2).fit(X, y, feature_names=CATEGORIES, categorical=("city", "contract"))
    assert ours.categorical_ == ("contract", "city")
    columns = one_hot(X)
    center, scale = columns.mean(axis=0), np.append(columns[:, 0].std(), np.ones(10))
    reference = LogisticRegression(C=1 / l2, tol=1e-12, max_iter=10_000).fit((columns - center) / scale, y)
    fresh, _ = with_categories(300, seed=2)
    np.testing.assert_allclose(
        ours.raw_margin(fresh), reference.decision_function((one_hot(fresh) - center) / scale), atol=1e-6
    )


def test_contributions_of_categories_equal_sums_over_their_columns_by_the_linear_explainer_of_shap() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import shap
    X, y = with_categories(500, seed=5)
    model = LogisticModel().fit(X, y, feature_names=CATEGORIES, categorical=("contract", "city"))
    slope = model.coef_ / model.scale_
    columns = one_hot(X)
    explainer = shap.LinearExplainer(
        (slope, model.intercept_ - float(slope @ model.center_)), shap.maskers.Independent(columns, max_samples=500)
    )
    of_columns = explainer.shap_values(columns)
    expected = np.column_stack([of_columns[:, 1:4].sum(axis=1), of_columns[:, 0], of_columns[:, 4:].sum(axis=1)])
    values, base_value = model.contributions(X)
    np.testing.assert_allclose(values, expected, atol=1e-6)
    np.testing.assert_allclose(values.sum(axis=1) + base_value, model.raw_margin(X), atol=1e-12)
    np.testing.assert_allclose(values.mean(axis=0), 0.0, atol=1e-9)
    np.testing.assert_array_equal(model.contributions(X[7:8])[0][0], values[7])


def test_a_code_that_training_did_not_meet_counts_as_missing_which_adds_nothing_where_none_was() -> None:
    X, y = with_categories(500, seed=6)
    model = LogisticModel().fit(X, y, feature_names=CATEGORIES, categorical=("contract", "city"))
    assert model.codes_["contract"].tolist() == [0, 1, 2]
    assert model.codes_["city"].tolist() == [-1, 0, 2, 4, 6, 8, 10]
    asked = np.array([[0, 30, np.nan], [0, 30, 7], [0, 30, 60_000], [np.nan, 30, 0], [3, 30, 0]])
    values, _ = model.contributions(asked)
    assert values[0, 2] != 0
    assert values[0, 2] == values[1, 2] == values[2, 2]
    assert values[3, 0] == values[4, 0] == 0


def test_a_rare_category_is_drawn_to_the_mean() -> None:
    X, y = with_categories(500, seed=6)
    X[0, 0], y[0] = 3, 1
    model = LogisticModel(l2=1.0).fit(X, y, feature_names=CATEGORIES, categorical=("contract",))
    assert abs(model.contributions(X[:1])[0][0, 0]) < 0.5


def test_text_with_categories_gives_the_same_model_to_the_last_bit() -> None:
    X, y = with_categories(300, seed=8)
    model = LogisticModel(log1p=("tenure",)).fit(X, y, feature_names=CATEGORIES, categorical=("contract", "city"))
    restored = LogisticModel.from_text(model.to_text())
    assert restored.to_text() == model.to_text()
    assert restored.categorical_ == ("contract", "city")
    np.testing.assert_array_equal(restored.contributions(X)[0], model.contributions(X)[0])


def test_text_without_categories_says_nothing_of_them() -> None:
    X, y = history(100, seed=8)
    text = LogisticModel().fit(X, y, feature_names=NAMES, categorical=()).to_text()
    assert text == LogisticModel().fit(X, y, feature_names=NAMES).to_text()
    assert "codes" not in text
    assert LogisticModel.from_text(text).categorical_ == ()


@pytest.mark.parametrize("l2", [1e-6, 1.0])
def test_separable_data_gives_finite_coefficients(l2: float) -> None:
    X = np.linspace(-1, 1, 40)[:, None]
    model = LogisticModel(l2=l2).fit(X, (X[:, 0] > 0).astype(float), feature_names=["x"])
    assert np.isfinite(model.coef_).all()
    assert ((model.raw_margin(X) > 0) == (X[:, 0] > 0)).all()


def test_one_class_gives_the_smoothed_log_odds_and_no_reasons() -> None:
    X, _ = history(9, seed=6)
    model = LogisticModel().fit(X, np.zeros(9), feature_names=NAMES)
    np.testing.assert_allclose(model.raw_margin(X), np.log(0.5 / 9.5), atol=1e-12)
    assert not model.contributions(X)[0].any()


def test_constant_empty_and_doubled_columns_do_no_harm() -> None:
    X, y = history(300, seed=7)
    X = np.column_stack([X[:, 0], X[:, 0], np.full(300, 0.1), np.full(300, np.nan)])
    model = LogisticModel().fit(X, y, feature_names=("a", "b", "constant", "empty"))
    assert model.coef_[0] == pytest.approx(model.coef_[1], abs=1e-9)
    assert abs(model.coef_[2]) < 1e-9
    assert abs(model.coef_[3]) < 1e-9
    assert np.isfinite(model.raw_margin(np.array([[1.0, np.nan, 5.0, 3.0]]))).all()


def test_text_gives_the_same_model_to_the_last_bit() -> None:
    X, y = history(300, seed=8)
    model = LogisticModel(l2=0.3, log1p=("frequency",)).fit(X, y, feature_names=NAMES)
    restored = LogisticModel.from_text(model.to_text())
    assert restored.to_text() == model.to_text()
    assert restored.feature_names_ == NAMES
    np.testing.assert_array_equal(restored.raw_margin(X), model.raw_margin(X))


def test_what_is_illegal_is_refused_with_what_was_expected() -> None:
    X, y = history(20, seed=9)
    with pytest.raises(NotFittedError, match="call fit"):
        LogisticModel().raw_margin(X)
    with pytest.raises(InputError, match="l2 must be above 0"):
        LogisticModel(l2=0.0).fit(X, y, feature_names=NAMES)
    with pytest.raises(InputError, match="log1p names clv, which are no features of numbers"):
        LogisticModel(log1p=("clv",)).fit(X, y, feature_names=NAMES)
    with pytest.raises(InputError, match="log1p names frequency, which are no features of numbers; there are recency"):
        LogisticModel(log1p=("frequency",)).fit(X, y, feature_names=NAMES, categorical=("frequency",))
    with pytest.raises(InputError, match=r"'recency' holds [\d.]+ in row 0"):
        LogisticModel().fit(X, y, feature_names=NAMES, categorical=("recency",))
    with pytest.raises(InputError, match=r"3 columns \(frequency, recency, monetary_value\).*\(20, 2\)"):
        LogisticModel().fit(X, y, feature_names=NAMES).raw_margin(X[:, :2])
    with pytest.raises(InputError, match=r"'recency' is infinite in 1 row\(s\), first in row 4"):
        LogisticModel().fit(np.where(np.arange(60).reshape(20, 3) == 13, np.inf, X), y, feature_names=NAMES)
    with pytest.raises(InputError, match="come more than once: a"):
        LogisticModel().fit(X, y, feature_names=("a", "a", "b"))
    with pytest.raises(InputError, match="white space"):
        LogisticModel().fit(X, y, feature_names=("a b", "c", "d"))
    with pytest.raises(InputError, match="at least one feature name"):
        LogisticModel().fit(X[:, :0], y, feature_names=())


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"kind": "logistic"}'])
def test_text_of_something_else_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="expected the text of a logistic model"):
        LogisticModel.from_text(text)


def test_text_of_another_kind_or_with_lost_numbers_is_refused() -> None:
    X, y = history(20, seed=9)
    text = LogisticModel().fit(X, y, feature_names=NAMES).to_text()
    with pytest.raises(InputError, match="expected a model of kind 'logistic', got 'lightgbm'"):
        LogisticModel.from_text(text.replace('"logistic"', '"lightgbm"'))
    with pytest.raises(InputError, match="categorical names colour, which are no features"):
        LogisticModel.from_text(text.replace('"intercept"', '"codes": {"colour": [0]}, "intercept"'))
    with pytest.raises(InputError, match="expected 4 numbers in 'center'"):
        LogisticModel.from_text(text.replace('"intercept"', '"codes": {"recency": [0, 1]}, "intercept"'))
    with pytest.raises(InputError, match="expected 4 numbers in 'median'"):
        LogisticModel.from_text(text.replace('"recency"', '"recency", "tenure"'))
