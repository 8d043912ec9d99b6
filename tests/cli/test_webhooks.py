"""`regulars webhooks`: added, listed, tested, rotated, replayed, deleted."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import update

from store.tables import WebhookDelivery, WebhookEndpoint
from tests.cli.conftest import At, Regulars

ADD = ("webhooks", "add", "https://crm.example.com/[hooks]", "--event", "customer.score_changed")


def test_a_webhook_is_added_its_secret_printed_alone_listed_rotated_and_deleted(regulars: Regulars, at: At) -> None:
    shop = at("untrained")
    made = regulars(*ADD, "--threshold", "clv=25", "--threshold", "churn_probability=0.1", "--event", "model.promoted")
    secret = made.out.removesuffix("\n")
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]+=*", secret)
    assert "Secret of webhook 1, shown this once." in made.err
    listed = regulars("webhooks", "list").out
    assert "https://crm.example.com/[hooks]" in listed
    assert secret not in listed
    with shop.database.read() as session:
        endpoint = session.get_one(WebhookEndpoint, 1)
    assert endpoint.thresholds == {"clv": 25.0, "churn_probability": 0.1}
    assert endpoint.events == ["customer.score_changed", "model.promoted"]
    rotated = regulars("webhooks", "rotate-secret", 1, "--previous-hours", 1).out.strip()
    assert rotated.startswith("whsec_")
    assert rotated != secret
    assert regulars("webhooks", "delete", 1).out == "Webhook 1 is deleted.\n"
    assert "crm.example.com" not in regulars("webhooks", "list").out


def test_deliveries_are_shown_and_replayed(regulars: Regulars, at: At) -> None:
    shop = at("untrained")
    regulars("webhooks", "add", "https://crm.example.com", "--event", "model.promoted")
    assert "Delivery 1 is queued for a worker." in regulars("webhooks", "test", 1).out
    with shop.database.write() as session:
        session.execute(update(WebhookDelivery).values(status="dead", attempts=10, last_error="It answered [500]."))
    assert "It answered [500]." in regulars("webhooks", "deliveries", 1, "--status", "dead").out
    assert regulars("webhooks", "replay", 1, "--since", "2020-01-01").out == "Queued for a worker: 1 deliveries.\n"
    assert regulars("webhooks", "replay", 1, "--delivery", 1).out == "Delivery 1 is queued for a worker.\n"
    assert regulars("webhooks", "disable", 1).out == "Webhook 1 is disabled.\n"
    assert "An operator disabled it. Enable it first" in regulars("webhooks", "test", 1).complaint()
    assert regulars("webhooks", "enable", 1).out == "Webhook 1 is told of changes.\n"
    with shop.database.write() as session:
        session.execute(update(WebhookDelivery).values(status="delivered"))
    assert regulars("webhooks", "replay", 1, "--delivery", 1).out == "Delivery 1 is queued for a worker.\n"
    assert "webhook.test" in regulars("webhooks", "deliveries", 1).out


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["add", "http://10.0.0.1/", "--event", "model.promoted"], "Expected a host on the public internet"),
        (["add", "ftp://a.example", "--event", "model.promoted"], "url: expected a URL that begins with"),
        (["add", "https://a.example", "--event", "born"], "events.0: "),
        ([*ADD[1:]], "expected thresholds if events name"),
        ([*ADD[1:], "--threshold", "clv"], "expected SCORE=CHANGE"),
        ([*ADD[1:], "--threshold", "age=1"], "thresholds.age"),
        (["replay", "1"], "Expected either --delivery or --since."),
        (["replay", "7", "--since", "2024-01-01"], "There is no webhook 7."),
        (["replay", "7", "--since", "1800-01-01"], "expected a year from 1900 to 2099"),
        (["deliveries", "7"], "There is no webhook 7."),
        (["delete", "0"], "webhook"),
    ],
    ids=lambda value: None if isinstance(value, str) else " ".join(value),
)
def test_what_can_not_be_meant_is_said_in_one_line(
    regulars: Regulars, at: At, arguments: list[str], complaint: str
) -> None:
    at("untrained")
    assert complaint.lower() in regulars("webhooks", *arguments).complaint().lower()
