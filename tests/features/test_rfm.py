"""RFM against lifetimes and against the summary that was published with CDNOW."""

from __future__ import annotations

import warnings
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.build import build_features
from features.calendar import LocalCalendar
from features.event_log import EventLog
from features.netting import NO_ORDER, NO_PRODUCT, ROW_ORDER, RawEvents, net
from features.rfm import Rfm
from features.windows import Snapshot
from tests.conftest import shared_data
from tests.features.strategies import EPOCH, bought, microseconds, to_log

_CALIBRATION_END = (date(1997, 10, 1) - date(1970, 1, 1)).days


def _purchases(file: str) -> pd.DataFrame:
    return pd.read_parquet(shared_data("cdnow") / file)


def _log(purchases: pd.DataFrame) -> EventLog:
    ids, customer = np.unique(purchases["customer_id"].to_numpy(dtype=str), return_inverse=True)
    n = len(purchases)
    raw = RawEvents(
        customer_ids=tuple(ids.tolist()),
        customer=customer.astype(np.int64),
        occurred_at=purchases["date"].to_numpy(dtype="datetime64[us]").astype(np.int64),
        action=np.full(n, ROW_ORDER, dtype=np.int8),
        group=np.arange(n),
        order_key=np.full(n, NO_ORDER),
        product=np.full(n, NO_PRODUCT),
        quantity=np.full(n, np.nan),
        value=purchases["dollar_value"].to_numpy(dtype=np.float64),
        event_type=np.zeros(n, dtype=np.int16),
        event_types=("Order Completed",),
    )
    return net(raw, LocalCalendar("UTC"))[0]


def _rfm(log: EventLog) -> Rfm:
    return Rfm.of(build_features(log, Snapshot.at_midnight(_CALIBRATION_END, log.calendar)))


@pytest.mark.parametrize(("file", "n_customers"), [("cdnow_master.parquet", 23_570), ("cdnow_sample.parquet", 2_357)])
def test_rfm_of_cdnow_equals_lifetimes_summary_data_from_transaction_data(file: str, n_customers: int) -> None:
    purchases = _purchases(file)
    rfm = _rfm(_log(purchases))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from lifetimes.utils import summary_data_from_transaction_data

        expected = summary_data_from_transaction_data(
            purchases, "customer_id", "date", "dollar_value", observation_period_end="1997-09-30"
        ).sort_index()
    assert len(rfm.rows) == len(expected) == n_customers
    assert rfm.T.max() == 272
    for name in ("frequency", "recency", "T"):
        assert np.array_equal(getattr(rfm, name), expected[name].to_numpy())
    # lifetimes writes 0 where we have nothing to say.
    repeat = rfm.frequency > 0
    assert np.isnan(rfm.monetary_value[~repeat]).all()
    assert rfm.monetary_value[repeat] == pytest.approx(expected["monetary_value"].to_numpy()[repeat], abs=1e-9)


def test_rfm_of_the_cdnow_sample_equals_the_summary_published_in_weeks() -> None:
    rfm = _rfm(_log(_purchases("cdnow_sample.parquet")))
    published = pd.read_csv(Path(shared_data("cdnow")) / "cdnow_sample_summary_T38.86.csv.gz").sort_values("ID")
    assert np.array_equal(rfm.frequency, published["x"].to_numpy(dtype=np.float64))
    assert np.array_equal(rfm.recency, (published["t_x"] * 7).round().to_numpy())
    assert np.array_equal(rfm.T, (published["T"] * 7).round().to_numpy())
    repeat = rfm.frequency > 0
    assert int(repeat.sum()) == 946 + int((rfm.monetary_value[repeat] == 0).sum())
    # Published to the cent.
    assert rfm.monetary_value[repeat] == pytest.approx(published["zbar"].to_numpy()[repeat], abs=0.00501)


def test_customers_without_purchases_are_left_out_and_rows_say_who_is_in() -> None:
    log = to_log([bought(EPOCH, 5.0, customer="b")], customer_ids=["a", "b", "c"])
    rfm = Rfm.of(build_features(log, Snapshot(microseconds(EPOCH) + 1, 0)))
    assert rfm.rows.tolist() == [1]
    assert (rfm.frequency.tolist(), rfm.recency.tolist(), rfm.T.tolist()) == ([0.0], [0.0], [0.0])
    assert np.isnan(rfm.monetary_value).tolist() == [True]
