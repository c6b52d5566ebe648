"""The simulated bank as a process: one ROUTER and one thread around its machine.

The registry, its customer, sends batches and asks for statements; an operator may also pay in,
withdraw and ask for the truth, as participants and tests do.
"""

import time
from pathlib import Path
from typing import Self

import msgspec
import structlog

from cea_exchange.control_plane.door import Message, UnreadableCount
from cea_exchange.control_plane.host import DaemonHost
from cea_exchange.protocol.operators import Operator, OperatorSetting, operators_by_key
from cea_exchange.protocol.security import CurveKeys, SecurityError, public_key_load
from cea_exchange.protocol.settings import Address
from cea_exchange.registry.bank.requests import BANK_MESSAGE_BYTES_MAX, CUSTOMER
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
        self.is_restarting = False
        keys = CurveKeys.load(data / "keys", "bank")
        customer = public_key_load(data / "keys", "registry")
        operators = operators_by_key(config.operators, None, data)
        persons = {customer: Operator("registry", customer, CUSTOMER)}
        persons |= {key: operator for key, operator in operators.items() if operator.may_act}
        (data / "bank").mkdir(parents=True, exist_ok=True)
        self._machine = BankMachine(
            data / "bank" / "bank.sqlite", persons, seed, config.faults
        )
        self._host = DaemonHost(keys, log)
        self._unreadable = UnreadableCount(DOMAIN, log.warning)
        try:
            self._door = self._host.door(
                DOMAIN,
                config.address,
                persons.__contains__,
                BANK_MESSAGE_BYTES_MAX,
            )
        except SecurityError:
            self.close()
            raise
        self._host.endpoints_write(data / "bank" / "endpoints.json")
        log.info("bank_started", endpoint=self._host.endpoints[DOMAIN], seed=seed)

    def close(self) -> None:
        """Close sockets and books."""
        self._host.close()
        self._machine.close()
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
        self._host.monitor(time.monotonic())
        self._host.pulse.beat(time.monotonic())
        self._host.poller.poll(POLL_MS)
        self._door.turn(time.monotonic())
        self._unreadable.turn(time.monotonic())
        message = self._door.receive()
        if message is not None:
            self._take(message)

    def _take(self, message: Message) -> None:
        if len(message.frames) != 1:
            self._unreadable.note(message.key, "request: expected one frame, got more")
            return
        answer = self._machine.take(message.payload, key=message.key, now_s=int(time.time()))
        if answer.unreadable:
            self._unreadable.note(message.key, answer.unreadable)
        if answer.content is not None:
            self._door.answer(message.routing_id, answer.content)
        if answer.is_restart:
            self.is_restarting = True
            self.stop()
