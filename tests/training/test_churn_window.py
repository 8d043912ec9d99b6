"""The horizon that a log proposes, and requests that ask for it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from features.event_log import EventLog
from models.clv import ClvTerms
from models.segment_policy import SegmentPolicy
from store.training_request import TrainingRequest
from tests.data.cdnow import cdnow_log
from tests.shop import Row, shop_log, to_log
from training.at_risk_change import AtRiskChange, Horizon, compare_horizons
from training.churn_window import HORIZONS, REPEAT, SILENCES_SHOWN, find_churn_window, resolved
from training.dataset import FEWEST_ROWS

_FIRST = datetime(2024, 1, 1, 12, tzinfo=UTC)


def _log(customers: dict[str, list[int]]) -> EventLog:
    rows = [Row(name, _FIRST + timedelta(days=day), 10.0) for name, days in customers.items() for day in days]
    return to_log(rows)


def _with_gap(gap: int, *, back: int, gone: int) -> EventLog:
    """Customers who bought twice and then returned after a gap, on the last day of the log; and some who never did."""
    told = {f"back-{i:03}": [395 - gap, 400 - gap, 400] for i in range(back)}
    return _log(told | {f"gone-{i:03}": [0, 5] for i in range(gone)})


def test_the_shortest_horizon_is_proposed_after_which_fewer_than_half_return() -> None:
    # All who return do so after 40 days: until then 60 or 100 of 160 silences end in a return, after 45 days none.
    few = find_churn_window(_with_gap(40, back=60, gone=100))
    assert (few.horizon_days, few.is_long_enough) == (7, True)
    most = find_churn_window(_with_gap(40, back=100, gone=60))
    assert (most.horizon_days, most.is_long_enough) == (45, True)
    assert {figure.days: figure.share for figure in most.candidates}[30] == pytest.approx(100 / 160, abs=1e-12)


def test_three_horizons_fit_into_the_history() -> None:
    window = find_churn_window(shop_log())
    fitting = [days for days in HORIZONS if 3 * days <= window.silences.history_days]
    assert [figure.days for figure in window.candidates] == fitting


def _like_clockwork(customers: int, gap: int, *, within: int, days: int) -> EventLog:
    """Customers who buy every gap, give or take so many days, and of whom nobody leaves."""
    rng = np.random.default_rng(0)
    starts = rng.integers(0, gap, customers)
    gaps = rng.integers(gap - within, gap + within + 1, (customers, days // (gap - within)))
    bought = starts[:, None] + np.hstack([np.zeros((customers, 1), dtype=int), gaps.cumsum(axis=1)])
    return _log({f"c{i:03}": row[row < days].tolist() for i, row in enumerate(bought)})


@pytest.mark.parametrize(
    ("gap", "within", "days", "horizon"), [(7, 2, 200, 14), (20, 8, 400, 30), (30, 2, 600, 45), (90, 20, 600, 120)]
)
def test_of_customers_like_clockwork_the_horizon_is_just_beyond_the_longest_gap(
    gap: int, within: int, days: int, horizon: int
) -> None:
    log = _like_clockwork(150, gap, within=within, days=days)
    window = find_churn_window(log)
    assert (window.horizon_days, window.is_long_enough) == (horizon, True)
    assert window.reason == (
        "by then 100.0% of the silences of repeat customers have ended; whoever is silent for longer is likely leaving."
    )
    assert resolved(TrainingRequest(horizon_days="auto"), log)[0].horizon == horizon


def test_where_a_history_is_too_short_the_longest_that_fits_is_proposed_and_said_to_be_too_short() -> None:
    window = find_churn_window(_like_clockwork(150, 30, within=2, days=80))
    assert (window.horizon_days, window.is_long_enough) == (14, False)
    assert window.reason.startswith(
        f"it is the longest that {window.silences.history_days} days of history can tell of, though of the "
    )
    assert window.reason.endswith("A longer history may propose a longer one.")


def test_where_too_few_silences_last_a_longer_history_is_not_what_is_missing() -> None:
    # Most buy every 10 days. Of the 45 silences that last longer, all end, after 190 days: nobody is gone.
    log = _log(
        {f"often-{i:03}": list(range(i % 10, 400, 10)) for i in range(300)}
        | {f"seldom-{i:02}": [i % 10, i % 10 + 190, i % 10 + 386] for i in range(45)}
    )
    window = find_churn_window(log)
    assert (window.horizon_days, window.is_long_enough) == (7, False)
    assert window.reason.startswith("too few silences of repeat customers last long enough to tell of a longer one, ")
    assert "history" not in window.reason


def test_less_than_half_does_not_look_like_half() -> None:
    window = find_churn_window(_with_gap(40, back=124, gone=126))
    assert {figure.days: figure.share for figure in window.candidates}[7] == pytest.approx(0.496, abs=1e-12)
    assert "49.6% ended in a return, fewer than half." in window.reason
    assert "49.9% ended" in find_churn_window(_with_gap(40, back=1499, gone=1501)).reason  # 49.97 %
    assert "38% ended" in find_churn_window(_with_gap(40, back=60, gone=100)).reason


def test_what_is_too_little_gives_no_proposal_and_a_reason() -> None:
    short = find_churn_window(_log({"anna": [0, 5, 19]}))
    assert (short.horizon_days, short.reason) == (None, "there are 20 days of history; a proposal needs 21 at least.")
    few = find_churn_window(_log({"anna": [0, 5, 300]}))
    assert (few.horizon_days, few.reason) == (
        None,
        "fewer than 50 silences of repeat customers could be followed.",
    )
    assert find_churn_window(to_log([Row("anna", _FIRST, None, "Session Started")])).horizon_days is None


def test_a_silence_belongs_to_the_usual_gap_that_was_known_when_it_began() -> None:
    window = find_churn_window(_log({"anna": [0, 7, 21, 200], "ben": [0, 90], "cleo": [0, 91], "last": [300]}))
    silences = {group.name: group.silences for group in window.groups}
    # Mean gaps of anna: 7, then 10.5, then 66.7 days; of ben 90; of cleo 91.
    assert silences == {
        "up to 7 days": 1,
        "8 to 30 days": 1,
        "31 to 90 days": 2,
        "over 90 days": 1,
        "first purchase": 4,
        REPEAT: 5,
        "all": 9,
    }


def test_figures_count_silences_and_customers_and_survive_json() -> None:
    window = find_churn_window(shop_log())
    told = json.loads(json.dumps(window.to_dict(), allow_nan=False))
    assert [group["name"] for group in told["groups"]] == [group.name for group in window.groups]
    for group in window.groups:
        assert [figure.days for figure in group.figures] == list(SILENCES_SHOWN)
        counts = [(figure.silences, figure.customers) for figure in group.figures]
        assert counts == sorted(counts, reverse=True)
        assert all(customers <= silences for silences, customers in counts)
        assert group.customers <= group.silences


def test_the_whole_of_cdnow_proposes_150_days() -> None:
    window = find_churn_window(cdnow_log("cdnow_master.parquet"))
    shares = {figure.days: round(figure.share or 0.0, 3) for figure in window.candidates}
    assert (window.horizon_days, window.is_long_enough) == (150, True)
    assert (shares[90], shares[120], shares[150]) == (0.576, 0.507, 0.445)


def test_auto_becomes_what_is_proposed_and_says_so() -> None:
    log = _with_gap(40, back=100, gone=60)
    request, note = resolved(TrainingRequest(horizon_days="auto", seed=7), log)
    assert (request.horizon, request.activity_window_days, request.seed) == (45, 90, 7)
    assert note is not None
    assert note.startswith("The horizon of 45 days was chosen by the silences of the log: of the ")
    assert note.endswith("fewer than half. To see why: regulars churn-window")


def test_auto_without_a_proposal_keeps_the_default_and_says_why() -> None:
    request, note = resolved(TrainingRequest(horizon_days="auto"), _log({"anna": [0, 5, 19]}))
    assert request.horizon == 90
    assert note == (
        "The horizon of 90 days keeps its default: there are 20 days of history; a proposal needs 21 at least. To see "
        "why: regulars churn-window"
    )


def test_auto_does_not_take_a_proposal_that_is_too_short_and_below_the_default() -> None:
    request, note = resolved(TrainingRequest(horizon_days="auto"), _like_clockwork(150, 30, within=2, days=80))
    assert request.horizon == 90
    assert note is not None
    assert note.startswith(
        "The horizon of 90 days keeps its default, as the 14 days that the silences of the log propose are too short: "
    )
    # From the default on it is taken: a shorter horizon would be still further from long enough.
    request, note = resolved(TrainingRequest(horizon_days="auto"), _like_clockwork(150, 300, within=100, days=700))
    assert request.horizon == 150
    assert note is not None
    assert note.startswith("The horizon of 150 days was chosen by the silences of the log: ")


def test_a_number_stays_and_the_proposal_is_told_beside_it() -> None:
    log = _with_gap(40, back=100, gone=60)
    request, note = resolved(TrainingRequest(), log)
    assert request == TrainingRequest()
    assert note is not None
    assert note.startswith("The horizon is 90 days; the silences of the log propose 45: of the ")
    same, note = resolved(TrainingRequest(horizon_days=45), log)
    assert (same.horizon, note is not None and note.startswith("The horizon of 45 days is also what")) == (45, True)
    assert resolved(TrainingRequest(), _log({"anna": [0, 5, 19]})) == (TrainingRequest(), None)


@pytest.fixture(scope="module")
def change() -> AtRiskChange:
    log = shop_log()
    silences = find_churn_window(log).silences
    return compare_horizons(
        log, silences, Horizon.of(60), Horizon.of(120), policy=SegmentPolicy(), terms=ClvTerms(margin=1.0)
    )


def test_eligible_customers_and_shares_of_a_horizon_are_those_counted_row_by_row(change: AtRiskChange) -> None:
    log, days = shop_log(), 60
    end = int(log.day[log.kind == 0].max()) + 1
    eligible = judged = left = called = back = 0
    for i in range(log.n_customers):
        entries = slice(log.offsets[i], log.offsets[i + 1])
        bought = log.day[entries][log.is_purchase[entries]].tolist()
        eligible += any(end - 2 * days <= day < end for day in bought)
        if any(end - 3 * days <= day < end - days for day in bought):
            judged += 1
            left += not any(day >= end - days for day in bought)
        before = any(end - 4 * days <= day < end - 2 * days for day in bought)
        if before and not any(end - 2 * days <= day < end - days for day in bought):
            called += 1
            back += any(day >= end - days for day in bought)
    told = change.present
    assert judged > FEWEST_ROWS
    assert (told.eligible, told.judged, told.called) == (eligible, judged, called)
    assert (told.churn_rate, told.came_back) == (left / judged, back / called)


def test_lists_keep_to_the_policy_and_their_overlap_is_counted(change: AtRiskChange) -> None:
    for told in (change.present, change.proposed):
        assert 0 < told.on_list.sum() <= SegmentPolicy().max_share * told.eligible
    both = set(np.flatnonzero(change.present.on_list)) & set(np.flatnonzero(change.proposed.on_list))
    assert (change.on_both, change.to_dict()["on_both"]) == (len(both), len(both))
    assert change.to_dict()["proposed"]["horizon_days"] == 120
