"""RFM of a plain table of purchases, against the way through the log and against lifetimes."""

from __future__ import annotations

import warnings
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.build import build_features
from features.exceptions import CheckError
from features.purchase_table import rfm_of_purchases
from features.rfm import Rfm
from features.windows import Snapshot
from tests.conftest import shared_data
from tests.data.cdnow import cdnow_log

_AS_OF = date(1997, 10, 1)
_COLUMNS = ("frequency", "recency", "T", "monetary_value")


@pytest.fixture(scope="module")
def cdnow() -> pd.DataFrame:
    purchases = pd.read_parquet(shared_data("cdnow") / "cdnow_sample.parquet")
    return purchases.sample(frac=1, random_state=1)


def test_cdnow_in_any_order_gives_what_the_log_gives(cdnow: pd.DataFrame) -> None:
    summary = rfm_of_purchases(cdnow["customer_id"].astype(str), cdnow["date"], cdnow["dollar_value"], as_of=_AS_OF)
    log = cdnow_log("cdnow_sample.parquet")
    end = (_AS_OF - date(1970, 1, 1)).days
    rfm = Rfm.of(build_features(log, Snapshot.at_midnight(end, log.calendar)))
    assert summary.customer_ids.tolist() == list(log.customer_ids)
    for name in _COLUMNS:
        assert getattr(summary, name) == pytest.approx(getattr(rfm, name), abs=1e-9, nan_ok=True)


def test_cdnow_equals_lifetimes_summary_data_from_transaction_data(cdnow: pd.DataFrame) -> None:
    summary = rfm_of_purchases(cdnow["customer_id"], cdnow["date"], cdnow["dollar_value"], as_of=_AS_OF)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from lifetimes.utils import summary_data_from_transaction_data

        expected = summary_data_from_transaction_data(
            cdnow, "customer_id", "date", "dollar_value", observation_period_end="1997-09-30"
        ).sort_index()
    assert summary.customer_ids.tolist() == expected.index.tolist()
    for name in _COLUMNS:
        # lifetimes writes 0 where we have nothing to say.
        ours = np.nan_to_num(getattr(summary, name), nan=0.0)
        assert ours == pytest.approx(expected[name].to_numpy(), abs=1e-9)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 30), st.integers(-5, 50)), max_size=40),
    st.integers(0, 35),
)
def test_any_purchases_give_what_counting_by_hand_gives(rows: list[tuple[int, int, int]], end: int) -> None:
    customers, days, values = (np.array([row[i] for row in rows], dtype=np.int64) for i in range(3))
    start = np.datetime64("2024-01-01")
    as_of = date(2024, 1, 1) + timedelta(days=end)
    summary = rfm_of_purchases(customers, start + days, values, as_of=as_of)
    by_customer: dict[int, dict[int, float]] = {}
    for customer, day, value in rows:
        if day < end:
            by_day = by_customer.setdefault(customer, {})
            by_day[day] = by_day.get(day, 0.0) + value
    assert summary.customer_ids.tolist() == sorted(by_customer)
    for i, customer in enumerate(sorted(by_customer)):
        first, *later = sorted(by_customer[customer])
        last = later[-1] if later else first
        assert (summary.frequency[i], summary.recency[i], summary.T[i]) == (len(later), last - first, end - 1 - first)
        mean = sum(by_customer[customer][day] for day in later) / len(later) if later else np.nan
        assert summary.monetary_value[i] == pytest.approx(mean, abs=1e-12, nan_ok=True)


def test_a_time_of_day_is_cut_off() -> None:
    instants = np.array(["2024-01-01T23:59", "2024-01-02T00:01", "2024-01-02T12:00"], dtype="datetime64[us]")
    summary = rfm_of_purchases(["a", "a", "a"], instants, [1.0, 2.0, 3.0], as_of=date(2024, 1, 3))
    assert [getattr(summary, name).tolist() for name in _COLUMNS] == [[1.0], [1.0], [1.0], [5.0]]


@pytest.mark.parametrize(
    ("customers", "days", "values", "message"),
    [
        (["a"], ["2024-01-01"], [1.0, 2.0], r"got 1, 1 and 2"),
        (["a", None], ["2024-01-01"] * 2, [1.0, 2.0], r"customer_id: expected a customer .* 1 \(rows 1\)"),
        (["a", "b"], ["NaT", "NaT"], [1.0, 2.0], r"date: expected a date .* 2 \(rows 0, 1\)"),
        (["a"] * 5, ["2024-01-01"] * 5, [np.nan] * 4 + [np.inf], r"value: expected a finite .* 5 \(rows 0, 1, 2, …\)"),
    ],
)
def test_rows_that_say_nothing_are_refused_by_column_and_row(
    customers: list[str | None], days: list[str], values: list[float], message: str
) -> None:
    with pytest.raises(CheckError, match=message):
        rfm_of_purchases(
            np.array(customers, dtype=object), np.array(days, dtype="datetime64[D]"), values, as_of=date(2024, 2, 1)
        )
