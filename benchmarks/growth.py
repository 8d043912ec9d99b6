"""How time and memory of features and of scoring grow with the number of customers, drawn as charts.

Both read their events from SQLite, some customers at a time, so that memory is bounded by the chunk, not by the data.
The features are those of `benchmarks.features`, at twelve snapshots; the scoring is that of `benchmarks.score_all`,
which is measured beside its peer with all customers. A tenth and three tenths of them go before.

Prints one line of JSON a size, and with `--json` only that of `score_all`. With `--charts docs` it writes
`docs/growth-features-seconds.svg` and the like.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.comparison import Side, measure, measure_alone
from benchmarks.features import REFERENCE, window_features
from benchmarks.score_all import case_of, prepare_ours, store_both
from benchmarks.scored_shop import open_shop
from benchmarks.simulated_events import UTC, snapshots
from features.build import FeaturePlan, build_features_at
from models.charts import bar_chart
from store.events import read_chunks

__all__ = ["main"]

_SHARES = (0.1, 0.3, 1.0)
_SNAPSHOTS, _DAYS_APART = 12, 30
_WHAT = {"features": "Features at twelve snapshots", "scoring": "Scores, reasons and segments"}
_UNITS = {"seconds": "seconds", "mb": "peak memory in MB"}


def main() -> None:
    """Measure, print and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=1_000_000, help="of the largest shop, by default 1,000,000")
    parser.add_argument("--json", action="store_true", help="print the line of score_all and nothing else")
    parser.add_argument("--charts", type=Path, help="the folder where charts are written")
    arguments = parser.parse_args()
    lines = []
    for scored, line in _measured(arguments.customers):
        print(json.dumps(line), file=sys.stderr if arguments.json else sys.stdout, flush=True)
        if scored:
            print(json.dumps(scored), flush=True)
        lines.append(line)
    if arguments.charts is not None:
        _draw(lines, arguments.charts)


def _measured(most_customers: int) -> Iterator[tuple[dict[str, Any] | None, dict[str, Any]]]:
    """Yield the line of `score_all`, with all customers only, and that of growth."""
    for share in _SHARES:
        customers = round(share * most_customers)
        with tempfile.TemporaryDirectory() as name:
            ours, peer = store_both(Path(name), customers)
            seconds, peak = measure_alone(Side(_prepare_features, ours))
            line = {"customers": customers, "features_seconds": round(seconds, 2), "features_mb": round(peak)}
            case = case_of(ours, peer, customers)
            scored = measure(case) if share == 1 else None
            if scored is not None:
                seconds, peak = scored["ours_s"], scored["ours_peak_mb"]
            else:
                seconds, peak = measure_alone(Side(_prepare_scoring, ours, peer, processes=case.ours.processes))
            yield scored, line | {"scoring_seconds": round(seconds, 2), "scoring_mb": round(peak)}


def _draw(lines: list[dict[str, Any]], folder: Path) -> None:
    labels = [f"{line['customers']:,} customers" for line in lines]
    for name, what in _WHAT.items():
        for unit, unit_in_words in _UNITS.items():
            chart = bar_chart(
                labels,
                [line[f"{name}_{unit}"] for line in lines],
                title=f"{what}: {unit_in_words}",
                description=f"One bar a number of customers, each with about ten events; {unit_in_words}.",
                decimals=0 if unit == "mb" else 1,
            )
            (folder / f"growth-{name}-{unit}.svg").write_text(chart + "\n", encoding="utf-8")


def _prepare_scoring(folder: Path, small: Path) -> Callable[[], int]:
    """Score a small shop first, so that what compiles has been compiled."""
    prepare_ours(small)()
    return prepare_ours(folder)


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
