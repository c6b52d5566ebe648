"""A daemon's fronts: begun again at once when they end, the key that ends them found and cut off.

    others --> front 1 --\
    others --> front 2 ---+-- Fronts -- doors --> daemon
    set apart --> front --/

All fronts share the addresses; the kernel spreads who comes over them. A key that is set apart is
turned away by the others' fronts, and comes again until it is at its own (`suspects`).
Long, because a front may end in the middle of whatever is done with it, which is all here.
"""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import structlog
import zmq

from cea_exchange.control_plane.door import Message
from cea_exchange.control_plane.fronts._ring import LinkEnded
from cea_exchange.control_plane.fronts.front import (
    CLOSE_S_MAX,
    LEFT,
    FrontThread,
    Started,
    process_end,
    status_of,
)
from cea_exchange.control_plane.fronts.link import (
    Apart,
    Arrived,
    Begin,
    Calls,
    DoorSetting,
    End,
    Gone,
    Keys,
    Link,
    LogLine,
    Pulse,
    Reach,
    Reached,
    ToDaemon,
    descriptors_give,
    memory_make,
)
from cea_exchange.control_plane.fronts.listening import (
    address_hold,
    address_of,
    address_share,
    free_check,
)
from cea_exchange.control_plane.fronts.suspects import Suspects
from cea_exchange.control_plane.signals import module_command
from cea_exchange.protocol.security import CurveKeys, SecurityError

STEADY_S = 5.0
"""One that ends sooner, and had admitted nobody, is begun again ever later."""
PAUSE_S_MIN = 0.1
PAUSE_S_MAX = 8.0
QUIET_S = 2.0
"""A front says each second that it goes on; one not heard for so long is asked for apart."""
SILENCE_S_MAX = 10.0
BEGIN_S_MAX = 60.0
KEY_BYTES = 40
BY_PEERS = frozenset(
    -number for number in (signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS, signal.SIGILL)
)
"""How a front ends by what peers do to libzmq; for any other end nobody is suspected."""
SPARES_APART = 2
"""So many more wait than there are fronts, which may all end together: for who is set apart."""
SPARE_S = 5.0
"""So long after the start they are begun, one after the other."""
SPARE_PAUSE_S = 0.2
WAITING_BYTES_MAX = 256 << 20
"""A front that has so much to take from the daemon hangs."""
ARRIVED_MAX = 1_000
"""Messages that wait for the daemon; while there are more the rest waits where it comes from, each
connection's for itself."""
ENDED_S = 10.0
"""So long messages of a connection that was ended may still come."""
NOTES_BYTES_MAX = 65_536
LEFT_S = 1.0
"""A front ends by what a peer did a moment ago, which may have closed its connection meanwhile."""
FRONT_BYTES = 4
"""A connection's routing_id begins with the number of its front, so that none comes twice."""

log = structlog.get_logger()


class DoorLimits(NamedTuple):
    """What a door takes; see `control_plane.door.Door`."""

    high_water_mark: int
    message_bytes_max: int
    connection_queue_bytes_max: int = 4 << 20
    queue_bytes_max: int = 32 << 20
    wait_s_max: float = 5.0
    ends_slow: bool = True


class Lost(NamedTuple):
    """Connections to which nothing can be sent any more.

    Attributes
    ----------
    routing_id
        Of one, or what those of a front begin with.
    is_slow
        Whether it was ended because it did not read.
    """

    routing_id: bytes
    is_slow: bool


