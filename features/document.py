"""The catalogue as a document, so that what is written of the features is what they are."""

from __future__ import annotations

from typing import get_args

from features.catalogue import CATALOGUE
from features.feature import Driver, Feature

__all__ = ["catalogue_as_markdown"]


def catalogue_as_markdown() -> str:
    """Return one table of features a driver: name, unit, window, description.

    Returns
    -------
    str
        Markdown that ends with a line break; headings are of the second level.
    """
    return "\n".join(_table(driver) for driver in get_args(Driver))


def _table(driver: str) -> str:
    rows = [_row(feature) for feature in CATALOGUE.values() if feature.driver == driver]
    head = [f"## {driver.capitalize()}", "", "| name | unit | window | description |", "|---|---|---|---|"]
    return "\n".join([*head, *rows, ""])


def _row(feature: Feature) -> str:
    description = feature.description
    if feature.needs_history_days:
        description += f" Used once the log covers {feature.needs_history_days} days."
    return f"| `{feature.name}` | {feature.unit} | {feature.window} | {description} |"
