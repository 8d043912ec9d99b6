"""Choices of the churn model, measured on the CDNOW log that the lifetimes package ships.

`python -m benchmarks.churn_choices` prints one line of JSON a case: AUC and log loss on the test snapshot (horizon 90
days, everyone eligible) of two LightGBM settings with labelled snapshots 90 and 30 days apart, and of logistic
regression on several sets of inputs.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd

from features.calendar import LocalCalendar
from features.event_log import EventLog
from features.netting import NO_ORDER, NO_PRODUCT, ROW_ORDER, RawEvents, net
from features.targets import CHURN, Target
from features.windows import Snapshot
from models.metrics import auc, log_loss
from models.model_inputs import ModelInputs
from models.purchase_model import BTYD_FEATURES
from training.dataset import Rows, labelled_rows
from training.fit import LOGIT_RFM, ClassifierSettings
from training.fit_target import candidate_features

_HORIZON, _ACTIVITY = 90, 3_650
_SPACINGS = (90, 30)
_TREES = (
    {"num_leaves": 8, "max_depth": 3, "learning_rate": 0.05, "min_data_in_leaf": 50, "feature_fraction": 0.6},
    {"num_leaves": 15, "max_depth": 5, "learning_rate": 0.03, "min_data_in_leaf": 100, "feature_fraction": 0.5},
)
_LOGITS = (
    LOGIT_RFM,
    *(
        ClassifierSettings(
            "logistic",
            ("frequency", "days_since_last_purchase", value),
            {"l2": 1.0, "log1p": ["frequency", "days_since_last_purchase", value]},
        )
        for value in ("total_value", "monetary_value")
    ),
)
_WATCHED = 0.8  # draws from here on stop the trees early


def main() -> None:
    """Print the figures."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    log = _cdnow()
    end = (log.last_purchase_day() or 0) + 1
    test_day, first_day = end - _HORIZON, int(log.day.min())
    inputs = ModelInputs.fit(log, Snapshot.at_midnight(test_day, log.calendar), _HORIZON)
    features = candidate_features(inputs.reference, log.attributes, history_days=end - first_day, leave_out=()).names
    test = _rows(log, [test_day], inputs)
    for spacing in _SPACINGS:
        days = list(range(test_day - _HORIZON, first_day + _HORIZON - 1, -spacing))
        for figures in _cases(_rows(log, days, inputs), test, features):
            print(json.dumps({"days_between_snapshots": spacing, "snapshots": len(days), **figures}))
            sys.stdout.flush()


def _cases(rows: Rows, test: Rows, features: tuple[str, ...]) -> Iterator[dict[str, object]]:
    names = tuple(name for name in features if name not in BTYD_FEATURES)
    watched = rows.draw >= _WATCHED
    for params in _TREES:
        settings = ClassifierSettings("lightgbm", names, params)
        model = settings.fit(rows.where(~watched), seed=0, early_stopping=rows.where(watched))
        yield {"classifier": "lightgbm", "params": params, **_figures(model.raw_margin(test.inputs(names)), test)}
    for settings in _LOGITS:
        margin = settings.fit(rows, seed=0).raw_margin(test.inputs(settings.features))
        yield {"classifier": "logistic", "inputs": settings.features, **_figures(margin, test)}


def _figures(margin: np.ndarray, test: Rows) -> dict[str, float | None]:
    return {"auc": auc(test.y, margin), "log_loss": log_loss(test.y, 1 / (1 + np.exp(-margin)))}


def _rows(log: EventLog, days: list[int], inputs: ModelInputs) -> Rows:
    target = Target(name=CHURN, kind="inactivity").with_defaults(_HORIZON, _ACTIVITY)
    return Rows.stack([labelled_rows(log, day, target, inputs) for day in days])


def _cdnow() -> EventLog:
    spec = find_spec("lifetimes")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("The package lifetimes, whose CDNOW log is measured on, is not installed. Run: make setup")
    path = Path(spec.submodule_search_locations[0]) / "datasets" / "CDNOW_master.txt"
    frame = pd.read_csv(path, sep=r"\s+", dtype=str).dropna()
    customer_ids, customer = np.unique(frame["customer_id"].to_numpy(str), return_inverse=True)
    occurred_at = pd.to_datetime(frame["date"], format="%Y%m%d").to_numpy("datetime64[us]").astype(np.int64)
    n = len(frame)
    raw = RawEvents(
        customer_ids=tuple(customer_ids.tolist()),
        customer=customer.astype(np.int64),
        occurred_at=occurred_at,
        action=np.full(n, ROW_ORDER, dtype=np.int8),
        group=np.arange(n),
        order_key=np.full(n, NO_ORDER, dtype=np.int64),
        product=np.full(n, NO_PRODUCT, dtype=np.int64),
        quantity=np.full(n, np.nan),
        value=frame["dollar_value"].to_numpy(float),
        event_type=np.zeros(n, dtype=np.int16),
        event_types=("Order Completed",),
    )
    return net(raw, LocalCalendar("UTC"))[0]


if __name__ == "__main__":
    main()
