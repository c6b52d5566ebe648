"""A market day of orders, amendments and cancels at random, for what must hold of any."""

import random

from cea_exchange.domain.records import Side
from support.supervision.market_days import MarketDays

ACCOUNTS = ("A", "B", "C:G", "D:G", "E")


def random_day(seed: int) -> tuple[MarketDays, list[dict]]:
    """Orders, amendments and cancels at random; the book as the market had it now and then."""
    draw, days = random.Random(seed), MarketDays(*ACCOUNTS, tonnes=5_000)
    names = [account[0] for account in ACCOUNTS]
    days.at("09:31:00")
    orders: list[tuple[str, str]] = []
    seen = []
    for step in range(300):
        kind = draw.random()
        account = draw.choice(names)
        price = f"{draw.randrange(8_990, 9_011) / 100:.2f}"
        if kind < 0.6 or not orders:
            side, tif = draw.choice(("buy", "sell")), draw.choice(("day", "day", "day", "ioc"))
            orders.append(
                (account, days.enter(account, side, price, draw.randrange(1, 90), tif=tif))
            )
        elif kind < 0.8:
            owner, order = draw.choice(orders)
            days.play(
                cmd="amend", id=order, account=owner, price=price, tonnes=draw.randrange(1, 90)
            )
        else:
            days.cancel(*draw.choice(orders))
        if step % 20 == 0:
            book = {
                side: [tuple(map(int, row)) for row in days.market.core.depth(0, side, 100)]
                for side in (Side.BUY, Side.SELL)
            }
            seen.append({"row": len(days.tape().events) - 1, **book})
    return days, seen
