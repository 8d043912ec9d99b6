"""One target from labelled rows to a calibrated model: leak guard, search, evaluation against baselines, final fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

from features.attributes import ALWAYS_KNOWN, Attributes
from features.catalogue import features_for
from features.families.attributes import attribute_feature_of
from features.reference import Reference
from features.targets import Target
from models.bundle import TargetModel
from models.leak_guard import Leak, find_leaks
from store.training_request import TrainingRequest
from training.cross_validation import cross_validate
from training.dataset import Dataset, Rows
from training.evaluate import evaluate_target
from training.exceptions import TrainingError
from training.fit import ClassifierSettings, fit_evaluated, fit_final
from training.monotone import monotone_directions
from training.progress import Progress
from training.search import SearchResult, search

__all__ = [
    "Candidates",
    "ChampionSettings",
    "FittedTarget",
    "candidate_features",
    "fit_by_cross_validation",
    "fit_by_dataset",
    "require_known_names",
]


@dataclass(frozen=True, slots=True)
class Candidates:
    """The features that a model may use.

    Attributes
    ----------
    names : tuple of str
    undated : tuple of str
        Those of them that are attributes which, for some customers, came without the day on which they were learnt.
    dates : tuple of str
        Those undated attributes that are dates themselves.
    """

    names: tuple[str, ...]
    undated: tuple[str, ...]
    dates: tuple[str, ...]


def candidate_features(
    reference: Reference, attributes: Attributes, *, history_days: int, leave_out: Sequence[str]
) -> Candidates:
    """Return the features that a log of this length can teach a model anything by.

    Parameters
    ----------
    reference : Reference
        What data the business has.
    attributes : Attributes
        Of its customers.
    history_days : int
    leave_out : sequence of str
        Names of features, or of attributes as they were sent.
    """
    unwanted = _features_named(leave_out)
    names = tuple(
        feature.name
        for feature in features_for(reference)
        if feature.needs_history_days <= history_days and feature.name not in unwanted
    )
    kinds = {
        attribute_feature_of(name, told.kind).name: told.kind
        for name, told in reference.attributes.items()
        if name in attributes.columns and (attributes.columns[name].learnt_at == ALWAYS_KNOWN).any()
    }
    undated = tuple(name for name in names if name in kinds)
    return Candidates(names, undated, tuple(name for name in undated if kinds[name] == "date"))


def require_known_names(names: Sequence[str], reference: Reference) -> None:
    """Raise `TrainingError` for a name that is neither that of a feature nor of an attribute.

    Parameters
    ----------
    names : sequence of str
        As given by whoever wants features left out or kept.
    reference : Reference
        What data the business has.
    """
    known = [*(feature.name for feature in features_for(reference)), *sorted(reference.attributes)]
    for name in names:
        if name not in known:
            close = get_close_matches(name, known, n=2)
            hint = f" Did you mean {' or '.join(close)}?" if close else ""
            raise TrainingError(f"There is no feature and no attribute by the name of {name!r}.{hint}")


def _features_named(names: Sequence[str]) -> set[str]:
    """Return the features that are meant by names of features, or of attributes as they were sent."""
    of_attributes = {attribute_feature_of(name, kind).name for name in names for kind in ("number", "date")}
    return {*names, *of_attributes}


@dataclass(frozen=True, slots=True)
class ChampionSettings:
    """What the champion was fitted with, to be tried on the rows of a challenger.

    Attributes
    ----------
    version : int
    target : Target
        Its leading one.
    settings : ClassifierSettings
    """

    version: int
    target: Target
    settings: ClassifierSettings


@dataclass(frozen=True, slots=True)
class FittedTarget:
    """A model with its report.

    Attributes
    ----------
    model : TargetModel
        Fitted on all labelled rows.
    report : dict
        Of the evaluated model; JSON-safe.
    champion : dict or None
        AUC and log loss that the champion's settings reach on the same rows, with its version.
    """

    model: TargetModel
    report: dict[str, Any]
    champion: dict[str, Any] | None


def fit_by_dataset(
    dataset: Dataset,
    all_rows: Callable[[], Rows],
    target: Target,
    candidates: Candidates,
    request: TrainingRequest,
    *,
    champion: ChampionSettings | None,
    progress: Progress,
) -> FittedTarget:
    """Fit on divided rows, measure on those kept for the test, then fit for good.

    Parameters
    ----------
    dataset : Dataset
    all_rows : callable
        Gives the rows of the final fit.
    target : Target
    candidates : Candidates
    request : TrainingRequest
    champion : ChampionSettings, optional
        Tried on the same rows where its target is the same.
    progress : Progress
    """
    usable, leaks = _without_leaks(dataset.train, candidates, candidates.undated, request)
    found = search(
        dataset,
        usable,
        monotone=monotone_directions(target, usable),
        trials=request.trials,
        seed=request.seed,
        time_limit_seconds=request.time_limit_seconds,
        progress=lambda done: progress(f"Searching settings: {target.name}", done),
    )
    step = f"Evaluating: {target.name}"
    progress(step, 0.0)
    evaluated = fit_evaluated(found.settings, dataset, target, seed=request.seed)
    report = evaluate_target(evaluated, dataset, found.settings, seed=request.seed)
    compared = None
    if champion is not None and champion.target == target:
        settings = champion.settings.among(usable)
        if settings.features:
            theirs = fit_evaluated(settings, dataset, target, seed=request.seed)
            figures = evaluate_target(theirs, dataset, settings, seed=request.seed)
            compared = _compared(champion, figures)
    progress(step, 0.5)
    final_settings = found.settings.with_rounds_of(evaluated.classifier)
    model = fit_final(final_settings, all_rows(), target, seed=request.seed)
    model = replace(model, makes_segment=report.get("makes_segment", True))
    progress(step, 1.0)
    return FittedTarget(model, {**report, **_told(final_settings, found, leaks)}, compared)


def fit_by_cross_validation(
    rows: Rows,
    all_rows: Callable[[], Rows],
    customer_ids: Sequence[str],
    snapshot_date: str,
    target: Target,
    candidates: Candidates,
    request: TrainingRequest,
    *,
    champion: ChampionSettings | None,
    progress: Progress,
) -> FittedTarget:
    """Measure by five folds, with the search inside the others each time, then fit on all rows.

    Parameters
    ----------
    rows : Rows
        One a customer.
    all_rows : callable
        Gives the rows of the final fit: the same customers, with the features that scoring will give them.
    customer_ids : sequence of str, length n
    snapshot_date : str
        ISO date that the features speak of.
    target : Target
    candidates : Candidates
    request : TrainingRequest
    champion : ChampionSettings, optional
        Tried on the same folds where its target is the same.
    progress : Progress
    """
    # Labels without a date may be older than what is known of the customer by now, events included.
    usable, leaks = _without_leaks(rows, candidates, candidates.names, request)
    found = cross_validate(
        rows,
        usable,
        customer_ids=customer_ids,
        target=target,
        trials=request.trials,
        seed=request.seed,
        time_limit_seconds=request.time_limit_seconds,
        progress=lambda done: progress(f"Cross-validating: {target.name}", done),
    )
    compared = None
    if champion is not None and champion.target == target and (settings := champion.settings.among(usable)).features:
        compared = _compared(champion, found.with_settings(settings, rows, target, seed=request.seed))
    model = fit_final(found.search.settings, all_rows(), target, seed=request.seed)
    report: dict[str, Any] = {
        **found.report(),
        "target": target.to_dict(),
        "splits": "five folds of customers",
        "snapshots": {"train": [snapshot_date], "early_stopping": [], "calibration": [], "test": snapshot_date},
        **_told(found.search.settings, found.search, leaks),
    }
    report["search"]["stopped_by_time"] = found.stopped_by_time
    return FittedTarget(model, report, compared)


def _compared(champion: ChampionSettings, figures: Mapping[str, Any]) -> dict[str, Any]:
    return {"version": champion.version, "auc": figures["auc"], "log_loss": figures["log_loss"]}


def _without_leaks(
    rows: Rows, candidates: Candidates, suspects: tuple[str, ...], request: TrainingRequest
) -> tuple[tuple[str, ...], tuple[Leak, ...]]:
    """Leave out what tells the label by itself, unless it is to be kept.

    What was known before the snapshot can't know what came after it. Attributes that came without the day on which they
    were learnt can, as they may have been filled in later.
    """
    leaks: tuple[Leak, ...] = ()
    if suspects:
        categorical = [name for name in suspects if name in rows.categorical]
        leaks = find_leaks(rows.inputs(suspects), rows.y, suspects, categorical, always_known=candidates.dates)
    found = {leak.feature for leak in leaks} - _features_named(request.keep)
    return tuple(name for name in candidates.names if name not in found), leaks


def _told(settings: ClassifierSettings, found: SearchResult, leaks: Sequence[Leak]) -> dict[str, Any]:
    return {
        "classifier_settings": settings.to_dict(),
        "search": {
            "trials": found.trials,
            "stopped_by_time": found.stopped_by_time,
            "selection_log_loss": found.selection_log_loss,
        },
        "leaks": [{"feature": leak.feature, "auc": leak.auc, "why": leak.why} for leak in leaks],
    }
