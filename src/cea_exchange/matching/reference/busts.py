"""Trades of a `ReferenceMarket` that are undone: which records can be its, and both legs back."""

from __future__ import annotations

from cea_exchange.domain.records import EventKind, Method, Side
from cea_exchange.matching.reference.rows.funds import Bust
from cea_exchange.matching.reference.rows.products import ORDER_AMOUNT_LIMIT, PRICE_MAX
from cea_exchange.matching.reference.state import MarketState

BUSTED_TERMS = (
    "side method product_index account_index counter_account_index order_id counter_order_id "
    "price tonnes client_order_id counter_client_order_id trade_id cash buy_fee sell_fee"
).split()
"""What TRADE_BUSTED repeats of the trade."""


def fault_of(state: MarketState, row: dict[str, int]) -> str | None:
    """Say why a record can't be one of this market's trades; None if it can."""
    if row["kind"] != EventKind.TRADE or row["method"] not in list(Method):
        return f"kind and method: expected 7 and 1 to 3, got {row['kind']} and {row['method']}"
    if row["side"] not in list(Side):
        return f"side: expected 1 or 2, got {row['side']}"
    for name, last in (
        ("trade_id", state.trade_id),
        ("settlement_seq", state.settlement_seq),
        ("seq", state.event_seq),
        ("trading_date", state.trading_date),
    ):
        if not 0 < row[name] <= last:
            return f"{name}: expected within 1..{last}, got {row[name]}"
    for name in ("account_index", "counter_account_index"):
        if row[name] >= len(state.accounts):
            return f"account_index: expected a declared one, got {row[name]}"
    if row["product_index"] >= len(state.products):
        return f"product_index: expected a declared one, got {row['product_index']}"
    price, tonnes, cash = row["price"], row["tonnes"], row["price"] * row["tonnes"]
    if not 0 < price <= PRICE_MAX or tonnes <= 0 or cash >= ORDER_AMOUNT_LIMIT:
        return f"price x tonnes: expected below 2^60, got {price} and {tonnes}"
    if row["cash"] != cash:
        return f"cash: expected {cash}, got {row['cash']}"
    fees, most = (row["buy_fee"], row["sell_fee"]), (ORDER_AMOUNT_LIMIT, cash)
    if not state.rules.holdings_checked:
        most = (0, 0)
    if not all(0 <= fee <= limit for fee, limit in zip(fees, most, strict=True)):
        return f"fees: expected within what was paid, got {fees[0]} and {fees[1]}"
    product = state.products[row["product_index"]]
    is_intra_group = state.is_intra_group(row["account_index"], row["counter_account_index"])
    volume, amount = product.counted(Method(row["method"]), is_intra_group)
    if _is_of_open_day(state, row) and (tonnes > volume or cash > amount):
        return f"tonnes: expected within the day's {volume}, got {tonnes}"
    return None


def undo(state: MarketState, row: dict[str, int]) -> None:
    """Move a trade's legs and fees back where that can be, and say so.

    Notes
    -----
    Rules: CEA-STL-04.
    """
    taker, maker = row["account_index"], row["counter_account_index"]
    buyer, seller = (taker, maker) if row["side"] == Side.BUY else (maker, taker)
    terms = (row[name] for name in ("product_index", "tonnes", "cash", "buy_fee", "sell_fee"))
    bust = Bust(buyer, seller, *terms)
    reason = state.funds.bust_refusal(bust)
    if not reason:
        state.funds.exchange_back(bust, row["trading_date"] == state.trading_date)
        if _is_of_open_day(state, row):
            is_intra_group = state.is_intra_group(buyer, seller)
            product = state.products[bust.product]
            product.busted_count(Method(row["method"]), bust.cash, bust.tonnes, is_intra_group)
            if row["method"] == Method.LISTED:
                product.last_undo(row["trade_id"])
    state.emit(
        EventKind.TRADE_BUSTED, reason=reason, **{name: row[name] for name in BUSTED_TERMS}
    )


def _is_of_open_day(state: MarketState, row: dict[str, int]) -> bool:
    return state.day_is_open and row["trading_date"] == state.trading_date
