"""What operators do with biddings: announce one, end one."""

import numpy as np

from cea_exchange.domain.records import BiddingState, Operation, Reason
from cea_exchange.domain.refusals import VenueRefusal
from cea_exchange.domain.refusals.frame_error import FrameError
from cea_exchange.domain.timetable import time_parse, time_to_ns
from cea_exchange.protocol import control
from cea_exchange.venue.durability.sequencer import Sequencer
from cea_exchange.venue.market.names import account_known, product_known
from cea_exchange.venue.market.state_machine import VenueStateMachine
from cea_exchange.venue.requests.biddings import BiddingOpen


def notice(machine: VenueStateMachine, request: BiddingOpen) -> control.BiddingOpen:
    """Return the act that announces a bidding; FrameError for names and times that are none."""
    account_known(machine, request.account)
    product_known(machine, request.product)
    if request.bidding in machine.biddings:
        raise FrameError(
            VenueRefusal.BIDDING_TAKEN,
            expected="a name that is new today",
            got=request.bidding,
            where="bidding",
        )
    return control.BiddingOpen(
        bidding=request.bidding,
        account=request.account,
        product=request.product,
        side=request.side,
        tonnes=request.tonnes,
        limit=request.limit,
        pricing=request.pricing,
        opens_at=time_ns(request.opens_at, "opens_at"),
        closes_at=time_ns(request.closes_at, "closes_at"),
        reserve_price=request.reserve_price,
    )


def announced_check(sequencer: Sequencer, name: str) -> None:
    """Raise FrameError with the market's reason if it refused the bidding just now."""
    if name in sequencer.machine.biddings:
        return
    last = sequencer.machine.core.event_seq
    # The refusal is the last event, but for a checkpoint behind it.
    rows = sequencer.event_rows(np.arange(max(last - 1, 1), last + 1, dtype=np.uint64))
    refused = rows[rows["command"] == Operation.BIDDING_OPEN]["reason"]
    got = Reason(int(refused[-1])).name if len(refused) else "none"
    raise FrameError(
        VenueRefusal.BIDDING_NOT_ALLOWED,
        expected="a bidding that the rules allow",
        got=got,
        where=name,
    )


def end_check(machine: VenueStateMachine, name: str, *, must_be_open: bool) -> None:
    """Raise FrameError unless a bidding can be awarded, or cancelled, now."""
    bidding = machine.core.bidding(machine.bidding_id(name))
    if bidding is None:
        raise FrameError(
            VenueRefusal.BIDDING_UNKNOWN,
            expected="one of today's biddings",
            got=name,
            where="bidding",
        )
    state = BiddingState(bidding["state"])
    if state == BiddingState.ENDED or (must_be_open and state != BiddingState.OPEN):
        expected = "an open bidding" if must_be_open else "a bidding that has not ended"
        raise FrameError(
            VenueRefusal.BIDDING_STATE, expected=expected, got=state.name.lower(), where="bidding"
        )


def time_ns(text: str | None, field: str) -> int:
    """Return a time in nanoseconds, 0 of none; FrameError for a text that is none."""
    if text is None:
        return 0
    try:
        at_ns = time_to_ns(time_parse(text))
    except ValueError as error:
        raise FrameError(
            VenueRefusal.VALUE_UNSOUND, expected=str(error), got=text, where=field
        ) from error
    if not 0 < at_ns <= control.TIME_NS_MAX:
        raise FrameError(
            VenueRefusal.VALUE_UNSOUND,
            expected="a time within 1970 and 2116",
            got=text,
            where=field,
        )
    return at_ns
