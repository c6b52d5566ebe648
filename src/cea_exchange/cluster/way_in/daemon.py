"""The way in's daemon: fronts, the line to the venue that leads, and the clock around `WayIn`."""

import math
import os
import time
from contextlib import ExitStack
from pathlib import Path

import structlog
from prometheus_client import CollectorRegistry

from cea_exchange.cluster.way_in import line_messages
from cea_exchange.cluster.way_in.config import KEYS_NAME, WayInConfig
from cea_exchange.cluster.way_in.line import LeaderLine
from cea_exchange.cluster.way_in.metrics import WayInMetrics
from cea_exchange.cluster.way_in.way_in import Limits, WayIn
from cea_exchange.control_plane.fronts.fronts import FRONT_BYTES, DoorLimits
from cea_exchange.control_plane.host import DaemonHost
from cea_exchange.protocol.folder_lock import FolderLock
from cea_exchange.protocol.metrics_http import MetricsServer
from cea_exchange.protocol.security import MESSAGE_BYTES_MAX, CurveKeys

POLL_MS = 10
HEARTBEAT_S = 0.1
BEAT_S = 1.0
MESSAGES_PER_TURN_MAX = 2_000
MESSAGES_IN_ZEROMQ_MAX = 64
"""Of one participant and one direction, as at a venue."""

log = structlog.get_logger("way_in")


