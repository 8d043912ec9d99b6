"""Delivering all that is due, by a clock that goes on only when it is told to."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random

from store.engine import Database
from tests.store.webhook_rows import deliveries
from training.delivery import Deliverer
from training.webhook_client import Answer, WebhookClient
from training.webhook_message import Message

__all__ = ["START", "Clock", "client", "deliver_all", "statuses"]

START = datetime.now(UTC)


class Clock:
    """A clock that goes on only when it is told to."""

    def __init__(self) -> None:
        # The package verifies against the clock of this machine, five minutes back.
        self.time = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.time

    def go_on(self, wait: timedelta) -> None:
        self.time += wait


def client() -> WebhookClient:
    return WebhookClient(allow_private=True, seconds_in_all=1.0)


def deliver_all(database: Database, clock: Clock, send: Callable[[Message], Answer] | None = None) -> None:
    """Send all that is due now, and what that makes due."""
    deliverer = Deliverer(database, send or client().send, now=clock, randomness=Random(0))
    while deliverer.go_on():
        assert deliverer.wait(5)
    deliverer.close()


def statuses(database: Database) -> list[str]:
    return [each.status for each in deliveries(database)]
