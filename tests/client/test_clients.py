"""`Client` and `AsyncClient` against a small venue that accepts everything."""

import asyncio
import contextlib
import copy
import datetime
import inspect
import pickle
import threading
import time

import msgspec
import numpy as np
import pytest
import zmq

from cea_exchange.client import (
    AsyncClient,
    Client,
    MarketDataClient,
    OrderSession,
    SessionError,
    SessionState,
)
from cea_exchange.client.connecting import (
    RECONNECT_QUICK_S,
    RECONNECT_S_MAX,
    RECONNECT_S_MIN,
    Attempts,
)
from cea_exchange.domain.records import ACCOUNT_NONE, COMMAND_DTYPE, EVENT_DTYPE, EventKind
from cea_exchange.domain.refusals import VenueRefusal
from cea_exchange.protocol.connection import Reached
from cea_exchange.protocol.security import CurveKeys
from support.patience import patience
from support.registry.fake_venue import wait_until

WAIT_S = 30.0


class AcceptingVenue:
    """A ROUTER that accepts each new id once; it can lose reports and be deaf for a while."""

    def __init__(self, keys):
        self.lose_reports = 0
        self.deaf = False
        self.refused = {}
        self.reports = []
        self.ids_got = []
        self.ids_ignored = []
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.ROUTER)
        self._socket.curve_server = True
        self._socket.curve_secretkey = keys.secret.encode()
        port = self._socket.bind_to_random_port("tcp://127.0.0.1")
        self.endpoint = f"tcp://127.0.0.1:{port}"
        self._ended = False
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self):
        self._ended = True
        self._thread.join()
        self._context.destroy(linger=0)

    def _serve(self):
        while not self._ended:
            if self._socket.poll(5):
                peer, tag, payload = self._socket.recv_multipart()
                if self.deaf:
                    if tag == b"C":
                        ids = np.frombuffer(payload, COMMAND_DTYPE)["client_order_id"]
                        self.ids_ignored += ids.tolist()
                    continue
                if tag == b"C":
                    self._commands(peer, np.frombuffer(payload, COMMAND_DTYPE))
                else:
                    self._message(peer, msgspec.msgpack.decode(payload))

    def _commands(self, peer, commands):
        for command in commands:
            client_order_id = int(command["client_order_id"])
            self.ids_got.append(client_order_id)
            if client_order_id <= len(self.reports):
                self._socket.send_multipart([peer, b"R", self.reports[client_order_id - 1]])
                continue
            row = np.zeros(1, EVENT_DTYPE)
            row["kind"] = EventKind.ORDER_ACCEPTED
            row["counter_account_index"] = ACCOUNT_NONE
            row["client_order_id"] = row["order_id"] = client_order_id
            row["report_seq"] = len(self.reports) + 1
            self.reports.append(row.tobytes())
            if self.lose_reports:
                self.lose_reports -= 1
            else:
                self._socket.send_multipart([peer, b"R", row.tobytes()])

    def _message(self, peer, message):
        answer = {"op": message["op"], "trading_date": 20250102, "phase": 2}
        if message["op"] in self.refused:
            code, where = self.refused[message["op"]]
            answer = {"op": "refused", "code": code.name, "expected": "x", "got": "y"}
            answer["where"] = where
            self._socket.send_multipart([peer, b"M", msgspec.msgpack.encode(answer)])
            return
        if message["op"] == "replay":
            first = message["from"] - 1
            rows = b"".join(self.reports[first : first + message["count"]])
            self._socket.send_multipart([peer, b"R", rows])
            return
        answer["report_seq"] = len(self.reports)
        if message["op"] == "logon":
            product = {"product": "CEA24", "product_index": 0, "reference_price": 9749}
            answer |= {
                "account": "alice",
                "account_index": 0,
                "operator_index": 0,
                "role": "trader",
                "products": [product],
                "last_client_order_id": len(self.reports),
                "log_id": "log",
            }
        self._socket.send_multipart([peer, b"M", msgspec.msgpack.encode(answer)])


@pytest.fixture
def keys():
    return {"venue": CurveKeys.new(), "alice": CurveKeys.new()}


