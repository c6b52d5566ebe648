"""The venue daemon on real sockets: who may say what, what comes back, and what is kept."""

import msgspec
import numpy as np
import pytest
import zmq

from cea_exchange.domain.records import (
    ACCOUNT_NONE,
    COMMAND_DTYPE,
    EVENT_DTYPE,
    MARKET_DATA_DTYPE,
    EventKind,
    Reason,
)
from cea_exchange.domain.refusals import VenueRefusal
from cea_exchange.protocol import control
from cea_exchange.protocol.clock import ClockSetting
from cea_exchange.protocol.security import client_socket
from cea_exchange.venue.operations.admin_client import ActRefused, AdminError
from cea_exchange.venue.order_entry.gateway import REFUSED_IDS_MAX
from support.patience import patience
from support.venue.venue_world import DATE, PRODUCT, enter, target, world_open

pytestmark = pytest.mark.e2e


@pytest.fixture
def world(tmp_path):
    with world_open(tmp_path) as world:
        yield world


def kinds(rows):
    return [EventKind(kind).name for kind in rows["kind"]]


def test_a_trade_is_told_to_both_sides_and_neither_learns_of_the_other(world):
    world.listed()
    alice, bob = world.logged_on("alice"), world.logged_on("bob")
    bob.command(enter(1, "sell", 9750, 100))
    assert kinds(bob.reports(2)) == ["ORDER_ACCEPTED", "ORDER_RESTED"]
    alice.command(enter(7, "buy", 9751, 60))
    _accepted, trade = alice.reports(2)
    assert EventKind.TRADE == trade["kind"]
    assert (trade["price"], trade["tonnes"], trade["cash"]) == (9750, 60, 60 * 9750)
    assert (trade["account_index"], trade["counter_account_index"]) == (0, ACCOUNT_NONE)
    assert (trade["counter_client_order_id"], trade["counter_report_seq"]) == (0, 0)
    (of_maker,) = bob.reports(1)
    assert (of_maker["account_index"], of_maker["counter_account_index"]) == (ACCOUNT_NONE, 1)
    assert (of_maker["client_order_id"], of_maker["report_seq"]) == (0, 0)
    assert of_maker["counter_tonnes_open"] == 40
    assert of_maker["counter_client_order_id"] == 1


def test_the_logon_says_where_everything_stands(world):
    world.listed()
    answer = world.peer("bob").ask(op="logon")
    assert {
        "account": "bob",
        "account_index": 1,
        "operator_index": 0,
        "trading_date": DATE,
        "phase": "listed",
        "last_client_order_id": 0,
        "report_seq": 2,
    }.items() <= answer.items()
    (product,) = answer["products"]
    assert product == {
        "product": PRODUCT,
        "product_index": 0,
        "reference_price": 9749,
        "band_low": 8774,
        "band_high": 10724,
        "block_band_low": 6824,
        "block_band_high": 12674,
        "listed": True,
    }


def test_the_account_comes_from_the_key_and_from_no_field(world):
    world.listed()
    alice = world.logged_on("alice")
    alice.command(enter(1, "buy", account_index=1))
    refused = alice.message()
    assert (refused["op"], refused["where"]) == ("refused", "record 0, account_index")
    assert (refused["expected"], refused["got"]) == ("0", "1")


