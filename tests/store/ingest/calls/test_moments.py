"""When a call's thing happened, and clocks that are wrong."""

from __future__ import annotations

from datetime import timedelta

import pytest

from store.settings import load_settings
from tests.store.ingest.calls.reading import RECEIVED_AT, batch, columns, instant, posthog, rejected, track

HOUR = timedelta(hours=1)


def at(moment: timedelta) -> str:
    """Return the instant so far from that of receipt."""
    return (RECEIVED_AT + moment).isoformat()


@pytest.mark.parametrize(
    ("wrong_by", "corrected_by"),
    [
        (timedelta(seconds=-60), timedelta()),
        (timedelta(seconds=60), timedelta()),
        (timedelta(seconds=61), timedelta(seconds=-61)),
        (-2 * HOUR, 2 * HOUR),
        (-24 * HOUR, 24 * HOUR),
        (-25 * HOUR, timedelta()),
        (timedelta(days=-3_650), timedelta()),
        (2 * HOUR, -2 * HOUR),
        (timedelta(days=300), timedelta(days=-300)),
    ],
)
def test_a_clock_that_is_wrong_by_what_sent_at_shows_is_corrected(wrong_by: timedelta, corrected_by: timedelta) -> None:
    happened = RECEIVED_AT - 3 * HOUR
    told = (happened + wrong_by).isoformat()
    expected = [(instant((happened + wrong_by + corrected_by).isoformat()), instant(told))]
    item = {"type": "track", "event": "E", "userId": "u", "timestamp": told}
    assert columns(batch(item, sentAt=at(wrong_by)), "occurred_at", "reported_at") == expected
    assert columns(batch({**item, "sentAt": at(wrong_by)}, sentAt=at(HOUR)), "occurred_at", "reported_at") == expected
    assert columns(track("E", {}, timestamp=told, sentAt=at(wrong_by)), "occurred_at", "reported_at") == expected
    event = {"event": "e", "distinct_id": "u", "timestamp": told}
    assert columns(posthog(event, sent_at=at(wrong_by)), "occurred_at", "reported_at") == expected


def test_the_instant_as_told_is_the_same_at_each_sending() -> None:
    item = {"type": "track", "event": "E", "userId": "u", "timestamp": at(-HOUR)}
    sendings = [columns(batch(item, sentAt=at(late)), "reported_at") for late in (-HOUR, -2 * HOUR, timedelta())]
    assert sendings[0] == sendings[1] == sendings[2]


def test_nothing_happens_after_it_was_received() -> None:
    assert columns(track("E", {}, timestamp=at(HOUR)), "occurred_at", "reported_at") == [
        (instant(at(timedelta())), instant(at(HOUR)))
    ]
    assert rejected(track("E", {}, timestamp=at(25 * HOUR))) == [(0, "timestamp", at(25 * HOUR), "future")]
    assert rejected(track("E", {}, timestamp=at(25 * HOUR), sentAt=at(2 * HOUR))) == []


@pytest.mark.parametrize(
    "sent_at", [None, "", "soon", 5, True, {}, [], "\0", "9999-12-31T23:59:59-14:00", "1700-01-01"]
)
def test_a_sent_at_that_is_no_instant_corrects_nothing(sent_at: object) -> None:
    told = at(-HOUR)
    assert columns(track("E", {}, timestamp=told, sentAt=sent_at), "occurred_at") == [(instant(told),)]


@pytest.mark.parametrize(
    ("members", "told"),
    [
        ({"timestamp": "2024-05-01T10:00:00+02:00"}, "2024-05-01T08:00:00+00:00"),
        ({"timestamp": "2024-05-01T10:00:00"}, "2024-05-01T08:00:00+00:00"),
        ({"timestamp": "2024-05-01"}, "2024-04-30T22:00:00+00:00"),
        ({"originalTimestamp": "2024-05-01T10:00:00Z"}, "2024-05-01T10:00:00+00:00"),
        ({"timestamp": " ", "originalTimestamp": "2024-05-01T10:00:00Z"}, "2024-05-01T10:00:00+00:00"),
        ({"timestamp": "2024-05-02T10:00:00Z", "originalTimestamp": "x"}, "2024-05-02T10:00:00+00:00"),
        ({}, at(timedelta())),
        ({"timestamp": None}, at(timedelta())),
    ],
)
def test_an_instant_without_an_offset_is_meant_in_the_zone_of_the_business(
    members: dict[str, object], told: str
) -> None:
    calls = track("E", {}, load_settings(timezone="Europe/Berlin"), **members)
    assert columns(calls, "occurred_at", "reported_at") == [(instant(told), instant(told))]


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        (1_714_557_600_123, "2024-05-01T10:00:00.123000+00:00"),
        (1_714_557_600_123.0, "2024-05-01T10:00:00.123000+00:00"),
        (978_307_200_000, "2001-01-01T00:00:00+00:00"),
        (1_717_329_600_000, at(24 * HOUR)),
    ],
)
def test_a_number_is_milliseconds_since_1970(told: float, meant: str) -> None:
    assert columns(track("E", {}, timestamp=told), "reported_at") == [(instant(meant),)]
    assert columns(posthog({"event": "E", "distinct_id": "u", "timestamp": told}), "reported_at") == [(instant(meant),)]


@pytest.mark.parametrize("told", [978_307_199_999, 1_717_329_600_001, 1_714_557_600, 1e300, -1, 10**400])
def test_a_number_that_would_be_no_instant_of_these_years_is_rejected(told: float) -> None:
    ((_, path, _, code),) = rejected(track("E", {}, timestamp=told))
    assert (path, code) == ("timestamp", "occurred_at")


def test_a_clock_that_tells_milliseconds_is_corrected_too() -> None:
    ten_minutes = 600_000
    sent_at = int(RECEIVED_AT.timestamp()) * 1_000 - ten_minutes
    calls = track("E", {}, timestamp=sent_at - 5_000, sentAt=sent_at)
    assert columns(calls, "occurred_at") == [(instant(at(timedelta(seconds=-5))),)]
