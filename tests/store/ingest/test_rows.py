"""Rows of a file with more columns than stand in it: their numbers, and what joined files say of them."""

from __future__ import annotations

import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from store.exceptions import IngestError
from store.ingest.chunks import ROWS_A_CHUNK
from store.ingest.lookup import Join
from store.ingest.rows import ROW, FileRows, UnmatchedKeys

ORDERS = "who,product\nanna,1\nben,2.0\ncara,3\ndora,\nanna,1\n"
PRODUCTS = "product,kind,maker\n2,ink,m2\n1,pen,m1\n,none,m3\n"


def write(path: Path, content: str) -> Path:
    path.write_text(content)
    return path


def read(rows: FileRows, *names: str) -> list[tuple[object, ...]]:
    found: list[tuple[object, ...]] = []
    for chunk in rows.chunks():
        if not len(chunk.lines):  # the end of a Parquet file
            continue
        columns = [chunk.columns[name] for name in names]
        found += zip(*([cells.values[code] for code in cells.codes.tolist()] for cells in columns), strict=True)
    return found


def test_blank_lines_have_no_number_and_broken_rows_have_one(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", 'a,b\n1,x\n\nbroken\n2,x\n3,"stray\n4,x\n\n\n5,x\n')
    assert read(FileRows(path, ["a", ROW]), "a", ROW) == [("1", 1), ("2", 3), ("4", 5), ("5", 6)]
    repaired = write(tmp_path / "y.csv", "a,b\n1,x\nwhole,x\n2,x\n3,whole\n4,x\n5,x\n")
    assert read(FileRows(repaired, ["a", ROW]), "a", ROW)[-1] == ("5", 6)


@pytest.mark.parametrize("name", ["x.csv", "x.csv.gz", "x.parquet"])
def test_rows_are_numbered_across_chunks_whatever_the_file(tmp_path: Path, name: str) -> None:
    n = 2 * ROWS_A_CHUNK + 5
    path = tmp_path / name
    if name.endswith(".parquet"):
        pq.write_table(pa.table({"a": list(range(n))}), path)
    else:
        content = ("a\n" + "".join(f"{row}\n" for row in range(n))).encode()
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    assert [number for (number,) in read(FileRows(path, [ROW, "a"]), ROW)] == list(range(1, n + 1))


def test_each_row_gets_the_columns_of_the_row_with_its_key(tmp_path: Path) -> None:
    orders, products = write(tmp_path / "orders.csv", ORDERS), write(tmp_path / "products.csv", PRODUCTS)
    rows = FileRows(orders, ["who", "kind"], joins=[Join(products, "product")])
    expected = [("anna", "pen"), ("ben", "ink"), ("cara", None), ("dora", None), ("anna", "pen")]
    assert read(rows, "who", "kind") == expected
    assert rows.unmatched() == (UnmatchedKeys("products.csv", "product", 2),)
    assert read(rows, "who", "kind") == expected
    assert rows.unmatched() == (UnmatchedKeys("products.csv", "product", 2),)


def test_a_joined_parquet_file_keeps_its_types_and_brings_only_values_that_rows_have(tmp_path: Path) -> None:
    n = 3 * ROWS_A_CHUNK
    products = tmp_path / "products.parquet"
    pq.write_table(pa.table({"product": list(range(n)), "weight": [row / 2 for row in range(n)]}), products)
    orders = write(tmp_path / "orders.csv", f"product\n{n - 1}\n3\n{n}\n")
    (chunk,) = FileRows(orders, ["product", "weight"], joins=[Join(products, "product")]).chunks()
    weights = chunk.columns["weight"]
    assert [weights.values[code] for code in weights.codes.tolist()] == [(n - 1) / 2, 1.5, None]
    assert len(weights.values) == 3


def test_the_key_of_one_joined_file_may_come_from_another(tmp_path: Path) -> None:
    orders, products = write(tmp_path / "orders.csv", ORDERS), write(tmp_path / "products.csv", PRODUCTS)
    makers = write(tmp_path / "makers.csv", "maker,country\nm1,Peru\nm2,Laos\n")
    rows = FileRows(orders, None, joins=[Join(products, "product"), Join(makers, "maker")])
    assert rows.names == ("who", "product", "kind", "maker", "country")
    assert read(rows, "who", "country")[:3] == [("anna", "Peru"), ("ben", "Laos"), ("cara", None)]
    assert [unmatched.rows for unmatched in rows.unmatched()] == [2, 2]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("product,kind\n1,pen\n2,ink\n1.0,nib\n", "has the product “1” more than once, again in line 4"),
        ("product,kind\n1,pen\n2\n3,nib\n", "in line 3 the row has 1 cells where the header has 2"),
        (f"product,kind\n1,pen\n{'x' * 300},ink\n", "in line 3 the product 'x+…' is 300 characters long"),
        ("product,kind\n1,pen\n2", "can't be joined: it ends in the middle"),
        ("item,kind\n1,pen\n", "products.csv has no column “product”"),
        ("product,kind,who\n1,pen,x\n", "orders.csv and products.csv have a column “who” each"),
        ("product,sort\n1,pen\n", "None of the files has a column “kind”. .*: orders.csv: “who”, “product”; products"),
        ("product,kind\n", "column names but no rows"),
    ],
)
def test_a_file_that_can_not_be_joined_says_why(tmp_path: Path, content: str, message: str) -> None:
    orders, products = write(tmp_path / "orders.csv", ORDERS), write(tmp_path / "products.csv", content)
    with pytest.raises(IngestError, match=message):
        FileRows(orders, ["who", "kind"], joins=[Join(products, "product")])


def test_a_key_that_the_file_itself_lacks_is_named(tmp_path: Path) -> None:
    orders, products = write(tmp_path / "orders.csv", "who,item\nanna,1\n"), write(tmp_path / "products.csv", PRODUCTS)
    with pytest.raises(IngestError, match=r"orders.csv has no column “product”"):
        FileRows(orders, ["who", "kind"], joins=[Join(products, "product")]).chunks()


def test_a_joined_file_of_too_many_rows_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.ingest.lookup._MOST_ROWS", 2)
    orders, products = write(tmp_path / "orders.csv", ORDERS), write(tmp_path / "products.csv", PRODUCTS)
    with pytest.raises(IngestError, match="more than 2 rows, and a file that is joined is held in memory"):
        FileRows(orders, ["who", "kind"], joins=[Join(products, "product")])


def test_columns_are_left_out_by_names_that_are_there(tmp_path: Path) -> None:
    orders, products = write(tmp_path / "orders.csv", ORDERS), write(tmp_path / "products.csv", PRODUCTS)
    joins = [Join(products, "product")]
    assert FileRows(orders, None, joins=joins, leave_out=["maker", "product"]).names == ("who", "kind")
    with pytest.raises(IngestError, match="no column “maker2”"):
        FileRows(orders, None, joins=joins, leave_out=["maker2"])


def test_a_column_that_is_called_as_the_number_of_a_row_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", ":row,a\n1,2\n")
    with pytest.raises(IngestError, match="has a column “:row”, as the number of a row is called"):
        FileRows(path, ["a", ROW])
    assert read(FileRows(path, ["a"]), "a") == [("2",)]
