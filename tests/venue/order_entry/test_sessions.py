"""Sessions on real sockets: how they begin, end and come back, and what becomes of the orders."""

import math
import os
import signal
import threading
import time

import msgspec
import numpy as np
import pytest

from cea_exchange.client import Client, SessionEnded, SessionError, SessionState
from cea_exchange.domain.records import EVENT_DTYPE, EventKind, Reason
from cea_exchange.domain.refusals import VenueRefusal
from cea_exchange.protocol import control
from support.patience import patience
from support.venue.venue_process import CLOCK, VenueProcess
from support.venue.venue_world import enter, target, world_open

pytestmark = pytest.mark.e2e

REJECTED = EventKind.ORDER_REJECTED
TAKEN_OVER = {"op": "session_ended", "reason": "taken_over"}
SECOND = {"account": "alice", "operator_index": 1}
READER = {"account": "alice", "operator_index": 2, "role": "reader"}
CANCELLER = {"account": "alice", "operator_index": 3, "role": "canceller"}
KEEPS = {"account": "alice", "operator_index": 4, "cancel_on_disconnect": False}
WAIT_S = 30.0
TCP_S = 10
"""TCP_MAXRT of the venue's sockets."""


def kinds(rows):
    return [EventKind(kind).name for kind in rows["kind"]]


def orders_live(world):
    return world.admin(op="status")["orders_live"]


def rested(peer, client_order_id, price=9700, tonnes=10):
    """Rest an order to buy and return its acceptance."""
    peer.command(enter(client_order_id, "buy", price, tonnes))
    accepted, rested = peer.reports(2)
    assert kinds(np.array([accepted, rested])) == ["ORDER_ACCEPTED", "ORDER_RESTED"]
    return accepted


def client(world, name, **options):
    """Connect a `Client` to wherever the venue is at the time."""
    return Client.connect(
        lambda: world.venue.endpoints["gateway"],
        world.keys[name],
        world.keys["venue"].public,
        context=world.context,
        **options,
    )


# -- Heartbeats and silence ------------------------------------------------------------------------


def test_a_session_that_says_nothing_hears_the_venue_and_is_lost_in_the_end(tmp_path):
    """CEA-ORD-11: its operator's orders are cancelled, the other operators' stay."""
    grants = {"alice2": SECOND, "keeps": KEEPS}
    with world_open(tmp_path, grants, session_silence_s_max=3) as world:
        world.listed()
        second = world.logged_on("alice2")
        mine = [int(rested(second, number)["order_id"]) for number in (1, 2)]
        rested(world.logged_on("keeps"), 1)
        alice = world.logged_on("alice")
        rested(alice, 1)

        def heard():
            alice.send(b"M", msgspec.msgpack.encode({"op": "heartbeat"}))
            return world.admin(op="status")["sessions"] == 1

        world.until(heard)
        rows = alice.reports_until(lambda rows: len(rows) == 2)
        assert rows["order_id"].tolist() == mine
        assert set(rows["reason"]) == {Reason.DISCONNECTED}
        assert orders_live(world) == 2
        assert second.message("heartbeat")["op"] == "heartbeat"
        assert second.message() == {"op": "session_ended", "reason": "silent"}
        # It comes back, is told what it missed, and goes on.
        seen = int(rows["report_seq"][0]) - 1
        assert second.ask(op="logon", report_seq=seen)["op"] == "logon"
        assert second.reports(2).tobytes() == rows.tobytes()
        rested(second, 3)


def test_a_venue_that_stood_still_takes_nobodys_silence_for_an_answer(tmp_path):
    with world_open(tmp_path, session_silence_s_max=3) as world:
        world.listed()
        alice = world.logged_on("alice")
        rested(alice, 1)
        orders = world.venue.venue.orders
        (session,) = orders.sessions
        # As after a minute without a processor: the loop's next look is late, not the client.
        session.seen_s -= 60
        orders._watched_s -= 60
        world.until(lambda: alice.ask(op="heartbeat")["op"] == "heartbeat")
        assert orders_live(world) == 1
        assert world.admin(op="status")["sessions"] == 1


