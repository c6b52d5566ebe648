"""The gateway without sockets: whatever arrives is taken, answered or refused, and never harms."""

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cea_exchange.domain.records import (
    COMMAND_DTYPE,
    EVENT_DTYPE,
    CommandKind,
    EventKind,
    Reason,
    Side,
)
from cea_exchange.domain.refusals import VenueRefusal
from cea_exchange.protocol import control
from cea_exchange.protocol.framing import (
    FRAME_BYTES_MAX,
    SessionEnd,
    command_fault,
    command_faults,
)
from cea_exchange.venue._intake import plain_join
from cea_exchange.venue.order_entry import held_messages
from cea_exchange.venue.order_entry.gateway import (
    CARRIED_PER_KEY_MAX,
    RESENDS_PER_TURN,
    Gateway,
    Message,
)
from cea_exchange.venue.order_entry.sessions import Session, Sessions
from cea_exchange.venue.order_entry.throttle import Throttle
from cea_exchange.venue.order_entry.waiting_resends import RESENDS_WAITING_MAX
from support.journal.small_market import day_begin, orders, sequencer_open
from support.journal.volatile_storage import VolatileStorage

ALICE, BOB, READER = ("a" * 40, "b" * 40, "r" * 40)
ROUTES = {ALICE: b"1", BOB: b"2", READER: b"3"}


class Room:
    """A gateway in front of a sequencer, and three keys that are logged on."""

    def __init__(self, **settings):
        self.sequencer = sequencer_open("/data", storage=VolatileStorage())
        day_begin(self.sequencer)
        grants = [
            control.KeyGranted(key=ALICE, account="alice"),
            control.KeyGranted(key=BOB, account="bob", operator_index=3),
            control.KeyGranted(key=READER, account="bob", operator_index=4, role="reader"),
        ]
        self.sequencer.run_controls(grants)
        machine, self.sessions = self.sequencer.machine, Sessions()
        for key, route in ROUTES.items():
            holder = machine.keys[key]
            self.sessions.add(Session(route, key, holder, 0.0))
        self.gateway = Gateway(
            machine,
            self.sequencer.index,
            self.sequencer.event_rows,
            self.sessions,
            **settings,
        )

    def take(self, *messages, now_s=0.0):
        return self.gateway.take(list(messages), now_s)

    def run(self, *messages):
        """Take messages and all that is carried; return intakes and events."""
        intakes, events = [], []
        intake = self.take(*messages)
        while True:
            intakes.append(intake)
            if len(intake.records):
                events.append(self.sequencer.run_records(intake.records))
            if not self.gateway.has_carried:
                return intakes, np.concatenate(events)
            intake = self.take()


@pytest.fixture
def room():
    return Room()


def commands(key, *rows):
    """Return one message; rows are (id, side, price, tonnes)."""
    records = orders(*[(0, *row) for row in rows])
    return Message(ROUTES[key], key, [b"C", records.tobytes()])


def shown(answer):
    return msgspec.msgpack.decode(answer.payload)


def test_account_and_operator_come_from_the_key(room):
    intake = room.take(
        commands(BOB, (1, Side.BUY, 9700, 1), (2, Side.BUY, 9700, 1)),
        commands(ALICE, (1, Side.BUY, 9700, 1)),
    )
    assert intake.records["account_index"].tolist() == [1, 1, 0]
    assert intake.records["operator_index"].tolist() == [3, 3, 0]


def test_a_reader_may_not_trade(room):
    intake = room.take(commands(READER, (1, Side.BUY, 9700, 1)))
    assert not len(intake.records)
    assert shown(intake.answers[0])["code"] == VenueRefusal.NOT_PERMITTED.name


def test_another_key_under_the_same_routing_id_is_not_logged_on(room):
    stolen = commands(ALICE, (1, Side.BUY, 9700, 1))._replace(key=BOB)
    intake = room.take(stolen)
    assert not len(intake.records)
    assert shown(intake.answers[0])["code"] == VenueRefusal.NOT_LOGGED_ON.name
    assert room.sessions.get(ROUTES[ALICE]) is None


