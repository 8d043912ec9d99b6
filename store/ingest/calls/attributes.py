"""Traits, which are what a call says of a customer or an account, as attributes of the customer."""

from __future__ import annotations

from collections.abc import Iterator

from store.ingest.attribute_kinds import AttributeValue, attribute_value
from store.ingest.calls.members import Json, MemberError, escaped, read_number

__all__ = ["category_attribute", "read_attributes"]

_LONGEST_NAME = 255
_LONGEST_TEXT = 1_000
_MOST_ATTRIBUTES = 500


def read_attributes(traits: Json, where: str, prefix: str = "") -> dict[str, AttributeValue]:
    """Return attributes by name.

    A number is a number; true and false are categories; a text is a date if it is one in ISO 8601, else a category. The
    members of an object are taken as `object.member`. Left out are null, empty texts, lists, objects within objects,
    and texts of more than 1,000 characters, which are no categories.

    Parameters
    ----------
    traits : mapping
    where : str
        Path of the mapping, ending in a dot, for `MemberError`.
    prefix : str
        Of all names.
    """
    attributes: dict[str, AttributeValue] = {}
    for holder, path, of_object in _objects(traits, where):
        for name, value in holder.items():
            attribute = _attribute(holder, name, value, path)
            if attribute is not None:
                attributes[_name(prefix + of_object + name, path + name)] = attribute
    if len(attributes) > _MOST_ATTRIBUTES:
        reason = f"holds {len(attributes):,} values; expected at most {_MOST_ATTRIBUTES}"
        raise MemberError(where.removesuffix("."), traits, "too_many", reason)
    return attributes


def category_attribute(text: str) -> AttributeValue:
    """Return a text as an attribute that is a category, whatever it looks like."""
    return "category", None, text


def _objects(traits: Json, where: str) -> Iterator[tuple[Json, str, str]]:
    """Yield the traits, then each object among them, with its path and what stands before its names."""
    yield traits, where, ""
    for name, value in traits.items():
        if isinstance(value, dict):
            yield value, f"{where}{name}.", f"{name}."


def _attribute(holder: Json, name: str, value: object, path: str) -> AttributeValue | None:
    if value is None or isinstance(value, (dict, list)):
        return None
    if isinstance(value, bool):
        return category_attribute("true" if value else "false")
    if not isinstance(value, str):
        return "number", read_number(holder, name, path), None
    text = escaped(value).strip()
    if not text or len(text) > _LONGEST_TEXT:
        return None
    date = attribute_value("date", text)
    return category_attribute(text) if date is None or date[1] is None else ("date", *date)


def _name(name: str, path: str) -> str:
    shown = name if name.isprintable() else name.encode("unicode_escape").decode("ascii")
    if len(shown) > _LONGEST_NAME:
        raise MemberError(path, None, "text", f"has a name of more than {_LONGEST_NAME} characters")
    return shown
