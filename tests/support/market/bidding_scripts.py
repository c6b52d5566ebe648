"""Lines of market scripts about biddings, and the market most tests of them start from."""

from collections.abc import Iterable
from typing import Any

from cea_exchange.domain.profile import Profile
from cea_exchange.matching.events import Event
from support.market.market_scripts import Line, play

BIDDING_OPENING: list[Line] = [
    {"cmd": "product", "product": "CEA23", "reference_price": "97.49"},
    {"cmd": "account", "account": "seller"},
    {"cmd": "account", "account": "alice"},
    {"cmd": "account", "account": "bob"},
    {"cmd": "account", "account": "dave"},
    {"cmd": "deposit", "account": "seller", "product": "CEA23", "tonnes": 500_000},
    {"cmd": "deposit", "account": "alice", "cash": "50000000.00"},
    {"cmd": "deposit", "account": "bob", "cash": "50000000.00"},
    {"cmd": "deposit", "account": "bob", "product": "CEA23", "tonnes": 150_000},
    {"cmd": "clock", "at": "2025-07-16T09:00:00+08:00"},
]
"""The seller has allowances, alice and bob cash, bob allowances too, dave nothing; 09:00."""

LINES = len(BIDDING_OPENING)


def notice(id: str, account: str = "seller", tonnes: int = 100_000, **more: Any) -> Line:
    """A bidding with a floor of the close less 10%, at one price; `floor` None leaves it out."""
    terms = {"product": "CEA23", "tonnes": tonnes, "pricing": "uniform", "floor": "87.74"} | more
    terms = {field: value for field, value in terms.items() if value is not None}
    return {"cmd": "bidding_open", "id": id, "account": account} | terms


def wanted(id: str, account: str = "alice", tonnes: int = 100_000, **more: Any) -> Line:
    """The mirror of it: who applies buys, at the close plus 10% at most."""
    return notice(id, account, tonnes, **{"side": "buy", "floor": None, "ceiling": "107.24"} | more)


def bid(
    id: str, account: str, price: str = "95.00", tonnes: int = 50_000, bidding: str = "B1"
) -> Line:
    """A bid."""
    terms = {"bidding": bidding, "price": price, "tonnes": tonnes}
    return {"cmd": "bid", "id": id, "account": account} | terms


def bid_cancel(id: str, account: str) -> Line:
    """A bid is taken back."""
    return {"cmd": "bid_cancel", "id": id, "account": account}


def close(id: str = "B1") -> Line:
    """The operator closes a bidding."""
    return {"cmd": "bidding_close", "id": id}


def cancel(id: str = "B1") -> Line:
    """The operator cancels a bidding."""
    return {"cmd": "bidding_cancel", "id": id}


def at(time: str, day: int = 16) -> Line:
    """The clock moves on."""
    return {"cmd": "clock", "at": f"2025-07-{day:02d}T{time}:00+08:00"}


def play_biddings(lines: Iterable[Line], profile: Profile | str = "cea") -> list[Event]:
    """Play lines after `BIDDING_OPENING` on both cores; return the events of these lines only."""
    opening = len(play(BIDDING_OPENING, profile))
    return play([*BIDDING_OPENING, *lines], profile)[opening:]


def shown(events: Iterable[Event]) -> list[str]:
    """What happened, in a word each: the event, or why not."""
    return [
        event.reason if event.event in ("order_rejected", "bid_rejected") else event.event
        for event in events
    ]


def trades(events: Iterable[Event]) -> list[tuple[str, str, int]]:
    """Of each trade who bid, at what price, how much."""
    return [
        (event.buy_id if event.aggressor == "buy" else event.sell_id, event.price, event.tonnes)
        for event in events
        if event.event == "trade"
    ]


def locked(state: Event, account: str) -> tuple[str, int]:
    """Cash and tonnes of CEA23 that an account has locked."""
    holdings = state.accounts[account].holdings
    tonnes = holdings["CEA23"].locked if "CEA23" in holdings else 0
    return state.accounts[account].cash_locked, tonnes
