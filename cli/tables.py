"""Tables and texts of the terminal, from plain values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich.box import HORIZONTALS, SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from cli.console import bar
from features.catalogue import find_feature
from features.targets import CHURN
from models.change_reasons import Change
from models.driver_words import sides_of
from models.reasons import Reason
from service.explained import Explanation
from service.modelled_targets import in_words
from service.published_list import Listing, PublishedList
from service.run_aggregates import RunAggregates
from store.lists import ScoreRow

__all__ = [
    "change_table",
    "clv_table",
    "notes",
    "propensities_table",
    "ranked_table",
    "reasons_table",
    "segments_table",
    "target_table",
]

_BAR = 10

_INTERVALS = {
    "bg_nbd_without_parameter_uncertainty": "bg nbd, chance only",
    "same_poisson": "same for everybody",
}


def ranked_table(rows: Sequence[ScoreRow], listing: Listing, published: PublishedList) -> Table:
    """Customers of a list, each with the probability and the reasons of its target."""
    currency, has_clv = published.aggregates.currency, published.aggregates.has_clv
    by_value = published.ranked_by(listing) == "value_at_risk"
    table = Table(box=HORIZONTALS, show_lines=True)
    for header in ("#", "customer"):
        table.add_column(header, no_wrap=True)
    headers = [
        *([f"at risk\n{currency}"] if by_value else []),
        *([f"clv\n{currency}"] if has_clv else []),
        f"{'leaves' if listing.propensity is None else listing.propensity.replace('_', ' ')}\nwith",
        *(["last bought\ndays ago"] if has_clv else []),
    ]
    for header in headers:
        table.add_column(header, justify="right", no_wrap=True)
    table.add_column("why")
    for row in rows:
        score, told = row.score, published.explained(row.score).of(listing.target)
        table.add_row(
            str(row.position),
            "\n".join((escape(row.customer_id), *_marks(row))),
            *([_amount(score.value_at_risk)] if by_value else []),
            *([_amount(score.clv)] if has_clv else []),
            "" if told is None else f"{told.probability:.0%}",
            *([_count(score.days_since_last_purchase)] if has_clv else []),
            "" if told is None else escape(told.sentence),
        )
    return table


def _marks(row: ScoreRow) -> list[str]:
    contacted = [] if row.contacted_at is None else [f"contacted {row.contacted_at:%Y-%m-%d}"]
    return [*(["held out"] if row.held_out else []), *contacted]


def segments_table(aggregates: RunAggregates) -> Group:
    """Customers of each segment, clv and value at risk where there are any, and why a segment is empty."""
    table = Table(box=SIMPLE_HEAD)
    table.add_column("segment", no_wrap=True)
    amounts = (f"clv, {aggregates.currency}", f"value at risk, {aggregates.currency}") if aggregates.has_clv else ()
    for header in ("customers", "as primary", *amounts):
        table.add_column(header, justify="right", no_wrap=True)
    segments = aggregates.segments
    for name, sums in (*segments.items(), ("all", aggregates.total)):
        of_all = (_amount(sums.clv), _amount(sums.value_at_risk)) if aggregates.has_clv else ()
        table.add_row(name, f"{sums.customers:,}", f"{sums.primary:,}", *of_all)
    return Group(table, notes(f"{name}: {sums.why_empty}" for name, sums in segments.items() if sums.why_empty))


def propensities_table(published: PublishedList) -> Group | None:
    """Targets besides churn, whom their models judge, and how often they came about; None without any."""
    if not published.propensities:
        return None
    table = _narrow("propensity", "judged", "base rate", title=None)
    table.add_column("what has to come about")
    for name, target in published.propensities.items():
        totals = published.aggregates.targets[name]
        table.add_row(name, f"{totals.customers:,}", f"{totals.base_rate:.1%}", escape(in_words(target)))
    return Group(table, "A list of each: regulars propensity NAME")


def target_table(name: str, report: Mapping[str, Any]) -> Group:
    """Quality of the model of a target against its baselines, on all test rows and among those who buy."""
    came = "churned" if name == CHURN else "came about"
    on = "in five folds" if report.get("standard_deviation") else f"on {report['snapshots']['test']}"
    table = _narrow(
        "", "AUC", "", "log loss", title=f"{name} {on}: {report['n']:,} customers, {report['rate']:.1%} {came}"
    )
    _add_comparisons(table, f"this model ({report['classifier']})", report, ("auc", "log_loss"))
    further = "\n".join(_further(report))
    among = report.get("among_buyers")
    if among is None or among["auc"] is None:
        return Group(table, further)
    buyers = _narrow("", "AUC", "", title=f"{name} among the {among['n']:,} who bought, {among['rate']:.1%} {came}")
    _add_comparisons(buyers, "this model", among, ("auc",))
    return Group(table, further, buyers)


def _further(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield what stands under the table: lines on calibration and lift, and how far the differences can be trusted."""
    if report.get("standard_deviation"):
        yield "mean ± standard deviation"
    perfect = report.get("calibration_error_if_perfect")
    by_chance = f" (by chance alone {perfect['mean']:.4f}, up to {perfect['p95']:.4f})" if perfect else ""
    yield f"calibration error {_with_deviation(report, 'calibration_error')}{by_chance}"
    yield f"lift in the top tenth {_with_deviation(report, 'lift_at_10', 2) or 'unknown'}"
    for figure, text in (("auc", "AUC"), ("log_loss", "log loss")):
        difference = report.get("differences", {}).get(figure, {})
        if difference.get("low") is not None:
            against = difference["against"].replace("_", " ")
            yield f"{text} {difference['low']:+.4f} to {difference['high']:+.4f} against {against} (95 %)"


