"""A small business without purchases: customers of whom only attributes are known, and models of supplied labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import insert

from features.build import FeaturePlan
from features.calendar import LocalCalendar
from features.families.attributes import attribute_feature_of
from features.reference import AttributeReference, Reference
from features.targets import Target
from features.windows import Snapshot
from models.bundle import Bundle
from models.model_inputs import ModelInputs
from store.engine import Database
from store.events import read_log
from store.tables import Customer, CustomerAttribute
from tests.service.shop import AS_OF, HORIZON_DAYS, POLICY, UNCUT, Registered, fit_target, save

N_LABELLED = 300
PLANS = ("basic", "plus", "pro")
CAVEAT = "Without purchases there is no clv and no value at risk; lists are ranked by probability alone."
REFUSED = "A base rate of 71.0% is above 60%: nearly everybody does it."
LEAK = "Whose cancelled_on is filled left in 99% of cases. Leave it out, or force it with --keep cancelled_on."
_FEATURES = (attribute_feature_of("months", "number"), attribute_feature_of("plan", "category"))
_NAMES = tuple(feature.name for feature in _FEATURES)

_REFERENCE = Reference(
    first_days={},
    attributes={"months": AttributeReference("number"), "plan": AttributeReference("category", PLANS)},
)


def fill_with_attributes(database: Database) -> None:
    """Store 300 customers with a plan and the months that they have had it, and not one event."""
    rng = np.random.default_rng(20240102)
    customers = [{"id": key, "customer_id": f"t{key:03}", "created_at": AS_OF} for key in range(1, N_LABELLED + 1)]
    attributes = []
    for customer in customers:
        learnt = {"customer_key": customer["id"], "learnt_at": 0}
        months, plan = float(rng.integers(1, 60)), str(rng.choice(PLANS))
        attributes += [
            {**learnt, "name": "months", "kind": "number", "number": months, "text": None},
            {**learnt, "name": "plan", "kind": "category", "number": None, "text": plan},
        ]
    with database.write() as session:
        session.execute(insert(Customer), customers)
        session.execute(insert(CustomerAttribute), attributes)


def train_on_labels(database: Database, bundle_dir: Path, *, names: Sequence[str]) -> Registered:
    """Fit, judge and save models of targets whose invented labels depend on months and plan."""
    calendar = LocalCalendar("UTC")
    log = read_log(database, calendar)
    end = Snapshot.at(AS_OF, calendar)
    inputs = ModelInputs(_REFERENCE, FeaturePlan.of(_FEATURES), None, HORIZON_DAYS)
    X = inputs.frame(log, end).select(_NAMES)
    months, code = X.T
    rng = np.random.default_rng(7)
    targets, reports = {}, {}
    for name in names:
        target = Target(name=name, kind="label").with_defaults(HORIZON_DAYS, None)
        leaning = 1.0 - months / 20 - code if name == "churn" else code - 1.5
        y = (rng.uniform(size=len(X)) < 1 / (1 + np.exp(-leaning))).astype(np.float64)
        targets[name], report = fit_target(target, X, y, feature_names=_NAMES, seed=1, categorical=_NAMES[1:])
        reports[name] = {**report, **_FROM_FOLDS}
    report = {
        "clv": None,
        "targets": reports,
        "refused": {"renewal": REFUSED},
        "settings": {"horizon_days": HORIZON_DAYS},
        "caveats": [CAVEAT],
        "notes": [CAVEAT, f"{names[0]}: {LEAK}", f"No model of renewal: {REFUSED}"],
    }
    bundle = Bundle(
        snapshot_date="2024-01-01",
        currency="USD",
        timezone="UTC",
        horizon_days=HORIZON_DAYS,
        reference=_REFERENCE,
        outlook=None,
        targets=targets,
        policy=POLICY,
        cutoffs=UNCUT,
        report=report,
    )
    return save(bundle, log, end, bundle_dir)


_DEVIATION = {"auc": 0.011, "log_loss": 0.02, "brier": 0.004, "calibration_error": 0.003, "lift_at_10": 0.2}
_FROM_FOLDS: dict[str, Any] = {
    "splits": "five folds of customers",
    "standard_deviation": _DEVIATION,
    "baselines": {
        "logit_all": {"auc": 0.7, "log_loss": 0.6, "standard_deviation": _DEVIATION},
        "base_rate": {"auc": 0.5, "log_loss": 0.69, "standard_deviation": _DEVIATION},
    },
    "leaks": [{"feature": "attribute.cancelled_on", "auc": 0.99, "why": LEAK}],
}
