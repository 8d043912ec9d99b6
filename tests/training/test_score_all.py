"""The scoring job: one published result, sums that agree with its rows, cut-offs of the policy in force."""

from __future__ import annotations

import errno
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from models.bundle_folder import BundleError
from models.segment_policy import SegmentPolicy
from models.segments import SEGMENTS
from store import policies, runs
from store.engine import Database
from store.events import key_ranges
from store.exceptions import RunLostError, UnknownModelError
from store.held_out import read_held_out
from store.listings import Places
from store.lists import iterate_segment
from store.quality import drift_of
from store.scores import published_run, write
from store.settings import Settings
from store.tables import Customer, DriverReport, Score, ScoringPart, ScoringRun, SegmentListing
from tests.shop import AS_OF, N_CUSTOMERS, PROSPECTS
from tests.shop_databases import Shop
from tests.training.stopping import StopAfter
from training import score_all as job
from training.run_part import PartScorer
from training.run_sums import RunSums
from training.score_all import score_all
from training.worker import work

AMOUNTS = ("clv", "value_at_risk", "expected_purchases")


def _score(shop: Shop, **options: Any) -> ScoringRun:
    return score_all(shop.database, shop.settings, now=shop.clock, **options)


def _stored(shop: Shop, run: ScoringRun) -> list[Score]:
    with shop.database.read() as session:
        return list(session.scalars(select(Score).where(Score.scoring_run_id == run.id)))


def test_every_customer_is_scored_and_the_run_is_published(trained: Shop) -> None:
    told: list[float] = []
    run = _score(trained, progress=lambda _, done: told.append(done))
    assert (run.status, run.as_of, run.model_version, run.policy_version) == ("completed", AS_OF, 1, 1)
    assert run.n_customers == N_CUSTOMERS + len(PROSPECTS) == len(_stored(trained, run))
    assert told[-1] == 1.0
    with trained.database.read() as session:
        published = published_run(session)
        assert published is not None
        assert (published.id, published.memberships_recorded) == (run.id, True)
        # The run that the training queued is the one that was executed.
        assert session.scalar(select(func.count()).select_from(ScoringRun)) == 1


def test_the_sums_of_the_run_are_those_of_its_rows(trained: Shop) -> None:
    run = _score(trained)
    rows, aggregates = _stored(trained, run), run.aggregates
    assert aggregates is not None
    assert list(aggregates["segments"]) == list(SEGMENTS)
    members: dict[str, list[Score]] = {name: [row for row in rows if name in row.segments.split()] for name in SEGMENTS}
    primary = Counter(row.segment for row in rows)
    for name, sums in aggregates["segments"].items():
        assert (sums["customers"], sums["primary"]) == (len(members[name]), primary[name])
        for amount in AMOUNTS:
            amounts = [getattr(row, amount) for row in members[name]]
            if name in ("dormant", "prospect") and set(amounts) == {None}:
                assert sums[amount] is None  # 0 would be a statement
            else:
                assert sums[amount] == pytest.approx(sum(amounts), rel=1e-12)
        assert ("why_empty" in sums) == (not members[name])
    for amount in AMOUNTS:
        total = sum(getattr(row, amount) or 0.0 for row in rows)
        assert aggregates["total"][amount] == pytest.approx(total, rel=1e-12)
    assert aggregates["total"]["customers"] == len(rows)
    assert aggregates["currency"] == "USD"


def test_the_curve_rises_by_contact_to_the_value_at_risk_of_the_whole_list(trained: Shop) -> None:
    run = _score(trained)
    assert run.aggregates is not None
    at_risk = run.aggregates["segments"]["at_risk"]
    contacts, value = (np.array(column) for column in zip(*run.aggregates["at_risk_curve"], strict=True))
    rows = [row.score for row in iterate_segment(trained.database, "at_risk")]
    listed = [row.value_at_risk or 0.0 for row in rows]
    assert listed == sorted(listed, reverse=True)
    assert len(listed) == at_risk["customers"]
    assert sum(listed) == pytest.approx(at_risk["value_at_risk"], rel=1e-12)
    with trained.database.read() as session:
        held_out = read_held_out(session, SegmentPolicy().held_out_share)
    # Whoever is held out is not contacted.
    to_contact = [row.value_at_risk or 0.0 for row in rows if row.customer_key not in held_out]
    assert (contacts[0], value[0]) == (1, to_contact[0])
    assert contacts[-1] == len(to_contact) == at_risk["customers"] - run.aggregates["held_out"]["customers"]
    np.testing.assert_allclose(value, np.cumsum(to_contact)[contacts - 1], rtol=1e-12)