@pytest.fixture
def venue(keys):
    with contextlib.closing(AcceptingVenue(keys["venue"])) as venue:
        yield venue


def reports_of(client, count):
    """Return the reports that come until there are `count`, and any that follow them soon."""
    reports, until_s = [], time.monotonic() + WAIT_S * patience()
    while len(reports) < count:
        assert time.monotonic() < until_s, f"{count} reports expected, got {reports}"
        reports += client.poll(0.1)
    return reports + client.poll(0.05)


def connect(venue, keys, **options):
    return Client.connect(venue.endpoint, keys["alice"], keys["venue"].public, **options)


def test_commands_are_answered_and_reported_in_order(venue, keys):
    with connect(venue, keys) as client:
        assert client.account == "alice"
        ids = [client.enter("CEA24", "buy", price="97.50", tonnes=10) for _ in range(5)]
        assert client.answer(ids[-1]).order_id == 5
        assert [report.client_order_id for report in client.reports(timeout_s=0.05)] == ids
        assert client.unacknowledged == []


def test_a_batch_of_records_goes_in_one_frame(venue, keys):
    with connect(venue, keys) as client:
        commands = np.zeros(3000, COMMAND_DTYPE)
        commands["kind"] = 2
        ids = client.submit(commands)
        client.answer(ids[-1])
        assert venue.ids_got == ids == list(range(1, 3001))


def test_lost_reports_are_filled_in(venue, keys):
    with connect(venue, keys) as client:
        venue.lose_reports = 3
        ids = [client.enter("CEA24", "buy", price="97.50", tonnes=10) for _ in range(5)]
        reports = reports_of(client, len(ids))
        assert [report.report_seq for report in reports] == [1, 2, 3, 4, 5]
        assert [report.client_order_id for report in reports] == ids


def test_unanswered_commands_are_sent_again_with_the_same_ids(venue, keys):
    with connect(venue, keys) as client:
        first = client.enter("CEA24", "buy", price="97.50", tonnes=10)
        client.answer(first)
        venue.deaf = True
        ids = [client.enter("CEA24", "buy", price="97.50", tonnes=10) for _ in range(3)]
        wait_until(lambda: venue.ids_ignored == ids)
        assert len(list(client.reports(timeout_s=0.3))) == 1
        assert client.unacknowledged == ids
        venue.deaf = False
        client.reconnect()
        client.logon()
        client.answer(ids[-1])
        assert venue.ids_got == [first, *ids]
        assert client.unacknowledged == []


def test_silence_brings_a_new_connection(venue, keys):
    with connect(venue, keys, heartbeat_interval_s=0.1, silence_s_max=0.4) as client:
        venue.deaf = True
        client_order_id = client.enter("CEA24", "buy", price="97.50", tonnes=10)
        until_s = time.monotonic() + WAIT_S * patience()
        while not client.reconnections:
            assert time.monotonic() < until_s, "the client kept the silent connection"
            assert client.poll(0.1) == []
        venue.deaf = False
        client.answer(client_order_id, timeout_s=WAIT_S * patience())
        assert client.reconnections >= 1
        assert client.session.state is SessionState.READY


def test_no_venue_is_a_timeout(keys):
    with pytest.raises(TimeoutError, match="logon"):
        Client.connect("tcp://127.0.0.1:9", keys["alice"], keys["venue"].public, timeout_s=0.3)


PLACE = {"first": 1, "last": 5}
QUESTIONS = [
    ("book", lambda client: client.book("CEA24", timeout_s=WAIT_S)),
    ("party", lambda client: client.party(account="bob", timeout_s=WAIT_S)),
    ("blocks", lambda client: client.blocks(timeout_s=WAIT_S)),
    ("statement", lambda client: client.position(timeout_s=WAIT_S)),
    ("history", lambda client: client.history(PLACE, timeout_s=WAIT_S)),
    ("biddings", lambda client: client.biddings(timeout_s=WAIT_S)),
]


