"""From SHAP contributions to reasons: ranked numbers that sum, and a sentence that a person can say.

Contributions are in log-odds. They are ranked and compared here, never turned into percentage points.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from models.binary_classifier import FloatArray
from models.exceptions import InputError

__all__ = ["Reason", "ReasonPhrase", "Wording", "reasons_of", "sentence", "top_contributions"]

# A driver weaker than this share of the strongest one is not worth a person's breath.
_FAINT = 0.1
# A driver against is said where it weighs at least this share of the strongest one for.
_STRONG_AGAINST = 0.5


class ReasonPhrase(Protocol):
    """What a feature says of itself; the catalogue's features fit it."""

    @property
    def name(self) -> str:
        """Name of the feature."""
        ...

    @property
    def driver(self) -> str:
        """Group of features that tell the same story, such as inactivity, frequency, value, rhythm, season."""
        ...

    def tell(self, value: float, currency: str) -> str:
        """Return a clause with the customer's own number, as "it has been 97 days since the last purchase".

        The value is NaN where it is missing; the clause then says what its absence means ("there was only one
        purchase so far"). An empty clause stands for a feature that has nothing to say at this value.
        """
        ...


@dataclass(frozen=True)
class Reason:
    """One feature's part in one customer's score.

    Attributes
    ----------
    feature, driver : str
        Name of the feature and of the group it belongs to.
    value : float or None
        The customer's own value; None where missing.
    contribution : float
        Log-odds; above 0 pushes towards the target.
    text : str
        The clause, not capitalised and without a full stop; may be empty.
    """

    feature: str
    driver: str
    value: float | None
    contribution: float
    text: str


@dataclass(frozen=True)
class Wording:
    """The words around the clauses, which depend on the target.

    Attributes
    ----------
    nothing_towards : str
        Said where nothing pushes towards the target, such as "Nothing in the history points to leaving".
    against : str
        Opens what speaks against it.
    """

    nothing_towards: str = "Nothing in the history points to leaving"
    against: str = "On the other hand,"


