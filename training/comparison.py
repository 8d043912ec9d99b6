"""A classifier beside its baselines on the same rows: how far each difference, and its calibration, can be trusted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.bootstrap import Resampling, auc_difference_interval, log_loss_difference_interval
from models.calibration_check import calibration_error_if_perfect
from models.metrics import auc, log_loss

__all__ = ["Baseline", "doubts"]

FloatArray = NDArray[np.float64]

_DRAWS = 1_000


@dataclass(frozen=True, slots=True, eq=False)
class Baseline:
    """What a baseline gives each row.

    Attributes
    ----------
    score : float64, shape (n,)
        Higher for likelier; NaN where it knows nothing of the row.
    is_probability : bool
        Whether it is a probability of the target, or a ranking only.
    """

    score: FloatArray
    is_probability: bool = False

    @property
    def known(self) -> NDArray[np.bool_]:
        """The rows that it ranks, shape (n,)."""
        return ~np.isnan(self.score)

    def figures(self, y: FloatArray) -> dict[str, float | None]:
        """Return AUC, and of a probability log loss, over the rows that it ranks."""
        y, score = y[self.known], self.score[self.known]
        figures = {"auc": auc(y, score) if len(y) else None}
        return {**figures, "log_loss": log_loss(y, score)} if self.is_probability else figures


def doubts(
    y: FloatArray,
    probability: FloatArray,
    baselines: Mapping[str, Baseline],
    *,
    customer: NDArray[Any],
    seed: int,
    fold: NDArray[np.int64] | None = None,
) -> dict[str, Any]:
    """Return how far the figures of a classifier can be trusted.

    Parameters
    ----------
    y : ndarray, shape (n,)
        Outcomes, 0 or 1.
    probability : ndarray, shape (n,)
        Given by the classifier.
    baselines : mapping of name to Baseline
        Of the same rows; at least one is a probability.
    customer : ndarray, shape (n,)
        Whose row it is, in whatever form.
    seed : int
        Of the draws.
    fold : ndarray of int64, shape (n,), optional
        The fold that each row was left out with; then all figures are means over folds.

    Returns
    -------
    dict
        JSON-safe. `differences`: of `auc` and `log_loss` the 95 % interval, from `low` to `high`, of the classifier's
        figure less that of the baseline with the best one, named by `against`; None where there are too few rows to
        say. `calibration_error_if_perfect`: `mean` and `p95` of what probabilities that are exactly right would show.
    """
    fold = np.zeros(len(y), dtype=np.int64) if fold is None else fold
    probabilities = {name: baseline for name, baseline in baselines.items() if baseline.is_probability}
    by_ranking = max(baselines, key=lambda name: _mean_figure(auc, y, baselines[name], fold))
    by_loss = min(probabilities, key=lambda name: _mean_figure(log_loss, y, probabilities[name], fold))

    def difference(against: str, interval_of: Callable[..., tuple[float, float] | None]) -> dict[str, Any]:
        known = baselines[against].known
        resampling = Resampling.of(customer[known], draws=_DRAWS, seed=seed, fold=fold[known])
        interval = interval_of(y[known], probability[known], baselines[against].score[known], resampling)
        low, high = interval or (None, None)
        return {"low": low, "high": high, "against": against}

    return {
        "differences": {
            "auc": difference(by_ranking, auc_difference_interval),
            "log_loss": difference(by_loss, log_loss_difference_interval),
        },
        "calibration_error_if_perfect": asdict(
            calibration_error_if_perfect(probability, draws=_DRAWS, seed=seed, fold=fold)
        ),
    }


def _mean_figure(
    figure_of: Callable[[FloatArray, FloatArray], float | None],
    y: FloatArray,
    baseline: Baseline,
    fold: NDArray[np.int64],
) -> float:
    """Return the mean over the folds; what can't be measured counts as 0, so that it is no one's best AUC."""
    parts = [(fold == number) & baseline.known for number in np.unique(fold[baseline.known])]
    return float(np.mean([figure_of(y[part], baseline.score[part]) or 0.0 for part in parts]))
