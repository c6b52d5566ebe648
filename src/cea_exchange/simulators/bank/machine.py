"""The simulated bank as a machine: a request and the time come in, what is said to it goes out.

    request, operator or customer, seconds since 1970
        --> Answer    content: to be sent, None where it is lost
                      is_restart: the bank ends before it answers

It knows no socket and no clock; its books are one SQLite database.
"""

from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import structlog

from cea_exchange.domain.refusals import BankRefusal
from cea_exchange.domain.refusals.answers import refused
from cea_exchange.protocol.control import DECODE_ERRORS
from cea_exchange.registry.bank import requests
from cea_exchange.registry.bank.iso_20022.xml_reading import BankFileError
from cea_exchange.simulators.bank.books import BankActError, BankBooks
from cea_exchange.simulators.bank.faults import FaultRates, is_answer_lost, is_restart

ERROR_CHARACTERS_MAX = 16_000

log = structlog.get_logger()


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
    seed, faults
        What goes wrong is drawn from them.
    """

    def __init__(self, path: Path | str, seed: int, faults: FaultRates) -> None:
        self._seed = seed
        self._faults = faults
        self._now_s = 0
        self._customer_decoder = msgspec.msgpack.Decoder(requests.CustomerRequest)
        self._operator_decoder = msgspec.msgpack.Decoder(requests.Request)
        self.books = BankBooks(path, seed, faults, clock=lambda: self._now_s)

    def close(self) -> None:
        """Close the books."""
        self.books.close()

    def take(self, payload: bytes, *, is_operator: bool, now_s: int) -> Answer:
        """Carry out a request, or say why not.

        Parameters
        ----------
        is_operator
            Whether an operator asks, who may also pay in, withdraw and see the truth.
        now_s
            The time in whole seconds since 1970, for messages.
        """
        self._now_s = now_s
        decoder = self._operator_decoder if is_operator else self._customer_decoder
        try:
            request = decoder.decode(payload)
        except (*DECODE_ERRORS, ValueError) as error:
            return Answer(_refusal(BankRefusal.BAD_REQUEST, str(error)), unreadable=str(error))
        try:
            return self._done(request)
        except ValueError as error:
            code = _code_of(error)
            log.warning("request_refused", code=code.name, error=str(error))
            return Answer(_refusal(code, str(error)))
        except MemoryError:
            raise
        except Exception as error:
            # Whatever one peer says, others are served; the transaction was taken back.
            log.error("request_broke", exc_info=True)
            why = f"nothing was done: {type(error).__name__}"
            return Answer(_refusal(BankRefusal.INTERNAL, why))

    def _done(self, request: requests.Request) -> Answer:
        match request:
            case requests.SendBatch():
                return self._batch_take(request.content)
            case requests.AskStatus():
                return _told(content=self.books.status_report(request.batch_id))
            case requests.AskStatement():
                content = self.books.statement(request.business_date, request.sequence)
                return _told(content=content)
            case requests.OpenAccount():
                self.books.account_open(request.account)
            case requests.PayIn() | requests.Withdraw():
                self.books.payment_take(request)
            case requests.AskTruth():
                return _told(**self.books.truth())
        return _told()

    def _batch_take(self, content: bytes) -> Answer:
        report, new_batch_id = self.books.batch_take(content)
        if new_batch_id is not None:
            if is_restart(self._seed, new_batch_id, self._faults):
                log.info("restart_drawn", batch_id=new_batch_id)
                return Answer(None, is_restart=True)
            if is_answer_lost(self._seed, new_batch_id, self._faults):
                log.info("answer_lost", batch_id=new_batch_id)
                return Answer(None)
        return _told(content=report)


def _told(**fields: Any) -> Answer:
    return Answer(msgspec.msgpack.encode({"ok": True, **fields}))


def _code_of(error: ValueError) -> BankRefusal:
    if isinstance(error, BankActError):
        return error.code
    if isinstance(error, BankFileError):
        return BankRefusal.BATCH_UNSOUND
    return BankRefusal.VALUE_UNSOUND


def _refusal(code: BankRefusal, why: str) -> bytes:
    return msgspec.msgpack.encode(refused(code, why[:ERROR_CHARACTERS_MAX]))
