"""The chart of returns: well-formed, all in words, and refusing what is no curve."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from models.exceptions import InputError
from models.return_chart import ReturnLine, return_chart

_DAYS = np.arange(61, dtype=np.float64)
_FALLING = 1.0 - _DAYS / 100


def _chart(*lines: ReturnLine, horizon_days: int | None = 45) -> str:
    return return_chart(lines, title="Who <returns>", description="d", level=0.5, horizon_days=horizon_days)


def test_lines_are_named_marked_and_said_in_words() -> None:
    drawn = _chart(ReturnLine("weekly", _DAYS, _FALLING), ReturnLine("repeat customers", _DAYS, _FALLING / 2, True))
    root = ElementTree.fromstring(drawn)  # noqa: S314 - our own text
    words = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"weekly", "repeat customers", "45 days", "days without a purchase"} <= set(words)
    assert "weekly: 100% after 0 days, 85% after 15 days, 70% after 30 days" in drawn
    assert "<title>Who &lt;returns&gt;</title>" in drawn
    assert drawn == _chart(
        ReturnLine("weekly", _DAYS, _FALLING), ReturnLine("repeat customers", _DAYS, _FALLING / 2, True)
    )


def test_names_of_lines_that_end_together_stand_a_line_apart() -> None:
    drawn = _chart(*(ReturnLine(f"group {i}", _DAYS, _FALLING * 0) for i in range(6)))
    heights = sorted(float(y) for y in re.findall(r'y="([\d.]+)" text-anchor="start">group', drawn))
    assert len(heights) == 6
    assert min(np.diff(heights)) >= 20.0


@pytest.mark.parametrize("last_day", [3, 180, 730, 7000])
def test_there_are_a_few_ticks_however_long_the_silences(last_day: int) -> None:
    days = np.array([0.0, last_day])
    drawn = _chart(ReturnLine("all", days, np.array([0.5, 0.1])), horizon_days=None)
    ticks = re.findall(r'y="360.00" text-anchor="middle">([\d,]+)<', drawn)
    assert 1 <= len(ticks) <= 7
    assert ticks[0] == "0"


def test_without_points_it_says_that_there_is_no_data() -> None:
    assert "There is no data to show yet" in _chart(ReturnLine("all", np.empty(0), np.empty(0)))


@pytest.mark.parametrize(
    ("days", "share"), [([0.0, 1.0], [0.5]), ([1.0, 0.0], [0.5, 0.5]), ([0.0, 1.0], [0.5, 1.5]), ([0.0], [np.nan])]
)
def test_what_is_no_curve_is_refused(days: list[float], share: list[float]) -> None:
    with pytest.raises(InputError, match="all: expected ascending days from 0 and one share"):
        _chart(ReturnLine("all", np.array(days), np.array(share)))
