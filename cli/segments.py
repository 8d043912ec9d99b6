"""`regulars segments`: what is in them, and the policy that makes them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.console import console, fail, now, opened
from cli.tables import propensities_table, segments_table
from models.segment_policy import SegmentPolicy
from service.published_list import read_published
from service.segment_rules import save_rate_in_words
from store import policies, runs

__all__ = ["segments_app"]

segments_app = typer.Typer(help="Customers and value of each segment; export or import the policy.")


@segments_app.callback(invoke_without_command=True)
def show(context: typer.Context) -> None:
    """Show customers, clv and value at risk of each segment, and what else is judged."""
    if context.invoked_subcommand is not None:
        return
    with opened() as (_, database), database.read() as session:
        published = read_published(session)
    run = published.run
    console.print(segments_table(published.aggregates))
    if (propensities := propensities_table(published)) is not None:
        console.print(propensities)
    console.print(
        f"As of {run.as_of:%Y-%m-%d %H:%M} UTC, model version {run.model_version}, policy version {run.policy_version}."
    )
    console.print(f"Counted with a {save_rate_in_words(published.policy)}.", markup=False)


@segments_app.command("export-policy")
def export_policy() -> None:
    """Print the policy in force as TOML."""
    with opened() as (_, database), database.read() as session:
        _, policy = policies.current_policy(session)
    typer.echo(SegmentPolicy.from_dict(policy).to_toml(), nl=False)


@segments_app.command("import-policy")
def import_policy(
    file: Annotated[Path, typer.Argument(help="TOML as export-policy prints it.")],
) -> None:
    """Put a policy in force; the next scoring run uses it."""
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        fail(f"{file} is not UTF-8 text: {error.reason} at byte {error.start}")
    policy = SegmentPolicy.from_toml(text)
    with opened() as (_, database), database.write() as session:
        version = policies.add_policy(session, policy.to_dict(), now=now())
        runs.queue_scoring(session, now=now())
    console.print(
        f"Policy version {version} is in force. A scoring run is queued for a worker (or run: regulars score)."
    )