def test_a_client_keeps_its_session_by_itself(tmp_path):
    silence_s = min(math.ceil(2 * patience()), 10)
    with world_open(tmp_path, session_silence_s_max=silence_s) as world:
        world.listed()
        with client(world, "alice", heartbeat_interval_s=0.2) as alice:
            alice.answer(alice.enter("CEA24", "buy", price="97.00", tonnes=10))
            alice.poll()
            assert alice.poll(1.75 * silence_s) == []
            assert alice.reconnections == 0
        assert orders_live(world) == 1


# -- Logging off -----------------------------------------------------------------------------------


def test_a_logoff_cancels_unless_it_is_asked_to_keep(tmp_path):
    """CEA-ORD-11: at once, and after the reports of what came with it."""
    with world_open(tmp_path, {"keeps": KEEPS}) as world:
        world.listed()
        for name, keep_orders, left in (("alice", False, 0), ("bob", True, 1), ("keeps", False, 2)):
            with client(world, name) as one:
                one.enter("CEA24", "buy", price="97.00", tonnes=10)
                one.logoff(keep_orders=keep_orders)
                reports = one.poll()
                assert EventKind.ORDER_ACCEPTED in [report.kind for report in reports]
                with pytest.raises(SessionEnded, match="logged_off") as ended:
                    one.poll(WAIT_S * patience())
                assert ended.value.reason == "logged_off"
                with pytest.raises(SessionError):
                    one.enter("CEA24", "buy", price="97.00", tonnes=10)
            world.until(lambda left=left: orders_live(world) == left)
        assert world.admin(op="status")["sessions"] == 0


def test_no_session_is_lost_while_another_key_of_the_operator_trades(tmp_path):
    """Keys are changed by granting the next one before the last is revoked."""
    grants = {"next": {"account": "alice"}, "copy": {"account": "alice", "role": "reader"}}
    with world_open(tmp_path, grants) as world:
        world.listed()
        old, new, _copy = (world.logged_on(name) for name in ("alice", "next", "copy"))
        rested(old, 1)
        world.registry.commands.append(control.KeyRevoked(key=world.keys["alice"].public))
        assert old.message() == {"op": "session_ended", "reason": "revoked"}
        assert orders_live(world) == 1
        world.registry.commands.append(control.KeyRevoked(key=world.keys["next"].public))
        while new.message() != {"op": "session_ended", "reason": "revoked"}:
            pass
        world.until(lambda: orders_live(world) == 0)


# -- A second logon of a key -----------------------------------------------------------------------


def test_a_second_logon_takes_over_and_the_first_hears_no_more(tmp_path):
    with world_open(tmp_path) as world:
        world.listed()
        first = world.logged_on("alice")
        accepted = rested(first, 1)
        second = world.logged_on("alice")
        assert first.message() == TAKEN_OVER
        rested(second, 2)
        first.command(target("cancel", 3, accepted["order_id"]))
        refused = first.message()
        assert (refused["where"], refused["reason"]) == ("session", "taken_over")
        assert first.receive(200) is None
        assert orders_live(world) == 2


def test_a_clients_own_earlier_logon_that_comes_late_takes_nothing_over(tmp_path):
    """Which may be: a client that tried again came by another front."""
    with world_open(tmp_path) as world:
        world.listed()
        current = world.logged_on("alice", client=7, attempt=2)
        late = world.peer("alice")
        late.send(b"M", msgspec.msgpack.encode({"op": "logon", "client": 7, "attempt": 1}))
        assert late.receive(300) is None
        rested(current, 1)
        another = world.logged_on("alice", client=8, attempt=1)
        assert current.message() == TAKEN_OVER
        rested(another, 2)


def test_a_client_whose_key_logs_on_elsewhere_says_so_and_does_not_fight(tmp_path):
    with world_open(tmp_path) as world:
        world.listed()
        with client(world, "alice") as first, client(world, "alice") as second:
            with pytest.raises(SessionEnded, match="taken_over"):
                first.poll(WAIT_S * patience())
            assert first.session.state is SessionState.ENDED
            second.answer(second.enter("CEA24", "buy", price="97.00", tonnes=10))
            first.reconnect()
            first.logon()
            with pytest.raises(SessionEnded, match="taken_over"):
                for _ in range(2):
                    second.poll(WAIT_S * patience())


