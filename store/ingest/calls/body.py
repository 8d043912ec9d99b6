"""The body of a request: JSON, read strictly first, and where that fails so that one bad item does not spoil the rest.

Clients throw away what is answered with 400, so a batch is refused as a whole only where it can't be told apart into
items. NaN, half of a character or a byte that is no UTF-8 stand in one item, and cost that item at most.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic_core import from_json

from store.exceptions import StoreError

__all__ = ["UnreadableBodyError", "read_body", "read_items", "write_key_in"]

_DEEPEST = 200  # as the strict parser has it
# Each costs some hundred bytes of memory, and two of the body. A batch of ordinary calls has tens of thousands.
_MOST_PARTS = 250_000
_LONGEST_WHOLE_NUMBER = 400  # digits; a float has no more than 309

# Possessive, and with or without an end, so that a text without one is gone through once and not from each quote in it.
_TEXT = re.compile(r'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)


class UnreadableBodyError(StoreError):
    """The body of a request that can't be read as a whole; nothing of it was taken.

    Parameters
    ----------
    code : str
        Short, stable name of the reason: `not_json`, `too_deep`, `too_many_parts`, `not_an_object`, `no_batch` or
        `too_many_calls`.
    message : str
        What was expected and what came, for a person.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def read_body(body: bytes) -> dict[str, Any]:
    """Read a JSON object.

    Parameters
    ----------
    body : bytes
        Decompressed.

    Returns
    -------
    dict
        Its texts may hold lone surrogates (of a code unit or byte that is no character), and numbers may be NaN or
        infinite.

    Raises
    ------
    UnreadableBodyError
        If it is no JSON object, nests too deep or has too many parts.
    """
    if body.count(b"[") + body.count(b"{") > _MOST_PARTS:
        raise UnreadableBodyError(
            "too_many_parts",
            f"The body has more than {_MOST_PARTS:,} lists and objects; send fewer calls at once, or flatten them.",
        )
    try:
        value = from_json(body, allow_inf_nan=False)
    except ValueError:
        value = _read_leniently(body)
    if not isinstance(value, dict):
        raise UnreadableBodyError("not_an_object", f"The body is {_kind(value)}; expected a JSON object.")
    return value


def read_items(body: Mapping[str, Any], most_calls: int) -> list[Any]:
    """Return the items of a batch, at most so many."""
    items = body.get("batch")
    if not isinstance(items, list):
        came = "is missing" if items is None else f"is {_kind(items)}"
        raise UnreadableBodyError("no_batch", f"The member `batch` {came}; expected a list of calls.")
    if len(items) > most_calls:
        raise UnreadableBodyError(
            "too_many_calls",
            f"The batch has {len(items):,} calls; expected at most {most_calls:,}. Send it in several requests.",
        )
    return items


def write_key_in(members: Mapping[str, Any]) -> str | None:
    """Return the key that a body bears, under Segment's name (`writeKey`) or PostHog's (`api_key`); None if none."""
    for name in ("writeKey", "api_key"):
        key = members.get(name)
        if isinstance(key, str) and key.strip() and key.isprintable():
            return key.strip()
    return None


def _read_leniently(body: bytes) -> object:
    # A byte that is no UTF-8 becomes a lone surrogate, which is treated as those that come as an escape.
    text = body.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    if _depth(text) > _DEEPEST:
        raise UnreadableBodyError(
            "too_deep", f"The body nests lists and objects more than {_DEEPEST} deep; flatten what it holds."
        )
    try:
        return json.loads(text, parse_int=_whole_number)
    except ValueError as error:
        raise UnreadableBodyError("not_json", f"The body is not JSON ({error}); expected a JSON object.") from None


def _depth(text: str) -> int:
    """Return how deep lists and objects are nested in JSON, its texts left aside."""
    characters = np.frombuffer(_TEXT.sub("", text).encode("ascii", "replace"), dtype=np.uint8)
    opens, closes = (np.isin(characters, np.frombuffer(some, dtype=np.uint8)) for some in (b"[{", b"]}"))
    steps = opens.astype(np.int8) - closes
    return int(np.cumsum(steps, dtype=np.int32).max(initial=0))


def _whole_number(digits: str) -> int | float:
    """Return an integer, infinity for what no number of ours can hold: Python refuses to read very long ones."""
    return int(digits) if len(digits) <= _LONGEST_WHOLE_NUMBER else float(digits)


def _kind(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, str):
        return "a text"
    return "a list" if isinstance(value, list) else "an object" if isinstance(value, dict) else "a number"
