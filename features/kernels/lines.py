"""Lines of orders: products, categories, quantities, discounts and prices."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.kernels.columns import Lines, known_end
from features.kernels.updated_lines import lines_at
from features.measure import Measure

__all__ = ["measure_lines"]

# One line of a customer.
_LINE = np.dtype(
    [
        ("value", np.float64),
        ("quantity", np.float64),
        ("discount", np.float64),
        ("price_level", np.float64),  # log(price of a piece / usual price), NaN if unknown
        # What it is of, numbered within the customer; -1 for none.
        ("order", np.int64),
        ("product", np.int64),
        ("category", np.int64),
        # The line before it of the same, -1 for none: what a window has n of has n lines with none in the window.
        ("same_order", np.int64),
        ("same_product", np.int64),
        ("same_category", np.int64),
        ("is_new_product", np.bool_),
    ],
    align=True,
)
_Lines = NDArray[np.void]

_FREE = -1
_SCATTER = 2_654_435_769  # 2^32 / golden ratio: the upper digits of its multiples lie far apart (Knuth, TAOCP 3, 6.4)


@njit(cache=True, nogil=True)
def measure_lines(
    out: NDArray[np.float64],
    program: NDArray[np.int64],
    lines: Lines,
    as_of: int,
    last_day: int,
    longest: int,
    usual_price: NDArray[np.float64],
) -> None:
    """Run the program for each customer, of whom none has more lines than `longest`.

    Parameters
    ----------
    usual_price : float64, one a category
        Of a piece; NaN if unknown.
    """
    if len(lines.until) > 0:
        lines = lines_at(lines, as_of)
    own = np.empty(longest, dtype=_LINE)
    table = np.empty(4 * longest + 1, dtype=np.int64)
    last = np.empty(longest, dtype=np.int64)
    sums = np.zeros(longest)
    offsets, occurred_at, days = lines.offsets, lines.occurred_at, lines.day
    order, product, category = lines.order, lines.product, lines.category
    for customer in range(len(offsets) - 1):
        begin = offsets[customer]
        end = known_end(offsets, occurred_at, customer, as_of)
        _take_over(lines, begin, end, usual_price, own)
        _number(order[begin:end], table, last, own["order"], own["same_order"])
        _number(product[begin:end], table, last, own["product"], own["same_product"])
        _number(category[begin:end], table, last, own["category"], own["same_category"])
        _mark_new_products(own, occurred_at[begin:end])
        day = days[begin:end]
        for row in range(len(program)):
            measure, newest, oldest, column = program[row, :4]
            low = np.searchsorted(day, last_day - oldest, side="right")
            high = np.searchsorted(day, last_day - newest, side="right")
            out[customer, column] = _measure(measure, own, low, high, sums)


@njit(cache=True, nogil=True)
def _take_over(lines: Lines, begin: int, end: int, usual_price: NDArray[np.float64], own: _Lines) -> None:
    """Copy amounts of a customer's lines, and find how dear they were."""
    value, quantity, discount, category = lines.value, lines.quantity, lines.discount, lines.category
    for i in range(end - begin):
        at = begin + i
        own[i].value = value[at]
        own[i].quantity = quantity[at]
        own[i].discount = discount[at]
        own[i].price_level = np.nan
        if category[at] >= 0 and value[at] > 0.0 and quantity[at] > 0.0:
            own[i].price_level = np.log(value[at] / quantity[at] / usual_price[category[at]])


@njit(cache=True, nogil=True)
def _number(
    codes: NDArray[np.int32],
    table: NDArray[np.int64],
    last: NDArray[np.int64],
    numbers: NDArray[np.int64],
    same: NDArray[np.int64],
) -> None:
    """Number a customer's codes in the order in which they are met, and find for each line the one before it.

    Parameters
    ----------
    codes : int32, length n
        Negative for none.
    table : int64
        Room for a hash table of twice as many slots: each the first line of a code.
    last : int64
        Room for the last line of each number.
    numbers, same : int64
        Take the number of each line's code, and the line before it of the same; -1 for none.
    """
    size = 1
    while size < 2 * len(codes):
        size *= 2
    table[:size] = _FREE
    n = 0
    for i in range(len(codes)):
        numbers[i], same[i] = -1, -1
        if codes[i] < 0:
            continue
        slot = (codes[i] * _SCATTER >> 16) & (size - 1)
        while table[slot] != _FREE and codes[table[slot]] != codes[i]:
            slot = (slot + 1) & (size - 1)
        if table[slot] == _FREE:
            table[slot] = i
            numbers[i] = n
            n += 1
        else:
            numbers[i] = numbers[table[slot]]
            same[i] = last[numbers[i]]
        last[numbers[i]] = i


