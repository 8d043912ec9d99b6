"""Lists of whom is wanted, lists of everybody, whole lists line by line, and moves between segments, over HTTP."""

from __future__ import annotations

import csv
import io
import json
import tracemalloc
from datetime import timedelta
from typing import Any

import pytest

from service.list_answers import TOTAL_COUNT
from service.published_list import list_of_segment, read_published, read_whole_list
from service.segment_csv import csv_text, harmless
from service.segment_ndjson import ndjson_text
from store.lists import iterate_segment
from store.retention import prune
from tests.service.conftest import Shop
from tests.service.shop import AS_OF, N_CUSTOMERS, NOW, ODD_IDS
from training.score_all import score_all

DORMANT = "/v1/segments/dormant/customers"
STEADY = "/v1/segments/steady/customers"
NDJSON = "application/x-ndjson"
MEGABYTE = 1_000_000


def _all_pages(shop: Shop, path: str, **params: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    page = shop.get(path, **params)
    while True:
        rows.extend(page["rows"])
        if page["next_cursor"] is None:
            assert page["looked_at"]["share"] == 1.0
            return rows
        page = shop.get(path, **params, cursor=page["next_cursor"])


def _lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_list_by_reason_holds_whom_the_reason_is_among_in_their_places(shop: Shop) -> None:
    whole = shop.get(STEADY, limit=1000)["rows"]
    assert len(whole) > 20
    reasons = {row["customer_id"]: shop.get("/v1/score", customer_id=row["customer_id"])["reasons"] for row in whole}
    for direction, sign in (("", 0), (":towards", 1), (":against", -1)):
        expected = [
            row
            for row in whole
            if any(
                reason["feature"] == "frequency" and reason["contribution"] * sign >= 0
                for reason in reasons[row["customer_id"]]
            )
        ]
        assert _all_pages(shop, STEADY, reason=f"frequency{direction}", limit=7) == expected
    page = shop.get(STEADY, reason="frequency", limit=3)
    assert page["customers"] == len(whole)
    assert page["looked_at"]["rows"] == page["looked_at"]["position"] == page["rows"][-1]["position"]
    assert page["looked_at"]["share"] == pytest.approx(page["looked_at"]["position"] / len(whole))
    assert shop.get(STEADY)["looked_at"] is None


def test_a_list_by_attribute_and_by_least_numbers_holds_whom_they_fit(shop: Shop) -> None:
    everybody = "/v1/segments/all/customers"
    for wanted in ("country=Chile", "age=41", "age>=41", "age<=41.0"):
        assert [row["customer_id"] for row in _all_pages(shop, everybody, attribute=wanted)] == [ODD_IDS[0]]
    for unwanted in ("country=chile", "age=40", "age<=40", "age>=2024-01-01"):
        assert _all_pages(shop, everybody, attribute=unwanted) == []
    whole = shop.get("/v1/at-risk", limit=1000)["rows"]
    least = whole[len(whole) // 2]["value_at_risk"]
    found = shop.get("/v1/at-risk", min_value_at_risk=least, limit=1000)
    assert found["rows"] == [row for row in whole if row["value_at_risk"] >= least]
    assert found["looked_at"]["rows"] == len(found["rows"])
    reorder = shop.get("/v1/propensities/reorder", limit=1000)["rows"]
    likely = [row for row in reorder if row["propensities"]["reorder"] >= 0.3]
    assert 0 < len(likely) < len(reorder)
    assert _all_pages(shop, "/v1/propensities/reorder", min_probability=0.3) == likely


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"reason": "no_such"}, "Reasons of this list: T, days_since_last_purchase"),
        ({"reason": "frequency:sideways"}, "Reasons of this list"),
        ({"attribute": "planet=Mars"}, "Attributes there are: age, country."),
        ({"attribute": "country"}, "Expected name=value"),
        ({"attribute": "age>=old"}, "Expected a number or a date"),
        ({"attribute": "age<=nan"}, "Expected a number or a date"),
    ],
)
def test_what_nobody_can_want_is_refused_with_the_names_there_are(
    shop: Shop, params: dict[str, str], said: str
) -> None:
    for others in ({}, {"format": "ndjson"}):
        response = shop.client.get(STEADY, params={**params, **others})
        assert (response.status_code, response.json()["code"]) == (422, "invalid-filter")
        assert said in response.json()["detail"]


@pytest.mark.parametrize("params", [{"min_clv": "nan"}, {"min_probability": 1.1}, {"min_value_at_risk": -1}])
def test_a_least_number_that_is_none_is_refused(shop: Shop, params: dict[str, Any]) -> None:
    assert shop.client.get(STEADY, params=params).status_code == 422


def test_the_list_of_everybody_goes_by_who_was_known_first(shop: Shop) -> None:
    page = shop.get("/v1/segments/all/customers", limit=1000)
    assert (len(page["rows"]), page["customers"], page["ranked_by"]) == (N_CUSTOMERS, N_CUSTOMERS, "first_known")
    assert [row["customer_id"] for row in page["rows"][:6]] == list(ODD_IDS)
    first = shop.get("/v1/segments/all/customers", limit=3)
    assert shop.get("/v1/segments/all/customers", limit=3, cursor=first["next_cursor"])["rows"] == page["rows"][3:6]


