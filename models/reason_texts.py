"""Reasons as JSON text: [[feature, value, contribution], …], of many customers at once.

Written piece by piece, since an encoder that is asked customer by customer takes several times as long, and with a run
of a million customers that is minutes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["reason_texts"]


def reason_texts(
    names: Sequence[str],
    index: NDArray[np.intp],
    values: NDArray[np.float64],
    contributions: NDArray[np.float64],
    *,
    other: NDArray[np.float64] | None = None,
    categories: Mapping[str, Sequence[str]],
) -> list[str]:
    """Return the JSON of each customer's reasons, in the order given.

    Parameters
    ----------
    names : sequence of str
        Names of the features.
    index : intp, shape (n, k)
        Which of them each reason is.
    values, contributions : float64, shape (n, k)
        The customer's own values, NaN where missing, and what they contribute; finite otherwise.
    other : float64, shape (n,), optional
        What all other features contribute; it stands last, without a name.
    categories : mapping of feature to sequence of str
        What the codes of categorical features stand for.

    Examples
    --------
    >>> reason_texts(
    ...     ("T", "colour"),
    ...     np.array([[1, 0]]),
    ...     np.array([[1.0, np.nan]]),
    ...     np.array([[0.5, -0.25]]),
    ...     other=np.array([0.125]),
    ...     categories={"colour": ("blue", "red")},
    ... )
    ['[["colour","red",0.5],["T",null,-0.25],["",null,0.125]]']
    """
    openings = [f"[{json.dumps(name)}," for name in names]
    words = [[json.dumps(text) for text in categories.get(name, ())] for name in names]

    def written(feature: int, value: float) -> str:
        if value != value:
            return "null"
        return words[feature][int(value)] if words[feature] else repr(value)

    endings = [""] * len(index) if other is None else [f',["",null,{rest!r}]' for rest in other.tolist()]
    return [
        "["
        + ",".join(
            [
                f"{openings[feature]}{written(feature, value)},{weight!r}]"
                for feature, value, weight in zip(features, own, weights, strict=True)
            ]
        )
        + ending
        + "]"
        for features, own, weights, ending in zip(
            index.tolist(), values.tolist(), contributions.tolist(), endings, strict=True
        )
    ]
