"""How often surveillance cries over real order flow, in which nobody is known to have done wrong.

    python -m bench.surveillance_flow message.csv              LOBSTER's messages, or an order file
    python -m bench.surveillance_flow DIR --accounts 200       a venue's journal, other owners
    python -m bench.surveillance_flow message.csv --write day.jsonl

Flow of other markets does not say whose an order is: owners are given by the orders' numbers, so
what rests on an owner's habits (a ring, two desks) can only come by chance here, and what rests on
prices and times is the flow's own. It is played as a market script under the profile `open`, which
`--write` keeps for `cea-exchange surveil day.jsonl --profile open`; prices are as they lie to the
first one, which is 1,000.00 yuan.
"""

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from cea_exchange.domain.profile import load_profile
from cea_exchange.domain.records import CommandKind, EventKind, Side, Tif
from cea_exchange.domain.timetable import day_start, time_from_ns, time_to_ns
from cea_exchange.domain.units import price_format
from cea_exchange.loadtest.flow.recorded import Order, RecordedError, recorded_orders
from cea_exchange.supervision.sources import script_tape
from cea_exchange.supervision.surveillance import surveil
from cea_exchange.supervision.tape import Tape

FIRST_FEN = 100_000
DAY = time_to_ns(day_start(date(2025, 1, 2)))
"""Of records that count from midnight; a journal's orders have days of their own."""
NS_OF_A_DAY = 86_400 * 10**9


def commands(orders: list[Order], accounts: int) -> Iterator[dict[str, Any]]:
    """Yield the market script of recorded orders."""
    first: dict[int, float] = {}
    for each in orders:
        if each.price > 0:
            first.setdefault(each.product, each.price)
    for product in first:
        price = price_format(FIRST_FEN)
        yield {"cmd": "product", "product": f"FLOW{product}", "reference_price": price}
    for number in range(accounts):
        yield {"cmd": "account", "account": f"F{number:03}"}
    entered: dict[int, str] = {}
    for place, each in enumerate(orders):
        named = {"id": entered.get(each.order, ""), "account": f"F{each.order % accounts:03}"}
        yield {"cmd": "clock", "at": _at(each.at_ns)}
        if each.kind == CommandKind.ENTER:
            named["id"] = entered[each.order] = f"{each.order}/{place}"
            yield {
                "cmd": "enter",
                **named,
                "product": f"FLOW{each.product}",
                "side": Side(each.side).name.lower(),
                "price": _price(each, first),
                "tonnes": each.tonnes,
                "tif": Tif(each.tif).name.lower(),
            }
        elif named["id"] and each.kind == CommandKind.AMEND:
            yield {"cmd": "amend", **named, "price": _price(each, first), "tonnes": each.tonnes}
        elif named["id"]:
            yield {"cmd": "cancel", **named}


def _price(order: Order, first: dict[int, float]) -> str:
    return price_format(max(round(order.price / first[order.product] * FIRST_FEN), 1))


def _at(time_ns: int) -> str:
    return time_from_ns(time_ns + (DAY if time_ns < NS_OF_A_DAY else 0)).isoformat()


def report(tape: Tape) -> Iterator[str]:
    """Yield the size of the flow, and its alerts by pattern and grade."""
    kinds = Counter(tape.events["kind"].tolist())
    yield (
        f"{len(tape.events):,} events, {kinds[EventKind.ORDER_ACCEPTED]:,} orders, "
        f"{kinds[EventKind.TRADE]:,} trades"
    )
    found = surveil(tape)
    counts = Counter((alert.pattern, alert.grade) for alert in found)
    yield from (f"{pattern:16} {grade:6} {count:6,}" for (pattern, grade), count in counts.items())
    yield f"{sum(alert.grade != 'watch' for alert in found)} alerts"


def main() -> None:
    """Read, play, look."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("flow", type=Path)
    parser.add_argument("--accounts", type=int, default=40, help="owners that orders are given to")
    parser.add_argument("--write", type=Path, help="keep the market script")
    arguments = parser.parse_args()
    try:
        orders = recorded_orders(arguments.flow)
    except RecordedError as error:
        parser.error(str(error))
    if not any(each.price > 0 for each in orders):
        parser.error(f"{arguments.flow}: expected orders, got none")
    lines = [json.dumps(each).encode() for each in commands(orders, arguments.accounts)]
    if arguments.write is not None:
        arguments.write.write_bytes(b"\n".join(lines) + b"\n")
    for line in report(script_tape(lines, load_profile("open"), str(arguments.flow))):
        print(line)


if __name__ == "__main__":
    main()
