"""How pages write numbers and dates: one way each, a dash for what does not apply."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

__all__ = ["amount", "count", "day", "decimal", "instant", "log_odds", "money", "percent", "signed_amount", "total"]

NOTHING = "–"


def money(value: float | None, currency: str) -> str:
    """Write an amount with its currency.

    Examples
    --------
    >>> money(1234.5, "EUR"), money(None, "EUR")
    ('EUR 1,234.50', '–')
    """
    return NOTHING if value is None else f"{currency} {value:,.2f}"


def total(value: float | None, currency: str) -> str:
    """Write a sum over many customers, whose cents would only be noise, with its currency.

    Examples
    --------
    >>> total(108891.01, "USD")
    'USD 108,891'
    """
    return NOTHING if value is None else f"{currency} {value:,.0f}"


def amount(value: float | None) -> str:
    """Write an amount whose currency stands above its column."""
    return NOTHING if value is None else f"{value:,.2f}"


def signed_amount(value: float) -> str:
    """Write what adds to an amount or takes off it.

    Examples
    --------
    >>> signed_amount(140.3), signed_amount(-60.1)
    ('+140.30', '−60.10')
    """
    return f"{value:+,.2f}".replace("-", "−")


def percent(value: float | None, decimals: int = 0) -> str:
    """Write a share or a probability; never 0 % or 100 % for what is neither.

    Examples
    --------
    >>> percent(0.481), percent(0.0004), percent(0.9999), percent(0.07654, 1)
    ('48%', '<1%', '>99%', '7.7%')
    """
    if value is None:
        return NOTHING
    least = 0.5 * 10.0 ** -(decimals + 2)
    if 0 < value < least:
        return f"<{10.0**-decimals:.{decimals}f}%"
    if 1 - least < value < 1:
        return f">{100 - 10.0**-decimals:.{decimals}f}%"
    return f"{value:.{decimals}%}"


def count(value: int | None) -> str:
    """Write a whole number."""
    return NOTHING if value is None else f"{value:,}"


def decimal(value: float | None, decimals: int = 3) -> str:
    """Write a number with so many decimals."""
    return NOTHING if value is None else f"{value:,.{decimals}f}"


def log_odds(value: float | None) -> str:
    """Write log-odds with their sign, which says the direction.

    Examples
    --------
    >>> log_odds(0.614), log_odds(-0.2)
    ('+0.61', '−0.20')
    """
    return NOTHING if value is None else f"{value:+.2f}".replace("-", "−")


def day(value: date | None) -> str:
    """Write a date.

    Examples
    --------
    >>> day(date(1998, 7, 1))
    '1 July 1998'
    """
    return NOTHING if value is None else f"{value.day} {value:%B %Y}"


def instant(value: datetime | None, timezone: str = "UTC") -> str:
    """Write an instant in the time zone of the business; a midnight is a date.

    Examples
    --------
    >>> from datetime import UTC
    >>> instant(datetime(1998, 7, 1, tzinfo=UTC)), instant(datetime(1998, 7, 1, 14, 5, tzinfo=UTC))
    ('1 July 1998', '1 July 1998, 14:05 UTC')
    """
    if value is None:
        return NOTHING
    local = value.astimezone(ZoneInfo(timezone))
    if (local.hour, local.minute, local.second, local.microsecond) == (0, 0, 0, 0):
        return day(local.date())
    return f"{day(local.date())}, {local:%H:%M %Z}"