class FrontDoor:
    """A door's daemon side.

    Attributes
    ----------
    endpoint : str
        Where others come to.
    keys, is_known
        Whom it admits; whether that is known yet.
    lost : deque of Lost
        To be taken off by the owner, where it follows its connections (`is_followed`).
    """

    def __init__(self, fronts: "Fronts", number: int, name: str, limits: DoorLimits) -> None:
        self.name = name
        self.limits = limits
        self.endpoint = ""
        self.keys: frozenset[str] = frozenset()
        self.is_known = False
        self.arrived: deque[Message] = deque()
        self.lost: deque[Lost] = deque()
        self.is_followed = False
        self._is_all = False
        self._fronts = fronts
        self._number = number
        self._ended: dict[bytes, float] = {}

    def receive(self) -> Message | None:
        """Return the next message; None if there is none, or was none more at the last look."""
        while True:
            if not self.arrived and not self._is_all:
                self._is_all = self._fronts.read()
            if not self.arrived:
                self._is_all = False
                return None
            message = self.arrived.popleft()
            if message.routing_id not in self._ended:
                return message

    def answer(self, routing_id: bytes, *frames: bytes) -> None:
        """Let a message go with the next `Fronts.flush`; to who is gone none does."""
        self._fronts.send(routing_id, self._number, frames)

    def end(self, routing_id: bytes, why: str) -> None:
        """End a connection; what of it is still on its way is dropped."""
        if routing_id not in self._ended:
            self._ended[routing_id] = time.monotonic()
            own = routing_id[FRONT_BYTES:]
            self._fronts.put(routing_id, End(self._number, own, why))

    def turn(self, now_s: float) -> None:
        """Forget connections of which nothing can be on its way any more."""
        while self._ended:
            routing_id, at_s = next(iter(self._ended.items()))
            if now_s - at_s < ENDED_S:
                return
            del self._ended[routing_id]

    def is_served(self, routing_id: bytes) -> bool:
        """Say whether the front of a connection is still there."""
        return self._fronts.is_there(routing_id)

    def reach(self, routing_id: bytes, then: Callable[[], None]) -> None:
        """Call something once a connection's front has done all that it was sent, or has ended."""
        self._fronts.reach(routing_id, then)

    def admit(self, keys: Iterable[str]) -> None:
        """Admit these keys from now on, and no others; until then all are to come again."""
        self.keys, self.is_known = frozenset(keys), True
        self._fronts.keys_tell(self._number)


class _Running:
    """One front that runs."""

    def __init__(self, number: int, part: int, started: Started, link: Link, now_s: float) -> None:
        self.prefix = number.to_bytes(FRONT_BYTES, "little")
        self.part = part
        self.link = link
        self.began_s = self.heard_s = now_s
        self.keys_sent: list[frozenset[str] | None] = []
        self.awaited: dict[int, Callable[[], None]] = {}
        self.refused_count = 0
        self.has_admitted = False
        self._there: dict[str, float] = {}
        self._left: dict[str, tuple[float, float]] = {}
        self.is_serving = False
        self.process, self.thread = started.process, started.thread
        self._notes = started.notes
        self._noted = b""
        os.set_blocking(self._notes, False)

    def notes_read(self, now_s: float) -> None:
        """Take down which keys it has admitted, and which have left it."""
        with contextlib.suppress(BlockingIOError):
            while content := os.read(self._notes, NOTES_BYTES_MAX):
                *notes, self._noted = (self._noted + content).split(b"\n")
                self._noted = self._noted[: len(LEFT) + KEY_BYTES]
                for note in notes:
                    key = note[-KEY_BYTES:].decode("ascii", "replace")
                    if len(note) == KEY_BYTES:
                        self.has_admitted = True
                        self._there[key] = now_s
                    elif len(note) == len(LEFT) + KEY_BYTES and key in self._there:
                        self._left[key] = self._there.pop(key), now_s
        self._left = {key: at for key, at in self._left.items() if now_s - at[1] <= LEFT_S}

    @property
    def there(self) -> dict[str, float]:
        """Who is there, or was until just now, and when each was admitted last."""
        return {key: admitted_s for key, (admitted_s, _) in self._left.items()} | self._there

    def close(self) -> None:
        self.link.close()
        os.close(self._notes)


class _Place:
    """Where a front is to be, and for whom."""

    def __init__(self, part: int) -> None:
        self.part = part
        self.running: _Running | None = None
        self.due_s = 0.0
        self.pause_s = 0.0


