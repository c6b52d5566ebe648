"""Answers what comes over the simulated bank's socket, and loses answers as was drawn."""

from collections.abc import Callable, Mapping
from typing import Any

import structlog

from cea_exchange.control_plane.answers import Answer, Refusal
from cea_exchange.control_plane.requests import RequestUnread
from cea_exchange.control_plane.service import Service
from cea_exchange.protocol.operators import Operator
from cea_exchange.registry.bank.requests import (
    BANK_REQUESTS,
    BankRequest,
    PayIn,
    Withdraw,
)
from cea_exchange.simulators.bank.books import BankBooks
from cea_exchange.simulators.bank.faults import FaultRates, is_answer_lost, is_restart

ERROR_CHARACTERS_MAX = 16_000

log = structlog.get_logger()


class AnswerLost(Exception):
    """What was asked was done, and nobody is told."""


class BankService(Service[Operator, BankRequest]):
    """The simulated bank's side of every request.

    Parameters
    ----------
    books
        Acted upon.
    persons
        Who a key stands for: the customer, and operators.
    seed, rates
        What goes wrong is drawn from them.
    restart
        Called where it was drawn that the bank ends.
    unread
        Told of what is no request: key, why.
    """

    def __init__(
        self,
        books: BankBooks,
        persons: Mapping[str, Operator],
        *,
        seed: int,
        rates: FaultRates,
        restart: Callable[[], None],
        unread: Callable[[str, str], None],
    ) -> None:
        super().__init__(BANK_REQUESTS)
        self._books = books
        self._persons = persons
        self._seed, self._rates = seed, rates
        self._restart = restart
        self._unread = unread

    # -- the service ------------------------------------------------------------------------------

    def person_of(self, key: str) -> Operator:
        """Return who a key stands for; the door lets nobody else in."""
        return self._persons[key]

    def named(self, person: Operator) -> str:
        """Return how the log names somebody."""
        return person.key

    def role_refusal(self, person: Operator, request: BankRequest) -> ValueError:
        """Return what a role that may not ask something is told."""
        return ValueError(f"{request.op}: role must be operator, {person.name} is {person.role}")

    def look(self, person: Operator, request: BankRequest) -> dict[str, Any]:
        """Answer what changes nothing."""
        return request.act(self)

    def act(self, person: Operator, request: BankRequest) -> dict[str, Any]:
        """Do what is asked."""
        return request.act(self)

    def refusal(self, error: Exception, by: str, request: BankRequest | None) -> Answer:
        """Return the answer to what was refused; a lost answer and a full memory are no answer."""
        match error:
            case AnswerLost() | MemoryError():
                raise error
            case RequestUnread():
                self._unread(by, str(error))
                why = str(error)
            case ValueError():
                log.warning("request_refused", error=str(error))
                why = str(error)
            case _:
                # Whatever one peer says, others are served; the transaction was taken back.
                log.error("request_broke", exc_info=error)
                why = f"nothing was done: {type(error).__name__}"
        return Answer({}, Refusal(why=why[:ERROR_CHARACTERS_MAX]))

    # -- what requests do -------------------------------------------------------------------------

    def batch_take(self, content: bytes) -> bytes:
        """Take a batch; the answer to a new one may get lost, with the bank or without it."""
        report, new_batch_id = self._books.batch_take(content)
        if new_batch_id is None:
            return report
        if is_restart(self._seed, new_batch_id, self._rates):
            log.info("restart_drawn", batch_id=new_batch_id)
            self._restart()
            raise AnswerLost
        if is_answer_lost(self._seed, new_batch_id, self._rates):
            log.info("answer_lost", batch_id=new_batch_id)
            raise AnswerLost
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
