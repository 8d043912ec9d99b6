"""A small shop to serve: invented customers, their orders by plain inserts, and models fitted on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import insert, text

from features.build import FeatureFrame, build_features
from features.calendar import LocalCalendar
from features.event_log import EventLog
from features.labels import eligible_for, outcome
from features.reference import NOTHING
from features.rfm import Rfm
from features.targets import Target
from features.windows import Snapshot
from models.bundle import Bundle, TargetModel, save_bundle
from models.calibrator import Calibrator
from models.clv import ClvTerms
from models.clv_reasons import ClvReference
from models.metrics import auc, calibration_curve, log_loss
from models.outlook import PurchaseOutlook
from models.predictive import IDENTITY
from models.propensity import LightGBMParams, PropensityModel
from models.purchase_model import BTYD_FEATURES, PurchaseModel
from models.scoring import score
from models.segment_policy import SegmentPolicy
from models.segments import Cutoffs, find_cutoffs
from store import policies, registry
from store.engine import Database
from store.events import ORDER_COMPLETED, read_log
from store.settings import Settings, load_settings
from store.tables import Customer, CustomerAttribute, Event, EventType, Source
from training.score_all import score_all

AS_OF = datetime(2024, 1, 1, tzinfo=UTC)
NOW = datetime(2024, 1, 1, 9, 30, tzinfo=UTC)
HORIZON_DAYS, ACTIVITY_DAYS = 90, 180
N_CUSTOMERS = 400
PROSPECT = "prospect"
ODD_IDS = ("a/b", "..", "=2+5", "ünï 客", "a?b&c=d#e", "<b>x</b>")
# Nobody is held out: who would be is a matter of each database's own salt.
POLICY = SegmentPolicy(contact_cost=0.2, held_out_share=0.0)
FEATURES = (
    "days_since_last_purchase",
    "frequency",
    "T",
    "gap_mean",
    "mean_order_value",
    "value_180d",
    "purchase_days_90d",
    "purchase_days_180d",
    "silence_ratio",
    *BTYD_FEATURES,
)
TARGETS = (
    Target(name="churn", kind="inactivity").with_defaults(HORIZON_DAYS, ACTIVITY_DAYS),
    Target(name="reorder", kind="purchase", horizon_days=30).with_defaults(HORIZON_DAYS, ACTIVITY_DAYS),
)
UNCUT = Cutoffs(at_risk_value=0.0, high_value_clv=0.0)


@dataclass(frozen=True)
class Registered:
    """A saved bundle, and what the registry holds of it."""

    folder: str
    bundle_hash: str
    report: dict[str, Any]
    test_metrics: dict[str, Any]


def settings_for(url: str, bundle_dir: Path, *, as_of: datetime | None = AS_OF, **others: object) -> Settings:
    """Settings of a service that is open, as long as no test makes a key."""
    given = {"open": True, "log_format": "json"} | others
    return load_settings(database_url=url, bundle_dir=bundle_dir, as_of=as_of, **given)


def fill(database: Database) -> None:
    """Store 400 customers of two years: most drop out some day, six have odd ids, one never bought."""
    rng = np.random.default_rng(20240101)
    ids = [*ODD_IDS, PROSPECT, *(f"c{number:03}" for number in range(N_CUSTOMERS - len(ODD_IDS) - 1))]
    customers: list[dict[str, Any]] = [
        {"id": key, "customer_id": name, "created_at": AS_OF} for key, name in enumerate(ids, start=1)
    ]
    events: list[dict[str, Any]] = []
    for customer in customers:
        if customer["customer_id"] == PROSPECT:
            continue
        day, gap, spend = rng.uniform(0, 500), rng.gamma(2.0, 25.0) + 5, rng.gamma(3.0, 20.0)
        leaves = 900.0 if customer["customer_id"] in ODD_IDS else day + rng.exponential(450)
        while day < min(730.0, leaves):
            events.append(_order(len(events) + 1, customer["id"], float(day), float(spend * rng.uniform(0.5, 1.5))))
            day += rng.exponential(gap) + 0.5
    attributes = [
        {"customer_key": 1, "name": "country", "learnt_at": 0, "kind": "category", "number": None, "text": "Chile"},
        {"customer_key": 1, "name": "age", "learnt_at": 0, "kind": "number", "number": 40.0, "text": None},
        {"customer_key": 1, "name": "age", "learnt_at": 10**15, "kind": "number", "number": 41.0, "text": None},
    ]
    with database.write() as session:
        session.execute(insert(Source), [{"id": 1, "name": "shop"}])
        session.execute(insert(EventType), [{"id": 1, "name": ORDER_COMPLETED}])
        session.execute(insert(Customer), customers)
        session.execute(insert(CustomerAttribute), attributes)
        session.execute(insert(Event), events)
        if not database.is_sqlite:
            # PostgreSQL numbers what comes later by itself, and doesn't look at what is there.
            for table in ("source", "event_type", "customer", "event"):
                last = f"SELECT max(id) FROM {table}"
                session.execute(text(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), ({last}))"))


def add_order(database: Database, customer_key: int, occurred_at: datetime, value: float) -> None:
    """Store one more order of a customer."""
    days = (occurred_at - (AS_OF - timedelta(days=730))) / timedelta(days=1)
    with database.write() as session:
        order = _order(10**6 + customer_key, customer_key, days, value)
        session.execute(insert(Event), [order])


def _order(number: int, customer_key: int, day: float, value: float) -> dict[str, Any]:
    return {
        "id": number,
        "customer_key": customer_key,
        "event_type_id": 1,
        "occurred_at": AS_OF - timedelta(days=730) + timedelta(days=day),
        "reported_at": None,
        "received_at": AS_OF,
        "source_id": 1,
        "has_message_id": False,
        "identity": blake2b(str(number).encode(), digest_size=16).digest(),
        "order_id": f"o{number}",
        "order_key": number,
        "value": round(value, 2),
        "channel_id": None,
        "properties": None,
    }


def train(database: Database, bundle_dir: Path, *, seed: int) -> Registered:
    """Fit, judge and save a small bundle; another seed gives another model."""
    calendar = LocalCalendar("UTC")
    log = read_log(database, calendar)
    end = Snapshot.at(AS_OF, calendar)
    past = end.after(-HORIZON_DAYS, calendar)
    purchases = PurchaseModel.fit(build_features(log, past))
    frame = purchases.add_features(build_features(log, past), HORIZON_DAYS)
    targets, reports = {}, {}
    for target in TARGETS:
        rows = eligible_for(target, log, past, frame)
        y = outcome(target, log, past, frame)[rows]
        targets[target.name], reports[target.name] = fit_target(
            target, frame.select(FEATURES)[rows], y, feature_names=FEATURES, seed=seed
        )
    report = {
        "clv": {
            "model": "bg_nbd",
            "params": purchases.btyd.params_,
            "log_likelihood": -1234.5,
            "n_customers": 399,
            "calibration_end": "2023-10-02",
            "holdout": {
                "days": 90,
                "mae": 0.9,
                "rmse": 1.4,
                "bias": 0.1,
                "spearman": 0.6,
                "baselines": {"same_rate": {"mae": 1.0, "rmse": 1.7}, "nobody_returns": {"mae": 1.1, "rmse": 2.0}},
            },
        },
        "targets": reports,
        "refused": {},
        "settings": {
            "horizon_days": HORIZON_DAYS,
            "activity_days": ACTIVITY_DAYS,
            "classifier": {"kind": "lightgbm", "features": list(FEATURES)},
            "stopped": False,
        },
        "notes": ["Invented customers."],
    }
    bundle = Bundle(
        snapshot_date="2024-01-01",
        currency="USD",
        timezone="UTC",
        horizon_days=HORIZON_DAYS,
        reference=NOTHING,
        outlook=outlook_of(purchases, frame),
        targets=targets,
        policy=POLICY,
        cutoffs=UNCUT,
        report=report,
    )
    return save(bundle, log, end, bundle_dir)


def outlook_of(purchases: PurchaseModel, frame: FeatureFrame) -> PurchaseOutlook:
    """Return an outlook that compares with the median of all customers of a frame."""
    terms, rfm = ClvTerms(), Rfm.of(frame)
    reference = ClvReference.typical(
        purchases,
        terms,
        frequency=rfm.frequency,
        recency=rfm.recency,
        T=rfm.T,
        monetary_value=rfm.monetary_value,
    )
    return PurchaseOutlook(purchases, terms, HORIZON_DAYS, IDENTITY, reference)


def fit_target(
    target: Target,
    X: NDArray[np.float64],
    y: NDArray[np.float64],
    *,
    feature_names: Sequence[str],
    seed: int,
    categorical: Sequence[str] = (),
) -> tuple[TargetModel, dict[str, Any]]:
    """Fit a small model of a target; return it with a report whose figures are half invented."""
    params = LightGBMParams(num_rounds=10, num_leaves=7, max_depth=3, min_data_in_leaf=10, bagging_fraction=0.7)
    classifier = PropensityModel(params=params, seed=seed, num_threads=1)
    classifier.fit(X, y, feature_names=feature_names, categorical=categorical)
    margin = classifier.raw_margin(X)
    calibrator = Calibrator().fit(margin, y)
    probability = calibrator.predict(margin)
    curve = calibration_curve(y, probability)
    report: dict[str, Any] = {
        "n": len(y),
        "rate": float(y.mean()),
        "auc": auc(y, probability),
        "log_loss": log_loss(y, probability),
        "average_precision": 0.7,
        "brier": 0.15,
        "calibration_error": 0.02,
        "lift_at_10": 1.9,
        "target": target.to_dict(),
        "splits": "customer folds",
        "baselines": {"days_since_last_purchase": {"auc": 0.7}, "logit_rfm": {"auc": 0.72, "log_loss": 0.6}},
        "snapshots": {"train": ["2023-07-04"], "early_stopping": [], "calibration": [], "test": "2023-10-03"},
        "classifier": "lightgbm",
        "verdict": f"Trained with seed {seed}; better than its baselines.",
        "calibration_curve": {
            "predicted": curve.predicted.tolist(),
            "observed": curve.observed.tolist(),
            "counts": curve.count.tolist(),
        },
        "leaks": [],
    }
    edges = {name: tuple(edge.tolist()) for name, edge in zip(feature_names, _edges(X), strict=True)}
    return TargetModel(target, classifier, calibrator, float(y.mean()), edges), report


def save(bundle: Bundle, log: EventLog, snapshot: Snapshot, bundle_dir: Path) -> Registered:
    """Find the cut-offs of a bundle on a log and save it."""
    scores = score(bundle, POLICY, UNCUT, log, {}, snapshot)
    cutoffs = find_cutoffs(POLICY, **scores.for_cutoffs())
    folder, bundle_hash = save_bundle(
        replace(bundle, cutoffs=cutoffs, distributions=scores.distributions()), bundle_dir
    )
    leading = bundle.report["targets"][bundle.leading.name]
    figures = {"name": bundle.leading.name, **{key: leading[key] for key in ("auc", "log_loss")}}
    return Registered(folder, bundle_hash, bundle.report, {"target": figures, "champion": None})


def _edges(X: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    return [np.unique(np.quantile(column[~np.isnan(column)], (0.25, 0.5, 0.75))) for column in X.T]


def register(database: Database, registered: Registered) -> int:
    """Put a bundle into the registry and make it champion; return its version."""
    with database.write() as session:
        row = registry.register(
            session,
            bundle=registered.folder,
            bundle_hash=registered.bundle_hash,
            report=registered.report,
            test_metrics=registered.test_metrics,
            training_run_id=None,
            now=NOW,
        )
        return registry.promote(session, row.version, force=True, now=NOW).version


def open_shop(database: Database, settings: Settings, registered: Registered) -> None:
    """Fill a migrated, empty database: events, policy, champion, and a published scoring run."""
    fill(database)
    publish(database, settings, registered)


def publish(database: Database, settings: Settings, registered: Registered) -> None:
    """Put the policy in force, make a bundle champion and publish its scores of whom the database has."""
    with database.write() as session:
        policies.add_policy(session, POLICY.to_dict(), now=NOW)
    register(database, registered)
    score_all(database, settings, now=lambda: NOW)
