"""What a user does in a notebook: a market in numpy, pandas and polars, copied and pickled.

Run by `test_consumer.py`, and checked by `mypy --strict`: it is the user's side, so it takes
nothing from the project but what is public.
"""

import copy
import csv
import io
import pickle

import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import polars as pl

from cea_exchange import (
    EVENT_DTYPE,
    Market,
    OrderBook,
    Side,
    clear_auction,
    events_table,
    to_pandas,
    to_polars,
)
from cea_exchange.matching.events import Event, Trade
from cea_exchange.matching.reference import ReferenceMarket

# -- An order flow, made by numpy --------------------------------------------------------------

source = np.random.default_rng(7)
prices = source.integers(9_600, 9_900, 400)
tonnes = source.integers(1, 50, 400)

market = Market("cea", reference_prices={"CEA23": "97.49"})
events: list[Event] = []
events += market.deposit("alice", cash="100000000.00")
events += market.deposit("bob", product="CEA23", tonnes=tonnes.sum())
events += market.open_day("2025-07-16")
events += market.phase("listed")
for number, (price, size) in enumerate(zip(prices, tonnes, strict=True)):
    account, side = ("alice", Side.BUY) if number % 2 else ("bob", Side.SELL)
    yuan = f"{price / 100:.2f}"
    events += market.enter(
        account, "CEA23", side, price=yuan, tonnes=size, order_id=f"n{number}"
    )
print(repr(market))

# -- What if? A copy goes its own way ----------------------------------------------------------

ahead = copy.copy(market)
ahead.close_day()
assert ahead.state_hash() != market.state_hash()
twins = [copy.deepcopy(market), pickle.loads(pickle.dumps(market)), market.copy()]
closings = [twin.close_day() for twin in [*twins, market]]
assert all(closing == closings[0] for closing in closings)
assert {twin.state_hash() for twin in twins} == {market.state_hash(), ahead.state_hash()}
judge = Market.restore(market.snapshot(), core=ReferenceMarket)
assert pickle.loads(pickle.dumps(judge)).state_hash() == market.state_hash()
events += closings[0]

# -- Tables ------------------------------------------------------------------------------------

frame = pd.DataFrame(events)
trades = frame[frame["event"] == "trade"]
turnover_fen = (trades["price_fen"] * trades["tonnes"]).sum()
mean_yuan = turnover_fen / trades["tonnes"].sum() / 100
assert trades["price_yuan"].min() <= mean_yuan <= trades["price_yuan"].max()
(day,) = frame[frame["event"] == "day_closed"].to_dict("records")
assert day["volume_listed"] == trades["tonnes"].sum() and day["amount_listed_fen"] == turnover_fen

whole = events_table(events)
assert whole.to_polars().height == len(frame) == len(whole.to_pandas())
assert whole.to_pandas()["price_fen"].equals(frame["price_fen"].astype("Int64"))

lazy = pl.DataFrame(events, infer_schema_length=None).filter(pl.col("event") == "trade")
assert lazy.select((pl.col("price_fen") * pl.col("tonnes")).sum()).item() == turnover_fen

last = [event for event in events if isinstance(event, Trade)][-1]
row = dict(last)
assert row["price_fen"] == round(row["price_yuan"] * 100) == last["price_fen"]
assert pd.Series(last)["price_fen"] == last.get("price_fen") and last.get("no_such") is None
assert dict(last.items()) == row and list(last.values()) == list(row.values())
match last:
    case {"event": "trade", "tonnes": size}:
        assert size == last.tonnes
    case _:
        raise AssertionError(last)
sheet = io.StringIO()
writer = csv.DictWriter(sheet, list(last.keys()))
writer.writeheader()
writer.writerow(last)  # type: ignore[arg-type]
assert next(csv.DictReader(io.StringIO(sheet.getvalue())))["price"] == last.price
print(f"{len(trades)} trades at {mean_yuan:.2f} yuan on average")

# -- A book without money, filled from numpy ---------------------------------------------------

book = OrderBook(prices.min(), prices.max(), order_count_max=1_000)
for order_id, (price, size) in enumerate(zip(prices, tonnes, strict=True), start=1):
    result = book.enter(order_id, 1 + order_id % 2, price, size)
    assert result.accepted
aside = pickle.loads(pickle.dumps(book))
assert aside.state_hash() == book.state_hash()
assert aside.cancel(aside.orders(Side.BUY, aside.best_bid or 0)[0]).accepted
aside.check()
assert len(aside) == len(book) - 1
print(repr(book))

rows = np.zeros(4, EVENT_DTYPE)
rows["price"] = prices[:4]
assert to_pandas(rows)["price"].sum() == to_polars(rows)["price"].sum() == prices[:4].sum()

# -- An auction --------------------------------------------------------------------------------

bids = [(f"bidder {number}", f"{price / 100:.2f}", size) for number, (price, size) in
        enumerate(zip(prices[:20], tonnes[:20], strict=True))]  # fmt: skip
won = clear_auction(bids, tonnes[:10].sum(), reserve_price="96.00")
assert pd.DataFrame(won.bids)["won"].sum() == won.tonnes
print("auction at", won.clearing_price)
