"""The steps of docs/add-a-feature.md, followed to the letter."""

from __future__ import annotations

import importlib.util
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

import pytest

from features.build import FeaturePlan, build_features
from features.catalogue import CATALOGUE
from features.document import catalogue_as_markdown
from features.feature import Feature
from features.reference import Reference
from features.windows import Snapshot
from tests.features.strategies import bought, refunded, to_log

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "add-a-feature.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """Return the family that the page names, with the page's value at the end of its FEATURES."""
    found = re.search(r"end of `FEATURES` in `(features/families/\w+\.py)`:\n\n```python\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    path, value = found.groups()
    source = (ROOT / path).read_text(encoding="utf-8")
    begin = source.index("FEATURES = (\n")
    end = source.index("\n)\n", begin)
    changed = tmp_path_factory.mktemp("families") / Path(path).name
    changed.write_text(f"{source[: end + 1]}{value}{source[end + 1 :]}", encoding="utf-8")
    spec = importlib.util.spec_from_file_location("changed_family", changed)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def feature(family: ModuleType) -> Feature:
    added: Feature = family.FEATURES[-1]
    assert added.name not in CATALOGUE
    return added


def test_the_value_is_one_more_feature_of_its_family(family: ModuleType, feature: Feature) -> None:
    assert [known.name for known in family.FEATURES[:-1]] == [
        known.name for known in CATALOGUE.values() if known.driver == feature.driver
    ]


def test_it_is_computed_for_every_customer(feature: Feature) -> None:
    def at(day: int) -> datetime:
        return datetime(2024, 1, 1, 12, tzinfo=UTC) + timedelta(days=day)

    log = to_log(
        [
            bought(at(0), 100.0, order="A"),
            refunded(at(5), 30.0, order="A"),
            refunded(at(150), 10.0, order="A"),
            bought(at(0), 100.0, customer="keeps everything"),
        ]
    )
    snapshot = Snapshot.at(at(200), log.calendar)
    frame = build_features(log, snapshot, Reference.of(log, snapshot), FeaturePlan.of([feature]))
    assert frame[feature.name] == pytest.approx([0.25, float("nan")], nan_ok=True)


def test_it_is_told_as_the_page_says(feature: Feature) -> None:
    told = re.search(r"a share of \.25 is told as\n\n> (.*)\n", PAGE)
    assert told is not None
    assert feature.tell(0.25, "EUR") == told[1]


def test_it_has_its_row_in_the_list_of_features(feature: Feature) -> None:
    page = catalogue_as_markdown({**CATALOGUE, feature.name: feature})
    row = f"| `{feature.name}` | share | last 90 days | refunds | {feature.description} |"
    assert row in page.splitlines()
    assert row not in catalogue_as_markdown().splitlines()
