"""Endpoints of webhooks: what can be asked for, and what becomes of their secrets."""

from __future__ import annotations

import re
from base64 import b64decode
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from store import webhooks
from store.engine import Database
from store.exceptions import UnknownWebhookError, WebhookStateError, WebhookTargetError
from store.tables import WebhookEndpoint
from store.webhook_request import WebhookRequest
from tests.store.builders import NOW
from tests.store.webhook_rows import URL, add_endpoint, deliveries

ENTERED = "customer.segment_entered"
CHANGED = "customer.score_changed"


def _request(**changes: Any) -> WebhookRequest:
    return WebhookRequest.model_validate({"url": URL, "events": [ENTERED], "thresholds": {}} | changes)


def test_an_endpoint_has_a_secret_as_the_specification_wants_it(database: Database) -> None:
    first, second = add_endpoint(database), add_endpoint(database)
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]+=*", first.secret)
    assert 24 <= len(b64decode(first.secret.removeprefix("whsec_"), validate=True)) <= 64
    assert first.secret != second.secret
    with database.read() as session:
        assert [each.id for each in webhooks.list_endpoints(session)] == [first.id, second.id]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"events": []}, "at least 1 item"),
        ({"events": [ENTERED, ENTERED]}, "each kind of event once"),
        ({"events": ["customer.born"]}, "Input should be"),
        ({"events": ["webhook.test"]}, "Input should be"),
        ({"url": "ftp://a.example"}, "begins with https"),
        ({"url": "https://u:p@a.example"}, "without user name"),
        ({"events": [CHANGED]}, "expected thresholds if events name"),
        ({"thresholds": {"clv": 1.0}}, "expected thresholds if events name"),
        ({"events": [CHANGED], "thresholds": {"clv": 0}}, "greater than 0"),
        ({"events": [CHANGED], "thresholds": {"clv": float("nan")}}, "less than or equal"),
        ({"events": [CHANGED], "thresholds": {"clv": float("inf")}}, "less than or equal"),
        ({"events": [CHANGED], "thresholds": {"clv": "5"}}, "valid number"),
        ({"events": [CHANGED], "thresholds": {"age": 5}}, "Input should be"),
        ({"secret": "mine"}, "Extra inputs"),
    ],
)
def test_what_can_not_be_asked_for_is_refused(changes: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValidationError, match=expected):
        _request(**changes)


def test_a_private_address_needs_the_setting_and_a_name_does_not(database: Database) -> None:
    private = _request(url="http://10.0.0.7/hooks")
    with database.write() as session:
        with pytest.raises(WebhookTargetError, match=r"got 10\.0\.0\.7, which .*REGULARS_WEBHOOK_ALLOW_PRIVATE=1"):
            webhooks.create_endpoint(session, private, allow_private=False, now=NOW)
        webhooks.create_endpoint(session, private, allow_private=True, now=NOW)
        webhooks.create_endpoint(session, _request(), allow_private=False, now=NOW)


def test_there_are_fifty_endpoints_at_most_and_deleted_ones_do_not_count(database: Database) -> None:
    with database.write() as session:
        made = [
            webhooks.create_endpoint(session, _request(), allow_private=False, now=NOW).id
            for _ in range(webhooks.MOST_ENDPOINTS)
        ]
    with database.write() as session:
        with pytest.raises(WebhookStateError, match="There are 50 endpoints"):
            webhooks.create_endpoint(session, _request(), allow_private=False, now=NOW)
        webhooks.delete_endpoint(session, made[0], now=NOW)
        webhooks.create_endpoint(session, _request(), allow_private=False, now=NOW)


def test_a_rotated_secret_signs_alone_once_the_time_of_the_one_before_is_over(database: Database) -> None:
    old = add_endpoint(database).secret
    with database.write() as session:
        endpoint = webhooks.rotate_secret(session, 1, previous_valid_for=timedelta(hours=24), now=NOW)
    assert endpoint.secret != old
    for hours, signing in ((0, (endpoint.secret, old)), (23.9, (endpoint.secret, old)), (24, (endpoint.secret,))):
        assert webhooks.signing_secrets(endpoint, now=NOW + timedelta(hours=hours)) == signing
    with database.write() as session:
        stolen = webhooks.rotate_secret(session, 1, previous_valid_for=timedelta(0), now=NOW)
    assert webhooks.signing_secrets(stolen, now=NOW) == (stolen.secret,)
    assert stolen.previous_secret is None


def test_a_deleted_endpoint_is_gone_with_its_secrets(database: Database) -> None:
    add_endpoint(database)
    with database.write() as session:
        webhooks.rotate_secret(session, 1, previous_valid_for=timedelta(hours=1), now=NOW)
        webhooks.delete_endpoint(session, 1, now=NOW)
    with database.write() as session:
        assert webhooks.list_endpoints(session) == []
        kept = session.get_one(WebhookEndpoint, 1)
        assert (kept.secret, kept.previous_secret, kept.deleted_at) == ("", None, NOW)
        for use in (
            lambda: webhooks.find_endpoint(session, 1),
            lambda: webhooks.delete_endpoint(session, 1, now=NOW),
            lambda: webhooks.enable_endpoint(session, 1),
            lambda: webhooks.queue_test(session, 1, now=NOW),
            lambda: webhooks.find_endpoint(session, 7),
        ):
            with pytest.raises(UnknownWebhookError, match="There is no webhook"):
                use()


def test_a_disabled_endpoint_keeps_its_first_reason_until_it_is_enabled(database: Database) -> None:
    add_endpoint(database)
    with database.write() as session:
        webhooks.disable_endpoint(session, 1, why="It answered 410 Gone.", now=NOW)
        webhooks.disable_endpoint(session, 1, why="Another.", now=NOW + timedelta(hours=1))
    with database.write() as session:
        endpoint = webhooks.find_endpoint(session, 1)
        assert (endpoint.disabled_at, endpoint.disabled_why) == (NOW, "It answered 410 Gone.")
        with pytest.raises(WebhookStateError, match=r"is disabled: It answered 410 Gone\. Enable it first"):
            webhooks.queue_test(session, 1, now=NOW)
        webhooks.enable_endpoint(session, 1)
        webhooks.queue_test(session, 1, now=NOW)
    (queued,) = deliveries(database)
    assert (queued.status, queued.customer_key, queued.next_attempt_at) == ("pending", None, NOW)
