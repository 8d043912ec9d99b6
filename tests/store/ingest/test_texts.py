"""Columns of texts, each distinct one kept once."""

from __future__ import annotations

import itertools

import numpy as np

from store.ingest.texts import Texts, distinct_rows


def column(*texts: str | None) -> Texts:
    return Texts.of(np.arange(len(texts)), texts)


def test_texts_that_stand_several_times_share_one_code() -> None:
    texts = Texts.of(np.array([0, 1, 2, 3, 0]), ["a", None, "b", "a"])
    assert texts.values == ("a", "b")
    assert texts.tolist() == ["a", None, "b", "a", "a"]
    assert texts.given.tolist() == [True, False, True, True, True]
    assert texts.take(np.array([2, 1])).tolist() == ["b", None]


def test_a_test_and_a_conversion_judge_texts_and_no_missing_ones() -> None:
    texts = column("C1", None, "2", "C2")
    assert texts.where(lambda text: text.startswith("C")).tolist() == [True, False, False, True]
    converted = texts.map(lambda text: text.removeprefix("C") if text != "C1" else None)
    assert converted.tolist() == [None, None, "2", "2"]
    assert converted.values == ("2",)


def test_one_text_replaces_others_whether_or_not_it_was_there() -> None:
    texts = column("a", None, "b")
    marked = np.array([False, True, True])
    assert texts.replace(marked, "a").tolist() == ["a", "a", "a"]
    assert texts.replace(marked, "c").tolist() == ["a", "c", "c"]
    assert texts.replace(np.zeros(3, dtype=np.bool_), "c") is texts


def test_ascending_codes_compare_as_the_texts_do() -> None:
    texts = column("b", "É", None, "a", "B").ascending()
    assert texts.values == ("B", "a", "b", "É")
    assert texts.codes.tolist() == [2, 3, -1, 1, 0]
    assert texts.tolist() == ["b", "É", None, "a", "B"]


def test_a_column_without_texts_has_none() -> None:
    assert Texts.none(2).tolist() == [None, None]
    assert Texts.none(2).where(bool).tolist() == [False, False]
    assert Texts.same("a", 2).tolist() == ["a", "a"]


def test_rows_are_grouped_as_a_dict_of_tuples_groups_them() -> None:
    generator = np.random.default_rng(3)
    columns = [
        Texts(generator.integers(-1, 4, 200).astype(np.int32), tuple("abcd")),
        Texts(generator.integers(-1, 3, 200).astype(np.int32), tuple("xyz")),
        Texts.none(200),
    ]
    rows = list(zip(*(one.tolist() for one in columns), strict=True))
    group, first = distinct_rows(columns)
    assert len(first) == len(set(rows))
    assert [rows[row] for row in first[group]] == rows
    assert all(rows.index(rows[row]) == row for row in first.tolist())


def test_groups_of_many_long_columns_do_not_outgrow_64_bits() -> None:
    values = tuple(str(number) for number in range(40_000))
    columns = [Texts(np.array([39_999, 39_998, 39_999], dtype=np.int32), values) for _ in range(8)]
    group, first = distinct_rows(columns)
    assert len(first) == 2
    assert [group[one] == group[other] for one, other in itertools.combinations(range(3), 2)] == [False, True, False]
