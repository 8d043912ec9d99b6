"""From a page's context, a small dataclass, to HTML."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import ClassVar, Protocol

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from service.pages import formats

__all__ = ["Page", "render"]

_TEMPLATES = Path(__file__).parent / "templates"


class Page(Protocol):
    """What every page's context has.

    Attributes
    ----------
    template : str
        File name of its template, which sees the context as `page`.
    section : str
        The entry of the navigation that it belongs to, or "".
    title : str
        For the browser's tab and history.
    """

    template: ClassVar[str]
    section: ClassVar[str]

    @property
    def title(self) -> str:
        """Title of the page."""
        ...


def render(page: Page, *, status: int = 200, headers: Mapping[str, str] | None = None) -> HTMLResponse:
    """Return a page as a response."""
    content = _environment().get_template(page.template).render(page=page)
    return HTMLResponse(content, status_code=status, headers=dict(headers or {}))


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update({name: getattr(formats, name) for name in formats.__all__})
    return environment
