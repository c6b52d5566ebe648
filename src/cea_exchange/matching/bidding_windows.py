"""When biddings open and close: what falls due of them when the market's time moves on."""

from typing import NamedTuple

from cea_exchange.domain.records import BiddingState
from cea_exchange.matching.market_core import MarketCore


class WindowChange(NamedTuple):
    """A bidding opens or closes; they sort in the order in which they happen.

    Notes
    -----
    Rules: CEA-BID-03 (at one instant biddings close, then open, the earlier announced first).
    """

    at: int
    """Nanoseconds since 1970 (UTC)."""
    opens: bool
    bidding_id: int


def windows_due(core: MarketCore, until: int) -> list[WindowChange]:
    """Return what the windows of a market's biddings do up to an instant, in order.

    Parameters
    ----------
    core : MarketCore
        Is asked only.
    until : int
        Nanoseconds since 1970 (UTC), inclusive.
    """
    due = []
    for bidding_id in core.bidding_ids():
        bidding = core.bidding(bidding_id)
        if bidding is None or bidding["state"] == BiddingState.ENDED:
            continue
        if bidding["state"] == BiddingState.ANNOUNCED and bidding["opens_at"] <= until:
            due.append(WindowChange(bidding["opens_at"], True, bidding_id))
        if 0 < bidding["closes_at"] <= until:
            due.append(WindowChange(bidding["closes_at"], False, bidding_id))
    return sorted(due)
