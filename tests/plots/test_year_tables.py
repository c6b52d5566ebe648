"""Plots of a year read its tables row by row: a nation's trades are hundreds of thousands."""

import tracemalloc

import pytest

from cea_exchange.plots.year_plots import TABLES, rows_of

pytestmark = pytest.mark.unit

ROWS = 20_000


def test_a_tables_rows_are_never_all_in_memory(tmp_path):
    (tmp_path / TABLES).mkdir()
    lines = ["trade_id,buyer,seller,tonnes", *(f"{n},A-{n % 7},B-{n % 5},3" for n in range(ROWS))]
    (tmp_path / TABLES / "trades.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    tracemalloc.start()
    try:
        tonnes = sum(int(row["tonnes"]) for row in rows_of(tmp_path, "trades"))
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert tonnes == 3 * ROWS
    # As dictionaries they are over five million bytes.
    assert peak_bytes < 500_000
