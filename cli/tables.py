"""Tables and texts of the terminal, from plain values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.box import HORIZONTALS, SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from cli.console import bar
from features.catalogue import find_feature
from features.targets import CHURN
from models.driver_words import sides_of
from models.reasons import Reason
from service.explained import Explanation
from service.modelled_targets import in_words
from service.published_list import Listing, PublishedList
from service.run_aggregates import RunAggregates
from store.lists import ScoreRow

__all__ = [
    "clv_table",
    "notes",
    "propensities_table",
    "ranked_table",
    "reasons_table",
    "segments_table",
    "target_table",
]

_BAR = 10


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
            escape(row.customer_id),
            *([_amount(score.value_at_risk)] if by_value else []),
            *([_amount(score.clv)] if has_clv else []),
            "" if told is None else f"{told.probability:.0%}",
            *([_count(score.days_since_last_purchase)] if has_clv else []),
            "" if told is None else escape(told.sentence),
        )
    return table


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
    deviations = report.get("standard_deviation")
    on = "in five folds" if deviations else f"on {report['snapshots']['test']}"
    table = _narrow(
        "", "AUC", "", "log loss", title=f"{name} {on}: {report['n']:,} customers, {report['rate']:.1%} {came}"
    )
    _add_comparisons(table, f"this model ({report['classifier']})", report, ("auc", "log_loss"))
    table.caption = (
        f"{'mean ± standard deviation; ' if deviations else ''}"
        f"calibration error {_with_deviation(report, 'calibration_error')}, lift in the top tenth "
        f"{_with_deviation(report, 'lift_at_10', 2) or 'unknown'}"
    )
    among = report.get("among_buyers")
    if among is None or among["auc"] is None:
        return Group(table)
    buyers = _narrow("", "AUC", "", title=f"{name} among the {among['n']:,} who bought, {among['rate']:.1%} {came}")
    _add_comparisons(buyers, "this model", among, ("auc",))
    return Group(table, buyers)


def clv_table(report: Mapping[str, Any]) -> Group:
    """Parameters of the purchase model and its error on the hold-out against baselines."""
    holdout = report["holdout"]
    params = ", ".join(f"{name} {value:.4f}" for name, value in report["params"].items())
    title = (
        f"{report['model']} until {report['calibration_end']}, then {holdout['days']} days: purchase days a customer"
    )
    table = _narrow("", "MAE", "", "RMSE", "bias", "Spearman", title=title)
    rows = [("this model", holdout), *((n.replace("_", " "), f) for n, f in holdout["baselines"].items())]
    largest = max(figures["mae"] for _, figures in rows) or 1.0
    for name, figures in rows:
        table.add_row(
            name,
            _figure(figures["mae"]),
            bar(figures["mae"] / largest, _BAR),
            _figure(figures["rmse"]),
            _figure(figures.get("bias")),
            _figure(figures.get("spearman")),
        )
    fitted = f"{params} (days); log-likelihood {report['log_likelihood']:,.2f}; {report['n_customers']:,} customers"
    return Group(table, fitted)


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


def _figure(value: float | None, digits: int = 4) -> str:
    return "" if value is None else f"{value:.{digits}f}"
