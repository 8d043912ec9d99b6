"""A classifier of churn finds what makes customers of the simulated shop leave, and nothing in what is noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pytest
from numpy.typing import NDArray

from features.build import FeaturePlan, build_features
from features.catalogue import features_for
from features.feature import Feature
from features.labels import churned, eligible
from features.reference import Reference
from features.windows import Snapshot
from models.metrics import auc
from models.propensity import LightGBMParams, PropensityModel
from models.simulation import BLOCK_CUSTOMERS, SimulatedShop
from tests.simulated_log import UTC as UTC_CALENDAR
from tests.simulated_log import simulated_log

HORIZON_DAYS = 90
ACTIVITY_DAYS = 180

# What the truth says of the shop, as the parts of a feature's name.
TRUE_DRIVERS = (
    "event.support_ticket_opened.",
    "event.session_started.",
    "event.email_opened.",
    "attribute.acquired_through",
    "attribute.distance_km",
)
NOISE = (
    "event.wallpaper_downloaded.",
    "attribute.birthday",
    "attribute.favourite_colour",
    "attribute.shoe_size",
)


@dataclass(frozen=True)
class Explained:
    """Customers whom the model has not seen, and how much each feature moved each of them."""

    features: tuple[Feature, ...]
    contributions: NDArray[np.float64]
    margin: NDArray[np.float64]
    churned: NDArray[np.float64]

    def weight(self, belongs: Callable[[Feature], bool]) -> float:
        """Mean size of what some features contribute together."""
        chosen = [i for i, feature in enumerate(self.features) if belongs(feature)]
        assert chosen, [feature.name for feature in self.features]
        return float(np.abs(self.contributions[:, chosen].sum(axis=1)).mean())

    def weight_of(self, prefix: str) -> float:
        return self.weight(lambda feature: feature.name.startswith(prefix))


@pytest.fixture(scope="module")
def explained() -> Explained:
    end = datetime(2026, 1, 1, tzinfo=UTC)
    shop = SimulatedShop.up_to(end, n_customers=2 * BLOCK_CUSTOMERS, days=730, seed=1)
    log = simulated_log(shop.blocks())
    snapshot = Snapshot.at(end, UTC_CALENDAR).after(-HORIZON_DAYS, UTC_CALENDAR)
    reference = Reference.of(log, snapshot)
    frame = build_features(log, snapshot, reference, FeaturePlan.of(features_for(reference)))
    kept = eligible(frame, ACTIVITY_DAYS)
    X, y = frame.values[kept], churned(log, snapshot, HORIZON_DAYS)[kept].astype(np.float64)
    unseen = np.arange(len(y)) % 3 == 0
    model = PropensityModel(
        params=LightGBMParams(num_rounds=100, num_leaves=8, max_depth=4, min_data_in_leaf=50), seed=1, num_threads=1
    ).fit(
        X[~unseen],
        y[~unseen],
        feature_names=frame.names,
        categorical=[feature.name for feature in frame.features if feature.categorical],
    )
    contributions, base_value = model.contributions(X[unseen])
    return Explained(frame.features, contributions, contributions.sum(axis=1) + base_value, y[unseen])


@pytest.mark.parametrize("driver", TRUE_DRIVERS)
def test_each_true_driver_weighs_several_times_as_much_as_any_noise(explained: Explained, driver: str) -> None:
    noise = {prefix: explained.weight_of(prefix) for prefix in NOISE}
    assert explained.weight_of(driver) > 3 * max(noise.values()), (driver, explained.weight_of(driver), noise)


def test_purchases_weigh_as_much_as_anything(explained: Explained) -> None:
    inactivity = explained.weight(lambda feature: feature.driver in ("inactivity", "frequency"))
    assert inactivity > max(explained.weight_of(prefix) for prefix in (*TRUE_DRIVERS, *NOISE))


def test_none_of_the_ten_heaviest_features_is_noise(explained: Explained) -> None:
    sizes = np.abs(explained.contributions).mean(axis=0)
    heaviest = [explained.features[i].name for i in np.argsort(-sizes)[:10]]
    assert not [name for name in heaviest if name.startswith(NOISE)], heaviest


def test_behaviour_and_attributes_tell_more_than_silence_alone(explained: Explained) -> None:
    silence = [feature.name for feature in explained.features].index("days_since_last_purchase")
    alone, all_together = (
        auc(explained.churned, score) for score in (explained.contributions[:, silence], explained.margin)
    )
    assert alone is not None
    assert all_together is not None
    assert all_together > max(alone + 0.05, 0.71)
