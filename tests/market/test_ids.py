"""CEA-ORD-14: ids and names are visible characters on one line, at least one."""

from collections.abc import Callable

import pytest

from cea_exchange.core.market import CompiledMarket
from cea_exchange.domain.naming import id_check
from cea_exchange.matching.market import Market
from cea_exchange.matching.reference import ReferenceMarket
from cea_exchange.matching.script import ScriptError, script_events
from support.market.market_scripts import OPENING, Line, cea_with, play_more, script_bytes

UNSEEN = [
    "",
    " ",
    "\t",
    "\x00",
    "a\x00b",
    "a\nb",
    "\x7f",
    "a\u200bb",
    "\u3164",
    "\ud800",
    "a\u2028b",
]
SOUND = ["a", "a 1", "单-1", "α", "#1", "0"]

GIVEN: dict[str, Callable[[Market, str], object]] = {
    "product": lambda market, text: market.declare_product(text, "97.49"),
    "account": lambda market, text: market.declare_account(text),
    "group": lambda market, text: market.declare_account("carol", text),
    "order_id": lambda market, text: market.enter(
        "alice", "CEA23", "buy", price="97.49", tonnes=1, order_id=text
    ),
    "block_id": lambda market, text: market.block_offer(
        "bob", "CEA23", "sell", price="97.49", tonnes=100_000, block_id=text
    ),
    "bidding_id": lambda market, text: market.bidding_open(
        "bob", "CEA23", bidding_id=text, tonnes=100_000, pricing="uniform", floor="97.49"
    ),
    "bid_id": lambda market, text: market.bid("alice", "B", bid_id=text, tonnes=1, price="97.49"),
}

LINES: dict[str, Line] = {
    "product": {"cmd": "product", "reference_price": "1.00"},
    "account": {"cmd": "account"},
    "enter": {
        **{"cmd": "enter", "account": "alice", "product": "CEA23", "side": "buy"},
        **{"price": "100.00", "tonnes": 1},
    },
    "block_enquiry": {
        **{"cmd": "block_enquiry", "account": "alice", "product": "CEA23", "side": "buy"},
    },
    "block_offer": {
        **{"cmd": "block_offer", "account": "bob", "product": "CEA23", "side": "sell"},
        **{"price": "100.00", "tonnes": 100_000},
    },
    "bidding_open": {
        **{"cmd": "bidding_open", "account": "bob", "product": "CEA23", "tonnes": 100_000},
        **{"pricing": "uniform", "floor": "100.00"},
    },
    "bid": {"cmd": "bid", "bidding": "B", "account": "alice", "tonnes": 1, "price": "100.00"},
}


@pytest.mark.parametrize("core", [CompiledMarket, ReferenceMarket], ids=lambda core: core.__name__)
@pytest.mark.parametrize("what", GIVEN)
@pytest.mark.parametrize("text", UNSEEN, ids=ascii)
def test_what_is_no_id_is_refused_wherever_one_is_given(core: type, what: str, text: str) -> None:
    """The message names the argument and the rule; nothing has changed."""
    market = Market("cea", {"CEA23": "97.49"}, core=core)
    market.deposit("alice", cash="1000.00")
    market.deposit("bob", product="CEA23", tonnes=200_000)
    market.open_day("2025-07-16")
    market.phase("listed_and_block")
    before = market.snapshot()
    with pytest.raises(ValueError, match=rf"^{what}: expected one or more visible .*CEA-ORD-14"):
        GIVEN[what](market, text)
    assert market.snapshot() == before


@pytest.mark.parametrize("cmd", LINES)
@pytest.mark.parametrize("text", ["", "\x00"], ids=ascii)
def test_a_script_ends_where_an_id_is_none(cmd: str, text: str) -> None:
    """With the line, the field, and what was expected."""
    field = cmd if cmd in ("product", "account") else "id"
    lines = [*OPENING, LINES[cmd] | {field: text}]
    with pytest.raises(ScriptError, match=rf"^script:{len(lines)}: {field}: expected one or more"):
        list(script_events(script_bytes(lines), Market(cea_with()), "script"))


@pytest.mark.parametrize("text", SOUND)
def test_any_visible_text_is_an_id(text: str) -> None:
    """Spaces inside, other scripts and signs are."""
    assert id_check(text) == text
    assert play_more([LINES["enter"] | {"id": text}])[0].id == text


def test_an_id_that_nobody_can_have_is_unknown_where_one_is_named() -> None:
    """What only names an id or account is refused by an event, as for others that there are not."""
    (event,) = play_more([{"cmd": "cancel", "id": "\x00", "account": "alice"}])
    assert (event.event, event.reason) == ("order_rejected", "ORDER_UNKNOWN")
