"""The order of stored rows, against Python's own sorting of tuples."""

from __future__ import annotations

import numpy as np
import pytest

from store.event_order import in_order


@pytest.mark.parametrize("stored", ["anyhow", "customer after customer", "customer after customer, each in time"])
@pytest.mark.parametrize("instants", [1, 3, 1_000])
@pytest.mark.parametrize("seed", range(5))
def test_rows_are_ordered_by_customer_time_and_the_bytes_of_their_identity(
    stored: str, instants: int, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    n = 400
    customer = generator.integers(0, 20, n)
    occurred_at = generator.integers(-instants, instants, n)
    # Many begin with the same eight bytes, some of them above the highest signed integer.
    first = generator.choice(np.array([0, 7, 2**63, 2**64 - 1], dtype=np.uint64), n)
    identity = np.stack((first, generator.permutation(2**64 - 1 - np.arange(n, dtype=np.uint64))), axis=1)
    if stored != "anyhow":
        owners = generator.permutation(20)[customer]
        rows = np.lexsort((occurred_at, owners)) if stored.endswith("in time") else np.argsort(owners, kind="stable")
        customer, occurred_at, identity = customer[rows], occurred_at[rows], identity[rows]
    as_bytes = [pair.astype(">u8").tobytes() for pair in identity]
    expected = sorted(range(n), key=lambda row: (customer[row], occurred_at[row], as_bytes[row]))
    assert in_order(customer, occurred_at, identity).tolist() == expected


def test_no_rows_and_one_row_are_in_order() -> None:
    for n in (0, 1):
        nothing = np.zeros(n, dtype=np.int64)
        assert in_order(nothing, nothing, np.zeros((n, 2), dtype=np.uint64)).tolist() == list(range(n))
