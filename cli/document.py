"""Writes the parts of docs/ that are made from the code: settings, commands, routes, errors, features.

Each stands in its page between two marks and is written anew by `make docs`; a test holds page and code together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import typer.main

from cli.console import console
from cli.main import app as command_line
from features.document import catalogue_as_markdown
from service.app import create_app
from service.errors import all_kinds
from store.settings import Settings

__all__ = ["PARTS", "commands", "errors", "main", "rewritten", "routes", "settings"]

_DOCS = Path(__file__).resolve().parents[1] / "docs"
_MARKS = r"(<!-- made from the code: {name} -->\n).*?(<!-- end -->)"


def settings() -> str:
    """Return a table of the settings."""
    lines = ["| variable | default | meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = field.get_default(call_default_factory=True)
        shown = "" if default in (None, {}) else f"`{default}`"
        lines.append(f"| `REGULARS_{name.upper()}` | {shown} | {field.description} |")
    return "\n".join(lines) + "\n"


def commands() -> str:
    """Return a section for each command with its options."""
    return "\n".join(_command_sections("regulars", typer.main.get_command(command_line)))


def routes() -> str:
    """Return a table of the routes of the API."""
    lines = ["| route | what it answers |", "|---|---|"]
    for path, operations in _openapi()["paths"].items():
        for method, operation in operations.items():
            text = operation.get("description") or operation["summary"]
            lines.append(f"| `{method.upper()} {path}` | {' '.join(text.split())} |")
    return "\n".join(lines) + "\n"


def errors() -> str:
    """Return a table of the kinds of problems."""
    rows = [f"| {status} | `{name}` | {title} |" for status, name, title in all_kinds()]
    return "\n".join(["| status | name | title |", "|---|---|---|", *rows]) + "\n"


PARTS: Mapping[str, tuple[str, Callable[[], str]]] = {
    "settings": ("operations.md", settings),
    "commands": ("command-line.md", commands),
    "routes": ("api.md", routes),
    "errors": ("api.md", errors),
    "features": ("features.md", catalogue_as_markdown),
}


def rewritten(name: str) -> tuple[Path, str]:
    """Return the page that holds a part, and its text with the part made anew."""
    page, make = PARTS[name]
    pattern = re.compile(_MARKS.format(name=name), re.DOTALL)
    path = _DOCS / page
    text, replaced = pattern.subn(lambda found: f"{found[1]}{make()}{found[2]}", path.read_text(encoding="utf-8"))
    if replaced != 1:
        raise ValueError(f"{path}: expected the marks of the part {name} once, found them {replaced} times")
    return path, text


def _openapi() -> dict[str, Any]:
    return create_app(Settings(_env_file=None)).openapi()  # type: ignore[call-arg]


def _command_sections(name: str, command: Any) -> Iterator[str]:
    children = getattr(command, "commands", None)
    if children is None or command.invoke_without_command:
        yield _section(name, command)
    for child, sub in (children or {}).items():
        yield from _command_sections(f"{name} {child}", sub)


def _section(name: str, command: Any) -> str:
    rows = []
    for parameter in command.params:
        if parameter.name == "help":
            continue
        is_option = parameter.param_type_name == "option"
        options = " / ".join((", ".join(parameter.opts), *parameter.secondary_opts))
        names = options if is_option else parameter.name.upper()
        rows.append(f"| `{names}` | {parameter.help or ''}{_when_left_out(parameter)} |\n")
    table = "| argument or option | meaning |\n|---|---|\n" + "".join(rows) if rows else ""
    return f"### `{name}`\n\n{command.help}\n\n{table}"


def _when_left_out(parameter: Any) -> str:
    if parameter.required:
        return " Needed." if parameter.param_type_name == "option" else ""
    default = parameter.default
    is_told = default is not None and default is not False and default != ()
    return f" Default: `{default}`." if is_told and not callable(default) else ""


def main() -> None:
    """Write all parts anew."""
    for name in PARTS:
        path, text = rewritten(name)
        path.write_text(text, encoding="utf-8")
        console.print(f"{path.name}: {name}")


if __name__ == "__main__":
    main()
