"""Operators' requests to a venue: each act becomes one journaled command with who and why.

Long, because all that may be asked is one list, and each of it a few lines.
"""

import sys
from typing import Annotated, Any, Literal, Protocol, get_args

import msgspec

from cea_exchange.control_plane.fields import field
from cea_exchange.control_plane.maker_checker import Prepared, Second
from cea_exchange.control_plane.requests import Request, Requests, requests_in
from cea_exchange.domain.profile_fields import TIME_FORM
from cea_exchange.domain.records import Phase
from cea_exchange.domain.refusals import VenueRefusal
from cea_exchange.protocol import control
from cea_exchange.protocol.framing import FrameError
from cea_exchange.protocol.operators import Operator

LOOKERS = ("operator", "regulator")
OPERATORS = ("operator",)

WhyNeeded = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=r"\S")]
"""For what hurts somebody: the words are journaled, and stay for twenty years."""

TimeOfDay = Annotated[str, msgspec.Meta(pattern=TIME_FORM)]
Seq = Annotated[int, msgspec.Meta(ge=1, le=2**62)]
Why = Annotated[control.Why, field("The reason; it is kept.")]
WhyOf = Annotated[WhyNeeded, field("The reason; it is kept.")]
Account = Annotated[control.Name, field("Account.")]
Product = Annotated[control.Name, field("Product.")]
WholeMarket = Annotated[
    control.Name | None, field("Product; left out, the whole market.", is_option=False)
]
Price = Annotated[control.Fen, field("Yuan per tonne, such as 97.49.", typed="price")]
Cash = Annotated[Seq, field("Yuan, such as 1000.00.", typed="yuan")]
BankReference = Annotated[control.Name, field("The bank's own reference of the payment.")]
CashAct = control.CashPaidIn | control.CashPaidOut
AdjustmentAct = (
    control.AdjustmentAccountNamed
    | control.MarketAdjusted
    | control.AdjustmentEnded
    | control.AllocationNoted
)
Bidding = Annotated[control.Name, field("The bidding's name.")]
BlockId = Annotated[Seq, field("The block's id.")]
Number = Annotated[Seq, field("The proposal's number.")]
Pricing = Annotated[Literal["uniform", "pay_as_bid"], field("uniform or pay_as_bid.")]
Side = Annotated[Literal["buy", "sell"], field("sell or buy.")]
Case = Annotated[control.Name, field("The case file it belongs to.", is_option=True)]
LowStep = Annotated[int, msgspec.Meta(ge=0, le=5), field("0 to 5.")]
Day = Annotated[str, msgspec.Meta(max_length=10)]
Starts = Annotated[
    Day | None, field("First trading day, as 2025-07-16; left out, at once.", name="--from")
]
Ends = Annotated[
    Day | None, field("Last trading day; left out, until it is lifted.", name="--until")
]
STEP_RESTRICTS, STEP_SUSPENDS = 6, 7


class TradingDay(Protocol):
    """What requests ask of the trading day."""

    def open_day(self, text: str) -> control.DayOpen | None: ...
    def close_day(self) -> control.DayClose | None: ...
    def unconfirmed_date(self) -> int: ...
    def override(self, date: int, *, by: str, second: str, why: str) -> None: ...
    def clock_move(self, text: str) -> None: ...
    def application(self, request: "BiddingApply") -> control.BiddingApplied: ...
    def applications(self) -> list[dict[str, Any]]: ...


class Orders(Protocol):
    """What requests ask of order entry."""

    def disconnect(self, who: str) -> int: ...


class Proposal(Protocol):
    """What requests say of what one operator proposed."""

    @property
    def what(self) -> str: ...


class Proposals(Protocol):
    """What requests ask of all that waits for a second operator."""

    def listed(self) -> list[dict[str, Any]]: ...
    def carry_out(
        self, number: int, second: Operator, request_hash: str | None = None
    ) -> dict[str, Any]: ...
    def reject(self, number: int, person: Operator, why: str) -> Proposal: ...


class MeasureRequest(Protocol):
    """What requests for a measure have in common."""

    @property
    def account(self) -> str: ...
    @property
    def case(self) -> str: ...
    @property
    def starts(self) -> str | None: ...
    @property
    def ends(self) -> str | None: ...
    @property
    def why(self) -> str: ...


