"""The simulated bank as a state machine: requests and the time go in, messages come out.

    request, who asks by key, seconds since 1970
        --> Answer    content: to be sent, None where it is lost
                      is_restart: the bank ends before it answers

It knows no socket and no clock; its books are one SQLite database.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from cea_exchange.domain.refusals import BankRefusal
from cea_exchange.protocol.operators import Operator
from cea_exchange.simulators.bank.books import BankBooks
from cea_exchange.simulators.bank.faults import FaultRates
from cea_exchange.simulators.bank.service import AnswerLost, BankService


class Answer(NamedTuple):
    """What comes of a request.

    Attributes
    ----------
    content
        The message to send back; None where the answer gets lost.
    unreadable
        Why it was no request; empty if it was one.
    is_restart
        Whether the bank ends now, with the request carried out and not answered.
    """

    content: bytes | None
    unreadable: str = ""
    is_restart: bool = False


class BankMachine:
    """The bank without its sockets.

    Parameters
    ----------
    path
        Of the books; made if they are not there.
    persons
        Who a key stands for: the customer, and operators, who may also pay in, withdraw and see
        the truth.
    seed, faults
        What goes wrong is drawn from them.
    """

    def __init__(
        self, path: Path | str, persons: Mapping[str, Operator], seed: int, faults: FaultRates
    ) -> None:
        self._now_s = 0
        self.books = BankBooks(path, seed, faults, clock=lambda: self._now_s)
        self._service = BankService(self.books, persons, seed, faults)

    def close(self) -> None:
        """Close the books."""
        self.books.close()

    def take(self, payload: bytes, *, key: str, now_s: int) -> Answer:
        """Carry out a request, or say why not.

        Parameters
        ----------
        key
            Whose request it is.
        now_s
            The time in whole seconds since 1970, for messages.
        """
        self._now_s = now_s
        try:
            answer = self._service.reply(key, payload).answer
        except AnswerLost as lost:
            return Answer(None, is_restart=lost.is_restart)
        refusal = answer.refusal
        is_unread = refusal is not None and refusal.code == BankRefusal.BAD_REQUEST.name
        return Answer(
            msgspec.msgpack.encode(answer.by_ok()),
            unreadable=refusal.sentence() if refusal is not None and is_unread else "",
        )