def test_a_second_logon_may_be_refused_until_the_first_connection_is_gone(tmp_path):
    with world_open(tmp_path, second_logon="refuse") as world:
        world.listed()
        first, second = world.logged_on("alice"), world.peer("alice")
        refused = second.ask(op="logon")
        assert (refused["op"], refused["code"]) == ("refused", VenueRefusal.SECOND_LOGON.name)
        rested(first, 1)
        assert second.receive(100) is None
        first.socket.close(0)
        world.until(lambda: second.ask(op="logon")["op"] == "logon")
        rested(second, 2)
        assert orders_live(world) == 2


# -- What was missed -------------------------------------------------------------------------------


def test_who_was_away_gets_exactly_what_it_missed_also_after_a_restart(tmp_path):
    """More than one frame and one replay hold, while others go on trading."""
    with world_open(tmp_path, {"alice2": SECOND}) as world:
        world.listed()
        with client(world, "alice") as alice:
            alice.answer(alice.enter("CEA24", "buy", price="97.00", tonnes=10))
            seen = [report.report_seq for report in alice.poll()]
        other = world.logged_on("alice2")
        for first in range(1, 6_001, 1_500):
            other.command(*[enter(n, "buy", 9_600, 1) for n in range(first, first + 1_500)])
            live = other.reports(3_000)
        world.stop()
        world.start()
        world.ready()
        with client(world, "alice", report_seq=seen[-1], timeout_s=30.0) as alice:
            missed = alice.poll()
            assert [report.report_seq for report in missed] == list(
                range(seen[-1] + 1, seen[-1] + 12_001)
            )
            assert np.array([tuple(missed[-1])], live.dtype) == live[-1:]
            assert alice.session.replayed_count == 12_000
            # And what happened before, for who asks for everything.
            with client(world, "alice2", report_seq=0) as other:
                everything = other.poll()
            assert [report.report_seq for report in everything] == list(
                range(1, seen[-1] + 12_001)
            )


def test_a_resend_is_answered_as_the_first_time_also_after_a_restart(tmp_path):
    """Enter, amend and cancel; finished orders too; what differs is a duplicate."""
    with world_open(tmp_path) as world:
        world.listed()
        alice, bob = world.logged_on("alice"), world.logged_on("bob")
        order, ioc = enter(1, "buy", 9700, 10), enter(2, "sell", 9700, 4, tif=1)
        alice.command(order)
        accepted = alice.reports(2)[0]
        amend = target("amend", 3, accepted["order_id"], price=9699, tonnes=5)
        bob.command(ioc)
        sold = bob.reports(2)[0]
        alice.command(amend)
        amended = alice.reports(3)[1]
        assert EventKind(amended["kind"]).name == "ORDER_AMENDED"
        cancel = target("cancel", 4, accepted["order_id"])
        alice.command(cancel)
        canceled = alice.reports(1)[0]
        many = [enter(number, "buy", 9600, 1) for number in range(5, 905)]
        alice.command(*many)
        rows = alice.reports(2 * len(many))
        many_accepted = rows[rows["kind"] == EventKind.ORDER_ACCEPTED]
        world.stop()
        world.start()
        world.ready()
        before = world.admin(op="status")["event_seq"]
        alice, bob = world.logged_on("alice"), world.logged_on("bob")
        alice.command(order, amend, cancel)
        answers = alice.reports(3)
        assert answers.tobytes() == b"".join(r.tobytes() for r in (accepted, amended, canceled))
        bob.command(ioc)
        assert bob.reports(1)[0].tobytes() == sold.tobytes()
        alice.command(*many)
        assert alice.reports(len(many)).tobytes() == many_accepted.tobytes()
        assert world.admin(op="status")["event_seq"] == before
        alice.command(
            enter(1, "buy", 9700, 11),
            target("amend", 3, accepted["order_id"], price=9699, tonnes=6),
            target("cancel", 4, 99),
        )
        rows = alice.reports(3)
        assert Reason.ORDER_ID_DUPLICATE in rows["reason"]
        assert set(kinds(rows)) == {"ORDER_REJECTED"}


