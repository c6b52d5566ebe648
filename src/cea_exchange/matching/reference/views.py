"""What a `ReferenceMarket` shows of its accounts, orders, blocks, biddings and products: dicts."""

from __future__ import annotations

from typing import Any

from cea_exchange.domain.profile import MarketRules
from cea_exchange.domain.records import BIDDING_DTYPE, BLOCK_DTYPE
from cea_exchange.matching.reference.rows.biddings import Bid, Bidding
from cea_exchange.matching.reference.rows.blocks import Block
from cea_exchange.matching.reference.rows.book import Order
from cea_exchange.matching.reference.rows.funds import Account, Gap, Holding
from cea_exchange.matching.reference.rows.products import Product, price_band


def account_view(account: Account, waits: dict[int, Gap]) -> dict[str, Any]:
    """What an account holds, what of it is locked, and with which products it has to wait."""
    return {
        "cash": account.cash,
        "cash_locked": account.cash_locked,
        "proceeds_today": account.proceeds_today,
        "suspended": account.suspended,
        "restricted": account.restricted,
        "allocation": account.allocation,
        "holdings": {
            product_index: (holding.tonnes, holding.locked, holding.bought_today)
            for product_index, holding in sorted(account.holdings.items())
            if holding != Holding()
        },
        "gaps": {index: (gap.sale_days, gap.purchase_days) for index, gap in waits.items()},
    }


def order_view(order: Order) -> dict[str, int]:
    """A live order."""
    return {
        "order_id": order.order_id,
        "account_index": order.account_index,
        "product_index": order.product_index,
        "side": int(order.side),
        "price": order.price,
        "tonnes_open": order.tonnes_open,
        "client_order_id": order.client_order_id,
        "flags": order.flags,
        "operator_index": order.operator_index,
        "priority": order.priority,
    }


def block_view(block: Block) -> dict[str, int]:
    """An open offer or enquiry."""
    words = {name: int(getattr(block, name)) for name in BLOCK_DTYPE.names}
    del words["reserved"]
    return words


def bidding_view(bidding: Bidding) -> dict[str, int]:
    """A bidding of the day."""
    return {
        name: int(getattr(bidding, name)) for name in BIDDING_DTYPE.names if name != "reserved"
    }


def bid_view(bid: Bid) -> dict[str, int]:
    """A live bid."""
    return {name: int(getattr(bid, name)) for name in bid.__slots__}


def product_view(rules: MarketRules, product: Product) -> dict[str, Any]:
    """A product's reference price, bands, halt and trades of the day."""
    band_low, band_high = price_band(rules, product, rules.listed_band_bp)
    block_low, block_high = price_band(rules, product, rules.block_band_bp)
    return {
        "reference_price": product.reference_price,
        "band_low": band_low,
        "band_high": band_high,
        "halted": product.halted,
        "listed": not product.delisted,
        "open": product.open,
        "high": product.high,
        "low": product.low,
        "volume": product.volume,
        "amount": product.amount,
        "last": product.last,
        "block_band_low": block_low,
        "block_band_high": block_high,
        "block_volume": product.block_volume,
        "block_amount": product.block_amount,
        "intra_group_volume": product.intra_group_volume,
        "bidding_volume": product.bidding_volume,
        "bidding_amount": product.bidding_amount,
    }
