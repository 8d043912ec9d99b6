"""Whether a log is what the models of this package take it to be, and on how many customers the answer rests."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import rankdata

from models.btyd.checks import Rule, checked_columns
from models.btyd.gamma_gamma import SPEND_RULES

__all__ = [
    "AssumptionCheck",
    "check_assumptions",
    "check_history_begins_with_customers",
    "check_no_season",
    "check_value_is_independent",
]

# Fewer customers than these say nothing either way.
FEWEST_REPEAT_BUYERS = 100
FEWEST_ARRIVALS = 30

# A rank correlation up to this leaves 96 % of the variation of value to other causes.
LARGEST_CORRELATION = 0.2

# Arrivals of the first window over those of the second: more, by more than chance, are customers of before the log.
WINDOW_DAYS = 30
LARGEST_ARRIVAL_RATIO = 1.5
CHANCE = 3.0

MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
YEAR = len(MONTHS)

# A month that lies by this factor above its year's trend, in a pattern that the years share, is season.
SMALLEST_PEAK = 1.2
SMALLEST_LIKENESS = 0.5


@dataclass(frozen=True)
class AssumptionCheck:
    """One assumption of the models, held against the data.

    Attributes
    ----------
    name : str
        Of the assumption, stable.
    holds : bool or None
        None if the data can't tell.
    n_customers : int
        On how many customers the answer rests.
    figure : float or None
        What was measured; None if nothing could be.
    text : str
        The answer and what it means, in plain words.
    """

    name: str
    holds: bool | None
    n_customers: int
    figure: float | None
    text: str


def check_assumptions(
    *,
    frequency: ArrayLike,
    monetary_value: ArrayLike,
    first_purchase_day: ArrayLike,
    log_days: int,
    monthly_purchases: ArrayLike,
    first_month: int,
) -> tuple[AssumptionCheck, ...]:
    """Hold all assumptions against a log.

    Parameters
    ----------
    frequency, monetary_value : array_like, shape (n,)
        Repeat purchase days of each customer, and their mean value; anything where frequency is 0.
    first_purchase_day : array_like, shape (n,)
        Days from the log's first day to each customer's first purchase day, 0 or more.
    log_days : int
        Length of the log in days.
    monthly_purchases : array_like, shape (m,)
        Purchases of all customers in each whole calendar month of the log, in order.
    first_month : int
        Which calendar month the first of them is, 1 to 12.

    Returns
    -------
    tuple of AssumptionCheck
        Value independent of frequency, history that begins with the customers, no season.

    Raises
    ------
    InputError
        If a column isn't legal.
    """
    n_customers = int(np.size(frequency))
    return (
        check_value_is_independent(frequency, monetary_value),
        check_history_begins_with_customers(first_purchase_day, log_days=log_days),
        check_no_season(monthly_purchases, first_month=first_month, n_customers=n_customers),
    )


def check_value_is_independent(frequency: ArrayLike, monetary_value: ArrayLike) -> AssumptionCheck:
    """Check what Gamma-Gamma takes for granted: who buys more often doesn't buy for more or less.

    Fader, Hardie & Lee (2005), "RFM and CLV", Journal of Marketing Research 42 (4). The figure is the rank correlation
    of monetary_value with frequency among the customers that Gamma-Gamma reads (both above 0).
    """
    name = "value_independent_of_frequency"
    columns = checked_columns({"frequency": frequency, "monetary_value": monetary_value}, SPEND_RULES)
    read = (columns["frequency"] > 0) & (columns["monetary_value"] > 0)
    x, m = columns["frequency"][read], columns["monetary_value"][read]
    if len(x) < FEWEST_REPEAT_BUYERS or x.min() == x.max() or m.min() == m.max():
        text = f"{len(x):,} repeat buyers are too few, or too alike, to tell value from frequency."
        return AssumptionCheck(name, None, len(x), None, text)
    correlation = float(np.corrcoef(rankdata(x), rankdata(m))[0, 1])
    holds = abs(correlation) <= LARGEST_CORRELATION
    figure = f"among {len(x):,} repeat buyers the rank correlation of value with frequency is {correlation:+.2f}"
    if holds:
        text = f"Value hardly depends on frequency: {figure}."
    elif correlation > 0:
        text = f"Who buys more often spends more each time: {figure}. Values of frequent buyers are forecast too low."
    else:
        text = f"Who buys more often spends less each time: {figure}. Values of frequent buyers are forecast too high."
    return AssumptionCheck(name, holds, len(x), correlation, text)


def check_history_begins_with_customers(first_purchase_day: ArrayLike, *, log_days: int) -> AssumptionCheck:
    """Check that a customer's first purchase in the log is his first at all.

    Where a log begins amid the lives of its customers, those who buy often all appear in its first days. The figure is
    how many appear in the first 30 days over how many do in the next 30.
    """
    name = "history_begins_with_customers"
    first = checked_columns({"first_purchase_day": first_purchase_day}, (_not_negative("first_purchase_day"),))[
        "first_purchase_day"
    ]
    arrived = int(np.sum(first < WINDOW_DAYS))
    later = int(np.sum((first >= WINDOW_DAYS) & (first < 2 * WINDOW_DAYS)))
    if log_days < 2 * WINDOW_DAYS or arrived + later < FEWEST_ARRIVALS:
        seen = f"{arrived + later} first purchases in its first {2 * WINDOW_DAYS}"
        text = f"A log of {log_days} days with {seen} can't tell where histories begin."
        return AssumptionCheck(name, None, arrived, None, text)
    ratio = arrived / max(later, 1)
    by_chance = CHANCE * np.sqrt(arrived + later)
    holds = not (ratio > LARGEST_ARRIVAL_RATIO and arrived - later > by_chance)
    figure = f"{arrived:,} customers appear in the log's first {WINDOW_DAYS} days, {later:,} in the next {WINDOW_DAYS}"
    if holds:
        text = f"Customers seem to be followed from their first purchase: {figure}."
    else:
        text = (
            f"The log seems to begin amid the lives of many customers: {figure}. What they bought before is not seen, "
            "so they are taken for newer than they are."
        )
    return AssumptionCheck(name, holds, arrived, float(ratio), text)


def check_no_season(monthly_purchases: ArrayLike, *, first_month: int, n_customers: int) -> AssumptionCheck:
    """Check that purchases don't follow the calendar, of which the models know nothing.

    From the last whole years: the logarithms of the monthly counts, without each year's level and the trend between the
    years. The figure is the strongest month over the mean, averaged over years.
    """
    name = "no_season"
    purchases = checked_columns({"monthly_purchases": monthly_purchases}, (_not_negative("monthly_purchases"),))[
        "monthly_purchases"
    ]
    years = len(purchases) // YEAR
    if years < 2:
        text = (
            f"{len(purchases)} whole months don't show each calendar month twice: season can't be told from trend, and "
            "a forecast does not know it."
        )
        return AssumptionCheck(name, None, n_customers, None, text)
    empty = int(np.sum(purchases[-years * YEAR :] == 0))
    if empty:
        text = (
            f"{empty} of the last {years * YEAR} whole months saw no purchase: a season, which is read from how many "
            "times the average each month has, can't be told, and a forecast does not know it."
        )
        return AssumptionCheck(name, None, n_customers, None, text)
    by_year = np.log(purchases[-years * YEAR :]).reshape(years, YEAR)
    monthly_trend = (by_year[-1].mean() - by_year[0].mean()) / ((years - 1) * YEAR)
    around_trend = by_year - by_year.mean(axis=1, keepdims=True) - monthly_trend * (np.arange(YEAR) - (YEAR - 1) / 2)
    pattern = around_trend.mean(axis=0)
    peak = float(np.exp(pattern.max()))
    likeness = 1.0 - float(np.var(around_trend - pattern) * years / (years - 1) / max(np.var(around_trend), 1e-12))
    holds = not (peak >= SMALLEST_PEAK and likeness >= SMALLEST_LIKENESS)
    first = first_month - 1 + len(purchases) - years * YEAR
    month = MONTHS[(first + int(pattern.argmax())) % YEAR]
    figure = f"over {years} years {month} is the strongest month, {peak:.2f} times the average"
    if holds:
        text = f"No season to speak of: {figure}."
    else:
        text = f"Purchases follow the calendar: {figure}. A forecast that ends in another season is off by as much."
    return AssumptionCheck(name, holds, n_customers, peak, text)


def _not_negative(column: str) -> Rule:
    return Rule(
        column, "finite numbers of 0 or more", lambda c: ~(np.isfinite(c[column]) & (c[column] >= 0)), "Count from 0."
    )
