"""The catalogue as markdown."""

from __future__ import annotations

import re

from features.catalogue import CATALOGUE, find_feature
from features.document import catalogue_as_markdown
from features.families.events import event_features


def test_every_feature_has_one_row_with_name_unit_window_and_description() -> None:
    declared, _, _ = catalogue_as_markdown().partition("## Of any other event")
    rows = [line for line in declared.splitlines() if line.startswith("| `")]
    cells = {row.split("`")[1]: [cell.strip() for cell in row.strip("|").split(" | ")] for row in rows}
    assert len(rows) == len(cells) == len(CATALOGUE)
    for name, feature in CATALOGUE.items():
        shown_name, unit, window, needs, description = cells[name]
        assert (shown_name, unit, window, needs) == (f"`{name}`", feature.unit, feature.window, feature.needs)
        assert description.startswith(feature.description)
        assert ("730 days" in description) == (feature.needs_history_days == 730)


def test_features_stand_under_their_driver() -> None:
    driver = ""
    declared, _, _ = catalogue_as_markdown().partition("## Of any other event")
    for line in declared.splitlines():
        if line.startswith("## "):
            driver = line.removeprefix("## ").lower()
        elif line.startswith("| `"):
            assert CATALOGUE[line.split("`")[1]].driver == driver


def test_the_features_made_by_rule_are_explained_with_names_that_the_rule_makes() -> None:
    _, heading, by_rule = catalogue_as_markdown().partition("## Of any other event, by rule")
    assert heading
    names = re.findall(r"^\| `([^`]+)` \|", by_rule, re.MULTILINE)
    assert {name.partition(".")[0] for name in names} == {"event", "attribute"}
    for name in names:
        assert find_feature(name) is not None
        assert name not in CATALOGUE
    assert len([name for name in names if name.startswith("event.")]) == len(event_features("newsletter_signup"))
    assert "Contract is Month-to-month" in by_rule


def test_a_catalogue_of_one_feature_makes_one_table() -> None:
    page = catalogue_as_markdown({"T": CATALOGUE["T"]})
    assert next(line for line in page.splitlines() if line.startswith("## ")) == "## Lifetime"
    assert page.count("## ") == 3
