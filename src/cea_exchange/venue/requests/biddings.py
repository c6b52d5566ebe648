"""Requests about biddings and blocks: applications, their review, opening and end."""

from typing import Annotated, Any, Literal

from cea_exchange.control_plane.fields import field
from cea_exchange.control_plane.maker_checker import Prepared, Second
from cea_exchange.domain.refusals import VenueRefusal
from cea_exchange.domain.refusals.frame_error import FrameError
from cea_exchange.protocol import control
from cea_exchange.protocol.operators import Operator
from cea_exchange.venue.requests.base import (
    ActRequest,
    Bidding,
    BlockId,
    Price,
    Pricing,
    Product,
    Side,
    TimeOfDay,
    Venue,
    WhyOf,
)


class BiddingApply(ActRequest, tag="bidding_apply"):
    """File an application for a bidding on a later day, for who applies."""

    command = "bidding apply"
    example = (
        "bidding apply B1 P001 CEA24 200000 2025-07-16 --opens-at 10:30 --closes-at 11:00"
    )

    bidding: Bidding
    account: Annotated[control.Name, field("Who applies.")]
    product: Product
    tonnes: Annotated[control.Amount, field("Offered, or wanted.")]
    date: Annotated[str, field("The session's day, such as 2025-07-16.")]
    limit: Annotated[
        Literal["close", "band_end"], field("close, or band_end: 10% away.")
    ] = "close"
    pricing: Pricing = "uniform"
    side: Side = "sell"
    opens_at: Annotated[TimeOfDay | None, field("Such as 10:30.")] = None
    closes_at: Annotated[TimeOfDay | None, field("Such as 11:00.")] = None

    def command_of(self, venue: Venue) -> control.Act:
        return venue.day.application(self)


class BiddingReview(ActRequest, tag="bidding_review"):
    """Approve an application that another operator has filed, or refuse it with a reason."""

    command = "bidding review"
    example = 'bidding review B1 --refuse --why "holdings"'

    bidding: Bidding
    approve: Annotated[bool, field("The decision.", name="--approve/--refuse")]

    def act(self, venue: Venue, by: Operator) -> dict[str, Any]:
        if self.approve:
            venue.review_check(self.bidding, by)
        return super().act(venue, by)

    def command_of(self, venue: Venue) -> control.Act:
        if not self.approve and not self.why.strip():
            raise FrameError(
                VenueRefusal.WHY_MISSING,
                expected="a reason to refuse it",
                got="none",
                where="why",
            )
        return control.BiddingReviewed(bidding=self.bidding, approved=self.approve)


class BiddingWithdraw(ActRequest, tag="bidding_withdraw"):
    """Take an application back, for who applied."""

    command = "bidding withdraw"
    example = 'bidding withdraw B1 --why "on request"'

    bidding: Bidding
    why: WhyOf

    def command_of(self, venue: Venue) -> control.Act:
        return control.BiddingLapsed(bidding=self.bidding)


class BiddingOpen(ActRequest, tag="bidding_open"):
    """Propose a bidding of today: announced, it locks its applicant's allowances, or cash.

    The limit is the least who applied sells at, or with ``--side buy`` the most it pays. The
    reserve price is shown to who is to agree, and to no participant.
    """

    second = Second.OPERATOR
    command = "bidding open"
    example = (
        "bidding open B1 P001 CEA24 200000 87.74"
        " --opens-at 2025-07-16T10:30:00+08:00 --closes-at 2025-07-16T11:00:00+08:00 --key an"
    )

    bidding: Bidding
    account: Annotated[control.Name, field("Who applied.")]
    product: Product
    tonnes: Annotated[control.Amount, field("Offered, or wanted.")]
    limit: Price
    pricing: Pricing = "uniform"
    side: Side = "sell"
    opens_at: Annotated[str | None, field("ISO 8601 time with offset.")] = None
    closes_at: Annotated[str | None, field("ISO 8601 time with offset.")] = None
    reserve_price: Annotated[
        control.Reserve,
        field("Yuan per tonne, such as 97.49.", typed="price", name="reserve"),
    ] = 0

    def prepared(self, venue: Venue, by: Operator) -> Prepared:
        return venue.bidding_prepared(self, by)


class BlockConfirm(ActRequest, tag="block_confirm"):
    """Confirm a block that both sides agree on: it trades now.

    Where the profile has blocks confirmed; `block list` shows those that wait, as agreed.
    """

    command = "block confirm"
    example = "block confirm 4711"

    block_id: BlockId

    def command_of(self, venue: Venue) -> control.Act:
        venue.block_word_check(self.block_id, confirms=True)
        return control.BlockConfirmed(block_id=self.block_id)


class BlockRefuse(ActRequest, tag="block_refuse"):
    """Refuse a block that both sides agree on: it is over, and what was locked returns."""

    command = "block refuse"
    example = 'block refuse 4711 --why "price not explained"'

    block_id: BlockId
    why: WhyOf

    def command_of(self, venue: Venue) -> control.Act:
        venue.block_word_check(self.block_id, confirms=False)
        return control.BlockRefused(block_id=self.block_id)


class BiddingClose(ActRequest, tag="bidding_close"):
    """Award an open bidding now."""

    command = "bidding close"
    example = "bidding close B1"

    bidding: Bidding

    def command_of(self, venue: Venue) -> control.Act:
        venue.bidding_end_check(self.bidding, must_be_open=True)
        return control.BiddingClose(bidding=self.bidding)


class BiddingCancel(ActRequest, tag="bidding_cancel"):
    """End a bidding without an award; its bids are cancelled."""

    command = "bidding cancel"
    example = 'bidding cancel B1 --why "seller in default"'

    bidding: Bidding
    why: WhyOf

    def command_of(self, venue: Venue) -> control.Act:
        venue.bidding_end_check(self.bidding, must_be_open=False)
        return control.BiddingCancel(bidding=self.bidding)
