"""Training and scoring see the same rows: one customer or all, one snapshot or many, bit for bit."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from features.build import build_features
from features.calendar import LocalCalendar
from features.event_log import EventLog
from features.netting import net
from features.windows import Snapshot
from tests.features.strategies import (
    PROPERTY,
    TIMEZONES,
    Row,
    as_rows_of_time,
    histories,
    raw_events,
    snapshot_days,
    to_log,
)


@PROPERTY
@given(histories(), snapshot_days(), st.sampled_from(TIMEZONES))
def test_the_row_of_a_single_customer_is_the_row_of_the_batch(history: list[Row], day: int, timezone: str) -> None:
    log = to_log(history, timezone)
    snapshot = Snapshot.at_midnight(day, log.calendar)
    batch = build_features(log, snapshot).values
    for i in range(log.n_customers):
        assert build_features(log.take([i]), snapshot).values.tobytes() == batch[i : i + 1].tobytes()


@PROPERTY
@given(histories(), snapshot_days(), st.sampled_from(TIMEZONES))
def test_a_customer_netted_alone_gives_the_row_of_the_batch(history: list[Row], day: int, timezone: str) -> None:
    rows = [history[i] for i in as_rows_of_time(history)]
    calendar = LocalCalendar(timezone)
    snapshot = Snapshot.at_midnight(day, calendar)
    frame = build_features(to_log(rows, timezone), snapshot)
    for i, customer in enumerate(frame.customer_ids):
        alone, _ = net(raw_events([row for row in rows if row.customer == customer]), calendar)
        assert build_features(alone, snapshot).values.tobytes() == frame.values[i : i + 1].tobytes()


@PROPERTY
@given(histories(), st.lists(snapshot_days(), max_size=4))
def test_a_snapshot_gives_the_same_whatever_snapshots_were_taken_before(history: list[Row], days: list[int]) -> None:
    snapshots = [Snapshot.at_midnight(day, LocalCalendar("UTC")) for day in days]
    log = to_log(history)
    together = [build_features(log, snapshot).values.tobytes() for snapshot in snapshots]
    singly = [build_features(to_log(history), snapshot).values.tobytes() for snapshot in reversed(snapshots)]
    assert together == singly[::-1]


@PROPERTY
@given(histories(), snapshot_days())
def test_logs_read_in_chunks_and_joined_give_the_rows_of_one_log(history: list[Row], day: int) -> None:
    whole = to_log(history)
    snapshot = Snapshot.at_midnight(day, whole.calendar)
    chunks = [whole.take([i]) for i in reversed(range(whole.n_customers))]
    joined = EventLog.concatenate(chunks, whole.calendar)
    assert joined.customer_ids == whole.customer_ids
    assert build_features(joined, snapshot).values.tobytes() == build_features(whole, snapshot).values.tobytes()
