"""The simulated bank as a process: one ROUTER, one thread, one database.

The registry, its customer, sends batches and asks for statements; an operator may also pay in,
withdraw and ask for the truth, as participants and tests do.
"""

import time
from pathlib import Path
from typing import Any, Self

import msgspec
import structlog

from cea_exchange.control_plane.door import Message, UnreadableCount
from cea_exchange.control_plane.host import DaemonHost
from cea_exchange.domain.refusals import BankRefusal
from cea_exchange.domain.refusals.answers import refused
from cea_exchange.protocol.control import DECODE_ERRORS
from cea_exchange.protocol.operators import OperatorSetting, operators_by_key
from cea_exchange.protocol.security import CurveKeys, SecurityError, public_key_load
from cea_exchange.protocol.settings import Address
from cea_exchange.registry.bank import requests
from cea_exchange.registry.bank.iso_20022.xml_reading import BankFileError
from cea_exchange.simulators.bank.books import BankActError, BankBooks
from cea_exchange.simulators.bank.faults import FaultRates, is_answer_lost, is_restart

POLL_MS = 200
DOMAIN = "bank"
ERROR_CHARACTERS_MAX = 16_000

log = structlog.get_logger()


class BankConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Settings of ``bank serve``; every one may be left out.

    Attributes
    ----------
    address
        Where it listens. Port 0 takes a free one, written to ``DIR/bank/endpoints.json``.
    operators
        Who may pay in, withdraw and see the truth, see `OperatorSetting`; left out, the key in
        ``DIR/keys/admin.public``.
    faults
        How often what goes wrong.
    """

    address: Address = "tcp://127.0.0.1:0"
    operators: tuple[OperatorSetting, ...] = ()
    faults: FaultRates = FaultRates()


class BankDaemon:
    """A running bank.

    Parameters
    ----------
    config
        Its settings.
    data
        The data folder, with ``keys/bank``, ``keys/registry.public`` and the operators' keys.
    seed
        What goes wrong is drawn from it.

    Raises
    ------
    SecurityError
        Nothing was bound: a key is missing, or an address can't be had.
    """

    def __init__(self, config: BankConfig, data: Path | str, seed: int) -> None:
        data = Path(data)
        self._config = config
        self._seed = seed
        self.is_restarting = False
        keys = CurveKeys.load(data / "keys", "bank")
        customer = public_key_load(data / "keys", "registry")
        operators = operators_by_key(config.operators, None, data)
        self._admins = {key for key, operator in operators.items() if operator.may_act}
        self._customer_decoder = msgspec.msgpack.Decoder(requests.CustomerRequest)
        self._admin_decoder = msgspec.msgpack.Decoder(requests.Request)
        (data / "bank").mkdir(parents=True, exist_ok=True)
        path = data / "bank" / "bank.sqlite"
        self._books = BankBooks(path, seed, config.faults, clock=lambda: int(time.time()))
        self._host = DaemonHost(keys, log)
        self._unreadable = UnreadableCount(DOMAIN, log.warning)
        try:
            self._door = self._host.door(
                DOMAIN,
                config.address,
                {customer, *self._admins}.__contains__,
                requests.BANK_MESSAGE_BYTES_MAX,
            )
        except SecurityError:
            self.close()
            raise
        self._host.endpoints_write(data / "bank" / "endpoints.json")
        log.info("bank_started", endpoint=self._host.endpoints[DOMAIN], seed=seed)

    def close(self) -> None:
        """Close sockets and books."""
        self._host.close()
        self._books.close()
        log.info("bank_stopped")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def stop(self) -> None:
        """Make `run` return after its current turn; safe in a signal handler."""
        self._host.stop()

    def run(self) -> None:
        """Serve until `stop`, or until a batch is drawn that ends the bank.

        Raises
        ------
        SecurityError
            The handler of the allow-list died, or a stranger was admitted; better to end.
        """
        self._host.run(self._turn)

    def _turn(self) -> None:
        self._host.watch(time.monotonic())
        self._host.pulse.beat(time.monotonic())
        self._host.poller.poll(POLL_MS)
        self._door.turn(time.monotonic())
        self._unreadable.turn(time.monotonic())
        message = self._door.receive()
        if message is not None:
            self._take(message)

    def _take(self, message: Message) -> None:
        is_admin = message.key in self._admins
        decoder = self._admin_decoder if is_admin else self._customer_decoder
        if len(message.frames) != 1:
            self._unreadable.note(message.key, "request must be one frame, had more")
            return
        try:
            request = decoder.decode(message.payload)
        except (*DECODE_ERRORS, ValueError) as error:
            self._unreadable.note(message.key, str(error))
            self._door.answer(message.routing_id, _refusal(BankRefusal.BAD_REQUEST, error))
            return
        try:
            answer = self._answer(request)
        except ValueError as error:
            code = _code_of(error)
            log.warning("request_refused", code=code.name, error=str(error))
            self._door.answer(message.routing_id, _refusal(code, error))
            return
        except MemoryError:
            raise
        except Exception as error:
            # Whatever one peer says, others are served; the transaction was taken back.
            log.error("request_broke", exc_info=True)
            why = f"nothing was done: {type(error).__name__}"
            self._door.answer(message.routing_id, _refusal(BankRefusal.INTERNAL, RuntimeError(why)))
            return
        if answer is not None:
            self._door.answer(message.routing_id, msgspec.msgpack.encode(answer))

    def _answer(self, request: requests.Request) -> dict[str, Any] | None:
        """Do what is asked; None where the answer gets lost."""
        match request:
            case requests.SendBatch():
                return self._batch_take(request.content)
            case requests.AskStatus():
                return {"ok": True, "content": self._books.status_report(request.batch_id)}
            case requests.AskStatement():
                content = self._books.statement(request.business_date, request.sequence)
                return {"ok": True, "content": content}
            case requests.OpenAccount():
                self._books.account_open(request.account)
            case requests.PayIn() | requests.Withdraw():
                self._books.payment_take(request)
            case requests.AskTruth():
                return {"ok": True, **self._books.truth()}
        return {"ok": True}

    def _batch_take(self, content: bytes) -> dict[str, Any] | None:
        report, new_batch_id = self._books.batch_take(content)
        if new_batch_id is not None:
            if is_restart(self._seed, new_batch_id, self._config.faults):
                log.info("restart_drawn", batch_id=new_batch_id)
                self.is_restarting = True
                self.stop()
                return None
            if is_answer_lost(self._seed, new_batch_id, self._config.faults):
                log.info("answer_lost", batch_id=new_batch_id)
                return None
        return {"ok": True, "content": report}


def _code_of(error: ValueError) -> BankRefusal:
    if isinstance(error, BankActError):
        return error.code
    if isinstance(error, BankFileError):
        return BankRefusal.BATCH_UNSOUND
    return BankRefusal.VALUE_UNSOUND


def _refusal(code: BankRefusal, error: Exception) -> bytes:
    return msgspec.msgpack.encode(refused(code, str(error)[:ERROR_CHARACTERS_MAX]))
