"""A shop in an SQLite database with a fixed model as its champion: what the benchmark of scoring works on.

Customers buy as in the simulated shop and visit as often; ten events a customer, stored by the one way in. The model
has 300 trees of depth 6 and judges everybody, so that every customer gets reasons.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.simulated_purchases import AS_OF, BUSINESS
from features.calendar import LocalCalendar
from features.rfm import Rfm
from features.targets import CHURN, Target
from features.windows import Snapshot
from models.bundle import Bundle, TargetModel, save_bundle
from models.calibrator import Calibrator
from models.clv import ClvTerms
from models.clv_reasons import ClvReference
from models.drivers import find_edges
from models.model_inputs import ModelInputs
from models.outlook import PurchaseOutlook
from models.predictive import IDENTITY
from models.propensity import LightGBMParams, PropensityModel
from models.purchase_model import spent
from models.scoring import score
from models.segment_policy import SegmentPolicy
from models.segments import Cutoffs
from models.simulation.period import DAY, Period
from models.simulation.purchases import draw_orders, draw_traits
from store import policies, registry
from store.engine import Database
from store.events import read_chunks
from store.ingest import EventMapping, ingest_events
from store.schema import upgrade
from store.settings import Settings, load_settings
from training.dataset import labelled_rows

__all__ = ["FEATURES", "HORIZON_DAYS", "LATER", "TERMS", "fixed_bundle", "open_shop", "settings_of", "store_shop"]

HORIZON_DAYS = 90
LATER = AS_OF + timedelta(hours=1)
TERMS = ClvTerms(horizon_days=360, yearly_discount_rate=0.1, period_days=30)
FEATURES = (
    *("frequency", "recency", "T", "monetary_value", "days_since_last_purchase", "orders", "total_value"),
    *(f"{what}_{days}d" for days in (30, 90, 180, 365) for what in ("purchase_days", "value")),
    *(f"event.session_started.count_{days}d" for days in (7, 30, 90)),
    *("p_alive", "expected_purchases", "expected_average_value"),
)
_TREES, _DEPTH = 300, 6
_DAYS = 730
_EVENTS_A_CUSTOMER = 10
_CUSTOMERS_A_BLOCK = 100_000
_EVERYBODY_DAYS = 10 * _DAYS  # of activity: so long that nobody is dormant
_UNCHANGED = {"knots": [], "slopes": [1.0], "centre": 0.0, "intercept": 0.0}
_MAPPING = EventMapping(
    customer_id="customer_id", occurred_at="at", event_column="event", order_id="order_id", value="value"
)


def settings_of(folder: Path) -> Settings:
    """Return the settings of the shop in a folder."""
    return load_settings(
        database_url=f"sqlite:///{folder / 'regulars.db'}", bundle_dir=folder / "bundles", as_of=AS_OF, timezone="UTC"
    )


def open_shop(folder: Path) -> Database:
    """Open the database of the shop in a folder."""
    return Database(settings_of(folder).database_url)


def store_shop(folder: Path, customers: int, bundle: Bundle | None = None) -> Bundle:
    """Store a shop and make a bundle its champion.

    Parameters
    ----------
    folder : Path
        There; empty.
    customers : int
    bundle : Bundle, optional
        By default one that is fitted to the shop's own first customers.

    Returns
    -------
    Bundle
    """
    database, settings = open_shop(folder), settings_of(folder)
    upgrade(database)
    events = folder / "events.parquet"
    _write_events(events, customers)
    ingest_events(database, settings, events, _MAPPING, received_at=AS_OF)
    events.unlink()
    champion = fixed_bundle(database) if bundle is None else bundle
    name, bundle_hash = save_bundle(champion, settings.bundle_dir)
    with database.write() as session:
        policy_version, _ = policies.ensure_policy(session, SegmentPolicy().to_dict(), now=LATER)
        version = registry.register(
            session,
            bundle=name,
            bundle_hash=bundle_hash,
            report=champion.report,
            test_metrics={},
            training_run_id=None,
            now=LATER,
        ).version
        policies.write_cutoffs(
            session, champion.cutoffs.to_dict(), model_version=version, policy_version=policy_version
        )
        registry.promote(session, version, now=LATER)
    database.close()
    return champion


def fixed_bundle(database: Database) -> Bundle:
    """Fit 300 trees of depth 6, without search or early stopping, to the first customers of a database."""
    calendar = LocalCalendar("UTC")
    _, log, _ = next(read_chunks(database, calendar))
    end = Snapshot.at(AS_OF, calendar)
    before = end.after(-HORIZON_DAYS, calendar)
    inputs = ModelInputs.fit(log, before, HORIZON_DAYS)
    target = Target(name=CHURN, kind="inactivity").with_defaults(HORIZON_DAYS, _EVERYBODY_DAYS)
    rows = labelled_rows(log, before.last_day + 1, target, inputs)
    X = rows.inputs(FEATURES)
    params = LightGBMParams(num_rounds=_TREES, max_depth=_DEPTH, num_leaves=2**_DEPTH, min_data_in_leaf=5)
    churn = TargetModel(
        target=target,
        classifier=PropensityModel(params=params, seed=0, num_threads=1).fit(X, rows.y, feature_names=FEATURES),
        calibrator=Calibrator.from_dict(_UNCHANGED),
        base_rate=float(rows.y.mean()),
        edges=find_edges(X, FEATURES),
    )
    assert inputs.purchases is not None
    rfm = Rfm.of(inputs.frame(log, before))
    typical = ClvReference.typical(
        inputs.purchases,
        TERMS,
        frequency=rfm.frequency,
        recency=rfm.recency,
        T=rfm.T,
        monetary_value=spent(rfm),
    )
    outlook = PurchaseOutlook(
        purchases=inputs.purchases,
        terms=TERMS,
        horizon_days=HORIZON_DAYS,
        recalibration=IDENTITY,
        reference=typical,
    )
    bundle = Bundle(
        snapshot_date=end.date.isoformat(),
        currency="EUR",
        timezone="UTC",
        horizon_days=HORIZON_DAYS,
        reference=inputs.reference,
        outlook=outlook,
        targets={CHURN: churn},
        policy=SegmentPolicy(),
        cutoffs=Cutoffs(at_risk_value=10.0, high_value_clv=100.0),
        report={"targets": {CHURN: {"target": target.to_dict()}}},
    )
    # As a training does it, so that a run has to tell drift too.
    at_end = score(bundle, bundle.policy, bundle.cutoffs, log, {}, end)
    return replace(bundle, distributions=at_end.distributions())


def _write_events(path: Path, customers: int) -> None:
    """Write orders and visits, some customers at a time, in order of time within these."""
    with pq.ParquetWriter(path, _table(1, 0, np.random.default_rng(0)).schema) as writer:
        for start in range(0, customers, _CUSTOMERS_A_BLOCK):
            n = min(_CUSTOMERS_A_BLOCK, customers - start)
            writer.write_table(_table(n, start, np.random.default_rng([1, start])))


def _table(n: int, first: int, random: np.random.Generator) -> pa.Table:
    period = Period.up_to(AS_OF, _DAYS)
    orders = draw_orders(BUSINESS, period, draw_traits(BUSINESS, period, n, random), random)
    n_orders = len(orders.customer)
    n_visits = max(_EVENTS_A_CUSTOMER * n - n_orders, 0)
    customer = np.concatenate((orders.customer, random.integers(0, n, n_visits)))
    visited_at = period.end - 1 - random.integers(0, _DAYS * DAY, n_visits)
    occurred_at = np.concatenate((orders.occurred_at, visited_at))
    is_order = np.arange(len(customer)) < n_orders
    value = np.concatenate((orders.cents / 100, np.full(n_visits, np.nan)))
    number = np.arange(len(customer)) + first * 1_000
    in_time = np.argsort(occurred_at, kind="stable")
    return pa.table(
        {
            "customer_id": pa.array([f"c{first + row:08}" for row in customer[in_time].tolist()]),
            "at": occurred_at[in_time].astype("datetime64[us]"),
            "event": pa.array(np.where(is_order, "Order Completed", "Session Started")[in_time]),
            "order_id": pa.array([f"o{i}" for i in number[in_time].tolist()], mask=~is_order[in_time]),
            "value": pa.array(value[in_time], from_pandas=True),
        }
    )
