"""What must hold of a reference market at any time."""

from __future__ import annotations

from cea_exchange.domain.records import BiddingState, Side
from cea_exchange.matching.reference.rows.products import price_band
from cea_exchange.matching.reference.state import MarketState
from cea_exchange.matching.reference.trading.methods import TradingMethods


def check(state: MarketState, methods: TradingMethods) -> None:
    """Raise AssertionError naming the first broken invariant."""
    for book in state.books:
        book.check()
    in_books = {
        order.order_id
        for book in state.books
        for side in Side
        for _, level in book.levels(side)
        for order in level
    }
    assert in_books == set(state.orders), "every live order must be in exactly one book"
    assert len(in_books) <= state.order_count_max, "the live orders must fit their number"
    assert all(order_id <= state.order_id_last for order_id in in_books), "order ids are dense"
    assert state.day_is_open or not in_books, "no order may live between days"
    for index, account in enumerate(state.accounts):
        orders = [o for o in state.orders.values() if o.account_index == index]
        assert not (account.suspended and orders), f"account {index} is suspended but has orders"
        blocks = list(state.blocks.values())
        assert not account.suspended or not any(index in b.owners for b in blocks), (
            f"account {index} is suspended but has blocks"
        )
        needs = [n for n in methods.biddings.needs() if n.account_index == index]
        assert not (account.suspended and needs), f"account {index} is suspended but bids"
        cash_locked = sum(state.funds.lock_of(o) for o in orders if o.side == Side.BUY)
        cash_locked += sum(need.lock for need in needs if need.side == Side.BUY)
        cash_locked += sum(b.cash_locked for b in blocks if b.party(Side.BUY) == index)
        assert account.cash_locked == cash_locked, (
            f"locked cash of account {index}: expected {cash_locked}, got {account.cash_locked}"
        )
        assert 0 <= account.cash_locked <= account.cash, f"cash of account {index} must cover locks"
        for product_index, holding in account.holdings.items():
            locked = sum(
                state.funds.lock_of(o)
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
    for index, product in enumerate(state.products):
        assert 0 <= product.intra_group_volume <= product.block_volume, (
            f"more of product {index} traded within groups than by block"
        )
    for block in state.blocks.values():
        assert methods.blocks.locks_fit(block), f"block {block.block_id}: its locks do not fit"
    assert state.day_is_open or not state.blocks, "no block may live between days"
    assert len(state.blocks) <= state.order_count_max, "the blocks must fit their number"
    _biddings_check(state)
    for order in state.orders.values():
        product = state.products[order.product_index]
        band_low, band_high = price_band(state.rules, product, state.rules.listed_band_bp)
        assert band_low <= order.price <= band_high, f"order {order.order_id} must lie in the band"


def _biddings_check(state: MarketState) -> None:
    """What must hold of biddings and bids beside their locks."""
    biddings = state.biddings
    live = [bidding for bidding in biddings.values() if not bidding.has_ended]
    assert state.day_is_open or not live, "no bidding may be open between days"
    assert len(biddings) <= state.order_count_max, "the biddings must fit their number"
    assert len(state.bids) <= state.order_count_max, "the bids must fit their number"
    keys = {bidding.bidding_key for bidding in biddings.values()}
    assert len(keys) == len(biddings), "two biddings of a day must have two names"
    for bidding in biddings.values():
        place = f"bidding {bidding.bidding_id}"
        assert 0 <= bidding.tonnes_awarded <= bidding.tonnes, f"{place}: more awarded than offered"
    for bid in state.bids.values():
        bidding = biddings[bid.bidding_id]
        place = f"bid {bid.bid_id}"
        assert bidding.state == BiddingState.OPEN, f"{place} must be in an open bidding"
        in_range = bidding.floor <= bid.price <= bidding.ceiling
        assert in_range or bid.price == 0, f"{place} must lie in the range"
        assert bid.account_index != bidding.account_index, f"{place} must not be the applicant's"