def test_a_reader_that_does_not_read_is_cut_off_and_comes_back(tmp_path):
    """The venue keeps a little for it and no more; nothing of the stream is lost to it."""
    with world_open(tmp_path, {"alice2": SECOND}, session_queue_bytes_max=65_536) as world:
        world.listed()
        deaf = world.peer("alice", high_water_mark=1)
        deaf.send(b"M", b"\x81\xa2op\xa5logon")
        world.until(lambda: world.admin(op="status")["sessions"] == 1)
        deaf.command(enter(1, "buy", 9_500, 1))
        world.until(lambda: orders_live(world) == 1)
        busy = world.logged_on("alice2")
        batches, deaf_since_s = 0, time.monotonic()
        while world.admin(op="status")["sessions"] == 2:
            batches += 1
            assert batches < 100 * patience()
            busy.command(*[enter(n, "buy", 9_600, 0) for n in range(1, 2_001)])
            busy.reports_until(lambda rows: (rows["kind"] == REJECTED).sum() == 2_000)
        at_cut = int(busy.ask(op="heartbeat")["report_seq"])
        for _ in range(4):
            busy.command(*[enter(n, "buy", 9_600, 0) for n in range(1, 2_001)])
            busy.reports_until(lambda rows: (rows["kind"] == REJECTED).sum() == 2_000)
        world.until(lambda: orders_live(world) == 0)
        last = int(busy.ask(op="heartbeat")["report_seq"])
        # It reads at last, is told why, and is replayed what it did not get.
        deaf.send(b"M", b"\x81\xa2op\xa9heartbeat")
        rows, refused = drain(deaf)
        deaf_s = time.monotonic() - deaf_since_s
        # A connection that takes nothing for so long is ended by TCP, and with it what is known.
        assert refused.get("reason") == "slow" or deaf_s > TCP_S, refused
        assert rows[-1]["report_seq"] <= at_cut <= last - 4 * 2_000
        # What was dropped made room: later ones may have come, behind a gap in their numbers.
        seqs = rows["report_seq"].astype(np.int64)
        whole = seqs[seqs == 3 + np.arange(len(seqs))].tolist()
        assert whole and (np.diff(seqs) > 0).all()
        with client(world, "alice", report_seq=whole[-1]) as back:
            missed = [report.report_seq for report in back.poll()]
        assert whole + missed == list(range(3, last + 1))