class Venue(Protocol):
    """What requests ask of the service that answers them: all that they may look at or act on."""

    @property
    def day(self) -> TradingDay: ...
    @property
    def orders(self) -> Orders: ...
    @property
    def proposals(self) -> Proposals: ...
    def status(self) -> dict[str, Any]: ...
    def statistics(self) -> dict[str, Any]: ...
    def cash_reconciled(self) -> dict[str, Any]: ...
    def position(self, account: str) -> dict[str, Any]: ...
    def blocks(self, first: int) -> dict[str, Any]: ...
    def statement(self, account: str, date: str | None) -> dict[str, Any]: ...
    def history(self, account: str, first: int, count: int) -> dict[str, Any]: ...
    def biddings(self) -> list[dict[str, Any]]: ...
    def sessions(self) -> dict[str, Any]: ...
    def account_index(self, name: str) -> int: ...
    def product_check(self, name: str | None) -> None: ...
    def before_listed_check(self, product: str, what: str) -> None: ...
    def announced_check(self, bidding: str) -> None: ...
    def bidding_end_check(self, bidding: str, *, must_be_open: bool) -> None: ...
    def block_word_check(self, block_id: int, *, confirms: bool) -> None: ...
    def run(self, act: control.Act | None, by: Operator, why: str) -> None: ...
    def stop(self) -> None: ...
    def key_restore(self, key: str, /) -> bool: ...
    def bidding_notice(self, request: "BiddingOpen") -> control.BiddingOpen: ...
    def measures(self, *, public: bool) -> list[dict[str, Any]]: ...
    def measure_of(
        self, request: "MeasureRequest", step: int, barred: tuple[control.Barred, ...]
    ) -> control.MeasureTaken: ...
    def measure_prepared(
        self, act: control.MeasureTaken | control.MeasureLifted, what: str, by: Operator
    ) -> Prepared: ...
    def adjustments(self) -> dict[str, Any]: ...
    def adjustment_prepared(self, act: AdjustmentAct, what: str, by: Operator) -> Prepared: ...
    def time_ns(self, text: str | None, where: str) -> int: ...
    def bust_prepared(self, trade_id: int, by: Operator, why: str) -> Prepared: ...
    def cash_prepared(
        self, kind: type[CashAct], request: "CashPayIn | CashPayOut", by: Operator
    ) -> Prepared: ...
    def cash_correction_prepared(self, request: "CashCorrect", by: Operator) -> Prepared: ...


class AdminRequest(Request):
    """Base of what only looks; whoever has a key here may."""

    roles = LOOKERS
    is_look = True

    def look(self, venue: Venue) -> dict[str, Any]:
        """Return the answer's fields."""
        raise NotImplementedError


class Status(AdminRequest, tag="status"):
    """Print where a running venue stands."""

    def look(self, venue: Venue) -> dict[str, Any]:
        return venue.status()


class Statistics(AdminRequest, tag="statistics"):
    """Print each product's prices and totals of the day, by method."""

    command = "market statistics"
    example = "market statistics"

    def look(self, venue: Venue) -> dict[str, Any]:
        return venue.statistics()


class Position(AdminRequest, tag="position"):
    """Print what an account holds at the venue."""

    command = "account position"
    example = "account position P001 --key rex"

    account: Account

    def look(self, venue: Venue) -> dict[str, Any]:
        return venue.position(self.account)


class CashReconcile(AdminRequest, tag="cash_reconcile"):
    """Print whether the cash comes out, where the exchange settles it: bank, events and balances.

    Of each account what was booked by the bank's references, what events moved and what it has must
    agree; the fees are the exchange's.
    """

    command = "cash reconcile"
    example = "cash reconcile --key rex"

    def look(self, venue: Venue) -> dict[str, Any]:
        return venue.cash_reconciled()


class BlockList(AdminRequest, tag="blocks"):
    """Print the open block offers and enquiries, and what they have locked."""

    command = "block list"
    example = "block list --key rex"

    first: Annotated[
        int, msgspec.Meta(ge=0, le=2**62), field("The lowest block id to print.", name="--from")
    ] = msgspec.field(name="from", default=0)

    def look(self, venue: Venue) -> dict[str, Any]:
        return venue.blocks(self.first)


