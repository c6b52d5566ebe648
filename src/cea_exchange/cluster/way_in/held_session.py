"""One participant's session as a way in holds it: what it is owed, whoever leads."""

from collections import deque
from enum import Enum
from typing import Any

import msgspec

from cea_exchange.cluster.way_in.answered import ReportsPassed, reports_read
from cea_exchange.domain.records import COMMAND_DTYPE
from cea_exchange.protocol.framing import (
    REPLAY_COUNT_MAX,
    TAG_COMMANDS,
    Heartbeat,
    Logon,
    ReportReplay,
    Request,
)

COMMANDS_PER_FRAME_MAX = 4_096
_COMMAND_BYTES = COMMAND_DTYPE.itemsize
_ID_AT = COMMAND_DTYPE.fields["client_order_id"][1]  # type: ignore[index]

Frames = tuple[bytes, bytes]


class Stage(Enum):
    """Where a session stands with the venue that leads."""

    NONE = "none"
    """It has not logged on, or its session is over."""
    LOGGING_ON = "logging_on"
    """The participant asked for it; the answer is the participant's."""
    AWAY = "away"
    """Logged on at a venue that leads no more."""
    RESUMING = "resuming"
    """Logged on again by the way in; the answer, or reports that were missed, are still to come."""
    ON = "on"


