"""Events and the order book as Arrow tables, for whatever reads Arrow, pandas or polars.

    python examples/event_tables.py

Needs the extra `arrow`: pip install 'cea-exchange[arrow]'. `to_pandas` and `to_polars` take the
same arguments where those libraries are installed, and need no pyarrow.
"""

import sys

import numpy as np

from cea_exchange import EVENT_DTYPE, OrderBook, to_arrow

try:
    import pyarrow.compute
except ModuleNotFoundError:
    sys.exit("event_tables.py needs the extra `arrow`: pip install 'cea-exchange[arrow]'")

from batch_process import PRICE_MAX, PRICE_MIN, random_flow


def main() -> None:
    commands = random_flow(100_000)
    book = OrderBook(PRICE_MIN, PRICE_MAX, order_count_max=len(commands))
    events = np.zeros(4 * len(commands), EVENT_DTYPE)
    consumed, produced = book.process(commands, events)
    assert consumed == len(commands), f"{book.rows_needed} more rows are needed"

    table = to_arrow(events[:produced], names=True)
    trades = table.filter(pyarrow.compute.field("kind") == "TRADE")
    volume = trades.group_by("account_index").aggregate([("tonnes", "sum"), ("seq", "count")])
    volume = volume.sort_by([("tonnes_sum", "descending"), ("account_index", "ascending")])
    print("who took most:", volume.slice(0, 3).to_pylist())

    reasons = to_arrow(events[:produced], columns=("kind", "reason"), names=True)
    print("why orders left or were refused:")
    for row in reasons.group_by(["kind", "reason"]).aggregate([([], "count_all")]).to_pylist():
        if row["reason"] != "NONE":
            print(f"  {row['kind']}, {row['reason']}: {row['count_all']:,}")
    assert sum(volume["tonnes_sum"].to_pylist()) == pyarrow.compute.sum(trades["tonnes"]).as_py()


if __name__ == "__main__":
    main()
