"""The simulated bank as a process: one ROUTER, one thread, one database.

The registry, its customer, sends batches and asks for statements; an operator may also pay in,
withdraw and ask for the truth, as participants and tests do.
"""

import json
import os
import time
from pathlib import Path
from typing import Any, Self

import msgspec
import structlog
import zmq

from cea_exchange.domain.refusals import BankRefusal
from cea_exchange.protocol.control import DECODE_ERRORS
from cea_exchange.protocol.operators import OperatorSetting, operators_by_key
from cea_exchange.protocol.refusal import refused
from cea_exchange.protocol.security import (
    AllowList,
    CurveKeys,
    SecurityError,
    StrangerTest,
    public_key_load,
    server_socket,
)
from cea_exchange.protocol.settings import Address
from cea_exchange.registry.bank import requests
from cea_exchange.registry.bank.simulator.books import BankActError, BankBooks
from cea_exchange.registry.bank.simulator.faults import FaultRates, is_answer_lost, is_restart
from cea_exchange.control_plane.door import HIGH_WATER_MARK, Door, Message, UnreadableCount
from cea_exchange.registry.bank.xml_reading import BankFileError

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
        self._quit = False
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
        self._context = zmq.Context()
        self._allow_list = AllowList(self._context)
        self._allow_list.allow(DOMAIN, {customer, *self._admins}.__contains__)
        self._stranger_test = StrangerTest(keys.public)
        self._socket: zmq.Socket | None = None
        self._door: Door | None = None
        self._unreadable = UnreadableCount(DOMAIN, log.warning)
        try:
            self._socket, endpoint = server_socket(
                self._allow_list,
                self._context,
                zmq.ROUTER,
                domain=DOMAIN,
                keys=keys,
                address=config.address,
                high_water_mark=HIGH_WATER_MARK,
                message_bytes_max=requests.BANK_MESSAGE_BYTES_MAX,
            )
            self._door = Door(
                self._socket, DOMAIN, requests.BANK_MESSAGE_BYTES_MAX, tell=log.warning
            )
            self._stranger_test.add(endpoint, zmq.ROUTER)
        except SecurityError:
            self.close()
            raise
        _endpoints_write(data / "bank" / "endpoints.json", {"bank": endpoint})
        log.info("bank_started", endpoint=endpoint, seed=seed)

    def close(self) -> None:
        """Close sockets and books."""
        self._stranger_test.close()
        if self._door is not None:
            self._door.close()
        if self._socket is not None:
            self._socket.close()
        self._allow_list.close()
        self._context.term()
        self._books.close()
        log.info("bank_stopped")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def stop(self) -> None:
        """Make `run` return after its current turn; safe in a signal handler."""
        self._quit = True

    def run(self) -> None:
        """Serve until `stop`, or until a batch is drawn that ends the bank.

        Raises
        ------
        SecurityError
            The handler of the allow-list died, or a stranger was admitted; better to end.
        """
        while not self._quit:
            if not self._allow_list.is_running:
                raise SecurityError("allow-list: its handler has stopped")
            trouble = self._stranger_test.turn(time.monotonic())
            if trouble is not None:
                log.warning("stranger_test", error=str(trouble))
            self._socket.poll(POLL_MS)
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
                self.is_restarting = self._quit = True
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


def _endpoints_write(path: Path, endpoints: dict[str, str]) -> None:
    """Say where we listen, whole or not at all, once everything is ready."""
    draft = path.with_suffix(".json.new")
    draft.write_text(json.dumps(endpoints) + "\n", encoding="utf-8")
    os.replace(draft, path)
