"""When webhooks are tried again: the schedule of the specification, its jitter, and what receivers ask for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from training.retry_schedule import DELAYS, JITTER, LONGEST_RETRY_AFTER, MOST_ATTEMPTS, read_retry_after, retry_at

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_ten_attempts_go_over_75_hours_35_minutes_and_5_seconds_as_the_specification_shows() -> None:
    # The column "Time since start" of Standard Webhooks, Deliverability and reliability.
    since_start = ["0:00:00", "0:00:05", "0:05:05", "0:35:05", "2:35:05", "7:35:05", "17:35:05"]
    total, at = timedelta(0), ["0:00:00"]
    for delay in DELAYS:
        total += delay
        at.append(str(total))
    assert at[:7] == since_start
    assert total == timedelta(hours=75, minutes=35, seconds=5)
    assert MOST_ATTEMPTS == 10


def test_each_retry_is_a_tenth_late_at_most_and_never_early() -> None:
    for attempts, delay in enumerate(DELAYS, start=1):
        drawn = [retry_at(attempts, failed_at=NOW, retry_after=None, randomness=Random(seed)) for seed in range(300)]
        waited = [at - NOW for at in drawn if at is not None]
        assert len(waited) == 300
        assert delay <= min(waited) < delay * (1 + 0.02)
        assert delay * (1 + JITTER - 0.02) < max(waited) <= delay * (1 + JITTER)


def test_there_is_no_eleventh_attempt() -> None:
    assert retry_at(MOST_ATTEMPTS, failed_at=NOW, retry_after=HOUR, randomness=Random(0)) is None


@pytest.mark.parametrize(
    ("attempts", "asked", "least"),
    [
        (1, timedelta(minutes=10), timedelta(minutes=10)),
        (5, timedelta(minutes=10), timedelta(hours=5)),
        (1, timedelta(days=30), LONGEST_RETRY_AFTER),
    ],
)
def test_what_a_receiver_asks_for_is_waited_for_within_bounds(
    attempts: int, asked: timedelta, least: timedelta
) -> None:
    at = retry_at(attempts, failed_at=NOW, retry_after=asked, randomness=Random(0))
    assert at is not None
    assert least <= at - NOW <= least * (1 + JITTER)


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        ("120", timedelta(seconds=120)),
        (" 5 ", timedelta(seconds=5)),
        ("0", None),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        (None, None),
        ("²", None),
        ("9" * 5_000, LONGEST_RETRY_AFTER),
        ("999999999", LONGEST_RETRY_AFTER),
        ("Sun, 01 Mar 2026 12:05:00 GMT", timedelta(minutes=5)),
        ("Sun, 01 Mar 2026 12:05:00 -0000", timedelta(minutes=5)),
        ("Sun, 01 Mar 2026 11:59:00 GMT", None),
        ("Fri, 01 Jan 2100 00:00:00 GMT", LONGEST_RETRY_AFTER),
        ("Sun, 99 Mar 2026 12:05:00 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 -2359", LONGEST_RETRY_AFTER),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(header: str | None, wait: timedelta | None) -> None:
    assert read_retry_after(header, now=NOW) == wait