def test_one_bad_record_refuses_its_message_and_no_other(room):
    bad = orders((0, 1, Side.BUY, 9700, 1), (0, 2, Side.BUY, 9700, 1))
    bad["kind"][1] = 200
    intake = room.take(
        commands(ALICE, (1, Side.BUY, 9700, 1)),
        Message(ROUTES[BOB], BOB, [b"C", bad.tobytes()]),
        commands(ALICE, (2, Side.BUY, 9700, 1)),
    )
    assert intake.records["client_order_id"].tolist() == [1, 2]
    (answer,) = intake.answers
    assert answer.routing_id == ROUTES[BOB]
    assert shown(answer)["where"] == "record 1, kind"
    assert shown(answer)["code"] == VenueRefusal.BAD_REQUEST.name


def test_a_repeat_in_the_same_gathering_waits_for_the_first(room):
    order = commands(ALICE, (1, Side.BUY, 9700, 1))
    intakes, events = room.run(order, order, order)
    assert [EventKind(kind).name for kind in events["kind"]] == ["ORDER_ACCEPTED", "ORDER_RESTED"]
    assert len(intakes) == 2
    (answer,) = intakes[1].answers
    answered = np.frombuffer(answer.payload, EVENT_DTYPE)
    assert answered["report_seq"].tolist() == [events["report_seq"][0]] * 2


def accepted_orders(room, key, count):
    """Have orders accepted; return their message and its acceptances."""
    message = commands(key, *[(number, Side.BUY, 9700, 1) for number in range(1, count + 1)])
    events = room.sequencer.run_records(room.take(message).records)
    return message, events[events["kind"] == EventKind.ORDER_ACCEPTED]


def test_thousands_of_repeats_are_answered_some_at_a_time(room):
    message, accepted = accepted_orders(room, ALICE, 1_000)
    intakes = [room.take(*[message] * 8)]
    while room.gateway.has_carried:
        intakes.append(room.take())
    assert len(intakes) == 8 * 1_000 // RESENDS_PER_TURN
    assert [len(intake.answers) for intake in intakes] == [1] * len(intakes)
    assert not any(len(intake.records) for intake in intakes)
    answered = b"".join(intake.answers[0].payload for intake in intakes)
    assert answered == accepted.tobytes() * 8


def test_who_resends_thousands_does_not_keep_another_waiting(room):
    flood, _ = accepted_orders(room, ALICE, 1_000)
    resent, accepted_of_bob = accepted_orders(room, BOB, 2)
    room.take(*[flood] * 8)
    intake = room.take(resent, commands(BOB, (3, Side.BUY, 9700, 1)))
    assert intake.records["client_order_id"].tolist() == [3]
    assert len(intake.answers) == 1
    intake = room.take(*[flood] * 8)
    (turn_of_alice,) = intake.answers
    assert turn_of_alice.routing_id == ROUTES[ALICE]
    answers = [answer for _ in range(2) for answer in room.take().answers]
    (of_bob,) = [each for each in answers if each.routing_id == ROUTES[BOB]]
    assert of_bob.payload == accepted_of_bob.tobytes()


def test_a_new_command_among_resends_does_not_wait(room):
    message, _ = accepted_orders(room, ALICE, 1_000)
    new = commands(ALICE, (1_001, Side.BUY, 9700, 1))
    both = message._replace(frames=[b"C", message.frames[1] + new.frames[1]])
    intake = room.take(both)
    assert intake.records["client_order_id"].tolist() == [1_001]
    assert room.gateway.has_carried


def test_of_one_connection_only_so_many_resends_wait_and_the_rest_is_refused(room):
    message, _ = accepted_orders(room, ALICE, 1_000)
    times = RESENDS_WAITING_MAX // 1_000 + 2
    first, *refused = room.take(*[message] * times).answers
    ids = [number for answer in refused for number in shown(answer)["client_order_ids"]]
    assert {(shown(answer)["expected"], shown(answer)["code"]) for answer in refused} == {
        (f"at most {RESENDS_WAITING_MAX} resends that wait", VenueRefusal.RESENDS_TOO_MANY.name)
    }
    assert len(ids) == times * 1_000 - RESENDS_PER_TURN - RESENDS_WAITING_MAX
    assert ids == (list(range(1, 1_001)) * times)[-len(ids) :]
    answered = len(first.payload)
    while room.gateway.has_carried:
        answered += sum(len(answer.payload) for answer in room.take().answers)
    assert answered == (RESENDS_PER_TURN + RESENDS_WAITING_MAX) * EVENT_DTYPE.itemsize


