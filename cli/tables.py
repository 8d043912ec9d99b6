"""Tables and texts of the terminal, from plain values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from cli.console import bar
from features.catalogue import CATALOGUE
from features.feature import format_value
from models.reasons import Reason
from models.scoring import churn_sentence, read_reasons
from store.lists import ScoreRow

__all__ = ["at_risk_table", "churn_table", "clv_table", "notes", "reasons_table", "segments_table"]


def at_risk_table(rows: Sequence[ScoreRow], currency: str) -> Table:
    """Customers with most value at risk, each with its reasons in words."""
    table = Table("#", "customer", "value at risk", "leaves with", "clv", "last bought", "why", show_lines=True)
    for column in table.columns[2:6]:
        column.justify = "right"
    for row in rows:
        score = row.score
        reasons, _ = read_reasons(score.reasons, currency) if score.reasons else ((), 0.0)
        table.add_row(
            str(row.position),
            escape(row.customer_id),
            _money(score.value_at_risk, currency),
            _percent(score.churn_probability),
            _money(score.clv, currency),
            _days_ago(score.days_since_last_purchase),
            escape(churn_sentence(reasons)) if reasons else "",
        )
    return table


def segments_table(aggregates: Mapping[str, Any]) -> Table:
    """Customers, clv and value at risk of each segment, and why a segment is empty."""
    currency = aggregates["currency"]
    table = Table("segment", "customers", "as primary", "clv", "value at risk", "")
    for column in table.columns[1:5]:
        column.justify = "right"
    for name, sums in (*aggregates["segments"].items(), ("all customers", aggregates["total"])):
        table.add_row(
            name,
            f"{sums['customers']:,}",
            f"{sums['primary']:,}",
            _money(sums["clv"], currency),
            _money(sums["value_at_risk"], currency),
            escape(sums.get("why_empty", "")),
        )
    return table


def churn_table(report: Mapping[str, Any]) -> Table:
    """Quality of a churn model against its baselines on the test snapshot."""
    title = f"churn on {report['snapshots']['test']}: {report['n']:,} customers, {report['rate']:.1%} churned"
    table = Table("", "AUC", "", "log loss", "lift in the top tenth", "calibration error", title=title)
    rows: list[tuple[str, Mapping[str, Any]]] = [(f"this model ({report['classifier']})", report)]
    rows += [(name.replace("_", " "), figures) for name, figures in report["baselines"].items()]
    for name, figures in rows:
        table.add_row(
            name,
            _figure(figures.get("auc")),
            bar(figures["auc"]) if figures.get("auc") is not None else "",
            _figure(figures.get("log_loss")),
            _figure(figures.get("lift_at_10"), 2),
            _figure(figures.get("calibration_error")),
        )
    return table


def clv_table(report: Mapping[str, Any]) -> Group:
    """Parameters of the purchase model and its error on the hold-out against baselines."""
    holdout = report["holdout"]
    params = ", ".join(f"{name} {value:.4f}" for name, value in report["params"].items())
    title = (
        f"{report['model']} until {report['calibration_end']}, then {holdout['days']} days: purchase days a customer"
    )
    table = Table("", "mean absolute error", "", "root mean squared error", "bias", "Spearman", title=title)
    rows = [("this model", holdout), *((n.replace("_", " "), f) for n, f in holdout["baselines"].items())]
    largest = max(figures["mae"] for _, figures in rows) or 1.0
    for name, figures in rows:
        table.add_row(
            name,
            _figure(figures["mae"]),
            bar(figures["mae"] / largest),
            _figure(figures["rmse"]),
            _figure(figures.get("bias")),
            _figure(figures.get("spearman")),
        )
    fitted = f"{params} (days); log-likelihood {report['log_likelihood']:,.2f}; {report['n_customers']:,} customers"
    return Group(table, fitted)


def reasons_table(
    reasons: Sequence[Reason], *, base_value: float, other: float, raw_margin: float, currency: str
) -> Table:
    """Show the contributions of one score, which sum up, in log-odds."""
    table = Table("feature", "value", "contribution", "", "", title="reasons, in log-odds")
    table.columns[2].justify = "right"
    largest = max([abs(reason.contribution) for reason in reasons] + [abs(other)]) or 1.0
    table.add_row("base value", "", f"{base_value:+.3f}")
    for reason in reasons:
        drawn = bar(abs(reason.contribution) / largest, 10)
        table.add_row(
            reason.feature,
            "missing" if reason.value is None else _value(reason, currency),
            f"{reason.contribution:+.3f}",
            drawn,
            "towards leaving" if reason.contribution > 0 else "towards staying",
        )
    table.add_row("all other features", "", f"{other:+.3f}", bar(abs(other) / largest, 10))
    table.add_section()
    table.add_row("raw margin", "", f"{raw_margin:+.3f}")
    return table


def notes(lines: Iterable[str]) -> RenderableType:
    """Remarks, one a line."""
    return Group(*(f"• {escape(line)}" for line in lines))


def _value(reason: Reason, currency: str) -> str:
    return format_value(reason.value or 0.0, CATALOGUE[reason.feature].unit, currency)


def _money(value: float | None, currency: str) -> str:
    return "" if value is None else format_value(value, "currency", currency)


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.0%}"


def _days_ago(days: int | None) -> str:
    return "" if days is None else f"{format_value(days, 'days', '')} ago"


def _figure(value: float | None, digits: int = 4) -> str:
    return "" if value is None else f"{value:.{digits}f}"
