"""The properties of an event as the JSON text that is stored, written as those of files are."""

from __future__ import annotations

import json
import math
from typing import Any

from store.ingest.calls.members import Json, MemberError, escaped
from store.ingest.cells import as_json

__all__ = ["campaign_properties", "properties_json"]

_MOST_BYTES = 16 * 1024
_LARGEST = 2**53  # integer that a float has exactly
_DIGITS = frozenset("0123456789")
_FIRST_OF_NUMBER = _DIGITS | {"-"}

_written = json.JSONEncoder(ensure_ascii=False, sort_keys=True).encode


def campaign_properties(context: Json) -> dict[str, object]:
    """Return the campaign that led here, as the properties `campaign.name`, `campaign.source` and so on."""
    campaign = context.get("campaign")
    return {f"campaign.{name}": value for name, value in campaign.items()} if isinstance(campaign, dict) else {}


def properties_json(properties: Json, where: str = "properties.") -> str | None:
    """Return the JSON of the texts, numbers and truth values among properties, in order of name; None if there is none.

    A text that reads as a number is one. Left out is what else there is (lists, objects, null, empty texts), and beyond
    16 KB the longest properties.

    Parameters
    ----------
    properties : mapping
    where : str
        Path of the mapping, for `MemberError`: a number must be finite.
    """
    kept: dict[str, Any] = {}
    for name, value in properties.items():
        if not name.isprintable():
            name = escaped(name)
        if isinstance(value, str):
            text = (value if value.isprintable() else escaped(value)).strip()
            if text:
                maybe_number = text[-1] in _DIGITS and text[0] in _FIRST_OF_NUMBER
                kept[name] = _number_or_text(text) if maybe_number else text
        elif isinstance(value, bool):
            kept[name] = value
        elif isinstance(value, (int, float)):
            kept[name] = _number(value, where, name)
    text = _written(kept)
    # No character takes more than four bytes.
    if 4 * len(text) > _MOST_BYTES and len(text.encode()) > _MOST_BYTES:
        kept = _shortest(kept)
        text = _written(kept)
    return text if kept else None


def _number_or_text(value: object) -> Any:
    """Return a value as a cell of a file is read."""
    return json.loads(as_json(value) or "null")


def _number(value: float, where: str, name: str) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        raise MemberError(where + name, value, "number", "is not a finite number")
    if not -_LARGEST < value < _LARGEST:
        return _number_or_text(value)
    whole = int(value)
    return whole if whole == value else value


def _shortest(properties: dict[str, Any]) -> dict[str, Any]:
    """Return as many properties as there is room for, short ones before long ones."""
    sizes = {name: len(_written({name: value}).encode()) for name, value in properties.items()}
    room = _MOST_BYTES - len("{}")
    kept = {}
    for name in sorted(properties, key=lambda name: (sizes[name], name)):
        room -= sizes[name]  # with two braces, where there will be a comma and a space
        if room < 0:
            break
        kept[name] = properties[name]
    return kept