@pytest.mark.parametrize("asked", [{"params": {"format": "ndjson"}}, {"headers": {"accept": NDJSON}}])
def test_ndjson_holds_the_whole_list_as_json_does_and_says_that_it_ends(shop: Shop, asked: dict[str, Any]) -> None:
    response = shop.client.get(DORMANT, **asked)
    whole = shop.get(DORMANT, limit=1000)
    *rows, end = _lines(response.text)
    assert rows == whole["rows"]
    assert (end["end"], end["rows"], end["scoring_run_id"], end["model_version"]) == (True, len(rows), 1, 1)
    assert end["next_cursor"] is None
    assert response.headers["content-type"].startswith(NDJSON)
    assert response.headers["content-disposition"] == 'attachment; filename="dormant.ndjson"'
    assert response.headers[TOTAL_COUNT] == str(len(rows)) == str(whole["customers"])


def test_what_is_wanted_goes_for_whole_lists_and_pages_line_by_line_too(shop: Shop) -> None:
    wanted = {"reason": "frequency", "min_clv": 20}
    expected = _all_pages(shop, STEADY, **wanted)
    *rows, _ = _lines(shop.client.get(STEADY, params={**wanted, "format": "ndjson"}).text)
    assert rows == expected
    response = shop.client.get(STEADY, params={**wanted, "format": "csv"})
    assert TOTAL_COUNT not in response.headers
    positions = [row["position"] for row in csv.DictReader(io.StringIO(response.text))]
    assert positions == [str(row["position"]) for row in expected]
    page = shop.client.get(STEADY, params={**wanted, "format": "ndjson", "limit": 2})
    following = shop.client.get(page.headers["Link"].partition(";")[0].strip("<>"))
    assert f"cursor={_lines(page.text)[-1]['next_cursor']}" in page.headers["Link"]
    assert [*_lines(page.text)[:2], *_lines(following.text)[:2]] == expected[:4]


def test_a_whole_list_is_of_one_run_though_another_is_published_meanwhile(own_shop: Shop) -> None:
    before = own_shop.get(DORMANT, limit=1000)["rows"]
    rows, published = read_whole_list(own_shop.database, list_of_segment("dormant"))
    score_all(own_shop.database, own_shop.settings, now=lambda: NOW, as_of=AS_OF - timedelta(days=60))
    *told, end = _lines("".join(ndjson_text(rows, list_of_segment("dormant"), published)))
    assert (told, end["scoring_run_id"]) == (before, 1)


def test_a_whole_list_whose_run_goes_meanwhile_breaks_off(own_shop: Shop) -> None:
    listing = list_of_segment("dormant")
    rows, published = read_whole_list(own_shop.database, listing)
    assert next(rows).position == 1
    later = NOW + timedelta(days=1)
    score_all(own_shop.database, own_shop.settings, now=lambda: NOW, as_of=AS_OF)
    small = iterate_segment(own_shop.database, "dormant", run_id=published.run.id, rows_a_page=5)
    next(small)
    prune(own_shop.database, before=later)
    with pytest.raises(Exception, match="is gone"):
        list(ndjson_text(small, listing, published))


def test_moves_between_segments_are_told_from_the_second_run_on(own_shop: Shop) -> None:
    assert own_shop.get("/v1/segments")["transitions"] is None
    assert "Since the run before" not in own_shop.client.get("/segments").text
    segment_of = {row.customer_id: row.score.segment for row in iterate_segment(own_shop.database, "all")}
    score_all(own_shop.database, own_shop.settings, now=lambda: NOW, as_of=AS_OF + timedelta(days=45))
    counts: dict[tuple[str, str], int] = {}
    for row in iterate_segment(own_shop.database, "all"):
        place = segment_of[row.customer_id], row.score.segment
        counts[place] = counts.get(place, 0) + 1
    answer = own_shop.get("/v1/segments")
    told = answer["transitions"]
    assert {(move["before"], move["now"]): move["customers"] for move in told["moves"]} == counts
    assert told["scoring_run_id"] == 1
    assert len(counts) > 5
    page = own_shop.client.get("/segments").text
    moved = sum(n for (before, now), n in counts.items() if before != now)
    assert f"{moved:,} customers are in another primary segment than in run 1" in page


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20"])
@pytest.mark.parametrize("before", ["", " ", "\n", "\t ", "\u00a0", "\u3000", "\ufeff", "\u200b \0"])
def test_text_that_a_spreadsheet_may_take_for_a_formula_is_harmless_whatever_stands_before(
    start: str, before: str
) -> None:
    assert harmless(f"{before}{start}1") == f"'{before}{start}1"


@pytest.mark.parametrize("text", ["1-2", "a=b", " plain", "", "'=1", "5"])
def test_other_text_is_left_as_it_is(text: str) -> None:
    assert harmless(text) == text


def test_numbers_below_0_stay_numbers(shop: Shop) -> None:
    listing = list_of_segment("dormant")
    with shop.database.read() as session:
        published = read_published(session)
    (row, *_) = iterate_segment(shop.database, "dormant")
    row.score.clv = -12.5
    (cells,) = csv.DictReader(io.StringIO("".join(csv_text([row], listing, published))))
    assert cells["clv"] == "-12.5"


@pytest.mark.parametrize("write", [csv_text, ndjson_text])
def test_a_whole_list_is_written_in_bounded_memory(shop: Shop, write: Any) -> None:
    listing = list_of_segment("dormant")
    with shop.database.read() as session:
        published = read_published(session)

    def again_and_again(times: int) -> Any:
        for _ in range(times):
            yield from iterate_segment(shop.database, "dormant", rows_a_page=100)

    def peak_of(times: int) -> tuple[int, int]:
        tracemalloc.start()
        written = sum(len(piece) for piece in write(again_and_again(times), listing, published))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return written, peak

    peak_of(1)
    (_, once), (written, often) = peak_of(6), peak_of(14)
    assert written > 0.2 * MEGABYTE
    # As objects, the rows between take ten times as much.
    assert often < once + 0.7 * MEGABYTE
