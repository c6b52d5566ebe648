"""Who is ahead: what is lost is rebuilt, or named, or two persons adopt what the registry has."""

import contextlib
import json
import shutil
import subprocess
import sys

import pytest

from cea_exchange.client import Client, SessionError
from cea_exchange.domain.records import EventKind, Reason, Side
from cea_exchange.domain.refusals import VenueRefusal
from cea_exchange.journal import FrameKind, OsStorage, SegmentReader
from cea_exchange.journal.event_store import EVENT_ROW_BYTES, HEADER_BYTES
from cea_exchange.journal.segment import frame_encode
from cea_exchange.loadtest.load_run import await_transfers
from cea_exchange.loadtest.local_exchange import ExchangeError, LocalExchange
from cea_exchange.loadtest.population import Participant
from cea_exchange.protocol.control import Adopt, Checkpoint, KeyGranted, control_decode
from cea_exchange.protocol.security import CurveKeys
from cea_exchange.registry.reconciliation.reconcile import check_ledger
from cea_exchange.registry.registry import Registry
from cea_exchange.registry.store import RegistryStore
from cea_exchange.venue.maintenance.adoption import NUMBERS_SKIPPED
from cea_exchange.venue.operations.act_log import acts_read
from support.patience import patience
from support.registry.service_callers import Staff

pytestmark = pytest.mark.e2e

CASH, TONNES = 100_000_000, 50_000
BUYER = Participant("alice", "short", {"CEA24": Side.BUY}, CASH, {})
SELLER = Participant("bob", "surplus", {"CEA24": Side.SELL}, CASH, {"CEA24": TONNES})
IDLE = Participant("carol", "short", {"CEA24": Side.BUY}, CASH, {})
WAIT_S = 30.0

ENTITY = {"entity": "Dave Power", "credit_code": "91330100799655058B", "province": 33}


@pytest.fixture
def exchange(tmp_path):
    with LocalExchange(tmp_path / "exchange") as exchange:
        start = "2025-01-02T08:30:00+08:00"
        exchange.prepare([BUYER, SELLER, IDLE], {"CEA24": 9749}, start=start, fronts=0)
        admin = exchange.keys("admin").public
        entries = [f'admin_keys = ["{admin}"]']
        tables = []
        for name, role in (("an", "operator"), ("bo", "operator"), ("reg", "regulator")):
            CurveKeys.new().save(exchange.keys_directory, name)
            tables.append(f'[[operators]]\nname = "{name}"\nkey = "keys/{name}.public"')
            tables.append(f'role = "{role}"')
        for daemon in ("venue", "registry"):
            path = exchange.data / f"{daemon}.toml"
            path.write_text("\n".join([*entries, path.read_text(), *tables]) + "\n")
        exchange.start()
        await_transfers(exchange)
        exchange.operate("clock", at="2025-01-02T09:30:00+08:00")
        yield exchange


def run(*arguments):
    command = [sys.executable, "-m", "cea_exchange.cli.main", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120 * patience())


def connect(exchange, name, **options):
    return Client.connect(
        exchange.endpoint("venue", "gateway"),
        exchange.keys(name),
        exchange.keys("venue").public,
        timeout_s=WAIT_S,
        **options,
    )


def trade(exchange, tonnes, count=1):
    """Alice buys of Bob at 97.50, `count` times, and each time leaves an order on the book."""
    with connect(exchange, "alice") as alice, connect(exchange, "bob") as bob:
        for _ in range(count):
            alice.answer(alice.enter("CEA24", "buy", price="97.50", tonnes=tonnes))
            bob.answer(bob.enter("CEA24", "sell", price="97.50", tonnes=tonnes))
            alice.answer(alice.enter("CEA24", "buy", price="97.00", tonnes=5))
        return alice.session.log_id


def settled_seq(exchange):
    with RegistryStore.open_reader(exchange.data) as store:
        return store.last_seq


def settle_all(exchange):
    seq = exchange.operate("status")["settlement_seq"]
    exchange.wait_until(lambda: settled_seq(exchange) == seq, "settlement", WAIT_S)
    return seq


def holdings(exchange):
    fields = ("cash", "holdings")
    names = [member.name for member in (BUYER, SELLER, IDLE)]
    answers = [exchange.operate("position", account=name) for name in names]
    return [[answer[field] for field in fields] for answer in answers]


