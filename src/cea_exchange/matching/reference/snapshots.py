"""Hashes, snapshots and invariants of a `ReferenceMarket`.

Written from protocol/state_hash.md alone; the compiled market and the naming room have their own.
"""

from __future__ import annotations

from dataclasses import astuple
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from cea_exchange.domain.records import ORDER_DTYPE, BiddingState, Phase, Side
from cea_exchange.matching.reference.book import Order
from cea_exchange.matching.reference.products import Product, price_band

if TYPE_CHECKING:
    from cea_exchange.matching.reference.market import ReferenceMarket

U64 = (1 << 64) - 1

CASH_KEY = int.from_bytes(blake2b(b"CNY", digest_size=8).digest(), "little")
"""The asset key of cash in `holdings_hash`."""

TAG_HOLDING, TAG_ORDER, TAG_ACCOUNT, TAG_ALLOWANCES, TAG_OPERATOR, TAG_PRODUCT, TAG_MARKET = range(
    1, 8
)
# 8 and 9 are an order book's.
TAG_BLOCK, TAG_BLOCK_TRADES, TAG_BIDDING, TAG_BID, TAG_BIDDING_TRADES = range(10, 15)
TAG_HIGH_VOLUMES = 15

MARKET_FIELDS = (
    "phase trading_date day_is_open market_halted listed_started command_seq event_seq "
    "settlement_seq market_data_seq trade_id transfer_seq order_id_last priority_last"
).split()
"""The market's own words in `state_hash`, in their order there."""


def mix(word: int) -> int:
    """Scramble 64 bits (the finalizer of splitmix64)."""
    word = (word + 0x9E3779B97F4A7C15) & U64
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & U64
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & U64
    return word ^ (word >> 31)


def fold(words: list[int]) -> int:
    """Hash a short list of words; the same words in another order give another hash."""
    state = 0
    for word in words:
        state = mix(state ^ (word & U64))
    return state


def flags_word(order: Order) -> int:
    """An order's flags, and above them who entered it."""
    return order.operator_index * 16 + order.flags


def holdings_hash(market: ReferenceMarket) -> int:
    """Hash what each account holds, by names: what the registry can know too."""
    total = 0
    for account in market._accounts:
        for product_index, holding in account.holdings.items():
            if holding.tonnes:
                product_key = market._products[product_index].product_key
                total += fold([TAG_HOLDING, account.account_key, product_key, holding.tonnes])
        if account.cash:
            total += fold([TAG_HOLDING, account.account_key, CASH_KEY, account.cash])
    return total & U64


def state_hash(market: ReferenceMarket) -> int:
    """Hash everything a later command could depend on."""
    total = holdings_hash(market) + fold(
        [TAG_MARKET, *(int(getattr(market, name)) for name in MARKET_FIELDS)]
    )
    for order in market._listed.orders.values():
        total += fold(
            [TAG_ORDER, order.order_id, order.account_index, order.product_index, order.side]
            + [order.price, order.tonnes_open, flags_word(order), order.client_order_id]
            + [order.amount_traded, order.priority]
        )
    for index, account in enumerate(market._accounts):
        total += fold(
            [TAG_ACCOUNT, index, account.account_key, account.group_index, account.cash_locked]
            + [account.proceeds_today, int(account.suspended), account.report_seq]
        )
        for product_index, held in account.holdings.items():
            if held.locked or held.bought_today:
                total += fold(
                    [TAG_ALLOWANCES, index, product_index, held.locked, held.bought_today]
                )
        for operator_index, client_order_id in account.client_order_ids.items():
            total += fold([TAG_OPERATOR, index, operator_index, client_order_id])
    for index, product in enumerate(market._products):
        total += fold(
            [TAG_PRODUCT, index, product.product_key, product.reference_price]
            + [_status(product), product.open, product.high, product.low, product.last]
            + [product.volume & U64, product.amount & U64, product.amount >> 64]
        )
        if any(_high_volumes(product)):
            total += fold([TAG_HIGH_VOLUMES, index, *_high_volumes(product)])
        if product.block_volume:
            total += fold([TAG_BLOCK_TRADES, index, *_block_trades(product)])
        if product.bidding_volume:
            total += fold([TAG_BIDDING_TRADES, index, *_bidding_trades(product)])
    for block in market._blocks.open.values():
        total += fold([TAG_BLOCK, *(int(word) for word in astuple(block)[:-1])])
    for bidding in market._biddings.all.values():
        total += fold([TAG_BIDDING, *(int(word) for word in astuple(bidding))])
    for bid in market._biddings.bids.values():
        total += fold([TAG_BID, *astuple(bid)])
    return total & U64


