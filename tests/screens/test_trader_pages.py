"""A trader's pages without a browser: own orders from reports, blocks' turns, alerts, workbooks."""

import io
from typing import Any

import pytest
from openpyxl import load_workbook

from cea_exchange.client.reports import Report
from cea_exchange.domain.documents.statement import Holding, Movement, Position, Statement
from cea_exchange.domain.records import BlockFlag, EventKind, Method, Reason, Side
from cea_exchange.screens.texts.catalogue import text
from cea_exchange.screens.trader.account_day import AccountDay
from cea_exchange.screens.trader.alerts import Alerts
from cea_exchange.screens.trader.blocks import open_block
from cea_exchange.screens.trader.positions import statement_xlsx

OWN, OTHER = 1, 2


def report(kind: EventKind, **fields: int) -> Report:
    """A report; what is not said is zero."""
    given = {"kind": kind, "account_index": OWN, "side": Side.BUY, **fields}
    return Report(**{name: given.get(name, 0) for name in Report._fields})


def day() -> AccountDay:
    return AccountDay(OWN, ["CEA24"])


def test_an_order_trades_is_amended_and_ends():
    own = day()
    own.take(report(EventKind.ORDER_ACCEPTED, order_id=7, price=9750, tonnes=100))
    trade = {"method": Method.LISTED, "order_id": 7, "price": 9740, "tonnes": 30}
    fill = own.take(report(EventKind.TRADE, **trade, tonnes_open=70, trade_id=3, buy_fee=5))
    assert (fill.side, fill.price, fill.fee) == ("buy", 9740, 5)
    assert (own.orders[7].traded, own.orders[7].tonnes_open) == (30, 70)
    own.take(report(EventKind.ORDER_AMENDED, order_id=7, price=9760, tonnes=50))
    assert (own.orders[7].tonnes, own.orders[7].traded, own.orders[7].price) == (80, 30, 9760)
    own.take(report(EventKind.ORDER_CANCELED, order_id=7, reason=Reason.KILLED))
    assert (own.orders[7].state, own.orders[7].reason) == ("canceled", Reason.KILLED)
    own.take(report(EventKind.TRADE_BUSTED, trade_id=3))
    assert own.fills[0].is_busted


def test_a_resting_order_that_is_taken_is_the_other_side_of_the_trade():
    own = day()
    own.take(report(EventKind.ORDER_ACCEPTED, order_id=7, side=Side.SELL, price=9750, tonnes=10))
    taken = {"account_index": OTHER, "counter_account_index": OWN, "counter_order_id": 7}
    fill = own.take(
        report(EventKind.TRADE, **taken, method=Method.LISTED, price=9750, tonnes=10, sell_fee=2)
    )
    assert (fill.side, fill.order_id, fill.fee) == ("sell", 7, 2)
    assert own.orders[7].state == "filled" and own.open_orders == []


@pytest.mark.parametrize(
    ("flags", "is_own", "acts"),
    [
        (BlockFlag.TO_ACCOUNT, False, ("accept", "counter", "reject")),
        (BlockFlag.TO_ACCOUNT, True, ("withdraw",)),
        (BlockFlag.TO_ACCOUNT | BlockFlag.COUNTERED | BlockFlag.BY_COUNTERPARTY, False,
         ("withdraw",)),
        (BlockFlag.TO_ACCOUNT | BlockFlag.COUNTERED | BlockFlag.BY_COUNTERPARTY, True,
         ("accept", "counter", "reject", "withdraw")),
        (BlockFlag.TO_ACCOUNT | BlockFlag.COUNTERED, False,
         ("accept", "counter", "reject", "withdraw")),
        (0, False, ("accept",)),
        (BlockFlag.TO_GROUP, True, ("withdraw",)),
        (BlockFlag.ENQUIRY, False, ("answer",)),
        (BlockFlag.ENQUIRY | BlockFlag.TO_ACCOUNT, True, ("withdraw",)),
    ],
)  # fmt: skip
def test_who_may_say_what_to_a_block(flags, is_own, acts):
    answer: Any = {
        **{"block_id": 1, "product_index": 0, "side": Side.SELL, "price": 1, "tonnes": 1},
        **{"flags": int(flags), "agreed": 0, "account_index": OWN if is_own else OTHER},
    }
    block = open_block(answer, OWN, ["CEA24"])
    assert block.acts == acts
    assert block.side == ("sell" if is_own else "buy")
    assert open_block({**answer, "agreed": 1}, OWN, ["CEA24"]).acts == ()


class Market:
    """What alerts look at."""

    def __init__(self) -> None:
        self.last = 9750
        self.market: dict[str, Any] = {"biddings": []}

    def product(self, name: str) -> dict[str, Any] | None:
        return {"last": self.last}


def test_a_price_that_is_waited_for_is_heard_of_once():
    market, alerts = Market(), Alerts()
    alerts.wish("CEA24", True, 9760)
    alerts.wish("CEA24", False, 9700)
    assert not alerts.look(market, 1)
    market.last = 9765
    assert alerts.look(market, 2) and not alerts.look(market, 3)
    assert [each.kind for each in alerts.heard] == ["price_above"]
    market.last = 9699
    assert alerts.look(market, 4)
    assert (alerts.heard[0].kind, alerts.wishes) == ("price_below", {})


def test_a_bidding_that_is_about_to_close_is_heard_of_once():
    market, alerts = Market(), Alerts()
    bidding = {"bidding": "B1", "product": "CEA24", "side": "sell", "tonnes": 100_000}
    market.market["biddings"] = [
        {**bidding, "state": "open", "closes_at": "1970-01-01T00:05:00+00:00"}
    ]
    assert not alerts.look(market, 100_000_000_000)
    assert alerts.look(market, 200_000_000_000)
    assert not alerts.look(market, 210_000_000_000)


def test_a_workbook_has_text_where_a_formula_could_be():
    name = '=HYPERLINK("x")'
    held = Position(100, 0, {name: Holding(5)})
    moved = Movement(
        seq=1,
        kind="trade",
        product=name,
        method="listed",
        side="buy",
        id="+1",
        trade_id=9,
        price=9750,
        tonnes=5,
        amount=48_750,
        fee=0,
        cash_change=-48_750,
        tonnes_change=5,
    )
    statement = Statement(
        account="alice",
        trading_date=20250102,
        is_final=True,
        opening=Position(48_850),
        closing=held,
        movements=(moved,),
        locks=(),
    )
    for language in ("zh", "en"):
        written = statement_xlsx(statement, lambda key, to=language: text(to, key))
        workbook = load_workbook(io.BytesIO(written))
        cells = [cell for sheet in workbook for row in sheet.iter_rows() for cell in row]
        assert "f" not in {cell.data_type for cell in cells}
        assert name in {cell.value for cell in cells}
        assert not {"deposited", "trade", "listed", "buy"} & {cell.value for cell in cells}