def save(exchange, copy):
    for name in ("journal", "events"):
        shutil.copytree(exchange.data / name, copy / name)


def put_back(exchange, copy):
    for name in ("journal", "events"):
        shutil.rmtree(exchange.data / name)
        shutil.copytree(copy / name, exchange.data / name)


def cut_journal(exchange, frames):
    """Lose the last frames of a journal, at the boundary of a frame: no torn tail shows it."""
    reader = SegmentReader(exchange.data / "journal", storage=OsStorage(), cut_torn_tail=True)
    sizes = [len(frame_encode(frame)) for frame in reader.frames()]
    path = reader.tail.path
    path.write_bytes(path.read_bytes()[: reader.tail.valid_bytes - sum(sizes[-frames:])])


def start_fails(exchange):
    """Start the venue, which must end by itself, and return its last word."""
    with pytest.raises(ExchangeError, match="the venue ended with 1"):
        exchange.start_venue()
        exchange.wait_until(lambda: False, "the venue's end", WAIT_S)
    exchange.kill("venue")
    return exchange.log("venue").read_text().splitlines()[-1]


def adopt_command(exchange, daemon, *arguments, second="bo", data=None):
    keys = exchange.keys_directory
    return run(
        *(daemon, "adopt", *arguments, "--config", exchange.data / f"{daemon}.toml"),
        *("--data", data or exchange.data, "--why", "disk lost"),
        *("--first", keys / "an.secret", "--second", keys / f"{second}.secret", "--json"),
    )


def adopt(exchange, name="statement"):
    """Let two persons adopt at both sides; return what the venue's side says."""
    statement = exchange.data / name
    stated = adopt_command(exchange, "registry", "--out", statement)
    assert stated.returncode == 0, stated.stderr
    adopted = adopt_command(exchange, "venue", statement)
    assert adopted.returncode == 0, adopted.stderr
    shown = json.loads(adopted.stdout)
    assert shown["log_id"] == json.loads(stated.stdout)["log_id"]
    return shown


def trading_goes_on(exchange, date="2025-01-03"):
    """Trade on the next day, close it, and let both sides compare everything."""
    exchange.operate("clock", at=f"{date}T09:30:00+08:00")
    number = int(date.replace("-", ""))
    exchange.wait_until(
        lambda: exchange.operate("status")["phase"] == "listed", "the next day", WAIT_S
    )
    trade(exchange, 7, count=3)
    exchange.operate("clock", at=f"{date}T15:00:00+08:00")
    exchange.wait_until(
        lambda: exchange.operate("status")["confirmed_date"] == number, "confirmation", WAIT_S
    )
    # The child that writes it goes on beside the venue, and ends with it.
    snapshots = exchange.data / "snapshots"
    exchange.wait_until(lambda: any(snapshots.glob("*.snapshot")), "the close's snapshot", WAIT_S)
    held = holdings(exchange)
    copy = exchange.data.parent / "backup"
    backed_up = run("venue", "backup", copy, "--data", exchange.data)
    assert backed_up.returncode == 0, backed_up.stderr
    exchange.stop("venue")
    restored = run("venue", "restore", copy, "--data", exchange.data / "again")
    assert restored.returncode == 0, restored.stderr
    exchange.start_venue()  # from the snapshot that the close has taken
    assert "snapshot_taken_up" in exchange.log("venue").read_text().split('"ready"')[-2]
    assert holdings(exchange) == held
    exchange.stop("venue")
    exchange.stop("registry")
    found = check_ledger(exchange.data)
    assert found.agrees, found.differences
    assert found.venue_hash == found.registry_hash
    verified = run("verify", exchange.data, "--json")
    assert verified.returncode == 0, verified.stderr
    return json.loads(verified.stdout)


# -- Nothing is lost ------------------------------------------------------------------------------


def test_a_lost_event_store_is_rebuilt(exchange):
    """Case a: every report is there again, byte for byte."""
    trade(exchange, 10, count=5)
    with connect(exchange, "alice", report_seq=0) as alice:
        before = list(alice.reports(timeout_s=1.0))
    exchange.kill("venue")
    shutil.rmtree(exchange.data / "events")
    exchange.start_venue()
    with connect(exchange, "alice", report_seq=0) as alice:
        assert list(alice.reports(timeout_s=1.0)) == before
    assert len(before) >= 15
    settle_all(exchange)