class StatementOf(AdminRequest, tag="statement"):
    """Print an account's day: what it had, every movement, what it has. Changes nothing.

    The answer is what the statement begins with, see `framing.StatementRequest`.
    """

    command = "account statement"
    example = "account statement P001 --date 2025-07-16 --key rex"

    account: Account
    date: (
        Annotated[
            str,
            msgspec.Meta(max_length=10),
            field("The day, as 2025-07-16; left out, the open or last one."),
        ]
        | None
    ) = None

    def look(self, venue: Venue) -> dict[str, Any]:
        return venue.statement(self.account, self.date)


class HistoryOf(AdminRequest, tag="history"):
    """An account's reports, see `framing.HistoryRequest`."""

    account: Account
    first: Seq = msgspec.field(name="from")
    count: Seq

    def look(self, venue: Venue) -> dict[str, Any]:
        return venue.history(self.account, self.first, self.count)


class BiddingList(AdminRequest, tag="biddings"):
    """Print today's biddings and their results; bids are sealed."""

    command = "bidding list"
    example = "bidding list --key rex"

    def look(self, venue: Venue) -> dict[str, Any]:
        return {"biddings": venue.biddings()}


class ApplicationList(AdminRequest, tag="bidding_applications"):
    """Print all applications, and until when to review them."""

    command = "bidding applications"
    example = "bidding applications --key rex"

    def look(self, venue: Venue) -> dict[str, Any]:
        return {"applications": venue.day.applications()}


class SessionList(AdminRequest, tag="sessions"):
    """Print who is logged on."""

    command = "session list"
    example = "session list"

    def look(self, venue: Venue) -> dict[str, Any]:
        return venue.sessions()


class ProposalList(AdminRequest, tag="proposals"):
    """Print what waits for a second operator."""

    command = "proposal list"
    example = "proposal list --key bo"

    def look(self, venue: Venue) -> dict[str, Any]:
        return {"proposals": venue.proposals.listed()}


class ActRequest(AdminRequest, kw_only=True):
    """Base of what only an operator may do."""

    roles = OPERATORS
    is_look = False

    why: Why = ""

    def act(self, venue: Venue, by: Operator) -> dict[str, Any]:
        """Do it; return what is told beside where the venue stands then.

        Raises
        ------
        FrameError
            It is refused; nothing was changed.
        """
        venue.run(self.command_of(venue), by, self.why)
        return {}

    def command_of(self, venue: Venue) -> control.Act | None:
        """Return the command that it means; None if it is done already."""
        raise NotImplementedError

    def prepared(self, venue: Venue, by: Operator) -> Prepared:
        """Return what a second person is to agree to, looked at beforehand."""
        raise NotImplementedError


# -- the day and the daemon -----------------------------------------------------------------------


class ClockMove(ActRequest, tag="clock"):
    """Move a manual clock, with what falls due on the way; confirm a doubted system's clock."""

    command = "clock move"
    example = "clock move 2025-07-16T09:30:00+08:00"

    at: Annotated[str, field("ISO 8601 time with offset.")]

    def act(self, venue: Venue, by: Operator) -> dict[str, Any]:
        venue.day.clock_move(self.at)
        return {}


class PhaseChange(ActRequest, tag="phase"):
    """Set the phase of the open day."""

    command = "day phase"
    example = 'day phase break --why "early lunch"'

    phase: Annotated[str, field("pre_open, listed, break, listed_and_block, closed.")]

    def command_of(self, venue: Venue) -> control.Act:
        if self.phase.upper() not in Phase.__members__:
            names = ", ".join(member.name.lower() for member in Phase)
            raise FrameError(
                VenueRefusal.CHOICE_UNKNOWN, expected=names, got=self.phase, where="phase"
            )
        return control.PhaseSet(phase=Phase[self.phase.upper()])


class OpenDay(ActRequest, tag="open_day"):
    """Open a trading day, whatever the calendar says; where the clock runs, none after today."""

    command = "day open"
    example = "day open 2025-07-16"

    date: Annotated[str, field("Date, as 2025-07-16.")]

    def command_of(self, venue: Venue) -> control.Act | None:
        return venue.day.open_day(self.date)


class CloseDay(ActRequest, tag="close_day"):
    """Close the trading day."""

    command = "day close"
    example = "day close"

    def command_of(self, venue: Venue) -> control.Act | None:
        return venue.day.close_day()


