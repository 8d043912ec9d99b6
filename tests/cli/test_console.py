"""What every command shares: bars and the range of dates."""

from __future__ import annotations

from datetime import datetime

import pytest
import typer

from cli.console import bar, within_calendar


@pytest.mark.parametrize(("share", "drawn"), [(0, "····"), (0.5, "██··"), (1, "████"), (-3, "····"), (9, "████")])
def test_a_bar_is_as_long_as_its_share(share: float, drawn: str) -> None:
    assert bar(share, width=4) == drawn


def test_dates_are_taken_from_1900_to_2099() -> None:
    for year in (1900, 2099):
        assert within_calendar(datetime(year, 5, 5)) == datetime(year, 5, 5)  # noqa: DTZ001  # as typer reads it
    assert within_calendar(None) is None
    with pytest.raises(typer.BadParameter, match="expected a year from 1900 to 2099, got 2100"):
        within_calendar(datetime(2100, 1, 1))  # noqa: DTZ001  # as typer reads it