def test_dormant_customers_and_prospects_are_listed_with_what_applies_to_them(trained: Shop) -> None:
    run = _score(trained)
    rows = _stored(trained, run)
    dormant = [row for row in rows if row.segment == "dormant"]
    assert len(dormant) > 100
    assert all(row.churn_probability is None and row.reasons is None for row in dormant)
    assert all(row.clv is not None and row.segments == "dormant" for row in dormant)
    with trained.database.read() as session:
        keys = session.scalars(select(Customer.id).where(Customer.customer_id.in_(PROSPECTS))).all()
    prospects = [row for row in rows if row.customer_key in keys]
    assert [(row.segment, row.segments, row.clv) for row in prospects] == 2 * [("prospect", "prospect", None)]


def test_scores_speak_of_the_instant_asked_for_else_of_the_setting_else_of_now(trained: Shop) -> None:
    asked = datetime(2024, 4, 1, 8, tzinfo=UTC)
    assert _score(trained, as_of=asked).as_of == asked
    assert _score(trained).as_of == AS_OF
    free = trained.settings.model_copy(update={"as_of": None})
    before = trained.clock.time
    found = score_all(trained.database, free, now=trained.clock).as_of
    assert found is not None
    assert before < found < before + timedelta(minutes=1)


def test_a_run_that_was_killed_and_is_started_again_gives_one_whole_result(
    trained: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = _score(trained)
    with trained.database.write() as session:
        run_id = runs.queue_scoring(session, now=trained.clock()).id
        claimed = runs.claim(session, ScoringRun, now=trained.clock(), run_id=run_id)
    assert claimed is not None

    chunks = iter(range(100))

    def small_ranges(database: Database) -> list[tuple[int, int, float]]:
        return key_ranges(database, customers_a_chunk=400)

    def killed(*positional: Any, **named: Any) -> Places:
        if next(chunks) == 2:
            raise SystemExit
        return write(*positional, **named)

    monkeypatch.setattr(job, "key_ranges", small_ranges)
    monkeypatch.setattr("store.scores.write", killed)
    alone = trained.settings.model_copy(update={"scoring_processes": 1})
    with pytest.raises(SystemExit, match=r"^$"):
        job.run_scoring(trained.database, alone, claimed, now=trained.clock)
    assert 0 < len(_stored(trained, claimed)) < whole.n_customers  # type: ignore[operator]
    with trained.database.read() as session:
        assert published_run(session).id == whole.id  # type: ignore[union-attr]

    monkeypatch.setattr("store.scores.write", write)
    # The same chunks as before: sums of floats depend on their order in the last bit.
    monkeypatch.setattr(job, "key_ranges", key_ranges)
    trained.clock.time += runs.GONE_AFTER + timedelta(seconds=5)
    stop = StopAfter()
    work(trained.database, trained.settings, stop=stop, now=trained.clock)
    with trained.database.read() as session:
        published = published_run(session)
        assert published is not None
        assert published.id == run_id
        listed = session.scalar(
            select(func.count()).select_from(SegmentListing).where(SegmentListing.scoring_run_id == run_id)
        )
    assert published.aggregates is not None
    moved = published.aggregates["transitions"]["moved"]
    assert all(before == now for before, now, _ in moved)
    assert sum(customers for _, _, customers in moved) == whole.n_customers
    assert {**published.aggregates, "transitions": None} == whole.aggregates
    rows = _stored(trained, published)
    assert len(rows) == whole.n_customers
    judged = sum(len(json.loads(row.propensities)) for row in rows if row.propensities is not None)
    assert listed == sum(len(row.segments.split()) for row in rows) + judged


def _sums_of(shop: Shop, run_id: int) -> tuple[Any, ...]:
    """What a run has added up, without what tells it from another."""
    with shop.database.read() as session:
        run = session.get_one(ScoringRun, run_id)
        reports = session.execute(
            select(DriverReport.target, DriverReport.segment, DriverReport.report)
            .where(DriverReport.scoring_run_id == run_id)
            .order_by(DriverReport.target, DriverReport.segment)
        ).all()
        drift = drift_of(session, [run_id])[run_id]
    return {**(run.aggregates or {}), "transitions": None}, reports, drift, run.n_customers


def _kill_in_range(shop: Shop, monkeypatch: pytest.MonkeyPatch, number: int) -> tuple[int, list[int]]:
    """Kill a run while it writes a range of customers; return its id and the ranges that are scored from then on."""
    monkeypatch.setattr(job, "key_ranges", lambda database: key_ranges(database, customers_a_chunk=300))
    scored: list[int] = []
    whole = PartScorer.score

    def noted(scorer: PartScorer, low: int, high: int) -> RunSums:
        scored.append(low)
        return whole(scorer, low, high)

    def killed(database: Database, run_id: int, keys: Any, columns: Any, **named: Any) -> Places:
        if len(scored) == number:
            write(database, run_id, keys[:9], {name: column[:9] for name, column in columns.items()}, **named)
            raise SystemExit
        return write(database, run_id, keys, columns, **named)

    monkeypatch.setattr(PartScorer, "score", noted)
    with shop.database.write() as session:
        run_id = runs.queue_scoring(session, now=shop.clock()).id
        claimed = runs.claim(session, ScoringRun, now=shop.clock(), run_id=run_id)
    assert claimed is not None
    with monkeypatch.context() as patched, pytest.raises(SystemExit, match=r"^$"):  # noqa: PT012
        patched.setattr("store.scores.write", killed)
        job.run_scoring(shop.database, _alone(shop), claimed, now=shop.clock)
    scored.clear()
    shop.clock.time += runs.GONE_AFTER + timedelta(seconds=5)
    return run_id, scored


def _alone(shop: Shop) -> Settings:
    return shop.settings.model_copy(update={"scoring_processes": 1})


def _go_on(shop: Shop) -> None:
    work(shop.database, _alone(shop), stop=StopAfter(), now=shop.clock)


def test_a_killed_run_goes_on_where_it_was_and_ends_with_the_very_sums_of_one_that_was_not(
    trained: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id, scored = _kill_in_range(trained, monkeypatch, 3)
    _go_on(trained)
    assert scored == [low for low, _, _ in key_ranges(trained.database, 300)][2:]
    whole = score_all(trained.database, _alone(trained), now=trained.clock)
    assert _sums_of(trained, run_id) == _sums_of(trained, whole.id)
    with trained.database.read() as session:
        run = session.get_one(ScoringRun, run_id)
        assert run.read_since is not None
        assert run.started_at is not None
        assert run.read_since < run.started_at
        for rows in (Score, SegmentListing):
            said = [column.key for column in rows.__table__.columns if column.key != "scoring_run_id"]
            of_each = [
                sorted(map(repr, session.execute(select(*(getattr(rows, n) for n in said)).where(of_run)).all()))
                for of_run in (rows.scoring_run_id == run_id, rows.scoring_run_id == whole.id)
            ]
            assert of_each[0] == of_each[1]
        assert session.scalars(select(ScoringPart.lowest_key)).all() == []


def test_a_killed_run_begins_anew_where_the_policy_has_changed(trained: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id, scored = _kill_in_range(trained, monkeypatch, 3)
    with trained.database.write() as session:
        policies.add_policy(session, SegmentPolicy(max_share=0.05).to_dict(), now=trained.clock())
    _go_on(trained)
    assert scored == [low for low, _, _ in key_ranges(trained.database, 300)]
    whole = score_all(trained.database, _alone(trained), now=trained.clock)
    assert _sums_of(trained, run_id) == _sums_of(trained, whole.id)


def test_whoever_has_lost_a_run_to_another_writes_nothing_more_of_it_and_the_other_goes_on(
    trained: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "key_ranges", lambda database: key_ranges(database, customers_a_chunk=300))
    taken: list[ScoringRun] = []

    def slept(*positional: Any, **named: Any) -> Places:
        trained.clock.time += runs.GONE_AFTER + timedelta(seconds=5)
        with trained.database.write() as session:
            runs.requeue_gone(session, ScoringRun, now=trained.clock())
            taken.extend(filter(None, [runs.claim(session, ScoringRun, now=trained.clock())]))
        return write(*positional, **named)

    with monkeypatch.context() as patched:
        patched.setattr("store.scores.write", slept)
        with pytest.raises(RunLostError, match="Scoring run 1 was taken over by another process, which goes on"):
            score_all(trained.database, _alone(trained), now=trained.clock)
    (run,) = taken
    with trained.database.read() as session:
        assert session.get_one(ScoringRun, run.id).status == "running"
        assert session.get_one(ScoringRun, run.id).heartbeat_at == run.started_at
    assert _stored(trained, run) == []
    job.run_scoring(trained.database, _alone(trained), run, now=trained.clock)
    with trained.database.read() as session:
        published = published_run(session)
    assert published is not None
    assert (published.id, published.n_customers) == (run.id, N_CUSTOMERS + len(PROSPECTS))


def test_a_run_that_the_database_was_away_from_is_gone_on_with(trained: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id, scored = _kill_in_range(trained, monkeypatch, 2)

    def away(*_: Any, **__: Any) -> Places:
        raise OperationalError("INSERT", {}, Exception("the connection was closed"))

    with monkeypatch.context() as patched:
        patched.setattr("store.scores.write", away)
        _go_on(trained)
    with trained.database.read() as session:
        assert session.get_one(ScoringRun, run_id).status == "running"
    assert len(scored) == 1
    trained.clock.time += runs.GONE_AFTER + timedelta(seconds=5)
    _go_on(trained)
    with trained.database.read() as session:
        assert session.get_one(ScoringRun, run_id).status == "completed"
    assert [low for low, _, _ in key_ranges(trained.database, 300)][1:] == scored[1:]


def test_a_run_that_something_stands_in_the_way_of_for_a_day_is_failed(
    trained: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    with trained.database.write() as session:
        queued = runs.queue_scoring(session, now=trained.clock())
        queued.requested_at, run_id = trained.clock() - timedelta(days=1), queued.id

    def full(*_: Any, **__: Any) -> Places:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("store.scores.write", full)
    _go_on(trained)
    with trained.database.read() as session:
        run = session.get_one(ScoringRun, run_id)
    assert (run.status, run.error) == (
        "failed",
        "An unexpected error, OSError; the output of the process that executed the run has it.",
    )


def test_several_processes_side_by_side_give_the_very_result_of_one(
    trained: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "key_ranges", lambda database: key_ranges(database, customers_a_chunk=300))
    runs_of = [
        score_all(
            trained.database,
            trained.settings.model_copy(update={"scoring_processes": n_processes}),
            now=trained.clock,
        )
        for n_processes in (1, 2)
    ]
    alone, together = runs_of
    assert alone.aggregates is not None
    assert together.aggregates is not None
    moved = together.aggregates["transitions"]["moved"]
    assert sum(customers for before, now, customers in moved if before == now) == together.n_customers
    assert {**together.aggregates, "transitions": None} == alone.aggregates
    assert together.n_customers == alone.n_customers
    names = [column.name for column in Score.__table__.columns if column.name != "scoring_run_id"]
    rows = [
        sorted(tuple(getattr(row, name) for name in names) for row in _stored(trained, run))
        for run in (alone, together)
    ]
    assert [repr(row) for row in rows[1]] == [repr(row) for row in rows[0]]


def test_a_newer_policy_gets_cut_offs_of_its_own_which_then_stay(trained: Shop) -> None:
    before = _score(trained)
    with trained.database.write() as session:
        policies.add_policy(session, SegmentPolicy(max_share=0.05).to_dict(), now=trained.clock())
    after = _score(trained)
    assert (before.policy_version, after.policy_version) == (1, 2)
    with trained.database.read() as session:
        old, new = (policies.read_cutoffs(session, model_version=1, policy_version=v) for v in (1, 2))
    assert old is not None
    assert new is not None
    assert new["at_risk_value"] > old["at_risk_value"]
    assert new["high_value_clv"] == old["high_value_clv"]
    at_risk = [(run.aggregates or {})["segments"]["at_risk"]["customers"] for run in (after, before)]
    # Members stay to a tenth under the threshold, so a few more than a twentieth may.
    assert at_risk[0] < at_risk[1] / 2
    _score(trained, as_of=AS_OF - timedelta(days=60))
    with trained.database.read() as session:
        assert policies.read_cutoffs(session, model_version=1, policy_version=2) == new


def test_without_a_champion_there_is_nothing_to_score_with_and_the_run_says_so(untrained: Shop) -> None:
    with pytest.raises(UnknownModelError, match=r"no model 'champion'.* regulars train"):
        _score(untrained)
    with untrained.database.read() as session:
        (run,) = session.scalars(select(ScoringRun))
    assert run.status == "failed"
    assert "regulars train" in (run.error or "")


def test_a_damaged_bundle_leaves_the_published_lists_as_they_are(trained: Shop) -> None:
    published = _score(trained)
    (folder,) = trained.settings.bundle_dir.iterdir()
    (folder / "churn.classifier.txt").write_text("tree")
    with pytest.raises(BundleError, match=r"churn\.classifier\.txt was changed"):
        _score(trained)
    with trained.database.read() as session:
        assert published_run(session).id == published.id  # type: ignore[union-attr]
        failed = session.scalars(select(ScoringRun).where(ScoringRun.status == "failed")).one()
    assert "churn.classifier.txt was changed" in (failed.error or "")
