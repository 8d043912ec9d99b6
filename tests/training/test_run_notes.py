"""Moves between segments since the run before: counted as a plain count of both runs' rows gives them."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np

from features.attributes import Attributes
from models.segments import SEGMENTS
from training.run_notes import RunNotes

NOBODY_KNOWN = Attributes.empty(0)


def test_moves_are_those_of_a_plain_count_however_the_parts_are_merged() -> None:
    by = random.Random(3)
    before = {key: by.choice(SEGMENTS) for key in by.sample(range(1, 401), 300)}
    now = {key: by.randrange(len(SEGMENTS)) for key in by.sample(range(1, 401), 350)}
    expected = Counter((before.get(key), SEGMENTS[place]) for key, place in now.items())
    keys = sorted(now)
    for n_parts in (1, 3, 7):
        parts = [keys[i::n_parts] for i in range(n_parts)]
        by.shuffle(parts)
        notes = RunNotes()
        for part in parts:
            some = RunNotes()
            some.add(np.array(part), np.array([now[key] for key in part]), before, NOBODY_KNOWN)
            notes.merge(some)
        told = notes.aggregates(4)["transitions"]
        assert told["scoring_run_id"] == 4
        assert {(was, is_now): n for was, is_now, n in told["moved"]} == dict(expected)
        assert told == notes.aggregates(4)["transitions"]


def test_the_first_run_tells_of_no_moves() -> None:
    notes = RunNotes()
    notes.add(np.array([1]), np.array([0]), {}, NOBODY_KNOWN)
    assert notes.aggregates(None) == {"attributes": [], "transitions": None}
