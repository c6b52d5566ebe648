"""A day of trading as a table and as plots.

    python examples/see_a_day.py [folder]

Needs pandas and the extra `plots`: pip install pandas 'cea-exchange[plots]'. In a notebook the
market, its events, the table and the plots show themselves where they end a cell.
"""

import sys
from pathlib import Path

from cea_exchange import Market, Side, events_table, plots

market = Market("cea", reference_prices={"CEA23": "97.49"})
events = market.deposit("alice", cash="1000000.00")
events += market.deposit("bob", product="CEA23", tonnes=5_000)
events += market.open_day("2025-07-16")
events += market.phase("listed")
for number in range(60):
    account, side = ("alice", Side.BUY) if number % 2 else ("bob", Side.SELL)
    price = f"{97 + (7 * number) % 11 / 10:.2f}"
    order_id = str(number)
    events += market.enter(account, "CEA23", side, price=price, tonnes=20, order_id=order_id)
depth = plots.depth(market)
events += market.close_day()

table = events_table(events).to_pandas()
trades = table[table["event"] == "trade"]
fen = (trades["price_fen"] * trades["tonnes"]).sum()
print(f"{len(trades)} trades, {trades['tonnes'].sum()} t for {fen / 100:.2f} yuan")

(close,) = table[table["event"] == "day_closed"].to_dict("records")
assert close["volume_listed"] == trades["tonnes"].sum() and close["amount_listed_fen"] == fen
folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
for name, figure in (("depth", depth), ("day", plots.day(events))):
    figure.savefig(folder / f"{name}.png")
    print("plot", folder / f"{name}.png")
