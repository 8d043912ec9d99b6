"""Customers' ids: another shape than before, e-mail addresses, one customer under two spellings."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from store.checkup.finding import Finding, percent
from store.checkup.sample import CustomerSample, EventSample

__all__ = ["changed_shape", "email_addresses", "lookalikes", "shapes_of"]

_EMAIL = "e-mail address"
_OTHER = "other text"
_SHAPE = re.compile(
    r"(?P<email>[^@\s]+@[^@\s]+\.[^@\s]+)"
    r"|(?P<uuid>[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})"
    r"|(?P<digits>[0-9]+)"
    r"|(?P<decimal>[0-9]+\.0)"
    r"|(?P<hexadecimal>[0-9a-fA-F]{16,})"
    r"|(?P<prefixed>(?P<prefix>[^0-9\s]{1,20})[0-9]+)"
)
_NAMES = {
    "email": _EMAIL,
    "uuid": "UUID",
    "digits": "digits",
    "decimal": "digits and .0",
    "hexadecimal": "long hexadecimal number",
}
# Of a prefix that fewer ids have, it is chance and no scheme.
_LEAST_PREFIX_SHARE = 0.05

_NEWEST = 0.1
_FEWEST_EARLIER, _FEWEST_NEW = 50, 20
_MOST_EARLIER_SHARE, _LEAST_NEW_SHARE = 0.05, 0.2
_FEWEST_ADDRESSES, _LEAST_ADDRESS_SHARE = 10, 0.01
_FEWEST_LOOKALIKES, _LEAST_LOOKALIKE_SHARE = 5, 0.001


def shapes_of(ids: Sequence[str]) -> list[str]:
    """Say in a few words what each id looks like; a prefix that many share is named.

    Examples
    --------
    >>> shapes_of(["17", "a@b.example", "cus_1", "cus_2", "x y"])
    ['digits', 'e-mail address', '“cus_” and digits', '“cus_” and digits', 'other text']
    """
    matches = [_SHAPE.fullmatch(each) for each in ids]
    prefixes = Counter(match["prefix"] for match in matches if match is not None and match.lastgroup == "prefixed")
    common = {prefix for prefix, count in prefixes.items() if count >= _LEAST_PREFIX_SHARE * len(ids)}
    return [_name(match, common) for match in matches]


def changed_shape(customers: CustomerSample, events: EventSample) -> Iterator[Finding]:
    """Yield sources whose newest customers have ids of a shape that hardly any earlier one has."""
    for source, positions in _by_source(customers, events):
        created_at = customers.created_at[positions]
        since = np.quantile(created_at, 1.0 - _NEWEST, method="lower")
        # Whoever came with the first import came with it.
        is_new = created_at >= since if since > created_at.min() else created_at > created_at.min()
        n_new = int(np.count_nonzero(is_new))
        n_earlier = len(positions) - n_new
        if n_new < _FEWEST_NEW or n_earlier < _FEWEST_EARLIER:
            continue
        shapes = np.array(shapes_of([customers.customer_ids[i] for i in positions.tolist()]))
        new, earlier = Counter(shapes[is_new].tolist()), Counter(shapes[~is_new].tolist())
        other = {shape for shape in new if earlier[shape] < _MOST_EARLIER_SHARE * n_earlier}
        changed, before = (sum(counts[shape] for shape in other) for counts in (new, earlier))
        if changed < _LEAST_NEW_SHARE * n_new:
            continue
        shape, usual = max(sorted(other), key=new.__getitem__), earlier.most_common(1)[0][0]
        yield Finding(
            "ids_changed_shape",
            "problem",
            source,
            f"{percent(changed / n_new)} of its {n_new:,} newest customers have ids of a shape (mostly: {shape}) that "
            f"{percent(before / n_earlier)} of the {n_earlier:,} before them have; theirs are mostly: {usual}.",
            "If the sender or an export began to write ids otherwise, customers who were known come as new ones, and "
            "those known look as if they had left. Let it send the former ids, or tell which are one: POST /v1/alias.",
            {
                "new_customers": n_new,
                "earlier_customers": n_earlier,
                "shape": shape,
                "usual_shape": usual,
                "share_of_new": round(changed / n_new, 4),
                "share_of_earlier": round(before / n_earlier, 4),
            },
        )


def email_addresses(customers: CustomerSample) -> Iterator[Finding]:
    """Yield the share of ids that are e-mail addresses."""
    n = len(customers.customer_ids)
    addresses = sum(shape == _EMAIL for shape in shapes_of(customers.customer_ids))
    if addresses < _FEWEST_ADDRESSES or addresses < _LEAST_ADDRESS_SHARE * n:
        return
    yield Finding(
        "email_ids",
        "warning",
        None,
        f"{percent(addresses / n)} of the customers' ids are e-mail addresses: {addresses:,} of {n:,}.",
        "People change their address, and then come as another customer; and ids are shown on lists and in exports. "
        "Send an id of your own, and the address, if at all, as a trait.",
        {"addresses": addresses, "customers": n, "share": round(addresses / n, 4)},
    )


def lookalikes(customers: CustomerSample) -> Iterator[Finding]:
    """Yield how many ids are another one written otherwise."""
    n = len(customers.customer_ids)
    doubled = n - len({_canonical(each) for each in customers.customer_ids})
    if doubled < _FEWEST_LOOKALIKES or doubled < _LEAST_LOOKALIKE_SHARE * n:
        return
    yield Finding(
        "lookalike_ids",
        "warning",
        None,
        f"{doubled:,} of {n:,} customers ({percent(doubled / n)}) have the id of another but for leading zeros, a "
        "trailing .0, or capitals in an e-mail address or UUID.",
        "A spreadsheet or a table of numbers has rewritten them on the way. Export ids as text; tell which are one: "
        "POST /v1/alias.",
        {"lookalikes": doubled, "customers": n, "share": round(doubled / n, 4)},
    )


def _by_source(customers: CustomerSample, events: EventSample) -> Iterator[tuple[str, NDArray[np.int64]]]:
    """Yield each source with the positions of the customers whose first event is its own."""
    keys, first = np.unique(events.customer, return_index=True)
    _, ours, theirs = np.intersect1d(customers.key, keys, return_indices=True)
    source = events.source[first[theirs]]
    for code, name in enumerate(events.sources):
        mine = ours[source == code]
        if len(mine):
            yield name, mine


def _name(match: re.Match[str] | None, common: set[str]) -> str:
    if match is None:
        return _OTHER
    if match["prefixed"] is None:
        return _NAMES[str(match.lastgroup)]
    return f"“{match['prefix']}” and digits" if match["prefix"] in common else _OTHER


def _canonical(customer_id: str) -> str:
    match = _SHAPE.fullmatch(customer_id)
    kind = None if match is None else match.lastgroup
    if kind in ("digits", "decimal"):
        return customer_id.removesuffix(".0").lstrip("0")
    return customer_id.lower() if kind in ("email", "uuid") else customer_id
