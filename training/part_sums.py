"""The sums of a part of a scoring run as bytes, to the last bit, so that a killed run adds them up again."""

from __future__ import annotations

import io
import json
from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.bundle import Bundle
from store.listings import Places
from training.run_sums import RunSums

__all__ = ["from_bytes", "to_bytes"]

_COUNTED, _BY_SEGMENT = "counted", "by_segment"


def to_bytes(sums: RunSums) -> bytes:
    """Return the sums, but for the places of single customers, which stand in their scores."""
    counted = {
        "n_customers": sums.n_customers,
        "judged": sums.judged,
        "moved": [[before, now, customers] for (before, now), customers in sums.notes.moved.items()],
        "attributes": sorted(sums.notes.attributes),
    }
    arrays: dict[str, NDArray[Any]] = {
        _COUNTED: np.frombuffer(json.dumps(counted).encode(), dtype=np.uint8),
        _BY_SEGMENT: sums.by_segment,
    }
    for kind, of_kind in (("drivers", sums.drivers), ("drift", sums.drift)):
        for target, of_target in of_kind.items():
            arrays |= {f"{kind}/{target}/{name}": array for name, array in of_target.state().items()}
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)  # type: ignore[arg-type]  # its names are those of arrays here
    return file.getvalue()


def from_bytes(stored: bytes, bundle: Bundle, places: Places) -> RunSums:
    """Return the sums that `to_bytes` was given, of the customers of a part who stand in these places."""
    sums = RunSums.of_nobody(bundle)
    with np.load(io.BytesIO(stored), allow_pickle=False) as arrays:
        counted = json.loads(arrays[_COUNTED].tobytes())
        sums.by_segment += arrays[_BY_SEGMENT]
        for kind, of_kind in (("drivers", sums.drivers), ("drift", sums.drift)):
            for target, of_target in of_kind.items():
                begins = f"{kind}/{target}/"
                of_target.restore(
                    {name.removeprefix(begins): arrays[name] for name in arrays.files if name.startswith(begins)}
                )
    sums.n_customers, sums.judged = counted["n_customers"], counted["judged"]
    sums.notes.moved = Counter({(before, now): customers for before, now, customers in counted["moved"]})
    sums.notes.attributes = set(counted["attributes"])
    if places:
        sums.places.append(places)
    return sums
