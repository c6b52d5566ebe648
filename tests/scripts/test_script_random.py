"""Scripts made up at random: both cores tell the same story, and its parts fit together."""

import random
from collections import Counter

import pytest

from cea_exchange.matching.events import Event
from support.market.market_scripts import Line, amend, cancel, cea_with, play

pytestmark = pytest.mark.core

ACCOUNTS = ("alice", "bob", "carol")
PRODUCTS = ("CEA23", "CEA24")
PROFILE = cea_with(fee_bp=8, fee_min_fen=300, holding_limit_tonnes=2500, order_count_max=12)


def script(seed: int, count: int = 250) -> list[Line]:
    """Some days of three accounts and two products; ids, names and prices go wrong at times."""
    chance = random.Random(seed)
    lines: list[Line] = [
        {"cmd": "product", "product": name, "reference_price": "97.49"} for name in PRODUCTS
    ]
    for account in ACCOUNTS:
        lines.append({"cmd": "account", "account": account, "group": chance.choice("xy")})
        lines.append({"cmd": "deposit", "account": account, "cash": "150000.00"})
        for product in PRODUCTS:
            tonnes = {"product": product, "tonnes": 1500}
            lines.append({"cmd": "deposit", "account": account} | tonnes)
    lines.append({"cmd": "clock", "at": "2025-07-16T09:30:00+08:00"})
    minute = 9 * 60 + 30
    day = 16
    entered: list[tuple[str, str]] = []
    for _ in range(count):
        if chance.random() < 0.02:
            minute += chance.choice((5, 10, 60, 300))
            if minute >= 24 * 60:
                day, minute = day + 1, minute - 24 * 60
            at = f"2025-07-{day}T{minute // 60:02}:{minute % 60:02}:00+08:00"
            lines.append({"cmd": "clock", "at": at})
        lines.append(command(chance, entered))
    return [*lines, {"cmd": "resume"}, {"cmd": "state"}]


def command(chance: random.Random, entered: list[tuple[str, str]]) -> Line:
    """One command, mostly an order; its id and account are noted in `entered`."""
    account = chance.choice((*ACCOUNTS * 8, "mallory"))
    product = chance.choice((*PRODUCTS * 8, "CEA99"))
    order_id = str(chance.randrange(400))
    price = f"97.{chance.randrange(40, 60)}" if chance.random() < 0.96 else "110.00"
    tonnes = chance.choice((0, 1, 10, 100, 100, 100, 300, 500))
    dice = chance.random()
    if dice < 0.04:
        acts = ("halt", "resume", "suspend", "restore", "withdraw", "reference_price")
        act = chance.choice(acts)
        return {
            "halt": {"product": product},
            "resume": {"product": product},
            "suspend": {"account": account},
            "restore": {"account": account},
            "withdraw": {"account": account, "cash": "70000.00"},
            "reference_price": {"product": product, "price": "97.50"},
        }[act] | {"cmd": act}
    if dice < 0.12:
        wide = {"cmd": "resume"}, {"cmd": "resume", "product": product}
        return chance.choice((*wide, {"cmd": "restore", "account": account}))
    if dice < 0.18:
        return cancel(*chance.choice(entered[-20:] or [("x", "alice")]))
    if dice < 0.35:
        return amend(*chance.choice(entered[-20:] or [("x", "alice")]), price, tonnes)
    entered.append((order_id, account))
    line: Line = {
        "cmd": "enter",
        "id": order_id,
        "account": account,
        "product": product,
        "side": chance.choice(("buy", "sell")),
        "price": price,
        "tonnes": tonnes,
    }
    if chance.random() < 0.3:
        line["tif"] = chance.choice(("day", "ioc", "fok"))
    if chance.random() < 0.1:
        line["post_only"] = True
    if chance.random() < 0.2:
        line["pick"] = chance.choice(entered[-10:])[0]
    return line


@pytest.mark.parametrize("seed", range(12))
def test_the_story_holds_together(seed: int) -> None:
    """`play` compares the cores; what was deposited is still there, less fees."""
    events = play(script(seed), PROFILE)
    state = events[-1]
    for product in PRODUCTS:
        held = sum(account.holdings[product].tonnes for account in state.accounts.values())
        assert held == 1500 * len(ACCOUNTS)
    fees = sum(fen(e.buy_fee) + fen(e.sell_fee) for e in events if e.event == "trade")
    left = sum(fen(e.cash) for e in events if e.event == "withdrawn")
    cash = sum(fen(account.cash) for account in state.accounts.values())
    assert cash + fees + left == 15_000_000 * len(ACCOUNTS)
    assert_orders_add_up(events)


def fen(text: str) -> int:
    """Yuan as fen."""
    return int(text.replace(".", ""))


def assert_orders_add_up(events: list[Event]) -> None:
    """On each day, an order that was never amended traded, lost or kept what it was entered for."""
    entered: dict[tuple[str, str], int] = {}
    gone: Counter[tuple[str, str]] = Counter()
    amended: set[tuple[str, str]] = set()
    for event in events:
        if event.event == "order_accepted":
            assert (event.account, event.id) not in entered
            entered[event.account, event.id] = event.tonnes
        elif event.event == "order_amended":
            amended.add((event.account, event.id))
        elif event.event == "trade":
            gone[event.buyer, event.buy_id] += event.tonnes
            gone[event.seller, event.sell_id] += event.tonnes
        elif event.event in ("order_canceled", "order_expired"):
            gone[event.account, event.id] += event.tonnes
        elif event.event == "day_opened":
            assert all(gone[key] == entered[key] for key in entered.keys() - amended)
            entered, gone, amended = {}, Counter(), set()
    assert gone.keys() <= entered.keys()


def test_random_scripts_reach_most_of_it() -> None:
    """Else the test above tests little."""
    shown = [event for seed in range(12) for event in play(script(seed), PROFILE)]
    kinds = {event.event for event in shown}
    assert len(kinds) >= 19
    reasons = {event.reason for event in shown if event.event.endswith(("rejected", "canceled"))}
    assert len(reasons) >= 20, sorted(reasons)
