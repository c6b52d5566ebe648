"""The simulated bank as a process: one ROUTER and one thread around its machine.

The registry, its customer, sends batches and asks for statements; an operator may also pay in,
withdraw and ask for the truth, as participants and tests do.
"""

import json
import os
import time
from pathlib import Path
from typing import Self

import msgspec
import structlog
import zmq

from cea_exchange.control_plane.door import HIGH_WATER_MARK, Door, Message, UnreadableCount
from cea_exchange.protocol.operators import OperatorSetting, operators_by_key
from cea_exchange.protocol.security import (
    AllowList,
    CurveKeys,
    SecurityError,
    StrangerTest,
    public_key_load,
    server_socket,
)
from cea_exchange.protocol.settings import Address
from cea_exchange.registry.bank.requests import BANK_MESSAGE_BYTES_MAX
from cea_exchange.simulators.bank.faults import FaultRates
from cea_exchange.simulators.bank.machine import BankMachine

POLL_MS = 200
DOMAIN = "bank"

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
        self._quit = False
        self.is_restarting = False
        keys = CurveKeys.load(data / "keys", "bank")
        customer = public_key_load(data / "keys", "registry")
        operators = operators_by_key(config.operators, None, data)
        self._admins = {key for key, operator in operators.items() if operator.may_act}
        (data / "bank").mkdir(parents=True, exist_ok=True)
        self._machine = BankMachine(data / "bank" / "bank.sqlite", seed, config.faults)
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
                message_bytes_max=BANK_MESSAGE_BYTES_MAX,
            )
            self._door = Door(
                self._socket, DOMAIN, BANK_MESSAGE_BYTES_MAX, tell=log.warning
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
        self._machine.close()
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
        if len(message.frames) != 1:
            self._unreadable.note(message.key, "request must be one frame, had more")
            return
        is_operator = message.key in self._admins
        answer = self._machine.take(
            message.payload, is_operator=is_operator, now_s=int(time.time())
        )
        if answer.unreadable:
            self._unreadable.note(message.key, answer.unreadable)
        if answer.content is not None:
            self._door.answer(message.routing_id, answer.content)
        if answer.is_restart:
            self.is_restarting = self._quit = True


def _endpoints_write(path: Path, endpoints: dict[str, str]) -> None:
    """Say where we listen, whole or not at all, once everything is ready."""
    draft = path.with_suffix(".json.new")
    draft.write_text(json.dumps(endpoints) + "\n", encoding="utf-8")
    os.replace(draft, path)
