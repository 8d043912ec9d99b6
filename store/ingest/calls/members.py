"""Members of JSON objects as ids, labels, numbers and objects, by the rules that hold for the cells of files."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from store.ingest.cells import as_amount, as_id, as_label, as_number
from store.ingest.rejections import CellError

__all__ = [
    "Json",
    "MemberError",
    "as_object",
    "converted",
    "escaped",
    "if_readable",
    "read_amount",
    "read_id",
    "read_label",
    "read_number",
    "read_object",
    "required",
]

Json = Mapping[str, Any]
_T = TypeVar("_T")

_NO_MEMBERS: Json = {}
# As `as_label` has it; what is longer is left to that to refuse.
_LONGEST_LABEL = 255


class MemberError(ValueError):
    """A member of a call that can't be used.

    Parameters
    ----------
    path : str
        Where it stands, such as `properties.products[2].price`; empty if the call as a whole is to blame.
    value : object
        What stands there.
    code : str
        Short, stable name of the reason.
    reason : str
        What was expected and what came, for a person.
    """

    def __init__(self, path: str, value: object, code: str, reason: str) -> None:
        super().__init__(reason)
        self.path = path
        self.value = value
        self.code = code
        self.reason = reason


def read_id(holder: Json, name: str, where: str = "") -> str | None:
    """Return an id; a number is taken as its digits.

    Parameters
    ----------
    holder : mapping
        The object that the member stands in.
    name : str
    where : str
        Path of the holder, ending in a dot unless it is empty.
    """
    value = holder.get(name)
    if value is None:
        return None
    if type(value) is str and "." not in value and _is_plain_label(value):
        return value.strip() or None
    return converted(as_id, value, where + name)


def read_label(holder: Json, name: str, where: str = "") -> str | None:
    """Return a text of up to 255 characters."""
    value = holder.get(name)
    if value is None:
        return None
    if type(value) is str and _is_plain_label(value):
        return value.strip() or None
    return converted(as_label, value, where + name)


def read_number(holder: Json, name: str, where: str = "") -> float:
    """Return a finite number, also one that comes as text; NaN if there is none."""
    return _read(holder, name, where, as_number)


def read_amount(holder: Json, name: str, where: str = "") -> float:
    """Return a number of pieces or of money, as `read_number` does."""
    return _read(holder, name, where, as_amount)


def read_object(holder: Json, name: str, where: str = "") -> Json:
    """Return an object; one without members if there is none.

    An empty list, which is what PHP writes of an empty array, and an empty text count as none.
    """
    value = holder.get(name)
    if value is None or value == [] or (isinstance(value, str) and not value.strip()):
        return _NO_MEMBERS
    return as_object(value, where + name)


def if_readable(read: Callable[[Json, str], str | None], holder: Json, name: str) -> str | None:
    """Return a text or id that nobody needs, None too where what stands there is none."""
    try:
        return read(holder, name)
    except MemberError:
        return None


def as_object(value: object, path: str) -> Json:
    """Return a value that is an object; raise `MemberError` for any other."""
    if not isinstance(value, dict):
        raise MemberError(path, value, "object", "is not a JSON object")
    return value


def required(value: _T | None, path: str, code: str) -> _T:
    """Return a value; raise `MemberError` if there is none."""
    if value is None:
        raise MemberError(path, None, code, "is empty, but every such call needs one")
    return value


def converted(convert: Callable[[object], _T], value: object, path: str) -> _T:
    """Return what a conversion of cells makes of a text or number; raise `MemberError` for anything else."""
    try:
        return convert(_text_or_number(value))
    except CellError as error:
        raise MemberError(path, value, error.code, error.reason) from None


def escaped(text: str) -> str:
    """Return a text fit to be kept: what no database has a place for is written as an escape.

    Examples
    --------
    >>> escaped("naïve"), escaped("a" + chr(0) + chr(0xD800))
    ('naïve', 'a\\\\x00\\\\ud800')
    """
    if text.isprintable():  # which NUL and surrogates are not
        return text
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\x00")


def _is_plain_label(text: str) -> bool:
    """Whether there is nothing to be said against a text, as is usual: every call has several of them."""
    # Neither NUL nor surrogates are printable.
    return len(text) <= _LONGEST_LABEL and text.isprintable()


def _text_or_number(value: object) -> object:
    # An id that is true, or a list, is a mistake of the sender, whatever text could be made of it.
    if isinstance(value, str):
        if not value.isprintable() and escaped(value) != value:
            raise CellError("text", "contains NUL or half of a character, which no text has")
    elif isinstance(value, float) and not math.isfinite(value):
        raise CellError("number", "is not a finite number")
    elif isinstance(value, bool) or not isinstance(value, (int, float)):
        raise CellError("text", "is neither a text nor a number")
    return value


def _read(holder: Json, name: str, where: str, convert: Callable[[object], float | None]) -> float:
    value = holder.get(name)
    if value is None:
        return math.nan
    try:
        number = convert(value)
    except CellError as error:
        raise MemberError(where + name, value, error.code, error.reason) from None
    return math.nan if number is None else number
