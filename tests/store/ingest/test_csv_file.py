"""Reading CSV: exact lines, broken rows, files that are damaged or not what their names say."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from store.exceptions import IngestError
from store.ingest import FileFormat
from store.ingest.chunks import ROWS_A_CHUNK, Chunk
from store.ingest.table_file import PLAIN, read_chunks


def read(path: Path, content: bytes | str, file_format: FileFormat = PLAIN) -> list[Chunk]:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(read_chunks(path, ["a", "b"], file_format))


def rows(chunks: list[Chunk]) -> list[tuple[int, object, object]]:
    found = []
    for chunk in chunks:
        a, b = chunk.columns["a"], chunk.columns["b"]
        for row, line in enumerate(chunk.lines.tolist()):
            found.append((line, a.values[a.codes[row]], b.values[b.codes[row]]))
    return found


def broken(chunks: list[Chunk]) -> list[int]:
    return [rejection.line for chunk in chunks for rejection in chunk.broken]


def test_lines_are_exact_with_quoted_line_breaks_and_blank_lines(tmp_path: Path) -> None:
    chunks = read(tmp_path / "x.csv", 'a,b\n1,"x\ny"\n\n2,z\r\n"3\r\n\n4",z\n5,z')
    assert rows(chunks) == [(2, "1", "x\ny"), (5, "2", "z"), (6, "3\r\n\n4", "z"), (9, "5", "z")]
    assert chunks[-1].damage is None
    assert chunks[-1].done == 1.0


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_kind_of_line_end_is_read(tmp_path: Path, end: str) -> None:
    assert rows(read(tmp_path / "x.csv", end.join(["a,b", "1,2", "3,4", ""]))) == [(2, "1", "2"), (3, "3", "4")]


def test_a_row_with_too_many_or_too_few_cells_is_broken_and_costs_no_other(tmp_path: Path) -> None:
    chunks = read(tmp_path / "x.csv", "a,b\n1,2\n3\n4,5,6\n7,8\n")
    assert [row[0] for row in rows(chunks)] == [2, 5]
    assert [(r.line, r.value, r.code) for r in chunks[0].broken] == [(3, "3", "fields"), (4, "4,5,6", "fields")]
    assert chunks[0].broken[0].reason == "has 1 cells where the header has 2"


def test_a_quote_that_is_never_closed_costs_its_own_line_only(tmp_path: Path) -> None:
    body = "".join(f"{i},x\n" for i in range(60_000))
    chunks = read(tmp_path / "x.csv", f'a,b\n1,"stray\n{body}last,x\n')
    assert broken(chunks) == [2]
    assert len(rows(chunks)) == 60_001
    assert rows(chunks)[-1] == (60_003, "last", "x")
    assert chunks[-1].damage is None


def test_a_quote_that_closes_within_a_cell_costs_its_own_line_only(tmp_path: Path) -> None:
    chunks = read(tmp_path / "x.csv", 'a,b\n1,"12" pipe"\n2,x\n"3" ,x\n4,x\n')
    assert broken(chunks) == [2, 4]
    assert [row[0] for row in rows(chunks)] == [3, 5]


def test_broken_rows_at_the_borders_of_blocks_lose_no_other(tmp_path: Path) -> None:
    n = 200_000
    content = ["a,b\n", *(f"{i},{'x' * (i % 37)}\n" if i % 1000 else f"{i}\n" for i in range(n))]
    chunks = read(tmp_path / "x.csv", "".join(content))
    assert broken(chunks) == [i + 2 for i in range(0, n, 1000)]
    assert [line - 2 for line, a, _ in rows(chunks)] == [int(str(a)) for _, a, _ in rows(chunks)]
    assert len(rows(chunks)) == n - n // 1000
    assert max(chunk.n_read for chunk in chunks) == ROWS_A_CHUNK


@pytest.mark.parametrize("tail", ["3", "3\n", '3,"x', '3,"x\ny'])
def test_a_file_whose_last_line_is_no_whole_row_ends_in_the_middle(tmp_path: Path, tail: str) -> None:
    chunks = read(tmp_path / "x.csv", f"a,b\n1,2\n{tail}")
    assert rows(chunks) == [(2, "1", "2")]
    assert chunks[-1].damage is not None
    assert "ends in the middle" in chunks[-1].damage


def test_a_compressed_file_that_ends_in_the_middle_is_read_up_to_its_last_whole_line(tmp_path: Path) -> None:
    content = "a,b\n" + "".join(f"{i},{i * 7919 % 10007}\n" for i in range(50_000))
    packed = gzip.compress(content.encode(), mtime=0)
    chunks = read(tmp_path / "x.csv.gz", packed[: len(packed) // 2])
    found = rows(chunks)
    assert 20_000 < len(found) < 30_000
    assert found == [(i + 2, str(i), str(i * 7919 % 10007)) for i in range(len(found))]
    assert chunks[-1].damage is not None
    assert "damaged or ends in the middle" in chunks[-1].damage


def test_a_compressed_file_that_is_damaged_says_so(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(b"a,b\n" + b"1,2\n" * 1000, mtime=0))
    packed[-6] ^= 0xFF
    assert read(tmp_path / "x.csv.gz", bytes(packed))[-1].damage is not None


def test_a_line_longer_than_any_row_is_broken_and_costs_no_other(tmp_path: Path) -> None:
    chunks = read(tmp_path / "x.csv", f"a,b\n1,2\n{'x' * 5_000_000},2\n3,4\n")
    assert broken(chunks) == [3]
    assert rows(chunks) == [(2, "1", "2"), (4, "3", "4")]


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path: Path) -> None:
    assert rows(read(tmp_path / "x.csv", b"\xef\xbb\xbfa,b\n1,2\n")) == [(2, "1", "2")]


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "cp1252"])
def test_other_encodings_and_delimiters_are_read(tmp_path: Path, encoding: str) -> None:
    file_format = FileFormat(delimiter=";", encoding=encoding)
    assert rows(read(tmp_path / "x.csv", "a;b\n1;Zürich\n".encode(encoding), file_format)) == [(2, "1", "Zürich")]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.csv", b"", "is empty"),
        ("x.csv", b"\n\n", "is empty"),
        ("x.csv", b"a,b\n", "column names but no rows"),
        ("x.csv", b"a,b\n\n\n", "column names but no rows"),
        ("x.csv", b"a,c\n1,2\n", "no column “b”. The columns it has: “a”, “c”"),
        ("x.csv", b"a;b\n1;2\n", "--delimiter"),
        ("x.csv", b"a,b,b\n1,2,3\n", "more than one column “b”"),
        ("x.csv", b'a,"b\n1,2\n', "header of x.csv can't be read"),
        ("x.csv", gzip.compress(b"a,b\n1,2\n", mtime=0), "looks like a gzip file"),
        ("x.csv", b"PK\x03\x04 and so on", "Excel workbook"),
        ("x.csv", b"PAR1 and so on", "a Parquet file"),
        ("x.csv", "a,b\n1,2\n".encode("utf-16-le"), "--encoding utf-16"),
        ("x.csv.gz", b"a,b\n1,2\n", "is not compressed with gzip"),
        ("x.csv.gz", gzip.compress(b"", mtime=0), "is empty"),
        ("x.csv.gz", gzip.compress(b"PAR1 and so on", mtime=0), "a Parquet file"),
        ("x.csv.gz", gzip.compress(b"a,b\n1,2\n", mtime=0)[:11], "before its first row"),
        ("x.xlsx", b"PK\x03\x04", "of no known kind"),
        ("x.parquet", b"a,b\n1,2\n", "is not a Parquet file"),
        ("x.parquet", b"PAR1 and so on", "ends in the middle"),
        ("x.parquet", b"PAR1 and so on PAR1", "can't be read as Parquet"),
    ],
)
def test_a_file_that_is_not_what_its_name_says_is_refused(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    with pytest.raises(IngestError, match=message):
        read(tmp_path / name, content)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IngestError, match="is not there"):
        read_chunks(tmp_path / "x.csv", ["a"])
    (tmp_path / "y.csv").mkdir()
    with pytest.raises(IngestError, match="is a directory"):
        read_chunks(tmp_path / "y.csv", ["a"])


@pytest.mark.parametrize("options", [{"delimiter": ";;"}, {"delimiter": '"'}, {"encoding": "klingon"}])
def test_a_format_that_no_file_has_is_refused(options: dict[str, str]) -> None:
    with pytest.raises(IngestError, match=r"delimiter|encoding"):
        FileFormat(**options)
