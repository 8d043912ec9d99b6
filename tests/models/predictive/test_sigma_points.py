"""Sigma points: moments that they must have, and uncertainties that they must survive."""

import numpy as np
import pytest

from models.btyd import BetaGeoModel
from models.predictive.sigma_points import GREATEST_DEVIATION, covariance_of, sigma_points
from tests.models.predictive.customers import BTYD, SPEND, uncertain


def logs(models: tuple[BetaGeoModel, ...]) -> np.ndarray:
    return np.log([list(model.params_.values()) for model in models])


def test_points_have_mean_and_covariance_of_the_fit() -> None:
    covariance = np.array(
        [[0.04, 0.03, 0.0, 0.0], [0.03, 0.05, 0.0, 0.01], [0.0, 0.0, 0.09, 0.05], [0, 0.01, 0.05, 0.08]]
    )
    model = uncertain(BTYD, [0.0] * 4)
    model.certificate_ = type(model.certificate_)(
        **{**vars(model.certificate_), "covariance": tuple(tuple(row) for row in covariance.tolist())}
    )
    points = logs(sigma_points(model))

    assert len(points) == 8
    assert points.mean(axis=0) == pytest.approx(np.log(list(BTYD.params_.values())), rel=1e-12)
    assert np.cov(points.T, bias=True) == pytest.approx(covariance, abs=1e-14)
    assert covariance_of(model) == pytest.approx(covariance, abs=1e-14)


def test_a_parameter_that_was_not_identified_stays_where_it_is() -> None:
    points = logs(sigma_points(uncertain(BTYD, [0.1, 0.0, 0.2, 0.0])))

    assert len(points) == 4
    assert np.ptp(points[:, [1, 3]], axis=0) == pytest.approx([0, 0], abs=1e-15)
    assert points[:, [0, 2]].std(axis=0) == pytest.approx([0.1, 0.2], rel=1e-12)


@pytest.mark.parametrize("model", [BTYD, SPEND, uncertain(BTYD, [0.0] * 4)])
def test_without_any_uncertainty_the_model_stands_for_itself(model: BetaGeoModel) -> None:
    assert [point.params_ for point in sigma_points(model)] == [model.params_]


def test_a_huge_covariance_is_held_to_a_factor_of_e() -> None:
    points = logs(sigma_points(uncertain(BTYD, [0.1, 1e6, 0.1, 0.1])))

    assert points[:, 1].std() == pytest.approx(GREATEST_DEVIATION)
