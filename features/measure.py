"""What can be measured of a customer over a window of days."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["Measure"]


class Measure(IntEnum):
    """What is measured in a window. The numbers are part of what identifies a feature: new ones go to the end.

    Unless said otherwise, counts and sums are 0 for an empty window, and all else is NaN where there is nothing to
    measure it by. Purchases are orders that are not wholly refunded by the snapshot; a customer without one is NaN in
    all measures of purchases. Lines are those of orders as ordered. Favourites and concentrations are NaN without
    anything to choose from.
    """

    # Of purchases.
    PURCHASE_DAYS = 0
    ORDERS = 1
    VALUE = 2  # after refunds, unmatched ones included
    REPEAT_VALUE = 3  # of purchase days after the first ever, unmatched refunds left out
    FIRST_DAY_VALUE = 4
    LAST_DAY_VALUE = 5
    DAY_VALUE_MAX = 6
    DAY_VALUE_DEVIATION = 7  # standard deviation (divisor n) of two days or more
    DAYS_SINCE_FIRST = 8
    DAYS_SINCE_LAST = 9
    GAP_LAST = 10  # gaps are the days from one purchase day to the next
    GAP_MAX = 11
    GAP_DEVIATION = 12  # standard deviation (divisor n) of two gaps or more
    YEAR_PHASE = 13  # of the snapshot: 0 at the turn of the year, towards 1 at its end

    # Of events of one family, or of all events but orders and refunds.
    EVENTS = 14
    EVENT_DAYS = 15  # distinct local days
    DAYS_SINCE_EVENT = 16
    DAYS_SINCE_ANYTHING = 17  # orders and refunds included

    # Of lines.
    LINES = 18
    LINE_ORDERS = 19  # orders that have lines
    PRODUCTS = 20  # distinct
    CATEGORIES = 21  # distinct, on the coarsest level, as are all measures of categories
    NEW_PRODUCT_LINES = 22  # of products that the customer never bought before
    PRODUCT_TOP_LINES = 23  # of the product with most lines
    CATEGORY_TOP_VALUE = 24  # of the category with most value
    CATEGORY_CONCENTRATION = 25  # sum of squared shares of value (Herfindahl and Hirschman's index), 1 for one category
    QUANTITY = 26
    LINE_VALUE = 27
    DISCOUNT = 28
    DISCOUNTED_LINES = 29  # with a discount above 0
    PRICE_LEVEL = 30  # mean of log(price of a piece / median one in its category), lines with both

    # Of refunds and cancellations, whether they found their order or not.
    REFUNDS = 31  # those of one instant are one
    REFUND_DAYS_SINCE = 32
    REFUNDED_VALUE = 33  # positive
    ORDERED_VALUE = 34  # of orders before any refund

    # Of everything that came through a channel.
    CHANNELS = 35  # distinct
    CHANNEL_TOP_SHARE = 36
    CHANNEL_ENTROPY = 37  # Shannon's, in nats: 0 for one channel, log n for n used alike

    # Of the local times of purchases.
    PREFERRED_WEEKDAY = 38  # of most orders, 0 for Monday; the earlier one of equals
    PREFERRED_WEEKDAY_SHARE = 39
    WEEKEND_SHARE = 40  # orders on Saturday and Sunday
    PREFERRED_HOUR = 41  # 0 to 23; the earlier one of equals
    FIRST_MONTH = 42  # 1 to 12, of the first purchase