class Disconnect(ActRequest, tag="disconnect"):
    """End the sessions of a key or an account and cancel their orders; they may log on again."""

    command = "session end"
    example = "session end P001"

    who: Annotated[control.Name, field("A public key, or an account.")]

    def act(self, venue: Venue, by: Operator) -> dict[str, Any]:
        return {"ended": venue.orders.disconnect(self.who)}


class KeyRestore(ActRequest, tag="key_restore"):
    """Admit a key again that was cut off because fronts ended where it was.

    `venue status` names those (`keys_cut_off`); ask the key's holder first.
    """

    command = "key readmit"
    example = 'key readmit "$(cat keys/p001.public)"'

    key: Annotated[control.Name, field("The public key that was cut off.", name="public_key")]

    def act(self, venue: Venue, by: Operator) -> dict[str, Any]:
        if not venue.key_restore(self.key):
            raise FrameError(
                VenueRefusal.KEY_NOT_CUT_OFF,
                expected="a key that is cut off",
                got=self.key,
                where="key",
            )
        return {}


class Stop(ActRequest, tag="stop"):
    """End the daemon."""

    command = "stop"
    example = "stop"

    def act(self, venue: Venue, by: Operator) -> dict[str, Any]:
        venue.stop()
        return {}


# -- accounts and products ------------------------------------------------------------------------


class Halt(ActRequest, tag="halt"):
    """Halt a product, or the market."""

    command = "market halt"
    example = 'market halt CEA24 --why "news awaited"'
    aliases = ("halt",)

    product: WholeMarket = None

    def command_of(self, venue: Venue) -> control.Act:
        venue.product_check(self.product)
        return control.Halt(product=self.product)


class Resume(ActRequest, tag="resume"):
    """Lift the halt of a product, or of the market."""

    command = "market resume"
    example = "market resume CEA24"
    aliases = ("resume",)

    product: WholeMarket = None

    def command_of(self, venue: Venue) -> control.Act:
        venue.product_check(self.product)
        return control.Resume(product=self.product)


class Suspend(ActRequest, tag="suspend"):
    """Suspend an account: its orders are cancelled, it may only receive."""

    command = "account suspend"
    example = 'account suspend P001 --why "court order 12"'

    account: Account
    why: WhyOf

    def command_of(self, venue: Venue) -> control.Act:
        venue.account_index(self.account)
        return control.Suspend(account=self.account)


class Restore(ActRequest, tag="restore"):
    """Let a suspended or killed account trade again."""

    command = "account reinstate"
    example = "account reinstate P001"

    account: Account

    def command_of(self, venue: Venue) -> control.Act:
        venue.account_index(self.account)
        venue.holder_check(self.account)
        return control.Restore(account=self.account)


class Kill(ActRequest, tag="kill"):
    """Kill switch: cancel an account's orders and suspend it; or everybody's, and halt all."""

    command = "kill"
    example = 'kill P001 --why "runaway program"'

    account: Annotated[control.Name | None, field("Account.", is_option=False)] = None
    market: Annotated[bool, field("Everybody, and halt.", name="--market")] = False
    why: WhyOf

    def command_of(self, venue: Venue) -> control.Act:
        # A name that was forgotten must not end everybody's orders.
        if (self.account is None) != self.market:
            got = "both" if self.market else "neither"
            raise FrameError(
                VenueRefusal.BAD_REQUEST,
                expected="an account, or the market",
                got=got,
                where="kill",
            )
        if self.account is not None:
            venue.account_index(self.account)
        return control.Kill(account=self.account)


class ReferencePrice(ActRequest, tag="reference_price"):
    """Measure a product's band from another price, before the day's first listed phase."""

    command = "product reference-price"
    example = 'product reference-price CEA24 97.49 --why "split"'

    product: Product
    price: Price
    why: WhyOf

    def command_of(self, venue: Venue) -> control.Act:
        venue.before_listed_check(self.product, "reference_price")
        return control.ReferencePriceSet(product=self.product, price=self.price)


class ListProduct(ActRequest, tag="list"):
    """Let a product be traded, before the day's first listed phase or while no day is open.

    The registry declares products; one that was delisted, or that a notice lists later only, is
    listed by this.
    """

    command = "product admit"
    example = 'product admit CEA26 81.50 --why "announcement of 12 May"'

    product: Product
    price: Price
    why: WhyOf

    def command_of(self, venue: Venue) -> control.Act:
        venue.before_listed_check(self.product, "list")
        return control.ProductList(product=self.product, price=self.price)