def test_resends_that_wait_are_judged_when_their_turn_comes(room):
    message, _ = accepted_orders(room, ALICE, 1_000)
    room.take(message)
    room.sequencer.run_controls([control.DayClose(), control.DayOpen(date=20991231)])
    (answer,) = room.take().answers
    rejects = np.frombuffer(answer.payload, EVENT_DTYPE)
    assert rejects["client_order_id"].tolist() == list(range(401, 801))
    assert set(rejects["reason"]) == {Reason.TRADING_DATE_MISMATCH}


def test_a_session_that_ended_gets_no_answer_to_what_waited(room):
    message, _ = accepted_orders(room, ALICE, 500)
    room.take(message)
    room.sessions.end(room.sessions.get(ROUTES[ALICE]), SessionEnd.OPERATOR)
    (answer,) = room.take().answers
    assert shown(answer)["where"] == "session" and not room.gateway.has_carried


def test_another_command_with_a_used_id_is_told_so_by_the_market(room):
    message, accepted = accepted_orders(room, ALICE, 3)
    changed = orders(*[(0, number, Side.BUY, 9700, number) for number in (1, 2, 3)])
    intakes, events = room.run(message._replace(frames=[b"C", changed.tobytes()]))
    assert intakes[0].answers[0].payload == accepted[:1].tobytes()
    assert events["client_order_id"].tolist() == [2, 3]
    assert set(events["reason"]) == {Reason.ORDER_ID_DUPLICATE}


