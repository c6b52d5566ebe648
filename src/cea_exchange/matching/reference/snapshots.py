"""Snapshots of a reference market: the whole state as bytes, and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple
from typing import Any

import msgspec
import numpy as np

from cea_exchange.domain.records import (
    BID_DTYPE,
    BIDDING_DTYPE,
    BLOCK_DTYPE,
    ORDER_DTYPE,
    BiddingState,
    BlockFlag,
    Phase,
    Pricing,
    Side,
)
from cea_exchange.matching.reference.hashes import (
    MARKET_FIELDS,
    U64,
    bidding_trades,
    block_trades,
    flags_word,
    high_volumes,
    status,
)
from cea_exchange.matching.reference.inputs import OPERATOR_COUNT_MAX, index_taken, int_taken
from cea_exchange.matching.reference.rows.biddings import Bid, Bidding
from cea_exchange.matching.reference.rows.blocks import Block
from cea_exchange.matching.reference.rows.book import Order
from cea_exchange.matching.reference.rows.funds import (
    ALLOCATION_MAX,
    RESTRICTION_ALL,
    Account,
    Gap,
)
from cea_exchange.matching.reference.rows.products import (
    LastTrade,
    Product,
    amount_too_large,
)
from cea_exchange.matching.reference.state import MarketState
from cea_exchange.matching.reference.trading.block_trading import ADDRESSED
from cea_exchange.matching.reference.trading.methods import TradingMethods


def snapshot(state: MarketState) -> bytes:
    """Write the whole state as msgpack."""
    words: dict[str, Any] = {name: int(getattr(state, name)) for name in MARKET_FIELDS}
    words["order_count_max"] = state.order_count_max
    words["products"] = [
        [p.product_key, p.reference_price, p.composite_weight, status(p), p.open, p.high]
        + [p.low, p.last, p.volume & U64, p.amount & U64, p.amount >> 64]
        + [*block_trades(p), *bidding_trades(p)]
        + (high_volumes(p) if any(high_volumes(p)) else [])
        for p in state.products
    ]
    words["accounts"] = [
        {
            "account_key": a.account_key,
            "group_index": a.group_index,
            "cash": a.cash,
            "proceeds_today": a.proceeds_today,
            "suspended": a.suspended,
            "report_seq": a.report_seq,
            "holdings": [
                [product_index, h.tonnes, h.bought_today]
                for product_index, h in sorted(a.holdings.items())
                if h.tonnes or h.bought_today
            ],
            "client_order_ids": sorted(a.client_order_ids.items()),
        }
        | ({"gaps": [[index, *astuple(gap)] for index, gap in a.waits.items()]} if a.waits else {})
        | ({"restricted": a.restricted} if a.restricted else {})
        | ({"allocation": a.allocation} if a.allocation else {})
        for a in state.accounts
    ]
    by_priority = sorted(state.orders.values(), key=lambda order: order.priority)
    rows = [
        tuple(
            flags_word(o) if name == "flags" else int(getattr(o, name))
            for name in ORDER_DTYPE.names
        )
        for o in by_priority
    ]
    words["orders"] = np.array(rows, ORDER_DTYPE).tobytes()
    words["blocks"] = blocks_to_bytes(state)
    biddings = np.zeros(len(state.biddings), BIDDING_DTYPE)
    for row, bidding in zip(biddings, state.biddings.values(), strict=True):
        for name in bidding.__slots__:
            row[name] = getattr(bidding, name)
    words["biddings"] = biddings.tobytes()
    bids = [(*astuple(bid), 0) for bid in state.bids.values()]
    words["bids"] = np.array(bids, BID_DTYPE).tobytes()
    last_trades = [
        [index, *astuple(trade)]
        for index, product in enumerate(state.products)
        for trade in product.last_trades
    ]
    if last_trades:
        words["last_trades"] = last_trades
    return msgspec.msgpack.encode(words)


def blocks_to_bytes(state: MarketState) -> bytes:
    """All open blocks as BLOCK_DTYPE records, by id."""
    rows = [tuple(int(word) for word in astuple(block)) for block in state.blocks.values()]
    return np.array(rows, BLOCK_DTYPE).tobytes()


def restore_into(state: MarketState, methods: TradingMethods, data: bytes) -> None:
    """Fill a fresh market from a snapshot. Locks of orders are worked out anew.

    Raises
    ------
    ValueError
        If orders, blocks, biddings or bids are not whole records, or some that can not be.
    """
    words = msgspec.msgpack.decode(data)
    state.rules_set(state.rules.on(words["trading_date"]))
    for key, price, weight, status_word, *statistics in words["products"]:
        product = Product.declared(key, price, weight)
        state.product_add(product)
        product.halted, product.delisted = bool(status_word & 1), bool(status_word & 2)
        product.open, product.high, product.low, product.last, product.volume = statistics[:5]
        product.amount = statistics[5] | statistics[6] << 64
        product.block_volume, low_half, high_half, product.intra_group_volume = statistics[7:11]
        product.block_amount = low_half | high_half << 64
        product.bidding_volume, low_half, high_half = statistics[11:14]
        product.bidding_amount = low_half | high_half << 64
        volume, block, intra_group, bidding = statistics[14:] or (0, 0, 0, 0)
        product.volume |= volume << 64
        product.block_volume |= block << 64
        product.intra_group_volume |= intra_group << 64
        product.bidding_volume |= bidding << 64
    for fields in words["accounts"]:
        account = Account.declared(fields["account_key"], fields["group_index"])
        state.account_add(account)
        account.cash = fields["cash"]
        account.proceeds_today = fields["proceeds_today"]
        account.suspended = fields["suspended"]
        if "restricted" in fields:
            account.restricted = int_taken("restricted", fields["restricted"], 1, RESTRICTION_ALL)
        if "allocation" in fields:
            account.allocation = int_taken("allocation", fields["allocation"], 1, ALLOCATION_MAX)
        account.report_seq = fields["report_seq"]
        account.client_order_ids = dict(fields["client_order_ids"])
        for product_index, tonnes, bought_today in fields["holdings"]:
            holding = account.holding(product_index)
            holding.tonnes, holding.bought_today = tonnes, bought_today
        for product_index, *days in fields.get("gaps", ()):
            account.gaps[product_index] = Gap(*days)
    _orders_restore(state, methods, words["orders"])
    id_last = words["order_id_last"]
    _blocks_restore(state, methods, words["blocks"], id_last)
    _biddings_restore(state, methods, words["biddings"], id_last)
    _bids_restore(state, methods, words["bids"], id_last)
    for name in MARKET_FIELDS:
        setattr(state, name, words[name])
    state.phase = Phase(state.phase)
    _last_trades_restore(state, words.get("last_trades", ()))
    for name in ("day_is_open", "market_halted", "listed_started"):
        setattr(state, name, bool(getattr(state, name)))


def _last_trades_restore(state: MarketState, rows: Sequence[Sequence[Any]]) -> None:
    """Put the trades in place that a close is made of: each later than the one before it."""
    for place, *words in rows:
        product_index = index_taken("product_index", place, len(state.products))
        trade_id, price, tonnes = words
        kept = state.products[product_index].last_trades
        before = kept[-1].trade_id if kept else 0
        if (
            len(kept) >= state.rules.close_trades_last
            or not before < trade_id <= state.trade_id
            or price <= 0
            or tonnes < 0
            or amount_too_large(price, price * tonnes)
        ):
            raise ValueError(f"last_trades: expected the last of this market, got {trade_id}")
        kept.append(LastTrade(trade_id, price, tonnes))


def _rows_read(what: str, data: bytes, dtype: np.dtype) -> list[tuple[Any, ...]]:
    """The records of a snapshot's field."""
    if not isinstance(data, bytes) or len(data) % dtype.itemsize:
        raise ValueError(
            f"{what}: expected records of {dtype.itemsize} bytes each, got "
            + (f"{len(data)} bytes" if isinstance(data, bytes) else type(data).__name__)
        )
    rows: list[tuple[Any, ...]] = np.frombuffer(data, dtype).tolist()
    return rows


