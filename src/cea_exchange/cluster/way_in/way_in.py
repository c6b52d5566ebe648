"""Holds participants' sessions, whichever venue leads: messages and the time, no socket.

    participants <--> Doorway  WayIn  Line <--> the venue that leads

What a participant sends goes on to the venue, and is kept until it is answered. When the venue is
gone, nobody hears of it: the way in logs every session on again to the next one, behind the report
that it passed on last, passes on what was missed, and sends again, in the order of their ids and
with these ids, the commands that are still without an answer. The log has each of them once or not
at all, so the first answer is the only one. What can't wait any longer is refused.
"""

from typing import Any, NamedTuple, Protocol

import msgspec
import structlog

from cea_exchange.cluster.way_in.held_session import Frames, HeldSession, Stage, records_of
from cea_exchange.cluster.way_in.line_messages import CONNECTION_BYTES, Standing
from cea_exchange.control_plane.door import Doorway, Message
from cea_exchange.domain.refusals import VenueRefusal
from cea_exchange.domain.refusals.answers import code_of
from cea_exchange.domain.refusals.frame_error import FrameError
from cea_exchange.protocol.framing import (
    TAG_COMMANDS,
    TAG_MESSAGE,
    TAG_REPORTS,
    Heartbeat,
    Logon,
    Request,
    command_count,
    refusal_message,
    request_decode,
)

OPEN_WAIT_S = 3.0
"""So long commands wait for a venue that has just begun to lead and takes only cancels yet."""
HEARTBEAT_S = 1.0
"""So often participants hear from the way in while nobody leads."""
REFUSED_IDS_MAX = 1_000
SESSIONS_MAX = 1 << 16
SESSION_COMMANDS_MAX = 1 << 16
REQUESTS_WAITING_MAX = 64

log = structlog.get_logger("way_in")


class Limits(NamedTuple):
    """How much waits for a leader, and how long.

    Attributes
    ----------
    wait_s
        A command or logon that came while nobody leads is refused after so long.
    commands_max
        Commands of all participants that wait; one more is refused at once.
    """

    wait_s: float = 15.0
    commands_max: int = 262_144


class Line(Protocol):
    """The line to the venue that leads."""

    @property
    def has_room(self) -> bool:
        """Whether it is there and takes another message."""

    def send(self, connection: bytes, key: str, frames: Frames) -> None:
        """Send a participant's message."""

    def gone(self, connection: bytes, *, is_slow: bool) -> None:
        """Say that nothing can be sent to a participant any more, as it did not read or is gone."""


