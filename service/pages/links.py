"""Addresses of our own pages, with every id and value escaped."""

from __future__ import annotations

from urllib.parse import quote, urlencode

__all__ = ["customer_href", "href", "propensity_href"]


def customer_href(customer_id: str) -> str:
    """Return the address of a customer's page.

    Examples
    --------
    >>> customer_href("04711"), customer_href("a/b")
    ('/customers/04711', '/customer?customer_id=a%2Fb')
    """
    # A slash ends a part of a path even when it is escaped, and browsers resolve dots before they ask.
    if "/" in customer_id or "\\" in customer_id or not customer_id.strip("."):
        return href("/customer", customer_id=customer_id)
    return f"/customers/{quote(customer_id, safe='')}"


def propensity_href(target: str) -> str:
    """Return the address of the list of a propensity; names of targets need no escape."""
    return f"/propensities/{target}"


def href(path: str, **values: object) -> str:
    """Return an address with the values that are not None as its query."""
    query = urlencode({name: value for name, value in values.items() if value is not None})
    return f"{path}?{query}" if query else path
