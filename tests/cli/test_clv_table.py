"""What the terminal shows of the purchase models, by this release and by an older one."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from cli.tables import clv_table
from tests.clv_report import CLV_REPORT, CLV_REPORT_OF_OLD


def shown(report: dict[str, Any]) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=80, highlight=False).print(clv_table(report))
    return [" ".join(line.split()) for line in out.getvalue().splitlines()]


def test_candidates_and_baselines_stand_in_one_table_and_what_is_in_use_is_marked() -> None:
    lines = shown(CLV_REPORT)
    assert "* bg nbd 1.6100 ███·· 1.6400 0.4400 -12.2% 0.7000" in lines
    assert "* lightgbm poisson 1.5000 ███·· 1.6400 0.4400 -12.2% 0.7000" in lines
    assert "same rate 2.1600 ████· 1.6400 0.4400 0.7000" in lines
    assert "nobody returns 2.4700 █████ 1.6400 -100.0% 0.7000" in lines
    assert "bg_nbd is kept: the only one." in lines


def test_intervals_say_what_they_covered() -> None:
    lines = shown(CLV_REPORT)
    assert "80% intervals of bg nbd over the same days" in lines
    assert "purchase days 91.0% 79.2% off by 1.3 points 4.123" in lines
    assert "same for everybody 6.6" in lines
    assert "value 91.0% 79.2% off by 1.3 points 3,210" in lines


def test_fits_show_parameters_with_their_errors_and_name_those_that_the_data_does_not_tell() -> None:
    text = " ".join(shown(CLV_REPORT))
    assert "bg nbd 3e-13 241 r 0.25 ± 0.012, alpha 33.5 ± 1.7, a 0.7" in text
    assert "a 0.7 (at its bound), b 2.2 (not" in text
    assert "log-likelihood -9,582.40" in text
    assert "gamma gamma 1e-12 p 6.25 ± 0.5, q 3.74 ± 0.2, v 15.44 ± 1" in text


@pytest.mark.parametrize("report", [CLV_REPORT, CLV_REPORT_OF_OLD], ids=["now", "old"])
def test_a_terminal_of_80_columns_cuts_nothing(report: dict[str, Any]) -> None:
    assert not any("…" in line for line in shown(report))


def test_the_report_of_a_release_that_knew_one_model_shows_what_it_holds() -> None:
    lines = shown(CLV_REPORT_OF_OLD)
    assert "* bg nbd 1.6100 ███·· 0.4400" in lines
    assert "nobody returns 2.4700 █████" in lines
    assert "bg nbd r 0.25, alpha 33.5, a 0.7, b 2.2; log-likelihood -9,582.40" in " ".join(lines)
