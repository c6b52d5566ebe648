"""Honest days of the load generator's own flow, played as a market script without processes."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import msgspec

from cea_exchange.domain.profile import load_profile
from cea_exchange.domain.records import CommandKind, Side, Tif
from cea_exchange.domain.timetable import day_start
from cea_exchange.domain.units import price_format
from cea_exchange.loadtest.flow.arrivals import NS, Poisson
from cea_exchange.loadtest.flow.plan import PlannedRow, plan_draw
from cea_exchange.loadtest.flow.workload import workload_find
from cea_exchange.loadtest.targets.target import Participants
from cea_exchange.supervision.sources import ScriptTape
from cea_exchange.supervision.tape import Tape

DAY = date(2025, 7, 16)
PRODUCTS = {"CEA23": 9_000, "CEA24": 9_700}
OPENS_S = 9 * 3600 + 1800
SESSION_NS = 7200 * NS
LUNCH_NS = 5400 * NS


def loaded_day(
    seed: int, *, accounts: int = 40, rate: float = 1.0, seconds: float = 14_300
) -> Tape:
    """Return a day of the workload `trading_day`: half of the accounts buy, the others sell."""
    workload = msgspec.structs.replace(workload_find("trading_day"), products=PRODUCTS)
    products = list(PRODUCTS)
    names = [f"L{number:03}" for number in range(accounts)]
    sides = [
        [Side.BUY if (number + place) % 2 else Side.SELL for place in range(len(products))]
        for number in range(accounts)
    ]
    prices = [workload.products[product] for product in products]
    participants = Participants(names, products, prices, sides, list(range(accounts)))
    times = Poisson(rate=rate, seconds=seconds).times(seed)
    plan = plan_draw(workload, times, participants, seed=seed, process_index=0)
    player = ScriptTape(load_profile("cea"))
    for fields in _script(plan.rows(0, len(plan)), participants):
        player.play(fields)
    return player.tape()


def _script(rows: list[PlannedRow], participants: Participants) -> Iterator[dict[str, Any]]:
    for name, price in zip(participants.products, participants.prices, strict=True):
        yield {"cmd": "product", "product": name, "reference_price": price_format(price)}
    for name in participants.names:
        yield {"cmd": "account", "account": name}
        yield {"cmd": "deposit", "account": name, "cash": "20000000000.00"}
        for product in participants.products:
            yield {"cmd": "deposit", "account": name, "product": product, "tonnes": 5_000_000}
    start = day_start(DAY) + timedelta(seconds=OPENS_S)
    entered: dict[int, list[str]] = {}
    for number, row in enumerate(rows):
        at_ns = row.due_ns + (LUNCH_NS if row.due_ns >= SESSION_NS else 0)
        yield {"cmd": "clock", "at": (start + timedelta(microseconds=at_ns // 1000)).isoformat()}
        account = participants.names[row.participant]
        own = entered.setdefault(row.participant, [])
        if row.kind == CommandKind.ENTER:
            own.append(f"n{number}")
            yield {
                "cmd": "enter",
                "id": own[-1],
                "account": account,
                "product": participants.products[row.product],
                "side": Side(row.side).name.lower(),
                "price": price_format(row.price),
                "tonnes": max(row.tonnes, 1),
                "tif": Tif(row.tif).name.lower(),
            }
        elif row.kind == CommandKind.CANCEL and own:
            yield {"cmd": "cancel", "id": own.pop(number * 7919 % len(own)), "account": account}
    yield {"cmd": "clock", "at": (day_start(DAY) + timedelta(hours=15)).isoformat()}