@pytest.mark.parametrize(
    "tag, payload, where",
    [
        (b"C", b"x" * 63, "payload"),
        (b"C", b"", "payload"),
        (b"C", enter(1, "buy", kind=63).tobytes(), "record 0, kind"),
        (b"C", enter(1, "buy", side=3).tobytes(), "record 0, side"),
        (b"C", enter(1, "buy", tif=3).tobytes(), "record 0, tif"),
        (b"C", enter(1, "buy", flags=2).tobytes(), "record 0, flags"),
        (b"C", enter(1, "buy", reserved=1).tobytes(), "record 0, reserved"),
        (b"C", enter(1, "buy").tobytes() + enter(2, "buy", side=0).tobytes(), "record 1, side"),
        (b"C", target("cancel", 1, 1, tif=1).tobytes(), "record 0, tif"),
        (b"Z", b"", "tag"),
        (b"M", b"\xc1", "payload"),
        (b"M", b"\x82\xa1a" + b"\x91" * 100_000 + b"\xc0\xa2op\xa5logon", "payload"),
        (b"C", bytes(1 << 20), "record 0, kind"),
        (b"M", msgspec.msgpack.encode({"op": "log out"}), "payload"),
        (b"M", msgspec.msgpack.encode({"op": "logon", "account": "bob"}), "payload"),
        (b"M", msgspec.msgpack.encode({"op": "replay", "from": 1.0, "count": 1}), "payload"),
        (b"M", msgspec.msgpack.encode({"op": "replay", "from": -1, "count": 1}), "payload"),
        (b"M", msgspec.msgpack.encode({"op": "book", "product": "CEA99"}), "product"),
    ],
)
def test_a_malformed_message_is_refused_and_disturbs_nobody(shared, tag, payload, where):
    world, alice, bob = shared
    alice.send(tag, payload)
    refused = alice.message()
    assert (refused["op"], refused["where"]) == ("refused", where)
    unknown = where == "product"
    code = VenueRefusal.PRODUCT_UNKNOWN if unknown else VenueRefusal.BAD_REQUEST
    assert refused["code"] == code.name
    if tag == b"C":
        # A refusal names all commands of its message, in as many answers as that takes.
        named_bytes = COMMAND_DTYPE.itemsize * REFUSED_IDS_MAX
        for _ in range(named_bytes, len(payload), named_bytes):
            assert alice.message()["where"] == where
    bob.ask(op="heartbeat")
    assert world.failure is None


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One venue for all malformed messages: none of them may harm it for the next."""
    with world_open(tmp_path_factory.mktemp("venue")) as world:
        world.listed()
        alice, bob = world.logged_on("alice"), world.logged_on("bob")
        yield world, alice, bob
        before = world.admin(op="status")["command_seq"]
        # Who was silent while the file's other tests ran may have lost the session by that.
        alice = world.logged_on("alice")
        alice.command(enter(1, "buy", 9700))
        assert kinds(alice.reports(2)) == ["ORDER_ACCEPTED", "ORDER_RESTED"]
        assert world.admin(op="status")["command_seq"] == before + 1


def test_three_frames_and_commands_before_the_logon_are_refused(world):
    world.listed()
    alice = world.peer("alice")
    alice.command(enter(1, "buy"))
    assert alice.message()["code"] == VenueRefusal.NOT_LOGGED_ON.name
    alice.socket.send_multipart([b"C", b"", b""])
    assert alice.message()["where"] == "message"


def test_a_stranger_gets_no_word(world):
    world.listed()
    stranger = world.peer("stranger")
    stranger.knock(b"M", msgspec.msgpack.encode({"op": "logon"}))
    assert stranger.receive(300) is None
    for socket in ("admin", "replay"):
        peer = world.peer("alice", socket)
        peer.knock(msgspec.msgpack.encode({"op": "status"}))
        assert peer.receive(200) is None


def test_a_routing_id_of_ones_own_is_refused(world):
    """Whoever takes it next would receive the reports of the one before."""
    world.listed()
    keys, server_key = world.keys["alice"], world.keys["venue"].public
    socket = client_socket(world.context, zmq.DEALER, keys=keys, server_key=server_key)
    socket.routing_id = b"alice"
    socket.connect(world.venue.endpoints["gateway"])
    socket.send_multipart([b"M", msgspec.msgpack.encode({"op": "logon"})])
    assert msgspec.msgpack.decode(socket.recv_multipart()[1])["where"] == "session"
    assert world.admin(op="status")["sessions"] == 0


def test_a_day_that_is_refused_does_not_move_the_clock(world):
    """Times beyond the year 2116 could be journaled and not be read again."""
    world.listed()
    for date in ("2025-06-30", "2200-01-01"):
        with pytest.raises(AdminError):
            world.admin(op="open_day", date=date)
    assert world.admin(op="status")["time"] == "2024-12-31T09:30:00+08:00"
    world.admin(op="close_day")
    world.registry.confirmed_date = DATE
    world.until(lambda: world.admin(op="status")["confirmed_date"] == DATE)
    with pytest.raises(AdminError, match="2116"):
        world.admin(op="open_day", date="2200-01-01")


def test_a_revoked_key_is_refused_from_its_next_message_on(world):
    world.listed()
    alice = world.logged_on("alice")
    world.registry.commands.append(control.KeyRevoked(key=world.keys["alice"].public))
    world.until(lambda: world.admin(op="status")["sessions"] == 0)
    assert alice.message() == {"op": "session_ended", "reason": "revoked"}
    alice.command(enter(1, "buy"))
    assert alice.message()["code"] == VenueRefusal.NOT_AUTHENTICATED.name


def test_an_identical_resend_is_answered_with_the_first_acceptance(world):
    world.listed()
    alice = world.logged_on("alice")
    order = enter(1, "buy", 9700, 10)
    alice.command(order)
    accepted, _ = alice.reports(2)
    alice.command(order)
    (again,) = alice.reports(1)
    assert again.tobytes() == accepted.tobytes()
    amend = target("amend", 2, accepted["order_id"], price=9701, tonnes=5)
    alice.command(amend)
    amended = alice.reports(2)[0]
    alice.command(amend)
    assert alice.reports(1)[0].tobytes() == amended.tobytes()
    cancel = target("cancel", 3, accepted["order_id"])
    alice.command(cancel)
    (canceled,) = alice.reports(1)
    before = world.admin(op="status")
    alice.command(cancel)
    assert alice.reports(1)[0].tobytes() == canceled.tobytes()
    alice.command(order)
    assert alice.reports(1)[0].tobytes() == accepted.tobytes()
    assert world.admin(op="status")["event_seq"] == before["event_seq"]


def test_another_command_with_a_used_id_is_a_duplicate(world):
    world.listed()
    alice = world.logged_on("alice")
    alice.command(enter(5, "buy", 9700, 10))
    alice.reports(2)
    alice.command(enter(5, "buy", 9700, 11), enter(4, "buy", 9700, 10))
    rows = alice.reports(2)
    assert set(rows["reason"]) == {Reason.ORDER_ID_DUPLICATE}


def test_a_resend_within_one_message_happens_once(world):
    world.listed()
    alice = world.logged_on("alice")
    order = enter(1, "buy", 9700, 10)
    alice.command(order, order, enter(2, "buy", 9699, 10))
    rows = alice.reports(5)
    assert sorted(kinds(rows)) == ["ORDER_ACCEPTED"] * 3 + ["ORDER_RESTED"] * 2
    assert world.admin(op="status")["orders_live"] == 2


def test_a_refused_command_may_be_sent_again(world):
    world.listed()
    alice = world.logged_on("alice")
    alice.command(enter(1, "buy", 9700, 0))
    assert alice.reports(1)["reason"][0] == Reason.TONNES_NOT_POSITIVE
    alice.command(enter(1, "buy", 9700, 10))
    assert kinds(alice.reports(2)) == ["ORDER_ACCEPTED", "ORDER_RESTED"]


def test_another_trading_date_is_refused_at_the_gateway(world):
    world.listed()
    alice = world.logged_on("alice")
    before = world.admin(op="status")["command_seq"]
    alice.command(enter(1, "buy", trading_date=20250102))
    (rejected,) = alice.reports(1)
    assert rejected["reason"] == Reason.TRADING_DATE_MISMATCH
    assert (rejected["report_seq"], rejected["client_order_id"]) == (0, 1)
    assert world.admin(op="status")["command_seq"] == before


def test_the_throttle_answers_what_is_too_much(tmp_path):
    with world_open(tmp_path, throttle_per_second=3) as world:
        world.listed()
        alice = world.logged_on("alice")
        alice.command(*[enter(number, "buy", 9700) for number in range(1, 11)])
        rejects = 0
        rows = alice.reports(10 + 3)
        rejects = rows[rows["reason"] == Reason.THROTTLED]
        assert rejects["client_order_id"].tolist() == list(range(4, 11))


def test_reports_are_replayed_by_range(world):
    world.listed()
    alice, bob = world.logged_on("alice"), world.logged_on("bob")
    bob.command(*[enter(number, "sell", 9750, 5) for number in range(1, 41)])
    live = bob.reports(80)
    alice.command(enter(1, "buy", 9750, 50))
    live = np.concatenate((live, bob.reports(10)))
    bob.send(b"M", msgspec.msgpack.encode({"op": "replay", "from": 3, "count": 90}))
    assert bob.reports(90).tobytes() == live.tobytes()
    bob.send(b"M", msgspec.msgpack.encode({"op": "replay", "from": 92, "count": 500}))
    assert bob.reports(1).tobytes() == live[-1:].tobytes()


def test_every_session_of_the_account_gets_the_reports(tmp_path):
    with world_open(tmp_path, {"alice2": {"account": "alice", "operator_index": 1}}) as world:
        world.listed()
        first, second = world.logged_on("alice"), world.logged_on("alice2")
        first.command(enter(1, "buy", 9700))
        assert first.reports(2).tobytes() == second.reports(2).tobytes()


def test_the_book_names_the_orders_and_not_their_owners(world):
    """CEA-LST-09: five levels, and the orders in them."""
    world.listed()
    alice = world.logged_on("alice")
    alice.command(*[enter(n, "buy", 9700 - n // 2, n) for n in range(1, 14)])
    alice.reports(26)
    book = alice.ask(op="book", product=PRODUCT)
    assert [level["price"] for level in book["bids"]] == [9700, 9699, 9698, 9697, 9696]
    assert book["bids"][1]["orders"] == [[2, 2], [3, 3]]
    assert book["asks"] == []


def test_market_data_and_settlement_are_published_and_replayed(world):
    world.start()
    world.ready()
    sockets = {}
    for name, owner in (("market_data", "alice"), ("settlement", "registry")):
        sockets[name] = client_socket(
            world.context,
            zmq.SUB,
            keys=world.keys[owner],
            server_key=world.keys["venue"].public,
        )
        sockets[name].subscribe(b"")
        sockets[name].connect(world.venue.endpoints[name])
        # Heartbeats come when the subscription has arrived.
        assert sockets[name].poll(5_000 * patience())
    world.admin(op="clock", at="2024-12-31T09:30:00+08:00")
    alice, bob = world.logged_on("alice"), world.logged_on("bob")
    bob.command(enter(1, "sell", 9750, 100))
    alice.command(enter(1, "buy", 9750, 60))
    # Their way is another than the operator's.
    alice.reports_until(lambda rows: EventKind.TRADE in rows["kind"])
    world.admin(op="clock", at="2024-12-31T15:00:00+08:00")
    public = np.concatenate(
        collect(sockets["market_data"], b"md", b"bulletin", MARKET_DATA_DTYPE, frame=2)
    )
    assert public["market_data_seq"].tolist() == list(range(1, len(public) + 1))
    assert EventKind.TRADE in public["kind"]
    streamed = np.concatenate(collect(sockets["settlement"], b"S", b"H", EVENT_DTYPE, ends=20))
    replayed = settlement_replay(world, 1, 5_000)
    first = int(streamed["settlement_seq"][0])
    assert streamed.tobytes() == replayed[first - 1 :].tobytes()
    assert replayed["settlement_seq"].tolist() == list(range(1, len(replayed) + 1))
    assert settlement_replay(world, len(replayed) + 1, 10).size == 0
    assert settlement_replay(world, 1, 10, log_id="0" * 32).size == 0


def collect(socket, topic, last_topic, dtype, ends=1, frame=-1):
    """Return the records of a topic until another topic came `ends` times."""
    runs = []
    while ends:
        assert socket.poll(5_000 * patience())
        frames = socket.recv_multipart()
        ends -= frames[0] == last_topic
        if frames[0] == topic:
            runs.append(np.frombuffer(frames[frame], dtype))
    return runs


def settlement_replay(world, first, count, log_id=None):
    peer = world.peer("registry", "replay")
    request = {"log_id": log_id, "from": first, "count": count}
    peer.socket.send(msgspec.msgpack.encode(request))
    header, payload = peer.receive()
    rows = np.frombuffer(payload, EVENT_DTYPE)
    shown = msgspec.msgpack.decode(header)
    assert (shown["first_seq"], shown["count"]) == (first, len(rows))
    return rows


def test_a_day_runs_by_the_manual_clock_and_waits_for_the_registry(world):
    status = world.listed()
    assert (status["trading_date"], status["phase"]) == (DATE, "listed")
    status = world.admin(op="clock", at="2025-01-02T09:45:00+08:00")
    assert (status["trading_date"], status["day_is_open"]) == (DATE, False)
    assert status["changes_pending"] == 2
    with pytest.raises(ActRefused) as refused:
        world.admin(op="clock", at="2025-01-02T10:00:00+08:00")
    assert refused.value.code is VenueRefusal.CLOCK_MOVING
    with pytest.raises(AdminError, match="the registry has not confirmed 20241231"):
        world.admin(op="open_day", date="2025-01-02")
    world.registry.settled_seq = status["settlement_seq"]
    world.registry.confirmed_date = DATE
    world.until(lambda: world.admin(op="status")["phase"] == "listed")
    status = world.admin(op="status")
    assert (status["trading_date"], status["time"]) == (20250102, "2025-01-02T09:45:00+08:00")


def test_an_accelerated_day_runs_by_itself(tmp_path):
    clock = ClockSetting(kind="accelerated", start="2024-12-31T08:59:00+08:00", speed=10_000)
    with world_open(tmp_path, clock=clock) as world:
        world.start()
        world.ready()
        world.until(lambda: world.admin(op="status")["trading_date"] == DATE)
        world.until(lambda: not world.admin(op="status")["day_is_open"])
        with pytest.raises(ActRefused) as refused:
            world.admin(op="clock", at="2025-01-02T09:00:00+08:00")
        assert refused.value.code is VenueRefusal.CLOCK_NOT_MANUAL
        assert settlement_replay(world, 1, 100)["kind"][-2:].tolist() == [
            EventKind.DAY_CLOSED,
            EventKind.CHECKPOINT,
        ]


def test_operators_halt_suspend_and_err(world):
    world.listed()
    alice = world.logged_on("alice")
    assert world.admin(op="halt")["halted"]
    alice.command(enter(1, "buy"))
    assert alice.reports(1)["reason"][0] == Reason.PHASE_CLOSED
    assert not world.admin(op="resume")["halted"]
    alice.command(enter(1, "buy", 9700))
    alice.reports(2)
    world.admin(op="suspend", account="alice", why="court order")
    assert kinds(alice.reports(2)) == ["ACCOUNT_SUSPENDED", "ORDER_CANCELED"]
    world.admin(op="restore", account="alice")
    assert kinds(alice.reports(1)) == ["ACCOUNT_RESTORED"]
    for request, complaint in (
        ({"op": "phase", "phase": "lunch"}, "lunch"),
        ({"op": "open_day", "date": "2025-01-02"}, "expected no open day, got 20241231"),
        ({"op": "clock", "at": "2024-12-31T09:00:00+08:00"}, "expected none before"),
        ({"op": "clock", "at": "tomorrow"}, "ISO 8601"),
        ({"op": "halt", "market": True}, "unknown field"),
        ({"op": "explode"}, "explode"),
    ):
        with pytest.raises(AdminError, match=complaint):
            world.admin(**request)


# -- Starting again -------------------------------------------------------------------------------


def test_all_is_there_after_a_restart_and_only_cancels_until_the_registry_answers(world):
    world.listed()
    alice = world.logged_on("alice")
    alice.command(enter(1, "buy", 9700), enter(2, "buy", 9701))
    first = alice.reports(4)[0]
    world.stop()
    world.registry.is_silent = True
    world.start()
    alice = world.peer("alice")
    logon = alice.ask(op="logon")
    assert (logon["last_client_order_id"], logon["report_seq"]) == (2, 2 + 4)
    alice.command(enter(3, "buy", 9702), target("cancel", 4, first["order_id"]))
    refused = alice.message()
    assert refused["code"] == VenueRefusal.CANCELS_ONLY.name
    assert refused["client_order_ids"] == [3]
    assert kinds(alice.reports(1)) == ["ORDER_CANCELED"]
    with pytest.raises(ActRefused, match="has not answered") as waits:
        world.admin(op="close_day")
    assert waits.value.code is VenueRefusal.REGISTRY_AWAITED
    world.registry.is_silent = False
    world.ready()
    alice.command(enter(5, "buy", 9702))
    alice.reports(2)


def test_after_a_restart_an_order_waits_for_the_registry_and_stays_before_a_later_cancel(world):
    world.listed()
    alice = world.logged_on("alice")
    alice.command(enter(1, "buy", 9700))
    first = alice.reports(2)[0]
    world.stop()
    world.registry.is_silent = True
    world.start()
    alice = world.peer("alice")
    alice.ask(op="logon")
    alice.command(enter(2, "buy", 9702))
    alice.command(target("cancel", 3, first["order_id"]))
    # The line does not seem to be dead meanwhile.
    assert alice.ask(op="heartbeat")["op"] == "heartbeat"
    assert world.admin(op="status")["orders_live"] == 1
    world.registry.is_silent = False
    rows = alice.reports(3)
    assert kinds(rows) == ["ORDER_ACCEPTED", "ORDER_RESTED", "ORDER_CANCELED"]
    assert rows["client_order_id"].tolist()[::2] == [2, 3]


def test_a_registry_that_knows_more_stops_the_venue(world):
    world.registry.settled_seq = 10_000
    world.start()
    world.until(lambda: world.failure is not None)
    assert "acknowledged work is missing from the journal" in str(world.failure)


def contradicted(world, words):
    """Wait until the venue says so, and return its status then."""
    world.until(lambda: words in world.admin(op="status")["cancels_only"])
    return world.admin(op="status")


def test_a_registry_that_lost_its_feed_leaves_only_cancels_until_it_has_it_again(world):
    """Nothing is taken of it meanwhile, and an acknowledged order can be taken out."""
    world.listed()
    alice = world.logged_on("alice")
    alice.command(enter(1, "buy", 9700))
    order = alice.reports(2)[0]
    world.registry.last_seq = 3
    before = contradicted(world, "work is missing from the registry")
    world.registry.commands.append(control.AccountDeclared(account="mallory"))
    alice.command(enter(2, "buy", 9700))
    assert alice.message()["code"] == VenueRefusal.CANCELS_ONLY.name
    alice.command(target("cancel", 3, order["order_id"]))
    assert kinds(alice.reports(1)) == ["ORDER_CANCELED"]
    assert world.admin(op="status")["feed_seq"] == before["feed_seq"]
    assert world.failure is None
    world.registry.last_seq = None
    world.ready()
    assert world.admin(op="status")["feed_seq"] == before["feed_seq"] + 1
    alice.command(enter(4, "buy", 9700))
    assert kinds(alice.reports(2)) == ["ORDER_ACCEPTED", "ORDER_RESTED"]


def test_a_registry_that_numbers_an_act_anew_leaves_only_cancels(world):
    world.start()
    world.ready()
    world.stop()
    right = world.registry.commands[-1]
    world.registry.commands[-1] = control.AccountDeclared(account="mallory")
    world.registry.commands.append(control.AccountDeclared(account="eve"))
    world.start()
    status = contradicted(world, "is not the one that was followed")
    assert status["feed_seq"] == len(world.registry.commands) - 1
    world.registry.commands[-2] = right
    world.ready()
    assert world.admin(op="status")["feed_seq"] == len(world.registry.commands)
    assert world.failure is None


def test_a_registry_that_diverged_leaves_only_cancels(world):
    world.listed()
    world.registry.state = "diverged: account alice"
    world.until(lambda: "diverged" in world.admin(op="status")["cancels_only"])
    world.registry.state = "ok"
    world.ready()


def test_a_feed_that_does_not_fit_leaves_only_cancels(world):
    world.listed()
    world.registry.commands.append(control.AccountDeclared(account="alice"))
    world.until(lambda: "declared already" in world.admin(op="status")["cancels_only"])
    assert world.failure is None


@pytest.mark.parametrize("date", [3, 20990101, 10**12])
def test_a_day_there_was_not_is_confirmed_to_nobody(world, date):
    """Journaled, what is no date would stop every start from then on."""
    world.listed()
    world.registry.confirmed_date = date
    world.until(lambda: f"got {date}" in world.admin(op="status")["cancels_only"])
    world.stop()
    world.registry.confirmed_date = 0
    world.start()
    world.ready()
    assert world.admin(op="status")["confirmed_date"] == 0
