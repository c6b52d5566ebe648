"""A front: the doors that others come to, in a process that may end at any moment.

    anybody <--CURVE--> ROUTER  front  <--shared memory--> daemon

It knows which keys are admitted, checks nothing else and decides nothing. What a peer does to its
libzmq ends the front, and with it the sessions of those who came through it, never the daemon.
"""

import contextlib
import math
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from functools import partial
from typing import NamedTuple

import zmq

from cea_exchange.control_plane.connection_monitor import LOOK_S, TURNED_AWAY_S
from cea_exchange.control_plane.door import Door
from cea_exchange.control_plane.fronts._passage import Passage
from cea_exchange.control_plane.fronts.link import (
    Apart,
    Begin,
    DoorSetting,
    End,
    Gone,
    Keys,
    Link,
    LinkEnded,
    LogLine,
    Pulse,
    Reach,
    Reached,
    Send,
    ToFront,
    descriptors_take,
)
from cea_exchange.control_plane.fronts.listening import listen_at
from cea_exchange.control_plane.limits import MemoryUse, freed_keep, limits_set
from cea_exchange.control_plane.outbox import OutboxLimits
from cea_exchange.protocol.security import ELSEWHERE, AllowList, CurveKeys, server_socket

POLL_MS = 200
WAITING_POLL_MS = 5
PASSING_MS = int(1_000 * LOOK_S)
"""So long messages are passed on before anything else is looked at."""
FREED_KEPT_MIB = 32
PULSE_S = 1.0
MEMORY_S = 0.1
CLOSE_S_MAX = 2.0
STATUS_S_MAX = 0.05
LEFT = b"-"
LAST_S = 1.0
"""For so long a key that is no longer admitted is answered why."""