def top_contributions(
    contributions: FloatArray, k: int
) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return each row's k largest contributions by absolute size, and the sum of all others.

    Parameters
    ----------
    contributions : ndarray, shape (n, n_features)
        SHAP values in log-odds, finite.
    k : int
        How many to keep, from 1; all of them if there are fewer.

    Returns
    -------
    index : ndarray of int16, shape (n, min(k, n_features))
        Columns, largest first; of equal ones the lower column first.
    value : ndarray of float64, same shape
        Their contributions.
    other : ndarray of float64, shape (n,)
        Sum of the rest, so that base_value + value.sum(axis=1) + other is the raw margin.

    Raises
    ------
    InputError
        k below 1, an array that is not two-dimensional, values that are not finite, or more columns than int16 counts.
    """
    values = np.array(contributions, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] > np.iinfo(np.int16).max or not np.isfinite(values).all():
        raise InputError(
            f"expected finite contributions of shape (n, n_features) with up to 32,767 features, got shape "
            f"{values.shape} with {int((~np.isfinite(values)).sum())} not finite"
        )
    if k < 1:
        raise InputError(f"expected to keep at least 1 contribution a row, got k = {k}")
    n_kept = min(k, values.shape[1])
    rows = np.arange(len(values))
    size = np.abs(values)
    index = np.empty((len(values), n_kept), dtype=np.int16)
    value = np.empty((len(values), n_kept))
    # k passes of argmax, since it takes the first of equal values; argpartition leaves ties to chance.
    for position in range(n_kept):
        largest = size.argmax(axis=1)
        index[:, position] = largest
        value[:, position] = values[rows, largest]
        size[rows, largest] = -1.0
        values[rows, largest] = 0.0
    return index, value, values.sum(axis=1)


def reasons_of(
    index: Sequence[int] | npt.NDArray[np.int16],
    value: Sequence[float] | FloatArray,
    features: FloatArray,
    phrases: Sequence[ReasonPhrase],
    *,
    currency: str,
) -> tuple[Reason, ...]:
    """Return one customer's reasons, in the order given.

    Parameters
    ----------
    index, value : shape (k,)
        One row of ``top_contributions``, without the padding that a store may add.
    features : ndarray, shape (n_features,)
        The customer's feature values; NaN is missing.
    phrases : sequence of ReasonPhrase, length n_features
        The features, in the order of the columns.
    currency : str
        Handed to the clauses.

    Raises
    ------
    InputError
        Lengths that differ.
    """
    if len(index) != len(value) or len(features) != len(phrases):
        raise InputError(
            f"expected as many contributions as indices and as many values as phrases, got {len(value)} for "
            f"{len(index)} and {len(features)} for {len(phrases)}"
        )
    reasons = []
    for column, contribution in zip(index, value, strict=True):
        phrase, own = phrases[int(column)], float(features[int(column)])
        reasons.append(
            Reason(
                feature=phrase.name,
                driver=phrase.driver,
                value=None if np.isnan(own) else own,
                contribution=float(contribution),
                text=phrase.tell(own, currency),
            )
        )
    return tuple(reasons)


def sentence(reasons: Sequence[Reason], *, wording: Wording, most_towards: int = 3, most_against: int = 1) -> str:
    """Return the reasons as one or two English sentences that a retention agent can say.

    Each driver speaks once: features of one driver share what they know, and trees deal it out among them with either
    sign, so the driver's sum decides whether it pushes towards the target or against, and its strongest feature in that
    direction gives the clause. Drivers come strongest first. A driver under a tenth of the strongest is left out; one
    against the target is added to reasons for it where it weighs at least half as much as the strongest of those.

    Parameters
    ----------
    reasons : sequence of Reason
        One customer's, in any order.
    wording : Wording
        The words around the clauses.
    most_towards, most_against : int
        Clauses at most in either sentence.

    Returns
    -------
    str
        Such as "It has been 97 days since the last purchase and there were no purchases in the last 90 days. On the
        other hand, there were 12 purchases in the year before."
    """
    towards, against = _by_direction(reasons)
    for_text = _joined([reason.text for _, reason in towards[:most_towards]])
    if not towards:
        against_text = _joined([reason.text for _, reason in against[:most_against]])
        return f"{wording.nothing_towards}: {against_text}." if against_text else f"{wording.nothing_towards}."
    strong = [reason.text for weight, reason in against if weight >= _STRONG_AGAINST * towards[0][0]]
    first = f"{for_text[0].upper()}{for_text[1:]}."
    return f"{first} {wording.against} {_joined(strong[:most_against])}." if strong[:most_against] else first


def _by_direction(reasons: Sequence[Reason]) -> tuple[list[tuple[float, Reason]], list[tuple[float, Reason]]]:
    """Return (weight, speaking reason) of each driver towards the target, and of each against, strongest first."""
    drivers: dict[str, list[Reason]] = {reason.driver: [] for reason in reasons}
    for reason in reasons:
        drivers[reason.driver].append(reason)
    sums = {driver: sum(reason.contribution for reason in members) for driver, members in drivers.items()}
    strongest = max((abs(total) for total in sums.values()), default=0.0)
    towards: list[tuple[float, Reason]] = []
    against: list[tuple[float, Reason]] = []
    for driver, members in drivers.items():
        total = sums[driver]
        speakers = [reason for reason in members if reason.contribution * total > 0 and reason.text]
        if not speakers or abs(total) < _FAINT * strongest:
            continue
        speaker = max(speakers, key=lambda reason: abs(reason.contribution))
        (towards if total > 0 else against).append((abs(total), speaker))
    for side in (towards, against):
        side.sort(key=lambda weighed: (-weighed[0], weighed[1].feature))
    return towards, against


def _joined(clauses: Sequence[str]) -> str:
    if len(clauses) < 2:
        return "".join(clauses)
    return f"{', '.join(clauses[:-1])} and {clauses[-1]}"
