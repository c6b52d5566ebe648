"""A market with accounts and money: two participants trade, and one asks for too much.

    python examples/embed_market.py

Needs a plain install of cea-exchange. Prices and cash are text in yuan, quantities whole tonnes.
"""

from cea_exchange import Market, Side


def main() -> None:
    market = Market("cea", reference_prices={"CEA23": "97.49"})
    market.deposit("alice", cash="10000.00")
    market.deposit("bob", product="CEA23", tonnes=500)
    market.open_day("2025-07-16")
    market.phase("listed")
    market.enter("alice", "CEA23", Side.BUY, price="97.50", tonnes=100, order_id="a1")
    events = market.enter("bob", "CEA23", Side.SELL, price="97.40", tonnes=40, order_id="b1")
    events += market.enter("alice", "CEA23", Side.BUY, price="98.00", tonnes=90, order_id="a2")
    events += market.close_day()
    for event in events:
        print(event)
    market.check()
    assert events[1]["price"] == "97.50", "the resting order's price counts"
    assert events[2]["reason"] == "CASH_INSUFFICIENT", "60 t of a1 are locked still"
    print("alice:", market.account("alice"))


if __name__ == "__main__":
    main()
