"""Tables and texts of the terminal, from plain values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.box import HORIZONTALS, SIMPLE_HEAD
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

_BAR = 10


def at_risk_table(rows: Sequence[ScoreRow], currency: str) -> Table:
    """Customers with most value at risk, each with its reasons in words."""
    table = Table(box=HORIZONTALS, show_lines=True)
    for header in ("#", "customer"):
        table.add_column(header, no_wrap=True)
    for header in (f"at risk\n{currency}", f"clv\n{currency}", "leaves\nwith", "last bought\ndays ago"):
        table.add_column(header, justify="right", no_wrap=True)
    table.add_column("why")
    for row in rows:
        score = row.score
        reasons, _ = read_reasons(score.reasons, currency) if score.reasons else ((), 0.0)
        table.add_row(
            str(row.position),
            escape(row.customer_id),
            _amount(score.value_at_risk),
            _amount(score.clv),
            "" if score.churn_probability is None else f"{score.churn_probability:.0%}",
            "" if score.days_since_last_purchase is None else f"{score.days_since_last_purchase:,}",
            escape(churn_sentence(reasons)) if reasons else "",
        )
    return table


def segments_table(aggregates: Mapping[str, Any]) -> Group:
    """Customers, clv and value at risk of each segment, and why a segment is empty."""
    currency = aggregates["currency"]
    table = Table(box=SIMPLE_HEAD)
    table.add_column("segment", no_wrap=True)
    for header in ("customers", "as primary", f"clv, {currency}", f"value at risk, {currency}"):
        table.add_column(header, justify="right", no_wrap=True)
    segments = aggregates["segments"]
    for name, sums in (*segments.items(), ("all", aggregates["total"])):
        amounts = (_amount(sums["clv"]), _amount(sums["value_at_risk"]))
        table.add_row(name, f"{sums['customers']:,}", f"{sums['primary']:,}", *amounts)
    return Group(table, notes(f"{name}: {sums['why_empty']}" for name, sums in segments.items() if "why_empty" in sums))


def churn_table(report: Mapping[str, Any]) -> Table:
    """Quality of a churn model against its baselines on the test snapshot."""
    title = f"churn on {report['snapshots']['test']}: {report['n']:,} customers, {report['rate']:.1%} churned"
    table = _narrow("", "AUC", "", "log loss", title=title)
    rows: list[tuple[str, Mapping[str, Any]]] = [(f"this model ({report['classifier']})", report)]
    rows += [(name.replace("_", " "), figures) for name, figures in report["baselines"].items()]
    for name, figures in rows:
        auc = figures.get("auc")
        table.add_row(name, _figure(auc), "" if auc is None else bar(auc, _BAR), _figure(figures.get("log_loss")))
    table.caption = (
        f"calibration error {_figure(report['calibration_error'])}, lift in the top tenth "
        f"{_figure(report['lift_at_10'], 2) or 'unknown'}"
    )
    return table


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


def reasons_table(
    reasons: Sequence[Reason], *, base_value: float, other: float, raw_margin: float, currency: str
) -> Table:
    """Show the contributions of one score, which sum up, in log-odds."""
    table = _narrow("feature", "value", "contribution", "", "", title="reasons, in log-odds")
    table.columns[2].justify = "right"
    largest = max([abs(reason.contribution) for reason in reasons] + [abs(other)]) or 1.0
    table.add_row("base value", "", f"{base_value:+.3f}")
    for reason in reasons:
        drawn = bar(abs(reason.contribution) / largest, _BAR)
        table.add_row(
            reason.feature,
            "missing" if reason.value is None else _value(reason, currency),
            f"{reason.contribution:+.3f}",
            drawn,
            "leaving" if reason.contribution > 0 else "staying",
        )
    table.add_row("all other features", "", f"{other:+.3f}", bar(abs(other) / largest, _BAR))
    table.add_section()
    table.add_row("raw margin", "", f"{raw_margin:+.3f}")
    return table


def notes(lines: Iterable[str]) -> RenderableType:
    """Remarks, one a line."""
    return Group(*(f"• {escape(line)}" for line in lines))


def _narrow(*headers: str, title: str) -> Table:
    """Return a table whose cells stay on one line, for terminals of 80 columns."""
    table = Table(title=title, box=SIMPLE_HEAD)
    for header in headers:
        table.add_column(header, no_wrap=True)
    return table


def _value(reason: Reason, currency: str) -> str:
    return format_value(reason.value or 0.0, CATALOGUE[reason.feature].unit, currency)


def _amount(value: float | None) -> str:
    return "" if value is None else f"{value:,.2f}"


def _figure(value: float | None, digits: int = 4) -> str:
    return "" if value is None else f"{value:.{digits}f}"