# -- Something is lost ----------------------------------------------------------------------------


def test_a_lost_journal_tail_is_named_and_adopted(exchange):
    """Case b, CEA-OPR-02: the event store is ahead; and the registry had not settled all of it."""
    exchange.operate("suspend", account="carol", why="court order 12")
    old_log_id = trade(exchange, 10, count=2)
    last_seq = settle_all(exchange)
    exchange.stop("registry")
    trade(exchange, 11)
    held_before = exchange.operate("position", account="bob")["holdings"]["CEA24"]["tonnes"]
    last_reports = exchange.operate("position", account="alice")["report_seq"]
    exchange.kill("venue")
    cut_journal(exchange, frames=1)
    said = start_fails(exchange)
    assert "acknowledged work is missing from the journal" in said
    assert "nothing starts: sequence" in said and "events.rows" in said
    bytes_before = (exchange.data / "events" / "events.rows").read_bytes()

    shown = adopt(exchange)
    assert (shown["old_log_id"], shown["settlement_seq"]) == (old_log_id, last_seq)
    assert (shown["trades_void"], shown["suspended"]) == ([3], ["carol"])
    kept = exchange.data / shown["kept"]
    assert (kept / "events" / "events.rows").read_bytes() == bytes_before
    assert list((kept / "journal").iterdir())

    exchange.start()
    seq = settle_all(exchange)
    assert seq == last_seq + 1  # the checkpoint by which both sides compare at once
    status = exchange.operate("status")
    assert (status["log_id"], status["orders_live"]) == (shown["log_id"], 0)
    assert (status["trading_date"], status["day_is_open"]) == (20250102, False)
    assert held_before == TONNES - 2 * 10 - 11
    sold = 2 * 10
    assert holdings(exchange) == [
        [CASH - sold * 9750, {"CEA24": {"tonnes": sold, "locked": 0, "bought_today": 0}}],
        [CASH + sold * 9750, {"CEA24": {"tonnes": TONNES - sold, "locked": 0, "bought_today": 0}}],
        [CASH, {}],
    ]
    assert exchange.operate("position", account="carol")["suspended"]
    assert exchange.operate("position", account="alice")["report_seq"] > last_reports
    # The close of the day that was lost: what its settled trades make of it.
    product = exchange.operate("statistics")["products"]["CEA24"]
    assert product["reference_price"] == 9750
    (act,) = acts_read(exchange.data)
    assert (act.by, act.second, act.what, act.why) == ("an", "bo", "adopt", "disk lost")
    assert act.fields["old_log_id"] == old_log_id and act.fields["kept"] == shown["kept"]
    verified = trading_goes_on(exchange)
    assert verified["log_id"] == shown["log_id"]


@pytest.mark.nightly
def test_a_venue_from_an_old_copy_is_named_and_adopted(exchange, tmp_path):
    """Case c, CEA-OPR-02: the registry is ahead; transfers on their way arrive after all."""
    exchange.stop("venue")
    save(exchange, tmp_path / "copy")
    exchange.start_venue()
    trade(exchange, 10, count=3)
    last_seq = settle_all(exchange)
    exchange.kill("venue")
    put_back(exchange, tmp_path / "copy")
    said = start_fails(exchange)
    assert f"the registry has settled sequence {last_seq}" in said
    assert "acknowledged work is missing from the journal" in said

    exchange.stop("registry")
    with Registry.open(exchange.data, admission="open") as registry:
        staff = Staff(registry, second_person=())
        staff._service.settings_keep()
        staff.an("pay_in", account="carol", cash=5_000)
        staff.an("transfer_in", account="carol", amount=5_000)
        assert staff.an("account_open", account="dave", **ENTITY)["ok"]
    shown = adopt(exchange)
    assert (shown["settlement_seq"], shown["accounts"]) == (last_seq, 3)
    exchange.start()
    await_transfers(exchange)
    assert exchange.operate("position", account="carol")["cash"] == CASH + 5_000
    assert exchange.operate("status")["accounts"] == 4

    # A lost event store is rebuilt in an adopted life too.
    exchange.kill("venue")
    shutil.rmtree(exchange.data / "events")
    exchange.start_venue()
    verified = trading_goes_on(exchange)
    assert verified["settlement_seq"] > last_seq
    with RegistryStore.open_reader(exchange.data) as store:
        ids = [row[0] for row in store.execute("SELECT trade_id FROM trades ORDER BY 1")]
    first = NUMBERS_SKIPPED + 3 + 1
    assert ids == [1, 2, 3, first, first + 1, first + 2]


