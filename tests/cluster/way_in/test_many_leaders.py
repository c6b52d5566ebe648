"""Leaders come and go, clients too, and every command is judged once and in the order of its ids.

The packaged session and two ways in are the real ones; the venue is one that knows a market's ids
only, and no socket is between them. Messages wait in every queue; a seed decides which are lost.
"""

import random
from collections import deque

import msgspec
import numpy as np
import pytest

from cea_exchange.client.session import OrderSession, SessionState
from cea_exchange.cluster.way_in.line_messages import Standing
from cea_exchange.cluster.way_in.way_in import Limits, WayIn
from cea_exchange.control_plane.door import Message
from cea_exchange.domain.records import COMMAND_DTYPE, EVENT_DTYPE, CommandKind, EventKind, Reason
from cea_exchange.protocol.framing import Logon, ReportReplay, request_decode

KEY, LOG = "k" * 40, "1" * 32
ACCOUNT, OPERATOR = 7, 3
LEADERS = 30
STEP_S = 0.01
CANCEL_SHARE = 0.3
FAULT_SHARE = 0.02
LOGON_S_MAX = 1.0
"""After so long without an answer to its logon the client comes anew, by the other way."""
PLACE = {
    "account": "alice",
    "account_index": ACCOUNT,
    "operator_index": OPERATOR,
    "role": "trader",
    "products": [],
    "log_id": LOG,
    "report_base": 0,
    "trading_date": 20241231,
    "phase": "listed",
    "session_silence_s_max": 30,
}


class Log:
    """What outlives every leader: which ids were taken, and the reports of that."""

    def __init__(self):
        self.accepted, self.rejected = {}, []
        self.reports = []

    def judge(self, record):
        """Take a command as a market does, and return its report; a known one's is the first."""
        number, is_cancel = int(record["client_order_id"]), record["kind"] == CommandKind.CANCEL
        if number in self.accepted:
            return self.reports[self.accepted[number] - 1]
        row = np.zeros(1, EVENT_DTYPE)
        row["account_index"], row["operator_index"] = ACCOUNT, OPERATOR
        row["client_order_id"], row["report_seq"] = number, len(self.reports) + 1
        if number <= max(self.accepted, default=0):
            row["kind"], row["reason"] = EventKind.ORDER_REJECTED, Reason.ORDER_ID_DUPLICATE
            self.rejected.append(number)
        else:
            row["kind"] = EventKind.ORDER_CANCELED if is_cancel else EventKind.ORDER_ACCEPTED
            row["reason"] = Reason.REQUESTED if is_cancel else 0
            self.accepted[number] = len(self.reports) + 1
        self.reports.append(row.tobytes())
        return self.reports[-1]


class Leader:
    """A venue that leads: what it was sent and what it has said wait until they are taken."""

    def __init__(self, log):
        self.log, self.is_open = log, False
        self.got, self.said = deque(), deque()
        self._session, self._attempt = None, 0

    def take(self):
        place, (tag, payload) = self.got.popleft()
        if tag == b"C":
            records = np.frombuffer(payload, COMMAND_DTYPE)
            if place != self._session:
                self._say(place, op="refused", code="NOT_LOGGED_ON", expected="", got="", where="")
                return
            # Orders wait at the way in until a leader takes them.
            assert self.is_open or all(records["kind"] == CommandKind.CANCEL)
            self.said += [(place, [b"R", self.log.judge(record)]) for record in records]
            return
        request = request_decode(payload)
        if isinstance(request, Logon):
            self._logon(place, request)
        elif isinstance(request, ReportReplay):
            self._replay(place, request.first, request.count)
        else:
            self._say(place, op="heartbeat", **self._where())

    def _logon(self, place, request):
        if request.attempt < self._attempt:
            return  # its client has come by another way since
        if self._session not in (None, place):
            self._say(self._session, op="session_ended", reason="taken_over")
        self._session, self._attempt = place, request.attempt
        last = max(self.log.accepted, default=0)
        where = {**PLACE, **self._where()}
        self._say(place, op="logon", last_client_order_id=last, **where)
        self._replay(place, request.report_seq + 1, 1_000)

    def _replay(self, place, first, count):
        reports = b"".join(self.log.reports[first - 1 : first - 1 + count])
        if reports:
            self.said.append((place, [b"R", reports]))

    def _where(self):
        known = {name: PLACE[name] for name in ("trading_date", "phase")}
        return {**known, "report_seq": len(self.log.reports)}

    def _say(self, place, **said):
        self.said.append((place, [b"M", msgspec.msgpack.encode(said)]))


class Way:
    """A way in with a door to the client and a line to whoever leads."""

    def __init__(self, world):
        self._world = world
        self.way_in = WayIn(self, self, Limits(), world.now_s)

    # As a line.

    @property
    def has_room(self):
        return self._world.leader is not None

    def send(self, connection, key, frames):
        self._world.leader.got.append(((self, connection), frames))

    def gone(self, connection, *, is_slow):
        assert not is_slow

    # As a door.

    def answer(self, routing_id, tag, payload):
        if routing_id == self._world.routing_id:
            self._world.inbox.append([tag, payload])

    def end(self, routing_id, why):
        if routing_id == self._world.routing_id:
            self._world.come_anew()


