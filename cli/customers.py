"""`regulars customers`: what is held of one, and an end of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.console import console, fail, now, opened
from store.erasure import hide_customer, resume_erasures
from store.export import export_customer
from store.keyed_hash import KeyedHash

__all__ = ["customers_app"]

customers_app = typer.Typer(no_args_is_help=True, help="One customer: hand out all that is held, or erase it.")


def _readable(customer: str) -> str:
    if any("\ud800" <= letter <= "\udfff" for letter in customer):
        raise typer.BadParameter("expected UTF-8 text")
    return customer


_CustomerId = Annotated[str, typer.Argument(metavar="ID", callback=_readable, help="Any id of the customer.")]


@customers_app.command("erase")
def erase(customer: _CustomerId) -> None:
    """Delete all that is held of a customer, for good, and keep out what still comes under the id."""
    with opened() as (settings, database):
        hide_customer(database, customer, KeyedHash.open(settings.secret_file), now=now())
        console.print("The customer is in no answer any more. What is stored is being deleted.")
        left = resume_erasures(database)
    if left:
        console.print(
            "All is deleted that was stored under the id. An empty row without it is left while a training, a scoring "
            "or a backup is at work; a worker removes it after.",
            soft_wrap=True,
        )
    else:
        console.print("All is deleted.")


@customers_app.command("export")
def export(
    customer: _CustomerId,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="Where to; standard output without it.")
    ] = None,
) -> None:
    """Write all that is held of a customer as one JSON document."""
    with opened() as (_, database):
        pieces = export_customer(database, customer)
        if output is None:
            for piece in pieces:
                typer.echo(piece, nl=False)
            return
        if output.exists():
            fail(f"{output} is there already. Name a file that is not.")
        with output.open("w", encoding="utf-8") as file:
            file.writelines(pieces)
    console.print(f"Written to {output}.", markup=False)
