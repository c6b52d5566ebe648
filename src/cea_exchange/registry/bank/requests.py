"""Requests that a bank's socket takes, a struct each; see `control_plane.requests`."""

import sys
from typing import Annotated, Any, Protocol

import msgspec

from cea_exchange.control_plane import requests as control_plane
from cea_exchange.control_plane.fields import field
from cea_exchange.control_plane.requests import Requests, requests_in

BANK_MESSAGE_BYTES_MAX = 256 << 20
"""A day's statement of all sub-accounts is one message."""

CUSTOMER = "customer"
"""The registry."""
OPERATOR = "operator"

Sequence = Annotated[int, msgspec.Meta(ge=1, le=2**31)]
"""Of a day's statements."""
SubAccount = Annotated[str, field("Sub-account.")]
Cash = Annotated[int, field("Yuan, such as 1000.00.", typed="yuan")]
Day = Annotated[int, field("The bank's day", typed="date", name="day")]
PaymentId = Annotated[str, field("The same counts once; left out, a new one.", typed="new_id")]


class Bank(Protocol):
    """What a request is carried out by."""

    def batch_take(self, content: bytes) -> bytes:
        """Take a batch, a pain.001; return a pain.002."""

    def status_report(self, batch_id: str) -> bytes:
        """Return how a batch's instructions stand by now, a pain.002."""

    def statement(self, business_date: int, sequence: int) -> bytes:
        """Return a day's statement, a camt.053."""

    def account_open(self, account: str) -> None:
        """Open a sub-account, if it is not open."""

    def payment_take(self, payment: "PayIn | Withdraw") -> None:
        """Book what a participant pays in or withdraws."""

    def truth(self) -> dict[str, Any]:
        """Return what is really so."""


class BankRequest(control_plane.Request):
    """Base of every request; every answer has ``ok``, and ``code`` and ``error`` where not."""

    def act(self, bank: Bank) -> dict[str, Any]:
        """Carry it out; return the answer's fields.

        Raises ValueError: it is refused; nothing was changed.
        """
        raise NotImplementedError


class SendBatch(BankRequest, tag="batch"):
    """Take a batch, a pain.001; the answer's ``content`` is a pain.002."""

    roles = (CUSTOMER, OPERATOR)

    content: bytes

    def act(self, bank: Bank) -> dict[str, Any]:
        return {"content": bank.batch_take(self.content)}


class AskStatus(BankRequest, tag="status"):
    """How a batch's instructions stand by now; ``content`` is a pain.002."""

    roles = (CUSTOMER, OPERATOR)
    is_look = True

    batch_id: str

    def act(self, bank: Bank) -> dict[str, Any]:
        return {"content": bank.status_report(self.batch_id)}


class AskStatement(BankRequest, tag="statement"):
    """The day's statement of that sequence, made now if it is the next; a camt.053."""

    roles = (CUSTOMER, OPERATOR)

    business_date: int
    sequence: Sequence = 1

    def act(self, bank: Bank) -> dict[str, Any]:
        return {"content": bank.statement(self.business_date, self.sequence)}


class OpenAccount(BankRequest, tag="open_account"):
    """Open sub-accounts at the simulated bank: each participant's, the fees' and the reserve's."""

    roles = (CUSTOMER, OPERATOR)
    command = "account open"
    example = "account open P001 P002 SUB-FEES SUB-RESERVE"

    account: Annotated[str, field("Which sub-accounts.", typed="each")]

    def act(self, bank: Bank) -> dict[str, Any]:
        bank.account_open(self.account)
        return {"account": self.account}


class Payment(BankRequest):
    """Cash that comes or goes without an instruction; the same `payment_id` counts once."""

    roles = (OPERATOR,)

    payment_id: PaymentId
    account: SubAccount
    cash: Cash
    business_date: Day

    def act(self, bank: Bank) -> dict[str, Any]:
        bank.payment_take(self)  # type: ignore[arg-type]
        answer = ("payment_id", "account", "cash", "business_date")
        return {name: getattr(self, name) for name in answer}


class PayIn(Payment, tag="pay_in"):
    """Pay into a sub-account, as a participant does at the bank; its next statement shows it."""

    command = "account pay-in"
    example = "account pay-in P001 1000.00 2025-07-16"

    reference: Annotated[
        str | None, field("As whose pay-in it counts; left out, the sub-account's.")
    ] = None


class Withdraw(Payment, tag="withdraw"):
    """Take cash out of a sub-account, as nobody has instructed; its next statement shows it."""

    command = "account withdraw"
    example = "account withdraw P001 1.00 2025-07-16"

    reference: Annotated[str, field("What the statement says of it.")] = ""


class AskTruth(BankRequest, tag="truth"):
    """Print the simulated bank's sub-accounts: as its statements have them, and as is right."""

    roles = (OPERATOR,)
    is_look = True
    command = "account list"
    example = "account list"

    def act(self, bank: Bank) -> dict[str, Any]:
        return bank.truth()


BANK_REQUESTS: Requests[BankRequest] = Requests(requests_in(sys.modules[__name__]))
