"""`regulars doctor`: in plain words, what is wrong with the data."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Annotated

import typer
from rich.markup import escape

from cli.console import console, now, opened, progress_steps
from store.checkup import Checkup, Finding, Severity, check

__all__ = ["doctor"]

_STYLES: dict[Severity, str] = {"problem": "bold red", "warning": "yellow", "note": "cyan"}


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of sentences.")] = False,
) -> None:
    """Say what is wrong with the data, the number behind each finding, and what to do.

    Large tables are sampled: what was looked at is said at the end.
    """
    with opened() as (_, database), progress_steps() as progress:
        checkup = check(database, now=now(), progress=progress)
    if as_json:
        typer.echo(json.dumps(checkup.to_dict(), indent=1, allow_nan=False))
        return
    for line in _in_words(checkup):
        console.print(line, soft_wrap=not console.is_terminal)


def _in_words(checkup: Checkup) -> Iterator[str]:
    for finding in checkup.findings:
        yield from _lines(finding)
    if not checkup.findings:
        yield "Nothing found."
    yield f"Looked at {_listed(checkup.looked_at)}."
    yield f"Looked for {_listed(checkup.checks)}."


def _lines(finding: Finding) -> Iterator[str]:
    source = "" if finding.source is None else f" of the source {escape(finding.source)}"
    yield f"[{_STYLES[finding.severity]}]{finding.severity.capitalize()}[/]{source}: {escape(finding.what)}"
    yield f"  What to do: {escape(finding.todo)}"
    yield ""


def _listed(parts: Sequence[str]) -> str:
    return escape("; ".join(parts))
