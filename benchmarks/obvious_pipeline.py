"""The obvious way to score customers, with pandas, lifetimes and shap: what `benchmarks.score_all` measures against.

It reads the same tables, computes the same features, and asks the same fitted models; every step is what the package's
own documentation shows. All customers are in memory at once.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path

import lightgbm
import numpy as np
import pandas as pd
from sqlalchemy import create_engine

from benchmarks.scored_shop import FEATURES, HORIZON_DAYS, TERMS, open_shop, settings_of
from benchmarks.simulated_purchases import AS_OF
from models.btyd.lifetimes_bridge import beta_geo_fitter, gamma_gamma_fitter
from models.bundle import load_bundle
from models.clv import DAYS_PER_YEAR
from models.segment_policy import SegmentPolicy
from store import registry

__all__ = ["EVENTS", "SCORES", "ObviousScorer", "prepare"]

SCORES = "pipeline_score"
_END = pd.Timestamp(AS_OF.date())
_LAST_DAY = _END - pd.Timedelta(days=1)
_REASONS = 8
_MONTHS = round(TERMS.horizon_days / TERMS.period_days)
_MONTHLY_RATE = (1 + TERMS.yearly_discount_rate) ** (TERMS.period_days / DAYS_PER_YEAR) - 1
EVENTS = """
SELECT customer.customer_id, event.id, event_type.name, event.occurred_at, order_line.value
FROM event JOIN customer ON customer.id = event.customer_key JOIN event_type ON event_type.id = event.event_type_id
LEFT JOIN order_line ON order_line.event_id = event.id
"""


class ObviousScorer:
    """The fitted models of the shop in a folder, and what scores customers with them."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import shap
            from lifetimes.utils import summary_data_from_transaction_data
        self._summary = summary_data_from_transaction_data
        database, settings = open_shop(folder), settings_of(folder)
        with database.read() as session:
            version = registry.find_version(session)
        bundle = load_bundle(settings.bundle_dir / version.bundle)
        database.close()
        assert bundle.churn is not None
        assert bundle.purchases is not None
        self._booster = lightgbm.Booster(model_str=bundle.churn.classifier.to_text())
        self._explainer = shap.TreeExplainer(self._booster)
        self._btyd = beta_geo_fitter(bundle.purchases.btyd.params_)
        self._spend = gamma_gamma_fitter(bundle.purchases.gamma_gamma.params_)
        self._policy, self._cutoffs = bundle.policy, bundle.cutoffs

    def score(self, events: pd.DataFrame) -> pd.DataFrame:
        """Score the customers of some events, as `EVENTS` reads them."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # lifetimes takes logarithms of 0; pandas deprecates what shap calls
            return self._score(events)

    def _score(self, events: pd.DataFrame) -> pd.DataFrame:
        events["date"] = pd.to_datetime(events["occurred_at"], unit="us").dt.floor("D")
        orders = events[events["name"] == "Order Completed"]
        visits = events[events["name"] == "Session Started"]

        scores: pd.DataFrame = self._summary(orders, "customer_id", "date", "value", observation_period_end=_LAST_DAY)
        history = (scores["frequency"], scores["recency"], scores["T"])
        scores["p_alive"] = self._btyd.conditional_probability_alive(*history)
        scores["expected_purchases"] = self._btyd.predict(HORIZON_DAYS, *history)
        scores["expected_average_value"] = self._spend.conditional_expected_average_profit(
            scores["frequency"], scores["monetary_value"]
        )
        scores["clv"] = self._spend.customer_lifetime_value(
            self._btyd, *history, scores["monetary_value"], time=_MONTHS, discount_rate=_MONTHLY_RATE, freq="D"
        )

        by_customer = orders.groupby("customer_id")
        scores["days_since_last_purchase"] = scores["T"] - scores["recency"]
        scores["orders"] = by_customer["id"].nunique()
        scores["total_value"] = by_customer["value"].sum()
        for days in (30, 90, 180, 365):
            recent = orders[orders["date"] >= _END - pd.Timedelta(days=days)].groupby("customer_id")
            scores[f"purchase_days_{days}d"] = recent["date"].nunique()
            scores[f"value_{days}d"] = recent["value"].sum()
        for days in (7, 30, 90):
            recent = visits[visits["date"] >= _END - pd.Timedelta(days=days)].groupby("customer_id")
            scores[f"event.session_started.count_{days}d"] = recent.size()
        windowed = [name for name in FEATURES if name.endswith("d") and name[-2].isdigit()]
        scores[windowed] = scores[windowed].fillna(0.0)

        X = scores[list(FEATURES)].copy()
        X.loc[X["frequency"] == 0, "monetary_value"] = np.nan
        scores["churn_probability"] = np.asarray(self._booster.predict(X.to_numpy()))
        scores["reasons"] = _reasons(self._explainer.shap_values(X), X.to_numpy())
        scores["value_at_risk"] = scores["churn_probability"] * scores["clv"]
        scores["segment"] = _segments(scores, self._policy, self._cutoffs.high_value_clv)
        return scores


def prepare(folder: Path) -> Callable[[], int]:
    """Load packages and the fitted models of the shop in a folder; return what scores its customers, and their number.

    The scores go into the table `SCORES` of the same database.
    """
    scorer = ObviousScorer(folder)
    engine = create_engine(settings_of(folder).database_url)

    def run() -> int:
        scores = scorer.score(pd.read_sql(EVENTS, engine, dtype={"value": np.float64}))
        scores.reset_index().to_sql(SCORES, engine, if_exists="replace", index=False, chunksize=10_000)
        return len(scores)

    return run


def _reasons(contributions: np.ndarray, values: np.ndarray) -> list[str]:
    """Return each customer's strongest contributions as JSON."""
    strongest = np.argsort(-np.abs(contributions), axis=1)[:, :_REASONS]
    return [
        json.dumps([[FEATURES[i], None if np.isnan(row[i]) else row[i], weights[i]] for i in top])
        for top, row, weights in zip(strongest, values, contributions, strict=True)
    ]


def _segments(scores: pd.DataFrame, policy: SegmentPolicy, high_value_clv: float) -> np.ndarray:
    """Return each customer's segment by the policy's rules, without memberships."""
    may_leave = scores["churn_probability"] >= policy.min_churn_probability
    worth_it = policy.save_rate * scores["value_at_risk"] > policy.contact_cost
    rank = scores["value_at_risk"].where(may_leave & worth_it).rank(ascending=False, method="first")
    return np.select(
        [rank <= policy.max_share * len(scores), scores["clv"] >= high_value_clv, scores["T"] < HORIZON_DAYS],
        ["at_risk", "high_value", "new"],
        default="steady",
    )
