"""One participant's order-entry session as a state machine over bytes: no socket, no clock.

Both clients and the load harness put their own transport around it. The session hands out the
messages to send (`outgoing`), takes in what came (`receive`), and keeps three promises:

- every command has its own strictly increasing id, and is kept until it is answered;
- reports are delivered in order without a gap, because a gap is filled by replay first;
- after a reconnection the missed reports come first, then every unanswered command goes out
  again with the same id, so that nothing happens twice and nothing is forgotten.

A session that the venue cut off, or does not know any more, logs on again by itself. One that ended
for good (logged off, taken over by another logon of the key, key revoked, ended by the venue's
operator) stays so until `connected` is called again.
"""

import secrets
from collections import deque
from enum import Enum
from typing import Any, NoReturn, SupportsIndex

import msgspec
import numpy as np

from cea_exchange.client.answers import ListedProduct
from cea_exchange.client.commands import SessionCommands, id_read
from cea_exchange.client.reports import Report, reports_of
from cea_exchange.domain.calendar import date_parse
from cea_exchange.domain.records import (
    COMMAND_DTYPE,
    CommandKind,
    Phase,
)
from cea_exchange.domain.refusals import VenueRefusal
from cea_exchange.domain.refusals.answers import code_of
from cea_exchange.domain.units import boolean
from cea_exchange.protocol.framing import (
    REPLAY_COUNT_MAX,
    SessionEnd,
    command_fault,
    command_faults,
)

COMMANDS_PER_FRAME_MAX = 4096
"""Commands in one frame; 64 bytes each, so well below the frame limit of 1 MiB."""

MESSAGES_KEPT = 256
"""Answers to control messages that wait to be looked at; the oldest go first."""

_FINAL_ENDS = frozenset(SessionEnd) - {SessionEnd.SILENT, SessionEnd.SLOW}
_KIND_AT = COMMAND_DTYPE.fields["kind"][1]
_CANCELS = (
    CommandKind.CANCEL,
    CommandKind.BLOCK_WITHDRAW,
    CommandKind.BLOCK_REJECT,
    CommandKind.BID_CANCEL,
)


_FOR_GOOD = (
    VenueRefusal.NOT_AUTHENTICATED,
    VenueRefusal.NOT_PERMITTED,
    VenueRefusal.BAD_REQUEST,
)
"""What is refused for these is refused for good: the key may not send it, or nobody may."""


_NEVER_REPLAYED = (VenueRefusal.REPORTS_NOT_HELD, VenueRefusal.EVENTS_DAMAGED)
"""Reports that are refused for these don't come, however often they are asked for."""


class SessionError(Exception):
    """The session can't do what was asked: not logged on, or refused by the venue.

    Attributes
    ----------
    code : VenueRefusal or None
        Why the venue has refused it; None where it has not, or says no code that is known here.
    """

    def __init__(self, words: str, code: VenueRefusal | None = None) -> None:
        super().__init__(words)
        self.code = code

    @classmethod
    def of(cls, refused: dict[str, Any]) -> "SessionError":
        """Return the error of a venue's answer that refuses something."""
        why = f"refused {refused.get('code', '')}".strip()
        words = f"{why}: expected {refused['expected']}, got {refused['got']}"
        return cls(words, code_of(refused, VenueRefusal))


class SessionEnded(SessionError):
    """The venue ended the session for good.

    Attributes
    ----------
    reason : str
        ``logged_off``, ``taken_over``, ``revoked`` or ``operator`` (the venue's).
    """

    def __init__(self, reason: str):
        super().__init__(f"the venue ended the session: {reason}")
        self.reason = reason


class SessionState(Enum):
    """Where a session stands."""

    DOWN = "down"
    LOGGING_ON = "logging_on"
    CATCHING_UP = "catching_up"
    READY = "ready"
    ENDED = "ended"


class Uncopied:
    """What is one end of a connection: a copy would share it, and neither would be its owner."""

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        """Refuse `copy.copy`, `copy.deepcopy` and pickle, which all ask this."""
        raise TypeError(f"{type(self).__name__}: expected one owner, got a copy or a pickle of it")


