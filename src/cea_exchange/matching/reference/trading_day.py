"""The trading day of a `ReferenceMarket`: how it begins, its phases, and what its end leaves."""

from __future__ import annotations

import operator
from collections.abc import Sequence

from cea_exchange.domain.profile import MarketRules
from cea_exchange.domain.records import DAY_CLOSED_DTYPE, EventKind, Phase
from cea_exchange.matching.reference import large_holders
from cea_exchange.matching.reference.inputs import U64_MAX
from cea_exchange.matching.reference.rows.products import Product
from cea_exchange.matching.reference.state import LISTED_PHASES, MarketState
from cea_exchange.matching.reference.trading.methods import TradingMethods


def begin(state: MarketState, date: int, composite_weights: Sequence[int]) -> None:
    """Begin a day, by the rules in force on it.

    Notes
    -----
    Rules: CEA-FND-04 (T+1), CEA-FND-05 (proceeds), CEA-PRC-04 (weights), CEA-NTC-01 (notices).
    """
    for product, weight in zip(state.products, composite_weights, strict=False):
        product.composite_weight = weight
    threshold_before = state.rules.large_holder_tonnes
    state.rules_set(state.rules.on(date))
    state.trading_date = date
    state.day_is_open = True
    state.listed_started = False
    for account in state.accounts:
        account.day_begin()
    for product in state.products:
        product.day_begin()
    # Biddings that have ended keep their names until now.
    state.biddings.clear()
    state.emit(EventKind.DAY_OPENED)
    phase_enter(state, Phase.PRE_OPEN)
    for holder in large_holders.made_by_rules(state.rules, state.accounts, threshold_before):
        state.emit(EventKind.LARGE_HOLDER, **holder)


def phase_enter(state: MarketState, phase: Phase) -> None:
    """Enter a phase; the one it is in already changes nothing."""
    state.listed_started = state.listed_started or phase in LISTED_PHASES
    if phase != state.phase:
        state.phase = phase
        state.emit(EventKind.PHASE_CHANGED)


def end(state: MarketState, methods: TradingMethods) -> None:
    """Award what is open, let the rest expire, and give each product its close.

    Notes
    -----
    Rules: CEA-ORD-03 (day orders), CEA-BID-03 (biddings come first).
    """
    methods.biddings.finish_all()
    phase_enter(state, Phase.CLOSED)
    methods.listed.expire()
    methods.blocks.lapse()
    listed = [product for product in state.products if not product.delisted]
    for product_index, product in enumerate(state.products):
        # A day ends with a close at least, or nobody would hear of it.
        if product.has_traded or not product.delisted or not listed:
            _product_close(state, product_index, product)
    if listed:
        _composite_close(state, listed)
    state.day_is_open = False


def _product_close(state: MarketState, product_index: int, product: Product) -> None:
    """Give a product its close, and tell its day.

    Notes
    -----
    Rules: CEA-LST-08 and CCER-LST-05 (close), CEA-PRC-01 (open), CEA-PRC-03 (high and low).
    """
    previous_close = product.reference_price
    product.reference_price = _close_of(state.rules, product)
    row = state.emit(EventKind.DAY_CLOSED, product_index=product_index).view(DAY_CLOSED_DTYPE)
    row["open"] = product.open or previous_close
    row["high"] = product.high
    row["low"] = product.low
    row["close"] = product.reference_price
    for name, volume, amount in (
        ("listed", product.volume, product.amount),
        ("block", product.block_volume, product.block_amount),
        ("bidding", product.bidding_volume, product.bidding_amount),
    ):
        row[f"volume_{name}"] = volume & U64_MAX
        row[f"volume_{name}_high"] = volume >> 64
        row[f"amount_{name}_low"] = amount & U64_MAX
        row[f"amount_{name}_high"] = amount >> 64
    row["volume_intra_group"] = product.intra_group_volume & U64_MAX
    row["volume_intra_group_high"] = product.intra_group_volume >> 64


def _close_of(rules: MarketRules, product: Product) -> int:
    """Work out a close: the mean of the trades that count, or the previous one.

    Notes
    -----
    Rules: PLT-PRC-02 (blocks), PLT-PRC-03 (small days), PLT-PRC-04 (the last trades).
    """
    volume, amount = product.volume, product.amount
    if rules.close_with_blocks:
        volume, amount = volume + product.block_volume, amount + product.block_amount
    if volume <= rules.close_tonnes_over:
        return product.reference_price
    if product.last_trades:
        volume = sum(trade.tonnes for trade in product.last_trades)
        amount = sum(trade.price * trade.tonnes for trade in product.last_trades)
    return _mean_half_up(amount, volume) if volume else product.reference_price


def _composite_close(state: MarketState, listed: list[Product]) -> None:
    """Tell the weighted mean of the closes.

    Notes
    -----
    Rules: CEA-PRC-04.
    """
    # Where none that the profile gives a weight is listed, all that are weigh alike.
    is_weighed = any(product.composite_weight for product in listed)
    weights = [product.composite_weight if is_weighed else 1 for product in listed]
    total = sum(map(operator.mul, weights, (product.reference_price for product in listed)))
    state.emit(EventKind.COMPOSITE_CLOSED, price=_mean_half_up(total, sum(weights)))


def _mean_half_up(total: int, count: int) -> int:
    """total / count, half up; both positive."""
    return (2 * total + count) // (2 * count)
