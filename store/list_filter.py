"""Which customers of a list are wanted: by reason, by attribute, by least numbers; read with the rows, by index."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, RowMapping
from sqlalchemy.orm import InstrumentedAttribute, Session

from store.bulk_read import read_blocks
from store.customer_keys import among
from store.tables import Score
from store.tables.base import to_microseconds

__all__ = ["AttributeWanted", "ListFilter", "ReasonWanted"]

_KEYS_A_STATEMENT = 500

# Of one customer, what was learnt last of an attribute: its kind, number and text.
_Known = tuple[str, float | None, str | None]


@dataclass(frozen=True, slots=True)
class ReasonWanted:
    """A feature among the stored reasons, whichever way it pushes, or only towards the target or against it."""

    feature: str
    direction: Literal["towards", "against"] | None = None

    def is_among(self, reasons: Sequence[Sequence[Any]]) -> bool:
        """Whether the reasons as stored, [feature, value, contribution], have it."""
        return any(name == self.feature and self._is_so(contribution) for name, _, contribution in reasons)

    def _is_so(self, contribution: float) -> bool:
        return self.direction is None or (contribution > 0) == (self.direction == "towards")


@dataclass(frozen=True, slots=True)
class AttributeWanted:
    """What an attribute has to be.

    Attributes
    ----------
    name : str
    relation : {"=", ">=", "<="}
        Numbers compare as numbers; dates in ISO 8601 as dates; with "=" a text has to be the same.
    value : str
    """

    name: str
    relation: Literal["=", ">=", "<="]
    value: str

    def is_met(self, known: _Known | None) -> bool:
        """Whether what was learnt last meets it; nothing learnt never does."""
        if known is None:
            return False
        kind, number, text = known
        if kind == "number":
            wanted = _number(self.value)
            return wanted is not None and number is not None and _compare(number, self.relation, wanted)
        if text is None or (kind != "date" and self.relation != "="):
            return False
        return _compare(text, self.relation, self.value)


@dataclass(frozen=True, slots=True)
class ListFilter:
    """What is wanted of a customer, all of it.

    Attributes
    ----------
    propensity : str or None
        The target whose probability and reasons are meant; None for churn.
    reasons : tuple of ReasonWanted
    attributes : tuple of AttributeWanted
        As known at the run's as_of.
    min_probability, min_value_at_risk, min_clv : float or None
        A customer without the number is not wanted.
    least_rank : float or None
        Below this rank of the list nobody can be wanted, so that nobody looks there.
    """

    propensity: str | None = None
    reasons: tuple[ReasonWanted, ...] = ()
    attributes: tuple[AttributeWanted, ...] = ()
    min_probability: float | None = None
    min_value_at_risk: float | None = None
    min_clv: float | None = None
    least_rank: float | None = None

    def columns(self) -> tuple[InstrumentedAttribute[Any], ...]:
        """Return the columns of a score that `kept` looks at."""
        wanted: list[InstrumentedAttribute[Any]] = []
        if self.min_value_at_risk is not None:
            wanted.append(Score.value_at_risk)
        if self.min_clv is not None:
            wanted.append(Score.clv)
        if self.propensity is not None and (self.reasons or self.min_probability is not None):
            wanted.append(Score.propensities)
        if self.propensity is None and self.min_probability is not None:
            wanted.append(Score.churn_probability)
        if self.propensity is None and self.reasons:
            wanted.append(Score.reasons)
        return tuple(wanted)

    def beyond(self, rank_value: InstrumentedAttribute[float]) -> list[ColumnElement[bool]]:
        """Return the conditions that end a list ordered by a rank, the highest first."""
        return [] if self.least_rank is None else [rank_value >= self.least_rank]

    def kept(
        self, session: Session, as_of: datetime | None, keys: Sequence[int], scores: Sequence[RowMapping]
    ) -> list[int]:
        """Return the positions, ascending, of the customers who are wanted.

        Parameters
        ----------
        session : Session
        as_of : datetime or None
            Attributes learnt from then on are not known.
        keys : sequence of int
        scores : sequence of RowMapping
            Of each customer the `columns`, by name.
        """
        found = [i for i, score in enumerate(scores) if self._keeps(score)]
        if not self.attributes or not found:
            return found
        known = _known_attributes(
            session, [keys[i] for i in found], sorted({wanted.name for wanted in self.attributes}), as_of
        )
        return [i for i in found if all(wanted.is_met(known[keys[i]].get(wanted.name)) for wanted in self.attributes)]

    def _keeps(self, score: RowMapping) -> bool:
        return (
            _reaches(score.get("value_at_risk"), self.min_value_at_risk)
            and _reaches(score.get("clv"), self.min_clv)
            and (self._keeps_propensity(score) if self.propensity is not None else self._keeps_churn(score))
        )

    def _keeps_churn(self, score: RowMapping) -> bool:
        if not _reaches(score.get("churn_probability"), self.min_probability):
            return False
        return not self.reasons or self._has_reasons(score["reasons"])

    def _keeps_propensity(self, score: RowMapping) -> bool:
        if not self.reasons and self.min_probability is None:
            return True
        stored = score["propensities"]
        told = {} if stored is None else json.loads(stored).get(self.propensity, {})
        if not _reaches(told.get("probability"), self.min_probability):
            return False
        return not self.reasons or self._has_reasons(told.get("reasons"))

    def _has_reasons(self, stored: str | Sequence[Any] | None) -> bool:
        if stored is None:
            return False
        # Most rows are told apart by their text, which costs a tenth of reading it.
        if isinstance(stored, str) and not all(json.dumps(wanted.feature) in stored for wanted in self.reasons):
            return False
        reasons: Sequence[Any] = json.loads(stored) if isinstance(stored, str) else stored
        # The last one is of all other features.
        return all(wanted.is_among(reasons[:-1]) for wanted in self.reasons)


def _reaches(number: float | None, least: float | None) -> bool:
    return least is None or (number is not None and number >= least)


def _compare(known: Any, relation: str, wanted: Any) -> bool:
    if relation == "=":
        return bool(known == wanted)
    return bool(known >= wanted if relation == ">=" else known <= wanted)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _known_attributes(
    session: Session, keys: Sequence[int], names: Sequence[str], as_of: datetime | None
) -> Mapping[int, Mapping[str, _Known]]:
    """Read what was learnt last of some attributes of customers before an instant, by index."""
    known: dict[int, dict[str, _Known]] = defaultdict(dict)
    before = "" if as_of is None else f"AND learnt_at < {to_microseconds(as_of)} "
    named = ", ".join(["{}"] * len(names))
    for some in _in_parts(keys):
        statement = (
            f"SELECT customer_key, name, kind, number, text FROM customer_attribute WHERE customer_key {among(some)} "
            f"AND name IN ({named}) {before}ORDER BY customer_key, name, learnt_at"
        )
        for rows in read_blocks(session, statement, names):
            for key, name, kind, number, text in rows:
                known[key][name] = kind, number, text
    return known


def _in_parts(keys: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(keys), _KEYS_A_STATEMENT):
        yield keys[start : start + _KEYS_A_STATEMENT]
