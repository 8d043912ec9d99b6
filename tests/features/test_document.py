"""The catalogue as markdown."""

from __future__ import annotations

from features.catalogue import CATALOGUE
from features.document import catalogue_as_markdown


def test_every_feature_has_one_row_with_name_unit_window_and_description() -> None:
    rows = [line for line in catalogue_as_markdown().splitlines() if line.startswith("| `")]
    cells = {row.split("`")[1]: [cell.strip() for cell in row.strip("|").split(" | ")] for row in rows}
    assert len(rows) == len(cells) == len(CATALOGUE)
    for name, feature in CATALOGUE.items():
        shown_name, unit, window, description = cells[name]
        assert (shown_name, unit, window) == (f"`{name}`", feature.unit, feature.window)
        assert description.startswith(feature.description)
        assert ("730 days" in description) == (feature.needs_history_days == 730)


def test_features_stand_under_their_driver() -> None:
    driver = ""
    for line in catalogue_as_markdown().splitlines():
        if line.startswith("## "):
            driver = line.removeprefix("## ").lower()
        elif line.startswith("| `"):
            assert CATALOGUE[line.split("`")[1]].driver == driver
