"""The events of a `ReferenceMarket`: which streams each belongs to, and its record."""

from __future__ import annotations

import numpy as np

from cea_exchange.domain.records import (
    ACCOUNT_NONE,
    EVENT_DTYPE,
    PRODUCT_NONE,
    BlockFlag,
    EventKind,
)

SETTLEMENT_KINDS = frozenset(
    {
        EventKind.TRADE,
        EventKind.DEPOSITED,
        EventKind.WITHDRAWN,
        EventKind.TRANSFER_REJECTED,
        EventKind.DAY_OPENED,
        EventKind.DAY_CLOSED,
        EventKind.CHECKPOINT,
        EventKind.TRADE_BUSTED,
    }
)
MARKET_DATA_KINDS = frozenset(
    {
        EventKind.TRADE,
        EventKind.DAY_OPENED,
        EventKind.PHASE_CHANGED,
        EventKind.HALTED,
        EventKind.RESUMED,
        EventKind.REFERENCE_PRICE_CHANGED,
        EventKind.DAY_CLOSED,
        EventKind.COMPOSITE_CLOSED,
        EventKind.TRADE_BUSTED,
        EventKind.BLOCK_ENQUIRED,
        EventKind.BLOCK_OFFERED,
        EventKind.BLOCK_COUNTERED,
        EventKind.BLOCK_WITHDRAWN,
        EventKind.BLOCK_REJECTED,
        EventKind.BLOCK_LAPSED,
        EventKind.BLOCK_AGREED,
        EventKind.BIDDING_OPENED,
        EventKind.BIDDING_CLOSED,
        EventKind.BIDDING_CANCELED,
        EventKind.PRODUCT_LISTED,
        EventKind.PRODUCT_DELISTED,
    }
)
REPORT_KINDS = frozenset(
    {
        EventKind.ORDER_ACCEPTED,
        EventKind.ORDER_RESTED,
        EventKind.ORDER_AMENDED,
        EventKind.ORDER_CANCELED,
        EventKind.ORDER_EXPIRED,
        EventKind.ORDER_REJECTED,
        EventKind.TRADE,
        EventKind.DEPOSITED,
        EventKind.WITHDRAWN,
        EventKind.TRANSFER_REJECTED,
        EventKind.ACCOUNT_SUSPENDED,
        EventKind.ACCOUNT_RESTORED,
        EventKind.ACCOUNT_RESTRICTED,
        EventKind.TRADE_BUSTED,
        EventKind.BLOCK_ENQUIRED,
        EventKind.BLOCK_OFFERED,
        EventKind.BLOCK_COUNTERED,
        EventKind.BLOCK_WITHDRAWN,
        EventKind.BLOCK_REJECTED,
        EventKind.BLOCK_LAPSED,
        EventKind.BLOCK_AGREED,
        EventKind.LARGE_HOLDER,
        EventKind.BIDDING_OPENED,
        EventKind.BID_ACCEPTED,
        EventKind.BID_CANCELED,
        EventKind.BIDDING_CLOSED,
        EventKind.BIDDING_CANCELED,
    }
)

EVENT_DEFAULTS = dict.fromkeys(EVENT_DTYPE.names, 0) | {
    "product_index": PRODUCT_NONE,
    "account_index": ACCOUNT_NONE,
    "counter_account_index": ACCOUNT_NONE,
}


def is_public(kind: EventKind, fields: dict[str, int]) -> bool:
    """Whether the public hears of an event."""
    return kind in MARKET_DATA_KINDS and not _is_of_parties_only(kind, fields)


def row_of(fields: dict[str, int]) -> np.ndarray:
    """An event's record, as an array of one; what is not named is 0, or nobody."""
    return np.array([tuple((EVENT_DEFAULTS | fields).values())], EVENT_DTYPE)


def _is_of_parties_only(kind: EventKind, fields: dict[str, int]) -> bool:
    """Say if an event of a public kind is nobody's business but its parties'.

    Notes
    -----
    Rules: CEA-BLK-11.
    """
    if kind == EventKind.TRADE_BUSTED:
        # One that moved nothing.
        return bool(fields["reason"])
    is_addressed = fields.get("flags", 0) & (BlockFlag.TO_ACCOUNT | BlockFlag.TO_GROUP)
    return kind.name.startswith("BLOCK_") and bool(is_addressed)