@njit(cache=True, nogil=True)
def _mark_new_products(lines: _Lines, occurred_at: NDArray[np.int64]) -> None:
    """Mark lines of products that were never bought before; lines of one instant are not before each other."""
    for i in range(len(occurred_at)):
        before = lines[i].same_product
        if before < 0:
            lines[i].is_new_product = lines[i].product >= 0
        else:
            lines[i].is_new_product = lines[before].is_new_product and occurred_at[before] == occurred_at[i]


@njit(cache=True, nogil=True)
def _measure(measure: int, lines: _Lines, low: int, high: int, sums: NDArray[np.float64]) -> float:
    """Measure the lines at positions low to high - 1; `sums` is room that is 0 before and after."""
    if measure == Measure.LINES:
        return float(high - low)
    if measure == Measure.PRODUCT_TOP_LINES:
        return _most_lines(lines["product"][low:high], sums)
    if measure == Measure.CATEGORY_TOP_VALUE:
        return _value_by_category(lines, low, high, sums)[0]
    if measure == Measure.CATEGORY_CONCENTRATION:
        return _value_by_category(lines, low, high, sums)[1]
    if measure in (Measure.QUANTITY, Measure.LINE_VALUE, Measure.DISCOUNT, Measure.PRICE_LEVEL):
        return _sum(measure, lines, low, high)
    n = 0
    for i in range(low, high):
        n += _counts(measure, lines, i, low)
    return float(n)


@njit(cache=True, nogil=True)
def _counts(measure: int, lines: _Lines, i: int, low: int) -> bool:
    """Whether line i counts in a window that begins at position `low`."""
    line = lines[i]
    if measure == Measure.LINE_ORDERS:
        return bool(line.same_order < low)
    if measure == Measure.PRODUCTS:
        return bool(line.product >= 0 and line.same_product < low)
    if measure == Measure.CATEGORIES:
        return bool(line.category >= 0 and line.same_category < low)
    if measure == Measure.NEW_PRODUCT_LINES:
        return bool(line.is_new_product)
    return bool(line.discount > 0.0)  # Measure.DISCOUNTED_LINES; NaN is not


@njit(cache=True, nogil=True)
def _sum(measure: int, lines: _Lines, low: int, high: int) -> float:
    """Sum what is known; of price levels return the mean."""
    total, n = 0.0, 0
    for i in range(low, high):
        if measure == Measure.QUANTITY:
            amount = lines[i].quantity
        elif measure == Measure.LINE_VALUE:
            amount = lines[i].value
        elif measure == Measure.DISCOUNT:
            amount = lines[i].discount
        else:
            amount = lines[i].price_level
        if not np.isnan(amount):
            total += amount
            n += 1
    if measure == Measure.PRICE_LEVEL:
        return total / n if n > 0 else np.nan
    return total


@njit(cache=True, nogil=True)
def _most_lines(products: NDArray[np.int64], sums: NDArray[np.float64]) -> float:
    """Return the lines of the product with most; NaN without a product."""
    most = 0.0
    for product in products:
        if product >= 0:
            sums[product] += 1.0
            most = max(most, sums[product])
    for product in products:
        if product >= 0:
            sums[product] = 0.0
    return most if most > 0.0 else np.nan


@njit(cache=True, nogil=True)
def _value_by_category(lines: _Lines, low: int, high: int, sums: NDArray[np.float64]) -> tuple[float, float]:
    """Return the value of the category with most, and the sum of squared shares; NaN without any value."""
    total = 0.0
    for i in range(low, high):
        if lines[i].category >= 0 and not np.isnan(lines[i].value):
            sums[lines[i].category] += lines[i].value
            total += lines[i].value
    most, squares = 0.0, 0.0
    # Each category once, in the order in which the window meets them.
    for i in range(low, high):
        category = lines[i].category
        if category >= 0:
            most = max(most, sums[category])
            squares += sums[category] ** 2
            sums[category] = 0.0
    if total <= 0.0:
        return np.nan, np.nan
    return most, squares / total**2
