"""The catalogue as a document, so that what is written of the features is what they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from features.attribute_reference import MAX_ATTRIBUTES
from features.catalogue import CATALOGUE
from features.families.attributes import attribute_feature_of
from features.families.events import event_features
from features.feature import Driver, Feature
from features.reference import MAX_EVENT_NAMES

__all__ = ["catalogue_as_markdown"]

_COLUMNS = "| name | unit | window | needs | description |\n|---|---|---|---|---|"

_CURRENCY = "EUR"  # of examples, none of which is of money


def catalogue_as_markdown(catalogue: Mapping[str, Feature] = CATALOGUE) -> str:
    """Return one table of features a driver, and a section on the features made by rule.

    Parameters
    ----------
    catalogue : mapping of name to Feature

    Returns
    -------
    str
        Markdown that ends with a line break; headings are of the second level.
    """
    tables = [_driver(driver, catalogue) for driver in get_args(Driver)]
    return "\n".join([*(table for table in tables if table), _events_by_rule(), _attributes_by_rule()])


def _driver(driver: str, catalogue: Mapping[str, Feature]) -> str:
    rows = [_row(feature) for feature in catalogue.values() if feature.driver == driver]
    return _section(driver.capitalize(), _COLUMNS, *rows) if rows else ""


def _events_by_rule() -> str:
    """Describe what every event has that the tables don't name, on the example of one."""
    made = event_features("newsletter_signup")
    told = [f"| `{feature.name}` | {feature.window} | {_examples(feature)} |" for feature in made]
    return _section(
        "Of any other event, by rule",
        "Whatever a business sends has features of its own without code. The name of the event is written in lower "
        "case with `_` for everything but letters and digits, so that `Newsletter Signup` and `newsletter_signup` are "
        "one. They stand under service where the name speaks of tickets, complaints or returns, under price where it "
        f"speaks of coupons or promotions, else under engagement. The {MAX_EVENT_NAMES} most frequent names are taken "
        "up.",
        "",
        "| name | window | what is said |",
        "|---|---|---|",
        *told,
    )


def _attributes_by_rule() -> str:
    """Describe what every attribute has, on an example of each kind."""
    number = attribute_feature_of("tenure", "number")
    category = attribute_feature_of("Contract", "category")
    date = attribute_feature_of("renewal_date", "date")
    rows = [
        (number, "the number", number.tell(34.0, _CURRENCY)),
        (category, "a code; a category of few customers is missing", category.tell("Month-to-month", _CURRENCY)),
        (date, "days from the date to the last day observed, negative ahead", date.tell(12.0, _CURRENCY)),
    ]
    return _section(
        "Of any attribute, by rule",
        "Each attribute is a feature of the driver attributes, as it was last learnt before the snapshot. White space "
        'and the characters `" , : [ ] { }` in its name are written as `_`. The '
        f"{MAX_ATTRIBUTES} that are known of most customers are taken up, without ids and free text.",
        "",
        "| name | value | what is said |",
        "|---|---|---|",
        *(f"| `{feature.name}` | {value} | {said} |" for feature, value, said in rows),
    )


def _examples(feature: Feature) -> str:
    return f"{feature.tell(3.0, _CURRENCY)}; {feature.tell(0.0, _CURRENCY)}"


def _section(heading: str, *lines: str) -> str:
    return "\n".join([f"## {heading}", "", *lines, ""])


def _row(feature: Feature) -> str:
    description = feature.description
    if feature.needs_history_days:
        description += f" Used once the log covers {feature.needs_history_days} days."
    return f"| `{feature.name}` | {feature.unit} | {feature.window} | {feature.needs} | {description} |"
