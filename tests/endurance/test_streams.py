"""A long list as a file: all of it comes, and the server's memory does not grow with it."""

from __future__ import annotations

import http.client
import os
import time
from collections.abc import Iterator

import pytest

from benchmarks.listed_shop import SEGMENT, store_list
from benchmarks.live_ingest import our_app
from benchmarks.server_process import ServerProcess, serving

CUSTOMERS = int(os.environ.get("STREAMED_CUSTOMERS", "200000"))
# By then what is remembered of features and clauses is full.
EARLY = 20_000
MEGABYTE = 1e6


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("listed")
    settings = store_list(folder, CUSTOMERS).settings.model_copy(
        update={"open": True, "secret_file": folder / "secret.key"}
    )
    with serving(our_app, settings) as there:
        yield there


@pytest.mark.parametrize("format_", ["csv", "ndjson"])
def test_a_long_list_comes_whole_in_bounded_memory(server: ServerProcess, format_: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=600)
    began = time.monotonic()
    connection.request("GET", f"/v1/segments/{SEGMENT}/customers?format={format_}")
    answer = connection.getresponse()
    assert answer.status == 200
    lines = size = early = 0
    while piece := answer.read(1 << 16):
        size += len(piece)
        lines += piece.count(b"\n")
        if lines >= EARLY and not early:
            early = server.peak_bytes()
    connection.close()
    grown = server.peak_bytes() - early
    told = f"{format_}: {lines:,} lines, {size / MEGABYTE:,.0f} MB in {time.monotonic() - began:.0f} s"
    print(f"{told}; the peak of memory grew by {grown / MEGABYTE:.1f} MB after {EARLY:,} lines")  # noqa: T201
    # A header before, or what says that nothing is missing behind.
    assert lines == CUSTOMERS + 1
    assert grown < 10 * MEGABYTE
