"""The registry daemon on real sockets, with a venue that loses, repeats, garbles and dies."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from cea_exchange.cli.main import run
from cea_exchange.domain.records import Phase
from cea_exchange.protocol.control import control_decode
from cea_exchange.protocol.security import CurveKeys
from cea_exchange.registry.reconciliation.reconcile import check_ledger
from cea_exchange.registry.store import RegistryStore
from support.patience import patience
from support.registry.fake_venue import FakeVenue, run_frames, wait_until
from support.registry.ledger_by_hand import changed_at_rest
from support.registry.registry_process import Daemon
from support.registry.settlement_records import (
    DATE,
    LOG_ID,
    PRODUCT,
    Venue,
    registry_prepare,
    venue_with_deposits,
)
from support.rounds import ROUNDS

pytestmark = pytest.mark.e2e

TRADES = 400


def day(trades: int = TRADES) -> Venue:
    venue = venue_with_deposits()
    for number in range(trades):
        venue.trade(1 + number % 3, buy_fee=number % 2)
    tonnes = sum(1 + number % 3 for number in range(trades))
    venue.day_closed(volume=tonnes, amount=100 * tonnes)
    venue.checkpoint(Phase.CLOSED)
    return venue


@pytest.fixture
def data(tmp_path):
    for name in ("venue", "registry", "admin"):
        CurveKeys.new().save(tmp_path / "keys", name)
    (tmp_path / "registry.toml").write_text("second_person = []\nfronts = 0\n")
    registry_prepare(tmp_path)
    return tmp_path


@pytest.fixture
def venue(data):
    venue = FakeVenue(data, LOG_ID, day().records)
    yield venue
    venue.close()


@pytest.fixture
def daemon(data):
    daemon = Daemon(data)
    daemon.start()
    yield daemon
    if daemon.process.poll() is None:
        daemon.kill()


@pytest.fixture
def feed(daemon):
    caller = daemon.caller("venue")
    yield caller
    caller.close()


@pytest.fixture
def admin(daemon):
    caller = daemon.caller("admin")
    yield caller
    caller.close()


def settled_exactly_once(data, venue):
    found = check_ledger(data)
    assert [] == found.differences
    assert (len(venue.records), TRADES) == (found.last_seq, found.trades)


def test_messages_lost_and_repeated_settle_once(data, venue, daemon, feed):
    random.seed(7)
    first = 1
    while first <= len(venue.records):
        count = random.randint(1, 20)
        venue.publish(first, count, lost=random.random() < 0.3)
        if random.random() < 0.3:
            venue.publish(max(1, first - 7), count)
        first += count
    wait_until(lambda: daemon.last_seq() == len(venue.records))
    # What the registry itself adds is the head of its chain, for the checkpoint.
    answer = feed.ask({"from": 7, "count": 10, "log_id": LOG_ID})
    assert {
        "items": [],
        "last_seq": 6,
        "settled_seq": len(venue.records),
        "confirmed_date": DATE,
        "state": "ok",
    } == answer
    daemon.stop()
    settled_exactly_once(data, venue)


def test_a_lost_last_message_is_noticed_by_the_heartbeat(data, venue, daemon):
    venue.publish(1, len(venue.records), lost=True)
    wait_until(lambda: daemon.last_seq() == len(venue.records))
    settled_exactly_once(data, venue)


@pytest.mark.nightly
@pytest.mark.random
def test_killed_again_and_again_it_settles_once(data, venue, daemon):
    random.seed(11)
    first = 1
    for _ in range(min(5 * ROUNDS, 20)):
        for _ in range(4):
            venue.publish(first, 5, lost=random.random() < 0.1)
            first += 5
        time.sleep(random.random() * 0.05)
        daemon.kill()
        daemon.start()
    venue.publish(first, len(venue.records))
    wait_until(lambda: daemon.last_seq() == len(venue.records))
    settled_exactly_once(data, venue)


def test_a_venue_that_comes_back_elsewhere_is_found(data, venue, daemon):
    venue.publish(1, 100)
    wait_until(lambda: daemon.last_seq() == 100)
    other = FakeVenue(data, LOG_ID, venue.records)
    try:
        other.publish(101, len(venue.records), lost=True)
        wait_until(lambda: daemon.last_seq() == len(venue.records))
    finally:
        other.close()
    settled_exactly_once(data, venue)


@pytest.mark.parametrize("damage", ["checksum", "length", "header", "tag", "log"])
def test_a_garbled_stream_stops_the_line_and_nothing_else(data, venue, daemon, feed, damage):
    venue.publish(1, 50)
    wait_until(lambda: daemon.last_seq() == 50)
    header, payload = run_frames("log-2" if damage == "log" else LOG_ID, venue.records[50:60])
    parts = {
        "checksum": [b"S", header, payload[:-1] + b"\x01"],
        "length": [b"S", header, payload[:-1]],
        "header": [b"S", b"\xff\xff", payload],
        "tag": [b"X", header, payload],
        "log": [b"S", header, payload],
    }[damage]
    venue.send(parts)
    request = {"from": 6, "count": 10, "log_id": LOG_ID}
    wait_until(lambda: feed.ask(request)["state"] != "ok")
    answer = feed.ask(request)
    assert answer["state"].startswith("stopped: ")
    assert 50 == answer["settled_seq"]
    daemon.stop()
    assert [] == check_ledger(data).differences


def test_the_feed_gives_items_once_there_are_some(daemon, feed, admin):
    answer = feed.ask({"from": 1, "count": 100, "log_id": None})
    seqs = [control_decode(item).transfer_seq for item in answer["items"]]
    assert ([1, 2, 3, 4, 5], 5) == (seqs, answer["last_seq"])
    assert [] == feed.ask({"from": 6, "count": 100, "log_id": None})["items"]
    carol = {"op": "account_open", "account": "carol", "entity": "Carol Ltd", "province": 0}
    refused = admin.ask({**carol, "credit_code": "91330100799655058B"})
    assert "province: expected one of the 32 codes, got none (CEA-ADM-01)" == refused["error"]
    for message in (
        {
            **{"op": "account_open", "account": "carol", "entity": "Carol Ltd", "province": 11},
            "credit_code": "91330100799655058B",
        },
        {"op": "pay_in", "account": "carol", "cash": 7},
        {"op": "transfer_in", "account": "carol", "amount": 7},
    ):
        assert admin.ask(message)["ok"]
    items = feed.ask({"from": 6, "count": 100, "log_id": None})["items"]
    commands = [control_decode(item).command for item in items]
    assert ["carol", "carol"] == [command.account for command in commands]


def test_another_markets_venue_gets_nothing(venue, daemon, feed):
    venue.publish(1, 50)
    wait_until(lambda: daemon.last_seq() == 50)
    answer = feed.ask({"from": 1, "count": 100, "log_id": "log-2"})
    assert [] == answer["items"]
    assert answer["state"].startswith("stopped: log_id: expected log-1")


def test_a_repeated_request_acts_once(daemon, admin):
    request = {"op": "pay_in", "account": "alice", "cash": 500, "request_id": "r1"}
    assert {"ok": True} == admin.ask(request)
    before = admin.ask({"op": "status"})["entries"]
    assert {"ok": True} == admin.ask(request)
    assert before == admin.ask({"op": "status"})["entries"]
    answer = admin.ask(request | {"cash": 501})
    assert not answer["ok"]
    assert "request_id" in answer["error"]


BAD_REQUESTS = [
    b"",
    b"\xc1",
    b"\x93\x01\x02\x03",
    b"\x82\xa1a" + b"\x91" * 100_000 + b"\xc0\xa2op\xa6status",
    {"op": "mint", "account": "alice"},
    {"account": "alice"},
    {"op": "pay_in", "account": "alice", "cash": 1.5},
    {"op": "pay_in", "account": "alice", "cash": "1.50"},
    {"op": "pay_in", "account": "alice", "cash": -1},
    {"op": "pay_in", "account": "alice", "cash": 2**63},
    {"op": "pay_in", "account": "alice", "cash": 1, "fee": 1},
    {"op": "pay_in", "account": "alice"},
    {"op": "pay_in", "account": "alice", "cash": 1, "request_id": ""},
    {"op": "issue", "account": "alice", "product": PRODUCT, "tonnes": 1},
    {"op": "allocation_issue", "product": "CEA99", "tonnes": 1},
    {"op": "pay_in", "account": "mallory", "cash": 1},
]


def ledger_status(admin):
    """The status without what has nothing to do with the ledger."""
    status = admin.ask({"op": "status"})
    for name in ("uptime_s", "time", "disk_free_bytes", "database_bytes"):
        del status[name]
    return status


def test_a_bad_request_gets_one_clear_error(daemon, admin):
    before = ledger_status(admin)
    for message in BAD_REQUESTS:
        is_raw = isinstance(message, bytes)
        answer = admin.ask_bytes(message) if is_raw else admin.ask(message)
        assert answer["ok"] is False, message
        assert answer["error"], message
    assert before == ledger_status(admin)


def test_a_ledger_changed_by_hand_is_not_settled_upon(data, venue, daemon):
    venue.publish(1, 50)
    wait_until(lambda: daemon.last_seq() == 50)
    daemon.stop()
    changed_at_rest(
        data,
        "UPDATE postings SET amount = amount + 1 WHERE posting_id ="
        " (SELECT max(posting_id) FROM postings WHERE account_index = 0)",
    )
    daemon.start()
    venue.publish(51, 50)
    caller = daemon.caller("venue")
    answer = caller.ask({"from": 6, "count": 1, "log_id": LOG_ID})
    caller.close()
    why = "stopped: balances are not the sum of the postings: alice, bob, fee account"
    assert (why, 50) == (
        answer["state"],
        answer["settled_seq"],
    )


def test_keys_of_others_are_refused(daemon, admin, feed):
    stranger = daemon.caller("admin", CurveKeys.new())
    venue_as_operator = daemon.caller("admin", CurveKeys.load(daemon.data / "keys", "venue"))
    operator_as_venue = daemon.caller("venue", CurveKeys.load(daemon.data / "keys", "admin"))
    for caller in (stranger, venue_as_operator):
        assert caller.ask({"op": "status"}, 300) is None
        caller.close()
    assert operator_as_venue.ask({"from": 1, "count": 1, "log_id": None}, 300) is None
    operator_as_venue.close()
    assert admin.ask({"op": "status"})["ok"]
    # A malformed feed request is no reason to answer, and none to stop.
    for request in (
        {"from": "1", "count": 1},
        {"from": 0, "count": 1},
        {"from": 2**63, "count": 1},
    ):
        assert feed.ask(request, 200) is None
    assert 5 == feed.ask({"from": 1, "count": 1, "log_id": None})["last_seq"]


def test_stop_ends_the_daemon(daemon, admin):
    assert {"ok": True} == admin.ask({"op": "stop"})
    assert 0 == daemon.process.wait(30 * patience())


# -- the command line ------------------------------------------------------------------------


def cea_exchange(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "cea_exchange.cli.main", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ,
    )


@pytest.mark.nightly
def test_reconcile_says_where_both_agree_and_names_the_account_where_not(data, venue, daemon):
    venue.publish(1, len(venue.records))
    wait_until(lambda: daemon.last_seq() == len(venue.records))
    seq = len(venue.records)
    # At work as well as at rest.
    for _ in range(2):
        done = cea_exchange("registry", "reconcile", "--data", data)
        assert (0, f"reconciled at seq {seq}: venue hash = registry hash\n") == (
            done.returncode,
            done.stdout,
        )
        if daemon.process.poll() is None:
            daemon.stop()
    changed_at_rest(
        data,
        "UPDATE postings SET amount = amount + 1 WHERE posting_id ="
        " (SELECT max(posting_id) FROM postings WHERE account_index = 0)",
    )
    done = cea_exchange("registry", "reconcile", "--data", data)
    assert 1 == done.returncode
    assert "1 too much of CEA24 is posted to account alice in trading" in done.stderr
    done = cea_exchange("registry", "reconcile", "--data", data, "--json")
    assert 1 == done.returncode
    answer = json.loads(done.stdout)
    assert answer["agrees"] is False
    assert any("account alice" in difference for difference in answer["differences"])


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("fede = 'tcp://127.0.0.1:0'", "fede"),
        ("feed = 5", "feed: expected `str`, got `int`"),
        ("feed = ", "registry.toml"),
        ("settlement = 'tcp://127.0.0.1:1'", "replay"),
        ("feed = 'nowhere'", "feed: expected one such as"),
        ("venue_public_key = 'short'", "venue_public_key"),
        ("admin_keys = ['%s']" % (40 * " "), "admin_keys"),
        ("second_person = ['mint']", "expected ops, got mint"),
        ("proposal_s = 0", "proposal_s"),
    ],
)
def test_a_config_with_a_mistake_is_one_clear_error(data, capsys, text, named):
    path = data / "registry.toml"
    path.write_text(text)
    assert 2 == run(["registry", "serve", "--config", str(path), "--data", str(data)])
    said = capsys.readouterr().err
    assert named in said
    assert 1 == len(said.splitlines()), said


def test_a_start_whose_databases_server_is_away_ends_with_one_clear_error(tmp_path):
    for name in ("venue", "registry", "admin"):
        CurveKeys.new().save(tmp_path / "keys", name)
    config = tmp_path / "registry.toml"
    config.write_text("database = 'postgresql://127.0.0.1:1/nobody'\ndatabase_wait_s = 0\n")
    done = cea_exchange("registry", "serve", "--config", config, "--data", tmp_path)
    assert 2 == done.returncode
    assert 1 == len(done.stderr.splitlines()), done.stderr
    expected = "waited 0 s for the database's server (database_wait_s): postgresql://127.0.0.1:1/"
    assert expected in done.stderr


def test_a_second_daemon_is_refused(data, daemon):
    done = cea_exchange("registry", "serve", "--config", data / "registry.toml", "--data", data)
    assert 2 == done.returncode
    assert "another process" in done.stderr


def test_the_log_is_events_and_sigterm_ends_in_order(daemon, data):
    daemon.process.send_signal(signal.SIGHUP)
    daemon.process.terminate()
    daemon.process.terminate()
    assert 0 == daemon.process.wait(20 * patience())
    events = [json.loads(line) for line in (data / "registry.log").read_text().splitlines()]
    assert all({"timestamp", "level", "event"} <= event.keys() for event in events)
    # CEA-PER-05: a test bench says so first of all.
    first, *middle, last = (event["event"] for event in events)
    assert [first, last] == ["no_second_person", "registry_stopped"]
    assert "registry_ready" in middle


def test_killed_while_it_delivers_it_confirms_the_day_once_all_is_settled(data, venue):
    """CEA-STL-05: with the day received and its delivery under way, kill after kill."""
    with (data / "registry.toml").open("a") as file:
        file.write('settlement_mode = "end_of_day"\n')
    daemon = Daemon(data)
    daemon.start()
    try:
        venue.publish(1, len(venue.records), lost=True)
        for _ in range(3):
            wait_until(lambda: daemon.last_seq() > 0)
            daemon.kill()
            daemon.start()
        with RegistryStore.open_reader(data) as store:
            wait_until(lambda: store.confirmed_date == DATE)
            assert store.one("SELECT count(*) FROM trades WHERE state = 'settled'") == TRADES
    finally:
        daemon.kill()
    settled_exactly_once(data, venue)
