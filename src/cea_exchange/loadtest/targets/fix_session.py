"""One FIX 4.4 session as its initiator: numbers, gaps, resends, heartbeats. No socket, no clock.

What was sent is kept, so that it can be sent again when the other side asks; after a lost
connection both sides go on with their numbers, and what is missing is asked for.
"""

from collections.abc import Callable, Iterator
from enum import IntEnum

from cea_exchange.loadtest.targets.fix_messages import (
    Decoder,
    Fields,
    FixError,
    encode,
    framed,
    sending_time,
)

HEARTBEAT, TEST_REQUEST, RESEND_REQUEST, REJECT, SEQUENCE_RESET, LOGOUT, LOGON = (
    b"0", b"1", b"2", b"3", b"4", b"5", b"A",
)  # fmt: skip
SILENCE_INTERVALS = 2.4


class Tag(IntEnum):
    """The tags that a session itself needs."""

    BEGIN_SEQ_NO = 7
    END_SEQ_NO = 16
    MSG_SEQ_NUM = 34
    MSG_TYPE = 35
    NEW_SEQ_NO = 36
    POSS_DUP_FLAG = 43
    REF_SEQ_NUM = 45
    SENDER_COMP_ID = 49
    SENDING_TIME = 52
    TARGET_COMP_ID = 56
    TEXT = 58
    ENCRYPT_METHOD = 98
    HEART_BT_INT = 108
    TEST_REQ_ID = 112
    ORIG_SENDING_TIME = 122
    GAP_FILL_FLAG = 123
    RESET_SEQ_NUM_FLAG = 141
    USERNAME = 553
    PASSWORD = 554


Body = list[tuple[int, bytes]]
Clock = Callable[[], bytes]
"""Returns the time as FIX writes it."""


