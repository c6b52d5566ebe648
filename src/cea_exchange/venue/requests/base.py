"""What operators' requests to a venue have in common: fields, and what they ask of it."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal, Protocol

import msgspec

from cea_exchange.control_plane.fields import field
from cea_exchange.control_plane.maker_checker import Prepared
from cea_exchange.control_plane.requests import Request
from cea_exchange.domain.documents import cases
from cea_exchange.domain.profile_fields import TIME_FORM
from cea_exchange.protocol import control
from cea_exchange.protocol.operators import Operator

LOOKERS: tuple[str, ...] = ("operator", "regulator")
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
    def clock_stated(self, text: str) -> Callable[[str, str], None]: ...
    def application(self, request: Any) -> control.BiddingApplied: ...
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
    def holder_check(self, account: str) -> None: ...
    def product_check(self, name: str | None) -> None: ...
    def before_listed_check(self, product: str, what: str) -> None: ...
    def review_check(self, bidding: str, by: Operator) -> None: ...
    def bidding_end_check(self, bidding: str, *, must_be_open: bool) -> None: ...
    def block_word_check(self, block_id: int, *, confirms: bool) -> None: ...
    def run(self, act: control.Act | None, by: Operator, why: str) -> None: ...
    def stop(self) -> None: ...
    def hand_over(self, node: str, /) -> None: ...
    def key_restore(self, key: str, /) -> bool: ...
    def bidding_prepared(self, request: Any, by: Operator) -> Prepared: ...
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
    def case_rows(self) -> list[dict[str, Any]]: ...
    def case_shown(self, name: str) -> dict[str, Any]: ...
    def case_enter(
        self, name: str, bodies: Sequence[cases.AnyBody], by: Operator, why: str
    ) -> dict[str, Any]: ...
    def case_prepared(
        self, name: str, body: cases.AnyBody, what: str, by: Operator, why: str
    ) -> Prepared: ...
    def penalty_of(self, request: Any) -> cases.PenaltyComputed: ...
    def bust_prepared(self, trade_id: int, by: Operator, why: str) -> Prepared: ...
    def cash_prepared(
        self, kind: type[CashAct], request: Any, by: Operator
    ) -> Prepared: ...
    def cash_correction_prepared(self, request: Any, by: Operator) -> Prepared: ...


class AdminRequest(Request):
    """Base of what only looks; whoever has a key here may."""

    roles = LOOKERS
    is_look = True

    def look(self, venue: Venue) -> dict[str, Any]:
        """Return the answer's fields."""
        raise NotImplementedError


class ActRequest(AdminRequest, kw_only=True):
    """Base of what only an operator may do."""

    roles = OPERATORS
    is_look = False

    why: Why = ""

    def act(self, venue: Venue, by: Operator) -> dict[str, Any]:
        """Do it; return the answer's fields beside where the venue stands then.

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
