"""A stored report as tables: what is there is shown, what is missing is left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from features.targets import CHURN
from service.pages.formats import NOTHING, decimal
from service.pages.ranked import titled
from service.pages.target_report import Comparison, TargetReport, named, part_of, read_target

__all__ = ["ModelReport", "read_report"]


@dataclass(frozen=True, slots=True)
class ModelReport:
    """What a report holds, ready to be shown; every part may be empty.

    Attributes
    ----------
    targets : tuple of TargetReport
        Churn first.
    refused : tuple of (target, why)
    clv : tuple of Comparison
        Candidates, then baselines. Figures: root mean squared error, Poisson deviance, rank correlation, error of the
        total, mean absolute error of the median, in purchase days. Bars: the first.
    clv_why : str or None
        Why what is kept was kept.
    clv_facts, settings : tuple of (text, text)
    notes : tuple of str
        Without those that say again why a target was refused or a feature left out.
    """

    targets: tuple[TargetReport, ...]
    refused: tuple[tuple[str, str], ...]
    clv: tuple[Comparison, ...]
    clv_why: str | None
    clv_facts: tuple[tuple[str, str], ...]
    settings: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]


def read_report(report: Mapping[str, Any]) -> ModelReport:
    """Read a report as training stored it, or any part of one."""
    clv, refused = part_of(report, "clv"), part_of(report, "refused")
    by_name = sorted(part_of(report, "targets").items(), key=lambda item: item[0] != CHURN)
    targets = tuple(read_target(name, told) for name, told in by_name)
    told_above = (*map(str, refused.values()), *(leak.why for target in targets for leak in target.leaks))
    return ModelReport(
        targets=targets,
        refused=tuple((titled(name), str(why)) for name, why in refused.items()),
        clv=_clv_rows(clv),
        clv_why=clv.get("why"),
        clv_facts=_clv_facts(clv),
        settings=tuple(_flat(part_of(report, "settings"))),
        notes=tuple(note for note in map(str, report.get("notes") or ()) if not note.endswith(told_above)),
    )


def _clv_rows(clv: Mapping[str, Any]) -> tuple[Comparison, ...]:
    holdout, model = part_of(clv, "holdout"), str(clv.get("model", "this model"))
    if holdout.get("rmse") is None:
        return ()
    # An older release knew one model only, and told less of it.
    candidates = part_of(clv, "candidates") or {model: holdout}
    baselines = part_of(clv, "baselines") or part_of(holdout, "baselines")
    found = [*candidates.items(), *baselines.items()]
    largest = max((row.get("rmse") or 0.0 for _, row in found), default=0.0) or 1.0
    return tuple(
        Comparison(
            name=named(name),
            is_model=name in (model, clv.get("forecast")),
            figures=(
                decimal(row.get("rmse")),
                decimal(row.get("poisson_deviance")),
                decimal(row.get("spearman")),
                NOTHING if row.get("total_error") is None else f"{row['total_error']:+.1%}",
                decimal(row.get("mae_of_median")),
            ),
            bar=(row.get("rmse") or 0.0) / largest,
        )
        for name, row in found
    )


def _clv_facts(clv: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    holdout = part_of(clv, "holdout")
    facts = [
        ("hold-out", f"{holdout['days']:,} days" if "days" in holdout else None),
        ("fitted up to", clv.get("calibration_end")),
        ("customers", f"{clv['n_customers']:,}" if "n_customers" in clv else None),
        *_interval_facts(part_of(clv, "intervals")),
        ("log likelihood", f"{clv['log_likelihood']:,.1f}" if "log_likelihood" in clv else None),
        ("bias", f"{holdout['bias']:+.3f} purchase days" if holdout.get("bias") is not None else None),
        ("rank correlation", f"{holdout['spearman']:.3f}" if holdout.get("spearman") is not None else None),
        *((name, f"{value:.4g}") for name, value in part_of(clv, "params").items()),
        *((str(check["name"]).replace("_", " "), check["text"]) for check in clv.get("assumptions") or ()),
    ]
    return tuple((name, str(value)) for name, value in facts if value is not None)


def _interval_facts(intervals: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        (f"{intervals.get('level', 0.0):.0%} intervals of {words} covered", f"{covered:.1%}, ties split at random")
        for part, words in (("purchase_days", "purchases"), ("value", "value"))
        if (covered := part_of(intervals, part).get("randomised_coverage")) is not None
    ]


def _flat(settings: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Return nested settings as lines, with what is within what in the name."""
    lines: list[tuple[str, str]] = []
    for name, value in settings.items():
        if isinstance(value, Mapping):
            lines.extend(_flat(value, f"{prefix}{name}."))
        elif isinstance(value, list | tuple):
            lines.append((prefix + name, ", ".join(str(item) for item in value)))
        elif isinstance(value, bool):
            lines.append((prefix + name, "yes" if value else "no"))
        elif value is not None:
            lines.append((prefix + name, f"{value:.6g}" if isinstance(value, float) else str(value)))
    return lines
