"""`cea-exchange venue` as a process: starts, refuses to, ends, and comes back after a kill."""

import functools
import json
import re
import signal
import socket
import subprocess
import sys
import time

import msgspec
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from cea_exchange.cli.main import app_build
from cea_exchange.cli.main import run as cea_exchange
from cea_exchange.domain.records import EVENT_DTYPE, Phase
from cea_exchange.journal import FrameKind, SegmentReader
from cea_exchange.journal.storage import OsStorage
from cea_exchange.protocol.control import DayClose, DayOpen, PhaseSet, control_decode
from cea_exchange.venue.operations.admin_client import AdminError
from support.patience import patience
from support.venue.venue_process import CLOCK
from support.venue.venue_world import enter, world_open

pytestmark = pytest.mark.e2e



def command(*arguments):
    return [sys.executable, "-m", "cea_exchange.cli.main", "venue", *arguments]


def key_command(world, name):
    options = ("--directory", str(world.data / "keys"))
    return [sys.executable, "-m", "cea_exchange.cli.main", "keys", "new", name, *options]


class Process:
    """A venue process on the world's folder; `endpoints` as the world's own daemon has them."""

    def __init__(self, world, config=CLOCK):
        self.data = world.data
        (self.data / "venue.toml").write_text(config)
        path = self.data / "venue" / "endpoints.json"
        path.unlink(missing_ok=True)
        arguments = ("--config", str(self.data / "venue.toml"), "--data", str(self.data))
        with (self.data / "venue.log").open("a") as log:
            self.process = subprocess.Popen(command("serve", *arguments), stderr=log)
        end = time.monotonic() + 20 * patience()
        while not path.exists():
            assert self.process.poll() is None and time.monotonic() < end, self.log()
            time.sleep(0.02)
        self.endpoints = json.loads(path.read_text())

    def log(self):
        return (self.data / "venue.log").read_text()

    def end(self, number):
        self.process.send_signal(number)
        return self.process.wait(20 * patience())


@pytest.fixture
def world(tmp_path):
    with world_open(tmp_path) as world:
        world.processes = []
        yield world
        for process in world.processes:
            process.end(signal.SIGKILL)


def start(world, config=CLOCK, admin="admin"):
    world.venue = Process(world, config)
    world.processes.append(world.venue)
    world.admin_key = admin
    world.ready()


def run(*arguments):
    return subprocess.run(
        command(*arguments), capture_output=True, text=True, timeout=60 * patience()
    )


def serve(world, config=CLOCK):
    path = world.data / "tried.toml"
    path.write_text(config)
    return run("serve", "--config", str(path), "--data", str(world.data))


def journal_is_sealed(world):
    reader = SegmentReader(world.data / "journal", storage=OsStorage())
    list(reader.frames())
    return reader.tail.sealed


def test_sigterm_seals_the_journal(world):
    start(world)
    assert not journal_is_sealed(world)
    assert 0 == world.venue.end(signal.SIGTERM)
    assert journal_is_sealed(world)


def test_a_second_process_is_refused(world):
    start(world)
    second = serve(world)
    assert second.returncode == 2
    assert f"in use by process {world.venue.process.pid}" in second.stderr
    assert world.admin(op="status")["op"] == "status"


def test_what_was_acknowledged_is_there_after_a_kill(world):
    start(world)
    world.admin(op="clock", at="2024-12-31T09:30:00+08:00")
    alice = world.logged_on("alice")
    acknowledged = 0
    for number in range(1, 200):
        alice.command(enter(number, "buy", 9700, 1))
        if number >= 100:
            acknowledged = int(alice.reports(2)["client_order_id"][0])
        else:
            alice.reports(2)
    alice.command(enter(200, "buy", 9700, 1))
    world.venue.end(signal.SIGKILL)
    start(world)
    logon = world.peer("alice").ask(op="logon")
    assert logon["last_client_order_id"] >= acknowledged == 199
    assert world.admin(op="status")["orders_live"] == logon["last_client_order_id"]


def test_status_halt_and_errors_on_the_command_line(world):
    start(world)
    data = ("--data", str(world.data))
    status = json.loads(run("status", *data, "--json").stdout)
    assert (status["phase"], status["accounts"]) == ("closed", 2)
    assert "halted" in run("status", *data).stdout
    assert json.loads(run("halt", *data, "--json").stdout)["halted"]
    assert run("day", "open", "2024-12-31", *data).returncode == 0
    assert json.loads(run("day", "phase", "listed", *data, "--json").stdout)["phase"] == "listed"
    bad = run("clock", "move", "tomorrow", *data)
    assert (bad.returncode, bad.stderr.count("\n")) == (2, 1)
    assert run("stop", *data).returncode == 0
    assert 0 == world.venue.process.wait(20 * patience())
    assert run("status", *data).returncode == 2


