"""What a way in owes a participant whoever leads, without a socket: order, once, in time."""

import msgspec
import numpy as np
import pytest

from cea_exchange.cluster.way_in.line_messages import Standing
from cea_exchange.cluster.way_in.way_in import SESSION_COMMANDS_MAX, Limits, WayIn
from cea_exchange.control_plane.door import Message
from cea_exchange.domain.records import COMMAND_DTYPE, EVENT_DTYPE, EventKind
from cea_exchange.domain.refusals import VenueRefusal
from cea_exchange.protocol.framing import REPLAY_COUNT_MAX
from support.venue.venue_world import enter

KEY = "k" * 40
ROUTING_ID = b"\1\0\0\0\0abcd"
LOG = "1" * 32
OPEN, CANCELS_ONLY = Standing(LOG, is_open=True), Standing(LOG, is_open=False)
ACCOUNT, OPERATOR = 7, 3


class Door:
    """The participant's side: what it was told."""

    def __init__(self):
        self.said, self.reports, self.ended = [], [], []

    def answer(self, routing_id, tag, payload):
        assert routing_id == ROUTING_ID
        if tag == b"M":
            self.said.append(msgspec.msgpack.decode(payload))
        else:
            self.reports += np.frombuffer(payload, EVENT_DTYPE)["report_seq"].tolist()

    def end(self, routing_id, why):
        self.ended.append((routing_id, why))


class Venue:
    """The venue's side: what it got."""

    def __init__(self):
        self.has_room, self.commands, self.asked, self.left = True, [], [], []

    def send(self, connection, key, frames):
        assert key == KEY
        self.connection = connection
        tag, payload = frames
        if tag == b"C":
            self.commands += np.frombuffer(payload, COMMAND_DTYPE)["client_order_id"].tolist()
        else:
            self.asked.append(msgspec.msgpack.decode(payload))

    def gone(self, connection, *, is_slow):
        self.left.append((connection, is_slow))


class Run:
    """A way in, a participant and a venue, and the time."""

    def __init__(self, **limits):
        self.now_s = 100.0
        self.door, self.venue = Door(), Venue()
        self.way_in = WayIn(self.door, self.venue, Limits(**limits), self.now_s)

    def turn(self, seconds=0.0):
        self.now_s += seconds
        self.way_in.turn(self.now_s)
        self.way_in.beat(self.now_s)

    def leads(self, standing=OPEN):
        self.way_in.begun(standing, self.now_s)
        self.turn()

    def leaves(self):
        self.way_in.left(self.now_s)
        self.turn()

    def sends(self, *frames):
        self.way_in.arrived(Message(ROUTING_ID, KEY, list(frames)), self.now_s)
        self.turn()

    def asks(self, **request):
        self.sends(b"M", msgspec.msgpack.encode(request))

    def commands(self, *ids):
        self.sends(b"C", np.array([enter(each, "buy") for each in ids]).tobytes())

    def says(self, **said):
        self.way_in.said(self.venue.connection, [b"M", msgspec.msgpack.encode(said)], self.now_s)
        self.turn()

    def reports(self, *seqs, ids=()):
        rows = np.zeros(len(seqs), EVENT_DTYPE)
        rows["kind"] = EventKind.ORDER_RESTED
        rows["account_index"], rows["operator_index"] = ACCOUNT, OPERATOR
        rows["report_seq"] = seqs
        for row, client_order_id in zip(rows, ids, strict=False):
            row["kind"], row["client_order_id"] = EventKind.ORDER_ACCEPTED, client_order_id
        self.way_in.said(self.venue.connection, [b"R", rows.tobytes()], self.now_s)
        self.turn()

    def logged_on(self, report_seq=0, **fields):
        """Answer a logon as a venue does."""
        answer = {
            "op": "logon",
            "account": "alice",
            "account_index": ACCOUNT,
            "operator_index": OPERATOR,
            "log_id": LOG,
            "report_base": 0,
            "report_seq": report_seq,
            "trading_date": 20241231,
            "phase": "listed",
            "session_silence_s_max": 30,
        }
        self.says(**{**answer, **fields})


@pytest.fixture
def run():
    """A participant that is logged on."""
    run = Run()
    run.leads()
    run.asks(op="logon", report_seq=0, client=5, attempt=1)
    run.logged_on()
    return run