class Front:
    """One front, in a process or, for who trusts all that come, a thread of the daemon's.

    Parameters
    ----------
    link
        The daemon's.
    notes
        A descriptor to which each key that is admitted is written at once, by line, and, with
        `LEFT` before it, each that has no connection any more: whoever reads it knows who was
        there when the front ended.
    begin
        What it is to do.
    """

    def __init__(self, link: Link, notes: int, begin: Begin) -> None:
        self._link = link
        self._notes = notes
        self._part = begin.part
        self._parts: dict[str, int] = {}
        self._turned_away_due_s = 0.0
        self._noting = threading.Lock()
        self._admitted: dict[str, float] = {}
        self._keys: list[set[str] | None] = [None for _ in begin.doors]
        self._memory, self.memory_mib_max = MemoryUse(), begin.memory_mib_max
        self._pulse_due_s, self._strays_due_s = 0.0, math.inf
        self._memory_due_s = 0.0
        self._context = zmq.Context()
        self._allow_list = AllowList(self._context, own_stranger=begin.stranger)
        self._begin = begin
        self._doors: list[Door] = []

    def open(self, descriptors: list[int]) -> None:
        """Open the doors, at addresses that were taken; who is admitted must be known by now."""
        keys = CurveKeys(self._begin.public_key, self._begin.secret_key)
        for setting, descriptor in zip(self._begin.doors, descriptors, strict=True):
            # Not before: whom the kernel brings to one that does not serve yet has to wait.
            listen_at(descriptor)
            self._doors.append(self._door(len(self._doors), setting, keys, descriptor))
        self._passage = Passage(
            self._link.fileno(),
            self._link.incoming,
            self._link.outgoing,
            [(door.router, door.monitor.took) for door in self._doors],
        )
        # The daemon waits to hear that it serves.
        self._pulse()
        self._link.flush()

    def _door(
        self, number: int, setting: DoorSetting, keys: CurveKeys, descriptor: int
    ) -> Door:
        self._allow_list.allow(setting.name, partial(self._is_admitted, number))
        opened, _ = server_socket(
            self._allow_list,
            self._context,
            zmq.ROUTER,
            domain=setting.name,
            keys=keys,
            address=setting.address,
            descriptor=descriptor,
            high_water_mark=setting.high_water_mark,
            message_bytes_max=setting.message_bytes_max,
        )
        return Door(
            opened,
            setting.name,
            setting.message_bytes_max,
            tell=self._tell,
            high_water_mark=setting.high_water_mark,
            limits=OutboxLimits(
                setting.connection_queue_bytes_max, setting.queue_bytes_max, setting.wait_s_max
            ),
            ends_slow=setting.ends_slow,
            on_gone=lambda routing_id, is_slow: self._link.put(Gone(number, routing_id, is_slow)),
        )

    def run(self) -> None:
        """Serve until the daemon's end of the link is gone."""
        while True:
            try:
                self.turn()
            except LinkEnded:
                self._last_words()
                return

    def _last_words(self) -> None:
        """Send what waits for those who read."""
        until_s = time.monotonic() + LAST_S
        while (now_s := time.monotonic()) < until_s and any(
            door.has_waiting for door in self._doors
        ):
            for door in self._doors:
                door.turn(now_s)
            time.sleep(WAITING_POLL_MS / 1_000)

    def turn(self) -> None:
        """Pass on messages for a while, and do what else is due."""
        for number, door in enumerate(self._doors):
            self._passage.hold(number, door.has_waiting)
        is_waiting = any(door.has_waiting for door in self._doors) or bool(self._parts)
        self._passage.run(WAITING_POLL_MS if is_waiting else POLL_MS, PASSING_MS)
        for item in self._link.receive():
            self.do(item)
        now_s = time.monotonic()
        for door in self._doors:
            door.turn(now_s)
        if self.memory_mib_max and now_s >= self._memory_due_s:
            self._memory_due_s = now_s + MEMORY_S
            if self._memory.mib() > self.memory_mib_max:
                # An end that nobody is blamed for: whose connections they are is not known.
                raise SystemExit(f"front: more than {self.memory_mib_max} MiB in use")
        if now_s >= self._pulse_due_s:
            self._pulse_due_s = now_s + PULSE_S
            self._pulse()
            self._left_note()
        if self._is_turning_away and now_s >= self._turned_away_due_s:
            self._turned_away_due_s = now_s + TURNED_AWAY_S
            for door in self._doors:
                door.monitor.end_turned_away()
        if now_s >= self._strays_due_s:
            self._strays_end()
        self._link.flush()

    def close(self) -> None:
        """Close the sockets; what was said last still goes out."""
        for door in self._doors:
            door.close()
        self._allow_list.close()
        self._context.destroy(linger=200)
        self._link.close()
        os.close(self._notes)

    def do(self, item: ToFront) -> None:
        """Do what the daemon says."""
        match item:
            case Send(door=door, routing_id=routing_id, frames=frames):
                self._doors[door].answer(routing_id, *frames)
            case Reach(number=number):
                self._link.put(Reached(number))
            case Keys(door=door, added=added, removed=removed):
                # Replaced whole: the handler's thread reads it.
                self._keys[door] = ((self._keys[door] or set()) | set(added)).difference(removed)
                if removed and self._doors:
                    self._doors[door].monitor.nameless_doubt()
                    self._strays_due_s = time.monotonic() + LAST_S
            case Apart(parts=parts):
                self._parts = parts
                for each in self._doors:
                    each.monitor.nameless_doubt()
                self._strays_end()
            case End(door=door, routing_id=routing_id, why=why):
                self._doors[door].end(routing_id, why)

    @property
    def _is_turning_away(self) -> bool:
        return bool(self._parts) or None in self._keys

    def _strays_end(self) -> None:
        """End the connections that would not be admitted now, and those doubted that are silent."""
        self._strays_due_s = math.inf
        for number, door in enumerate(self._doors):
            door.monitor.end_keys(
                lambda key, number=number: self._is_here(number, key) is not True,
                "its key has no business here any more",
            )

    def _is_here(self, door: int, key: str) -> object:
        """Say whether a door admits a key; `ELSEWHERE` if another front or this one later may."""
        keys = self._keys[door]
        if keys is None and key != self._begin.stranger:
            # The daemon does not know yet: a standby, or a way in that has found no leader.
            return ELSEWHERE
        if keys is None or key not in keys:
            return False
        return True if self._parts.get(key, 0) == self._part else ELSEWHERE

    def _is_admitted(self, door: int, key: str) -> object:
        is_here = self._is_here(door, key)
        if is_here is True:
            # Before the connection is served: it may end this process with its first bytes.
            with self._noting:
                self._admitted[key] = time.monotonic()
                os.write(self._notes, key.encode("ascii") + b"\n")
        return is_here

    def _left_note(self) -> None:
        """Note which keys have no connection any more.

        Whose one is that has sent nothing is not known: of whoever was admitted since it came.
        """
        with self._noting:
            doors = [door.monitor.whose() for door in self._doors]
            there = set().union(*(keys for keys, _ in doors))
            nameless_s = min(since_s for _, since_s in doors)
            for key, at_s in list(self._admitted.items()):
                if key not in there and at_s < nameless_s:
                    del self._admitted[key]
                    os.write(self._notes, LEFT + key.encode("ascii") + b"\n")

    def _pulse(self) -> None:
        refused = self._allow_list.refused_news(time.monotonic())
        if refused is not None:
            self._tell("key_refused", **refused)
        self._link.put(Pulse(self._allow_list.refused_count))
        if not self._allow_list.is_running:
            raise RuntimeError("allow-list: its handler has stopped")

    def _tell(self, event: str, **fields: str | float | None) -> None:
        self._link.put(LogLine(event, fields))