def test_many_rejects_fit_their_frames(room):
    records = orders(*[(0, number, Side.BUY, 9700, 1) for number in range(1, 2_501)])
    records["trading_date"] = 20200101
    intake = room.take(Message(ROUTES[ALICE], ALICE, [b"C", records.tobytes()]))
    sizes = [len(answer.payload) // EVENT_DTYPE.itemsize for answer in intake.answers]
    assert sizes == [*6 * [400], 100]


def test_many_repeats_of_a_refused_command_can_not_keep_the_venue_busy(room):
    message = commands(ALICE, *[(1, Side.BUY, 9700, 0)] * 500)
    intakes, events = room.run(message)
    assert len(intakes) == CARRIED_PER_KEY_MAX + 1
    assert set(events["reason"]) == {Reason.TONNES_NOT_POSITIVE}
    (refused,) = intakes[0].answers
    assert shown(refused)["client_order_ids"] == [1] * (500 - 1 - CARRIED_PER_KEY_MAX)
    assert shown(refused)["code"] == VenueRefusal.IDS_OUT_OF_ORDER.name


def test_the_throttle_counts_by_key_and_second():
    room = Room(key_throttle=Throttle(2))
    rows = [(number, Side.BUY, 9700, 1) for number in range(1, 4)]
    intake = room.take(commands(ALICE, *rows), commands(BOB, *rows[:2]), now_s=5.0)
    assert intake.records["client_order_id"].tolist() == [1, 2, 1, 2]
    (reject,) = np.frombuffer(intake.answers[0].payload, EVENT_DTYPE)
    assert (reject["reason"], reject["client_order_id"]) == (Reason.THROTTLED, 3)
    assert not len(room.take(commands(ALICE, rows[2]), now_s=5.9).records)
    assert len(room.take(commands(ALICE, rows[2]), now_s=6.0).records) == 1


def cancels(key, *ids):
    message = commands(key, *[(number, 0, 0, 0) for number in ids])
    records = np.frombuffer(bytearray(message.frames[1]), COMMAND_DTYPE)
    records["kind"], records["order_id"] = CommandKind.CANCEL, 1
    return message._replace(frames=[b"C", records.tobytes()])


def test_orders_and_cancels_have_budgets_of_their_own():
    room = Room(key_throttle=Throttle(1, 2))
    orders_first = commands(ALICE, *[(number, Side.BUY, 9700, 1) for number in (1, 2)])
    intake = room.take(orders_first, cancels(ALICE, 3, 4, 5), now_s=5.0)
    assert intake.records["client_order_id"].tolist() == [1, 3, 4]
    rejects = np.frombuffer(intake.answers[0].payload, EVENT_DTYPE)
    assert rejects["client_order_id"].tolist() == [2, 5]
    assert set(rejects["reason"]) == {Reason.THROTTLED}


def test_the_keys_of_an_account_share_its_budget():
    room = Room(account_throttle=Throttle(3))
    room.sequencer.run_controls([control.KeyGranted(key=READER, account="bob", operator_index=4)])
    rows = [(number, Side.BUY, 9700, 1) for number in (1, 2)]
    intake = room.take(commands(BOB, *rows), commands(READER, *rows), commands(ALICE, *rows))
    assert intake.records["account_index"].tolist() == [1, 1, 1, 0, 0]
    assert intake.answers[0].routing_id == ROUTES[READER]


def test_a_resend_of_what_was_accepted_is_answered_and_not_throttled():
    room = Room(key_throttle=Throttle(1))
    order = commands(ALICE, (1, Side.BUY, 9700, 1))
    accepted = room.sequencer.run_records(room.take(order).records)[0]
    intake = room.take(order, order)
    assert not len(intake.records)
    assert intake.answers[0].payload == accepted.tobytes() * 2


def test_of_a_canceller_only_cancels_are_taken():
    """CEA-ACC-01"""
    room = Room()
    grant = control.KeyGranted(key=READER, account="bob", operator_index=4, role="canceller")
    room.sequencer.run_controls([grant])
    mixed = cancels(READER, 1, 2, 3)
    records = np.frombuffer(bytearray(mixed.frames[1]), COMMAND_DTYPE)
    records["kind"][1] = CommandKind.AMEND
    intake = room.take(
        commands(BOB, (1, Side.BUY, 9700, 1)),
        mixed._replace(frames=[b"C", records.tobytes()]),
    )
    assert intake.records["client_order_id"].tolist() == [1, 1, 3]
    answer = shown(intake.answers[0])
    assert (answer["code"], answer["client_order_ids"]) == (VenueRefusal.NOT_PERMITTED.name, [2])


def test_a_key_that_was_revoked_is_refused(room):
    room.sequencer.run_controls([control.KeyRevoked(key=ALICE)])
    intake = room.take(commands(ALICE, (1, Side.BUY, 9700, 1)))
    assert shown(intake.answers[0])["code"] == VenueRefusal.NOT_AUTHENTICATED.name


# -- The short way and the long one ----------------------------------------------------------------

ORDER = orders((0, 1, Side.BUY, 9700, 1)).tobytes()
FAULTY = bytes([200]) + ORDER[1:]
NOT_PLAIN = {
    "a request": Message(b"1", ALICE, [b"M", msgspec.msgpack.encode({"op": "heartbeat"})]),
    "another tag": Message(b"1", ALICE, [b"CC", ORDER]),
    "no payload": Message(b"1", ALICE, [b"C"]),
    "a frame more": Message(b"1", ALICE, [b"C", ORDER, ORDER]),
    "nothing in the payload": Message(b"1", ALICE, [b"C", b""]),
    "half a record": Message(b"1", ALICE, [b"C", ORDER + ORDER[:32]]),
    "more than a frame may have": Message(b"1", ALICE, [b"C", ORDER * (FRAME_BYTES_MAX // 64 + 1)]),
    "a malformed record": Message(b"1", ALICE, [b"C", ORDER + FAULTY]),
    "a reader's key": Message(b"3", READER, [b"C", ORDER]),
    "an unknown key": Message(b"1", "x" * 40, [b"C", ORDER]),
    "no key": Message(b"1", None, [b"C", ORDER]),
    "nobody logged on": Message(b"9", ALICE, [b"C", ORDER]),
    "another's session": Message(b"2", ALICE, [b"C", ORDER]),
}
PLAIN = [commands(ALICE, (2, Side.BUY, 9700, 1)), commands(BOB, (3, Side.SELL, 9710, 2))]


def goes_the_short_way(room, *messages):
    keys, sessions = room.sequencer.machine.keys, room.sessions.by_routing_id
    return plain_join(list(messages), keys, sessions, b"C", FRAME_BYTES_MAX, 1.0) is not None


@pytest.mark.parametrize("what", NOT_PLAIN)
def test_what_there_is_something_to_say_about_does_not_go_the_short_way(room, what):
    assert goes_the_short_way(room, *PLAIN)
    assert not goes_the_short_way(room, *PLAIN, NOT_PLAIN[what])


def test_a_canceller_does_not_go_the_short_way(room):
    grant = control.KeyGranted(key=READER, account="bob", operator_index=4, role="canceller")
    room.sequencer.run_controls([grant])
    assert not goes_the_short_way(room, cancels(READER, 1))


@settings(max_examples=60)
@given(st.data())
def test_the_short_way_and_the_long_one_say_the_same(data):
    """Whatever is sent, and sent again: the same records, answers, sessions and requests."""
    short, long = Room(), Room()
    messages = st.lists(st.sampled_from([*PLAIN * 5, *NOT_PLAIN.values()]), max_size=6)
    for now_s in range(4):
        sent = data.draw(messages)
        taken = short.take(*sent, now_s=now_s)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("cea_exchange.venue.order_entry.gateway.plain_join", lambda *_: None)
            expected = long.take(*sent, now_s=now_s)
        assert taken.records.tobytes() == expected.records.tobytes()
        assert taken.answers == expected.answers
        assert [asked.message for asked in taken.asked] == [a.message for a in expected.asked]
        assert list(short.sessions) == list(long.sessions)
        assert short.gateway.refused_count == long.gateway.refused_count
        for room, intake in ((short, taken), (long, expected)):
            if len(intake.records):
                room.sequencer.run_records(intake.records)


payloads = st.one_of(
    st.binary(max_size=200),
    st.binary(min_size=64, max_size=64),
    st.dictionaries(st.sampled_from(["op", "from", "count", "x"]), st.integers() | st.text())
    .filter(lambda value: all(not isinstance(v, int) or abs(v) < 2**63 for v in value.values()))
    .map(msgspec.msgpack.encode),
)


@pytest.fixture(scope="module")
def shared_room():
    return Room()


@settings(max_examples=150)
@given(st.lists(st.tuples(st.sampled_from([b"C", b"M", b"", b"CC"]), payloads), max_size=4))
def test_random_bytes_never_raise(shared_room, frames):
    room = shared_room
    messages = [Message(b"1", ALICE, [tag, payload]) for tag, payload in frames]
    intake = room.take(*messages)
    assert len(intake.answers) + len(intake.asked) + len(intake.records) >= len(frames)
    if len(intake.records):
        room.sequencer.run_records(intake.records)
    room.sequencer.machine.core.check()


@settings(max_examples=200)
@given(st.binary(min_size=64, max_size=64), st.integers(0, 4), st.integers(0, 3))
def test_every_malformed_record_has_a_named_fault(raw, kind, side):
    records = np.frombuffer(bytearray(raw), COMMAND_DTYPE)
    records["kind"], records["side"] = kind, side
    if command_faults(records)[0]:
        fault = command_fault(records[0])
        assert int(records[0][fault.where]) == int(fault.got)


# -- While the registry is awaited -----------------------------------------------------------------


def cancel_of(key, client_order_id, order_id=1):
    records = orders((0, client_order_id, Side.BUY, 0, 0))
    records["kind"], records["side"], records["order_id"] = CommandKind.CANCEL, 0, order_id
    return Message(ROUTES[key], key, [b"C", records.tobytes()])


def asked(key, op):
    return Message(ROUTES[key], key, [b"M", msgspec.msgpack.encode({"op": op})])


@pytest.fixture
def waiting(room):
    room.gateway.cancels_only, room.gateway.held.until_s = "the registry", 3.0
    return room


def test_an_order_waits_and_what_its_sender_says_after_it(waiting):
    waits = (commands(ALICE, (1, Side.BUY, 9700, 1)), cancel_of(ALICE, 2), asked(ALICE, "logoff"))
    intake = waiting.take(*waits, asked(ALICE, "heartbeat"), cancel_of(BOB, 1), now_s=1.0)
    assert intake.records["client_order_id"].tolist() == [1]
    assert intake.records["account_index"].tolist() == [1]
    assert [type(each.request).__name__ for each in intake.asked] == ["Heartbeat"]
    assert not intake.answers and not waiting.gateway.held.is_due(2.9)
    # The registry has answered.
    waiting.gateway.cancels_only, waiting.gateway.held.until_s = "", 0.0
    assert waiting.gateway.held.is_due(2.0)
    intake = waiting.take(now_s=2.0)
    assert intake.records["client_order_id"].tolist() == [1, 2]
    assert [type(each.request).__name__ for each in intake.asked] == ["Logoff"]
    assert not waiting.gateway.held.is_due(9.0)


def test_an_order_that_has_waited_too_long_is_refused_and_the_cancel_behind_it_is_taken(waiting):
    waiting.take(commands(ALICE, (1, Side.BUY, 9700, 1)), cancel_of(ALICE, 2), now_s=1.0)
    intake = waiting.take(now_s=3.0)
    assert intake.records["client_order_id"].tolist() == [2]
    assert shown(intake.answers[0])["code"] == VenueRefusal.CANCELS_ONLY.name
    assert shown(intake.answers[0])["client_order_ids"] == [1]


def test_who_is_not_logged_on_is_told_so_at_once(waiting):
    waiting.sessions.end(waiting.sessions.of_key(ALICE), SessionEnd.LOGGED_OFF)
    (answer,) = waiting.take(commands(ALICE, (1, Side.BUY, 9700, 1)), now_s=1.0).answers
    assert shown(answer)["code"] == VenueRefusal.NOT_LOGGED_ON.name


def test_a_key_that_lets_too_much_wait_is_refused_and_the_others_wait_on(waiting, monkeypatch):
    """The orders of one key ended the waiting of all once they filled the room of all."""
    monkeypatch.setattr(held_messages, "HELD_KEY_BYTES_MAX", 128)
    monkeypatch.setattr(held_messages, "HELD_BYTES_MAX", 256)
    waiting.take(commands(ALICE, (1, Side.BUY, 9700, 1)), now_s=1.0)
    waiting.take(commands(BOB, (1, Side.BUY, 9700, 1)), now_s=1.0)
    two = (2, Side.BUY, 9700, 1), (3, Side.BUY, 9700, 1)
    more = [commands(BOB, *two), cancel_of(BOB, 4), asked(BOB, "biddings")] * 10
    intake = waiting.take(*more, asked(BOB, "heartbeat"), now_s=1.0)
    assert [type(each.request).__name__ for each in intake.asked] == ["Heartbeat"]
    assert {shown(each)["code"] for each in intake.answers} == {VenueRefusal.BUSY.name}
    # A cancel with a higher id would make what it passes by too low for ever.
    refused = [shown(each).get("client_order_ids") for each in intake.answers]
    assert refused[:3] == [[2, 3], [4], None]
    assert len(intake.answers) == len(more) and not waiting.gateway.held.is_due(2.9)
    waiting.gateway.cancels_only, waiting.gateway.held.until_s = "", 0.0
    assert waiting.take(now_s=2.0).records["client_order_id"].tolist() == [1, 1]


def test_nobody_waits_any_longer_where_too_much_of_many_waits(waiting, monkeypatch):
    """The last resort: each key has kept to its own bound."""
    monkeypatch.setattr(held_messages, "HELD_BYTES_MAX", 100)
    waiting.take(commands(ALICE, (1, Side.BUY, 9700, 1)), now_s=1.0)
    assert not waiting.gateway.held.is_due(1.0)
    waiting.take(commands(BOB, (1, Side.BUY, 9700, 1)), now_s=1.0)
    assert waiting.gateway.held.is_due(1.0)
    refused = [shown(each)["client_order_ids"] for each in waiting.take(now_s=1.0).answers]
    assert refused == [[1], [1]]
