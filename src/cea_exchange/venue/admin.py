"""Operators' requests over the admin socket: MessagePack in, one journaled act, MessagePack out."""

from typing import Annotated, Literal

import msgspec

from cea_exchange.domain.naming import is_one_line
from cea_exchange.domain.profile import TIME_FORM
from cea_exchange.domain.refusals import VenueRefusal
from cea_exchange.protocol import control
from cea_exchange.protocol.framing import FrameError

WhyNeeded = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=r"\S")]
"""For what hurts somebody: the words are journaled, and stay for twenty years."""

TimeOfDay = Annotated[str, msgspec.Meta(pattern=TIME_FORM)]
Seq = Annotated[int, msgspec.Meta(ge=1, le=2**62)]


class AdminRequest(msgspec.Struct, tag_field="op", frozen=True, forbid_unknown_fields=True):
    """Base of every request; those that are no `ActRequest` only look, and anybody here may."""


class Status(AdminRequest, tag="status"):
    """Where the venue stands."""


class Statistics(AdminRequest, tag="statistics"):
    """Each product's prices and totals of the day."""


class Position(AdminRequest, tag="position"):
    """What an account holds, has locked and bought today, and its live orders."""

    account: control.Name


class BlockList(AdminRequest, tag="blocks"):
    """The open block offers and enquiries, from an id on."""

    first: Annotated[int, msgspec.Meta(ge=0, le=2**62)] = msgspec.field(name="from", default=0)


class StatementOf(AdminRequest, tag="statement"):
    """What the statement of an account's day begins with; see `framing.StatementRequest`."""

    account: control.Name
    date: Annotated[str, msgspec.Meta(max_length=10)] | None = None


class HistoryOf(AdminRequest, tag="history"):
    """An account's reports, see `framing.HistoryRequest`."""

    account: control.Name
    first: Seq = msgspec.field(name="from")
    count: Seq


class BiddingList(AdminRequest, tag="biddings"):
    """The day's biddings: what everybody may see of them."""


class SessionList(AdminRequest, tag="sessions"):
    """Who is logged on."""


class ProposalList(AdminRequest, tag="proposals"):
    """What waits for a second operator."""


class ActRequest(AdminRequest, kw_only=True):
    """Base of what only an operator may do."""

    why: control.Why = ""


class ClockMove(ActRequest, tag="clock"):
    """Move a manual clock; what falls due on the way happens in order."""

    at: str


class PhaseChange(ActRequest, tag="phase"):
    """Set the phase of the open day."""

    phase: str


class OpenDay(ActRequest, tag="open_day"):
    """Open a trading day, whatever the calendar says."""

    date: str


class CloseDay(ActRequest, tag="close_day"):
    """Close the trading day."""


class Halt(ActRequest, tag="halt"):
    """Halt a product, or without one the market."""

    product: control.Name | None = None


class Resume(ActRequest, tag="resume"):
    """Lift a halt."""

    product: control.Name | None = None


class Suspend(ActRequest, tag="suspend"):
    """Suspend an account."""

    account: control.Name
    why: WhyNeeded


class Restore(ActRequest, tag="restore"):
    """Let a suspended account trade again."""

    account: control.Name


class Kill(ActRequest, tag="kill"):
    """The kill switch: of an account, or of the whole market."""

    account: control.Name | None = None
    market: bool = False
    why: WhyNeeded


class ReferencePrice(ActRequest, tag="reference_price"):
    """Set a product's reference price (fen) before the day's first listed phase."""

    product: control.Name
    price: control.Fen
    why: WhyNeeded


class ListProduct(ActRequest, tag="list"):
    """Let a product be traded, its band measured from a price (fen)."""

    product: control.Name
    price: control.Fen
    why: WhyNeeded


class DelistProduct(ActRequest, tag="delist"):
    """Let a product be traded no more."""

    product: control.Name
    why: WhyNeeded