def test_what_has_no_answer_is_sent_again_in_the_order_of_ids_behind_what_was_missed(run):
    run.commands(1, 2, 3)
    run.reports(1, ids=[1])
    run.leaves()
    run.commands(4)
    assert run.venue.commands == [1, 2, 3]
    run.leads()
    assert run.venue.asked[-1] == {"op": "logon", "report_seq": 1, "client": 5, "attempt": 1}
    # Number 2 was judged before the end; 3 never was.
    run.logged_on(report_seq=2)
    assert run.venue.commands == [1, 2, 3]
    run.reports(2, ids=[2])
    assert run.venue.commands == [1, 2, 3, 3, 4]
    assert run.door.reports == [1, 2]
    # The participant was told of one logon, its own.
    assert [said["op"] for said in run.door.said].count("logon") == 1


def test_more_than_a_replay_brings_is_asked_for_until_it_is_there(run):
    run.leaves()
    run.leads()
    last = 2 * REPLAY_COUNT_MAX + 1
    run.logged_on(report_seq=last)
    run.commands(1)
    asked = []
    for first in range(1, last + 1, REPLAY_COUNT_MAX):
        seqs = range(first, min(first + REPLAY_COUNT_MAX, last + 1))
        run.reports(*seqs)
        asked.append(run.venue.asked[-1])
    count = REPLAY_COUNT_MAX
    assert asked[:2] == [
        {"op": "replay", "from": count + 1, "count": count},
        {"op": "replay", "from": 2 * count + 1, "count": 1},
    ]
    assert run.door.reports == [*range(1, last + 1)]
    assert run.venue.commands == [1]


def test_reports_that_overtake_a_replay_do_not_hide_what_is_missing(run):
    run.reports(1, 2, 5)
    run.leaves()
    run.leads()
    assert run.venue.asked[-1]["report_seq"] == 2


def test_a_command_that_a_participant_repeats_while_it_waits_goes_once(run):
    run.commands(1)
    run.leaves()
    run.commands(1)
    run.leads()
    run.logged_on()
    assert run.venue.commands == [1, 1]


def test_commands_wait_until_a_new_leader_takes_more_than_cancels(run):
    run.leaves()
    run.commands(1)
    run.leads(CANCELS_ONLY)
    run.logged_on()
    assert run.venue.commands == []
    run.way_in.stands(OPEN)
    run.turn()
    assert run.venue.commands == [1]


def test_a_leader_that_takes_only_cancels_for_long_says_so_itself(run):
    run.leaves()
    run.commands(1)
    run.leads(CANCELS_ONLY)
    run.logged_on()
    run.turn(3.5)
    run.way_in.stands(CANCELS_ONLY)
    run.turn()
    assert run.venue.commands == [1]


def test_requests_without_an_answer_are_asked_again(run):
    run.asks(op="book", product="CEA24")
    run.asks(op="biddings")
    run.says(op="book", product="CEA24")
    run.leaves()
    run.leads()
    run.logged_on()
    assert [asked["op"] for asked in run.venue.asked[-2:]] == ["logon", "biddings"]


def test_heartbeats_go_on_while_nobody_leads(run):
    run.reports(1)
    run.leaves()
    run.asks(op="heartbeat")
    run.turn(1.1)
    beats = [said for said in run.door.said if said["op"] == "heartbeat"]
    assert beats[-1] == {
        "op": "heartbeat",
        "trading_date": 20241231,
        "phase": "listed",
        "report_seq": 1,
    }


def test_what_waits_too_long_is_refused_and_not_sent_later(run):
    """CEA-OPR-05."""
    run.commands(1)
    run.leaves()
    run.commands(2)
    run.turn(15.1)
    refused = [said for said in run.door.said if said["op"] == "refused"]
    assert [(said["code"], said["client_order_ids"]) for said in refused] == [
        (VenueRefusal.VENUE_UNAVAILABLE.name, [2]),
        (VenueRefusal.OUTCOME_UNKNOWN.name, [1]),
    ]
    run.commands(3)
    assert run.door.said[-1]["code"] == "VENUE_UNAVAILABLE"
    run.leads()
    run.logged_on()
    assert run.venue.commands == [1]


def test_no_more_than_so_many_commands_wait(run):
    """CEA-OPR-05."""
    run = Run(commands_max=3)
    run.leads()
    run.asks(op="logon")
    run.logged_on()
    run.commands(1)
    run.leaves()
    run.commands(2, 3)
    run.commands(4)
    assert run.door.said[-1]["client_order_ids"] == [4]
    run.leads()
    run.logged_on()
    assert run.venue.commands == [1, 1, 2, 3]


