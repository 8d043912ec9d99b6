"""What is in the orders: products of departments and categories, quantities, discounts. It says nothing of churn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.simulation.purchases import Orders

__all__ = [
    "CATEGORIES",
    "CATEGORY_OF_PRODUCT",
    "DEPARTMENTS",
    "DEPARTMENT_OF_PRODUCT",
    "PRODUCTS",
    "Lines",
    "draw_lines",
]

_CATEGORIES_BY_DEPARTMENT = {
    "Books": ("Novels", "Travel guides"),
    "Garden": ("Seeds", "Tools"),
    "Home": ("Candles", "Textiles"),
    "Kitchen": ("Knives", "Pots"),
    "Pantry": ("Coffee", "Tea"),
    "Toys": ("Board games", "Puzzles"),
}
_PRODUCTS_A_CATEGORY = 5
_CHEAPEST, _PRICE_STEP = 8.0, 1.5

CATEGORIES = tuple(name for names in _CATEGORIES_BY_DEPARTMENT.values() for name in names)
DEPARTMENTS = tuple(_CATEGORIES_BY_DEPARTMENT)
PRODUCTS = tuple(f"synthetic-p{number:02}" for number in range(1, len(CATEGORIES) * _PRODUCTS_A_CATEGORY + 1))
CATEGORY_OF_PRODUCT = np.arange(len(PRODUCTS)) // _PRODUCTS_A_CATEGORY
DEPARTMENT_OF_PRODUCT = CATEGORY_OF_PRODUCT * len(DEPARTMENTS) // len(CATEGORIES)

_MOST_MORE_LINES = 5
_MEAN_MORE_LINES = 0.6
_FROM_FAVOURITE = 0.5
_DISCOUNTED = 0.2
_DISCOUNTS = np.array([0.1, 0.2, 0.3])


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """The lines of the orders, in their order, each of shape (k,).

    Attributes
    ----------
    order : int64
        Row of the order.
    product : int64
        Index into `PRODUCTS`.
    quantity : int64
        From 1.
    value : float64
        What was paid, in cents exactly; the lines of an order add up to its value.
    discount : float64
        What was taken off before.
    """

    order: NDArray[np.int64]
    product: NDArray[np.int64]
    quantity: NDArray[np.int64]
    value: NDArray[np.float64]
    discount: NDArray[np.float64]


def draw_lines(orders: Orders, n_customers: int, random: np.random.Generator) -> Lines:
    """Draw what is in each order."""
    more = np.minimum(random.poisson(_MEAN_MORE_LINES, len(orders.customer)), _MOST_MORE_LINES)
    # No line is for less than a cent.
    n_lines = np.minimum(1 + more, orders.cents)
    order = np.repeat(np.arange(len(n_lines)), n_lines)
    cents = _split(orders.cents, n_lines, order, random)
    product = _choose_products(orders.customer[order], n_customers, random)
    list_price = _CHEAPEST * _PRICE_STEP ** (product % _PRODUCTS_A_CATEGORY)
    value = cents / 100
    share_off = np.where(random.random(len(order)) < _DISCOUNTED, random.choice(_DISCOUNTS, len(order)), 0.0)
    return Lines(
        order=order,
        product=product,
        quantity=np.maximum(np.rint(value / list_price), 1).astype(np.int64),
        value=value,
        discount=np.round(value * share_off / (1 - share_off), 2),
    )


def _split(
    total: NDArray[np.int64], n_parts: NDArray[np.int64], whole: NDArray[np.int64], random: np.random.Generator
) -> NDArray[np.int64]:
    """Split each whole number into parts of at least 1 that add up to it."""
    first = np.cumsum(n_parts) - n_parts
    weight = random.random(len(whole)) + 0.2
    weight /= np.add.reduceat(weight, first)[whole]
    parts = 1 + np.floor((total - n_parts)[whole] * weight).astype(np.int64)
    parts[first] += total - np.add.reduceat(parts, first)
    return parts


def _choose_products(customer: NDArray[np.int64], n_customers: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Choose from the customer's favourite category half of the time, else from all; some products sell better."""
    favourite = random.integers(0, len(CATEGORIES), n_customers)
    anywhere = random.integers(0, len(CATEGORIES), len(customer))
    category = np.where(random.random(len(customer)) < _FROM_FAVOURITE, favourite[customer], anywhere)
    place = np.floor(_PRODUCTS_A_CATEGORY * random.random(len(customer)) ** 1.5).astype(np.int64)
    return category * _PRODUCTS_A_CATEGORY + place
