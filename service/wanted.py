"""What a request wants of a list, read from its parameters and held to the names that the list's run knows."""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated, Literal, cast

from fastapi import Depends

from features.attributes import as_date
from service.exceptions import ListFilterError
from service.parameters import AttributesWanted, MinClv, MinProbability, MinValueAtRisk, Reasons
from service.published_list import Listing, PublishedList
from store.list_filter import AttributeWanted, ListFilter, ReasonWanted

__all__ = ["Wanted", "WantedRows"]

# The name ends at the first relation.
_ATTRIBUTE = re.compile(r"(?P<name>.+?)(?P<relation>>=|<=|=)(?P<value>.*)", re.DOTALL)
_REASON = re.compile(r"(?P<feature>.+?)(?::(?P<direction>towards|against))?", re.DOTALL)
_NAMES_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Wanted:
    """The parameters that say which rows of a list are wanted, as they came.

    Attributes
    ----------
    reasons, attributes : tuple of str
    min_probability, min_value_at_risk, min_clv : float or None
    """

    reasons: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    min_probability: float | None = None
    min_value_at_risk: float | None = None
    min_clv: float | None = None

    def of(self, listing: Listing, published: PublishedList) -> ListFilter | None:
        """Return the filter of a list of a run; None where all rows are wanted.

        Raises
        ------
        ListFilterError
            A name that the run does not know, or a value that its relation can't compare.
        """
        if self == Wanted():
            return None
        known = published.aggregates
        target = known.targets.get(listing.target)
        features = () if target is None else target.features
        return ListFilter(
            propensity=listing.propensity,
            reasons=tuple(_reason(text, features) for text in self.reasons),
            attributes=tuple(_attribute(text, known.attributes) for text in self.attributes),
            min_probability=self.min_probability,
            min_value_at_risk=self.min_value_at_risk,
            min_clv=self.min_clv,
            least_rank=self._least_rank(published.ranked_by(listing)),
        )

    def _least_rank(self, ranked_by: str) -> float | None:
        """Return below which rank of the list nobody can be wanted."""
        if ranked_by == "value_at_risk":
            # Who has none is ranked by clv, and is not wanted wherever that is.
            return self.min_value_at_risk
        return self.min_probability if ranked_by.endswith(("_probability", "_propensity")) else None


def _wanted(
    reasons: Reasons = None,
    attributes: AttributesWanted = None,
    min_probability: MinProbability = None,
    min_value_at_risk: MinValueAtRisk = None,
    min_clv: MinClv = None,
) -> Wanted:
    return Wanted(tuple(reasons or ()), tuple(attributes or ()), min_probability, min_value_at_risk, min_clv)


WantedRows = Annotated[Wanted, Depends(_wanted)]


def _reason(text: str, features: Collection[str]) -> ReasonWanted:
    found = _REASON.fullmatch(text)
    feature, direction = (text, None) if found is None else (found["feature"], found["direction"])
    if features and feature not in features:
        raise ListFilterError(f"No reason is called {feature!r}. Reasons of this list: {_names(features)}.")
    return ReasonWanted(feature, cast(Literal["towards", "against"] | None, direction))


def _attribute(text: str, names: Collection[str] | None) -> AttributeWanted:
    found = _ATTRIBUTE.fullmatch(text)
    if found is None:
        raise ListFilterError(f"Expected name=value, name>=number or name<=number of an attribute, got {text!r}.")
    name, relation, value = found["name"], found["relation"], found["value"]
    if names is not None and name not in names:
        raise ListFilterError(f"No attribute is called {name!r}. Attributes there are: {_names(names)}.")
    if relation != "=" and not _is_ordered(value):
        raise ListFilterError(f"Expected a number or a date (2024-05-01) behind {name}{relation}, got {value!r}.")
    return AttributeWanted(name, cast(Literal["=", ">=", "<="], relation), value)


def _is_ordered(value: str) -> bool:
    try:
        return math.isfinite(float(value))
    except ValueError:
        return as_date(value) is not None


def _names(names: Collection[str]) -> str:
    shown = sorted(names)[:_NAMES_SHOWN]
    return (", ".join(shown) or "none") + (", …" if len(names) > len(shown) else "")