def clv_table(report: Mapping[str, Any]) -> Group:
    """Forecasts of purchases on the hold-out against baselines, whether intervals held, and how the fits went.

    Of a report by an older release, which knew one purchase model only, what it holds.
    """
    holdout = report["holdout"]
    candidates = report.get("candidates") or {report["model"]: {**holdout, "params": report["params"]}}
    baselines = report.get("baselines") or holdout["baselines"]
    in_use = {report["model"], report.get("forecast")}
    title = f"Purchases until {report['calibration_end']}, then {holdout['days']} days: purchase days a customer"
    table = _narrow("", "RMSE", "", "deviance", "Spearman", "total", "MAE", title=title)
    rows = [*candidates.items(), *baselines.items()]
    largest = max(figures["rmse"] for _, figures in rows) or 1.0
    for position, (name, figures) in enumerate(rows):
        table.add_row(
            f"{'* ' if name in in_use else ''}{name.replace('_', ' ')}",
            _figure(figures["rmse"]),
            bar(figures["rmse"] / largest, _BAR // 2),
            _figure(figures.get("poisson_deviance")),
            _figure(figures.get("spearman")),
            _share(figures.get("total_error")),
            _figure(figures.get("mae_of_median")),
            end_section=position == len(candidates) - 1,
        )
    table.caption = "* in use; total: how far the sum is off; MAE: mean absolute error of the median"
    parts = [
        table,
        *_intervals(report.get("intervals")),
        *_fits(report, candidates),
        *_assumptions(report.get("assumptions", ())),
    ]
    return Group(*parts, *([escape(report["why"])] if "why" in report else ()))


def _intervals(intervals: Mapping[str, Any] | None) -> Iterator[Table]:
    """Yield the table of what intervals covered, if it was measured."""
    if intervals is None:
        return
    level = f"{intervals['level']:.0%}"
    title = f"{level} intervals of {intervals['model'].replace('_', ' ')} over the same days"
    table = _narrow("", "cover", "randomised", "worst tenth", "score", title=title)
    for part in ("purchase_days", "value"):
        figures = intervals[part]
        table.add_row(
            part.replace("_", " "),
            f"{figures['coverage']:.1%}",
            f"{figures['randomised_coverage']:.1%}",
            f"off by {figures['pit_deviation_points']:.1f} points",
            f"{figures['interval_score']:,.4g}",
        )
        for name, baseline in figures.get("baselines", {}).items():
            words = _INTERVALS.get(name, name.replace("_", " "))
            table.add_row(f"  {words}", "", "", "", f"{baseline['interval_score']:,.4g}")
    yield table


def _fits(report: Mapping[str, Any], candidates: Mapping[str, Mapping[str, Any]]) -> Iterator[Table]:
    """Yield the table of parameters, with their standard errors and how sure it is that they are the best ones."""
    fits = {name: found for name, found in candidates.items() if "params" in found}
    if "gamma_gamma" in report:
        fits["gamma_gamma"] = report["gamma_gamma"]
    table = _narrow(
        "fit", "slope", "condition", title=f"Fits before the hold-out, {report['n_customers']:,} customers, in days"
    )
    table.add_column("parameters ± standard error; log-likelihood")
    for name, fit in fits.items():
        certificate = fit.get("certificate", {})
        errors = certificate.get("standard_errors", {})
        doubts = {
            **dict.fromkeys(certificate.get("not_identified", ()), " (not identified)"),
            **dict.fromkeys(certificate.get("at_bound", ()), " (at its bound)"),
        }
        params = [
            f"{param} {value:.5g}" + (doubts.get(param, "") if errors.get(param) is None else f" ± {errors[param]:.2g}")
            for param, value in fit["params"].items()
        ]
        log_likelihood = fit.get("log_likelihood", report["log_likelihood"])
        condition = certificate.get("condition_number")
        table.add_row(
            name.replace("_", " "),
            f"{certificate['gradient_norm']:.0e}" if certificate else "",
            "" if condition is None else f"{condition:.3g}",
            f"{', '.join(params)}; log-likelihood {log_likelihood:,.2f}",
        )
    yield table


def _assumptions(checks: Sequence[Mapping[str, Any]]) -> Iterator[Table]:
    """Yield the table of what the models take for granted, if it was checked."""
    if not checks:
        return
    table = _narrow("assumption", "holds", title="What the models take for granted")
    table.add_column("why")
    for check in checks:
        holds = "can't be told" if check["holds"] is None else "yes" if check["holds"] else "no"
        table.add_row(check["name"].replace("_", " "), holds, escape(check["text"]))
    yield table


def change_table(change: Change, unit: str) -> Table:
    """Show what moved one score between two dates, in its unit; the parts sum to the movement."""
    table = Table(box=SIMPLE_HEAD)
    table.add_column("what moved")
    table.add_column(unit, justify="right", no_wrap=True)
    table.add_row("before", f"{change.before:.3f}")
    for reason in change.reasons:
        table.add_row(escape(reason.text or reason.feature), f"{reason.contribution:+.3f}")
    if change.other:
        table.add_row("all other features", f"{change.other:+.3f}")
    table.add_section()
    table.add_row("now", f"{change.now:.3f}")
    return table


def reasons_table(told: Explanation, currency: str) -> Table:
    """Show the contributions of one score of a target, which sum up, in log-odds."""
    name, sides = told.target.name, sides_of(told.target.name)
    title = "reasons, in log-odds" if name == CHURN else f"reasons of {name}, in log-odds"
    table = _narrow("feature", "value", "contribution", "", "", title=title)
    table.columns[2].justify = "right"
    other = told.all_other_features
    largest = max([abs(reason.contribution) for reason in told.reasons] + [abs(other)]) or 1.0
    table.add_row("base value", "", f"{told.base_value:+.3f}")
    for reason in told.reasons:
        table.add_row(
            escape(reason.feature),
            escape(_value(reason, currency)),
            f"{reason.contribution:+.3f}",
            bar(abs(reason.contribution) / largest, _BAR),
            sides.towards if reason.contribution > 0 else sides.against,
        )
    table.add_row("all other features", "", f"{other:+.3f}", bar(abs(other) / largest, _BAR))
    table.add_section()
    table.add_row("raw margin", "", f"{told.raw_margin:+.3f}")
    return table


def notes(lines: Iterable[str]) -> RenderableType:
    """Remarks, one a line."""
    return Group(*(f"• {escape(line)}" for line in lines))


def _narrow(*headers: str, title: str | None) -> Table:
    """Return a table whose cells stay on one line, for terminals of 80 columns."""
    table = Table(title=title, box=SIMPLE_HEAD)
    for header in headers:
        table.add_column(header, no_wrap=True)
    return table


def _add_comparisons(table: Table, model: str, report: Mapping[str, Any], columns: Sequence[str]) -> None:
    """Add the model and its baselines, each with its AUC, a bar of it, and further figures."""
    rows = [(model, report), *((name.replace("_", " "), figures) for name, figures in report["baselines"].items())]
    for name, figures in rows:
        auc = figures.get("auc")
        first, *further = (_with_deviation(figures, column) for column in columns)
        table.add_row(name, first, "" if auc is None else bar(auc, _BAR), *further)


def _with_deviation(figures: Mapping[str, Any], name: str, digits: int = 4) -> str:
    deviation = (figures.get("standard_deviation") or {}).get(name)
    written = _figure(figures.get(name), digits)
    return written if deviation is None else f"{written} ± {_figure(deviation, digits)}"


def _value(reason: Reason, currency: str) -> str:
    if reason.value is None:
        return "missing"
    feature = find_feature(reason.feature)
    return str(reason.value) if feature is None else feature.written(reason.value, currency)


def _amount(value: float | None) -> str:
    return "" if value is None else f"{value:,.2f}"


def _count(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:+.1%}"


def _figure(value: float | None, digits: int = 4) -> str:
    return "" if value is None else f"{value:.{digits}f}"
