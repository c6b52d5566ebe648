"""The ticket says before what the market says after: both judge the same orders."""

from dataclasses import dataclass

import pytest

from cea_exchange import Market, Side
from cea_exchange.client import Level
from cea_exchange.domain.documents.statement import Holding, Position
from cea_exchange.domain.profile import load_profile
from cea_exchange.domain.records import Reason
from cea_exchange.screens.trader.account_day import OwnOrder
from cea_exchange.screens.trader.ticket_check import Seen, Terms, cash_needed, refusal

RULES = load_profile("cea").rules
CASH = 10_000_000
"""alice's, fen: 100,000.00 yuan."""


@dataclass
class Case:
    """An order of alice's, and what the market answers."""

    side: str
    price: str
    tonnes: int
    reason: str
    tif: str = "day"
    post_only: bool = False
    pick: str = ""


CASES = [
    Case("buy", "97.50", 100, "NONE"),
    Case("buy", "97.50", 0, "TONNES_NOT_POSITIVE"),
    Case("buy", "97.50", 100_000, "LISTED_TONNES_TOO_LARGE"),
    Case("buy", "107.25", 10, "PRICE_OUT_OF_BAND"),
    Case("buy", "87.73", 10, "PRICE_OUT_OF_BAND"),
    Case("buy", "97.50", 1_026, "CASH_INSUFFICIENT"),
    Case("sell", "98.00", 301, "ALLOWANCES_INSUFFICIENT"),
    Case("sell", "98.00", 220, "ALLOWANCES_BOUGHT_TODAY"),
    Case("sell", "98.00", 200, "NONE"),
    Case("sell", "97.00", 10, "SELF_TRADE"),
    Case("buy", "97.60", 20, "POST_ONLY_WOULD_TRADE", post_only=True),
    Case("buy", "97.60", 900, "FOK_NOT_FILLABLE", tif="fok"),
    Case("buy", "97.60", 300, "NONE", tif="fok"),
    Case("buy", "97.60", 20, "NONE", pick="b1"),
    Case("buy", "97.80", 20, "PICK_NOT_AVAILABLE", pick="b2"),
]


def market_made() -> Market:
    """alice has cash, 300 t of which 100 were bought today, and a bid; bob sells at two prices."""
    market = Market("cea", reference_prices={"CEA24": "97.49"})
    market.deposit("alice", cash="109730.00")
    market.deposit("alice", product="CEA24", tonnes=200)
    market.deposit("bob", product="CEA24", tonnes=1_000)
    market.open_day("2025-01-02")
    market.phase("listed")
    market.enter("bob", "CEA24", Side.SELL, price="97.30", tonnes=100, order_id="b0")
    market.enter("alice", "CEA24", Side.BUY, price="97.30", tonnes=100, order_id="a0")
    market.enter("bob", "CEA24", Side.SELL, price="97.60", tonnes=300, order_id="b1")
    market.enter("bob", "CEA24", Side.SELL, price="97.80", tonnes=200, order_id="b2")
    market.enter("alice", "CEA24", Side.BUY, price="97.20", tonnes=0 + 1, order_id="a1")
    return market


SEEN = Seen(
    phase="listed",
    is_halted=False,
    is_listed=True,
    band=(8774, 10724),
    opposite=(),
    position=Position(CASH, 9720, {"CEA24": Holding(300, 0, 100)}),
    own_orders=(OwnOrder(7, "CEA24", "buy", 9720, 1, 1, "open", Reason.NONE),),
    rules=RULES,
)
ASKS = (Level(9760, 300, 1, ((5, 300),)), Level(9780, 200, 1, ((6, 200),)))
BIDS = (Level(9720, 1, 1, ((7, 1),)),)
PICKS = {"": 0, "b1": 5, "b2": 6}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.side}-{case.reason}-{case.tonnes}")
def test_the_ticket_and_the_market_give_the_same_reason(case):
    events = market_made().enter(
        "alice",
        "CEA24",
        Side[case.side.upper()],
        price=case.price,
        tonnes=case.tonnes,
        tif=case.tif,
        post_only=case.post_only,
        pick=case.pick or None,
        order_id="a9",
    )
    answered = events[0]["reason"] if events[0]["event"] == "order_rejected" else "NONE"
    assert answered == case.reason
    price = int(case.price.replace(".", ""))
    terms = Terms(
        "CEA24", case.side, price, case.tonnes, case.tif, case.post_only, PICKS[case.pick]
    )
    seen = SEEN._replace(opposite=ASKS if case.side == "buy" else BIDS)
    assert refusal(terms, seen).name == case.reason


def test_phases_and_halts_come_first():
    terms = Terms("CEA24", "buy", 1, 0)
    assert refusal(terms, SEEN._replace(is_listed=False)) == Reason.PRODUCT_UNKNOWN
    assert refusal(terms, SEEN._replace(phase="break")) == Reason.PHASE_CLOSED
    assert refusal(terms, SEEN._replace(is_halted=True)) == Reason.PRODUCT_HALTED


def test_an_amended_order_frees_its_own_lock():
    own = OwnOrder(7, "CEA24", "buy", 9700, 1_000, 1_000, "open", Reason.NONE)
    position = Position(CASH, 9_700_000, {})
    seen = SEEN._replace(position=position, own_orders=(own,))
    terms = Terms("CEA24", "buy", 9700, 1_020)
    assert refusal(terms, seen) == Reason.CASH_INSUFFICIENT
    assert refusal(terms._replace(replaced=own), seen) == Reason.NONE


def test_a_purchase_needs_its_price_and_the_fee():
    import msgspec

    rules = msgspec.structs.replace(RULES, fee_bp=10)
    assert cash_needed(Terms("CEA24", "buy", 9750, 100), RULES) == 975_000
    assert cash_needed(Terms("CEA24", "buy", 9750, 100), rules) == 975_975