def _orders_restore(state: MarketState, methods: TradingMethods, data: bytes) -> None:
    """Put the orders of a snapshot on their books, by priority, and lock what they need."""
    priority_before = 0
    for place, row in enumerate(_rows_read("orders", data, ORDER_DTYPE)):
        order = Order(**dict(zip(ORDER_DTYPE.names, row, strict=True)))
        order.side = Side(order.side)
        order.operator_index, order.flags = divmod(order.flags, 16)
        if not _order_is_possible(state, order) or order.priority <= priority_before:
            raise ValueError(
                f"orders[{place}]: expected a live order of the market, later than the one before,"
                f" got id {order.order_id}"
            )
        priority_before = order.priority
        state.funds.lock(order)
        methods.listed.put_on(order)


def _order_is_possible(state: MarketState, order: Order) -> bool:
    """Whether a market with these accounts and products could have an order."""
    return (
        order.order_id not in state.orders
        and order.account_index < len(state.accounts)
        and order.product_index < len(state.products)
        and order.tonnes_open > 0
    )


def _blocks_restore(
    state: MarketState, methods: TradingMethods, data: bytes, id_last: int
) -> None:
    """Open the blocks of a snapshot, with their locks."""
    before = 0
    for place, row in enumerate(_rows_read("blocks", data, BLOCK_DTYPE)):
        block = Block(*row)
        is_next = before < block.block_id <= id_last
        if not is_next or not _block_is_possible(state, methods, block):
            raise ValueError(
                f"blocks[{place}]: expected an open block of the market, later than the one"
                f" before, got id {block.block_id}"
            )
        before = block.block_id
        locks = block.locks
        block.cash_locked = block.tonnes_bid = block.tonnes_locked = 0
        methods.blocks.put_on(block, locks)


