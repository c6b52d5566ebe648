"""An institution's daemon: sockets, processes and the clock around its machine.

One thread, one writer::

    persons DEALER <--requests, answers--> ROUTER (fronts) -- machine -- store
                                             \\-- Looks (processes that read)

What there is to do the machine decides, by what comes in and the time; here it is taken in and
carried out. What else an institution talks to, it adds.
"""

import os
import shutil
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Generic, Self, TypeVar

import msgspec
import structlog
import zmq

from cea_exchange.control_plane.door import HIGH_WATER_MARK, Message
from cea_exchange.control_plane.fronts.fronts import DoorLimits
from cea_exchange.control_plane.host import DaemonHost
from cea_exchange.control_plane.service import Asked, Reply
from cea_exchange.domain.refusals import InstitutionRefusal
from cea_exchange.institution.clock import GuardedClock, noted_ns
from cea_exchange.institution.config import InstitutionConfig
from cea_exchange.institution.control.admin_door import AdminDoor, answer_encoded
from cea_exchange.institution.control.fair_queue import KeyTimes
from cea_exchange.institution.control.query_service import Looks
from cea_exchange.institution.control.query_worker import LookSettings
from cea_exchange.institution.control.request import REQUEST_BYTES_MAX
from cea_exchange.institution.control.requests import Status, Stop
from cea_exchange.institution.control.service import outcome_unknown
from cea_exchange.institution.control.upload_service import Upload, UploadRead, Uploads
from cea_exchange.institution.machine import InstitutionMachine
from cea_exchange.institution.metrics import InstitutionMetrics
from cea_exchange.institution.persons import Person
from cea_exchange.ledger.database.interface import DatabaseError, DatabaseLost
from cea_exchange.ledger.record_store import DatabaseAway, RecordStore
from cea_exchange.protocol.clock import Clock
from cea_exchange.protocol.metrics_http import MetricsServer
from cea_exchange.protocol.security import CurveKeys
from cea_exchange.user_files.read_ahead import Results, results_used

POLL_MS = 20
FRONTS_LOOK_S = 0.1
RECONNECT_FIRST_S = 0.05
RECONNECT_LAST_S = 2.0
ACTS_S = 0.02
"""So long acts are taken one after the other, before everything else has its turn."""

PARTNER_WAIT_S = 10.0
"""Since the start: so long acts that need a partner's word wait for it, which takes a question
and an answer; a link that was asked just before asks again after five."""
HELD_MAX = 1_024
"""Acts that wait so."""

log = structlog.get_logger("institution")

C = TypeVar("C", bound=InstitutionConfig)
S = TypeVar("S", bound=RecordStore)
M = TypeVar("M", bound=InstitutionMachine)