class OrderSession(SessionCommands, Uncopied):
    """The state of one order-entry session.

    Parameters
    ----------
    report_seq : int, optional
        Last report already known, e.g. from a log; replay starts after it. Without it the stream
        starts with what happens after the first logon.

    Attributes
    ----------
    role : str
        What the key may do: ``trader``, ``canceller`` (cancels only), ``reader`` (reports only).
    end_reason : str
        Why the session ended; empty while it has not.

    Notes
    -----
    A command that the venue refuses only for now (while it takes nothing but cancels, or its disk
    is full) stays in `unacknowledged` and is sent again at each heartbeat until it is answered: it
    may be accepted minutes later, at its own price, on its own trading date only. Who no longer
    wants it deletes its id from `unacknowledged`. Later commands of the session wait behind it, but
    for cancels: once one of these is accepted, it is answered `ORDER_ID_DUPLICATE`; what has only
    waited goes in front of the cancel. A venue that was begun anew is no reason: there orders wait
    for its registry, and what comes behind.
    """

    def __init__(self, *, report_seq: SupportsIndex | None = None) -> None:
        self.state = SessionState.DOWN
        self.account: str | None = None
        self.account_index = -1
        self.operator_index = -1
        self.log_id: str | None = None
        self.role = ""
        self.end_reason = ""
        self.trading_date = 0
        self.phase = 0
        self.report_seq: int | None = None
        if report_seq is not None:
            self.report_seq = id_read(report_seq, "report_seq")
        self.products: dict[str, ListedProduct] = {}
        self.unacknowledged: dict[int, bytes] = {}
        self.messages: deque[dict[str, Any]] = deque(maxlen=MESSAGES_KEPT)
        self.resent_count = 0
        self.replayed_count = 0
        self._client_order_id = 0
        self._client = secrets.randbits(62)
        self._attempt = 0
        self._early: dict[int, Report] = {}
        self._deferred: set[int] = set()
        self._resent: set[int] = set()
        self._waiting: set[int] = set()
        self._catch_up_to = 0
        self._replay_wanted_to = 0
        self._replay_asked_to = 0
        self._heartbeat_seqs = (-1, -1)
        self._commands: list[bytes] = []
        self._requests: list[bytes] = []
        self._logoff: dict[str, Any] | None = None

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} {self.account}: {self.state.value}, report {self.report_seq}, "
            f"{len(self.unacknowledged)} unanswered>"
        )

    # -- Outgoing ----------------------------------------------------------------------------------

    def connected(self) -> None:
        """Begin anew on a fresh connection: the logon goes first, commands wait for its answer."""
        self.state = SessionState.LOGGING_ON
        self._commands.clear()
        self._requests.clear()
        self._early.clear()
        self.end_reason = ""
        self._replay_wanted_to = self._replay_asked_to = 0
        known = {} if self.report_seq is None else {"report_seq": self.report_seq}
        self._attempt += 1
        self._request({"op": "logon", "client": self._client, "attempt": self._attempt, **known})

    def disconnected(self) -> None:
        """Note that the connection is gone; new commands wait for the next one."""
        self.state = SessionState.DOWN
        self._commands.clear()
        self._requests.clear()

    def outgoing(self) -> list[list[bytes]]:
        """Return the messages to send now, each [tag, payload], and forget them."""
        messages = [[b"M", payload] for payload in self._requests]
        self._requests.clear()
        for first in range(0, len(self._commands), COMMANDS_PER_FRAME_MAX):
            batch = self._commands[first : first + COMMANDS_PER_FRAME_MAX]
            messages.append([b"C", b"".join(batch)])
        self._commands.clear()
        return messages

    def submit(self, commands: np.ndarray) -> list[int]:
        """Queue a batch of Command records and return their client_order_ids.

        Parameters
        ----------
        commands : ndarray of COMMAND_DTYPE
            Ids are overwritten with the session's next ones; a trading_date of 0 becomes the
            current one; who acts is the gateway's to fill in, so those fields become 0.

        Raises
        ------
        SessionError
            If there was no logon yet.
        TypeError, ValueError
            If the array or one of its records is none that the venue would take; nothing is queued.
        """
        self._logon_check()
        self._role_check(commands)
        if commands.dtype != COMMAND_DTYPE:
            raise TypeError(f"commands: expected COMMAND_DTYPE, got {commands.dtype}")
        batch = commands.copy()
        first = self._client_order_id + 1
        batch["client_order_id"] = np.arange(first, first + len(batch), dtype="<u8")
        batch["trading_date"][batch["trading_date"] == 0] = self.trading_date
        batch["operator_index"] = 0
        batch["account_index"] = 0
        faults = command_faults(batch)
        if faults.any():
            # The venue would refuse all that came in the same message, others' commands included.
            row = int(np.argmax(faults))
            raise ValueError(f"commands[{row}]: {command_fault(batch[row])}")
        data = batch.tobytes()
        width = COMMAND_DTYPE.itemsize
        records = [data[at : at + width] for at in range(0, len(data), width)]
        return self._queue(records)

    def submit_packed(self, records: list[tuple[int, bytes]]) -> None:
        """Queue ready (client_order_id, record) pairs of a caller that numbers its own commands.

        The ids must strictly increase and lie above all earlier ones; see `next_client_order_id`.
        """
        for client_order_id, record in records:
            if client_order_id <= self._client_order_id:
                raise ValueError(
                    f"client_order_id: expected above {self._client_order_id},"
                    f" got {client_order_id}"
                )
            self._client_order_id = client_order_id
            self.unacknowledged[client_order_id] = record
            self._send(client_order_id, record)

    @property
    def next_client_order_id(self) -> int:
        """The id that the next command will have."""
        return self._client_order_id + 1

    def _logon_check(self) -> None:
        if self.account_index < 0:
            raise SessionError("session: expected a logon before a command, got none")

    def _role_check(self, commands: np.ndarray) -> None:
        if self.state is SessionState.ENDED:
            raise SessionEnded(self.end_reason)
        if self.role == "reader":
            raise SessionError("key: expected a trader's for a command, got a reader's")
        if self.role == "canceller" and not np.isin(commands["kind"], _CANCELS).all():
            raise SessionError(
                "key: expected a trader's for a command, got a canceller's: it may only cancel"
            )

    def logoff(self, *, keep_orders: bool = False) -> None:
        """Queue the end of the session; without `keep_orders` its open orders are cancelled."""
        self._logoff = {"op": "logoff", "keep_orders": boolean(keep_orders, "keep_orders")}
        self._request(self._logoff)

    def heartbeat(self) -> None:
        """Queue a heartbeat; its answer carries phase, trading date and the last report number."""
        self._request({"op": "heartbeat"})

    def book(self, product: str) -> None:
        """Queue a question for the five levels of a product; the answer comes in `messages`."""
        self._request({"op": "book", "product": _text(product, "product")})

    def party(
        self,
        *,
        account: str | None = None,
        group: str | None = None,
        account_index: SupportsIndex | None = None,
    ) -> dict[str, Any]:
        """Queue a question for an account's or a group's index, or an account's name.

        Returns
        -------
        dict
            What was asked, which the answer repeats.
        """
        asked = {"account": account, "group": group, "account_index": account_index}
        if account_index is not None:
            asked["account_index"] = id_read(account_index, "account_index")
        given = {
            name: value if name == "account_index" else _text(value, name)
            for name, value in asked.items()
            if value is not None
        }
        if len(given) != 1:
            raise ValueError(f"expected one of account, group, account_index, got {given}")
        self._request({"op": "party", **given})
        return given

    def blocks(self, first: SupportsIndex = 0) -> None:
        """Queue a question for the open blocks that the account made or is asked in."""
        self._request({"op": "blocks", "from": id_read(first, "first")})

    def statement(self, date: str | None = None) -> None:
        """Queue a question for the place of a day's statement, and what the account has now."""
        asked = None if date is None else date_parse(date).isoformat()
        self._request({"op": "statement", "date": asked})

    def history(self, first: SupportsIndex, count: SupportsIndex) -> None:
        """Queue a question for own reports that comes back as one answer in `messages`."""
        asked = {"from": id_read(first, "first"), "count": id_read(count, "count")}
        self._request({"op": "history", **asked})

    def biddings(self) -> None:
        """Queue a question for the day's biddings: terms, windows, results."""
        self._request({"op": "biddings"})

    def product_index(self, product: str) -> int:
        """Return the index of a product by name.

        Raises
        ------
        LookupError
            If the venue named no such product at the logon; what it has declared since is known
            after the next one.
        """
        if product not in self.products:
            raise LookupError(
                f"product: expected one of {', '.join(self.products)}, got {product!r}; one that"
                " is declared after the logon is known after a new one"
            )
        return self.products[product]["product_index"]

    def product_name(self, product_index: int) -> str | None:
        """Return the name of a product by its index, None if there is no such product."""
        for name, entry in self.products.items():
            if entry["product_index"] == product_index:
                return name
        return None

    # -- Incoming ----------------------------------------------------------------------------------

    def receive(self, frames: list[bytes]) -> list[Report]:
        """Take in one message and return the reports that are new, in order.

        Notes
        -----
        Answers to control messages are put into `messages` as dicts. A repeated report still
        settles the command it answers, but is not returned a second time.

        Raises
        ------
        SessionError
            If the message is none of the protocol.
        """
        if len(frames) != 2:
            raise SessionError(f"message: expected 2 frames, got {len(frames)}")
        tag, payload = frames
        if tag == b"R":
            return self._reports(payload)
        if tag == b"M":
            return self._message(msgspec.msgpack.decode(payload))
        raise SessionError(f"message: expected to begin with R or M, got {tag!r}")

    def _reports(self, payload: bytes) -> list[Report]:
        delivered: list[Report] = []
        if self.report_seq is None:
            return delivered
        for report in reports_of(payload):
            position = report.position(self.account_index)
            if position == 0 or position <= self.report_seq:
                # A gateway's refusal has no number; a resent answer is one we may have had.
                if self._settle(report) and position == 0:
                    delivered.append(report)
            elif position == self.report_seq + 1:
                self._deliver(report, delivered)
            else:
                self._early[position] = report
        if self._early:
            self._deliver_early(delivered)
        if self._early:
            self._replay_wanted_to = max(self._replay_wanted_to, min(self._early) - 1)
        self._ask_replay()
        if self.state is SessionState.CATCHING_UP and self.report_seq >= self._catch_up_to:
            self._caught_up()
        return delivered

    def _deliver(self, report: Report, delivered: list[Report]) -> None:
        self.report_seq += 1
        self._settle(report)
        delivered.append(report)

    def _deliver_early(self, delivered: list[Report]) -> None:
        while self._early:
            report = self._early.pop(self.report_seq + 1, None)
            if report is None:
                break
            self._deliver(report, delivered)
        for position in [number for number in self._early if number <= self.report_seq]:
            del self._early[position]

    def _settle(self, report: Report) -> bool:
        client_order_id = report.answers()
        if not client_order_id or report.operator_index != self.operator_index:
            return False
        if self._resent:
            self._resent.discard(client_order_id)
            if not self._resent:
                self._resend_deferred()
        return self.unacknowledged.pop(client_order_id, None) is not None

    def _message(self, message: dict[str, Any]) -> list[Report]:
        op = message.get("op")
        if op == "logon":
            self._logged_on(message)
        elif op in ("heartbeat", "phase"):
            self.trading_date = message["trading_date"]
            self.phase = _phase(message["phase"])
            self._repair_tail(message)
            self._resend_deferred()
        elif op == "refused":
            self._refused(message)
        elif op == "session_ended":
            self._ended(message["reason"])
        self.messages.append(message)
        return []

    def _logged_on(self, message: dict[str, Any]) -> None:
        self.account = message["account"]
        self.account_index = message["account_index"]
        self.operator_index = message["operator_index"]
        self.role = message["role"]
        self.products = {entry["product"]: entry for entry in message["products"]}
        self.trading_date = message["trading_date"]
        self.phase = _phase(message["phase"])
        if self.log_id not in (None, message["log_id"]):
            # An adopted venue: another life. What is still unanswered is of a day that is over, and
            # the venue refuses it by its date.
            self._early.clear()
        if self.report_seq is not None:
            # Reports up to there are another life's, and will not come.
            self.report_seq = max(self.report_seq, message.get("report_base", 0))
        self.log_id = message["log_id"]
        self._client_order_id = max(self._client_order_id, message["last_client_order_id"])
        if self._logoff is not None:
            # It was on its way when the connection went, and perhaps never arrived.
            self._request(self._logoff)
        if self.report_seq is None:
            self.report_seq = message["report_seq"]
        if message["report_seq"] < self.report_seq:
            raise SessionError(
                f"last report of {self.account}: expected at least {self.report_seq}, "
                f"got {message['report_seq']}: acknowledged work is missing at the venue"
            )
        self._heartbeat_seqs = (-1, -1)
        self._catch_up_to = self._replay_wanted_to = message["report_seq"]
        if self._catch_up_to > self.report_seq:
            self.state = SessionState.CATCHING_UP
            # The logon said what is known here: the first of them follow its answer.
            self._replay_count(min(REPLAY_COUNT_MAX, self._catch_up_to - self.report_seq))
        else:
            self._caught_up()

    def _caught_up(self) -> None:
        self.state = SessionState.READY
        # All reports up to the logon are in, so what is still unanswered was never judged.
        self._waiting.clear()
        self._resend(set(self.unacknowledged))

    def _refused(self, message: dict[str, Any]) -> None:
        """Log on again where the session was forgotten; keep what was refused only for now."""
        code = code_of(message, VenueRefusal)
        if code in _NEVER_REPLAYED and message["where"] == "replay":
            # They will never come; waiting for them would be for ever.
            raise SessionError.of(message)
        if self.state is SessionState.LOGGING_ON:
            # What was sent before the logon is refused for want of a session; that is no answer.
            if code is not VenueRefusal.NOT_LOGGED_ON:
                self.state = SessionState.DOWN
        elif message.get("reason"):
            self._ended(message["reason"])
        elif code is VenueRefusal.NOT_LOGGED_ON and self.state is not SessionState.ENDED:
            self.connected()
        for client_order_id in message.get("client_order_ids", ()):
            if code in _FOR_GOOD:
                self.unacknowledged.pop(client_order_id, None)
            elif client_order_id in self.unacknowledged:
                self._deferred.add(client_order_id)
            self._resent.discard(client_order_id)

    def _ended(self, reason: str) -> None:
        """Log on again, unless that would take back what somebody has decided."""
        if self.state is SessionState.LOGGING_ON:
            # It was said of the session before.
            return
        if reason not in _FINAL_ENDS:
            self.connected()
            return
        self.disconnected()
        self._logoff = None
        self.state, self.end_reason = SessionState.ENDED, reason

    def _resend_deferred(self) -> None:
        """Try again what the venue would not take at its time, e.g. while it took only cancels."""
        self._resent &= self.unacknowledged.keys()
        if self.state is SessionState.READY and not self._resent:
            self._resend(self._deferred & self.unacknowledged.keys())
            if not self._resent:
                self._send_waiting()

    def _resend(self, client_order_ids: set[int]) -> None:
        """Send commands again, in their order; until they are answered, later ones wait."""
        self._commands += [self.unacknowledged[each] for each in sorted(client_order_ids)]
        self.resent_count += len(client_order_ids)
        self._resent = client_order_ids
        self._deferred = set()

    def _repair_tail(self, message: dict[str, Any]) -> None:
        """Ask for reports that a heartbeat knows of, if the one before knew them already."""
        seq = message.get("report_seq", 0)
        if self.report_seq is None or seq <= self.report_seq:
            self._heartbeat_seqs = (-1, -1)
            return
        known_then, report_seq_then = self._heartbeat_seqs
        if known_then > self.report_seq == report_seq_then:
            # Nothing came in between: what was asked for is lost too.
            self._replay_asked_to = self.report_seq
            self._replay_wanted_to = max(self._replay_wanted_to, known_then)
            self._ask_replay()
        self._heartbeat_seqs = (seq, self.report_seq)

    def _ask_replay(self) -> None:
        """Ask for the next reports that are missing, once those asked for before are there."""
        missing = self._replay_wanted_to - self.report_seq
        if missing > 0 and self.report_seq >= self._replay_asked_to:
            count = min(REPLAY_COUNT_MAX, missing)
            self._request({"op": "replay", "from": self.report_seq + 1, "count": count})
            self._replay_count(count)

    def _replay_count(self, count: int) -> None:
        self._replay_asked_to = self.report_seq + count
        self.replayed_count += count

    def _request(self, message: dict[str, Any]) -> None:
        self._requests.append(msgspec.msgpack.encode(message))

    def _queue(self, records: list[bytes]) -> list[int]:
        ids = []
        for record in records:
            self._client_order_id += 1
            ids.append(self._client_order_id)
            self.unacknowledged[self._client_order_id] = record
            self._send(self._client_order_id, record)
        return ids

    def _send(self, client_order_id: int, record: bytes) -> None:
        """Send a command now, or when those before it are: the venue takes ascending ids only."""
        if self.state is not SessionState.READY:
            return
        if record[_KIND_AT] in _CANCELS:
            # It waits for nothing; what would come behind it is refused for good.
            self._send_waiting()
        elif self._deferred or self._resent:
            self._waiting.add(client_order_id)
            return
        self._commands.append(record)

    def _send_waiting(self) -> None:
        """Send for the first time what has waited for the answers to earlier commands."""
        waiting = sorted(self._waiting & self.unacknowledged.keys())
        self._waiting.clear()
        self._commands += [self.unacknowledged[each] for each in waiting]


def _text(value: object, field: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{field}: expected str, got {type(value).__name__}")
    return str(value)


def _phase(value: int | str) -> Phase:
    return Phase[value.upper()] if isinstance(value, str) else Phase(value)
