"""Lines of market scripts about blocks, and the market most tests of them start from."""

from collections.abc import Iterable
from typing import Any

from cea_exchange.domain.profile import Profile
from cea_exchange.matching.events import Event
from support.market.market_scripts import Line, play

BLOCK_OPENING: list[Line] = [
    {"cmd": "product", "product": "CEA23", "reference_price": "97.49"},
    {"cmd": "account", "account": "alice", "group": "power"},
    {"cmd": "account", "account": "bob", "group": "power"},
    {"cmd": "account", "account": "carol", "group": "steel"},
    {"cmd": "account", "account": "dave"},
    {"cmd": "deposit", "account": "alice", "cash": "50000000.00"},
    {"cmd": "deposit", "account": "bob", "product": "CEA23", "tonnes": 500_000},
    {"cmd": "deposit", "account": "carol", "cash": "20000000.00"},
    {"cmd": "deposit", "account": "carol", "product": "CEA23", "tonnes": 200_000},
    {"cmd": "open_day", "date": "2025-07-16"},
    {"cmd": "phase", "phase": "listed_and_block"},
]
"""alice buys, bob sells, both of one group; carol could do either, dave has nothing."""


def enquiry(id: str, account: str, side: str, **more: Any) -> Line:
    """An enquiry."""
    terms = {"product": "CEA23", "side": side}
    return {"cmd": "block_enquiry", "id": id, "account": account} | terms | more


def offer(
    id: str, account: str, side: str, price: str = "97.49", tonnes: int = 100_000, **more: Any
) -> Line:
    """An offer."""
    terms = {"product": "CEA23", "side": side, "price": price, "tonnes": tonnes}
    return {"cmd": "block_offer", "id": id, "account": account} | terms | more


def counter(id: str, account: str, price: str = "97.49", tonnes: int = 100_000) -> Line:
    """A counter-offer."""
    terms = {"price": price, "tonnes": tonnes}
    return {"cmd": "block_counter", "id": id, "account": account} | terms


def accept(id: str, account: str) -> Line:
    """An acceptance."""
    return {"cmd": "block_accept", "id": id, "account": account}


def reject(id: str, account: str) -> Line:
    """A rejection."""
    return {"cmd": "block_reject", "id": id, "account": account}


def withdraw(id: str, account: str) -> Line:
    """A withdrawal."""
    return {"cmd": "block_withdraw", "id": id, "account": account}


def confirm(id: str) -> Line:
    """The exchange's confirmation."""
    return {"cmd": "block_confirm", "id": id}


def refuse(id: str) -> Line:
    """The exchange's refusal."""
    return {"cmd": "block_refuse", "id": id}


def play_blocks(lines: Iterable[Line], profile: Profile | str = "cea") -> list[Event]:
    """Play lines after `BLOCK_OPENING` on both cores; return the events of these lines only."""
    opening = len(play(BLOCK_OPENING, profile))
    return play([*BLOCK_OPENING, *lines], profile)[opening:]


def shown(events: Iterable[Event]) -> list[str]:
    """What happened, in a word each: the event, or why not."""
    return [
        event.reason if event.event == "order_rejected" else event.event.removeprefix("block_")
        for event in events
    ]


def locked(state: Event, account: str) -> tuple[str, int]:
    """Cash and tonnes of CEA23 that an account has locked."""
    holdings = state.accounts[account].holdings
    tonnes = holdings["CEA23"].locked if "CEA23" in holdings else 0
    return state.accounts[account].cash_locked, tonnes
