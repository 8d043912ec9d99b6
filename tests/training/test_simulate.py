"""The files of the simulated shop: whole, marked as synthetic, and never in the way of others."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.simulation import BLOCK_CUSTOMERS, Business, SimulatedShop
from training.simulate import README, TRUTH, Simulated, SimulationError, simulate
from training.synthetic_files import SCHEMAS

END = datetime(2026, 1, 1, 12, 30, tzinfo=UTC)
ALL_FILES = sorted([*(f"{name}.parquet" for name in SCHEMAS), TRUTH, README])


def shop(n_customers: int = 200, seed: int = 5) -> SimulatedShop:
    return SimulatedShop.up_to(END, n_customers=n_customers, days=400, seed=seed)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Simulated]:
    directory = tmp_path_factory.mktemp("synthetic") / "made" / "on the way"
    return directory, simulate(shop(), directory)


def read(directory: Path, name: str) -> pa.Table:
    return pq.read_table(directory / f"{name}.parquet")


def test_all_files_are_there_and_each_is_marked_as_synthetic(written: tuple[Path, Simulated]) -> None:
    directory, _ = written
    assert names(directory) == ALL_FILES
    for name in SCHEMAS:
        file = pq.ParquetFile(directory / f"{name}.parquet")
        assert b"no such customer exists" in file.metadata.metadata[b"synthetic"]
        assert all(text.startswith("synthetic-") for text in file.read()["customer_id"].to_pylist())
    assert json.loads((directory / TRUTH).read_text())["synthetic"] is True
    assert "None of this is real" in (directory / README).read_text()


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_columns_are_plain_for_every_reader(written: tuple[Path, Simulated]) -> None:
    directory, _ = written
    for name, schema in SCHEMAS.items():
        stored = pq.read_schema(directory / f"{name}.parquet")
        assert stored.names == schema.names
        for field in schema:
            plain = pa.string() if pa.types.is_dictionary(field.type) else field.type
            assert stored.field(field.name).type == plain


def test_the_truth_says_what_it_was_made_with_and_how_much_there_is(written: tuple[Path, Simulated]) -> None:
    directory, counts = written
    truth = json.loads((directory / TRUTH).read_text())
    assert truth["parameters"] == {"bg_nbd": Business().bg_nbd, "gamma_gamma": Business().gamma_gamma}
    assert (truth["seed"], truth["days"], truth["complete"]) == (5, 400, True)
    assert (truth["first_day"], truth["end"]) == ("2024-11-28", "2026-01-01T12:30:00+00:00")
    assert truth["counts"] == counts.to_dict()
    assert truth["says_nothing"] == {
        "events": ["Wallpaper Downloaded"],
        "attributes": ["birthday", "favourite_colour", "shoe_size"],
    }
    assert truth["tells_of_churn"]["attributes"] == ["acquired_through", "distance_km"]
    orders, events = read(directory, "orders"), read(directory, "events")
    assert counts.customers == len(read(directory, "customers")) == len(read(directory, "truth")) == 200
    assert counts.lines == len(orders)
    assert counts.orders == len(set(orders["order_id"].to_pylist()))
    by_name = {entry["values"]: entry["counts"] for entry in events["event"].value_counts().to_pylist()}
    assert by_name == {name: count for name, count in counts.events.items() if count}


def test_an_order_is_of_one_customer_and_instant_and_no_message_id_stands_twice(
    written: tuple[Path, Simulated],
) -> None:
    directory, _ = written
    orders = read(directory, "orders").to_pandas()
    assert (orders.groupby("order_id")[["customer_id", "occurred_at", "channel"]].nunique() == 1).all(axis=None)
    assert orders["order_id"].iloc[0] == "synthetic-0000001-o00001"
    assert (orders["customer_id"] == orders["order_id"].str[:17]).all()
    events = read(directory, "events").to_pandas()
    assert events["message_id"].is_unique
    assert events["message_id"].str.fullmatch(r"synthetic-\d{7}-m\d{5}").all()
    assert (events["customer_id"] == events["message_id"].str[:17]).all()
    for table in (orders, events):
        assert table["customer_id"].is_monotonic_increasing
        assert (table.groupby("customer_id")["occurred_at"].is_monotonic_increasing).all()
        assert (table["occurred_at"] < END).all()


def test_the_truth_of_each_customer_agrees_with_the_orders(written: tuple[Path, Simulated]) -> None:
    directory, _ = written
    truth = read(directory, "truth").to_pandas().set_index("customer_id")
    last_order = read(directory, "orders").to_pandas().groupby("customer_id")["occurred_at"].max()
    lost = truth[~truth["is_alive"]]
    assert 20 < len(lost) < 180
    assert (lost["lost_at"] == last_order[lost.index]).all()
    assert truth.loc[truth["is_alive"], "lost_at"].isna().all()
    assert truth["drop_out_probability"].between(0, 1).all()
    assert truth["mean_value"].median() == pytest.approx(50, rel=0.2)


def test_the_same_shop_gives_the_same_bytes(written: tuple[Path, Simulated], tmp_path: Path) -> None:
    directory, counts = written
    assert simulate(shop(), tmp_path) == counts
    assert digests(tmp_path) == digests(directory)


def digests(directory: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in directory.iterdir()}


def test_customers_are_written_a_block_at_a_time(tmp_path: Path) -> None:
    shares: list[float] = []
    simulate(shop(BLOCK_CUSTOMERS + 3), tmp_path, progress=lambda _, done: shares.append(done))
    assert shares == [0.5, 1.0]
    file = pq.ParquetFile(tmp_path / "customers.parquet")
    assert [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)] == [BLOCK_CUSTOMERS, 3]
    assert file.read_row_group(1)["customer_id"].to_pylist()[-1] == "synthetic-0010003"


def test_a_directory_with_anything_else_in_it_is_refused_even_to_overwrite(tmp_path: Path) -> None:
    (tmp_path / "orders.parquet").write_text("precious")
    for overwrite in (False, True):
        with pytest.raises(SimulationError, match="what it holds is not of a simulated shop"):
            simulate(shop(), tmp_path, overwrite=overwrite)
    assert (tmp_path / "orders.parquet").read_text() == "precious"
    (tmp_path / TRUTH).write_text("[]")
    with pytest.raises(SimulationError, match="not of a simulated shop"):
        simulate(shop(), tmp_path, overwrite=True)


def test_a_file_in_place_of_the_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "shop").write_text("")
    with pytest.raises(SimulationError, match=r"Expected a directory, and .*shop is a file"):
        simulate(shop(), tmp_path / "shop")


def test_an_earlier_simulation_is_replaced_only_when_asked_and_nothing_but_its_files(tmp_path: Path) -> None:
    simulate(shop(seed=1), tmp_path)
    before = digests(tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(SimulationError, match=r"holds a simulated shop.*or --overwrite it"):
        simulate(shop(seed=2), tmp_path)
    simulate(shop(seed=2), tmp_path, overwrite=True)
    assert names(tmp_path) == sorted([*ALL_FILES, "notes.txt"])
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert all(digests(tmp_path)[name] != digest for name, digest in before.items())


@pytest.mark.parametrize("failure", [KeyboardInterrupt, OSError])
def test_an_interruption_leaves_no_file_behind(tmp_path: Path, failure: type[BaseException]) -> None:
    def interrupt(*_: Any) -> None:
        raise failure("no more")

    with pytest.raises(failure, match="no more"):
        simulate(shop(), tmp_path, progress=interrupt)
    assert names(tmp_path) == []


def test_values_in_the_file_are_cents_exactly(written: tuple[Path, Simulated]) -> None:
    value = read(written[0], "orders")["value"].to_numpy()
    assert np.array_equal(value, np.round(value, 2))
