"""Biddings as all may see them: the notice and the result, never a bid or how many there are."""

from typing import Any

from cea_exchange.domain.records import BiddingState, Pricing, Side
from cea_exchange.domain.timetable import time_from_ns
from cea_exchange.venue.market.state_machine import VenueStateMachine


def biddings(machine: VenueStateMachine) -> list[dict[str, Any]]:
    """Return the day's biddings in order of announcement, ended ones too; prices are fen.

    Notes
    -----
    Rules: CEA-BID-05 (sealed), CEA-BID-09 (results). An operator sees no more here than the public.
    """
    shown = []
    for name, bidding_id in machine.biddings.items():
        bidding = machine.core.bidding(bidding_id)
        has_ended = bidding["state"] == BiddingState.ENDED
        shown.append(
            {
                "bidding": name,
                "bidding_id": int(bidding_id),
                "product": machine.product_names[bidding["product_index"]],
                "side": Side(bidding["side"]).name.lower(),
                "pricing": Pricing(bidding["pricing"]).name.lower(),
                **{field: int(bidding[field]) for field in ("tonnes", "floor", "ceiling")},
                **{field: _time(bidding[field]) for field in ("opens_at", "closes_at")},
                "state": BiddingState(bidding["state"]).name.lower(),
                "tonnes_awarded": int(bidding["tonnes_awarded"]) if has_ended else None,
                "clearing_price": int(bidding["clearing_price"]) or None,
            }
        )
    return shown


def _time(time_ns: int) -> str | None:
    return time_from_ns(time_ns).isoformat() if time_ns else None
