"""What a report of drivers holds; plain values, so that it is stored as JSON and read back as it was."""

from __future__ import annotations

from typing import Literal, TypedDict

__all__ = ["EVERYBODY", "CategoryMean", "Direction", "DriverReport", "FeatureDriver", "GroupDriver"]

# Stands beside the segments: every customer whom the model judges.
EVERYBODY = "all"

Direction = Literal["higher", "lower"]


class CategoryMean(TypedDict):
    """One category: how many customers are of it, and what it adds to their log-odds on average."""

    category: str
    customers: int
    mean_contribution: float


class FeatureDriver(TypedDict):
    """What one feature does to the scores of a segment.

    `mean_size` is the mean absolute contribution. `towards` and `against` are the shares of customers whom it pushes
    towards the target and away from it; `mean_towards` and `mean_against` the means over all customers of what it
    pushes either way, so that `mean_size = mean_towards - mean_against` and `mean_contribution` is their sum.
    `direction` says which values push towards the target; None where neither high nor low ones do, and for categories.
    `turns_at` is the value from which on the mean contribution has the other sign. `missing` are the customers who have
    no value, None where all have one.
    """

    feature: str
    driver: str
    mean_size: float
    mean_contribution: float
    mean_towards: float
    mean_against: float
    towards: float
    against: float
    among_strongest: int
    direction: Direction | None
    turns_at: float | None
    missing: CategoryMean | None
    categories: list[CategoryMean] | None


class GroupDriver(TypedDict):
    """What the features of one group together do to the scores of a segment; `strongest_of` counts customers."""

    driver: str
    features: list[str]
    mean_size: float
    mean_contribution: float
    mean_towards: float
    mean_against: float
    towards: float
    against: float
    strongest_of: int


class DriverReport(TypedDict):
    """Drivers of one model over one segment, largest mean size first.

    `mean_contribution` is the mean of raw_margin less base_value; None without customers. The groups' means add up to
    it. `unused` are features that contribute nothing to anybody here.
    """

    customers: int
    mean_contribution: float | None
    drivers: list[GroupDriver]
    features: list[FeatureDriver]
    unused: list[str]
