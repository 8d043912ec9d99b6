"""How drivers are told: names, directions and turning points in words, for the target that they speak of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from features.catalogue import find_feature
from features.targets import CHURN
from features.units import Unit, format_value
from models.driver_report import CategoryMean, DriverReport, FeatureDriver

__all__ = ["Sides", "direction_in_words", "sides_of", "summary", "title_of"]

# Values of these stand for words; what is said of those that come later and of those that come earlier.
_COMPARED: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "hour": ("Later hours", "Earlier hours"),
        "month": ("Later months of the year", "Earlier months of the year"),
        "stage": ("Livelier stages", "Quieter stages"),
        "weekday": ("Later days of the week", "Earlier days of the week"),
    }
)
_VALUES = ("Higher values", "Lower values")
# Of these, "from there on" would mean nothing.
_NOT_ON_A_SCALE = frozenset({"month", "phase", "stage", "weekday"})
_PERCENTAGES = frozenset({"percent", "probability", "share"})


@dataclass(frozen=True, slots=True)
class Sides:
    """What a feature speaks for when it pushes towards the target, and when it pushes against: "speaks …"."""

    towards: str
    against: str


_CHURN = Sides(towards="for leaving", against="for staying")
_PROPENSITY = Sides(towards="for it", against="against it")


def sides_of(target: str) -> Sides:
    """Return the two sides of a target.

    Examples
    --------
    >>> sides_of("churn").against, sides_of("upsell").against
    ('for staying', 'against it')
    """
    return _CHURN if target == CHURN else _PROPENSITY


def title_of(feature: str) -> str:
    """Return the name of a feature as a person would write it; an attribute keeps its own name.

    Examples
    --------
    >>> title_of("days_since_last_purchase"), title_of("event.email_opened.count_30d"), title_of("attribute.Plan_B")
    ('days since last purchase', 'email opened: count 30d', 'Plan_B')
    """
    kind, _, rest = feature.partition(".")
    if kind == "attribute":
        return rest
    name = rest if kind == "event" else feature
    return name.replace(".", ": ").replace("_", " ")


def direction_in_words(row: FeatureDriver, *, target: str, currency: str) -> str:
    """Say which values of a feature speak for the target, and from which value on.

    Parameters
    ----------
    row : FeatureDriver
    target : str
        Its name.
    currency : str
        Put before amounts of money.

    Returns
    -------
    str
        Without a full stop, such as "Higher values speak for leaving, from 45 days on", "Lower values speak for
        leaving, below 3 days", "No single direction", or "Most for leaving: Month-to-month; most for staying: Two
        year".
    """
    sides = sides_of(target)
    if row["categories"] is not None:
        return _categories_in_words(row["categories"], sides)
    if row["direction"] is None:
        return "No single direction"
    feature, is_higher = find_feature(row["feature"]), row["direction"] == "higher"
    compared = _VALUES if feature is None else _COMPARED.get(feature.unit, _VALUES)
    words = f"{compared[0 if is_higher else 1]} speak {sides.towards}"
    if row["turns_at"] is None or feature is None or feature.unit in _NOT_ON_A_SCALE:
        return words
    value = _written(row["turns_at"], feature.unit, currency)
    return f"{words}, from {value} on" if is_higher else f"{words}, below {value}"


def _written(value: float, unit: Unit, currency: str) -> str:
    """Write a value that others lie above and below, where "twice" or "more than 99%" would not do."""
    if unit in _PERCENTAGES:
        return f"{round(100.0 * value, 1):,.10g}%"
    return format_value(value, "count" if unit == "times" else unit, currency)


def summary(report: DriverReport) -> str:
    """Say in one sentence what weighs most.

    Examples
    --------
    >>> summary({"customers": 0, "mean_contribution": None, "drivers": [], "features": [], "unused": []})
    'Nobody here is judged by this model, so nothing drives it.'
    """
    if not report["customers"]:
        return "Nobody here is judged by this model, so nothing drives it."
    weighing = [row["driver"] for row in report["drivers"] if row["mean_size"] > 0][:3]
    if not weighing:
        return "Every customer here has the same score: no feature contributes anything."
    first, *others = weighing
    then = f", then {' and '.join(others)}" if others else ""
    return f"{first.capitalize()} weighs most{then}."


def _categories_in_words(categories: list[CategoryMean], sides: Sides) -> str:
    if not categories:
        return "Missing for everybody here"
    first, last = categories[0], categories[-1]
    parts = []
    if first["mean_contribution"] > 0:
        parts.append(f"most {sides.towards}: {first['category']}")
    if last["mean_contribution"] < 0:
        parts.append(f"most {sides.against}: {last['category']}")
    if not parts:
        return "No category speaks either way"
    told = "; ".join(parts)
    return f"{told[0].upper()}{told[1:]}"