@pytest.mark.nightly
def test_a_participant_follows_into_the_adopted_life(exchange):
    """A connected client takes the new log_id for what it is, and trades on."""
    with connect(exchange, "carol") as carol:
        trade(exchange, 10)
        settle_all(exchange)
        carol.answer(carol.enter("CEA24", "buy", price="96.00", tonnes=5))
        seen = carol.session.report_seq
        exchange.kill("venue")
        exchange.stop("registry")
        shutil.rmtree(exchange.data / "journal")
        shutil.rmtree(exchange.data / "events")
        adopt(exchange)
        exchange.start()
        exchange.operate("clock", at="2025-01-03T09:30:00+08:00")
        exchange.wait_until(
            lambda: exchange.operate("status")["phase"] == "listed", "the day", WAIT_S
        )
        carol.reconnect()
        carol.logon(timeout_s=WAIT_S)
        assert carol.session.report_seq > seen > 0
        order = carol.answer(carol.enter("CEA24", "buy", price="97.00", tonnes=5))
        assert (order.kind, order.trading_date) == (EventKind.ORDER_ACCEPTED, 20250103)
        assert carol.answer(carol.cancel(order.order_id)).reason == Reason.REQUESTED
    # What is of the life before is refused in words, not left unanswered.
    with connect(exchange, "carol", report_seq=0) as carol:
        reports = list(carol.reports(timeout_s=1.0))
        assert next(report.report_seq for report in reports) > NUMBERS_SKIPPED
        carol.session._request({"op": "replay", "from": 1, "count": 5})
        with pytest.raises(SessionError, match="with which this log_id begins") as refused:
            carol.poll(WAIT_S)
        assert refused.value.code is VenueRefusal.REPORTS_NOT_HELD


# -- Who may, and what may not be -----------------------------------------------------------------


@pytest.fixture
def lost(exchange):
    """A venue whose journal is gone, both daemons down."""
    trade(exchange, 10)
    settle_all(exchange)
    exchange.kill("venue")
    exchange.stop("registry")
    return exchange


def tree(data):
    return {
        str(path.relative_to(data)): path.read_bytes()
        for name in ("journal", "events", "kept", "adopting")
        for path in (data / name).rglob("*")
        if path.is_file()
    }


@pytest.mark.nightly
def test_adopting_takes_two_operators_and_a_whole_statement(lost):
    """CEA-OPR-02: whatever is refused has changed nothing on either side."""
    statement = lost.data / "statement"
    log_id = RegistryStore.open_reader(lost.data).log_id
    for second, complaint in (
        ("an", "another person's key"),
        ("reg", "the regulator's reg"),
        ("alice", "a stranger's"),
    ):
        tried = adopt_command(lost, "registry", "--out", statement, second=second)
        assert (tried.returncode, tried.stderr.count("\n")) == (2, 1)
        assert complaint in tried.stderr
    assert not statement.exists()
    with RegistryStore.open_reader(lost.data) as store:
        assert store.log_id == log_id
    assert adopt_command(lost, "registry", "--out", statement).returncode == 0
    again = adopt_command(lost, "registry", "--out", statement)
    assert (again.returncode, "a new file" in again.stderr) == (2, True)

    before = tree(lost.data)
    assert adopt_command(lost, "venue", statement, second="an").returncode == 2
    damaged = lost.data / "damaged"
    content = bytearray(statement.read_bytes())
    content[-9] ^= 1
    damaged.write_bytes(content)
    tried = adopt_command(lost, "venue", damaged)
    assert (tried.returncode, "a whole statement" in tried.stderr) == (2, True)
    assert tree(lost.data) == before
    assert adopt_command(lost, "venue", statement).returncode == 0
    twice = adopt_command(lost, "venue", statement)
    assert (twice.returncode, "adopted already" in twice.stderr) == (2, True)


