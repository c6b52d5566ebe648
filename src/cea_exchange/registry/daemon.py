"""The registry daemon: sockets, processes and the clock around the registry's machine.

One thread, one writer::

    venue PUB ---records, heartbeat---> SUB     \\
    venue ROUTER <--ask / records--->   DEALER   +-- RegistryMachine -- Store (SQLite)
    venue DEALER ---from n--->          ROUTER  /         |
                 <--items, watermark---                   +-- BankCourier (a thread) <--> bank
    operators DEALER <--acts-->         ROUTER -- Looks (processes that read)

What there is to do the machine decides, by what comes in and the time; here it is taken in and
carried out.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import msgspec
import structlog
import zmq

from cea_exchange.control_plane.door import HIGH_WATER_MARK, Message, UnreadableCount
from cea_exchange.control_plane.fronts.fronts import DoorLimits
from cea_exchange.control_plane.host import DaemonHost
from cea_exchange.control_plane.service import Asked, Reply
from cea_exchange.ledger.database.interface import DatabaseError, DatabaseLost
from cea_exchange.ledger.store import DatabaseAway, Store
from cea_exchange.protocol.clock import Clock
from cea_exchange.protocol.metrics_http import MetricsServer
from cea_exchange.protocol.security import CurveKeys, SecurityError
from cea_exchange.registry.bank.client import BankClient
from cea_exchange.registry.bank.courier import BankCourier
from cea_exchange.registry.bank.errands import Errand
from cea_exchange.registry.clock import GuardedClock, noted_ns
from cea_exchange.registry.config import RegistryConfig
from cea_exchange.registry.control.admin import Status, Stop
from cea_exchange.registry.control.admin_door import AdminDoor, answer_encoded
from cea_exchange.registry.control.metrics import RegistryMetrics
from cea_exchange.registry.control.query_service import Looks
from cea_exchange.registry.control.query_worker import LookSettings
from cea_exchange.registry.control.requests.request import REQUEST_BYTES_MAX
from cea_exchange.registry.control.service import outcome_unknown
from cea_exchange.registry.machine import (
    ConnectionDropped,
    FeedAnswered,
    Output,
    RecordsAsked,
    RegistryMachine,
)
from cea_exchange.registry.participants.persons import Person
from cea_exchange.registry.settlement.settlement import Settlement
from cea_exchange.registry.venue_link.connection import VenueLine, venue_endpoints_read

POLL_MS = 20
ENDPOINTS_LOOK_NS = 200_000_000
FRONTS_LOOK_S = 0.1
RECONNECT_FIRST_S = 0.05
RECONNECT_LAST_S = 2.0
MESSAGES_PER_TURN_MAX = 100
ACTS_S = 0.02
"""So long acts are taken one after the other, before settlement, feed and bank have their turn."""
FEED_REQUEST_BYTES_MAX = 4_096

log = structlog.get_logger()


class RegistryDaemon:
    """A running registry.

    Parameters
    ----------
    config
        Its settings.
    data
        The data folder, with ``keys/``.
    settlement_class
        For tests that put a faulty one in its place.
    is_stopping
        Asked while the database's server is waited for.

    Raises
    ------
    DatabaseAway
        Its server did not come within `RegistryConfig.database_wait_s`.
    StoreError, SecurityError
        Nothing was bound: the folder is in use, a key is missing, an address can't be had.
    """

    def __init__(
        self,
        config: RegistryConfig,
        data: Path | str,
        settlement_class: Callable[..., Settlement] = Settlement,
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._config = config
        self._data = Path(data)
        keys = CurveKeys.load(self._data / "keys", "registry")
        self._venue_key = config.venue_key(self._data)
        operators = config.persons_by_key(self._data)
        self._store = store_awaited(
            self._data, config.database, config.database_wait_s, is_stopping
        )
        self._clock = GuardedClock(Clock(config.clock), noted_ns(self._store))
        self._metrics = RegistryMetrics(self._store)
        self._machine = self._machine_made(operators, settlement_class)
        self._registry, self._service = self._machine.registry, self._machine.service
        self._registry.bank_files.folder = self._data / "registry" / "bank"
        self._courier = self._courier_made(keys)
        self._look_at_ns = 0
        self._nowhere: tuple[str, str] | None = None
        self._began_s = time.monotonic()
        self._looks = Looks(LookSettings(str(self._data), config.database, operators, config.bank))
        self._feed_unreadable = UnreadableCount("feed", log.warning)
        self._fronts_due_s = 0.0
        self._metrics_server: MetricsServer | None = None
        self._host = DaemonHost(keys, log)
        try:
            self._line = VenueLine(self._host.context, keys, self._venue_key)
            self._bind(self._host)
        except BaseException:
            self.close()
            raise

    def _machine_made(
        self, operators: dict[str, Person], settlement_class: Callable[..., Settlement]
    ) -> RegistryMachine:
        try:
            return RegistryMachine(
                self._store,
                self._clock,
                self._config,
                operators,
                settlement_class=settlement_class,
                measured=self._metrics.batch,
                place=self._place,
                fatal=(SecurityError,),
            )
        except BaseException:
            self._store.close()
            raise

    def _courier_made(self, keys: CurveKeys) -> BankCourier | None:
        """Return who carries what goes to the bank; None where files are carried by hand."""
        setting = self._config.bank
        if setting is None or setting.data is None:
            return None
        return BankCourier(BankClient(setting.data, keys))

    def _bind(self, host: DaemonHost) -> None:
        self._feed_door = host.door(
            "feed",
            self._config.feed,
            frozenset({self._venue_key}).__contains__,
            FEED_REQUEST_BYTES_MAX,
            domain="registry_feed",
        )
        self._admin_open(host)
        machine = self._machine
        log.info(
            "registry_ready", last_seq=machine.last_seq, state=machine.state, **host.endpoints
        )
        if self._config.metrics is not None:
            self._metrics_server = self._metrics.serve(self._config.metrics, host.pulse.health)
            host.endpoints["metrics"] = self._metrics_server.address
        host.endpoints_write(self._data / "registry" / "endpoints.json", pid=os.getpid())

    def _admin_open(self, host: DaemonHost) -> None:
        """Let persons come to processes of their own."""
        config = self._config
        limits = DoorLimits(HIGH_WATER_MARK, REQUEST_BYTES_MAX)
        self._fronts = host.fronts_open(
            {"admin": (config.admin, limits)},
            count=config.fronts,
            memory_mib_max=config.front_memory_mib_max,
        )
        door = self._fronts.doors["admin"]
        door.admit(self._registry.persons.keys())
        host.fronts_prove()
        self._door = AdminDoor(door)

    def close(self) -> None:
        """Close sockets and database."""
        if self._metrics_server is not None:
            self._metrics_server.close()
        if self._courier is not None:
            self._courier.close()
        if hasattr(self, "_line"):
            self._line.close()
        self._looks.close()
        self._host.close()
        self._store.close()
        log.info("registry_stopped", last_seq=self._machine.last_seq)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def stop(self) -> None:
        """Make `run` return after its current turn; safe in a signal handler."""
        self._host.stop()

    def run(self) -> None:
        """Serve until `stop`.

        Raises
        ------
        SecurityError
            The handler of the allow-list died, or a stranger was admitted; better to end.
        """
        self._host.run(self._watched_turn)

    def _watched_turn(self) -> None:
        self._host.monitor(time.monotonic())
        try:
            self._turn()
        except DatabaseLost as error:
            self._database_wait(error)

    def _database_wait(self, lost: DatabaseLost) -> None:
        """Wait until the database is back, and go on with what it says was committed."""
        log.error("database_lost", error=str(lost), last_seq=self._machine.last_seq)
        pause_s = RECONNECT_FIRST_S
        while not self._host.is_stopping:
            self._host.pulse.beat(time.monotonic(), f"database lost: {lost}")
            try:
                self._store.reconnect()
                self._machine.resume()
                self._fronts.doors["admin"].admit(self._registry.persons.keys())
            except DatabaseError as error:
                log.warning("database_waited_for", error=str(error))
                time.sleep(pause_s)
                pause_s = min(2 * pause_s, RECONNECT_LAST_S)
                continue
            log.info("database_back", last_seq=self._machine.last_seq)
            return

    def _turn(self) -> None:
        machine, now_ns = self._machine, time.monotonic_ns()
        noted = machine.troubles.noted
        machine.day_look(now_ns)
        with noted("venue", now_ns):
            self._venue_look(now_ns)
        poller = zmq.Poller()
        for socket, events in self._host.poller.sockets:
            poller.register(socket, events)
        if self._line.dealer is not None:
            poller.register(self._line.dealer, zmq.POLLIN)
        is_listening = machine.is_listening
        if is_listening:
            poller.register(self._line.sub, zmq.POLLIN)
        self._looks.register(poller)
        is_waiting = not machine.has_work and not len(self._door)
        ready = dict(poller.poll(POLL_MS if is_waiting else 0))
        with noted("admin", now_ns):
            self._admin_turn(time.monotonic())
        now_ns = time.monotonic_ns()
        with noted("feed", now_ns):
            self._feed_take(now_ns)
        with noted("stream", now_ns):
            if self._line.dealer in ready:
                machine.replayed(self._line.dealer.recv_multipart(), now_ns)
            elif is_listening and self._line.sub in ready:
                machine.published(self._published(), now_ns)
        if self._courier is not None:
            for brought in self._courier.back():
                machine.brought_back(brought)
        machine.turn(time.monotonic_ns())
        now_ns = time.monotonic_ns()
        for output in machine.outputs():
            with noted("saying", now_ns):
                self._say(output)
        state = machine.state
        self._host.pulse.beat(time.monotonic(), "" if state == "ok" else state)
        with noted("metrics", now_ns):
            self._metrics.turn(
                now_ns,
                machine.lag_records,
                state,
                machine.troubles.count,
                is_clock_right=self._clock.warning is None,
            )

    # -- towards the venue --------------------------------------------------------------------

    def _venue_look(self, now_ns: int) -> None:
        """Connect to where the venue is, which may have changed with its restart."""
        if now_ns < self._look_at_ns:
            return
        self._look_at_ns = now_ns + ENDPOINTS_LOOK_NS
        where = (self._config.settlement, self._config.replay)
        if where[0] is None:
            where = venue_endpoints_read(self._config.endpoints_file(self._data))
        if where is not None and where != self._nowhere:
            self._venue_connect(where, now_ns)

    def _venue_connect(self, where: tuple[str, str], now_ns: int) -> None:
        """Connect, if not there already; what is no address is tried once."""
        try:
            is_new = self._line.connect(*where)
        except (zmq.ZMQError, ValueError) as error:
            self._line.close()
            self._machine.venue_disconnected()
            self._nowhere = where
            log.warning("venue_unreachable", settlement=where[0], replay=where[1], error=str(error))
            return
        self._nowhere = None
        if is_new:
            log.info("venue_connected", settlement=where[0], replay=where[1])
            self._machine.venue_connected(now_ns)

    def _published(self) -> Iterator[list[bytes]]:
        """Yield what was published, message by message."""
        for _ in range(MESSAGES_PER_TURN_MAX):
            try:
                yield self._line.sub.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return

    def _say(self, output: Output) -> None:
        """Carry out what the machine says."""
        match output:
            case RecordsAsked(log_id, first_seq):
                self._line.ask(log_id, first_seq)
            case ConnectionDropped():
                self._line.dealer_renew()
            case FeedAnswered(connection, content):
                self._feed_door.answer(connection, content)
            case Errand() as errand:
                self._courier.carry(errand)

    # -- the feed -----------------------------------------------------------------------------

    def _feed_take(self, now_ns: int) -> None:
        self._feed_door.turn(now_ns / 1e9)
        self._feed_unreadable.turn(now_ns / 1e9)
        for _ in range(MESSAGES_PER_TURN_MAX):
            message = self._feed_door.receive()
            if message is None:
                break
            if message.key != self._venue_key or len(message.frames) != 1:
                self._feed_unreadable.note(message.key, "request must be the venue's, one frame")
                continue
            why = self._machine.feed_question(message.routing_id, message.payload, now_ns)
            if why:
                self._feed_unreadable.note(message.key, why)

    # -- operators ----------------------------------------------------------------------------

    def _admin_turn(self, now_s: float) -> None:
        """Take what has arrived, answer looks that are done, and act for some tens of ms."""
        self._door.turn(now_s)
        if now_s >= self._fronts_due_s:
            self._fronts_due_s = now_s + FRONTS_LOOK_S
            self._fronts.turn(now_s)
        for message, asked, answer in self._looks.turn(now_s):
            if isinstance(asked.request, Status) and answer["ok"]:
                answer |= self._machine.place()
            # Looking is no act, and who watches looks often.
            log.debug("act", op=asked.request.op, by=asked.by, answer=answer)
            self._door.answer(message, msgspec.msgpack.encode(answer))
        until_s = now_s + ACTS_S
        while not self._host.is_stopping and time.monotonic() < until_s:
            message = self._door.next()
            if message is None:
                break
            self._admin_take(message)
        self._fronts.flush()

    def _admin_take(self, message: Message) -> None:
        try:
            asked = self._service.asked(message.key, message.payload)
            if isinstance(asked, Asked) and asked.request.is_look:
                self._look_take(message, asked)
                return
            reply = asked if isinstance(asked, Reply) else self._service.carry_out(asked)
        except DatabaseLost as error:
            self._door.answer(message, msgspec.msgpack.encode(outcome_unknown(error)))
            raise
        answer = reply.answer.by_ok()
        if reply.request is None:
            self._door.unreadable.note(message.key, answer["error"])
        else:
            write = log.debug if reply.is_look else log.info
            write("act", op=reply.request.op, by=reply.by, answer=answer)
        if self._registry.persons.is_changed:
            # Before who came is told so.
            self._fronts.doors["admin"].admit(self._registry.persons.keys())
            self._registry.persons.is_changed = False
        self._door.answer(message, answer_encoded(answer))
        if isinstance(reply.request, Stop) and reply.answer.is_done:
            self.stop()

    def _look_take(self, message: Message, asked: Asked) -> None:
        now_ns = self._registry.now_ns()
        refusal = self._looks.ask(message, asked, now_ns=now_ns, now_s=time.monotonic())
        if refusal is not None:
            self._door.answer(message, msgspec.msgpack.encode(refusal))

    def _place(self) -> dict[str, Any]:
        """Return what only the daemon knows."""
        folder, server = self._data / "registry", self._metrics_server
        return {
            "uptime_s": int(time.monotonic() - self._began_s),
            "disk_free_bytes": shutil.disk_usage(folder).free,
            "metrics": None if server is None else server.address,
            "fronts": self._fronts.process_ids,
            "fronts_ended": self._fronts.ended_count,
            "keys_cut_off": sorted(self._fronts.suspects.cut_off),
        }


def store_awaited(
    data: Path, database: str | None, wait_s: int, is_stopping: Callable[[], bool]
) -> Store:
    """Open the registry's database; where its server is away, wait for it, but not for ever.

    Raises
    ------
    DatabaseAway
        It did not come, or somebody wants no more of it.
    """
    until_s, pause_s = time.monotonic() + wait_s, RECONNECT_FIRST_S
    while True:
        try:
            return Store.open(data, database)
        except DatabaseAway as error:
            left_s = until_s - time.monotonic()
            if left_s <= 0 or is_stopping():
                waited = f"waited {wait_s} s for the database's server (database_wait_s)"
                raise DatabaseAway(f"{waited}: {error}") from error
            log.warning("database_waited_for", error=str(error), seconds_left=int(left_s))
        time.sleep(min(pause_s, left_s))
        pause_s = min(2 * pause_s, RECONNECT_LAST_S)
