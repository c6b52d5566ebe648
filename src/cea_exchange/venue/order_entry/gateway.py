"""Checks what arrives over order entry: one batch for the sequencer, answers for the rest.

    messages -> who (key) -> well-formed? -> may it? -> cancels only? -> date -> retry? -> throttle
             -> records

No socket and no clock here. The account and operator come from the connection's key and from
nowhere else; one bad message is refused to its sender and disturbs nobody.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

import msgspec
import numpy as np

from cea_exchange.control_plane.door import Message
from cea_exchange.control_plane.fronts.fronts import FRONT_BYTES
from cea_exchange.domain.records import (
    ACCOUNT_NONE,
    COMMAND_DTYPE,
    EVENT_DTYPE,
    PRODUCT_NONE,
    CommandKind,
    EventKind,
    Reason,
)
from cea_exchange.domain.refusals import VenueRefusal
from cea_exchange.domain.refusals.frame_error import FrameError
from cea_exchange.journal import EventDamaged
from cea_exchange.protocol.framing import (
    FRAME_BYTES_MAX,
    TAG_COMMANDS,
    TAG_MESSAGE,
    TAG_REPORTS,
    Logon,
    Request,
    command_count,
    command_fault,
    refusal_message,
    request_decode,
)
from cea_exchange.venue._intake import (
    ID_ABOVE,
    ID_PASSED,
    ID_UNDECIDED,
    ID_UNDECIDED_TOO_MANY,
    are_of_date,
    are_same_commands,
    cancels_apart,
    commands_join,
    faulty_commands,
    faulty_payloads,
    ids_placed,
    plain_join,
)
from cea_exchange.venue._reports import reports_masked
from cea_exchange.venue.durability.event_index import EventIndex, groups_of, operator_keys
from cea_exchange.venue.durability.sequencer import damage_refusal
from cea_exchange.venue.market.state_machine import KeyHolder, VenueStateMachine
from cea_exchange.venue.order_entry.cancels import is_cancel
from cea_exchange.venue.order_entry.held_messages import HELD_KEY_BYTES_MAX, HeldMessages
from cea_exchange.venue.order_entry.sessions import Session, Sessions
from cea_exchange.venue.order_entry.throttle import Throttle
from cea_exchange.venue.order_entry.waiting_resends import RESENDS_WAITING_MAX, WaitingResends

REFUSED_IDS_MAX = 1_000
UNFIT_PER_SECOND_MAX = 500
"""Messages of a key that are refused whole; the connection over which another comes is ended."""
CARRIED_PER_KEY_MAX = 64
REPORTS_PER_FRAME_MAX = 400
"""So that the messages that wait for a session that does not read, which are counted, are small."""
REPORT_FRAME_BYTES_MAX = REPORTS_PER_FRAME_MAX * EVENT_DTYPE.itemsize
RESENDS_PER_TURN = REPORTS_PER_FRAME_MAX
"""Each may mean to read a block of the index and an event; the others' orders wait meanwhile."""
_WITH_PRODUCT = (CommandKind.ENTER, CommandKind.BLOCK_ENQUIRY, CommandKind.BLOCK_OFFER)
_RECORD_AS_BYTES = np.dtype(f"V{COMMAND_DTYPE.itemsize}")


class Answer(NamedTuple):
    """One message to send."""

    routing_id: bytes
    tag: bytes
    payload: bytes


class Asked(NamedTuple):
    """A request that the daemon answers; `session` is None for a logon."""

    message: Message
    session: Session | None
    request: Request


class Intake(NamedTuple):
    """What a gathering of messages comes to."""

    records: np.ndarray
    answers: list[Answer]
    asked: list[Asked]


class _Batch(NamedTuple):
    """The well-formed commands of a gathering: per record, which message it came with."""

    records: np.ndarray
    owner: np.ndarray
    messages: list[Message]

    def keep(self, which: np.ndarray) -> "_Batch":
        """Return the records that a mask marks, or of these rows."""
        # As bytes, for numpy copies records field by field.
        records = self.records.view(_RECORD_AS_BYTES)[which].view(COMMAND_DTYPE)
        return _Batch(records, self.owner[which], self.messages)

    def by_message(self) -> list[tuple[Message, np.ndarray]]:
        """Return the records of each message as they came."""
        records = self.records.copy()
        records["account_index"] = records["operator_index"] = 0
        return [(self.messages[index], records[group]) for index, group in groups_of(self.owner)]