class World:
    """A client, two ways in, one leader after another, and the time."""

    def __init__(self, seed):
        self.draw = random.Random(f"leaders {seed}")
        self.now_s, self.leader, self.log = 100.0, None, Log()
        self.ways = [Way(self), Way(self)]
        self.session, self.inbox, self.delivered = OrderSession(report_seq=0), deque(), []
        self.sent, self._connection, self._logon_s = 0, 0, 0.0
        self._open_s = 0.0
        self.leader_begin()
        self.come_anew()

    # -- Who leads ---------------------------------------------------------------------------------

    def leader_begin(self):
        self.leader = Leader(self.log)
        self._open_s = self.now_s + self.draw.choice((0.0, self.draw.uniform(0.0, 1.0)))
        for way in self.ways:
            way.way_in.begun(Standing(LOG, is_open=False), self.now_s)

    def leader_end(self):
        """Lose what it has not judged, and what it has said and nobody heard."""
        self.leader = None
        for way in self.ways:
            way.way_in.left(self.now_s)

    def leader_turn(self, most):
        leader = self.leader
        if not leader.is_open and self.now_s >= self._open_s:
            leader.is_open = True
            for way in self.ways:
                way.way_in.stands(Standing(LOG, is_open=True))
        for _ in range(min(len(leader.got), self.draw.randint(0, most))):
            leader.take()
        for _ in range(min(len(leader.said), self.draw.randint(0, most))):
            (way, connection), frames = leader.said.popleft()
            way.way_in.said(connection, frames, self.now_s)

    # -- The client --------------------------------------------------------------------------------

    @property
    def routing_id(self):
        return b"%08d" % self._connection

    @property
    def way(self):
        return self.ways[self._connection % len(self.ways)]

    def come_anew(self):
        """Leave a connection without a word, for the other way."""
        self._connection += 1
        self._logon_s = self.now_s
        self.inbox.clear()
        self.session.connected()

    def client_turn(self):
        for _ in range(min(len(self.inbox), self.draw.randint(0, 5))):
            reports = self.session.receive(self.inbox.popleft())
            self.delivered += [each.report_seq for each in reports]
        state = self.session.state
        assert state is not SessionState.ENDED, self.session.end_reason
        if state is SessionState.LOGGING_ON and self.now_s - self._logon_s > LOGON_S_MAX:
            self.come_anew()
        elif state is not SessionState.LOGGING_ON and self.draw.random() < 0.05:
            self.session.heartbeat()
        for frames in self.session.outgoing():
            self.way.way_in.arrived(Message(self.routing_id, KEY, frames), self.now_s)

    def commands(self):
        record = np.zeros(1, COMMAND_DTYPE)
        for _ in range(self.draw.randint(1, 3)):
            self.sent += 1
            is_cancel = self.draw.random() < CANCEL_SHARE
            record["kind"] = CommandKind.CANCEL if is_cancel else CommandKind.ENTER
            record["client_order_id"] = self.sent
            self.session.submit_packed([(self.sent, record.tobytes())])

    # -- Time --------------------------------------------------------------------------------------

    def turn(self, most=4):
        self.now_s += STEP_S
        self.client_turn()
        for way in self.ways:
            way.way_in.turn(self.now_s)
            way.way_in.beat(self.now_s)
        if self.leader is not None:
            self.leader_turn(most)

    def trade(self):
        """Let leaders come and go, and the client too."""
        leaders, next_s = 1, 0.0
        while leaders < LEADERS:
            self.turn()
            if self.session.state is SessionState.READY and self.draw.random() < 0.5:
                self.commands()
            if self.leader is None and self.now_s >= next_s:
                leaders += 1
                self.leader_begin()
            elif self.leader is not None and self.draw.random() < FAULT_SHARE:
                next_s = self.now_s + self.draw.choice((0.0, self.draw.uniform(0.0, 3.0)))
                self.leader_end()
            elif self.draw.random() < FAULT_SHARE:
                self.come_anew()

    def settle(self):
        for _ in range(5_000):
            if not self.session.unacknowledged and self.session.state is SessionState.READY:
                return
            self.turn(most=20)
        raise AssertionError(f"not all is answered: {self.session}")


@pytest.mark.property
@pytest.mark.parametrize("seed", range(8))
def test_thirty_leaders_judge_every_command_once_and_in_order(seed):
    world = World(seed)
    world.trade()
    world.settle()
    assert world.sent > 200 and world.session.resent_count > 50
    assert world.log.rejected == []
    assert [*world.log.accepted] == [*range(1, world.sent + 1)]
    assert world.delivered == [*range(1, len(world.log.reports) + 1)]