class WayInDaemon:
    """One running way in.

    Parameters
    ----------
    config
        The settings.
    data
        Its folder, with its keys; locked until `close`.

    Raises
    ------
    FolderInUse, SecurityError, OSError
        Nothing starts; the message names the place.
    """

    def __init__(self, config: WayInConfig, data: Path | str) -> None:
        self.config, self.data = config, Path(data)
        self._lock = FolderLock(self.data / KEYS_NAME)
        with ExitStack() as opened:
            opened.callback(self._lock.release)
            keys = CurveKeys.load(self.data / "keys", KEYS_NAME)
            self._host = DaemonHost(keys, log)
            opened.callback(self._host.close)
            self._open(keys)
            opened.pop_all()

    def _open(self, keys: CurveKeys) -> None:
        config, host = self.config, self._host
        self.endpoints = host.endpoints
        limits = DoorLimits(
            MESSAGES_IN_ZEROMQ_MAX,
            MESSAGE_BYTES_MAX,
            connection_queue_bytes_max=config.session_queue_bytes_max,
            queue_bytes_max=config.front_memory_mib_max << 19,
            wait_s_max=math.inf,
            ends_slow=False,
        )
        self._fronts = host.fronts_open(
            {"gateway": (config.gateway, limits)},
            count=config.fronts,
            memory_mib_max=config.front_memory_mib_max,
        )
        self._door = self._fronts.doors["gateway"]
        self._door.is_followed = True
        self._has_leader = False
        host.fronts_prove()
        self._line = LeaderLine(
            *(host.context, host.poller, keys, config.venue_key(self.data)),
            config.whereabouts(self.data),
            silence_s_max=config.silence_s_max,
        )
        now_s = time.monotonic()
        waiting = Limits(config.wait_s_max, config.commands_waiting_max)
        self.way_in = WayIn(self._door, self._line, waiting, now_s)
        self._heartbeat_due_s = self._beat_due_s = now_s
        self._leaders_count = 0
        self._figures = self._figures_now()
        self.metrics_address = self._metrics_serve()
        log.info("ready", data=str(self.data))
        path = self.data / KEYS_NAME / "endpoints.json"
        more = {"metrics": self.metrics_address, "pid": os.getpid()}
        host.endpoints_write(path, public_key=keys.public, **more)

    def _metrics_serve(self) -> str | None:
        """Let Prometheus ask, where the settings say so; return where."""
        self._metrics_server: MetricsServer | None = None
        if self.config.metrics is None:
            return None
        collectors = CollectorRegistry()
        collectors.register(WayInMetrics(lambda: self._figures))
        health = self._host.pulse.health
        self._metrics_server = MetricsServer(self.config.metrics, collectors, health)
        return self._metrics_server.address

    def _figures_now(self) -> dict[str, int]:
        way_in = self.way_in
        return {
            "resumed": way_in.resumed_count,
            "refused": way_in.refused_count,
            "leaders": self._leaders_count,
            "has_leader": self._has_leader,
            "sessions": len(way_in),
            "unanswered_commands": way_in.unanswered_count,
        }

    def run(self) -> None:
        """Serve until `stop`."""
        self._host.run(lambda: self.turn(POLL_MS))

    def stop(self) -> None:
        """Let `run` return after the turn it is in. Safe in a signal handler."""
        self._host.stop()

    @property
    def has_leader(self) -> bool:
        """Whether a venue that leads is at the other end of the line."""
        return self._has_leader

    def turn(self, timeout_ms: int) -> None:
        """Pass on what has come from either side; if nothing had, wait for something."""
        now_s = time.monotonic()
        is_busy = self._venue_turn(now_s)
        is_busy = self._participants_turn(now_s) or is_busy
        self.way_in.turn(now_s)
        self._fronts.flush()
        if now_s >= self._heartbeat_due_s:
            self._heartbeat_due_s = now_s + HEARTBEAT_S
            self._heartbeat_turn(now_s)
        is_busy = self._fronts.listen() or is_busy or self.way_in.has_work
        self._host.poller.poll(0 if is_busy else timeout_ms)

    def _participants_turn(self, now_s: float) -> bool:
        """Take what participants have sent; say whether there was anything."""
        while self._door.lost:
            routing_id, is_slow = self._door.lost.popleft()
            assert len(routing_id) >= FRONT_BYTES
            self.way_in.lost(routing_id, is_slow=is_slow)
        for count in range(MESSAGES_PER_TURN_MAX):
            # While the venue takes no more, participants wait where they come in.
            if self._line.is_up and not self._line.has_room:
                return bool(count)
            message = self._door.receive()
            if message is None:
                return bool(count)
            self.way_in.arrived(message, now_s)
        return True

    def _venue_turn(self, now_s: float) -> bool:
        """Take what the venue says; say whether there was anything."""
        has_come = False
        try:
            for frames in self._line.messages(now_s):
                has_come = True
                self._venue_said(frames, now_s)
        except Exception as error:
            # Nothing that a venue says ends this: the line to it ends, and another one begins.
            log.exception("line_broke", error=repr(error))
            self._line.drop()
        self._line.turn(now_s)
        if self._has_leader and not self._line.is_up:
            log.warning("venue_left", unanswered=self.way_in.unanswered_count)
            self._has_leader = False
            self.way_in.left(now_s)
        return has_come

    def _venue_said(self, frames: list[bytes], now_s: float) -> None:
        tag = frames[0][:1]
        if tag == line_messages.STANDING:
            self._stands(line_messages.standing_read(frames), now_s)
            return
        if tag == line_messages.KEYS:
            change = line_messages.keys_read(frames)
            self._line.keys = self._line.keys.union(change.added).difference(change.removed)
            if self._line.is_up:
                self._door.admit(self._line.keys)
            return
        said = line_messages.said_read(frames)
        if tag == line_messages.SEND:
            self.way_in.said(said.connection, said.frames, now_s)
        elif tag == line_messages.END:
            self.way_in.ended(said.connection, said.frames[0].decode())
        elif tag == line_messages.REACH:
            self._reach(said.connection, said.frames[0])

    def _stands(self, standing: line_messages.Standing, now_s: float) -> None:
        if self._line.is_up:
            self.way_in.stands(standing)
            return
        self._line.begun()
        self._has_leader = True
        self._leaders_count += 1
        log.info("venue_leads", log_id=standing.log_id, sessions=len(self.way_in))
        # Until here those were let in whom the venue before had granted a key.
        self._door.admit(self._line.keys)
        self.way_in.begun(standing, now_s)

    def _reach(self, connection: bytes, number: bytes) -> None:
        """Say so once all that was sent to a participant is on its way, or nobody is there."""
        routing_id = self.way_in.routing_id(connection)
        if routing_id is None:
            self._line.reached(number)
        else:
            self._door.reach(routing_id, lambda: self._line.reached(number))

    def _heartbeat_turn(self, now_s: float) -> None:
        self._host.pulse.beat(now_s)
        self._fronts.turn(now_s)
        self._host.monitor(now_s)
        if now_s >= self._beat_due_s:
            self._beat_due_s = now_s + BEAT_S
            self.way_in.beat(now_s)
            # Replaced whole: whoever asks does so in a thread of his own.
            self._figures = self._figures_now()

    def close(self) -> None:
        """Close the sockets, give the folder back."""
        self._line.close()
        if self._metrics_server is not None:
            self._metrics_server.close()
        self._host.close()
        self._lock.release()
        log.info("stopped", sessions=len(self.way_in))