@pytest.mark.nightly
def test_a_running_daemon_adopts_nothing(exchange):
    trade(exchange, 10)
    settle_all(exchange)
    statement = exchange.data / "statement"
    tried = adopt_command(exchange, "registry", "--out", statement)
    assert (tried.returncode, "has this registry open" in tried.stderr) == (2, True)
    exchange.stop("registry")
    assert adopt_command(exchange, "registry", "--out", statement).returncode == 0
    tried = adopt_command(exchange, "venue", statement)
    assert (tried.returncode, "in use by process" in tried.stderr) == (2, True)


@pytest.mark.nightly
def test_the_registry_follows_only_the_stream_it_stated(lost):
    """Neither the journal of before, nor a statement that another has replaced."""
    first, second = lost.data / "first", lost.data / "second"
    for path in (first, second):
        assert adopt_command(lost, "registry", "--out", path).returncode == 0
    expected = "stopped: log_id: expected"
    for adopting in (False, True):
        if adopting:
            assert adopt_command(lost, "venue", first).returncode == 0
        # The old journal, whole as it is here, gets no further than cancels either.
        lost.start()
        lost.wait_until(
            lambda: expected in lost.operate("status")["cancels_only"], "the refusal", WAIT_S
        )
        lost.stop("venue")
        lost.stop("registry")
    assert adopt_command(lost, "venue", second).returncode == 0
    lost.start()
    settle_all(lost)
    trading_goes_on(lost)


@pytest.mark.nightly
def test_an_adoption_that_was_killed_is_run_again(lost):
    """At either point the venue refuses to start, and the next run ends as one that was not."""
    statement = lost.data / "statement"
    assert adopt_command(lost, "registry", "--out", statement).returncode == 0
    code = (
        "import os, sys; import cea_exchange.venue.maintenance.adoption as a;"
        "from cea_exchange.cli import main;"
        "real = a.adopt; point = sys.argv.pop(1);"
        "a.adopt = lambda *x, **k: real(*x, **k, at_point=lambda n: n == point and os._exit(9));"
        "main.main()"
    )
    rows = (lost.data / "events" / "events.rows").stat().st_size - HEADER_BYTES
    given = rows // EVENT_ROW_BYTES
    keys = lost.keys_directory
    rest = ["venue", "adopt", statement, "--config", lost.data / "venue.toml", "--data", lost.data]
    rest += ["--why", "x", "--first", keys / "an.secret", "--second", keys / "bo.secret", "--json"]
    for point in ("drafted", "kept"):
        killed = subprocess.run(
            [sys.executable, "-c", code, point, *map(str, rest)], capture_output=True, timeout=60
        )
        assert killed.returncode == 9, killed.stderr
        assert "an adoption was begun and not finished" in start_fails(lost)
    done = run(*rest)
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    frames = list(SegmentReader(lost.data / "journal", storage=OsStorage()).frames())
    messages = [control_decode(frame.payload) for frame in frames]
    assert [type(message) for message in messages] == [Adopt, *3 * [KeyGranted], Checkpoint]
    assert {frame.kind for frame in frames} == {FrameKind.CONTROL}
    with RegistryStore.open_reader(lost.data) as store:
        assert store.log_id == shown["log_id"]
        row = store.one("SELECT first_operator, second_operator, why FROM adoptions")
        assert row == ("an", "bo", "disk lost")
    # What the life before had given out was found where the first run had put it.
    assert messages[0].state.event_seq == NUMBERS_SKIPPED + given
    lost.start()
    settle_all(lost)
    trading_goes_on(lost)


def test_registry_without_a_stream_has_nothing_to_adopt(tmp_path):
    with LocalExchange(tmp_path) as exchange, contextlib.ExitStack():
        exchange.prepare([BUYER], {"CEA24": 9749}, start="2025-01-02T08:30:00+08:00", fronts=0)
        for name in ("an", "bo"):
            CurveKeys.new().save(exchange.keys_directory, name)
        tables = [
            f'[[operators]]\nname = "{name}"\nkey = "keys/{name}.public"\n' for name in ("an", "bo")
        ]
        path = exchange.data / "registry.toml"
        path.write_text(path.read_text() + "".join(tables))
        tried = adopt_command(exchange, "registry", "--out", exchange.data / "statement")
        assert (tried.returncode, "got none yet" in tried.stderr) == (2, True)
