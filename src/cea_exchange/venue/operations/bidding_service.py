"""What operators do with biddings: announce one, review one's application, end one."""

import numpy as np

from cea_exchange.domain.look_alikes import look_alike
from cea_exchange.domain.naming import id_check
from cea_exchange.domain.records import BiddingState, Operation, Reason
from cea_exchange.domain.refusals import VenueRefusal
from cea_exchange.domain.refusals.frame_error import FrameError
from cea_exchange.domain.timetable import time_from_ns, time_parse, time_to_ns
from cea_exchange.protocol import control
from cea_exchange.protocol.operators import Operator
from cea_exchange.venue.durability.sequencer import Sequencer
from cea_exchange.venue.market.names import account_known, product_known
from cea_exchange.venue.market.state_machine import VenueStateMachine
from cea_exchange.venue.requests.biddings import BiddingOpen


def notice(machine: VenueStateMachine, request: BiddingOpen) -> control.BiddingOpen:
    """Return the act that announces a bidding.

    Raises
    ------
    FrameError
        If the account, the product or a time is not valid, or the name is taken.
    ValueError
        If the name is empty or has a character that is not seen.

    Notes
    -----
    Rules: CEA-ORD-14.
    """
    id_check(request.bidding, "bidding")
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


def notice_in_words(act: control.BiddingOpen) -> str:
    """Return what a bidding commits its applicant to, for who is to agree."""
    way, bound = ("sell", "least") if act.side == "sell" else ("buy", "most")
    window = "".join(
        f", {name} {time_from_ns(at_ns).isoformat()}"
        for name, at_ns in (("from", act.opens_at), ("to", act.closes_at))
        if at_ns
    )
    reserve = f", reserve price {act.reserve_price} fen" if act.reserve_price else ""
    return (
        f"announce bidding {act.bidding}: let {act.account} {way} {act.tonnes} t of {act.product}"
        f" at {act.limit} fen at {bound}, {act.pricing}{window}{reserve}"
    )


def review_check(machine: VenueStateMachine, name: str, by: Operator) -> None:
    """Raise FrameError for who would approve the application that he has filed.

    Notes
    -----
    Rules: CEA-OPR-02, CEA-BID-10.
    """
    application = machine.applications.get(name)
    if application is not None and look_alike(application.terms.by, by.name):
        raise FrameError(
            VenueRefusal.SAME_PERSON,
            expected=f"another person than {application.terms.by}, who filed it",
            got=by.name,
            where=f"bidding {name}",
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