class Fronts:
    """The fronts of a daemon.

    Parameters
    ----------
    keys
        The daemon's own: others know it by them.
    doors
        Name, address and limits of each.
    count
        How many there are for those who are not set apart; 0: one, in a thread of this process,
        for who trusts all that come.
    memory_mib_max
        What each may take.
    stranger
        The key by which the daemon proves that strangers are refused.
    poller
        Where what can be read is looked for.

    Attributes
    ----------
    doors : dict of str to FrontDoor
        By name.
    begun_count, ended_count : int
        Fronts that were begun, and that ended by themselves.
    suspects : Suspects
        Who is set apart or cut off.

    Raises
    ------
    SecurityError
        An address can't be taken.
    """

    program = module_command("cea_exchange.control_plane.fronts.front")

    def __init__(
        self,
        keys: CurveKeys,
        doors: dict[str, tuple[str, DoorLimits]],
        *,
        count: int,
        memory_mib_max: int,
        stranger: str,
        poller: zmq.Poller,
    ) -> None:
        self.begun_count = self.ended_count = 0
        self.suspects = Suspects()
        self._keys = keys
        self._is_process = count > 0
        self._memory_mib_max = memory_mib_max if count else 0
        self._stranger = stranger
        self._poller = poller
        self._number = self._reach_number = self._refused_before = 0
        self._calls = Calls()
        self._by_prefix: dict[bytes, _Running] = {}
        self._spares: deque[Started] = deque()
        self._spares_max = count + SPARES_APART
        self._spare_due_s = time.monotonic() + SPARE_S
        self._parts_logged: dict[str, int] = {}
        self._places = [_Place(0) for _ in range(max(count, 1))]
        self._held: list[socket.socket] = []
        self._leaving: list[tuple[subprocess.Popen, float]] = []
        self.doors = {
            name: FrontDoor(self, number, name, limits)
            for number, (name, (_, limits)) in enumerate(doors.items())
        }
        self._doors = list(self.doors.values())
        try:
            for name, (address, _) in doors.items():
                free_check(name, address)
                self._held.append(address_hold(name, address))
                self.doors[name].endpoint = address_of(self._held[-1])
            self.turn(time.monotonic())
            self._await_all()
        except BaseException:
            self.close()
            raise

    def _await_all(self) -> None:
        """Wait until all serve."""
        until_s = time.monotonic() + BEGIN_S_MAX
        while not all(each.running and each.running.is_serving for each in self._places):
            if time.monotonic() > until_s:
                raise SecurityError(f"fronts: expected them to serve within {BEGIN_S_MAX:g} s")
            self._poller.poll(0 if self.listen() else 10)
            self.read()
            self.turn(time.monotonic())

    @property
    def refused_count(self) -> int:
        """Handshakes refused so far."""
        return self._refused_before + sum(one.refused_count for one in self._by_prefix.values())

    @property
    def process_ids(self) -> list[int]:
        """Which processes they are."""
        return [one.process.pid for one in self._by_prefix.values() if one.process is not None]

    def is_ready(self, ready: dict) -> bool:
        """Say whether any of them has sent something, by what a poller has found."""
        return any(one.link.fileno() in ready for one in self._by_prefix.values())

    def read(self) -> bool:
        """Take in what the fronts have sent, unless that before it still waits for the daemon.

        Returns
        -------
        bool
            Whether that was all.
        """
        self._hear()
        if sum(len(door.arrived) for door in self._doors) >= ARRIVED_MAX:
            return False
        is_all = True
        for running in self._each():
            self._read(running)
            is_all = is_all and not running.link.incoming.has_more
        return is_all

    def listen(self) -> bool:
        """Ask to be called when they send something; say whether something has come already.

        Before any wait: else they don't call.
        """
        has_come = any(door.arrived for door in self._doors)
        for running in self._each():
            try:
                has_come = running.link.listen() or has_come
            except LinkEnded as error:
                self._ended(running, str(error), time.monotonic())
        return has_come

    def _hear(self) -> None:
        """Hear who calls, and begin those anew that are gone.

        Whatever they left: who has no answer sends again.
        """
        calls = dict(self._calls.look())
        each = [(one, calls.get(one.link.fileno())) for one in self._each()] if calls else []
        for running, is_gone in each:
            try:
                if is_gone:
                    raise LinkEnded("it has ended")
                if is_gone is not None:
                    running.link.hear()
            except LinkEnded as error:
                self._ended(running, str(error), time.monotonic())

    def _each(self) -> Iterator[_Running]:
        """Those that run; the end of one may end others, and begin some."""
        for running in list(self._by_prefix.values()):
            if running.prefix in self._by_prefix:
                yield running

    def _read(self, running: _Running) -> None:
        try:
            items = running.link.taken()
            if items:
                running.heard_s, running.is_serving = time.monotonic(), True
        except LinkEnded as error:
            self._ended(running, str(error), time.monotonic())
        else:
            self._do_or_end(running, items)

    def _do_or_end(self, running: _Running, items: list[ToDaemon]) -> None:
        try:
            for item in items:
                self._do(running, item)
        except (IndexError, KeyError, TypeError, ValueError) as error:
            # Whatever strangers have made of it: it is ended, and nothing of it is believed.
            self._ended(running, f"it says nonsense: {error!r}", time.monotonic())

    def flush(self) -> None:
        """Send the fronts what was put; one that takes nothing any more is ended."""
        for running in self._each():
            try:
                running.link.flush()
                if running.link.waiting_bytes > WAITING_BYTES_MAX:
                    raise LinkEnded("it takes nothing")
            except LinkEnded as error:
                self._ended(running, str(error), time.monotonic())

    def turn(self, now_s: float) -> None:
        """Begin the fronts that are due, end those that hang, set free who is suspected no more."""
        self._hear()
        for running in self._each():
            running.notes_read(now_s)
            if now_s - running.heard_s > QUIET_S:
                self._read(running)
            if now_s - running.heard_s > SILENCE_S_MAX:
                self._ended(running, "it hangs", now_s)
        for door in self._doors:
            door.turn(now_s)
        self._reap(now_s)
        if self.suspects.turn(now_s):
            self._apart_tell()
        self._begin_due(now_s)
        for spare in [each for each in self._spares if not each.is_there]:
            self._spares.remove(spare)
            self._drop(spare, now_s)
        is_due = self._is_process and now_s >= self._spare_due_s
        if is_due and len(self._spares) < self._spares_max:
            self._spare_due_s = now_s + SPARE_PAUSE_S
            if (spare := self._start()) is not None:
                self._spares.append(spare)
        self.flush()

    def restore(self, key: str) -> bool:
        """Admit a key again that was cut off; False if it was not."""
        is_restored = self.suspects.restore(key)
        for number in range(len(self._doors)):
            self.keys_tell(number)
        return is_restored

    def close(self) -> None:
        """End the fronts, after they have passed on what was said last."""
        until_s = time.monotonic() + CLOSE_S_MAX
        for running in self._by_prefix.values():
            running.link.finish(until_s)
            self._leave(running)
            running.close()
        for process, _until_s in self._leaving:
            process_end(process, CLOSE_S_MAX)
        for running in self._by_prefix.values():
            if running.process is not None:
                process_end(running.process, CLOSE_S_MAX)
            if running.thread is not None:
                running.thread.join(CLOSE_S_MAX)
        self._by_prefix.clear()
        for spare in self._spares:
            spare.close()
        for one in self._held:
            one.close()

    def is_there(self, routing_id: bytes) -> bool:
        """See `FrontDoor.is_served`."""
        return routing_id[:FRONT_BYTES] in self._by_prefix

    # -- What the doors ask for ---------------------------------------------------------------

    def send(self, routing_id: bytes, door: int, frames: tuple[bytes, ...]) -> None:
        """Let a message go to a connection, if its front is there."""
        running = self._by_prefix.get(routing_id[:FRONT_BYTES])
        if running is not None:
            running.link.outgoing.message(door, routing_id[FRONT_BYTES:], b"", frames)

    def put(self, routing_id: bytes, item: End) -> None:
        """Let something else go to a connection's front, if that is there."""
        running = self._by_prefix.get(routing_id[:FRONT_BYTES])
        if running is not None:
            running.link.put(item)

    def reach(self, routing_id: bytes, then: Callable[[], None]) -> None:
        """See `FrontDoor.reach`."""
        running = self._by_prefix.get(routing_id[:FRONT_BYTES])
        if running is None:
            then()
            return
        self._reach_number += 1
        running.awaited[self._reach_number] = then
        running.link.put(Reach(self._reach_number))

    def keys_tell(self, number: int) -> None:
        """Tell all fronts what a door's keys have become."""
        for running in self._by_prefix.values():
            self._keys_tell(running, number)

    # -- Fronts come and go -------------------------------------------------------------------

    def _begin_due(self, now_s: float) -> None:
        """Begin the fronts that are to be there and are not."""
        self._apart_places()
        for place in self._places:
            if place.running is None and now_s >= place.due_s:
                self._begin(place, now_s)

    def _begin(self, place: _Place, now_s: float) -> None:
        with contextlib.ExitStack() as given:
            try:
                memory = memory_make()
                given.callback(os.close, memory)
                sockets = [
                    given.enter_context(address_share(door.name, door.endpoint))
                    for door in self._doors
                ]
            except (OSError, SecurityError) as error:
                # No descriptor or memory left for it.
                place.due_s = now_s + PAUSE_S_MAX
                log.error("front_not_begun", error=str(error))
                return
            self._begin_with(memory, sockets, place, now_s)

    def _begin_with(
        self, memory: int, sockets: list[socket.socket], place: _Place, now_s: float
    ) -> None:
        spare = self._spares.popleft() if self._spares else self._start()
        if spare is None:
            place.due_s = now_s + PAUSE_S_MAX
            return
        try:
            descriptors_give(spare.end, [memory, *(one.fileno() for one in sockets)])
            link = Link(spare.end, memory, is_front=False)
        except (OSError, MemoryError) as error:
            # It ended before it began.
            log.error("front_not_begun", error=str(error))
            self._drop(spare, now_s)
            place.due_s = now_s + PAUSE_S_MIN
            return
        self._number += 1
        running = _Running(self._number, place.part, spare, link, now_s)
        place.running = running
        if spare.process is not None:
            log.info("front_begun", process_id=spare.process.pid, part=place.part)
        self.begun_count += 1
        self._by_prefix[running.prefix] = running
        self._poller.register(running.link.fileno(), zmq.POLLIN)
        self._calls.follow(running.link)
        running.link.put(
            Begin(
                [
                    DoorSetting(door.name, door.endpoint, *door.limits) for door in self._doors
                ],
                self._keys.public,
                self._keys.secret,
                place.part,
                self._stranger,
                self._memory_mib_max,
            )
        )
        running.keys_sent = [None] * len(self._doors)
        for number in range(len(self._doors)):
            self._keys_tell(running, number)
        running.link.put(Apart(self.suspects.parts))

    def _start(self) -> "Started | None":
        """Start a process, or a thread, that waits to be a front; None if there is no room."""
        descriptors: list[int] = []
        try:
            own, other = socket.socketpair()
            descriptors += [own.detach(), other.detach()]
            descriptors += os.pipe()
        except OSError as error:
            for each in descriptors:
                os.close(each)
            log.error("front_not_begun", error=str(error))
            return None
        own, other = (socket.socket(fileno=each) for each in descriptors[:2])
        notes, noted = descriptors[2:]
        try:
            if not self._is_process:
                thread = FrontThread(other, noted)
                thread.start()
                return Started(own, notes, None, thread)
            descriptors = [other.fileno(), noted]
            process = subprocess.Popen(
                [*self.program, *map(str, descriptors)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=descriptors,
            )
        except (OSError, RuntimeError) as error:
            # No process, thread or descriptor left for it.
            own.close()
            os.close(notes)
            log.error("front_not_begun", error=str(error))
            return None
        finally:
            if self._is_process:
                other.close()
                os.close(noted)
        return Started(own, notes, process, None)

    def _ended(self, running: _Running, why: str, now_s: float) -> None:
        if self._by_prefix.pop(running.prefix, None) is None:
            return
        self._leave(running)
        running.notes_read(now_s)
        running.close()
        self.ended_count += 1
        self._refused_before += running.refused_count
        self._forget(running, now_s)
        status = None if running.process is None else status_of(running.process)
        ran_s = now_s - running.began_s
        log.warning(
            "front_ended",
            why=why,
            status=status,
            part=running.part,
            ran_s=round(ran_s, 1),
            keys=len(running.there),
        )
        for place in self._places:
            if place.running is running:
                place.running = None
                is_odd = ran_s < STEADY_S and not running.has_admitted
                place.pause_s = (
                    min(max(2 * place.pause_s, PAUSE_S_MIN), PAUSE_S_MAX) if is_odd else 0.0
                )
                place.due_s = now_s + place.pause_s
        if self._is_process and running.has_admitted and status in BY_PEERS:
            self._suspect(running, now_s)
        self._begin_due(now_s)

    def _leave(self, running: _Running) -> None:
        """Look for nothing from a front any more."""
        self._poller.unregister(running.link.fileno())
        self._calls.leave(running.link)

    def _forget(self, running: _Running, now_s: float) -> None:
        """Tell the doors' owners, and let the process end by itself for a moment."""
        for door in self._doors:
            if door.is_followed:
                door.lost.append(Lost(running.prefix, False))
        for then in running.awaited.values():
            then()
        if running.process is not None:
            self._leaving.append((running.process, now_s + CLOSE_S_MAX))

    def _drop(self, started: Started, now_s: float) -> None:
        started.end.close()
        os.close(started.notes)
        if started.process is not None:
            self._leaving.append((started.process, now_s))

    def _reap(self, now_s: float) -> None:
        """Take note of processes that have ended, and kill those that do not."""
        for process, until_s in self._leaving:
            if process.poll() is None and now_s >= until_s:
                process.kill()
        self._leaving = [each for each in self._leaving if each[0].poll() is None]

    def _suspect(self, running: _Running, now_s: float) -> None:
        culprit = self.suspects.ended(running.part, running.there, now_s)
        if culprit is not None:
            log.error("key_cut_off", key=culprit)
            for number in range(len(self._doors)):
                self.keys_tell(number)
        self._apart_tell()

    def _apart_tell(self) -> None:
        """Tell all fronts who is set apart, if others are than before."""
        if self.suspects.parts == self._parts_logged:
            return
        self._parts_logged = self.suspects.parts.copy()
        if self._parts_logged:
            log.warning("keys_set_apart", count=len(self._parts_logged))
        else:
            log.info("keys_free_again")
        for running in self._by_prefix.values():
            running.link.put(Apart(self.suspects.parts))

    def _apart_places(self) -> None:
        """Let there be fronts for who is set apart, and none where nobody is."""
        needed = set(self.suspects.parts.values()) if self._is_process else set()
        for place in [each for each in self._places if each.part and each.part not in needed]:
            self._places.remove(place)
            if place.running is not None:
                self._dismiss(place.running)
        there = {place.part for place in self._places}
        self._places += [_Place(part) for part in sorted(needed - there)]

    def _dismiss(self, running: _Running) -> None:
        """End a front that is not needed any more; who is still there comes again elsewhere."""
        del self._by_prefix[running.prefix]
        self._leave(running)
        with contextlib.suppress(LinkEnded):
            running.link.flush()
        running.close()
        self._refused_before += running.refused_count
        self._forget(running, time.monotonic())

    # -- What they say ------------------------------------------------------------------------

    def _do(self, running: _Running, item: Any) -> None:
        match item:
            case Arrived(door=door, routing_id=routing_id, key=key, frames=frames):
                self._doors[door].arrived.append(Message(running.prefix + routing_id, key, frames))
            case Gone(door=door, routing_id=routing_id, is_slow=is_slow):
                if self._doors[door].is_followed:
                    self._doors[door].lost.append(Lost(running.prefix + routing_id, is_slow))
            case Reached(number=number):
                running.awaited.pop(number)()
            case LogLine(event=event, fields=fields):
                fields.pop("event", None)
                log.warning(event, **fields)
            case Pulse(refused_count=refused_count):
                running.refused_count = refused_count

    def _keys_tell(self, running: _Running, number: int) -> None:
        if not self._doors[number].is_known:
            return
        wanted = self._doors[number].keys.difference(self.suspects.cut_off)
        before, running.keys_sent[number] = running.keys_sent[number], wanted
        if wanted != before:
            known = before or frozenset()
            running.link.put(Keys(number, [*(wanted - known)], [*(known - wanted)]))
