"""`cea-exchange venue` as a process: starts, refuses to, ends, and comes back after a kill."""

import json
import signal
import socket
import subprocess
import sys
import time

import msgspec
import numpy as np
import pytest
from venue_world import enter, world_open

from cea_exchange.domain.records import EVENT_DTYPE
from cea_exchange.journal import SegmentReader
from cea_exchange.journal.storage import OsStorage

CLOCK = '[clock]\nkind = "manual"\nstart = "2024-12-31T08:00:00+08:00"\n'


def command(*arguments):
    return [sys.executable, "-m", "cea_exchange.cli.main", "venue", *arguments]


class Process:
    """A venue process on the world's folder; `endpoints` as the world's own daemon has them."""

    def __init__(self, world):
        self.data = world.data
        (self.data / "venue.toml").write_text(CLOCK)
        path = self.data / "venue" / "endpoints.json"
        path.unlink(missing_ok=True)
        arguments = ("--config", str(self.data / "venue.toml"), "--data", str(self.data))
        with (self.data / "venue.log").open("a") as log:
            self.process = subprocess.Popen(command("serve", *arguments), stderr=log)
        end = time.monotonic() + 20
        while not path.exists():
            assert self.process.poll() is None and time.monotonic() < end, self.log()
            time.sleep(0.02)
        self.endpoints = json.loads(path.read_text())

    def log(self):
        return (self.data / "venue.log").read_text()

    def end(self, number):
        self.process.send_signal(number)
        return self.process.wait(20)


@pytest.fixture
def world(tmp_path):
    with world_open(tmp_path) as world:
        world.processes = []
        yield world
        for process in world.processes:
            process.end(signal.SIGKILL)


def start(world):
    world.venue = Process(world)
    world.processes.append(world.venue)
    world.ready()


def run(*arguments):
    return subprocess.run(command(*arguments), capture_output=True, text=True, timeout=60)


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
    assert run("open-day", "2024-12-31", *data).returncode == 0
    assert json.loads(run("phase", "listed", *data, "--json").stdout)["phase"] == "listed"
    bad = run("clock", "tomorrow", *data)
    assert (bad.returncode, bad.stderr.count("\n")) == (2, 1)
    assert run("stop", *data).returncode == 0
    assert 0 == world.venue.process.wait(20)
    assert run("status", *data).returncode == 2


@pytest.mark.parametrize(
    "config, complaint",
    [
        ('gatway = "tcp://127.0.0.1:0"\n', "unknown field `gatway`"),
        ("throttle_per_second = -1\n", ">= 0 - at `$.throttle_per_second`"),
        ('throttle_per_second = "1"\n', "got `str` - at `$.throttle_per_second`"),
        ("throttle_per_second = 1.0\n", "got `float` - at `$.throttle_per_second`"),
        ('[clock]\nkind = "sundial"\n', "'sundial' - at `$.clock.kind`"),
        ('[clock]\nkind = "accelerated"\n', "needs `start`"),
        ('gateway = "localhost"\n', "at `$.gateway`"),
        ('registry_feed = "tcp://nope"\n', "at `$.registry_feed`"),
        (f'registry_public_key = "{40 * "#"}"\n', "40 z85 characters"),
        ('[clock]\nkind = "manual"\nstart = "2200-01-01T00:00:00+08:00"\n', "1970 and 2116"),
        ('profile = "nyse"\n', "nyse"),
        ("gateway =\n", "line 1"),
    ],
)
def test_a_bad_setting_is_one_clear_error(world, config, complaint):
    tried = serve(world, config)
    assert tried.returncode == 2
    error = tried.stderr.splitlines()[-1]
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
    assert world.venue.process.wait(20) == 0
    assert time.monotonic() - began_s < 20
    assert journal_is_sealed(world)
    told = events(world.venue)
    assert [line["event"] for line in told[-2:]] == ["stopping", "stopped"]
    start(world)
    logon = world.peer("alice").ask(op="logon")
    assert logon["last_client_order_id"] >= acknowledged > 0
    assert world.admin(op="status")["state_hash"] == told[-1]["state_hash"]


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
    world.admin(op="suspend", account="bob")
    assert 0 == world.venue.end(signal.SIGTERM)
    told = {line["event"]: line for line in events(world.venue)}
    assert told["logon"]["account"] == "alice" and told["logon"]["role"] == "trader"
    assert told["key_refused"]["key"] == world.keys["stranger"].public
    assert told["halted"]["product"] == "CEA24"
    assert told["account_suspended"]["account"] == "bob"
    assert told["phase_changed"]["phase"] == "listed"
    assert {"ready", "day_opened", "stopping", "stopped"} <= told.keys()


def test_a_crash_is_one_event_and_status_1(world):
    """The registry's feed ends before the journal's: the venue must not run on."""
    start(world)
    world.registry.last_seq = 0
    assert world.venue.process.wait(20) == 1
    crash = events(world.venue)[-1]
    assert (crash["event"], crash["level"], crash["kind"]) == ("crash", "critical", "VenueError")
    assert "feed ends at item 0" in crash["error"] and "Traceback" in crash["exception"]


def test_an_address_for_metrics_that_is_taken_is_one_clear_error(world):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        tried = serve(world, f'metrics = "{address}"\n' + CLOCK)
    assert tried.returncode == 2
    assert f"metrics: can not bind {address}" in tried.stderr.splitlines()[-1]
