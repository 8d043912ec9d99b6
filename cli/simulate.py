"""`regulars simulate`: a synthetic shop of which everything is known, as files."""

from __future__ import annotations

import shlex
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Annotated

import typer

from cli.console import console, err_console, now, progress_steps
from models.simulation import SimulatedShop
from training.simulate import TRUTH, Simulated
from training.simulate import simulate as write_files

__all__ = ["ingest_commands", "simulate"]

_INTERRUPTED = 130
_SOURCE = "synthetic"
# Ids have seven digits.
_MOST_CUSTOMERS = 9_999_999
_FEWEST_DAYS, _MOST_DAYS = 30, 3_650
_LARGEST_SEED = 2**63 - 1
_EARLIEST_YEAR = 1950


def simulate(
    customers: Annotated[int, typer.Option(min=1, max=_MOST_CUSTOMERS, help="Customers to invent.")] = 5_000,
    days: Annotated[
        int, typer.Option(min=_FEWEST_DAYS, max=_MOST_DAYS, help="Days that the shop has been open.")
    ] = 730,
    end: Annotated[
        str, typer.Option(help="The midnight (UTC) of a day, as YYYY-MM-DD, up to which things happen; or now.")
    ] = "now",
    seed: Annotated[int, typer.Option(min=0, max=_LARGEST_SEED, help="Another seed is another shop.")] = 1,
    directory: Annotated[Path, typer.Option(help="Where the files go.")] = Path("var/synthetic"),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the files of an earlier simulation.")] = False,
) -> None:
    """Write files of a synthetic shop whose truth is known: orders, visits, e-mails, tickets, attributes."""
    shop = SimulatedShop.up_to(_end(end, now()), n_customers=customers, days=days, seed=seed)
    try:
        with progress_steps() as progress:
            counts = write_files(shop, directory, overwrite=overwrite, progress=progress)
    except KeyboardInterrupt:
        err_console.print("Interrupted. No file is left behind; run the same command again.")
        raise typer.Exit(_INTERRUPTED) from None
    for line in _summary(shop, directory, counts):
        console.print(line, markup=False, soft_wrap=True)


def _end(text: str, present: datetime) -> datetime:
    if text == "now":
        return present
    try:
        end = datetime.combine(date.fromisoformat(text), time(), UTC)
    except ValueError:
        end = None
    # Python reads further forms of ISO 8601, such as 2026-W05-6.
    if end is None or end.date().isoformat() != text:
        raise typer.BadParameter(f"expected now or a day such as 2026-01-31, got {text!r}", param_hint="'--end'")
    if end.year < _EARLIEST_YEAR or end > present:
        raise typer.BadParameter(f"expected a day from {_EARLIEST_YEAR} up to today, got {text}", param_hint="'--end'")
    return end


def _summary(shop: SimulatedShop, directory: Path, counts: Simulated) -> list[str]:
    events = ", ".join(f"{name} {count:,}" for name, count in counts.events.items())
    return [
        f"A synthetic shop is in {directory}: none of its customers is real.",
        f"{counts.customers:,} customers, {counts.orders:,} orders with {counts.lines:,} lines, "
        f"{sum(counts.events.values()):,} other events, from {shop.period.first_date} up to "
        f"{shop.period.end_instant:%Y-%m-%d %H:%M} UTC.",
        f"Events: {events}.",
        f"What is true of them is in {directory / TRUTH} and {directory / 'truth.parquet'}.",
        "",
        "To load it into a database of its own:",
        *ingest_commands(directory),
    ]


def ingest_commands(directory: Path) -> list[str]:
    """Return the commands that load the files."""
    orders, events, customers = (
        shlex.quote(str(directory / f"{name}.parquet")) for name in ("orders", "events", "customers")
    )
    return [
        "  regulars db upgrade",
        f"  regulars ingest events {orders} --source {_SOURCE} --customer-id customer_id --occurred-at occurred_at "
        "--order-id order_id --product product --category department --category category --quantity quantity "
        "--value value --discount discount --channel channel",
        f"  regulars ingest events {events} --source {_SOURCE} --customer-id customer_id --occurred-at occurred_at "
        "--event-column event --channel channel --property product --property topic --property letter "
        "--message-id message_id",
        f"  regulars ingest customers {customers} --customer-id customer_id",
    ]