class InstitutionDaemon(ABC, Generic[C, S, M]):
    """A running institution.

    Parameters
    ----------
    config
        Its settings.
    data
        The data folder, with ``keys/``.
    is_stopping
        Asked while the database's server is waited for.

    Attributes
    ----------
    store_class, opener
        Of the institution: how its database is opened, and `LookSettings.opener`.

    Raises
    ------
    DatabaseAway
        Its server did not come within `InstitutionConfig.database_wait_s`.
    StoreError, SecurityError
        Nothing was bound: the folder is in use, a key is missing, an address can't be had.
    """

    store_class: ClassVar[type[RecordStore]]
    opener: ClassVar[str]

    def __init__(
        self,
        config: C,
        data: Path | str,
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._config = config
        self._data = Path(data)
        self._name = self.store_class.schema.institution
        self._keys = CurveKeys.load(self._data / "keys", self._name)
        self.settings_read()
        operators = config.persons_by_key(self._data)
        self._store: S = self._awaited(is_stopping)
        try:
            self._clock = GuardedClock(Clock(config.clock), self.noted_ns())
            self._metrics = self.metrics_made()
            self._machine = self.machine_made(operators)
        except BaseException:
            self._store.close()
            raise
        self._service = self._machine.service
        self._persons = self._service.services.persons
        self._began_s = time.monotonic()
        self._held: deque[tuple[Message, Results]] = deque()
        self._uploads = Uploads()
        self._uploads_read: deque[UploadRead] = deque()
        self._key_times = KeyTimes()
        settings = (self.opener, str(self._data), config.database, operators, self.looks_own())
        self._looks = Looks(LookSettings(*settings))
        self._fronts_due_s = 0.0
        self._metrics_server: MetricsServer | None = None
        self._host = DaemonHost(self._keys, log)
        try:
            self.sockets_open(self._host)
            self._bind(self._host)
        except BaseException:
            self.close()
            raise

    # -- what is the institution's own ------------------------------------------------------------

    def settings_read(self) -> None:
        """Read what its settings name, before anything is opened."""

    def noted_ns(self) -> int:
        """Return the last time that the store has noted."""
        return noted_ns(self._store)

    def metrics_made(self) -> InstitutionMetrics[S]:
        """Return what is counted."""
        return InstitutionMetrics(self._store)

    @abstractmethod
    def machine_made(self, operators: dict[str, Person]) -> M:
        """Return the machine upon the store; `operators` are those of the settings."""

    def looks_own(self) -> Any:
        """Return what the processes that read need to know besides: `LookSettings.own`."""
        return None

    def sockets_open(self, host: DaemonHost) -> None:
        """Open what others than persons come to, or are gone to."""

    def look_around(self, now_ns: int) -> None:
        """Look at what may have changed outside, at the beginning of a turn."""

    def poller_fill(self, poller: zmq.Poller) -> None:
        """Let more sockets wake up the turn."""

    def take(self, ready: dict[Any, int]) -> None:
        """Take what has come to sockets of its own."""

    def say(self) -> None:
        """Carry out what the machine says."""

    def sockets_close(self) -> None:
        """Close what it has opened itself."""

    # -- beginning and end ------------------------------------------------------------------------

    def _awaited(self, is_stopping: Callable[[], bool]) -> Any:
        config = self._config
        return store_awaited(
            *(self.store_class, self._data, config.database, config.database_wait_s, is_stopping),
            is_synchronous=config.database_synchronous,
        )

    def _bind(self, host: DaemonHost) -> None:
        self._admin_open(host)
        machine = self._machine
        fields, doors = machine.log_fields(), dict(host.endpoints)
        if self._config.metrics is not None:
            self._metrics_server = self._metrics.serve(self._config.metrics, host.pulse.health)
            host.endpoints["metrics"] = self._metrics_server.address
        path = self._folder / "endpoints.json"
        draft = host.endpoints_draft(path, pid=os.getpid())
        log.info(f"{self._name}_ready", **fields, state=machine.state, **doors)
        draft.replace(path)

    @property
    def _folder(self) -> Path:
        return self.store_class.folder(self._data)

    def _admin_open(self, host: DaemonHost) -> None:
        """Let persons come to processes of their own."""
        config = self._config
        limits = DoorLimits(HIGH_WATER_MARK, REQUEST_BYTES_MAX)
        self._fronts = host.fronts_open(
            {"admin": (config.admin, limits)},
            count=config.fronts,
            memory_mib_max=config.front_memory_mib_max,
        )
        self._admit()
        host.fronts_prove()
        self._door = AdminDoor(self._fronts.doors["admin"])

    def _admit(self) -> None:
        self._fronts.doors["admin"].admit(self._persons.keys())

    def close(self) -> None:
        """Close sockets and database."""
        if self._metrics_server is not None:
            self._metrics_server.close()
        self.sockets_close()
        self._looks.close()
        self._uploads.close()
        self._host.close()
        self._store.close()
        log.info(f"{self._name}_stopped", **self._machine.log_fields())

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

    # -- its turn ---------------------------------------------------------------------------------

    def _watched_turn(self) -> None:
        self._host.monitor(time.monotonic())
        try:
            self._turn()
        except DatabaseLost as error:
            self._database_wait(error)

    def _database_wait(self, lost: DatabaseLost) -> None:
        """Wait until the database is back, and go on with what it says was committed."""
        log.error("database_lost", error=str(lost), **self._machine.log_fields())
        self._metrics.database_lost()
        pause_s = RECONNECT_FIRST_S
        while not self._host.is_stopping:
            self._host.pulse.beat(time.monotonic(), f"database lost: {lost}")
            try:
                self._store.reconnect()
                self._machine.resume()
                self._admit()
            except DatabaseError as error:
                log.warning("database_waited_for", error=str(error))
                time.sleep(pause_s)
                pause_s = min(2 * pause_s, RECONNECT_LAST_S)
                continue
            log.info("database_back", **self._machine.log_fields())
            return

    def _turn(self) -> None:
        machine, now_ns = self._machine, time.monotonic_ns()
        noted = machine.troubles.noted
        machine.definitions_look(now_ns)
        machine.day_look(now_ns)
        self.look_around(now_ns)
        poller = zmq.Poller()
        for socket, events in self._host.poller.sockets:
            poller.register(socket, events)
        self.poller_fill(poller)
        self._looks.register(poller)
        is_waiting = not machine.has_work and not self._door.is_waiting(self._uploads.keys)
        ready = dict(poller.poll(POLL_MS if is_waiting and not self._fronts.listen() else 0))
        with noted("admin", now_ns):
            self._admin_turn(time.monotonic())
        self.take(ready)
        machine.turn(time.monotonic_ns())
        self.say()
        state = machine.state
        self._host.pulse.beat(time.monotonic(), "" if state == "ok" else state)
        now_ns = time.monotonic_ns()
        with noted("metrics", now_ns):
            is_right = self._clock.warning is None
            self._metrics.turn(now_ns, state, machine.troubles.count, is_clock_right=is_right)

    # -- persons ----------------------------------------------------------------------------------

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
        for message, results in self._held_due(now_s):
            self._admin_take(message, results)
        until_s = now_s + ACTS_S
        # One whose act finds the database lost takes none of the others along.
        self._uploads_read += self._uploads.turn(now_s)
        while self._uploads_read:
            self._upload_take(self._uploads_read.popleft())
        while not self._host.is_stopping and time.monotonic() < until_s:
            waiting = self._next()
            if waiting is None:
                break
            self._admin_take(waiting)
        self._fronts.flush()

    def _next(self) -> Message | None:
        """Return the next message; a key that took much time is served if no other key waits."""
        reading = self._uploads.keys
        resting = self._key_times.resting(time.monotonic_ns())
        return self._door.next(reading | resting) or self._door.next(reading)

    def _upload_take(self, upload: UploadRead) -> None:
        """Act with what was read out of a request's files, or say why it was not read."""
        if upload.refusal is None:
            self._admin_take(upload.message, upload.results)
            return
        asked = upload.asked
        log.info("act", op=asked.request.op, by=asked.by, answer=upload.refusal)
        self._door.answer(upload.message, msgspec.msgpack.encode(upload.refusal))

    def _held_due(self, now_s: float) -> deque[tuple[Message, Results]]:
        """Return the acts that waited for a partner's word, once it has come or is overdue."""
        if self._store.partners.are_awaited and now_s - self._began_s < PARTNER_WAIT_S:
            return deque()
        due, self._held = self._held, deque()
        return due

    def _is_held(self, code: str) -> bool:
        """Tell whether an act that was refused so is to be tried again."""
        is_early = time.monotonic() - self._began_s < PARTNER_WAIT_S
        is_awaiting = code == InstitutionRefusal.PARTNER_AWAITED.name
        return is_awaiting and is_early and len(self._held) < HELD_MAX

    def _admin_take(self, message: Message, results: Results | None = None) -> None:
        """Answer a message, and note how long its key took.

        Parameters
        ----------
        results
            What was read out of its files; None: they are to be read first.
        """
        began_ns = time.monotonic_ns()
        try:
            self._message_take(message, results)
        finally:
            ended_ns = time.monotonic_ns()
            self._key_times.spend(message.key, ended_ns - began_ns, ended_ns)

    def _message_take(self, message: Message, results: Results | None) -> None:
        try:
            asked = self._service.asked(message.key, message.payload)
            if isinstance(asked, Asked) and asked.request.is_look:
                self._look_take(message, asked)
                return
            if isinstance(asked, Asked) and results is None and self._is_read_first(message, asked):
                return
            with results_used(results or {}):
                reply = asked if isinstance(asked, Reply) else self._service.carry_out(asked)
        except DatabaseLost as error:
            self._door.answer(message, msgspec.msgpack.encode(outcome_unknown(error)))
            raise
        answer = reply.answer.by_ok()
        if self._is_held(answer.get("code", "")):
            self._held.append((message, results or {}))
            return
        if reply.request is None:
            self._door.unreadable.note(message.key, answer["error"])
        else:
            write = log.debug if reply.is_look else log.info
            write("act", op=reply.request.op, by=reply.by, answer=answer)
        if self._persons.is_changed:
            # Before those who are connected are answered.
            self._admit()
            self._persons.is_changed = False
        self._door.answer(message, answer_encoded(answer))
        if isinstance(reply.request, Stop) and reply.answer.is_done:
            self.stop()

    def _is_read_first(self, message: Message, asked: Asked) -> bool:
        """Tell whether a request has files that a process of their own reads first."""
        readings = self._service.readings(asked.request)
        if not readings:
            return False
        refusal = self._uploads.ask(Upload(message, asked, readings, time.monotonic()))
        if refusal is not None:
            self._door.answer(message, msgspec.msgpack.encode(refusal))
        return True

    def _look_take(self, message: Message, asked: Asked) -> None:
        now_ns = self._service.services.now_ns()
        refusal = self._looks.ask(message, asked, now_ns=now_ns, now_s=time.monotonic())
        if refusal is not None:
            self._door.answer(message, msgspec.msgpack.encode(refusal))

    def place(self) -> dict[str, Any]:
        """Return what only the daemon knows."""
        server = self._metrics_server
        return {
            "uptime_s": int(time.monotonic() - self._began_s),
            "disk_free_bytes": shutil.disk_usage(self._folder).free,
            "metrics": None if server is None else server.address,
            "fronts": self._fronts.process_ids,
            "fronts_ended": self._fronts.ended_count,
            "keys_cut_off": sorted(self._fronts.suspects.cut_off),
        }


def store_awaited(
    store_class: type[RecordStore],
    data: Path,
    database: str | None,
    wait_s: int,
    is_stopping: Callable[[], bool],
    *,
    is_synchronous: bool = False,
) -> RecordStore:
    """Open an institution's database; where its server is away, wait for it, but not for ever.

    Raises
    ------
    DatabaseAway
        It did not come, or somebody wants no more of it.
    """
    until_s, pause_s = time.monotonic() + wait_s, RECONNECT_FIRST_S
    while True:
        try:
            return store_class.open(data, database, is_synchronous=is_synchronous)
        except DatabaseAway as error:
            left_s = until_s - time.monotonic()
            if left_s <= 0 or is_stopping():
                waited = f"waited {wait_s} s for the database's server (database_wait_s)"
                raise DatabaseAway(f"{waited}: {error}") from error
            log.warning("database_waited_for", error=str(error), seconds_left=int(left_s))
        time.sleep(min(pause_s, left_s))
        pause_s = min(2 * pause_s, RECONNECT_LAST_S)
