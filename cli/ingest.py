"""`regulars ingest`: files of events and of customers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from cli.console import console, err_console, fail, open_database, progress_bar
from store.engine import Database
from store.exceptions import IngestError, StoreError
from store.ingest import EventMapping, FileFormat, IngestReport, Join, Rejection, ingest_customers, ingest_events
from store.ingest.rows import ROW
from store.settings import Settings

__all__ = ["ingest_app"]

ingest_app = typer.Typer(
    no_args_is_help=True, help="Read files of events and of customers (CSV, CSV.gz, Parquet) into the database."
)

_INTERRUPTED = 130

Files = Annotated[list[Path], typer.Argument(metavar="FILE…", help="Files whose names end in .csv, .csv.gz, .parquet.")]
CustomerId = Annotated[
    str, typer.Option(metavar="COL", help=f"Column of the customer's id; {ROW} numbers the rows of a file without ids.")
]
Column = str | None
Joined = Annotated[
    list[Path] | None,
    typer.Option("--join", metavar="FILE", help="Another file, whose columns each row gets by its key; repeatable."),
]
On = Annotated[
    list[str] | None, typer.Option(metavar="COL", help="Column of the key in both files, one for each --join.")
]
Delimiter = Annotated[str, typer.Option(help="What stands between the cells of a CSV file.")]
Encoding = Annotated[str, typer.Option(help="Encoding of a CSV file, such as latin-1 or utf-16.")]


def _column(text: str) -> object:
    return typer.Option(metavar="COL", help=f"Column of {text}")


@ingest_app.command("events")
def events(
    files: Files,
    customer_id: CustomerId,
    occurred_at: Annotated[str, _column("when it happened: ISO 8601 or YYYYMMDD, else see --date-format.")],
    event: Annotated[str, typer.Option(help="Name of the event, for all rows.")] = "Order Completed",
    event_column: Annotated[Column, _column("the event's name, instead of --event.")] = None,
    order_id: Annotated[Column, _column("the order's id; rows with the same are one order.")] = None,
    value: Annotated[Column, _column("the row's value, without shipping and tax.")] = None,
    quantity: Annotated[Column, _column("the quantity.")] = None,
    unit_price: Annotated[Column, _column("the price of one; with --quantity it gives the value.")] = None,
    product: Annotated[Column, _column("the product's id.")] = None,
    category: Annotated[list[str] | None, _column("a category; repeat it, coarse to fine.")] = None,
    channel: Annotated[Column, _column("the channel, such as web or store.")] = None,
    discount: Annotated[list[str] | None, _column("a discount; where repeated, their sum counts.")] = None,
    currency: Annotated[Column, _column("the currency, where it is not always that of the business.")] = None,
    property_: Annotated[
        list[str] | None, typer.Option("--property", metavar="COL", help="Column to keep with the event; repeatable.")
    ] = None,
    message_id: Annotated[Column, _column("the sender's own id of the message, which then identifies the row.")] = None,
    cancelled_order_prefix: Annotated[
        str | None, typer.Option(help="Rows whose order id begins with this are refunds.")
    ] = None,
    source: Annotated[str, typer.Option(help="Where the files come from; part of what makes a row the same.")] = "file",
    date_format: Annotated[
        str | None, typer.Option(help="How times are written if not ISO 8601, such as '%d.%m.%Y %H:%M'.")
    ] = None,
    join: Joined = None,
    on: On = None,
    delimiter: Delimiter = ",",
    encoding: Encoding = "utf-8",
) -> None:
    """Store events: orders, refunds, visits, e-mails, tickets. The same file again stores nothing twice."""
    with _plain_errors():
        joins = _joins(join, on)
        _one_file_of_numbered_rows(customer_id, files)
        mapping = EventMapping(
            customer_id=customer_id,
            occurred_at=occurred_at,
            event=event,
            event_column=event_column,
            order_id=order_id,
            value=value,
            quantity=quantity,
            unit_price=unit_price,
            product=product,
            categories=tuple(category or ()),
            channel=channel,
            discounts=tuple(discount or ()),
            currency=currency,
            properties=tuple(property_ or ()),
            message_id=message_id,
            cancelled_order_prefix=cancelled_order_prefix,
            source=source,
            date_format=date_format,
        )
        file_format = FileFormat(delimiter=delimiter, encoding=encoding)

        def ingest(
            database: Database, settings: Settings, path: Path, progress: Callable[[float], None]
        ) -> IngestReport:
            return ingest_events(
                database,
                settings,
                path,
                mapping,
                received_at=datetime.now(UTC),
                file_format=file_format,
                joins=joins,
                progress=progress,
            )

        _ingest_all(files, ingest)


@ingest_app.command("customers")
def customers(
    files: Files,
    customer_id: CustomerId,
    learnt_at: Annotated[Column, _column("when each row was learnt. Without it, all counts as always known.")] = None,
    leave_out: Annotated[
        list[str] | None,
        typer.Option(metavar="COL", help="Column that is no attribute, such as a name or the label; repeatable."),
    ] = None,
    join: Joined = None,
    on: On = None,
    delimiter: Delimiter = ",",
    encoding: Encoding = "utf-8",
) -> None:
    """Store what is known of customers: every other column is an attribute (number, category or date)."""
    with _plain_errors():
        joins = _joins(join, on)
        _one_file_of_numbered_rows(customer_id, files)
        file_format = FileFormat(delimiter=delimiter, encoding=encoding)

        def ingest(
            database: Database, settings: Settings, path: Path, progress: Callable[[float], None]
        ) -> IngestReport:
            return ingest_customers(
                database,
                settings,
                path,
                customer_id_column=customer_id,
                learnt_at_column=learnt_at,
                received_at=datetime.now(UTC),
                file_format=file_format,
                joins=joins,
                leave_out=tuple(leave_out or ()),
                progress=progress,
            )

        _ingest_all(files, ingest)


def _joins(files: Sequence[Path] | None, on: Sequence[str] | None) -> tuple[Join, ...]:
    files, on = files or (), on or ()
    if len(files) != len(on):
        raise IngestError(
            f"Expected one --on for each --join, in the same order; got {len(files)} --join and {len(on)} --on."
        )
    return tuple(Join(file, column) for file, column in zip(files, on, strict=True))


def _one_file_of_numbered_rows(customer_id: str, files: Sequence[Path]) -> None:
    if customer_id == ROW and len(files) > 1:
        raise IngestError(
            f"{ROW} numbers the rows of a file from 1, so that those of {len(files)} files would be taken for the same "
            "customers. Give one file."
        )


@contextmanager
def _plain_errors() -> Iterator[None]:
    try:
        yield
    except StoreError as error:
        fail(str(error))
    except KeyboardInterrupt:
        err_console.print("Interrupted. What is stored stays; run the same command again for the rest.")
        raise typer.Exit(_INTERRUPTED) from None


def _ingest_all(
    files: Sequence[Path],
    ingest: Callable[[Database, Settings, Path, Callable[[float], None]], IngestReport],
) -> None:
    settings, database = open_database()
    try:
        reports: list[IngestReport] = []
        for path in files:
            with progress_bar(path.name) as progress:
                report = ingest(database, settings, path, progress)
            _say(report.file, [report], report.unmatched_refunds, report.examples)
            reports.append(report)
        if len(reports) > 1:
            # Counted again: a refund of one file may have found its order in a later one.
            unmatched = sum(report.refunds.count_unmatched(database) for report in reports)
            _say(f"All {len(reports)} files", reports, unmatched, ())
    finally:
        database.close()
    if damaged := [f"{report.file}: {report.damage}" for report in reports if report.damage is not None]:
        fail("; ".join(damaged) + ". What came before was stored; ingest the whole file for the rest.")


def _say(what: str, reports: Sequence[IngestReport], unmatched_refunds: int, examples: Sequence[Rejection]) -> None:
    read, stored, already_there, rejected = (
        sum(getattr(report, name) for report in reports) for name in ("read", "stored", "already_there", "rejected")
    )
    lines = [f"{what}: read {read:,} = stored {stored:,} + already there {already_there:,} + rejected {rejected:,}"]
    unmatched_keys: Counter[tuple[str, str]] = Counter()
    for report in reports:
        unmatched_keys.update({(keys.file, keys.on): keys.rows for keys in report.unmatched_keys if keys.rows})
    lines += [
        f"  {rows:,} rows have no {on} that {file} has; what it would bring is empty there"
        for (file, on), rows in unmatched_keys.items()
    ]
    if unmatched_refunds:
        lines.append(f"  unmatched refunds among those stored: {unmatched_refunds:,}")
    codes: Counter[str] = Counter()
    for report in reports:
        codes.update(report.rejected_by_code)
    if codes:
        counts = ", ".join(f"{code} {count:,}" for code, count in codes.most_common())
        lines.append(f"  rejected, by reason: {counts}; all are kept in the table rejected_row. The first:")
    lines += [f"  line {example.line:,}: {_why(example)}" for example in examples]
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)


def _why(rejection: Rejection) -> str:
    if not rejection.column:
        return f"{rejection.reason}: {rejection.value}"
    shown = "" if rejection.value is None else f" {rejection.value!r}"
    return f"{rejection.column}{shown} {rejection.reason}"
