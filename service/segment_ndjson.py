"""Lists as NDJSON: one JSON object a customer and line, and a last line, by which one knows that it was not cut off."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import islice

from service.published_list import Listing, PublishedList
from service.schemas.lists import AtRiskCustomer, ListedCustomer
from service.schemas.of_run import run_fields
from store.lists import ScoreRow

__all__ = ["ndjson_text"]

_ROWS_A_PIECE = 500


def ndjson_text(
    rows: Iterable[ScoreRow],
    listing: Listing,
    published: PublishedList,
    *,
    is_work_list: bool = False,
    next_cursor: str | None = None,
) -> Iterator[str]:
    """Write rows as NDJSON, a few hundred at a time.

    Parameters
    ----------
    rows : iterable of ScoreRow
    listing : Listing
        The list that they are of.
    published : PublishedList
        The run that they belong to.
    is_work_list : bool
        Whether to tell who is held out and who was contacted of late.
    next_cursor : str, optional
        Where the next page begins, of a page that is not the last.

    Yields
    ------
    str
        Pieces of several lines; the last line has `end`, how many rows came before it, where to go on, and what they
        were made with.
    """
    row_type = AtRiskCustomer if is_work_list else ListedCustomer
    n_rows, remaining = 0, iter(rows)
    while piece := list(islice(remaining, _ROWS_A_PIECE)):
        n_rows += len(piece)
        lines = [row_type.of(row, published, listing.target).model_dump_json() for row in piece]
        yield "\n".join([*lines, ""])
    made_with = run_fields(published)
    as_of = made_with["as_of"]
    end = {
        "end": True,
        "rows": n_rows,
        "next_cursor": next_cursor,
        **made_with,
        "as_of": None if as_of is None else as_of.isoformat(),
    }
    yield f"{json.dumps(end)}\n"
