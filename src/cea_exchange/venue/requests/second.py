"""Requests that a second operator approves: busts, cash, a clock, an override; and the approval."""

from typing import Annotated, Any

import msgspec

from cea_exchange.control_plane.fields import field
from cea_exchange.control_plane.maker_checker import Prepared, Second
from cea_exchange.protocol import control
from cea_exchange.protocol.operators import Operator
from cea_exchange.venue.requests.base import (
    Account,
    ActRequest,
    BankReference,
    Cash,
    Number,
    Seq,
    Venue,
    Why,
    WhyOf,
)


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


class ClockConfirm(ActRequest, tag="clock_confirm"):
    """Propose to believe the system's clock, which `venue status` says is doubted.

    It must say the time that is given, within five minutes, and have gone on from it as the machine
    ran when the second person agrees.
    """

    second = Second.OPERATOR
    command = "clock confirm"
    example = 'clock confirm 2025-07-16T09:30:00+08:00 --why "back from repair" --key an'

    at: Annotated[str, field("The time it is: ISO 8601 with offset.")]

    def prepared(self, venue: Venue, by: Operator) -> Prepared:
        believe = venue.day.clock_stated(self.at)
        what = f"believe the system's clock, which says it is {self.at}"

        def carry_out(second: Operator) -> dict[str, Any]:
            believe(by.name, second.name)
            return {"what": what}

        return Prepared(what, carry_out)


class Approve(ActRequest, tag="approve"):
    """Agree to another operator's proposal, with a key of your own; it happens at once."""

    command = "proposal approve"
    example = "proposal approve 831442 --hash HASH --key bo"

    number: Number
    request_hash: Annotated[
        str | None,
        field(
            "Hash of the proposal that you have read (request_hash); at a terminal you are asked.",
            name="--hash",
        ),
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
