"""Answers the simulated bank's requests: who may ask what, and what was drawn to go wrong."""

from collections.abc import Mapping
from typing import Any

import structlog

from cea_exchange.control_plane.answers import Answer, Refusal
from cea_exchange.control_plane.requests import RequestUnread
from cea_exchange.control_plane.service import Service
from cea_exchange.domain.refusals import BankRefusal
from cea_exchange.protocol.bank.iso_20022.xml_reading import BankFileError
from cea_exchange.protocol.operators import Operator
from cea_exchange.registry.bank.requests import (
    BANK_REQUESTS,
    BankRequest,
    PayIn,
    Withdraw,
)
from cea_exchange.simulators.bank.books import BankActError, BankBooks
from cea_exchange.simulators.bank.faults import FaultRates, is_answer_lost, is_restart

ERROR_CHARACTERS_MAX = 16_000

log = structlog.get_logger()


class AnswerLost(Exception):
    """What was asked was done, and nobody is notified.

    Attributes
    ----------
    is_restart
        Whether the bank ends with it.
    """

    def __init__(self, *, is_restart: bool) -> None:
        super().__init__()
        self.is_restart = is_restart


class BankService(Service[Operator, BankRequest]):
    """The simulated bank's side of every request.

    Parameters
    ----------
    books
        Acted upon.
    persons
        Who a key stands for: the customer, and operators.
    seed, faults
        What goes wrong is drawn from them.
    """

    def __init__(
        self, books: BankBooks, persons: Mapping[str, Operator], seed: int, faults: FaultRates
    ) -> None:
        super().__init__(BANK_REQUESTS)
        self._books = books
        self._persons = persons
        self._seed, self._faults = seed, faults

    # -- the service ------------------------------------------------------------------------------

    def person_of(self, key: str) -> Operator:
        """Return who a key stands for; the door lets nobody else in."""
        return self._persons[key]

    def role_refusal(self, person: Operator, request: BankRequest) -> BankActError:
        """Return the refusal for a role that may not ask something."""
        return BankActError(
            BankRefusal.NOT_PERMITTED,
            f"{request.op}: expected one of {', '.join(request.roles)}, got {person.role}"
            f" {person.name}",
        )

    def look(self, person: Operator, request: BankRequest) -> dict[str, Any]:
        """Answer what changes nothing."""
        return request.act(self)

    def act(self, person: Operator, request: BankRequest) -> dict[str, Any]:
        """Do what is asked."""
        return request.act(self)

    def refusal(self, error: Exception, by: str, request: BankRequest | None) -> Answer:
        """Return the answer to what was refused; a lost answer and a full memory are no answer."""
        if isinstance(error, AnswerLost | MemoryError):
            raise error
        code, why = _code_of(error), str(error)
        if code is BankRefusal.INTERNAL:
            # Whatever one peer says, others are served; the transaction was taken back.
            log.error("request_broke", exc_info=error)
            why = f"nothing was done: {type(error).__name__}"
        elif code is not BankRefusal.BAD_REQUEST:
            log.warning("request_refused", code=code.name, error=why)
        return Answer({}, Refusal(why=why[:ERROR_CHARACTERS_MAX], code=code.name))

    # -- what requests do -------------------------------------------------------------------------

    def batch_take(self, content: bytes) -> bytes:
        """Take a batch; the answer to a new one may get lost, with the bank or without it."""
        report, new_batch_id = self._books.batch_take(content)
        if new_batch_id is not None:
            if is_restart(self._seed, new_batch_id, self._faults):
                log.info("restart_drawn", batch_id=new_batch_id)
                raise AnswerLost(is_restart=True)
            if is_answer_lost(self._seed, new_batch_id, self._faults):
                log.info("answer_lost", batch_id=new_batch_id)
                raise AnswerLost(is_restart=False)
        return report

    def status_report(self, batch_id: str) -> bytes:
        """Return how a batch's instructions stand by now."""
        return self._books.status_report(batch_id)

    def statement(self, business_date: int, sequence: int) -> bytes:
        """Return a day's statement."""
        return self._books.statement(business_date, sequence)

    def account_open(self, account: str) -> None:
        """Open a sub-account, if it is not open."""
        self._books.account_open(account)

    def payment_take(self, payment: PayIn | Withdraw) -> None:
        """Book what a participant pays in or withdraws."""
        self._books.payment_take(payment)

    def truth(self) -> dict[str, Any]:
        """Return what is really so."""
        return self._books.truth()


def _code_of(error: Exception) -> BankRefusal:
    match error:
        case RequestUnread():
            return BankRefusal.BAD_REQUEST
        case BankActError():
            return error.code
        case BankFileError():
            return BankRefusal.BATCH_UNSOUND
        case ValueError():
            return BankRefusal.VALUE_UNSOUND
    return BankRefusal.INTERNAL