def test_what_a_question_is_refused_for_is_raised_at_once(venue, keys):
    """Not what another was refused for before."""
    codes = [VenueRefusal.BUSY, VenueRefusal.EVENTS_DAMAGED, VenueRefusal.BAD_REQUEST]
    with connect(venue, keys) as client:
        for (op, ask), code in zip(QUESTIONS, 2 * codes, strict=True):
            venue.refused = {op: (code, "message")}
            with pytest.raises(SessionError, match=f"refused {code.name}: expected x") as raised:
                ask(client)
            assert raised.value.code is code
        venue.refused = {"heartbeat": (VenueRefusal.BUSY, "message")}
        before = client.session.messages[-1]
        client.session.heartbeat()
        client.flush()
        until_s = time.monotonic() + WAIT_S * patience()
        while not (messages := client.session.messages) or messages[-1] is before:
            assert time.monotonic() < until_s, "the heartbeat had no answer"
            client.poll(0.05)
        venue.refused = {}
        assert messages[-1]["op"] == "refused"
        with pytest.raises(TimeoutError):
            client.book("CEA24", timeout_s=0.2)


def test_the_async_client_raises_what_its_only_question_is_refused_for(venue, keys):
    async def ask():
        async with await AsyncClient.connect(
            venue.endpoint, keys["alice"], keys["venue"].public
        ) as client:
            for op, question in QUESTIONS:
                venue.refused = {op: (VenueRefusal.BUSY, "message")}
                with pytest.raises(SessionError) as raised:
                    await question(client)
                assert raised.value.code is VenueRefusal.BUSY
            # Of two it is known once the other is answered, or not.
            venue.refused = {"party": (VenueRefusal.BUSY, "message")}
            party = client.party(account="bob", timeout_s=WAIT_S * patience())
            both = party, client.book("CEA24", timeout_s=0.3)
            party, book = await asyncio.gather(*both, return_exceptions=True)
            assert isinstance(book, TimeoutError)
            assert party.code is VenueRefusal.BUSY

    asyncio.run(ask())


def test_reports_that_are_damaged_end_the_wait_for_them(venue, keys):
    with connect(venue, keys) as client:
        client.answer([client.enter("CEA24", "buy", price="97.50", tonnes=1) for _ in "123"][-1])
    venue.refused = {"replay": (VenueRefusal.EVENTS_DAMAGED, "replay")}
    with connect(venue, keys) as client:
        venue.lose_reports = 1
        for _ in range(2):
            client.enter("CEA24", "buy", price="97.50", tonnes=1)
        with pytest.raises(SessionError) as raised:
            client.poll(WAIT_S)
        assert raised.value.code is VenueRefusal.EVENTS_DAMAGED


def test_what_is_asked_wrongly_is_not_sent(venue, keys):
    day = datetime.date(2025, 7, 16)
    with connect(venue, keys) as client:
        for ask, says in [
            (lambda: client.book(24), "product: expected str, got int"),
            (lambda: client.party(account=5), "account: expected str, got int"),
            (lambda: client.party(group=b"x"), "group: expected str, got bytes"),
            (lambda: client.statement(day), "date: expected str such as '2025-07-16', got date"),
            (lambda: client.statement("2025-07-16T00:00"), "date: expected one such as"),
            (lambda: client.logoff(keep_orders=1), "keep_orders: expected bool, got int"),
        ]:
            with pytest.raises((TypeError, ValueError), match=says):
                ask()
            assert client.session.outgoing() == []


def test_a_closed_client_sends_nothing(venue, keys):
    client = connect(venue, keys)
    client.answer(client.enter("CEA24", "buy", price="97.50", tonnes=1))
    client.close()
    client.close()
    for send in (
        lambda: client.enter("CEA24", "buy", price="97.50", tonnes=1),
        lambda: client.cancel(1),
        lambda: client.submit(np.zeros(1, COMMAND_DTYPE)),
        lambda: client.answer(2),
        lambda: client.book("CEA24"),
        client.logon,
        client.logoff,
        client.reconnect,
        client.flush,
    ):
        with pytest.raises(SessionError, match="a closed client sends nothing"):
            send()
    assert client.unacknowledged == [] and client.reconnections == 0
    # What it has taken is still there.
    assert [report.client_order_id for report in client.poll()] == [1]
    assert client.answer(1).order_id == 1


