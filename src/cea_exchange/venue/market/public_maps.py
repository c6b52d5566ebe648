"""What everybody may see of the market, as maps: depth, books, the day so far.

Prices are fen and quantities tonnes; every amount of money is text in yuan.
"""

import operator
from typing import Any

import numpy as np

from cea_exchange.domain.calendar import date_of_number
from cea_exchange.domain.records import (
    BOOK_CHANGE_DTYPE,
    BlockFlag,
    BookChangeKind,
    Phase,
    Side,
)
from cea_exchange.domain.units import cash_format, tonnes_capped
from cea_exchange.protocol.framing import Band
from cea_exchange.venue.market.bidding_applications import notices
from cea_exchange.venue.market.state_machine import VenueStateMachine
from cea_exchange.venue.market.views import biddings

DEPTH_LEVELS = 5
"""Levels of each side in a depth map (CEA-LST-09); where the profile shows fewer, those."""
ORDERS_PER_LEVEL_MAX = 200


def levels_shown(machine: VenueStateMachine) -> int:
    """Return how many levels of each side a depth map has."""
    return min(machine.profile.public_levels or DEPTH_LEVELS, DEPTH_LEVELS)


def depth(machine: VenueStateMachine, product_index: int) -> dict[str, Any]:
    """Return the five best levels of both sides: price (fen), tonnes, orders."""
    core, count = machine.core, levels_shown(machine)

    def levels(side: Side) -> list[list[int]]:
        shown = core.depth(product_index, side, count)
        return [[int(price), tonnes_capped(int(t)), int(orders)] for price, t, orders in shown]

    return {
        "product": machine.product_names[product_index],
        "market_data_seq": core.market_data_seq,
        "bids": levels(Side.BUY),
        "asks": levels(Side.SELL),
    }


def bands(machine: VenueStateMachine) -> list[Band]:
    """Return every product's reference price and band."""
    shown = []
    for product_index, name in enumerate(machine.product_names):
        product = machine.core.product(product_index)
        prices = (product[field] for field in ("reference_price", "band_low", "band_high"))
        shown.append(Band(name, product_index, *map(int, prices)))
    return shown


def market(machine: VenueStateMachine) -> dict[str, Any]:
    """Return phase, halts, bands and the day's statistics so far.

    Notes
    -----
    The close is what it would be if the day ended now. What has no value yet is None.

    Rules: CEA-PRC-01, CEA-PRC-03, CEA-PRC-04, CEA-LST-08.
    """
    core = machine.core
    products = [_day_so_far(machine, band) for band in bands(machine)]
    return {
        "trading_date": int(core.trading_date) if core.day_is_open else 0,
        "phase": Phase(core.phase).name.lower(),
        "halted": bool(core.market_halted),
        "composite": _composite_so_far(machine, [each for each in products if each["listed"]]),
        "products": products,
        "biddings": biddings(machine),
        "bidding_notices": notices(machine),
    }


def _composite_so_far(
    machine: VenueStateMachine, products: list[dict[str, Any]]
) -> dict[str, int] | None:
    """Return the weighted means of the products' prices, half up; the reference where none is."""
    if not products:
        return None
    number = int(machine.core.trading_date)
    day = date_of_number(number) if number else None
    names = [product["product"] for product in products]
    weights = machine.profile.composite_weights(names, day)
    shown = {}
    for field in ("open", "last", "close"):
        prices = [product[field] or product["reference_price"] for product in products]
        total = sum(map(operator.mul, prices, weights))
        shown[field] = (2 * total + sum(weights)) // (2 * sum(weights))
    return shown


def _day_so_far(machine: VenueStateMachine, band: Band) -> dict[str, Any]:
    product = machine.core.product(band.product_index)
    volume, amount = int(product["volume"]), int(product["amount"])
    close = (2 * amount + volume) // (2 * volume) if volume else band.reference_price
    return {
        "product": band.product,
        "product_index": band.product_index,
        "halted": bool(product["halted"]),
        "listed": bool(product["listed"]),
        "reference_price": band.reference_price,
        "band_low": band.band_low,
        "band_high": band.band_high,
        **{field: int(product[field]) or None for field in ("open", "high", "low", "last")},
        "close": close,
        "volume": {
            "listed": tonnes_capped(volume),
            "block": tonnes_capped(int(product["block_volume"])),
            "bidding": tonnes_capped(int(product["bidding_volume"])),
        },
        "amount": {
            "listed": cash_format(amount),
            "block": cash_format(int(product["block_amount"])),
            "bidding": cash_format(int(product["bidding_amount"])),
        },
    }


def open_blocks(machine: VenueStateMachine) -> np.ndarray:
    """Return the offers and enquiries that are open to all, as BookChange records, by id.

    Notes
    -----
    Rules: CEA-BLK-11.
    """
    blocks = machine.core.blocks()
    blocks = blocks[blocks["flags"] & (BlockFlag.TO_ACCOUNT | BlockFlag.TO_GROUP) == 0]
    is_enquiry = (blocks["flags"] & BlockFlag.ENQUIRY) != 0
    rows = np.zeros(len(blocks), BOOK_CHANGE_DTYPE)
    rows["kind"] = np.where(is_enquiry, BookChangeKind.BLOCK_ENQUIRY, BookChangeKind.BLOCK_OFFER)
    for field in ("side", "product_index", "price", "tonnes"):
        rows[field] = blocks[field]
    rows["order_id"] = blocks["block_id"]
    return rows


def book(machine: VenueStateMachine, product_index: int) -> dict[str, Any]:
    """Return the five best levels with their orders (id and tonnes, oldest first, no names).

    Notes
    -----
    Rules: CEA-LST-06 (a taker may pick a resting order), CEA-LST-09.
    """
    core, count_max = machine.core, levels_shown(machine)

    def levels(side: Side) -> list[dict[str, Any]]:
        shown = []
        for price, tonnes, count in core.depth(product_index, side, count_max):
            ids = core.orders_at(product_index, side, price)[:ORDERS_PER_LEVEL_MAX]
            orders = [[int(i), int(core.order(i)["tonnes_open"])] for i in ids]
            shown.append(
                {
                    "price": int(price),
                    "tonnes": tonnes_capped(int(tonnes)),
                    "count": int(count),
                    "orders": orders,
                }
            )
        return shown

    return {
        "op": "book",
        "product": machine.product_names[product_index],
        "market_data_seq": core.market_data_seq,
        "bids": levels(Side.BUY),
        "asks": levels(Side.SELL),
    }