class Gateway:
    """Checks messages before they may reach the sequencer.

    Parameters
    ----------
    machine, index, event_rows
        The market's state, and how to find an earlier acceptance (`Sequencer.event_rows`).
    sessions
        Who is logged on.
    key_throttle, account_throttle
        How much each key, and all keys of an account together, may send.

    Attributes
    ----------
    cancels_only, cancels_only_for_lag : str
        Why only cancels are taken; both empty when everything is.
    held : HeldMessages
        What waits for the end of `cancels_only` rather than being refused.
    ending : set of bytes
        Connections to end, because their key sends too much that can't be taken.
    throttle_for_lag : int
        Commands a key may send in a second for now; 0 leaves it at the setting.
    """

    def __init__(
        self,
        machine: VenueStateMachine,
        index: EventIndex,
        event_rows: Callable[[np.ndarray], np.ndarray],
        sessions: Sessions,
        *,
        key_throttle: Throttle | None = None,
        account_throttle: Throttle | None = None,
    ) -> None:
        self.cancels_only = ""
        self.cancels_only_for_lag = ""
        self.held = HeldMessages()
        self.throttle_for_lag = 0
        self.refused_count = 0
        self.throttled_count = 0
        self.message_count = 0
        self._machine = machine
        self._index = index
        self._event_rows = event_rows
        self._sessions = sessions
        self._key_throttle = key_throttle or Throttle()
        self._account_throttle = account_throttle or Throttle()
        self._carried: list[Message] = []
        self._resends = WaitingResends()
        self._unfit: Counter[str] = Counter()
        self._unfit_due_s = 0.0
        self.ending: set[bytes] = set()

    @property
    def has_carried(self) -> bool:
        """Whether commands wait for the next gathering (see `take`)."""
        return bool(self._carried or self._resends)

    def take(self, messages: list[Message], now_s: float) -> Intake:
        """Turn messages into records for the sequencer and answers.

        Notes
        -----
        An id that an earlier command of the same key in this gathering has, or passes, can only be
        judged after it: such a command is carried to the next gathering. So are resends, of which
        a gathering answers `RESENDS_PER_TURN`: those that have waited come first.
        """
        self.message_count += len(messages)
        if now_s >= self._unfit_due_s:
            self._unfit_due_s = now_s + 1.0
            self._unfit.clear()
        waited = [
            Message(routing_id, key, [TAG_COMMANDS, commands])
            for routing_id, key, commands in self._resends.take(RESENDS_PER_TURN)
        ]
        answers: list[Answer] = []
        arrived = self.held.taken(
            messages,
            now_s,
            self._sessions.by_routing_id.__contains__,
            lambda message: answers.extend(self._not_held(message)),
        )
        messages, self._carried = waited + self._carried + arrived, []
        asked: list[Asked] = []
        senders = self._machine.keys, self._sessions.by_routing_id
        plain = plain_join(messages, *senders, TAG_COMMANDS, FRAME_BYTES_MAX, now_s)
        if plain is not None:
            batch = _Batch(*plain, messages)
        else:
            batch = self._sorted(messages, now_s, answers, asked)
        for stage in (self._cancels_only, self._of_today, self._retries, self._throttled):
            if len(batch.records):
                batch = stage(batch, answers, now_s)
        return Intake(batch.records, _joined(answers) if answers else answers, asked)

    def refuse(self, message: Message, error: FrameError, **more: object) -> Answer:
        """Return the answer to a message that can't be taken."""
        self.refused_count += 1
        if error.where in ("session", "key") and (why := self._sessions.end_of(message.routing_id)):
            more["reason"] = why
        reply = msgspec.msgpack.encode({**refusal_message(error), **more})
        return Answer(message.routing_id, TAG_MESSAGE, reply)

    def _not_held(self, message: Message) -> Iterator[Answer]:
        """Refuse for now what has no room to wait for the registry."""
        error = FrameError(
            VenueRefusal.BUSY,
            expected=f"at most {HELD_KEY_BYTES_MAX} bytes of a key that wait for the registry",
            got="more",
            where="message",
        )
        tag, payload = message.frames
        if tag != TAG_COMMANDS or len(payload) % COMMAND_DTYPE.itemsize:
            yield self.refuse(message, error)
            return
        ids = np.frombuffer(payload, COMMAND_DTYPE)["client_order_id"].tolist()
        for first in range(0, len(ids), REFUSED_IDS_MAX):
            some = ids[first : first + REFUSED_IDS_MAX]
            yield self.refuse(message, error, client_order_ids=some)

    # -- Stages -------------------------------------------------------------------------------

    def _sorted(
        self, messages: list[Message], now_s: float, answers: list[Answer], asked: list[Asked]
    ) -> _Batch:
        """Judge each message by itself: answer or ask, and return the commands that remain."""
        commands: list[Message] = []
        for message in messages:
            try:
                self._sort(message, now_s, commands, asked)
            except FrameError as error:
                self._unfit[message.key] += 1
                if self._unfit[message.key] <= UNFIT_PER_SECOND_MAX:
                    answers.append(self.refuse(message, error))
                else:
                    self.refused_count += 1
                    self.ending.add(message.routing_id)
        return self._well_formed(commands, answers)

    def _sort(
        self, message: Message, now_s: float, commands: list[Message], asked: list[Asked]
    ) -> None:
        holder = self._machine.keys.get(message.key)
        if holder is None:
            raise FrameError(
                VenueRefusal.NOT_AUTHENTICATED,
                expected="a granted key",
                got="an unknown one",
                where="key",
            )
        if len(message.frames) != 2:
            got = f"{len(message.frames)}"
            raise FrameError(
                VenueRefusal.BAD_REQUEST,
                expected="2 frames, tag and payload",
                got=got,
                where="message",
            )
        tag, payload = message.frames
        session = self._session(message, now_s)
        logged_on = session is not None
        if tag == TAG_MESSAGE:
            request = request_decode(payload)
            if isinstance(request, Logon):
                _routing_id_check(message.routing_id)
            elif not logged_on:
                raise FrameError(
                    VenueRefusal.NOT_LOGGED_ON,
                    expected="a logon first",
                    got="a request",
                    where="session",
                )
            asked.append(Asked(message, session, request))
        elif tag == TAG_COMMANDS:
            if not logged_on:
                raise FrameError(
                    VenueRefusal.NOT_LOGGED_ON,
                    expected="a logon first",
                    got="commands",
                    where="session",
                )
            if holder.role == "reader":
                raise FrameError(
                    VenueRefusal.NOT_PERMITTED,
                    expected="a trader's key",
                    got="a reader's",
                    where="key",
                )
            command_count(payload)
            commands.append(message)
        else:
            raise FrameError(
                VenueRefusal.BAD_REQUEST,
                expected="tag C or M",
                got=repr(bytes(tag[:8])),
                where="tag",
            )

    def _session(self, message: Message, now_s: float) -> Session | None:
        """Return the session that a message belongs to."""
        session = self._sessions.get(message.routing_id)
        if session is None:
            return None
        if session.key != message.key:
            # Its connection is gone, or this one could not have its routing id.
            self._sessions.disconnect(session)
            return None
        session.seen_s = now_s
        return session

    def _well_formed(self, messages: list[Message], answers: list[Answer]) -> _Batch:
        """Drop whole messages with a malformed record, join the others, fill from the key."""
        faulty = faulty_payloads([message.frames[1] for message in messages])
        for index in faulty:
            answers += self._refuse_faulty(messages[index])
        if faulty:
            dropped = set(faulty)
            messages = [each for index, each in enumerate(messages) if index not in dropped]
        holders = [self._machine.keys[message.key] for message in messages]
        payloads = [message.frames[1] for message in messages]
        records, owner = commands_join(payloads, [holder.operator for holder in holders])
        return self._rightful(_Batch(records, owner, messages), holders, answers)

    def _refuse_faulty(self, message: Message) -> list[Answer]:
        records = np.frombuffer(message.frames[1], COMMAND_DTYPE)
        first = int(np.argmax(faulty_commands(records)))
        fault = command_fault(records[first])
        place = f"record {first}, {fault.where}"
        error = FrameError(fault.code, expected=fault.expected, got=fault.got, where=place)
        ids = records["client_order_id"].tolist()
        return [
            self.refuse(message, error, client_order_ids=ids[first : first + REFUSED_IDS_MAX])
            for first in range(0, len(ids), REFUSED_IDS_MAX)
        ]

    def _rightful(
        self, batch: _Batch, holders: list[KeyHolder], answers: list[Answer]
    ) -> _Batch:
        cancellers = [holder.role == "canceller" for holder in holders]
        if not any(cancellers):
            return batch
        refused = np.array(cancellers)[batch.owner] & ~is_cancel(batch.records)
        expected = "cancels only: a canceller's key"
        self._refuse_all(
            batch.keep(refused), VenueRefusal.NOT_PERMITTED, expected, "key", answers
        )
        return batch.keep(~refused)

    def _cancels_only(self, batch: _Batch, answers: list[Answer], now_s: float) -> _Batch:
        reason = self.cancels_only or self.cancels_only_for_lag
        if not reason:
            return batch
        taken = is_cancel(batch.records)
        expected = f"cancels only: {reason}"
        self._refuse_all(
            batch.keep(~taken), VenueRefusal.CANCELS_ONLY, expected, "market", answers
        )
        return batch.keep(taken)

    def _refuse_all(
        self,
        refused: _Batch,
        code: VenueRefusal,
        expected: str,
        where: str,
        answers: list[Answer],
        *,
        got: str = "other commands",
    ) -> None:
        ids = refused.records["client_order_id"]
        for index, group in groups_of(refused.owner):
            for first in range(group.start, group.stop, REFUSED_IDS_MAX):
                reply = ids[first : min(first + REFUSED_IDS_MAX, group.stop)].tolist()
                error = FrameError(
                    code, expected=expected, got=f"{len(reply)} {got}", where=where
                )
                answers.append(self.refuse(refused.messages[index], error, client_order_ids=reply))

    def _of_today(self, batch: _Batch, answers: list[Answer], now_s: float) -> _Batch:
        date = self._machine.core.trading_date
        if are_of_date(batch.records, date):
            return batch
        today = batch.records["trading_date"] == date
        self._reject(batch.keep(~today), Reason.TRADING_DATE_MISMATCH, answers)
        return batch.keep(today)

    def _throttled(self, batch: _Batch, answers: list[Answer], now_s: float) -> _Batch:
        key_rate = _lower(self._key_throttle.per_second, self.throttle_for_lag)
        if not (key_rate or self._key_throttle.is_on or self._account_throttle.is_on):
            return batch
        keys = [message.key for message in batch.messages]
        accounts = [self._machine.keys[key].account_index for key in keys]
        counts = cancels_apart(batch.records, batch.owner, len(keys))
        for throttle, senders, rate in (
            (self._key_throttle, keys, key_rate),
            (self._account_throttle, accounts, self._account_throttle.per_second),
        ):
            if throttle.take_all(senders, counts, now_s, per_second=rate):
                continue
            cancels = is_cancel(batch.records)
            within = throttle.take_some(senders, batch.owner, cancels, per_second=rate)
            self.throttled_count += int(np.count_nonzero(~within))
            self._reject(batch.keep(~within), Reason.THROTTLED, answers)
            batch = batch.keep(within)
            counts = cancels_apart(batch.records, batch.owner, len(keys))
        return batch

    def _retries(self, batch: _Batch, answers: list[Answer], now_s: float) -> _Batch:
        """Answer repeats of accepted commands; carry what an earlier one here must decide first."""
        places = ids_placed(batch.records, self._machine.core, CARRIED_PER_KEY_MAX)
        if places is None:
            return batch
        self._carry(batch, places, answers)
        kept = places == ID_ABOVE
        passed = np.flatnonzero(places == ID_PASSED)
        now, later = passed[:RESENDS_PER_TURN], passed[RESENDS_PER_TURN:]
        # Of any other at or below the last accepted id the market says what it is.
        kept[now] = ~self._answer_repeats(batch.keep(now), answers)
        if len(later):
            self._let_wait(batch.keep(later), answers)
        return batch.keep(kept)

    def _carry(self, batch: _Batch, places: np.ndarray, answers: list[Answer]) -> None:
        for message, records in batch.keep(places == ID_UNDECIDED).by_message():
            self._carried.append(message._replace(frames=[TAG_COMMANDS, records.tobytes()]))
        # Each waits for a gathering of its own, so an operator must not have many of them.
        self._refuse_all(
            batch.keep(places == ID_UNDECIDED_TOO_MANY),
            VenueRefusal.IDS_OUT_OF_ORDER,
            "client_order_id above the one before",
            "client_order_id",
            answers,
            got="that are not",
        )

    def _let_wait(self, batch: _Batch, answers: list[Answer]) -> None:
        """Keep resends for later turns, and refuse those that have no room."""
        had_room = [
            np.arange(len(records))
            < self._resends.add(message.routing_id, message.key, records.tobytes())
            for message, records in batch.by_message()
        ]
        self._refuse_all(
            batch.keep(~np.concatenate(had_room)),
            VenueRefusal.RESENDS_TOO_MANY,
            f"at most {RESENDS_WAITING_MAX} resends that wait",
            "client_order_id",
            answers,
            got="more",
        )

    def _answer_repeats(self, batch: _Batch, answers: list[Answer]) -> np.ndarray:
        """Send first acceptances again; return, per command, whether it was one's repeat."""
        seqs = self._accepted_events(batch.records)
        distinct = np.unique(seqs[seqs > 0])
        rows = np.where(seqs > 0, np.searchsorted(distinct, seqs), -1)
        try:
            acceptances = self._event_rows(distinct)
        except EventDamaged as error:
            # Whose they are is not known; the market refuses ids that were used.
            damage_refusal(error)
            return np.zeros(len(batch.records), bool)
        same = are_same_commands(batch.records, acceptances, rows)
        reports = reports_masked(acceptances, rows[same], np.zeros(len(rows[same]), np.uint8))
        for index, group in groups_of(batch.owner[same]):
            routing_id = batch.messages[index].routing_id
            answers.append(Answer(routing_id, TAG_REPORTS, reports[group].tobytes()))
        return same

    def _accepted_events(self, records: np.ndarray) -> np.ndarray:
        """Return the event that accepted each command's id, 0 where none did."""
        keys, ids = operator_keys(records), records["client_order_id"]
        order = np.argsort(keys, kind="stable")
        events = np.zeros(len(records), np.uint64)
        for key, group in groups_of(keys[order]):
            events[order[group]] = self._index.accepted_events(key, ids[order[group]])
        return events

    def _reject(self, batch: _Batch, reason: Reason, answers: list[Answer]) -> None:
        """Answer commands that the market never sees, with unnumbered reports."""
        events = gateway_rejects(batch.records, reason, self._machine)
        for index, group in groups_of(batch.owner):
            routing_id = batch.messages[index].routing_id
            for first in range(group.start, group.stop, REPORTS_PER_FRAME_MAX):
                rows = events[first : min(first + REPORTS_PER_FRAME_MAX, group.stop)]
                answers.append(Answer(routing_id, TAG_REPORTS, rows.tobytes()))


