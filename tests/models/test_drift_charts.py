"""Charts of drift hold their data in words, lie inside the picture, and refuse what they can't draw."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from models.drift_charts import drift_lines, shift_bars
from models.exceptions import InputError

SVG = "{http://www.w3.org/2000/svg}"
NAN = float("nan")


def drawn(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text)  # noqa: S314 - our own text


def test_a_row_shows_its_index_in_every_run_and_says_the_newest() -> None:
    root = drawn(drift_lines(["Score", "A <b> & c"], [[0.02, 0.3, 0.5], [NAN, 0.1, 0.2]], title="t", description="d"))
    lines = [element.attrib["points"].split() for element in root.iter(f"{SVG}polyline")]
    assert [len(points) for points in lines] == [3, 2]
    told = root[1].text or ""
    assert "Score: 0.50 in the newest run, from 0.02" in told
    assert "A <b> & c: 0.20 in the newest run, from 0.10" in told
    width, height = (float(number) for number in root.attrib["viewBox"].split()[2:])
    for points in lines:
        for point in points:
            x, y = map(float, point.split(","))
            assert 0 <= x <= width
            assert 0 <= y <= height
    # The higher the index, the higher the point.
    heights = [float(point.split(",")[1]) for point in lines[0]]
    assert heights == sorted(heights, reverse=True)


def test_one_run_is_a_point_and_a_row_without_any_says_so() -> None:
    root = drawn(drift_lines(["a", "b"], [[0.1], [NAN]], title="t", description="d"))
    assert len(list(root.iter(f"{SVG}circle"))) == 1
    assert "b: – in the newest run" in (root[1].text or "")


def test_both_shares_of_each_bin_are_drawn_and_told() -> None:
    root = drawn(shift_bars(["low", "high"], [0.5, 0.5], [0.25, 0.75], title="t", description="d"))
    widths = [float(element.attrib["width"]) for element in root.iter(f"{SVG}rect")][2:]
    assert widths == pytest.approx([320.0, 160.0, 320.0, 480.0])
    assert "high: 50.0% at training, 75.0% in this run" in (root[1].text or "")


def test_nothing_to_draw_says_so() -> None:
    for chart in (
        drift_lines([], [], title="t", description="d"),
        shift_bars([], [], [], title="t", description="d"),
    ):
        assert "There is no data to show yet" in chart


def test_what_can_not_be_drawn_is_refused() -> None:
    with pytest.raises(InputError, match="an index of each of the 2 rows for every run"):
        drift_lines(["a", "b"], [[0.1, 0.2], [0.1]], title="t", description="d")
    with pytest.raises(InputError, match="indices of 0 and more"):
        drift_lines(["a"], [[-0.1]], title="t", description="d")
    with pytest.raises(InputError, match="two shares in"):
        shift_bars(["a"], [0.5], [1.5], title="t", description="d")
