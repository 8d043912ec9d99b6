"""`regulars webhooks`: who is told of changes, what became of it, and telling it once more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from cli.console import console, err_console, fail, now, opened, within_calendar
from store import webhook_deliveries, webhooks
from store.outbox import KINDS
from store.tables import WebhookEndpoint
from store.webhook_deliveries import DeliveryStatus
from store.webhook_request import THRESHOLD_COLUMNS, WebhookRequest

__all__ = ["webhooks_app"]

webhooks_app = typer.Typer(no_args_is_help=True, help="Who is told of changes over HTTP, and what became of it.")

_Webhook = Annotated[
    int, typer.Argument(metavar="WEBHOOK", min=1, max=2**31 - 1, help="Its number in regulars webhooks list.")
]


@webhooks_app.command("list")
def show() -> None:
    """List the endpoints."""
    with opened() as (_, database), database.read() as session:
        endpoints = webhooks.list_endpoints(session)
    table = Table(box=SIMPLE_HEAD)
    for header in ("webhook", "url", "events", "added", "disabled"):
        table.add_column(header, overflow="fold")
    for endpoint in endpoints:
        table.add_row(
            str(endpoint.id),
            escape(endpoint.url),
            ", ".join(endpoint.events),
            _minute(endpoint.created_at),
            f"{_minute(endpoint.disabled_at)} {endpoint.disabled_why or ''}".strip(),
        )
    console.print(table)


@webhooks_app.command("add")
def add(
    url: Annotated[str, typer.Argument(help="Where to send what changes: https:// or http://.")],
    event: Annotated[list[str], typer.Option(help=f"A kind of event, repeatable: {', '.join(KINDS)}.")],
    threshold: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SCORE=CHANGE",
            help="For customer.score_changed, which needs one, repeatable: from which change on it is told, such as "
            f"churn_probability=0.1. Scores: {', '.join(THRESHOLD_COLUMNS)}.",
        ),
    ] = None,
) -> None:
    """Add an endpoint, and print its secret: it is shown this once."""
    request = _request(url, event, threshold or [])
    with opened() as (settings, database), database.write() as session:
        endpoint = webhooks.create_endpoint(session, request, allow_private=settings.webhook_allow_private, now=now())
    _show_secret(endpoint)


@webhooks_app.command("delete")
def delete(webhook: _Webhook) -> None:
    """Tell an endpoint no more; what waits for it is dropped."""
    with opened() as (_, database), database.write() as session:
        webhooks.delete_endpoint(session, webhook, now=now())
    console.print(f"Webhook {webhook} is deleted.")


@webhooks_app.command("disable")
def disable(webhook: _Webhook) -> None:
    """Tell an endpoint nothing until it is enabled; what waits for it is dropped."""
    with opened() as (_, database), database.write() as session:
        webhooks.disable_endpoint(session, webhook, why="An operator disabled it.", now=now())
    console.print(f"Webhook {webhook} is disabled.")


@webhooks_app.command("enable")
def enable(webhook: _Webhook) -> None:
    """Tell an endpoint of changes again."""
    with opened() as (_, database), database.write() as session:
        webhooks.enable_endpoint(session, webhook)
    console.print(f"Webhook {webhook} is told of changes.")


@webhooks_app.command("test")
def send_test(webhook: _Webhook) -> None:
    """Queue an event that tells of nothing, to see whether the receiver takes it."""
    with opened() as (_, database), database.write() as session:
        delivery = webhooks.queue_test(session, webhook, now=now())
    console.print(f"Delivery {delivery.id} is queued for a worker. regulars webhooks deliveries {webhook}")


@webhooks_app.command("deliveries")
def deliveries(
    webhook: _Webhook,
    status: Annotated[
        DeliveryStatus | None, typer.Option(help="Only those of this status: pending, delivered or dead.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many, the newest first.")] = 20,
) -> None:
    """List what an endpoint was told or will be, the newest first."""
    with opened() as (_, database), database.read() as session:
        page = webhook_deliveries.list_deliveries(session, webhook, limit=limit, status=status)
    table = Table(box=SIMPLE_HEAD)
    for header in ("delivery", "event", "customer", "occurred", "status", "attempts", "next", "answer"):
        table.add_column(header, no_wrap=header not in {"customer", "answer"})
    for delivery, event in page.rows:
        table.add_row(
            str(delivery.id),
            event.kind,
            escape(str(event.data.get("customer_id") or "")),
            _minute(event.occurred_at),
            delivery.status,
            str(delivery.attempts),
            _minute(delivery.next_attempt_at) if delivery.status == "pending" else "",
            escape(delivery.last_error or str(delivery.last_status or "")),
        )
    console.print(table)


@webhooks_app.command("replay")
def replay(
    webhook: _Webhook,
    delivery: Annotated[int | None, typer.Option(min=1, max=2**63 - 1, help="One delivery, of any status.")] = None,
    since: Annotated[
        datetime | None, typer.Option(help="All dead ones whose change is not older than this, in UTC.")
    ] = None,
) -> None:
    """Send deliveries at once: one, or once more all dead ones since an instant."""
    if (delivery is None) == (since is None):
        fail("Expected either --delivery or --since.")
    with opened() as (_, database):
        if delivery is not None:
            with database.write() as session:
                webhook_deliveries.replay_delivery(session, webhook, delivery, now=now())
            console.print(f"Delivery {delivery} is queued for a worker.")
            return
        instant = (within_calendar(since) or now()).replace(tzinfo=UTC)
        replayed = webhook_deliveries.replay_dead(database, webhook, since=instant, now=now())
    console.print(f"Queued for a worker: {replayed:,} deliveries.")


@webhooks_app.command("rotate-secret")
def rotate_secret(
    webhook: _Webhook,
    previous_hours: Annotated[
        int, typer.Option(min=0, max=168, help="For so many hours the secret before signs too.")
    ] = 24,
) -> None:
    """Give an endpoint a new secret, and print it: it is shown this once."""
    with opened() as (_, database), database.write() as session:
        endpoint = webhooks.rotate_secret(
            session, webhook, previous_valid_for=timedelta(hours=previous_hours), now=now()
        )
    _show_secret(endpoint)


def _request(url: str, events: list[str], thresholds: list[str]) -> WebhookRequest:
    changes: dict[str, Any] = {}
    for text in thresholds:
        score, _, change = text.partition("=")
        try:
            changes[score] = float(change)
        except ValueError:
            fail(f"--threshold: expected SCORE=CHANGE such as churn_probability=0.1, got {text[:100]!r}")
    try:
        return WebhookRequest.model_validate({"url": url, "events": events, "thresholds": changes})
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        expected = first["msg"].removeprefix("Value error, ")
        fail(f"{place}: {expected}" if place else expected)


def _show_secret(endpoint: WebhookEndpoint) -> None:
    typer.echo(endpoint.secret)
    err_console.print(
        f"Secret of webhook {endpoint.id}, shown this once. Another one: regulars webhooks rotate-secret {endpoint.id}"
    )


def _minute(instant: datetime | None) -> str:
    return "" if instant is None else f"{instant:%Y-%m-%d %H:%M}"