def test_a_closed_async_client_sends_nothing(venue, keys):
    async def send():
        client = await AsyncClient.connect(venue.endpoint, keys["alice"], keys["venue"].public)
        client.close()
        for wrong in (client.enter("CEA24", "buy", price="97.50", tonnes=1), client.answer(1)):
            with pytest.raises(SessionError, match="a closed client sends nothing"):
                await wrong
        assert client.unacknowledged == []

    asyncio.run(send())


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_client_is_not_copied(venue, keys, copied):
    """A copy would share its session, and what one has sent the other would send again."""
    server = keys["venue"].public
    with connect(venue, keys) as client, MarketDataClient(
        venue.endpoint, keys["alice"], server
    ) as market_data:
        for owned in (client, client.session, market_data):
            with pytest.raises(TypeError, match="expected one owner, got a copy or a pickle"):
                copied(owned)


def test_the_async_client_does_the_same(venue, keys):
    async def trade():
        async with await AsyncClient.connect(
            venue.endpoint, keys["alice"], keys["venue"].public
        ) as client:
            venue.lose_reports = 2
            ids = [await client.enter("CEA24", "sell", price="97.50", tonnes=1) for _ in range(4)]
            ids.append(await client.cancel(1))
            ids.append(await client.amend(1, price="97.40", tonnes=2))
            await client.answer(ids[-1])
            reports, until_s = [], time.monotonic() + WAIT_S * patience()
            while len(reports) < len(ids) and time.monotonic() < until_s:
                reports += await client.poll(0.1)
            reports += await client.poll(0.05)
            assert [report.client_order_id for report in reports] == ids
            client.reconnect()
            await client.logon()
            assert client.unacknowledged == []

    asyncio.run(trade())


def test_tasks_of_one_async_client_do_not_wait_for_each_others_reading(venue, keys):
    async def trade():
        async with await AsyncClient.connect(
            venue.endpoint, keys["alice"], keys["venue"].public
        ) as client:
            # Sooner than the reader would end by itself.
            bound_s = WAIT_S * patience()
            seen = []

            async def read():
                async for report in client.reports(timeout_s=2 * bound_s):
                    seen.append(report)

            async def send(count):
                for _ in range(count):
                    await client.answer(await client.cancel(1))

            reader = asyncio.create_task(read())
            async with asyncio.timeout(bound_s):
                await asyncio.gather(send(20), send(20))
                while len(seen) < 40:
                    await asyncio.sleep(0.01)
            reader.cancel()

    asyncio.run(trade())


@pytest.mark.parametrize("client", [Client, AsyncClient])
def test_commands_are_shown_as_the_session_has_them(client):
    """What an interactive user sees of a command: its arguments and what they are."""
    for name in ("enter", "cancel", "amend", "block_offer", "block_counter", "bid", "submit"):
        shown, command = getattr(client, name), getattr(OrderSession, name)
        assert inspect.signature(shown) == inspect.signature(command)
        assert shown.__doc__ == command.__doc__
    assert "timeout_s" in inspect.signature(client.book).parameters


def test_a_lost_connection_is_made_anew_quickly_for_a_time():
    """However often: a venue's front may be another's door, and another's again."""
    attempts, now_s, pauses_s = Attempts(0.0), 1_000.0, []
    attempts.let_in(now_s)
    while now_s < 1_000.0 + RECONNECT_QUICK_S:
        pauses_s.append(attempts.pause_s(now_s, Reached.ANOTHER))
        now_s += pauses_s[-1]
    assert set(pauses_s) == {RECONNECT_S_MIN}
    later_s = [attempts.pause_s(now_s, Reached.NOBODY) for _ in range(8)]
    assert later_s == sorted(later_s) and later_s[0] > RECONNECT_S_MIN
    assert later_s[-1] == RECONNECT_S_MAX


def test_who_is_refused_comes_again_ever_later():
    attempts = Attempts(0.0)
    first_s, second_s = (attempts.pause_s(1.0, Reached.REFUSED) for _ in range(2))
    assert RECONNECT_S_MIN < first_s < second_s