class WayIn:
    """The sessions of those who came by this way.

    Parameters
    ----------
    door
        Where participants come in.
    line
        The way to the venue.
    limits
        See there.
    now_s
        The time (monotonic).

    Attributes
    ----------
    resumed_count, refused_count : int
        Sessions that went on at another venue, and messages that were refused here.
    """

    def __init__(self, door: Doorway, line: Line, limits: Limits, now_s: float) -> None:
        self.resumed_count = self.refused_count = 0
        self._door, self._line, self._limits = door, line, limits
        self._by_routing_id: dict[bytes, HeldSession] = {}
        self._by_connection: dict[bytes, HeldSession] = {}
        self._number = 0
        self._standing: Standing | None = None
        self._since_s = now_s
        self._heartbeat_due_s = now_s
        self._waiting_count = 0
        self._is_overdue = False
        self._to_flush: dict[bytes, HeldSession] = {}

    def __len__(self) -> int:
        return len(self._by_routing_id)

    @property
    def unanswered_count(self) -> int:
        """How many commands have no answer."""
        return sum(session.commands_count for session in self._by_routing_id.values())

    @property
    def has_work(self) -> bool:
        """Whether a turn would send something."""
        return bool(self._to_flush) and self._line.has_room

    # -- The venue that leads ------------------------------------------------------------------

    def begun(self, standing: Standing, now_s: float) -> None:
        """Hear that a venue leads: every session goes on there."""
        self._standing, self._since_s, self._is_overdue = standing, now_s, False
        self._to_flush = self._by_connection.copy()

    def stands(self, standing: Standing) -> None:
        """Hear where the venue stands now."""
        self._standing = standing
        # Those that wait for it to take all commands, or for the end of that wait.
        self._to_flush |= {
            connection: session
            for connection, session in self._by_connection.items()
            if session.stage is Stage.ON and session.has_waiting
        }

    def left(self, now_s: float) -> None:
        """Hear that the venue is gone."""
        if self._standing is None:
            return
        self._standing, self._since_s, self._heartbeat_due_s = None, now_s, now_s
        self._to_flush.clear()
        self._waiting_count = self.unanswered_count
        for session in self._by_routing_id.values():
            session.left()

    def said(self, connection: bytes, frames: list[bytes], now_s: float) -> None:
        """Take what the venue says to a participant."""
        session = self._by_connection.get(connection)
        if session is None or len(frames) != 2:
            return
        tag, payload = frames
        if tag == TAG_REPORTS:
            session.reported(payload)
            self._door.answer(session.routing_id, tag, payload)
            if session.stage is Stage.RESUMING and not session.logons_awaited:
                self._resume(session)
        elif tag == TAG_MESSAGE:
            self._message(session, payload)

    def ended(self, connection: bytes, why: str) -> None:
        """Hear that the venue ends a participant's connection."""
        session = self._by_connection.get(connection)
        if session is not None:
            self._end(session, why)

    # -- The participants ----------------------------------------------------------------------

    def arrived(self, message: Message, now_s: float) -> None:
        """Take a participant's message."""
        session = self._by_routing_id.get(message.routing_id)
        if session is not None and session.key != message.key:
            # That one's connection is gone: this one has got its routing id.
            self.lost(message.routing_id, is_slow=False)
            session = None
        session = session or self._added(message, now_s)
        session.seen_s = now_s
        try:
            self._take(session, message.frames, now_s)
        except FrameError as error:
            self._refuse(session, error)

    def lost(self, routing_id: bytes, *, is_slow: bool) -> None:
        """Hear that nothing can be sent to a connection, or to all that begin so, any more."""
        one = self._by_routing_id.get(routing_id)
        if one is not None and is_slow:
            # It learns why from the answer to its next message, and may log on again.
            self._line.gone(one.connection, is_slow=True)
            one.over("slow")
            return
        gone = (
            [each for key, each in self._by_routing_id.items() if key.startswith(routing_id)]
            if one is None
            else [one]
        )
        for session in gone:
            self._line.gone(session.connection, is_slow=False)
            self._forget(session)

    def routing_id(self, connection: bytes) -> bytes | None:
        """Return where a connection is at the fronts; None if it is gone."""
        session = self._by_connection.get(connection)
        return None if session is None else session.routing_id

    def turn(self, now_s: float) -> None:
        """Send on what there is room for; say and refuse what is due."""
        while self._to_flush and self._line.has_room:
            connection = next(iter(self._to_flush))
            self._flush(self._to_flush.pop(connection), now_s)
        if self._standing is None:
            self._while_nobody_leads(now_s)

    def beat(self, now_s: float) -> None:
        """Do, about once a second, what is due by the clock while a venue leads."""
        if self._standing is None:
            return
        for session in list(self._by_routing_id.values()):
            since_s = max(session.logon_s, self._since_s)
            if session.logons_awaited and now_s - since_s > self._limits.wait_s:
                # The venue does not take it up: the client has logged on by another way since.
                self._end(session, "no answer to its logon")

    # -- Taking in -----------------------------------------------------------------------------

    def _added(self, message: Message, now_s: float) -> HeldSession:
        if len(self._by_routing_id) >= SESSIONS_MAX:
            oldest = min(self._by_routing_id.values(), key=lambda each: each.seen_s)
            self._end(oldest, "too many connections")
        while True:
            self._number = (self._number + 1) % (1 << 8 * CONNECTION_BYTES)
            connection = self._number.to_bytes(CONNECTION_BYTES, "little")
            if connection not in self._by_connection:
                break
        session = HeldSession(message.routing_id, connection, message.key)
        self._by_routing_id[message.routing_id] = self._by_connection[connection] = session
        return session

    def _take(self, session: HeldSession, frames: list[bytes], now_s: float) -> None:
        if len(frames) != 2:
            expected, got = "2 frames, tag and payload", str(len(frames))
            raise _refusal(VenueRefusal.BAD_REQUEST, expected, got, "message")
        tag, payload = frames
        if tag == TAG_MESSAGE:
            self._asked(session, request_decode(payload), now_s)
        elif tag == TAG_COMMANDS:
            self._commanded(session, payload, now_s)
        else:
            raise _refusal(VenueRefusal.BAD_REQUEST, "tag C or M", repr(tag[:8]), "tag")

    def _asked(self, session: HeldSession, request: Request, now_s: float) -> None:
        if isinstance(request, Logon):
            if self._is_overdue:
                raise _nobody_leads("a logon", "logon")
            session.logon_begin(request, now_s)
        elif session.stage in (Stage.NONE, Stage.LOGGING_ON):
            raise _refusal(VenueRefusal.NOT_LOGGED_ON, "a logon first", "a request", "session")
        elif isinstance(request, Heartbeat) and not self._flows(session, now_s):
            # Participants hear from here meanwhile, asked or not.
            return
        elif len(session.waiting) + len(session.asked) >= REQUESTS_WAITING_MAX:
            expected = f"at most {REQUESTS_WAITING_MAX} requests that wait"
            raise _refusal(VenueRefusal.BUSY, expected, "another", "message")
        elif self._is_overdue:
            raise _nobody_leads("a request", "venue")
        else:
            session.waiting.append(request)
        self._to_flush[session.connection] = session

    def _commanded(self, session: HeldSession, payload: bytes, now_s: float) -> None:
        count = command_count(payload)
        if session.stage in (Stage.NONE, Stage.LOGGING_ON):
            expected, got = "a logon first", "commands"
            raise _refusal(VenueRefusal.NOT_LOGGED_ON, expected, got, "session")
        if self._standing is None:
            if self._is_overdue or self._waiting_count + count > self._limits.commands_max:
                ids = [client_order_id for client_order_id, _ in records_of(payload)]
                self._refuse_ids(session, _nobody_leads("commands", "venue"), ids)
                return
            self._waiting_count += count
        elif session.commands_count + count > SESSION_COMMANDS_MAX:
            expected = f"at most {SESSION_COMMANDS_MAX} commands without an answer"
            error = _refusal(VenueRefusal.BUSY, expected, "more", "client_order_id")
            ids = [client_order_id for client_order_id, _ in records_of(payload)]
            self._refuse_ids(session, error, ids)
            return
        session.hold(payload, go_now=self._flows(session, now_s))
        self._to_flush[session.connection] = session

    # -- Sending on ----------------------------------------------------------------------------

    def _flows(self, session: HeldSession, now_s: float) -> bool:
        """Say whether what a participant sends goes on at once."""
        standing = self._standing
        if standing is None or session.stage is not Stage.ON:
            return False
        # One that begins to lead takes only cancels until it has heard from the registry.
        return standing.is_open or now_s - self._since_s > OPEN_WAIT_S

    def _flush(self, session: HeldSession, now_s: float) -> None:
        """Send the venue what waits of a session, as far as it goes on now."""
        if session.stage is Stage.AWAY:
            if session.is_silent(now_s):
                self._end(session, "it is silent")
                return
            self._ask(session, session.logon_again(now_s))
            session.logons_awaited += 1
        elif session.is_logon_due:
            session.is_logon_due = False
            self._ask(session, session.logon)
            session.logons_awaited += 1
        elif self._flows(session, now_s):
            for frames in session.commands_due():
                self._line.send(session.connection, session.key, frames)
            for request in session.requests_due():
                self._ask(session, request)

    def _ask(self, session: HeldSession, request: Request) -> None:
        frames = (TAG_MESSAGE, msgspec.msgpack.encode(request))
        self._line.send(session.connection, session.key, frames)

    def _resume(self, session: HeldSession) -> None:
        """Ask for what was missed, or let the session go on when it is there."""
        if session.has_caught_up:
            session.stage = Stage.ON
            self.resumed_count += 1
            self._to_flush[session.connection] = session
        elif (replay := session.missing_replay()) is not None:
            self._ask(session, replay)

    # -- What the venue says -------------------------------------------------------------------

    def _message(self, session: HeldSession, payload: bytes) -> None:
        said = msgspec.msgpack.decode(payload)
        match said["op"]:
            case "logon":
                self._logged_on(session, said, payload)
                return
            case "stopping":
                # Another one will lead, or this one again: the session goes on here.
                return
            case "heartbeat" | "phase":
                session.place |= {name: said[name] for name in ("trading_date", "phase")}
            case "session_ended":
                session.over(said["reason"])
            case "refused":
                if not self._venue_refused(session, said):
                    return
            case op:
                session.request_answered(op)
        self._door.answer(session.routing_id, TAG_MESSAGE, payload)

    def _logged_on(self, session: HeldSession, said: dict[str, Any], payload: bytes) -> None:
        session.logons_awaited = max(0, session.logons_awaited - 1)
        if session.logons_awaited or session.stage not in (Stage.LOGGING_ON, Stage.RESUMING):
            return
        is_own = session.stage is Stage.RESUMING
        why = session.logged_on(said)
        if why:
            # It finds out by itself, and stops: what was acknowledged is missing there.
            log.error("session_not_resumed", key=session.key, why=why)
            self._end(session, why)
        elif is_own:
            known = {name: said[name] for name in ("trading_date", "phase", "report_seq")}
            self._tell(session, {"op": "phase", **known})
            self._resume(session)
        else:
            self._door.answer(session.routing_id, TAG_MESSAGE, payload)
            self._to_flush[session.connection] = session

    def _venue_refused(self, session: HeldSession, said: dict[str, Any]) -> bool:
        """Note what the venue has refused; False if the participant is not to hear of it."""
        code = code_of(said, VenueRefusal)
        ids = said.get("client_order_ids")
        if ids is not None:
            for client_order_id in ids:
                session.unanswered.pop(client_order_id, None)
        elif session.logons_awaited:
            session.logons_awaited -= 1
            if session.stage is Stage.RESUMING:
                log.warning("session_not_resumed", key=session.key, why=str(code))
                self._end(session, "its session can't go on")
                return False
            session.over()
        elif code is VenueRefusal.NOT_LOGGED_ON or said.get("reason"):
            session.over(said.get("reason", ""))
        elif code is VenueRefusal.NOT_PERMITTED:
            # A key that may send no commands: none of them will ever have another answer.
            session.unanswered.clear()
        elif session.asked:
            session.asked.popleft()
        return True

    # -- While nobody leads --------------------------------------------------------------------

    def _while_nobody_leads(self, now_s: float) -> None:
        if now_s >= self._heartbeat_due_s:
            self._heartbeat_due_s = now_s + HEARTBEAT_S
            self._heartbeats_tell(now_s)
        if not self._is_overdue and now_s - self._since_s > self._limits.wait_s:
            self._is_overdue = True
            log.error("venue_unavailable", commands=self._waiting_count, sessions=len(self))
            for session in list(self._by_routing_id.values()):
                self._give_up_waiting(session)

    def _heartbeats_tell(self, now_s: float) -> None:
        """Tell who waits that the way in is there; end the sessions that were left behind."""
        for session in list(self._by_routing_id.values()):
            if session.stage is not Stage.AWAY:
                continue
            if session.is_silent(now_s):
                self._end(session, "it is silent")
            else:
                self._tell(session, session.heartbeat())

    def _give_up_waiting(self, session: HeldSession) -> None:
        """Refuse what has waited too long: nobody wants his order of then to be entered later.

        Rules: CEA-OPR-05.
        """
        ids, unknown = list(session.held), sorted(session.unanswered)
        requests = len(session.waiting)
        is_logon = session.stage is Stage.LOGGING_ON
        session.give_up_waiting()
        self._refuse_ids(session, _nobody_leads("commands", "venue"), ids)
        expected, got = "an answer of the venue that led", "none: it may be done or not"
        error = _refusal(VenueRefusal.OUTCOME_UNKNOWN, expected, got, "venue")
        self._refuse_ids(session, error, unknown)
        for _ in range(requests):
            self._refuse(session, _nobody_leads("a request", "venue"))
        if is_logon:
            self._refuse(session, _nobody_leads("a logon", "logon"))

    # -- Saying and ending ---------------------------------------------------------------------

    def _refuse_ids(self, session: HeldSession, error: FrameError, ids: list[int]) -> None:
        for first in range(0, len(ids), REFUSED_IDS_MAX):
            some = ids[first : first + REFUSED_IDS_MAX]
            self._refuse(session, error, client_order_ids=some)

    def _refuse(self, session: HeldSession, error: FrameError, **more: object) -> None:
        self.refused_count += 1
        if error.where == "session" and session.end_reason:
            more["reason"] = session.end_reason
        self._tell(session, {**refusal_message(error), **more})

    def _tell(self, session: HeldSession, said: dict[str, Any]) -> None:
        self._door.answer(session.routing_id, TAG_MESSAGE, msgspec.msgpack.encode(said))

    def _end(self, session: HeldSession, why: str) -> None:
        self._door.end(session.routing_id, why)
        self._line.gone(session.connection, is_slow=False)
        self._forget(session)

    def _forget(self, session: HeldSession) -> None:
        del self._by_routing_id[session.routing_id], self._by_connection[session.connection]
        self._to_flush.pop(session.connection, None)


def _refusal(code: VenueRefusal, expected: str, got: str, where: str) -> FrameError:
    return FrameError(code, expected=expected, got=got, where=where)


def _nobody_leads(got: str, where: str) -> FrameError:
    return _refusal(VenueRefusal.VENUE_UNAVAILABLE, "a venue that leads", f"{got}, and none", where)