def memory_mib(process_id):
    with open(f"/proc/{process_id}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20


def test_sessions_that_do_not_read_take_a_bounded_number_of_bytes(tmp_path):
    """Twenty drop copies whose reader has hung: each is cut off at 1 MiB beside ZeroMQ's 4."""
    names = [f"reader{number}" for number in range(20)]
    with world_open(tmp_path, dict.fromkeys(names, READER)) as world:
        # On a busy machine TCP ends a deaf connection first; then silence ends its session.
        settings = f"session_queue_bytes_max = {1 << 20}\nsession_silence_s_max = 60\n" + CLOCK
        world.venue = VenueProcess(world, settings=settings)
        try:
            world.ready()
            world.admin(op="clock", at="2024-12-31T09:30:00+08:00")
            deaf = [world.peer(name, high_water_mark=1) for name in names]
            for peer in deaf:
                peer.send(b"M", b"\x81\xa2op\xa5logon")
            busy = world.logged_on("alice")
            world.until(lambda: world.admin(op="status")["sessions"] == 21)
            before = most = memory_mib(world.venue.process.pid)
            batches, until_s = 0, time.monotonic() + 90 * patience()
            while world.admin(op="status")["sessions"] > 1:
                batches += 1
                assert time.monotonic() < until_s
                busy.command(*[enter(n, "buy", 9_600, 0) for n in range(1, 2_001)])
                busy.reports_until(lambda rows: (rows["kind"] == REJECTED).sum() == 2_000)
                most = max(most, memory_mib(world.venue.process.pid))
            # Far less than 32 MB each would have been a reader's due before.
            assert batches > 10
            assert most - before < 20 * (4 + 1 + 1) + 60
            assert world.admin(op="status")["op"] == "status"
        finally:
            world.venue.end(signal.SIGTERM)


def test_who_asks_for_too_much_is_refused_and_gets_what_was_taken_whole(tmp_path):
    """And another's order is answered meanwhile: replays come a page at a time."""
    with world_open(tmp_path) as world:
        world.listed()
        greedy, bob = world.logged_on("alice"), world.logged_on("bob")
        greedy.command(*[enter(n, "buy", 9_600, 0) for n in range(1, 2_001)])
        greedy.reports(2_000)
        asked, each = 300, 1_500
        replay = msgspec.msgpack.encode({"op": "replay", "from": 3, "count": each})
        # All of them wait at once: a quick venue would answer each as it came.
        with world.paused():
            for _ in range(asked):
                greedy.send(b"M", replay)
            bob.command(enter(1, "buy", 9_600))
        bob.reports(2)
        refused = reports = 0
        while refused + reports // each < asked:
            frames = greedy.receive()
            assert frames is not None, f"{refused} refused, {reports} reports came"
            if frames[0] == b"R":
                reports += len(frames[1]) // EVENT_DTYPE.itemsize
            elif (shown := msgspec.msgpack.decode(frames[1]))["op"] == "refused":
                assert (shown["where"], shown["got"]) == ("message", "another")
                refused += 1
        assert refused > 0 and reports >= 64 * each and reports % each == 0


def test_a_turn_takes_few_of_the_thousands_that_one_peer_sends(tmp_path):
    """ZeroMQ takes from all peers in turn, so another's order is in one of the first turns."""
    with world_open(tmp_path) as world:
        world.listed()
        greedy, bob = world.logged_on("alice"), world.logged_on("bob")
        gateway, flooded, sizes = world.venue.venue.orders.gateway, threading.Event(), []
        take = gateway.take

        def counted(messages, now_s):
            assert flooded.wait(60)
            sizes.append(len(messages))
            return take(messages, now_s)

        gateway.take = counted
        beat = msgspec.msgpack.encode({"op": "heartbeat"})
        for _ in range(5_000):
            greedy.send(b"M", beat)
        bob.command(enter(1, "buy", 9_600))
        flooded.set()
        bob.reports(2)
        world.until(lambda: sum(sizes) >= 5_001)
        assert max(sizes) <= 2_000


def drain(peer):
    """Read the reports that are there, and ask until the venue says why there are no more."""
    runs, until_s = [], time.monotonic() + WAIT_S * patience()
    while time.monotonic() < until_s:
        while (frames := peer.receive(200)) is not None:
            if frames[0] == b"R":
                runs.append(np.frombuffer(frames[1], EVENT_DTYPE))
            elif (shown := msgspec.msgpack.decode(frames[1]))["op"] == "refused":
                return np.concatenate(runs), shown
        # The answer to what was asked while the queue was full found no room in it.
        peer.send(b"M", msgspec.msgpack.encode({"op": "heartbeat"}))
    raise AssertionError(f"no refusal came after {sum(map(len, runs))} reports")


# -- After a restart -------------------------------------------------------------------------------


def test_sessions_of_before_a_restart_are_lost_unless_they_come_back(tmp_path):
    """CEA-ORD-11: not before the registry has answered, and their time is over."""
    grants = {"alice2": SECOND, "keeps": KEEPS}
    with world_open(tmp_path, grants, session_silence_s_max=2) as world:
        world.listed()
        names = ("alice", "alice2", "keeps", "bob")
        mine = [int(rested(world.logged_on(name), 1)["order_id"]) for name in names]
        world.stop()
        world.registry.is_silent = True
        world.start()
        orders = world.venue.venue.orders
        orders._watched_s -= 0.5
        alice = world.logged_on("alice")
        world.until(lambda: orders._watched_s > 0 and orders._absent_due_s is None)
        assert orders_live(world) == 4
        world.registry.is_silent = False

        def two_are_left():
            alice.send(b"M", msgspec.msgpack.encode({"op": "heartbeat"}))
            return orders_live(world) == 2

        world.until(two_are_left)
        (lost,) = alice.reports(1)
        assert (lost["reason"], lost["order_id"]) == (Reason.DISCONNECTED, mine[1])
        before = world.admin(op="status")["command_seq"]
        rested(alice, 2)
        assert world.admin(op="status")["command_seq"] == before + 1
        bob = world.logged_on("bob")
        bob.send(b"M", b"\x83\xa2op\xa6replay\xa4from\x01\xa5count\xcd\x03\xe8")
        assert kinds(bob.reports(5))[-1] == "ORDER_CANCELED"


# -- Rights ----------------------------------------------------------------------------------------


def test_a_drop_copy_follows_the_account_and_can_do_nothing(tmp_path):
    """Every operator's orders and fills, from the first on, live and replayed; CEA-ACC-01."""
    with world_open(tmp_path, {"alice2": SECOND, "copy": READER}) as world:
        world.listed()
        alice, second, bob = (world.logged_on(name) for name in ("alice", "alice2", "bob"))
        accepted = rested(alice, 1)
        with client(world, "copy", report_seq=0) as copy:
            assert copy.session.role == "reader"
            rested(second, 1)
            bob.command(enter(1, "sell", 9700, 5))
            reports, until_s = [], time.monotonic() + WAIT_S * patience()
            while len(reports) < 2 + 5:
                assert time.monotonic() < until_s, reports
                reports += copy.poll(5.0)
            assert [copy_of.position(0) for copy_of in reports] == list(range(1, 8))
            assert reports[-1].kind == EventKind.TRADE
            with pytest.raises(SessionError, match="reader"):
                copy.cancel(int(accepted["order_id"]))
        raw = world.logged_on("copy")
        raw.command(target("cancel", 1, accepted["order_id"]))
        refused = raw.message()
        assert (refused["where"], refused["got"]) == ("key", "a reader's")
        assert orders_live(world) == 2


def test_a_canceller_may_cancel_any_order_of_its_account_and_nothing_else(tmp_path):
    """CEA-ACC-01: orders belong to the account, not to the operator that entered them."""
    with world_open(tmp_path, {"risk": CANCELLER}) as world:
        world.listed()
        alice, bob, risk = (world.logged_on(name) for name in ("alice", "bob", "risk"))
        mine, others = rested(alice, 1), rested(bob, 1)
        risk.command(
            enter(1, "buy", 9700, 1),
            target("amend", 2, mine["order_id"], price=9700, tonnes=1),
            target("cancel", 3, mine["order_id"]),
            target("cancel", 4, others["order_id"]),
        )
        refused = risk.message()
        assert (refused["where"], refused["client_order_ids"]) == ("key", [1, 2])
        rows = alice.reports(2)
        assert kinds(rows) == ["ORDER_CANCELED", "ORDER_REJECTED"]
        assert rows["operator_index"].tolist() == [3, 3]
        assert rows["reason"][1] == Reason.ORDER_UNKNOWN
        assert orders_live(world) == 1
        with client(world, "risk") as risk, pytest.raises(SessionError, match="only cancel"):
            risk.enter("CEA24", "buy", price="97.00", tonnes=10)


def test_an_exhausted_order_budget_never_hinders_a_cancel(tmp_path):
    settings = {"throttle_per_second": 2, "throttle_cancels_per_second": 2}
    with world_open(tmp_path, **settings) as world:
        world.listed()
        alice = world.logged_on("alice")
        accepted = rested(alice, 1)
        alice.command(
            *[enter(n, "buy", 9700) for n in range(2, 12)],
            target("cancel", 12, accepted["order_id"]),
        )
        rows = alice.reports_until(lambda rows: EventKind.ORDER_CANCELED in rows["kind"])
        throttled = [row for row in rows if row["reason"] == Reason.THROTTLED]
        assert len(throttled) >= 8
        assert {int(row["report_seq"]) for row in throttled} == {0}