@pytest.mark.nightly
def test_operators_of_two_names_act_on_the_command_line(world):
    """CEA-OPR-01, CEA-OPR-02."""
    config = CLOCK
    for name, role in (("an", "operator"), ("bo", "operator"), ("reg", "regulator")):
        assert subprocess.run(key_command(world, name), capture_output=True).returncode == 0
        entry = f'[[operators]]\nname = "{name}"\nkey = "keys/{name}.public"\nrole = "{role}"\n'
        config += entry
    start(world, config, admin="an")

    def run_as(key, *arguments):
        return run(*arguments, "--data", str(world.data), "--key", key, "--json")

    assert json.loads(run_as("an", "kill", "alice", "--why", "runaway").stdout)["op"] == "kill"
    without = run_as("an", "kill", "alice")
    assert (without.returncode, without.stderr.count("\n")) == (2, 1)
    assert "--why" in without.stderr
    refused = run_as("reg", "account", "reinstate", "alice")
    assert refused.returncode == 2
    assert "expected an operator's key, got the regulator's reg" in refused.stderr
    path = str(world.data / "keys" / "bo")
    assert json.loads(run_as(path, "account", "position", "alice").stdout)["suspended"]
    assert run_as("stranger", "status").returncode == 2
    price = run_as("an", "product", "reference-price", "CEA24", "97.5", "--why", "x")
    assert (price.returncode, "two decimals" in price.stderr) == (2, True)
    price = run_as("an", "product", "reference-price", "CEA24", "97.50", "--why", "x")
    assert price.returncode == 0
    assert run_as("an", "clock", "move", "2025-01-02T09:45:00+08:00").returncode == 0
    proposed = json.loads(run_as("an", "day", "override", "--why", "registry ill").stdout)
    number = str(proposed["proposal"])
    assert number in run("proposal", "list", "--data", str(world.data), "--key", "reg").stdout
    approve = ("proposal", "approve", number, "--hash", proposed["request_hash"])
    assert "another person than an" in run_as("an", *approve).stderr
    assert run_as("bo", *approve).returncode == 0
    world.until(lambda: json.loads(run_as("an", "status").stdout)["phase"] == "listed")
    log = run("act", "list", "--data", str(world.data)).stdout.splitlines()
    assert log[0].endswith('an  kill account=alice: "runaway"')
    assert log[-1].endswith('an and bo  day_open date=20250102: "registry ill"')
    lines = run("act", "list", "--data", str(world.data), "--json").stdout.splitlines()
    assert [json.loads(line)["by"] for line in lines] == len(lines) * ["an"]
    assert run("act", "list", "--data", str(world.data / "nothing")).returncode == 2


def accelerated(start, speed=60):
    return f'[clock]\nkind = "accelerated"\nstart = "{start}+08:00"\nspeed = {speed}\n'


def days_of(world):
    """Return the days' openings and closes, and the phases, in the journal."""
    reader = SegmentReader(world.data / "journal", storage=OsStorage(), cut_torn_tail=True)
    messages = [
        control_decode(frame.payload)
        for frame in reader.frames()
        if frame.kind == FrameKind.CONTROL
    ]
    return [m for m in messages if isinstance(m, DayOpen | DayClose | PhaseSet)]


def test_a_venue_started_at_noon_joins_the_day_in_its_break(world):
    """CEA-DAY-03, CEA-DAY-04."""
    start(world, accelerated("2024-12-31T12:00:00"))
    world.until(lambda: world.admin(op="status")["phase"] == "break")
    status = world.admin(op="status")
    assert (status["trading_date"], status["calendar_warning"]) == (20241231, None)
    # After such a day none would open for twenty-seven years.
    with pytest.raises(AdminError, match="date: expected a day up to today, 2024-12-31, got 2052"):
        world.admin(op="open_day", date="2052-01-02")
    world.venue.end(signal.SIGTERM)
    opened, paused = days_of(world)
    assert (opened.date, opened.by) == (20241231, "")
    assert paused.phase == Phase.BREAK


