"""A crowd of agents trades through an order book, one Python call an order.

    python examples/embed_order_book.py [orders]

Needs a plain install of cea-exchange. Each order comes from an agent picked by chance, who buys or
sells near the middle of the book; now and then one of the earlier orders is cancelled. What every
agent holds is kept from the trades that the calls return.
"""

import random
import sys
import time

from cea_exchange import OrderBook, Side

AGENT_COUNT = 50
PRICE_MIN, PRICE_MAX, PRICE_START = 1, 20_000, 10_000


def simulate(order_count: int, seed: int = 1) -> tuple[OrderBook, list[int], list[int], int]:
    """Return the book, tonnes and cash of each agent, and how many trades there were."""
    draw = random.Random(seed)
    book = OrderBook(PRICE_MIN, PRICE_MAX, order_count_max=order_count)
    tonnes, cash, trade_count = [0] * AGENT_COUNT, [0] * AGENT_COUNT, 0
    for order_id in range(1, order_count + 1):
        agent = draw.randrange(AGENT_COUNT)
        side = Side.BUY if draw.random() < 0.5 else Side.SELL
        middle = ((book.best_bid or PRICE_START) + (book.best_ask or PRICE_START)) // 2
        price = middle + draw.randint(-40, 40)
        result = book.enter(order_id, side, price, draw.randint(1, 100), agent)
        sign = 1 if side == Side.BUY else -1
        for _, maker, trade_price, traded in result.trades:
            tonnes[agent] += sign * traded
            tonnes[maker] -= sign * traded
            cash[agent] -= sign * traded * trade_price
            cash[maker] += sign * traded * trade_price
        trade_count += len(result.trades)
        if order_id % 3 == 0:
            book.cancel(draw.randint(1, order_id))  # May be gone already: then it is refused.
    return book, tonnes, cash, trade_count


def main() -> None:
    order_count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    start = time.perf_counter()
    book, tonnes, cash, trade_count = simulate(order_count)
    seconds = time.perf_counter() - start
    book.check()
    assert sum(tonnes) == sum(cash) == 0, "what one agent paid another must have got"
    print(f"{order_count:,} orders, {trade_count:,} trades, {len(book):,} orders rest")
    for name, levels in zip(("bids", "asks"), book.depth(3), strict=True):
        print(f"{name}: " + ", ".join(f"{size} t @ {price}" for price, size, _ in levels))
    print(f"{order_count / seconds:,.0f} orders a second, drawing of numbers included")


if __name__ == "__main__":
    main()
