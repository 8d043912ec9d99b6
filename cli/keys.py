"""`regulars keys`: what callers show, and what each of them may do."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from cli.console import console, err_console, now, opened
from store.api_keys import SCOPES, create_key, list_keys, revoke_key

__all__ = ["keys_app"]

keys_app = typer.Typer(no_args_is_help=True, help="Keys that callers of the service show: create, list, revoke.")


@keys_app.command("create")
def create(
    scope: Annotated[str, typer.Option(help=f"What it is good for: {', '.join(SCOPES)}.")],
    source: Annotated[
        str | None, typer.Option(help="For events:write, and no other scope: the source that sends.")
    ] = None,
) -> None:
    """Make a key, and print it: it is shown this once and kept nowhere."""
    with opened() as (_, database), database.write() as session:
        secret, key = create_key(session, scope, source=source, now=now())
    typer.echo(secret)
    err_console.print(f"Key {key.id}, shown this once. To take it back: regulars keys revoke {key.id}")


@keys_app.command("list")
def show() -> None:
    """List all keys, revoked ones too, by how they begin."""
    with opened() as (_, database), database.read() as session:
        keys = list_keys(session)
    table = Table(box=SIMPLE_HEAD)
    for header in ("key", "begins", "scope", "source", "created", "revoked"):
        table.add_column(header, no_wrap=header != "source")
    for key, source in keys:
        table.add_row(
            str(key.id),
            f"{key.beginning}…",
            key.scope,
            escape(source or ""),
            f"{key.created_at:%Y-%m-%d %H:%M}",
            "" if key.revoked_at is None else f"{key.revoked_at:%Y-%m-%d %H:%M}",
        )
    console.print(table)


@keys_app.command("revoke")
def revoke(
    key: Annotated[int, typer.Argument(min=1, max=2**31 - 1, help="Its number in regulars keys list.")],
) -> None:
    """Take a key back for good; servers refuse it within seconds."""
    with opened() as (_, database), database.write() as session:
        revoke_key(session, key, now=now())
    console.print(f"Key {key} is revoked.")