def test_a_venue_down_for_days_closes_the_missed_day_and_opens_today(world):
    """CEA-DAY-04: the missed close comes under its own date, days missed whole are skipped."""
    start(world, accelerated("2024-12-31T13:30:00"))
    world.until(lambda: world.admin(op="status")["phase"] == "listed_and_block")
    alice = world.logged_on("alice")
    alice.command(enter(1, "buy", 9700))
    alice.reports(2)
    world.venue.end(signal.SIGKILL)
    # 1 January is a holiday; 2 January is missed whole; the 3rd is a trading day.
    start(world, accelerated("2025-01-03T10:00:00"))
    world.until(lambda: not world.admin(op="status")["day_is_open"])
    status = world.admin(op="status")
    assert (status["trading_date"], status["orders_live"]) == (20241231, 0)
    world.registry.settled_seq = status["settlement_seq"]
    world.registry.confirmed_date = 20241231
    world.until(lambda: world.admin(op="status")["phase"] == "listed")
    assert world.admin(op="status")["trading_date"] == 20250103
    world.venue.end(signal.SIGTERM)
    acts = days_of(world)
    assert [type(act) for act in acts] == [DayOpen, PhaseSet, DayClose, DayOpen, PhaseSet]
    assert [act.date for act in acts if isinstance(act, DayOpen)] == [20241231, 20250103]


def test_beyond_the_calendar_no_day_opens_and_before_its_end_it_warns(world):
    """CEA-DAY-01, CEA-DAY-08."""
    start(world, accelerated("2026-12-31T09:00:00"))
    world.until(lambda: world.admin(op="status")["trading_date"] == 20261231)
    assert "calendar cn_carbon ends on 2026-12-31, in 0 days" in world.venue.log()
    world.venue.end(signal.SIGTERM)
    world.registry.confirmed_date = 20261231
    start(world, accelerated("2027-01-04T10:00:00", speed=600))
    world.until(lambda: not world.admin(op="status")["day_is_open"])
    world.until(lambda: world.admin(op="status")["time"] >= "2027-01-04T10:20")
    status = world.admin(op="status")
    assert (status["trading_date"], status["confirmed_date"]) == (20261231, 20261231)
    assert not status["day_is_open"]
    assert "calendar cn_carbon ended on 2026-12-31, 4 days ago" == status["calendar_warning"]


def test_every_act_explains_itself_with_an_example():
    names = _listed(run("--help").stdout)
    groups = {name for name in names if "COMMAND" in _help(name)}
    below = {f"{group} {name}" for group in groups for name in _listed(_help(group))}
    assert {"kill", "status"} <= names - groups
    assert {"trade bust", "proposal approve", "act list", "bidding open", "key readmit"} <= below
    for name in names - groups - {"serve"} | below:
        shown = " ".join(_help(name).split())
        assert f"Example: cea-exchange venue {name}" in shown, name


def _listed(text: str) -> set[str]:
    return set(re.findall(r"^  ([a-z][a-z-]+)  ", text, re.MULTILINE))


@functools.cache
def _help(name: str) -> str:
    return CliRunner().invoke(venue_app(), ["venue", *name.split(), "--help"]).output


@functools.cache
def venue_app() -> typer.Typer:
    return app_build(["venue"])


@pytest.mark.parametrize(
    "config, complaint",
    [
        ('[[operators]]\nname = "an"\n', "operators[0]: object missing required field `key`"),
        ('[[operators]]\nname = "an"\nkey = "no/where"\n', "no/where: expected a key file"),
        (
            '[[operators]]\nname = "an"\nkey = "keys/admin.public"\nrole = "boss"\n',
            'operators[0].role: expected one of "operator", "regulator"',
        ),
        ('gatway = "tcp://127.0.0.1:0"\n', "gatway: no such setting; did you mean gateway?"),
        ("throttle_per_second = -1\n", "throttle_per_second: expected `int` >= 0"),
        ('throttle_per_second = "1"\n', "throttle_per_second: expected `int`, got `str`"),
        ("throttle_per_second = 1.0\n", "throttle_per_second: expected `int`, got `float`"),
        ('[clock]\nkind = "sundial"\n', "clock.kind: expected one of"),
        ('[clock]\nkind = "accelerated"\n', "`start`: expected a time"),
        ('gateway = "localhost"\n', 'gateway: expected one such as "tcp://'),
        ('registry_feed = "tcp://nope"\n', 'registry_feed: expected one such as "tcp://'),
        (f'registry_public_key = "{40 * "#"}"\n', "40 z85 characters"),
        ('[clock]\nkind = "manual"\nstart = "2200-01-01T00:00:00+08:00"\n', "1970 and 2116"),
        ('profile = "nyse"\n', "nyse"),
        ("gateway =\n", "line 1"),
    ],
)
def test_a_bad_setting_is_one_clear_error(world, capsys, config, complaint):
    path = world.data / "tried.toml"
    path.write_text(config)
    status = cea_exchange(["venue", "serve", "--config", str(path), "--data", str(world.data)])
    assert status == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("cea-exchange: ") and complaint in error


