"""`regulars ingest` as a person uses it."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.ingest import ingest_app
from store.engine import Database
from tests.store.ingest.stored import stored_attributes, stored_events, stored_lines

ORDERS = (
    "who,at,order,product,n,price\n"
    "anna,2024-01-05,o1,pen,2,1.50\n"
    "anna,2024-01-05,o1,ink,1,7.50\n"
    ",2024-01-05,o2,ink,1,7.50\n"
    "ben,yesterday,o3,ink,1,7.50\n"
)
COLUMNS = ["--customer-id", "who", "--occurred-at", "at", "--order-id", "order", "--product", "product"]
VALUES = ["--quantity", "n", "--unit-price", "price"]

Run = Callable[..., Any]


@pytest.fixture
def run(database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("REGULARS_DATABASE_URL", database_url)
    return lambda *arguments: CliRunner().invoke(ingest_app, [str(argument) for argument in arguments])


def test_events_are_stored_and_summed_up(run: Run, database: Database, tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(ORDERS)
    result = run("events", path, *COLUMNS, *VALUES)
    assert result.exit_code == 0, result.output
    assert "orders.csv: read 4 = stored 2 + already there 0 + rejected 2" in result.stdout
    assert "customer_id 1" in result.stdout
    assert "line 4: who is empty" in result.stdout
    assert "line 5: at 'yesterday' is not a date" in result.stdout
    assert len(stored_events(database)) == 1
    again = run("events", path, *COLUMNS, *VALUES)
    assert "read 4 = stored 0 + already there 2 + rejected 2" in again.stdout


def test_several_files_are_summed_up_together(run: Run, tmp_path: Path) -> None:
    refunds, orders = tmp_path / "refunds.csv", tmp_path / "orders.csv"
    refunds.write_text("who,at,order,product,n,price\nanna,2024-01-07,C1,pen,-1,1.50\nanna,2024-01-08,C2,cap,-1,2\n")
    orders.write_text(ORDERS)
    result = run("events", refunds, orders, *COLUMNS, *VALUES, "--cancelled-order-prefix", "C")
    assert result.exit_code == 0, result.output
    assert "unmatched refunds among those stored: 2" in result.stdout
    assert "All 2 files: read 6 = stored 4 + already there 0 + rejected 2" in result.stdout
    assert result.stdout.rindex("unmatched refunds among those stored: 1") > result.stdout.index("All 2 files")


def test_every_option_of_events_reaches_the_mapping(run: Run, database: Database, tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_bytes(
        "who;at;what;value;money;off;via;range;kind;note;id\n"
        "Änne;05.01.2024;Order Completed;10;EUR;1;web;Paper;Pens;gift;m1\n".encode("latin-1")
    )
    options = {
        "--customer-id": "who",
        "--occurred-at": "at",
        "--event-column": "what",
        "--order-id": "id",
        "--value": "value",
        "--currency": "money",
        "--discount": "off",
        "--channel": "via",
        "--message-id": "id",
        "--source": "shop",
        "--date-format": "%d.%m.%Y",
        "--delimiter": ";",
        "--encoding": "latin-1",
    }
    repeated = ["--category", "range", "--category", "kind", "--property", "note"]
    missing_rate = run("events", path, *(word for pair in options.items() for word in pair), *repeated)
    assert "currency 1" in missing_rate.stdout
    path.write_bytes(path.read_bytes().replace(b"EUR", b"USD"))
    result = run("events", path, *(word for pair in options.items() for word in pair), *repeated)
    assert result.exit_code == 0, result.output
    (event,), (line,) = stored_events(database), stored_lines(database)
    assert (event[0], event[4], event[5], *event[10:]) == ("Änne", "shop", True, "web", '{"note": "gift"}')
    assert line[4:] == ('{"range": "Paper", "kind": "Pens"}', None, 10.0, 1.0)


def test_joined_files_bring_columns_and_several_discounts_are_summed(
    run: Run, database: Database, tmp_path: Path
) -> None:
    orders, products, makers = (tmp_path / f"{name}.csv" for name in ("orders", "products", "makers"))
    orders.write_text("who,at,product,off,off2\nanna,2024-01-05,pen,1,0.5\nanna,2024-01-05,ink,,\n")
    products.write_text("product,range,maker\npen,Paper,7\n")
    makers.write_text("maker,land\n7,Peru\n")
    result = run(
        *("events", orders, *COLUMNS[:4], "--product", "product", "--discount", "off", "--discount", "off2"),
        *("--join", products, "--on", "product", "--join", makers, "--on", "maker"),
        *("--category", "range", "--property", "land"),
    )
    assert result.exit_code == 0, result.output
    assert "1 rows have no product that products.csv has; what it would bring is empty there" in result.stdout
    assert {line[3]: (line[4], line[7]) for line in stored_lines(database)} == {
        "pen": ('{"range": "Paper"}', 1.5),
        "ink": (None, None),
    }
    assert sorted(str(event[11]) for event in stored_events(database)) == ["None", '{"land": "Peru"}']


def test_customers_without_ids_are_numbered_and_columns_left_out(run: Run, database: Database, tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    path.write_text("name,age,left\nAnna,41,1\nBen,42,0\n")
    result = run("customers", path, "--customer-id", ":row", "--leave-out", "name", "--leave-out", "left")
    assert result.exit_code == 0, result.output
    assert [(row[0], row[1], row[4]) for row in stored_attributes(database)] == [("1", "age", 41.0), ("2", "age", 42.0)]


def test_customers_are_stored_and_summed_up(run: Run, database: Database, tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    path.write_text("id,since,age\nanna,2024-01-01,41\n")
    result = run("customers", path, "--customer-id", "id", "--learnt-at", "since")
    assert result.exit_code == 0, result.output
    assert "read 1 = stored 1" in result.stdout
    assert stored_attributes(database) == [("anna", "age", 1_704_067_200_000_000, "number", 41.0, None)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["events", "orders.csv", "--customer-id", "id", "--occurred-at", "at"], "The columns it has: “who”"),
        (["events", "absent.csv", "--customer-id", "who", "--occurred-at", "at"], "not there"),
        (["events", "orders.csv", *COLUMNS, "--unit-price", "price"], "needs a quantity"),
        (["events", "orders.csv", *COLUMNS, "--delimiter", "ab"], "one character"),
        (["customers", "orders.csv", "--customer-id", "id"], "The columns it has: “who”"),
        (["customers", "orders.csv", "orders.csv", "--customer-id", ":row"], "numbers the rows of a file from 1"),
        (["events", "orders.csv", "--customer-id", ":row", *COLUMNS[2:]], "no two can be lines of one order"),
        (["customers", "orders.csv", "--customer-id", "who", "--join", "orders.csv"], "got 1 --join and 0 --on"),
        (["customers", "orders.csv", "--customer-id", "who", "--leave-out", "Who"], "no column “Who”"),
        (["events", "orders.csv", *COLUMNS, "--join", "absent.csv", "--on", "product"], "absent.csv is not there"),
    ],
)
def test_bad_input_is_one_clear_line_and_exit_code_2(
    run: Run, tmp_path: Path, arguments: list[str], message: str
) -> None:
    (tmp_path / "orders.csv").write_text(ORDERS)
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert len([line for line in result.stderr.splitlines() if line.startswith("Error:")]) == 1
    assert "Traceback" not in result.output


def test_a_file_that_ends_in_the_middle_is_stored_so_far_and_exits_with_2(run: Run, tmp_path: Path) -> None:
    packed = gzip.compress(
        (ORDERS + "".join(f"c{i},2024-01-05,o{i},p{i * 7919 % 997},1,1\n" for i in range(999))).encode()
    )
    path = tmp_path / "orders.csv.gz"
    path.write_bytes(packed[: len(packed) // 2])
    result = run("events", path, *COLUMNS, *VALUES)
    assert result.exit_code == 2
    assert "read " in result.stdout
    assert "damaged or ends in the middle" in result.stderr


def test_an_interruption_says_how_to_go_on(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cli.ingest.ingest_events", interrupted)
    result = run("events", tmp_path / "orders.csv", *COLUMNS)
    assert result.exit_code == 130
    assert "run the same command again" in result.stderr