def front_run(end: socket.socket, notes: int) -> Front | None:
    """Wait for what the daemon asks for, open the front, and return it; None if the daemon ends."""
    if descriptors := descriptors_take(end):
        memory, *listening = descriptors
        link = Link(end, memory, is_front=True)
        os.close(memory)
        with contextlib.suppress(LinkEnded):
            begin, *items = _first_items(link)
            front = Front(link, notes, begin)
            for item in items:
                front.do(item)
            front.open(listening)
            return front
    end.close()
    os.close(notes)
    return None


def _first_items(link: Link) -> list:
    """Wait for what the daemon says first; LinkEnded if it ends."""
    poller = zmq.Poller()
    poller.register(link.fileno(), zmq.POLLIN)
    while not (items := link.receive()):
        poller.poll()
    return items


class FrontThread(threading.Thread):
    """A front in the daemon's own process."""

    def __init__(self, end: socket.socket, notes: int) -> None:
        super().__init__(daemon=True, name="front")
        self._given = end, notes

    def run(self) -> None:
        """Serve until the daemon's end of the link is gone."""
        front = front_run(*self._given)
        if front is not None:
            try:
                front.run()
            finally:
                front.close()


class Started(NamedTuple):
    """A process or thread that waits to be a front."""

    end: socket.socket
    notes: int
    process: subprocess.Popen | None
    thread: FrontThread | None

    def close(self) -> None:
        """End it."""
        self.end.close()
        os.close(self.notes)
        if self.process is not None:
            process_end(self.process, CLOSE_S_MAX)

    @property
    def is_there(self) -> bool:
        """Whether it still waits."""
        return self.process is None or self.process.poll() is None


def process_end(process: subprocess.Popen, wait_s: float) -> int:
    """Return how a process ended that has ended, or is made to after a while."""
    try:
        return process.wait(max(wait_s, 0.05))
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        return process.wait()


def status_of(process: subprocess.Popen) -> int | None:
    """Return how a process has ended; None for one that has closed its link and is still there."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        # One that was aborted is gone once its link is.
        return process.wait(STATUS_S_MAX)
    return None


def main() -> None:
    """Be a front: ``python -m cea_exchange.control_plane.fronts.front LINK NOTES``: descriptors."""
    for number in (signal.SIGINT, signal.SIGTERM):
        # They are for the daemon, whose last words are still to go out.
        signal.signal(number, signal.SIG_IGN)
    link, notes = (int(each) for each in sys.argv[1:])
    front = front_run(socket.socket(fileno=link), notes)
    if front is not None:
        limits_set(None, niceness=0)
        freed_keep(FREED_KEPT_MIB)
        front.run()
        front.close()


if __name__ == "__main__":
    main()
