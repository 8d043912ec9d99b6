"""A list as the client would rather have it, where that is not one JSON object: as CSV or NDJSON, whole or a page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Protocol

from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from service.media_types import preferred
from service.published_list import Listing, PublishedList, read_page, read_whole_list
from service.segment_csv import csv_text
from service.segment_ndjson import ndjson_text
from service.wanted import Wanted
from service.work_list import AT_RISK, WorkListing, read_whole_work_list, read_work_page
from store.engine import Database
from store.lists import Page, ScoreRow

__all__ = ["DEFAULT_LIMIT", "LINE_BY_LINE", "TOTAL_COUNT", "asked_for", "in_lines", "link_next", "work_in_lines"]

DEFAULT_LIMIT = 50
TOTAL_COUNT = "X-Total-Count"

_CSV, _NDJSON = "text/csv", "application/x-ndjson"
_MEDIA_TYPES = {"json": "application/json", "csv": _CSV, "ndjson": _NDJSON}


class _Writer(Protocol):
    def __call__(
        self,
        rows: Iterable[ScoreRow],
        listing: Listing,
        published: PublishedList,
        *,
        is_work_list: bool = False,
        next_cursor: str | None = None,
    ) -> Iterator[str]: ...


_WRITERS: Mapping[str, _Writer] = {"csv": csv_text, "ndjson": ndjson_text}

# What a route says of such answers in the document.
LINE_BY_LINE: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {_CSV: {"schema": {"type": "string"}}, _NDJSON: {"schema": {"type": "string"}}},
        "headers": {
            "Link": {"description": "The next page, if there is one.", "schema": {"type": "string"}},
            TOTAL_COUNT: {
                "description": "Rows of a whole list as CSV or NDJSON, where nobody is left out, as the run was made; "
                "whoever was erased or merged since is missing.",
                "schema": {"type": "integer"},
            },
        },
    }
}


def asked_for(format: str | None, accept: str | None) -> str:  # noqa: A002  # as the parameter
    """Return the format that a request wants: json, csv or ndjson."""
    if format is not None:
        return format
    best = preferred(accept, tuple(_MEDIA_TYPES.values()))
    return next(name for name, media_type in _MEDIA_TYPES.items() if media_type == best)


def in_lines(
    request: Request,
    database: Database,
    listing: Listing,
    as_format: str,
    *,
    limit: int | None,
    cursor: str | None,
    wanted: Wanted,
) -> Response:
    """Answer with the whole list as a stream, or with one page of it.

    A stream that can't go on breaks off in the middle of its chunks, which every client tells from an end.
    """
    if limit is None and cursor is None:
        rows, published = read_whole_list(database, listing, wanted=wanted.of)
        told = {TOTAL_COUNT: str(published.customers(listing))} if wanted == Wanted() else {}
        return _stream(_WRITERS[as_format](rows, listing, published), listing, as_format, told)
    with database.read() as session:
        page, published = read_page(session, listing, limit=limit or DEFAULT_LIMIT, cursor=cursor, wanted=wanted.of)
    pieces = _WRITERS[as_format](page.rows, listing, published, next_cursor=page.next_cursor)
    return _one_page(request, page, pieces, listing, as_format)


def work_in_lines(
    request: Request, database: Database, asked: WorkListing, as_format: str, *, limit: int | None, cursor: str | None
) -> Response:
    """Answer with the at-risk list as it is worked down, as `in_lines` does with another.

    How many rows the whole list has is told only where nobody can be passed over.
    """
    write = partial(_WRITERS[as_format], is_work_list=True)
    if limit is None and cursor is None:
        rows, published = read_whole_work_list(database, asked)
        shows_all = asked.include_contacted or asked.contacted_since(published.policy) is None
        is_whole = shows_all and asked.budget is None and asked.wanted == Wanted()
        told = {TOTAL_COUNT: str(published.customers(AT_RISK))} if is_whole else {}
        return _stream(write(rows, AT_RISK, published), AT_RISK, as_format, told)
    with database.read() as session:
        page, published, _ = read_work_page(session, asked, limit=limit or DEFAULT_LIMIT, cursor=cursor)
    pieces = write(page.rows, AT_RISK, published, next_cursor=page.next_cursor)
    return _one_page(request, page, pieces, AT_RISK, as_format)


def _stream(pieces: Iterator[str], listing: Listing, as_format: str, told: Mapping[str, str]) -> Response:
    headers = {**_as_file(listing, as_format), **told}
    return StreamingResponse(pieces, media_type=_MEDIA_TYPES[as_format], headers=headers)


def _one_page(request: Request, page: Page, pieces: Iterator[str], listing: Listing, as_format: str) -> Response:
    headers = _as_file(listing, as_format)
    response = Response("".join(pieces), media_type=_MEDIA_TYPES[as_format], headers=headers)
    link_next(response, request, page)
    return response


def _as_file(listing: Listing, as_format: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{listing.name.replace("_", "-")}.{as_format}"'}


def link_next(response: Response, request: Request, page: Page) -> None:
    """Name the next page in the Link header, if there is one."""
    if page.next_cursor is not None:
        following = request.url.include_query_params(cursor=page.next_cursor)
        response.headers["Link"] = f'<{following.path}?{following.query}>; rel="next"'