class FixSession:
    """The state of a session.

    Parameters
    ----------
    sender, target : bytes
        CompIDs.
    heartbeat_s : int
    logon : list of (int, bytes)
        What else the logon has: a user name, a password.

    Attributes
    ----------
    is_ready : bool
        Logged on.
    gaps : int
        How often messages were missing.
    ended : str
        Why the other side has logged us out; empty if it has not.
    """

    def __init__(
        self,
        sender: bytes,
        target: bytes,
        *,
        heartbeat_s: int = 30,
        logon: Body | None = None,
        clock: Clock = sending_time,
    ) -> None:
        self.is_ready = False
        self.gaps = 0
        self.ended = ""
        self.next_in = 1
        self.next_out = 1
        self.tests_answered: set[bytes] = set()
        self._sender, self._target = sender, target
        self._heartbeat_s = heartbeat_s
        self._logon_body = logon or []
        self._clock = clock
        self._decoder = Decoder()
        self._sent: dict[int, tuple[bytes, bytes, bytes]] = {}
        self._out: list[bytes] = []
        self._is_begun = False
        self._asked_to = 0
        self._test_count = 0

    # -- Outgoing ----------------------------------------------------------------------------------

    def connected(self) -> None:
        """Begin on a fresh connection: the first logon resets the numbers, a later one does not."""
        self.is_ready = False
        self.ended = ""
        self._out.clear()
        self._decoder = Decoder()
        self._asked_to = 0
        body: Body = [
            (Tag.ENCRYPT_METHOD, b"0"),
            (Tag.HEART_BT_INT, b"%d" % self._heartbeat_s),
        ]
        if not self._is_begun:
            body.append((Tag.RESET_SEQ_NUM_FLAG, b"Y"))
        self._send(LOGON, encode(body + self._logon_body))

    def send(self, kind: bytes, body: bytes) -> int:
        """Queue a message of the application, its body encoded; return its number."""
        number = self.next_out
        self._send(kind, body, keeps=True)
        return number

    def heartbeat(self) -> None:
        """Queue a heartbeat."""
        self._send(HEARTBEAT)

    def test(self) -> bytes:
        """Queue a test request; its id comes back in `tests_answered`."""
        self._test_count += 1
        name = b"TEST%d" % self._test_count
        self._send(TEST_REQUEST, encode([(Tag.TEST_REQ_ID, name)]))
        return name

    def logout(self) -> None:
        """Queue a logout."""
        self._send(LOGOUT)

    def outgoing(self) -> bytes:
        """Return what is to be written now, and forget it.

        Orders that are queued before the logon is answered wait: they are sent again when the other
        side asks for what it misses.
        """
        data = b"".join(self._out)
        self._out.clear()
        return data

    def _send(self, kind: bytes, body: bytes = b"", *, keeps: bool = False) -> None:
        number = self.next_out
        self.next_out += 1
        at = self._clock()
        if keeps or kind == REJECT:
            self._sent[number] = (kind, body, at)
        if self.is_ready or kind in (LOGON, LOGOUT):
            self._out.append(self._message(kind, number, at, body))

    def _message(
        self, kind: bytes, number: int, at: bytes, body: bytes, extra: Body | None = None
    ) -> bytes:
        head: Body = [
            (Tag.MSG_TYPE, kind),
            (Tag.SENDER_COMP_ID, self._sender),
            (Tag.TARGET_COMP_ID, self._target),
            (Tag.MSG_SEQ_NUM, b"%d" % number),
            (Tag.SENDING_TIME, at),
        ]
        return framed(encode(head + (extra or [])) + body)

    # -- Incoming ----------------------------------------------------------------------------------

    def receive(self, data: bytes) -> Iterator[Fields]:
        """Take in bytes; yield the application's messages, in order and each once.

        Raises
        ------
        FixError
            The bytes are none of the protocol, or a number is lower than it may be.
        """
        for message in self._decoder.feed(data):
            yield from self._take(message)

    def _take(self, message: Fields) -> Iterator[Fields]:
        kind = message.get(Tag.MSG_TYPE, b"")
        number = _number(message, Tag.MSG_SEQ_NUM)
        is_again = message.get(Tag.POSS_DUP_FLAG) == b"Y"
        if kind == LOGON:
            self._logged_on(message)
        if kind == SEQUENCE_RESET and message.get(Tag.GAP_FILL_FLAG) != b"Y":
            self.next_in = max(self.next_in, _number(message, Tag.NEW_SEQ_NO))
            return
        if number > self.next_in:
            self._ask_for(number)
            if kind == LOGOUT:
                self._logged_out(message)
            elif kind == RESEND_REQUEST:
                # Both sides may miss something: who is asked answers first.
                self._send_again(message)
            return
        if number < self.next_in:
            if is_again or kind == LOGON:
                return
            raise FixError(f"expected message {self.next_in} or later, got {number}")
        self.next_in += 1
        if kind == SEQUENCE_RESET:
            self.next_in = max(self.next_in, _number(message, Tag.NEW_SEQ_NO))
        elif kind == TEST_REQUEST:
            test_id = message.get(Tag.TEST_REQ_ID, b"")
            self._send(HEARTBEAT, encode([(Tag.TEST_REQ_ID, test_id)]))
        elif kind == HEARTBEAT:
            self.tests_answered.add(message.get(Tag.TEST_REQ_ID, b""))
        elif kind == RESEND_REQUEST:
            self._send_again(message)
        elif kind == LOGOUT:
            self._logged_out(message)
        elif kind != LOGON:
            yield message

    def _logged_on(self, message: Fields) -> None:
        if message.get(Tag.RESET_SEQ_NUM_FLAG) == b"Y" and not self._is_begun:
            self.next_in = 1
        self.is_ready = True
        self._is_begun = True

    def _logged_out(self, message: Fields) -> None:
        text = message.get(Tag.TEXT, b"").decode("utf-8", "replace")
        self.is_ready = False
        self.ended = text or "the other side logged out"

    def _ask_for(self, last: int) -> None:
        """Ask for all from the first that is missing; what comes until then is passed over."""
        if self.next_in <= self._asked_to:
            return
        self.gaps += 1
        self._asked_to = last
        body: Body = [(Tag.BEGIN_SEQ_NO, b"%d" % self.next_in), (Tag.END_SEQ_NO, b"0")]
        self._send(RESEND_REQUEST, encode(body))

    def _send_again(self, message: Fields) -> None:
        """Send what was asked for again; what was no order is filled as a gap."""
        first, last = _number(message, Tag.BEGIN_SEQ_NO), _number(message, Tag.END_SEQ_NO)
        end = self.next_out if last == 0 else min(last + 1, self.next_out)
        at = self._clock()
        number = first
        while number < end:
            kept = self._sent.get(number)
            following = number + 1
            again: Body = [(Tag.POSS_DUP_FLAG, b"Y")]
            if kept is None:
                while following < end and following not in self._sent:
                    following += 1
                body: Body = [(Tag.GAP_FILL_FLAG, b"Y"), (Tag.NEW_SEQ_NO, b"%d" % following)]
                self._out.append(self._message(SEQUENCE_RESET, number, at, encode(body), again))
            else:
                kind, kept_body, sent_at = kept
                again.append((Tag.ORIG_SENDING_TIME, sent_at))
                self._out.append(self._message(kind, number, at, kept_body, again))
            number = following


def _number(message: Fields, tag: Tag) -> int:
    try:
        return int(message[tag])
    except (KeyError, ValueError) as error:
        raise FixError(f"expected a number in {tag.name} ({tag.value}), got none") from error
