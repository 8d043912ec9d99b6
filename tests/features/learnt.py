"""What was learnt of customers, in short, and a hypothesis strategy that makes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
from hypothesis import strategies as st

from features.attributes import ALWAYS_KNOWN, AttributeColumn, Attributes
from tests.features.strategies import EPOCH, microseconds

__all__ = ["FIRST_LEARNT", "Learnt", "attributes_of", "learnings"]

FIRST_LEARNT = datetime(2024, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Learnt:
    """One version of one attribute of one customer; without `at` it was always known."""

    customer: str
    name: str
    value: float | str | date
    at: datetime | None = None

    @property
    def learnt_at(self) -> int:
        """Microseconds since 1970-01-01 UTC."""
        return ALWAYS_KNOWN if self.at is None else microseconds(self.at)

    @property
    def kind(self) -> str:
        """Kind of the value."""
        return "number" if isinstance(self.value, float) else "date" if isinstance(self.value, date) else "category"


def attributes_of(learnt: Sequence[Learnt], customer_ids: Sequence[str]) -> Attributes:
    """Turn what was learnt into columns, one kind an attribute; of equal instants the last one counts."""
    latest = {(each.name, each.customer, each.learnt_at): each for each in learnt}
    columns = {}
    for name in sorted({name for name, _, _ in latest}):
        mine = [latest[key] for key in sorted(latest) if key[0] == name]
        (kind,) = {each.kind for each in mine}
        texts = tuple(sorted({each.value for each in mine if isinstance(each.value, str)}))
        values = [
            float(texts.index(each.value))
            if isinstance(each.value, str)
            else float((each.value - EPOCH.date()).days)
            if isinstance(each.value, date)
            else each.value
            for each in mine
        ]
        offsets = np.searchsorted([customer_ids.index(each.customer) for each in mine], range(len(customer_ids) + 1))
        learnt_at = np.array([each.learnt_at for each in mine], dtype=np.int64)
        columns[name] = AttributeColumn(kind, offsets, learnt_at, np.array(values), texts)  # type: ignore[arg-type]
    return Attributes(columns, len(customer_ids))


_values: dict[str, st.SearchStrategy[Any]] = {
    "age": st.sampled_from((18.0, 34.0, 34.5)),
    "contract": st.sampled_from(("monthly", "yearly", "34")),
    "renewal": st.sampled_from((date(2024, 1, 31), date(1969, 12, 31))),
}


@st.composite
def _one(draw: st.DrawFn, customers: Sequence[str]) -> Learnt:
    name = draw(st.sampled_from(sorted(_values)))
    days = draw(st.none() | st.integers(0, 6))
    at = None if days is None else FIRST_LEARNT + timedelta(days=days)
    return Learnt(draw(st.sampled_from(customers)), name, draw(_values[name]), at)


def learnings(customers: Sequence[str] = ("ada", "bob", "Łucja")) -> st.SearchStrategy[list[Learnt]]:
    """Versions of three attributes of different kinds, in no order, of some customers."""
    return st.lists(_one(customers), max_size=25)
