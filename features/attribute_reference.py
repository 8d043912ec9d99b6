"""Attributes as a business has them: which can be learnt from, of what kind, with which categories."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.attributes import AttributeColumn, AttributeKind, Attributes, as_date, as_number
from features.slug import attribute_feature_name

__all__ = ["MAX_ATTRIBUTES", "AttributeReference", "find_attributes"]

MAX_ATTRIBUTES = 200

# A category of fewer customers says nothing of the next one; where most are like this, they are ids or free text.
_FEWEST_CUSTOMERS = 5
_MANY_CATEGORIES = 100
_FEWEST_CUSTOMERS_OF_MANY = 20  # on average
_MAX_CATEGORIES = 200


@dataclass(frozen=True, slots=True)
class AttributeReference:
    """One attribute as a business has it.

    Attributes
    ----------
    kind : {"number", "category", "date"}
    categories : tuple of str
        Those that enough customers have, ascending; a category's position is its code. None of other kinds.
    """

    kind: AttributeKind
    categories: tuple[str, ...] = ()

    def read(self, column: AttributeColumn, as_of: int) -> NDArray[np.float64]:
        """Return each customer's value as last learnt before an instant.

        Returns
        -------
        float64, length n_customers
            The number, days since 1970-01-01, or the code in `categories`; NaN without one, for a category that is not
            among them, and for what is of another kind.
        """
        if column.kind == self.kind != "category":
            return column.at(as_of)
        # What came as another kind this time is read as the text that it would have been written as.
        as_categories = column.as_categories()
        found = [self._read_text(text) for text in as_categories.texts]
        # The last one stands for no value.
        meanings = np.array([*(np.nan if value is None else value for value in found), np.nan])
        read: NDArray[np.float64] = meanings[np.nan_to_num(as_categories.at(as_of), nan=-1.0).astype(np.int64)]
        return read

    def _read_text(self, text: str) -> float | None:
        if self.kind == "number":
            return as_number(text)
        if self.kind == "date":
            return as_date(text)
        code = bisect_left(self.categories, text)
        return code if self.categories[code : code + 1] == (text,) else None


def find_attributes(attributes: Attributes, as_of: int) -> tuple[dict[str, AttributeReference], list[str]]:
    """Find the attributes that a model can learn from in what was known before an instant.

    Left out are attributes of which nothing was known, those with more than 100 categories of fewer than 20 customers
    each on average (ids, names, addresses), those of which no category has 5 customers, and what is beyond the 200 that
    most customers have. Categories of fewer than 5 customers, and those beyond the 200 most frequent, count as missing.

    Returns
    -------
    taken : dict of name to AttributeReference
        Those that most customers have first, ties by name.
    left_out : list of str
        Names of others, each with the reason.
    """
    known = attributes.before(as_of).columns
    latest = {name: column.at(as_of) for name, column in known.items()}
    filled = {name: int(np.count_nonzero(~np.isnan(values))) for name, values in latest.items()}
    taken: dict[str, AttributeReference] = {}
    left_out: list[str] = []
    feature_names: set[str] = set()
    for name in sorted((name for name in filled if filled[name]), key=lambda name: (-filled[name], name)):
        found = _look_at(known[name], latest[name])
        if isinstance(found, str):
            left_out.append(f"attribute {name}: {found}")
        elif (feature_name := attribute_feature_name(name, is_date=found.kind == "date")) in feature_names:
            left_out.append(f"attribute {name}: the name of another one differs in white space or punctuation only")
        elif len(taken) == MAX_ATTRIBUTES:
            left_out.append(f"attribute {name}: not among the {MAX_ATTRIBUTES} that most customers have")
        else:
            taken[name] = found
            feature_names.add(feature_name)
    return taken, left_out


def _look_at(column: AttributeColumn, latest: NDArray[np.float64]) -> AttributeReference | str:
    """Return what an attribute is, or why it is left out."""
    kind = _kind(column)
    if kind != "category":
        return AttributeReference(kind)
    codes = latest[~np.isnan(latest)].astype(np.int64)
    customers = np.bincount(codes, minlength=len(column.texts))
    n_categories = int(np.count_nonzero(customers))
    if n_categories > _MANY_CATEGORIES and len(codes) < _FEWEST_CUSTOMERS_OF_MANY * n_categories:
        return f"{n_categories:,} categories of few customers each, as ids have"
    # Stable, so that ties go by name.
    most_frequent = np.argsort(-customers, kind="stable")[:_MAX_CATEGORIES]
    kept = np.sort(most_frequent[customers[most_frequent] >= _FEWEST_CUSTOMERS])
    if not kept.size:
        return f"no category has at least {_FEWEST_CUSTOMERS} customers"
    return AttributeReference("category", tuple(column.texts[code] for code in kept))


def _kind(column: AttributeColumn) -> AttributeKind:
    """Kind of the values of a column: what later values make of it does not count."""
    if column.kind != "category":
        return column.kind
    texts = [column.texts[code] for code in np.unique(column.values).astype(np.int64)]
    if all(as_number(text) is not None for text in texts):
        return "number"
    return "date" if all(as_date(text) is not None for text in texts) else "category"