def test_a_session_has_so_many_commands_without_an_answer_and_no_more(run):
    for first in range(1, SESSION_COMMANDS_MAX, 16_384):
        run.commands(*range(first, first + 16_384))
    run.commands(SESSION_COMMANDS_MAX + 1)
    assert run.door.said[-1]["code"] == "BUSY"
    assert len(run.venue.commands) == SESSION_COMMANDS_MAX


@pytest.mark.parametrize(
    "fields", [{"log_id": "2" * 32}, {"report_seq": 4}, {"account_index": 1}, {"account": "bob"}]
)
def test_a_leader_that_knows_the_session_otherwise_gets_nothing_of_it(run, fields):
    run.reports(1, 2, 3, 4, 5)
    run.commands(1)
    run.leaves()
    run.leads()
    run.logged_on(**{"report_seq": 5, **fields})
    ((routing_id, why),) = run.door.ended
    assert (routing_id, next(iter(fields)) in why) == (ROUTING_ID, True)
    assert run.venue.commands == [1]
    assert len(run.way_in) == 0


def test_a_session_that_is_refused_by_the_new_leader_ends_for_its_client_to_find_out(run):
    run.leaves()
    run.leads()
    run.says(op="refused", code="NOT_AUTHENTICATED", expected="", came="", where="key")
    assert len(run.door.ended) == 1


def test_a_participant_that_was_silent_is_not_logged_on_again(run):
    run.leaves()
    run.turn(31)
    run.leads()
    assert [asked["op"] for asked in run.venue.asked] == ["logon"]
    assert len(run.door.ended) == 1


def test_sessions_left_behind_end_though_nobody_leads(run):
    run.leaves()
    run.turn(29)
    assert (run.door.ended, len(run.way_in)) == ([], 1)
    run.turn(2)
    assert (run.door.ended, len(run.way_in)) == ([(ROUTING_ID, "it is silent")], 0)


def test_a_logon_that_found_no_venue_goes_to_the_next(run):
    run.leaves()
    run.asks(op="logon", report_seq=0, client=5, attempt=2)
    run.leads()
    assert run.venue.asked[-1] == {"op": "logon", "report_seq": 0, "client": 5, "attempt": 2}
    run.logged_on()
    assert [said["op"] for said in run.door.said].count("logon") == 2


def test_a_logon_while_one_of_the_way_in_is_under_way_is_answered_once(run):
    run.leaves()
    run.leads()
    run.asks(op="logon", report_seq=0, client=5, attempt=2)
    run.logged_on()
    before = [said["op"] for said in run.door.said].count("logon")
    run.logged_on()
    assert (before, [said["op"] for said in run.door.said].count("logon")) == (1, 2)


def test_a_logon_that_nobody_answers_ends_the_connection(run):
    run.leaves()
    run.leads()
    run.turn(15.1)
    assert run.door.ended == [(ROUTING_ID, "no answer to its logon")]


def test_a_session_that_ended_is_not_logged_on_again(run):
    run.commands(1)
    run.says(op="session_ended", reason="operator")
    run.leaves()
    run.leads()
    assert [asked["op"] for asked in run.venue.asked] == ["logon"]
    run.commands(2)
    assert (run.door.said[-1]["code"], run.door.said[-1]["reason"]) == ("NOT_LOGGED_ON", "operator")


def test_the_venues_end_is_no_news_to_a_participant(run):
    before = len(run.door.said)
    run.says(op="stopping")
    assert len(run.door.said) == before


def test_who_is_gone_is_told_to_the_venue(run):
    run.way_in.lost(ROUTING_ID, is_slow=True)
    run.way_in.lost(ROUTING_ID[:4], is_slow=False)
    assert run.venue.left == [(run.venue.connection, True), (run.venue.connection, False)]
    assert len(run.way_in) == 0


@pytest.mark.parametrize(
    "frames",
    [
        [b"M", b"\xc1"],
        [b"C", b"short"],
        [b"X", b""],
        [b"C"],
        [b"C", b"", b""],
        [],
        [b"", b""],
        [b"M", msgspec.msgpack.encode({"op": "logon", "report_seq": -1})],
    ],
)
def test_what_is_no_message_is_refused_here(run, frames):
    asked = len(run.venue.asked)
    run.sends(*frames)
    assert run.door.said[-1]["code"] == "BAD_REQUEST"
    assert (len(run.venue.asked), run.venue.commands) == (asked, [])


def test_nothing_goes_while_the_line_has_no_room(run):
    run.venue.has_room = False
    run.commands(1)
    assert run.venue.commands == []
    run.venue.has_room = True
    run.turn()
    assert run.venue.commands == [1]
