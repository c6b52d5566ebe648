"""Hashes of a reference market.

Written from protocol/state_hash.md alone; the compiled market has its own.
"""

from __future__ import annotations

from dataclasses import astuple
from hashlib import blake2b

from cea_exchange.matching.reference.rows.book import Order
from cea_exchange.matching.reference.rows.products import Product
from cea_exchange.matching.reference.state import MarketState

U64 = (1 << 64) - 1

CASH_KEY = int.from_bytes(blake2b(b"CNY", digest_size=8).digest(), "little")
"""The asset key of cash in `holdings_hash`."""

TAG_HOLDING, TAG_ORDER, TAG_ACCOUNT, TAG_ALLOWANCES, TAG_OPERATOR, TAG_PRODUCT, TAG_MARKET = range(
    1, 8
)
# 8 and 9 are an order book's.
TAG_BLOCK, TAG_BLOCK_TRADES, TAG_BIDDING, TAG_BID, TAG_BIDDING_TRADES = range(10, 15)
TAG_HIGH_VOLUMES = 15
TAG_GAP, TAG_BLOCK_AGREED = 16, 17
TAG_LAST_TRADE, TAG_ALLOCATION = 28, 29

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


def holdings_hash(state: MarketState) -> int:
    """Hash what each account holds, by names: what the registry can know too.

    Notes
    -----
    Rules: CEA-STL-01 and CCER-STL-01 (cash only where the registry settles it).
    """
    return balances_hash(state, state.rules.settlement_agent == "registry")


def balances_hash(state: MarketState, with_cash: bool) -> int:
    """Hash the tonnes of each account, and its cash."""
    total = 0
    for account in state.accounts:
        for product_index, holding in account.holdings.items():
            if holding.tonnes:
                product_key = state.products[product_index].product_key
                total += fold([TAG_HOLDING, account.account_key, product_key, holding.tonnes])
        if account.cash and with_cash:
            total += fold([TAG_HOLDING, account.account_key, CASH_KEY, account.cash])
    return total & U64


def state_hash(state: MarketState) -> int:
    """Hash everything a later command could depend on."""
    total = balances_hash(state, True) + fold(
        [TAG_MARKET, *(int(getattr(state, name)) for name in MARKET_FIELDS)]
    )
    for order in state.orders.values():
        total += fold(
            [TAG_ORDER, order.order_id, order.account_index, order.product_index, order.side]
            + [order.price, order.tonnes_open, flags_word(order), order.client_order_id]
            + [order.amount_traded, order.priority]
        )
    for index, account in enumerate(state.accounts):
        total += fold(
            [TAG_ACCOUNT, index, account.account_key, account.group_index, account.cash_locked]
            + [account.proceeds_today, int(account.suspended) | account.restricted << 1]
            + [account.report_seq]
        )
        if account.allocation:
            total += fold([TAG_ALLOCATION, index, account.allocation])
        for product_index, held in account.holdings.items():
            if held.locked or held.bought_today:
                total += fold(
                    [TAG_ALLOWANCES, index, product_index, held.locked, held.bought_today]
                )
        for product_index, gap in account.waits.items():
            total += fold([TAG_GAP, index, product_index, gap.sale_days, gap.purchase_days])
        for operator_index, client_order_id in account.client_order_ids.items():
            total += fold([TAG_OPERATOR, index, operator_index, client_order_id])
    for index, product in enumerate(state.products):
        total += fold(
            [TAG_PRODUCT, index, product.product_key, product.reference_price]
            + [status(product), product.open, product.high, product.low, product.last]
            + [product.volume & U64, product.amount & U64, product.amount >> 64]
        )
        if any(high_volumes(product)):
            total += fold([TAG_HIGH_VOLUMES, index, *high_volumes(product)])
        for trade in product.last_trades:
            total += fold([TAG_LAST_TRADE, index, *astuple(trade)])
        if product.block_volume:
            total += fold([TAG_BLOCK_TRADES, index, *block_trades(product)])
        if product.bidding_volume:
            total += fold([TAG_BIDDING_TRADES, index, *bidding_trades(product)])
    for block in state.blocks.values():
        total += fold([TAG_BLOCK, *(int(word) for word in astuple(block)[:-3])])
        if block.agreed:
            total += fold([TAG_BLOCK_AGREED, block.block_id, block.operator_index])
    for bidding in state.biddings.values():
        total += fold([TAG_BIDDING, *(int(word) for word in astuple(bidding))])
    for bid in state.bids.values():
        total += fold([TAG_BID, *astuple(bid)])
    return total & U64


def status(product: Product) -> int:
    """Whether a product is halted, and 2 more if it is delisted."""
    return int(product.halted) + 2 * int(product.delisted)


def block_trades(product: Product) -> list[int]:
    """Tonnes and fen of a product's block trades of the day, and the tonnes within groups."""
    amount = product.block_amount
    volumes = product.block_volume & U64, product.intra_group_volume & U64
    return [volumes[0], amount & U64, amount >> 64, volumes[1]]


def bidding_trades(product: Product) -> list[int]:
    """Tonnes and fen of a product's bidding trades of the day."""
    amount = product.bidding_amount
    return [product.bidding_volume & U64, amount & U64, amount >> 64]


def high_volumes(product: Product) -> list[int]:
    """What a product's volumes of the day have above 64 bits."""
    volumes = product.volume, product.block_volume, product.intra_group_volume
    return [volume >> 64 for volume in (*volumes, product.bidding_volume)]
