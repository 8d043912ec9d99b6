"""How some features are computed together: what to measure, which formulas to run, what to leave missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Self

import numpy as np
from numpy.typing import NDArray

from features.aggregate import Aggregate, Program
from features.event_log import EventLog
from features.families.attributes import attribute_feature_of
from features.feature import Feature, Formula
from features.kernels.frames import put_in_rows
from features.reference import Reference
from features.windows import Snapshot

__all__ = ["FeaturePlan"]


@dataclass(frozen=True, slots=True, eq=False)
class _Step:
    """Features that share a formula, so that one call computes them all.

    Attributes
    ----------
    formula : callable
    arguments : tuple of slice
        Rows of the gathered inputs, one slice an argument, each with one row a feature.
    results : slice
        Rows that take the features.
    """

    formula: Formula
    arguments: tuple[slice, ...]
    results: slice


@dataclass(frozen=True, slots=True, eq=False)
class FeaturePlan:
    """Some features, and how to compute them: made once, used for every snapshot and customer.

    Attributes
    ----------
    features : tuple of Feature, length k
        Columns of the frames that it gives.
    aggregates : tuple of Aggregate
        What has to be measured, each once.
    program : Program
        The same, ready to be measured.
    n_rows : int
        Of the array that `evaluate` works on: the aggregates, the results of formulas, and a last one for attributes.
    """

    features: tuple[Feature, ...]
    aggregates: tuple[Aggregate, ...]
    program: Program
    n_rows: int
    _gathered: NDArray[np.intp]  # positions of the aggregates that are arguments of the steps
    _steps: tuple[_Step, ...]
    _row: NDArray[np.uintp]  # in which each feature is found
    _kinds: tuple[str, ...]  # of data
    _gates: NDArray[np.int64]  # shape (3, n_gates): position of a feature, of its kind of data, and its longest window
    _attributes: dict[str, int]  # positions by name

    @classmethod
    def of(cls, features: Sequence[Feature]) -> Self:
        """Plan some features; those of the purchase model are left out, since that adds them itself."""
        # Of features by one name the last is meant.
        kept = tuple({feature.name: feature for feature in features if feature.source != "btyd"}.values())
        aggregates = tuple(dict.fromkeys(a for feature in kept for a in feature.inputs))
        position_of = {a: i for i, a in enumerate(aggregates)}
        by_formula: dict[Formula, list[int]] = {}
        for i, feature in enumerate(kept):
            if feature.formula is not None:
                by_formula.setdefault(feature.formula, []).append(i)
        gathered, steps = _steps(
            [(formula, [kept[i].inputs for i in members]) for formula, members in by_formula.items()], position_of
        )
        computed = list(chain.from_iterable(by_formula.values()))
        attributes = {feature.name: i for i, feature in enumerate(kept) if feature.source == "attributes"}
        n_rows = len(aggregates) + len(computed) + 1
        row = np.full(len(kept), n_rows - 1, dtype=np.uintp)
        row[computed] = np.arange(len(aggregates), n_rows - 1)
        for i, feature in enumerate(kept):
            if feature.source == "log" and feature.formula is None:
                row[i] = position_of[feature.inputs[0]]
        kinds = {key: i for i, key in enumerate(dict.fromkeys(key for feature in kept for key in feature.gates))}
        gates = [(i, kinds[key], feature.longest_window) for i, feature in enumerate(kept) for key in feature.gates]
        return cls(
            features=kept,
            aggregates=aggregates,
            program=Program.of(aggregates),
            n_rows=n_rows,
            _gathered=np.array(gathered, dtype=np.intp),
            _steps=tuple(steps),
            _row=row,
            _kinds=tuple(kinds),
            _gates=np.array(gates, dtype=np.int64).reshape(-1, 3).T,
            _attributes=attributes,
        )

    def evaluate(self, rows: NDArray[np.float64], values: NDArray[np.float64]) -> None:
        """Compute the features that come from the log, and leave attributes missing.

        Parameters
        ----------
        rows : float64, shape (n_rows, n_customers, n_snapshots), contiguous
            The measured aggregates come first; what formulas make of them goes into the others.
        values : float64, shape (n_snapshots, n_customers, k)
            Takes the features.
        """
        # A feature that is an aggregate as it stands needs no copy of it.
        columns = rows.reshape(self.n_rows, rows.shape[1] * rows.shape[2])
        arguments = columns[self._gathered]
        results = columns[len(self.aggregates) :]
        for step in self._steps:
            results[step.results] = step.formula(*(arguments[argument] for argument in step.arguments))
        results[-1] = np.nan
        put_in_rows(columns, self._row, values)

    def missing(self, reference: Reference, snapshot: Snapshot) -> NDArray[np.intp]:
        """Return the positions of the features whose data has not been there for as long as they look back."""
        feature, kind, window = self._gates
        never = snapshot.last_day + 1
        since = np.array([reference.first_days.get(key, never) for key in self._kinds], dtype=np.int64)
        too_short: NDArray[np.intp] = feature[since[kind] > snapshot.last_day - np.maximum(window, 1) + 1]
        return too_short

    def read_attributes(
        self, log: EventLog, snapshot: Snapshot, reference: Reference, values: NDArray[np.float64]
    ) -> None:
        """Put the attributes that the reference has into their columns of `values`, shape (n, k)."""
        if not self._attributes:
            return
        for name, known in reference.attributes.items():
            position = self._attributes.get(attribute_feature_of(name, known.kind).name)
            if position is not None:
                column = reference.attribute(log.attributes, name, snapshot.as_of)
                values[:, position] = snapshot.last_day - column if known.kind == "date" else column


def _steps(
    groups: Sequence[tuple[Formula, Sequence[tuple[Aggregate, ...]]]], position: dict[Aggregate, int]
) -> tuple[list[int], list[_Step]]:
    """Lay out the arguments of each formula side by side.

    Parameters
    ----------
    groups : sequence of (formula, inputs of each feature)
    position : dict
        Of each aggregate among those measured.

    Returns
    -------
    gathered : list of int
        Positions of aggregates in the order in which the steps take them.
    steps : list of _Step
    """
    gathered: list[int] = []
    steps: list[_Step] = []
    n_results = 0
    for formula, inputs in groups:
        slices = []
        for argument in zip(*inputs, strict=True):
            slices.append(slice(len(gathered), len(gathered) + len(argument)))
            gathered.extend(position[a] for a in argument)
        steps.append(_Step(formula, tuple(slices), slice(n_results, n_results + len(inputs))))
        n_results += len(inputs)
    return gathered, steps