def _block_is_possible(state: MarketState, methods: TradingMethods, block: Block) -> bool:
    """Whether a market with these accounts and products could have a block."""
    account_count = len(state.accounts)
    if (
        block.account_index >= account_count
        or block.product_index >= len(state.products)
        or block.side not in list(Side)
        or block.reserved
        or not _is_agreement_possible(block)
        or min(block.price, block.tonnes, *block.locks) < 0
        or amount_too_large(block.price, block.price * block.tonnes)
        or not methods.blocks.locks_fit(block)
        or block.flags & ADDRESSED == ADDRESSED
    ):
        return False
    if block.flags & BlockFlag.TO_ACCOUNT:
        return block.counterparty_index < account_count
    # Nobody but a counterparty counters or locks.
    counters = block.flags & (BlockFlag.COUNTERED | BlockFlag.BY_COUNTERPARTY)
    is_purchase = block.side == Side.BUY
    others = block.tonnes_locked if is_purchase else block.cash_locked or block.tonnes_bid
    return not counters and not others


def _is_agreement_possible(block: Block) -> bool:
    """Whether what a block says of an agreement can be: of two named parties, by an operator."""
    if not block.agreed:
        return not block.operator_index
    is_directed = bool(block.flags & BlockFlag.TO_ACCOUNT)
    return block.agreed == 1 and is_directed and block.operator_index < OPERATOR_COUNT_MAX


def _biddings_restore(
    state: MarketState, methods: TradingMethods, data: bytes, id_last: int
) -> None:
    """Put the biddings of a snapshot in place, and lock what they need."""
    before = 0
    rows = _rows_read("biddings", data, BIDDING_DTYPE)
    for place, (*words, reserved, reserve_price) in enumerate(rows):
        bidding = Bidding(*words, reserve_price)
        is_next = before < bidding.bidding_id <= id_last
        if any(reserved) or not is_next or not _bidding_is_possible(state, methods, bidding):
            raise ValueError(
                f"biddings[{place}]: expected a bidding of the market, later than the one before,"
                f" got id {bidding.bidding_id}"
            )
        before = bidding.bidding_id
        methods.biddings.put_on(bidding)


def _bidding_is_possible(state: MarketState, methods: TradingMethods, bidding: Bidding) -> bool:
    """Whether a market with these accounts and products could have a bidding."""
    return (
        bidding.account_index < len(state.accounts)
        and bidding.product_index < len(state.products)
        and bidding.side in list(Side)
        and bidding.pricing in list(Pricing)
        and bidding.state in list(BiddingState)
        and bidding.tonnes > 0
        and 0 < bidding.floor <= bidding.ceiling
        and methods.biddings.reserve_allowed(bidding)
        and not amount_too_large(bidding.ceiling, bidding.ceiling * bidding.tonnes)
    )


def _bids_restore(state: MarketState, methods: TradingMethods, data: bytes, id_last: int) -> None:
    """Put the bids of a snapshot in place, and lock what they need."""
    before = 0
    for place, (*words, reserved) in enumerate(_rows_read("bids", data, BID_DTYPE)):
        bid = Bid(*words)
        is_next = before < bid.bid_id <= id_last
        if reserved or not is_next or not _bid_is_possible(state, methods, bid):
            raise ValueError(
                f"bids[{place}]: expected a bid in an open bidding, later than the one before,"
                f" got id {bid.bid_id}"
            )
        before = bid.bid_id
        methods.biddings.bid_put_on(bid)


def _bid_is_possible(state: MarketState, methods: TradingMethods, bid: Bid) -> bool:
    bidding = state.biddings.get(bid.bidding_id)
    return (
        bidding is not None
        and bidding.state == BiddingState.OPEN
        and bid.account_index < len(state.accounts)
        and bid.tonnes > 0
        and methods.biddings.price_in_range(bid, bidding)
        and not amount_too_large(bid.price, bidding.price_most(bid) * bid.tonnes)
    )