def _routing_id_check(routing_id: bytes) -> None:
    """Refuse a routing id that the client has chosen: ZeroMQ gives a zero and four bytes.

    Whoever takes the same one once its connection is gone would receive its session's reports.
    """
    own = routing_id[FRONT_BYTES:]
    if len(own) != 5 or own[0] != 0:
        raise FrameError(
            VenueRefusal.BAD_REQUEST,
            expected="no routing id set",
            got=repr(own[:16]),
            where="session",
        )


def _lower(rate: int, other: int) -> int:
    """Return the lower of two rates, where 0 is any number."""
    return min(rate, other) if rate and other else rate or other


def _joined(answers: list[Answer]) -> list[Answer]:
    """Join neighbouring reports to one peer: thousands of single ones would fill its queue."""
    joined: list[Answer] = []
    room = 0
    for answer in answers:
        last = joined[-1] if joined else None
        alike = last is not None and answer[:2] == last[:2] and answer.tag == TAG_REPORTS
        if alike and len(answer.payload) <= room:
            last.payload.extend(answer.payload)
        else:
            joined.append(answer._replace(payload=bytearray(answer.payload)))
            room = REPORT_FRAME_BYTES_MAX
        room -= len(answer.payload)
    return joined


def gateway_rejects(
    records: np.ndarray, reason: Reason, machine: VenueStateMachine
) -> np.ndarray:
    """Return ORDER_REJECTED events for commands refused before the market; without numbers."""
    events = np.zeros(len(records), EVENT_DTYPE)
    for field in (
        "side",
        "tif",
        "flags",
        "operator_index",
        "account_index",
        "client_order_id",
        "order_id",
        "price",
        "tonnes",
    ):
        events[field] = records[field]
    enters = records["kind"] == CommandKind.ENTER
    has_product = np.isin(records["kind"], _WITH_PRODUCT)
    events["kind"] = EventKind.ORDER_REJECTED
    events["reason"] = reason
    events["command"] = records["kind"]
    events["order_id"][enters] = 0
    events["product_index"] = np.where(has_product, records["product_index"], PRODUCT_NONE)
    events["counter_account_index"] = ACCOUNT_NONE
    events["trading_date"] = machine.core.trading_date
    events["phase"] = machine.core.phase
    return events
