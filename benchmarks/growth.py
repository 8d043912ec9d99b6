"""How time and memory of features and of scoring grow with the number of customers: drawn into `docs/`.

Both read their events from SQLite, some customers at a time, so that memory is bounded by the chunk, not by the data.
The features are those of `benchmarks.features`, at twelve snapshots; the scoring is that of `benchmarks.score_all`.
Prints one line of JSON a size, and writes `docs/growth-features-seconds.svg` and the like.

    python -m benchmarks.growth --customers 100000 300000 1000000
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.comparison import Side, measure_alone
from benchmarks.features import REFERENCE, window_features
from benchmarks.score_all import prepare_ours
from benchmarks.scored_shop import open_shop, settings_of, store_shop
from benchmarks.simulated_events import UTC, snapshots
from features.build import FeaturePlan, build_features_at
from models.charts import bar_chart
from store.events import read_chunks

__all__ = ["main"]

_SIZES = (100_000, 300_000, 1_000_000)
_SNAPSHOTS, _DAYS_APART = 12, 30
_WHAT = {"features": "Features at twelve snapshots", "scoring": "Scores, reasons and segments"}
_UNITS = {"seconds": "seconds", "mb": "peak memory in MB"}


def main() -> None:
    """Measure, print and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, nargs="+", default=_SIZES)
    parser.add_argument("--folder", type=Path, default=Path("docs"), help="where the charts are written")
    arguments = parser.parse_args()
    grown = [_measured(customers) for customers in arguments.customers]
    labels = [f"{customers:,} customers" for customers in arguments.customers]
    for name, what in _WHAT.items():
        for unit, unit_in_words in _UNITS.items():
            chart = bar_chart(
                labels,
                [line[f"{name}_{unit}"] for line in grown],
                title=f"{what}: {unit_in_words}",
                description=f"One bar a number of customers, each with about ten events; {unit_in_words}.",
                decimals=0 if unit == "mb" else 1,
            )
            (arguments.folder / f"growth-{name}-{unit}.svg").write_text(chart + "\n", encoding="utf-8")


def _measured(customers: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store_shop(folder, customers)
        line: dict[str, float] = {"customers": customers}
        scoring = Side(prepare_ours, folder, processes=settings_of(folder).scoring_processes)
        for what, side in (("features", Side(_prepare_features, folder)), ("scoring", scoring)):
            seconds, peak = measure_alone(side)
            line |= {f"{what}_seconds": round(seconds, 2), f"{what}_mb": round(peak)}
    print(json.dumps(line), flush=True)
    return line


def _prepare_features(folder: Path) -> Callable[[], int]:
    database, plan, at = open_shop(folder), FeaturePlan.of(window_features()), snapshots(_SNAPSHOTS, _DAYS_APART)

    def run() -> int:
        n_rows = 0
        for _, log, _ in read_chunks(database, UTC):
            n_rows += sum(len(frame.values) for frame in build_features_at(log, at, REFERENCE, plan))
        return n_rows

    return run


if __name__ == "__main__":
    main()
