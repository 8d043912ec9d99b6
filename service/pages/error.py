"""The page of an error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from fastapi.responses import HTMLResponse

from service.pages.templating import render
from service.schemas.problem import Problem

__all__ = ["ErrorPage", "error_page"]


@dataclass(frozen=True, slots=True)
class ErrorPage:
    """Context of `error.html`: the problem, as the API would tell it."""

    template: ClassVar[str] = "error.html"
    section: ClassVar[str] = ""

    problem: Problem

    @property
    def title(self) -> str:
        """The kind of problem."""
        return self.problem.title


def error_page(problem: Problem, *, headers: Mapping[str, str] | None = None) -> HTMLResponse:
    """Return a problem as a page, with its status."""
    return render(ErrorPage(problem), status=problem.status, headers=headers)