class HeldSession:
    """A session and what of it has no answer yet.

    Parameters
    ----------
    routing_id, connection, key
        The participant's connection at the fronts, on the line to the venue, and whose it is.

    Attributes
    ----------
    stage : Stage
    unanswered : dict of int to bytes
        Commands that went to a venue and have no answer, by client order id.
    held : dict of int to bytes
        Commands that have gone to none yet.
    asked, waiting : deque
        Requests without an answer that went to the venue that leads, and that did not yet.
    logons_awaited : int
        Answers to logons that are still to come; the last one counts.
    is_logon_due : bool
        Whether the participant's logon is still to be sent.
    end_reason : str
        Why the session ended; empty where it goes on, or there was none.
    """

    def __init__(self, routing_id: bytes, connection: bytes, key: str) -> None:
        self.routing_id, self.connection, self.key = routing_id, connection, key
        self.stage = Stage.NONE
        self.seen_s = self.logon_s = 0.0
        self.unanswered: dict[int, bytes] = {}
        self.held: dict[int, bytes] = {}
        self.asked: deque[Request] = deque()
        self.waiting: deque[Request] = deque()
        self.logons_awaited = 0
        self.is_logon_due = False
        self.end_reason = ""
        self.logon = Logon()
        self.place: dict[str, Any] = {}
        self._is_again_due = False
        self._reports = ReportsPassed(0)
        self._catch_up_to = self._replay_asked_to = 0

    # -- From the participant -----------------------------------------------------------------

    def logon_begin(self, logon: Logon, now_s: float) -> None:
        """Begin a session: what one before it was owed is not asked for again."""
        self.over()
        self.logon, self.logon_s, self.is_logon_due = logon, now_s, True
        self.stage = Stage.LOGGING_ON

    def hold(self, payload: bytes, *, go_now: bool) -> None:
        """Keep commands that are to go to the venue, now or once there is one.

        Notes
        -----
        What the participant sends a second time while it waits goes once: a venue that refuses a
        command judges it anew each time that it comes.
        """
        for client_order_id, record in records_of(payload):
            if client_order_id in self.unanswered and not go_now:
                self.unanswered[client_order_id] = record
            else:
                self.held[client_order_id] = record

    def over(self, reason: str = "") -> None:
        """End the session."""
        self.stage, self.end_reason = Stage.NONE, reason
        self.is_logon_due = self._is_again_due = False
        for each in (self.unanswered, self.held, self.asked, self.waiting):
            each.clear()

    def give_up_waiting(self) -> None:
        """Forget what waits for a venue; the session itself goes on once there is one."""
        if self.stage is Stage.LOGGING_ON:
            self.over()
        for each in (self.unanswered, self.held, self.waiting):
            each.clear()

    @property
    def commands_count(self) -> int:
        """How many commands have no answer."""
        return len(self.unanswered) + len(self.held)

    @property
    def has_waiting(self) -> bool:
        """Whether something is still to go to the venue that leads."""
        return bool(self.held or self.waiting or self._is_again_due)

    def is_silent(self, now_s: float) -> bool:
        """Say whether the participant has sent nothing for longer than a venue would wait."""
        return now_s - self.seen_s > float(self.place["session_silence_s_max"])

    # -- To the venue -------------------------------------------------------------------------

    def left(self) -> None:
        """Note that the venue which led is gone: nothing that it owed will come from it."""
        self.logons_awaited = 0
        self.waiting.extendleft(reversed(self.asked))
        self.asked.clear()
        if self.stage is Stage.LOGGING_ON:
            self.is_logon_due = True
        elif self.stage is not Stage.NONE:
            self.stage = Stage.AWAY

    def logon_again(self, now_s: float) -> Logon:
        """Return the logon by which the session goes on where its reports ended."""
        self.stage, self.logon_s, self._is_again_due = Stage.RESUMING, now_s, True
        return msgspec.structs.replace(self.logon, report_seq=self._reports.last)

    def commands_due(self) -> list[Frames]:
        """Return the commands to send: first those that a venue before had, in order of their ids.

        Notes
        -----
        By now all its reports are there: what is still unanswered, it never judged, or the log does
        not have it.
        """
        again = sorted(self.unanswered.items()) if self._is_again_due else []
        first = list(self.held.items())
        self._is_again_due = False
        self.unanswered |= self.held
        self.held.clear()
        return frames_of(again + first)

    def requests_due(self) -> list[Request]:
        """Return the requests to send; those with an answer of their own wait for it."""
        due = list(self.waiting)
        self.waiting.clear()
        self.asked += [each for each in due if not isinstance(each, Heartbeat | ReportReplay)]
        return due

    def missing_replay(self) -> ReportReplay | None:
        """Return the question for the next reports that were missed; None while some are coming."""
        missing = self._catch_up_to - self._reports.last
        if missing <= 0 or self._reports.last < self._replay_asked_to:
            return None
        count = min(missing, REPLAY_COUNT_MAX)
        self._replay_asked_to = self._reports.last + count
        return ReportReplay(self._reports.last + 1, count)

    # -- From the venue -----------------------------------------------------------------------

    def logged_on(self, answer: dict[str, Any]) -> str:
        """Take the answer to a logon; return why the session can't go on by it, empty if it can."""
        if self.stage is Stage.RESUMING:
            for name in ("log_id", "account", "account_index", "operator_index"):
                if answer[name] != self.place[name]:
                    return f"{name}: expected {self.place[name]}, got {answer[name]}"
            if answer["report_seq"] < self._reports.last:
                expected = f"at least {self._reports.last}, got {answer['report_seq']}"
                return f"report_seq: expected {expected}"
        else:
            first = answer["report_seq"]
            if self.logon.report_seq is not None:
                first = max(self.logon.report_seq, answer["report_base"])
            self._reports = ReportsPassed(first)
            self.stage = Stage.ON
        self.place = answer
        self._catch_up_to = answer["report_seq"]
        self._replay_asked_to = min(self._catch_up_to, self._reports.last + REPLAY_COUNT_MAX)
        return ""

    @property
    def has_caught_up(self) -> bool:
        """Whether all reports up to the last logon were passed on."""
        return self._reports.last >= self._catch_up_to

    def reported(self, payload: bytes) -> None:
        """Note which reports were passed on, and which commands they answer."""
        if not self.place:
            return
        account_index, operator_index = self.place["account_index"], self.place["operator_index"]
        reports = reports_read(payload, account_index, operator_index)
        self._reports.note([position for position in reports.positions if position])
        for client_order_id in reports.answered:
            self.unanswered.pop(client_order_id, None)

    def request_answered(self, op: str) -> None:
        """Note the answer to a request: of several alike to the first."""
        for request in self.asked:
            if request.__struct_config__.tag == op:
                self.asked.remove(request)
                return

    def heartbeat(self) -> dict[str, Any]:
        """Return what is said to the participant while nobody leads."""
        known = {name: self.place[name] for name in ("trading_date", "phase")}
        return {"op": "heartbeat", **known, "report_seq": self._reports.last}


def records_of(payload: bytes) -> list[tuple[int, bytes]]:
    """Return the commands of a frame with their ids."""
    found = []
    for at in range(0, len(payload), _COMMAND_BYTES):
        record = payload[at : at + _COMMAND_BYTES]
        found.append((int.from_bytes(record[_ID_AT : _ID_AT + 8], "little"), record))
    return found


def frames_of(commands: list[tuple[int, bytes]]) -> list[Frames]:
    """Return the messages that carry commands."""
    records = [record for _, record in commands]
    return [
        (TAG_COMMANDS, b"".join(records[at : at + COMMANDS_PER_FRAME_MAX]))
        for at in range(0, len(records), COMMANDS_PER_FRAME_MAX)
    ]
