"""What one unit of a currency is worth in that of the business; the same rule for files and live events."""

from __future__ import annotations

from store.ingest.rejections import CellError
from store.settings import Settings

__all__ = ["rate_of"]


def rate_of(currency: str | None, settings: Settings) -> float:
    """Return the rate of a currency, 1 for that of the business and where none is named.

    Raises
    ------
    CellError
        No rate is set for it.
    """
    if currency is None or currency.upper() == settings.currency:
        return 1.0
    rate = settings.currency_rates.get(currency.upper())
    if rate is None:
        raise CellError(
            "currency",
            f"is not the currency of the business ({settings.currency}), and no rate is set for it; "
            "set one in REGULARS_CURRENCY_RATES",
        )
    return rate