class BiddingApply(ActRequest, tag="bidding_apply"):
    """File an application for a bidding on a later day; see `control.BiddingApplied`."""

    bidding: control.Name
    account: control.Name
    product: control.Name
    tonnes: control.Amount
    limit: Literal["close", "band_end"]
    pricing: Literal["uniform", "pay_as_bid"]
    date: str
    side: Literal["buy", "sell"] = "sell"
    opens_at: TimeOfDay | None = None
    closes_at: TimeOfDay | None = None


class BiddingReview(ActRequest, tag="bidding_review"):
    """Approve an application, or refuse it with a reason."""

    bidding: control.Name
    approve: bool


class BiddingWithdraw(ActRequest, tag="bidding_withdraw"):
    """Take an application back, for who applied."""

    bidding: control.Name
    why: WhyNeeded


class ApplicationList(AdminRequest, tag="bidding_applications"):
    """All applications for biddings, with who applied and until when to review them."""


class BiddingOpen(ActRequest, tag="bidding_open"):
    """Announce a bidding that was approved; see `control.BiddingOpen`. Times are ISO 8601."""

    bidding: control.Name
    account: control.Name
    product: control.Name
    tonnes: control.Amount
    limit: control.Fen
    pricing: Literal["uniform", "pay_as_bid"]
    side: Literal["buy", "sell"] = "sell"
    opens_at: str | None = None
    closes_at: str | None = None
    reserve_price: control.Reserve = 0


class BiddingClose(ActRequest, tag="bidding_close"):
    """Award an open bidding."""

    bidding: control.Name


class BiddingCancel(ActRequest, tag="bidding_cancel"):
    """End a bidding without an award."""

    bidding: control.Name
    why: WhyNeeded


class Disconnect(ActRequest, tag="disconnect"):
    """End the sessions of a key or an account; they may log on again."""

    who: control.Name


class KeyRestore(ActRequest, tag="key_restore"):
    """Admit a key again that was cut off because it ended fronts."""

    key: control.Name


class Bust(ActRequest, tag="bust"):
    """Propose to undo a trade."""

    trade_id: Seq
    why: WhyNeeded


class Override(ActRequest, tag="override"):
    """Propose to open the next day without the registry's confirmation of the last."""

    why: WhyNeeded


class Approve(ActRequest, tag="approve"):
    """Agree to another operator's proposal; it happens at once."""

    number: Seq


class Reject(ActRequest, tag="reject"):
    """Take a proposal away."""

    number: Seq


class Stop(ActRequest, tag="stop"):
    """End the daemon: seal the journal and exit."""


AnyAdminRequest = (
    Status
    | Statistics
    | Position
    | StatementOf
    | HistoryOf
    | BlockList
    | BiddingList
    | ApplicationList
    | SessionList
    | ProposalList
    | ClockMove
    | PhaseChange
    | OpenDay
    | CloseDay
    | Halt
    | Resume
    | Suspend
    | Restore
    | Kill
    | ReferencePrice
    | ListProduct
    | DelistProduct
    | BiddingApply
    | BiddingReview
    | BiddingWithdraw
    | BiddingOpen
    | BiddingClose
    | BiddingCancel
    | Disconnect
    | KeyRestore
    | Bust
    | Override
    | Approve
    | Reject
    | Stop
)

_requests = msgspec.msgpack.Decoder(AnyAdminRequest)


def admin_request_decode(payload: bytes) -> AnyAdminRequest:
    """Return an operator's request; FrameError if it is none."""
    try:
        request = _requests.decode(payload)
    except control.DECODE_ERRORS as error:
        raise FrameError(
            VenueRefusal.BAD_REQUEST, expected="an admin request", came=str(error), where="payload"
        ) from None
    if isinstance(request, ActRequest) and not is_one_line(request.why):
        raise FrameError(
            VenueRefusal.BAD_REQUEST,
            expected="one line of text",
            came=ascii(request.why),
            where="why",
        )
    return request