def _status(product: Product) -> int:
    """Whether a product is halted, and 2 more if it is delisted."""
    return int(product.halted) + 2 * int(product.delisted)


def _block_trades(product: Product) -> list[int]:
    """Tonnes and fen of a product's block trades of the day, and the tonnes within groups."""
    amount = product.block_amount
    volumes = product.block_volume & U64, product.intra_group_volume & U64
    return [volumes[0], amount & U64, amount >> 64, volumes[1]]


def _bidding_trades(product: Product) -> list[int]:
    """Tonnes and fen of a product's bidding trades of the day."""
    amount = product.bidding_amount
    return [product.bidding_volume & U64, amount & U64, amount >> 64]


def _high_volumes(product: Product) -> list[int]:
    """What a product's volumes of the day have above 64 bits."""
    volumes = product.volume, product.block_volume, product.intra_group_volume
    return [volume >> 64 for volume in (*volumes, product.bidding_volume)]


def snapshot(market: ReferenceMarket) -> bytes:
    """Write the whole state as msgpack."""
    state: dict[str, Any] = {name: int(getattr(market, name)) for name in MARKET_FIELDS}
    state["order_count_max"] = market.order_count_max
    state["products"] = [
        [p.product_key, p.reference_price, p.composite_weight, _status(p), p.open, p.high]
        + [p.low, p.last, p.volume & U64, p.amount & U64, p.amount >> 64]
        + [*_block_trades(p), *_bidding_trades(p)]
        + (_high_volumes(p) if any(_high_volumes(p)) else [])
        for p in market._products
    ]
    state["accounts"] = [
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
        for a in market._accounts
    ]
    by_priority = sorted(market._listed.orders.values(), key=lambda order: order.priority)
    rows = [
        tuple(
            flags_word(o) if name == "flags" else int(getattr(o, name))
            for name in ORDER_DTYPE.names
        )
        for o in by_priority
    ]
    state["orders"] = np.array(rows, ORDER_DTYPE).tobytes()
    state["blocks"] = market._blocks.to_bytes()
    state["biddings"], state["bids"] = market._biddings.to_bytes()
    return msgspec.msgpack.encode(state)


def restore_into(market: ReferenceMarket, data: bytes) -> None:
    """Fill a fresh market from a snapshot. Locks of orders are worked out anew.

    Raises
    ------
    ValueError
        If `orders` is not whole records, or an order that can not be.
    """
    state = msgspec.msgpack.decode(data)
    market.rules_set(market.rules.on(state["trading_date"]))
    for key, price, weight, status, *statistics in state["products"]:
        product = market._products[market.product_declare(key, price, weight)]
        product.halted, product.delisted = bool(status & 1), bool(status & 2)
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
    for fields in state["accounts"]:
        account = market._accounts[
            market.account_declare(fields["account_key"], fields["group_index"])
        ]
        account.cash = fields["cash"]
        account.proceeds_today = fields["proceeds_today"]
        account.suspended = fields["suspended"]
        account.report_seq = fields["report_seq"]
        account.client_order_ids = dict(fields["client_order_ids"])
        for product_index, tonnes, bought_today in fields["holdings"]:
            holding = account.holding(product_index)
            holding.tonnes, holding.bought_today = tonnes, bought_today
    priority_before = 0
    for order in _orders_read(state["orders"]):
        _order_check(market, order, priority_before)
        priority_before = order.priority
        market._funds.lock(order)
        market._listed.put_on(order)
    market._blocks.fill(state["blocks"], state["order_id_last"])
    market._biddings.fill(state["biddings"], state["bids"], state["order_id_last"])
    # Last, for declaring and resting have moved some of these.
    for name in MARKET_FIELDS:
        setattr(market, name, state[name])
    market.phase = Phase(market.phase)
    for name in ("day_is_open", "market_halted", "listed_started"):
        setattr(market, name, bool(getattr(market, name)))


def _orders_read(data: bytes) -> list[Order]:
    """The orders of a snapshot, by priority."""
    if not isinstance(data, bytes) or len(data) % ORDER_DTYPE.itemsize:
        raise ValueError(
            f"orders must be records of {ORDER_DTYPE.itemsize} bytes each, was "
            + (f"{len(data)} bytes" if isinstance(data, bytes) else type(data).__name__)
        )
    rows = np.frombuffer(data, ORDER_DTYPE).tolist()
    orders = [Order(**dict(zip(ORDER_DTYPE.names, row, strict=True))) for row in rows]
    for order in orders:
        order.side = Side(order.side)
        order.operator_index, order.flags = divmod(order.flags, 16)
    return orders


