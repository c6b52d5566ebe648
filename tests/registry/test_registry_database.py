"""The registry daemon on PostgreSQL: whatever happens to the server it goes on and settles once."""

import json
import subprocess
import sys
import time
import urllib.request
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.protocol.security import CurveKeys
from cea_exchange.registry.reconciliation.reconcile import check_ledger
from support.patience import patience
from support.registry.fake_venue import FakeVenue, wait_until
from support.registry.registry_process import Daemon
from support.registry.settlement_records import LOG_ID, registry_prepare, venue_with_deposits
from support.venue.venue_process import command

pytestmark = pytest.mark.e2e

TRADES = 300


@pytest.fixture(scope="module")
def postgres_server(postgres_process):
    """Not the shared one: it is killed here."""
    return postgres_process.address


@pytest.fixture
def data(tmp_path, postgres_address):
    for name in ("venue", "registry", "admin"):
        CurveKeys.new().save(tmp_path / "keys", name)
    settings = f'database = "{postgres_address}"\nsecond_person = []\nfronts = 0\n'
    settings += 'metrics = "127.0.0.1:0"\n'
    (tmp_path / "registry.toml").write_text(settings)
    registry_prepare(tmp_path, postgres_address)
    return tmp_path


@pytest.fixture
def venue(data):
    made = venue_with_deposits()
    for number in range(TRADES):
        made.trade(1 + number % 3, buy_fee=number % 2)
    made.checkpoint()
    venue = FakeVenue(data, LOG_ID, made.records)
    yield venue
    venue.close()


@pytest.fixture
def daemon(data):
    daemon = Daemon(data)
    daemon.start()
    yield daemon
    if daemon.process.poll() is None:
        daemon.kill()


def settled_to(address, seq):
    def is_there():
        try:
            with psycopg.connect(address, connect_timeout=2) as connection:
                return connection.execute("SELECT last_seq FROM meta").fetchone() == (seq,)
        except psycopg.OperationalError:
            return False

    wait_until(is_there, 30)


def metrics(data):
    endpoints = json.loads((data / "registry" / "endpoints.json").read_text())
    with urllib.request.urlopen(f"http://{endpoints['metrics']}/metrics", timeout=60) as answer:
        return answer.read().decode()


def test_its_server_killed_and_started_it_goes_on_where_it_was(
    data, venue, daemon, postgres_process, postgres_address
):
    venue.publish(1, 100)
    settled_to(postgres_address, 100)
    admin = daemon.caller("admin")
    request = {"op": "pay_in", "account": "alice", "cash": 5, "request_id": "r1"}
    assert admin.ask(request) == {"ok": True}
    venue.publish(101, 50)
    postgres_process.crash()
    second = {"op": "pay_in", "account": "alice", "cash": 7, "request_id": "r2"}
    try:
        hasty = daemon.caller("admin")
        answer = hasty.ask(second, 500)
        # Said at once, or the daemon waits already.
        assert answer is None or answer["code"] == RegistryRefusal.OUTCOME_UNKNOWN.name
        hasty.close()
        venue.publish(151, 50)
        log = data / "registry.log"
        wait_until(lambda: "database_waited_for" in log.read_text(), 20)
        assert "cea_registry_database_ok 0.0" in metrics(data)
    finally:
        postgres_process.start()
    settled_to(postgres_address, 200)
    wait_until(lambda: "cea_registry_database_ok 1.0" in metrics(data))
    # What was acknowledged is there, and a repeat does nothing.
    assert admin.ask(request, 10_000) == {"ok": True}
    assert admin.ask(second, 10_000) == {"ok": True}
    with psycopg.connect(postgres_address, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'cea-exchange registry'"
        )
        time.sleep(0.1)
    venue.publish(201, len(venue.records))
    settled_to(postgres_address, len(venue.records))
    admin.close()
    assert log.read_text().count("database_back") >= 2
    daemon.stop()
    found = check_ledger(data)
    assert [] == found.differences
    assert (TRADES, len(venue.records)) == (found.trades, found.last_seq)
    with psycopg.connect(postgres_address) as connection:
        rows = connection.execute("SELECT amount FROM entries WHERE kind = 2 AND amount < 9")
        assert [(5,), (7,)] == rows.fetchall()


NO_DRIVER = """
import sys
sys.modules["psycopg"] = None  # as where the extra `postgres` was not installed
from cea_exchange.cli.main import main
main()
"""


def said_without_driver(*arguments):
    command = [sys.executable, "-c", NO_DRIVER, "registry", *map(str, arguments)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60 * patience(), check=False
    )
    return done.returncode, done.stderr.splitlines()


def test_without_its_driver_a_line_says_what_to_install(tmp_path):
    for name in ("venue", "registry", "admin"):
        CurveKeys.new().save(tmp_path / "keys", name)
    config = tmp_path / "registry.toml"
    config.write_text('database = "postgresql://nobody@127.0.0.1:1/registry"\n')
    served = ("serve", "--config", config, "--data", tmp_path)
    asked = ("reconcile", "--database", "postgresql://127.0.0.1:1/x", "--data", tmp_path)
    for arguments in (served, asked):
        status, lines = said_without_driver(*arguments)
        assert status == 2 and len(lines) == 1, lines
        assert "pip install 'cea-exchange[postgres]'" in lines[0]


@pytest.mark.parametrize("change", [{"path": "/elsewhere"}, {"netloc": "nobody@{host}"}])
def test_a_database_that_the_server_does_not_have_is_not_waited_for(
    tmp_path, postgres_address, change
):
    parts = urlsplit(postgres_address)
    host = parts.netloc.rpartition("@")[2]
    change = {name: value.format(host=host) for name, value in change.items()}
    for name in ("venue", "registry", "admin"):
        CurveKeys.new().save(tmp_path / "keys", name)
    config = tmp_path / "registry.toml"
    config.write_text(f'database = "{urlunsplit(parts._replace(**change))}"\n')
    began_s = time.monotonic()
    served = command("registry", "serve", "--config", str(config), "--data", str(tmp_path))
    assert served.returncode == 2 and "does not exist" in served.stderr.splitlines()[-1]
    assert time.monotonic() - began_s < 20 and "database_waited_for" not in served.stderr