def test_a_damaged_journal_starts_nothing(world):
    start(world)
    world.venue.end(signal.SIGTERM)
    (segment,) = (world.data / "journal").iterdir()
    data = bytearray(segment.read_bytes())
    data[300] ^= 1
    segment.write_bytes(data)
    tried = serve(world)
    assert tried.returncode == 1
    assert "nothing starts: sequence" in tried.stderr


def test_a_folder_that_can_not_be_used_is_one_clear_error(world):
    (world.data / "events").write_text("")
    tried = serve(world)
    assert tried.returncode == 1
    (error,) = tried.stderr.splitlines()
    assert error == f"cea-exchange: nothing starts: {world.data}/events: Not a directory"


def events(process):
    """The log: every line is one event."""
    lines = [json.loads(line) for line in process.log().splitlines()]
    assert all({"timestamp", "level", "event"} <= line.keys() for line in lines)
    return lines


def test_sigterm_under_load_ends_in_seconds_and_what_was_told_is_there(world):
    start(world)
    world.admin(op="clock", at="2024-12-31T09:30:00+08:00")
    alice = world.logged_on("alice")
    for number in range(1, 20_001, 100):
        alice.command(*[enter(each, "buy", 9700, 1) for each in range(number, number + 100)])
    assert alice.receive()[0] == b"R"
    began_s = time.monotonic()
    # Twice: the second must not disturb the end.
    world.venue.process.send_signal(signal.SIGTERM)
    world.venue.process.send_signal(signal.SIGTERM)
    acknowledged, stopping = 0, False
    while (frames := alice.receive(5_000)) is not None and not stopping:
        if frames[0] == b"R":
            rows = np.frombuffer(frames[1], EVENT_DTYPE)
            acknowledged = max(acknowledged, int(rows["client_order_id"].max()))
        else:
            stopping = msgspec.msgpack.decode(frames[1])["op"] == "stopping"
    assert stopping
    assert world.venue.process.wait(20 * patience()) == 0
    assert time.monotonic() - began_s < 20 * patience()
    assert journal_is_sealed(world)
    reported = events(world.venue)
    assert [line["event"] for line in reported[-2:]] == ["stopping", "stopped"]
    start(world)
    logon = world.peer("alice").ask(op="logon")
    assert logon["last_client_order_id"] >= acknowledged > 0
    assert world.admin(op="status")["state_hash"] == reported[-1]["state_hash"]


def test_sighup_changes_nothing(world):
    start(world)
    world.venue.process.send_signal(signal.SIGHUP)
    assert world.admin(op="status")["op"] == "status"
    assert world.venue.process.poll() is None


def test_the_log_tells_what_an_operator_wants_to_know(world):
    start(world)
    world.admin(op="clock", at="2024-12-31T09:30:00+08:00")
    world.logged_on("alice")
    stranger = world.peer("stranger")
    world.until(lambda: "key_refused" in world.venue.log())
    stranger.socket.close()
    world.admin(op="halt", product="CEA24")
    world.admin(op="suspend", account="bob", why="court order")
    assert 0 == world.venue.end(signal.SIGTERM)
    reported = {line["event"]: line for line in events(world.venue)}
    assert reported["logon"]["account"] == "alice" and reported["logon"]["role"] == "trader"
    assert reported["key_refused"]["key"] == world.keys["stranger"].public
    assert reported["halted"]["product"] == "CEA24"
    assert reported["account_suspended"]["account"] == "bob"
    assert reported["phase_changed"]["phase"] == "listed"
    assert {"ready", "day_opened", "stopping", "stopped"} <= reported.keys()


def test_a_crash_is_one_event_and_status_1(world):
    """The registry has settled what the journal has not: the venue must not run on."""
    start(world)
    world.registry.settled_seq = 10_000
    assert world.venue.process.wait(20 * patience()) == 1
    crash = events(world.venue)[-1]
    assert (crash["event"], crash["level"], crash["kind"]) == ("crash", "critical", "VenueError")
    assert "has settled sequence 10000" in crash["error"] and "Traceback" in crash["exception"]


def test_an_address_for_metrics_that_is_taken_is_one_clear_error(world):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        tried = serve(world, f'metrics = "{address}"\n' + CLOCK)
    assert tried.returncode == 2
    assert f"metrics: can not bind {address}" in tried.stderr.splitlines()[-1]