def _order_check(market: ReferenceMarket, order: Order, priority_before: int) -> None:
    """Raise ValueError for an order the market can not have had."""
    for name, holds in (
        ("order_id", order.order_id not in market._listed.orders),
        ("account_index", order.account_index < len(market._accounts)),
        ("product_index", order.product_index < len(market._products)),
        ("tonnes_open", order.tonnes_open > 0),
        ("priority", order.priority > priority_before),
    ):
        if not holds:
            raise ValueError(f"orders: {name} of an order was {getattr(order, name)}")


def check(market: ReferenceMarket) -> None:
    """Raise AssertionError naming the first broken invariant."""
    for book in market._listed.books:
        book.check()
    in_books = {
        order.order_id
        for book in market._listed.books
        for side in Side
        for _, level in book.levels(side)
        for order in level
    }
    assert in_books == set(market._listed.orders), "every live order must be in exactly one book"
    assert len(in_books) <= market.order_count_max, "the live orders must fit their number"
    assert all(order_id <= market.order_id_last for order_id in in_books), "order ids are dense"
    assert market.day_is_open or not in_books, "no order may live between days"
    for index, account in enumerate(market._accounts):
        orders = [o for o in market._listed.orders.values() if o.account_index == index]
        assert not (account.suspended and orders), f"account {index} is suspended but has orders"
        blocks = list(market._blocks.open.values())
        assert not account.suspended or not any(index in b.owners for b in blocks), (
            f"account {index} is suspended but has blocks"
        )
        needs = [n for n in market._biddings.needs() if n.account_index == index]
        assert not (account.suspended and needs), f"account {index} is suspended but bids"
        cash_locked = sum(market._funds.lock_of(o) for o in orders if o.side == Side.BUY)
        cash_locked += sum(need.lock for need in needs if need.side == Side.BUY)
        cash_locked += sum(b.cash_locked for b in blocks if b.party(Side.BUY) == index)
        assert account.cash_locked == cash_locked, (
            f"locked cash of account {index} must be {cash_locked}, was {account.cash_locked}"
        )
        assert 0 <= account.cash_locked <= account.cash, f"cash of account {index} must cover locks"
        for product_index, holding in account.holdings.items():
            locked = sum(
                market._funds.lock_of(o)
                for o in orders
                if o.side == Side.SELL and o.product_index == product_index
            ) + sum(
                b.tonnes_locked
                for b in blocks
                if b.party(Side.SELL) == index and b.product_index == product_index
            )
            locked += sum(
                need.lock
                for need in needs
                if (need.side, need.product_index) == (Side.SELL, product_index)
            )
            place = f"account {index}, product {product_index}"
            assert holding.locked == locked, f"{place}: locked must be {locked}"
            assert holding.bought_today >= 0, f"{place}: bought_today must not be negative"
            assert holding.locked + holding.bought_today <= holding.tonnes, (
                f"{place}: held must cover what is locked and what was bought today"
            )
    for index, product in enumerate(market._products):
        assert 0 <= product.intra_group_volume <= product.block_volume, (
            f"more of product {index} traded within groups than by block"
        )
    for block in market._blocks.open.values():
        assert market._blocks.locks_fit(block), f"block {block.block_id}: its locks do not fit"
    assert market.day_is_open or not market._blocks.open, "no block may live between days"
    assert len(market._blocks.open) <= market.order_count_max, "the blocks must fit their number"
    _biddings_check(market)
    for order in market._listed.orders.values():
        product = market._products[order.product_index]
        band_low, band_high = price_band(market.rules, product, market.rules.listed_band_bp)
        assert band_low <= order.price <= band_high, f"order {order.order_id} must lie in the band"


def _biddings_check(market: ReferenceMarket) -> None:
    """What must hold of biddings and bids beside their locks."""
    biddings = market._biddings.all
    live = [bidding for bidding in biddings.values() if not bidding.has_ended]
    assert market.day_is_open or not live, "no bidding may be open between days"
    assert len(biddings) <= market.order_count_max, "the biddings must fit their number"
    assert len(market._biddings.bids) <= market.order_count_max, "the bids must fit their number"
    keys = {bidding.bidding_key for bidding in biddings.values()}
    assert len(keys) == len(biddings), "two biddings of a day must have two names"
    for bidding in biddings.values():
        place = f"bidding {bidding.bidding_id}"
        assert 0 <= bidding.tonnes_awarded <= bidding.tonnes, f"{place}: more awarded than offered"
    for bid in market._biddings.bids.values():
        bidding = biddings[bid.bidding_id]
        place = f"bid {bid.bid_id}"
        assert bidding.state == BiddingState.OPEN, f"{place} must be in an open bidding"
        in_range = bidding.floor <= bid.price <= bidding.ceiling
        assert in_range or bid.price == 0, f"{place} must lie in the range"
        assert bid.account_index != bidding.account_index, f"{place} must not be the applicant's"