class ConfirmListing(ActRequest, tag="confirm_listing"):
    """Confirm a product's first listing: traded from the next trading day on.

    At the price that who first transferred it in has declared, and not before the day that he
    named. Where the profile has listings confirmed; the status shows those that wait.
    """

    command = "product confirm"
    example = 'product confirm CCER-01-002-0001-2024 --why "papers in order"'

    product: Product
    why: WhyOf

    def command_of(self, venue: Venue) -> control.Act:
        venue.product_check(self.product)
        return control.ListingConfirmed(product=self.product)


class DelistProduct(ActRequest, tag="delist"):
    """Let a product be traded no more: what is open of it ends, holdings stay and may leave."""

    command = "product delist"
    example = 'product delist CEA19-20 --why "carried over"'

    product: Product
    why: WhyOf

    def command_of(self, venue: Venue) -> control.Act:
        venue.product_check(self.product)
        return control.ProductDelist(product=self.product)


# -- biddings -------------------------------------------------------------------------------------


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
    """Approve an application, or refuse it with a reason."""

    command = "bidding review"
    example = 'bidding review B1 --refuse --why "holdings"'

    bidding: Bidding
    approve: Annotated[bool, field("The decision.", name="--approve/--refuse")]

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
    """Announce a bidding of today; its applicant's allowances, or cash, are locked.

    The limit is the least who applied sells at, or with ``--side buy`` the most it pays. The
    reserve price is told to nobody.
    """

    command = "bidding open"
    example = (
        "bidding open B1 P001 CEA24 200000 87.74"
        " --opens-at 2025-07-16T10:30:00+08:00 --closes-at 2025-07-16T11:00:00+08:00"
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

    def act(self, venue: Venue, by: Operator) -> dict[str, Any]:
        super().act(venue, by)
        venue.announced_check(self.bidding)
        return {}

    def command_of(self, venue: Venue) -> control.Act:
        return venue.bidding_notice(self)


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


# -- what takes two persons -----------------------------------------------------------------------


class Bust(ActRequest, tag="bust"):
    """Propose to undo a trade; prints the number that another operator approves."""

    second = Second.OPERATOR
    command = "trade bust"
    example = 'trade bust 4711 --why "wrong price by agreement" --key an'

    trade_id: Annotated[Seq, field("The trade's number.")]
    why: WhyOf

    def prepared(self, venue: Venue, by: Operator) -> Prepared:
        return venue.bust_prepared(self.trade_id, by, self.why)


class CashPayIn(ActRequest, tag="cash_pay_in", kw_only=True):
    """Propose to book what the exchange's bank took in, where the exchange settles the cash."""

    second = Second.OPERATOR
    command = "cash pay-in"
    example = "cash pay-in P001 1000.00 BK2026030200017 --key an"

    account: Account
    cash: Cash
    reference: BankReference
    why: Why = ""

    def prepared(self, venue: Venue, by: Operator) -> Prepared:
        return venue.cash_prepared(control.CashPaidIn, self, by)


class CashPayOut(ActRequest, tag="cash_pay_out", kw_only=True):
    """Propose to book what the exchange's bank paid out; today's proceeds stay until tomorrow."""

    second = Second.OPERATOR
    command = "cash pay-out"
    example = "cash pay-out P001 1000.00 BK2026030200018 --key an"

    account: Account
    cash: Cash
    reference: BankReference
    why: Why = ""

    def prepared(self, venue: Venue, by: Operator) -> Prepared:
        return venue.cash_prepared(control.CashPaidOut, self, by)


class CashCorrect(ActRequest, tag="cash_correct"):
    """Propose what cash an account has whose records differ, where the exchange settles it.

    Market and book say so from then on, and the book keeps it as a correction; `cash reconcile`
    shows which accounts differ. No day opens before they agree.
    """

    second = Second.OPERATOR
    command = "cash correct"
    example = 'cash correct P001 1000.00 --why "bank file of 2 March was read twice" --key an'

    account: Account
    cash: Annotated[
        int, msgspec.Meta(ge=0, le=2**62), field("Yuan that it has, as found.", typed="yuan")
    ]
    why: WhyOf

    def prepared(self, venue: Venue, by: Operator) -> Prepared:
        return venue.cash_correction_prepared(self, by)


# -- measures against accounts --------------------------------------------------------------------


class MeasureList(AdminRequest, tag="measures"):
    """Print the measures that were taken against accounts, and which are in force."""

    command = "measure list"
    example = "measure list --key rex"

    public: Annotated[bool, field("What the public is told.", name="--public")] = False

    def look(self, venue: Venue) -> dict[str, Any]:
        return {"measures": venue.measures(public=self.public)}


class MeasureTake(ActRequest, tag="measure_take", kw_only=True):
    """Take a measure of the steps 0 to 5: watched, called, report due, pledge, warned, named."""

    command = "measure take"
    example = 'measure take P001 2 --case 2025-17 --why "order 4711 and its like"'

    account: Account
    step: LowStep
    case: Case
    ends: Ends = None
    starts: Starts = None
    why: WhyOf

    def command_of(self, venue: Venue) -> control.Act:
        return venue.measure_of(self, self.step, ())


class MeasureRestrict(ActRequest, tag="measure_restrict", kw_only=True):
    """Propose to keep an account from purchases, sales, taking tonnes or cash out, each alone."""

    second = Second.OPERATOR
    command = "measure restrict"
    example = (
        'measure restrict P001 --purchases --cash-out --case 2025-17 --until 2025-08-29 --why "x" '
        "--key an"
    )

    account: Account
    purchases: Annotated[bool, field("From new purchases.", name="--purchases")] = False
    sales: Annotated[bool, field("From new sales.", name="--sales")] = False
    tonnes_out: Annotated[bool, field("From taking tonnes out.", name="--tonnes-out")] = False
    cash_out: Annotated[bool, field("From taking cash out.", name="--cash-out")] = False
    case: Case
    ends: Ends = None
    starts: Starts = None
    why: WhyOf

    def prepared(self, venue: Venue, by: Operator) -> Prepared:
        names = get_args(control.Barred)
        barred = tuple(name for name in names if getattr(self, name))
        what = f"keep {self.account} from {', '.join(barred) or 'nothing'}, case {self.case}"
        return venue.measure_prepared(venue.measure_of(self, STEP_RESTRICTS, barred), what, by)


class MeasureSuspend(ActRequest, tag="measure_suspend", kw_only=True):
    """Propose to suspend an account by a measure, which is reported to the ministry."""

    second = Second.OPERATOR
    command = "measure suspend"
    example = 'measure suspend P001 --case 2025-17 --why "under investigation" --key an'

    account: Account
    case: Case
    ends: Ends = None
    starts: Starts = None
    why: WhyOf

    def prepared(self, venue: Venue, by: Operator) -> Prepared:
        what = f"suspend {self.account}, case {self.case}"
        return venue.measure_prepared(venue.measure_of(self, STEP_SUSPENDS, ()), what, by)


class MeasureLift(ActRequest, tag="measure_lift", kw_only=True):
    """Propose to end a measure before its day."""

    second = Second.OPERATOR
    command = "measure lift"
    example = 'measure lift 3 --why "explained" --key an'

    measure: Annotated[Seq, field("The measure's number.")]
    why: WhyOf

    def prepared(self, venue: Venue, by: Operator) -> Prepared:
        act = control.MeasureLifted(measure=self.measure, why=self.why)
        return venue.measure_prepared(act, f"lift measure {self.measure}", by)


# -- market adjustment ----------------------------------------------------------------------------


class AdjustmentList(AdminRequest, tag="adjustments"):
    """Print by which accounts the authority adjusts the market, and all that was done."""

    command = "adjustment list"
    example = "adjustment list --key rex"

    def look(self, venue: Venue) -> dict[str, Any]:
        return venue.adjustments()


class AdjustmentAccount(ActRequest, tag="adjustment_account"):
    """Propose an account by which the authority adjusts the market; no key may trade by it."""

    second = Second.OPERATOR
    command = "adjustment account"
    example = 'adjustment account RESERVE --why "order of the ministry" --key an'

    account: Account
    why: WhyOf

    def prepared(self, venue: Venue, by: Operator) -> Prepared:
        act = control.AdjustmentAccountNamed(account=self.account, why=self.why)
        return venue.adjustment_prepared(act, f"adjust the market by {self.account}", by)


class MarketAdjust(ActRequest, tag="market_adjust", kw_only=True):
    """Propose to sell from the reserve, to buy, or to release at a fixed price."""

    second = Second.OPERATOR
    command = "adjustment act"
    example = (
        "adjustment act RESERVE sale bidding CEA24 500000 97.49 --trigger hubei_limit_closes "
        '--why "six limit closes" --key an'
    )

    account: Account
    kind: Annotated[control.AdjustmentKind, field("sale, purchase or release.")]
    method: Annotated[control.AdjustmentMethod, field("bidding, listed or block.")]
    product: Product
    tonnes: Annotated[Seq, field("Tonnes.")]
    price: Price
    trigger: Annotated[control.Name, field("The trigger that stands.", is_option=True)]
    closes_at: (
        Annotated[str, field("When a bidding ends, ISO 8601 with offset.")] | None
    ) = None
    reserve_price: Annotated[
        control.Reserve, field("Of a bidding, told to nobody.", typed="price", name="--reserve")
    ] = 0
    why: WhyOf

    def prepared(self, venue: Venue, by: Operator) -> Prepared:
        venue.product_check(self.product)
        act = control.MarketAdjusted(
            adjustment=len(venue.adjustments()["adjustments"]) + 1,
            account=self.account,
            kind=self.kind,
            method=self.method,
            product=self.product,
            tonnes=self.tonnes,
            price=self.price,
            trigger=self.trigger,
            closes_at=venue.time_ns(self.closes_at, "closes_at"),
            reserve_price=self.reserve_price,
            why=self.why,
        )
        what = (
            f"{self.kind} of {self.tonnes} t of {self.product} at {self.price} fen by "
            f"{self.account}, {self.method}, trigger {self.trigger}"
        )
        return venue.adjustment_prepared(act, what, by)


class AdjustmentEnd(ActRequest, tag="adjustment_end"):
    """Propose to take off what is open of an act of market adjustment."""

    second = Second.OPERATOR
    command = "adjustment end"
    example = 'adjustment end 3 --why "prices are back" --key an'

    adjustment: Annotated[Seq, field("The act's number.")]
    why: WhyOf

    def prepared(self, venue: Venue, by: Operator) -> Prepared:
        act = control.AdjustmentEnded(adjustment=self.adjustment, why=self.why)
        return venue.adjustment_prepared(act, f"end market adjustment {self.adjustment}", by)


class AllocationNote(ActRequest, tag="allocation_note"):
    """Propose what an account was allocated: it may hold so much beside a joint holding limit."""

    second = Second.OPERATOR
    command = "account allocation"
    example = 'account allocation P001 2400000 --why "final allocation of 2024" --key an'

    account: Account
    tonnes: Annotated[control.Holding, field("Tonnes.")]
    why: WhyOf

    def prepared(self, venue: Venue, by: Operator) -> Prepared:
        venue.account_index(self.account)
        act = control.AllocationNoted(account=self.account, tonnes=self.tonnes, why=self.why)
        return venue.adjustment_prepared(act, f"{self.account} was allocated {self.tonnes} t", by)


class Override(ActRequest, tag="override"):
    """Propose to open the next day without the registry's confirmation of the last."""

    second = Second.OPERATOR
    command = "day override"
    example = 'day override --why "registry back at noon" --key an'

    why: WhyOf

    def prepared(self, venue: Venue, by: Operator) -> Prepared:
        date = venue.day.unconfirmed_date()
        what = f"open the day after {date} without the registry's confirmation"

        def carry_out(second: Operator) -> dict[str, Any]:
            venue.day.override(date, by=by.name, second=second.name, why=self.why)
            return {"what": what}

        return Prepared(what, carry_out)


class Approve(ActRequest, tag="approve"):
    """Agree to another operator's proposal, with a key of your own; it happens at once."""

    command = "proposal approve"
    example = "proposal approve 831442 --key bo"

    number: Number
    request_hash: Annotated[
        str | None, field("What was seen (request_hash): another one is refused.", name="--hash")
    ] = None

    def act(self, venue: Venue, by: Operator) -> dict[str, Any]:
        return venue.proposals.carry_out(self.number, by, self.request_hash)


class Reject(ActRequest, tag="reject"):
    """Take a proposal away."""

    command = "proposal reject"
    example = "proposal reject 831442 --key bo"

    number: Number

    def act(self, venue: Venue, by: Operator) -> dict[str, Any]:
        return {"what": venue.proposals.reject(self.number, by, self.why).what}


VENUE_REQUESTS: Requests[AdminRequest] = Requests(requests_in(sys.modules[__name__]))
