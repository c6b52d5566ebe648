"""Venue and registry are killed (SIGKILL) at random moments with commands in flight, and go on.

Held against the clients' own logs: whatever was acknowledged is there, nothing happened twice,
every trade is settled once, and both sides' hashes agree.
"""

import contextlib
import random
import subprocess
import sys
import time
from collections import Counter

import pytest

from cea_exchange.client import Client
from cea_exchange.domain.records import EventKind
from cea_exchange.loadtest.load_run import await_transfers
from cea_exchange.loadtest.local_exchange import LocalExchange
from cea_exchange.loadtest.population import WORKLOADS, PricePath, Trader, population
from cea_exchange.registry.reconciliation.reconcile import check_ledger
from cea_exchange.registry.store import RegistryStore

# In small: tests/torture/test_torture.py, which kills participants too.
pytestmark = [pytest.mark.crash, pytest.mark.nightly]

KILLS_EACH = 20
PARTICIPANTS = 8
SEED = 20250102
TRADING_DATE = 20250102
REFERENCES = {"CEA23": 9749, "CEA24": 9749}
BURST_COMMANDS = 6


def test_nothing_acknowledged_is_lost_and_nothing_happens_twice(tmp_path):
    targets = ["venue", "registry"] * KILLS_EACH
    random.Random(SEED).shuffle(targets)
    with running_market(tmp_path) as (exchange, participants):
        in_flight = trade_and_kill(exchange, participants, targets)
        # Most moments must be bad ones, or the test shows little.
        assert in_flight["venue"] >= KILLS_EACH * 3 // 4, f"seed {SEED}: {in_flight}"
        close_the_day(exchange, participants)
        check_logs(participants)
        check_registry(exchange, participants)


# -- The market and its participants ---------------------------------------------------------------


@contextlib.contextmanager
def running_market(data):
    members = population(PARTICIPANTS, REFERENCES, seed=SEED, orders_each=5_000)
    with LocalExchange(data) as exchange:
        exchange.prepare(members, REFERENCES, start="2025-01-02T08:30:00+08:00", fronts=0)
        exchange.start()
        await_transfers(exchange)
        exchange.operate("clock", at="2025-01-02T09:30:00+08:00")
        yield exchange, [LoggedParticipant(exchange, member) for member in members]


class LoggedParticipant:
    """A participant that writes down what it sent and every report it got."""

    def __init__(self, exchange, member):
        self.name = member.name
        self.sent = {}
        self.log = []
        self._exchange = exchange
        self.client = self._connect(report_seq=0, heartbeat_interval_s=0.2, silence_s_max=2.0)
        paths = {
            index: PricePath(name, price, seed=SEED)
            for index, (name, price) in enumerate(REFERENCES.items())
        }
        sides = {self.client.session.product_index(n): side for n, side in member.sides.items()}
        self.trader = Trader(member.name, sides, paths, WORKLOADS["trading_day"], SEED)

    def _connect(self, **options):
        return Client.connect(
            self._exchange.endpoint("venue", "gateway"),
            self._exchange.keys(self.name),
            self._exchange.keys("venue").public,
            timeout_s=30.0,
            **options,
        )

    def send(self):
        session = self.client.session
        name = self.trader.intention()
        if name in ("pick", "block_offer", "block_enquiry"):
            # These want an answer of the venue's, or of another participant's, in between.
            name = "passive"
        client_order_id = session.next_client_order_id
        record = self.trader.command(name, client_order_id, TRADING_DATE, client_order_id * 8)
        self.sent[client_order_id] = record
        session.submit_packed([(client_order_id, record)])

    def poll(self, timeout_s=0.0):
        for report in self.client.poll(timeout_s):
            self.trader.take(report, self.client.session.account_index)
            self.log.append(report)

    def come_back(self):
        self.client.reconnect()
        self.client.logon(timeout_s=30.0)
        self.poll()

    def settle(self, timeout_s):
        deadline = time.monotonic() + timeout_s
        while self.client.unacknowledged:
            assert time.monotonic() < deadline, (self.name, self.client.unacknowledged[:5])
            self.poll(0.05)
        self.poll(0.1)

    def replayed(self):
        """Ask the venue for all own reports from the first on, with a fresh client."""
        with self._connect(report_seq=0) as client:
            return list(client.reports(timeout_s=0.3))


# -- What happens ----------------------------------------------------------------------------------


def trade_and_kill(exchange, participants, targets):
    """Kill one daemon after the other; return how often its death left commands unanswered."""
    draw = random.Random(SEED)
    in_flight = Counter()
    for target in targets:
        trade_for(participants, draw.uniform(0.02, 0.25), draw)
        for participant in participants:
            for _ in range(BURST_COMMANDS):
                participant.send()
            participant.client.flush()
        time.sleep(draw.uniform(0.0, 0.008))
        exchange.kill(target)
        for participant in participants:
            participant.poll()
        in_flight[target] += any(each.client.unacknowledged for each in participants)
        restart(exchange, target, participants)
    return in_flight


def trade_for(participants, seconds, draw):
    """Send and read for a while, a few hundred commands a second."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        draw.choice(participants).send()
        for participant in participants:
            participant.poll()
        time.sleep(0.001)


def restart(exchange, target, participants):
    """Start the killed daemon again on the same folder; a lost venue is come back to."""
    if target == "registry":
        exchange.start_registry()
        return
    for participant in participants:
        participant.send()
    exchange.start_venue()
    for participant in participants:
        participant.come_back()


def close_the_day(exchange, participants, timeout_s=120.0):
    """Wait for every answer, close the day, and wait until the registry has confirmed it."""
    for participant in participants:
        participant.settle(timeout_s)
    exchange.operate("clock", at="2025-01-02T15:00:00+08:00")
    exchange.wait_until(
        lambda: exchange.operate("status")["confirmed_date"] == TRADING_DATE,
        "the registry to confirm the day",
        timeout_s,
    )
    for participant in participants:
        participant.poll(0.2)


# -- What must hold --------------------------------------------------------------------------------


def check_logs(participants):
    """Every logged report is still the venue's, without a gap, and answers are unique."""
    for participant in participants:
        account_index = participant.client.session.account_index
        numbered = [each for each in participant.log if each.position(account_index)]
        positions = [each.position(account_index) for each in numbered]
        assert positions == list(range(1, len(positions) + 1)), participant.name
        assert participant.replayed()[: len(numbered)] == numbered, participant.name
        accepted = Counter(
            each.answers()
            for each in numbered
            if each.answers() and each.kind != EventKind.ORDER_REJECTED
        )
        assert max(accepted.values()) == 1, participant.name
        answered = {each.answers() for each in participant.log} - {0}
        assert answered == set(participant.sent), participant.name


def check_registry(exchange, participants):
    """The trades that clients were told of are the settled ones, each once; hashes agree."""
    shown = {}
    for participant in participants:
        for report in participant.log:
            if report.kind == EventKind.TRADE:
                terms = (report.product_index, report.price, report.tonnes)
                assert shown.setdefault(report.trade_id, terms) == terms
    assert len(shown) > 500
    for daemon in ("venue", "registry"):
        assert exchange.stop(daemon) == 0
    with RegistryStore.open_reader(exchange.data) as store:
        settled = store.execute(
            "SELECT trade_id, product_index, price, tonnes FROM trades"
        ).fetchall()
    assert Counter(trade_id for trade_id, *_ in settled) == Counter(list(shown))
    assert {trade_id: tuple(terms) for trade_id, *terms in settled} == shown
    found = check_ledger(exchange.data)
    assert found.agrees, found.differences
    assert found.venue_hash == found.registry_hash and found.checkpoint_seq == found.last_seq
    verify = [sys.executable, "-m", "cea_exchange.cli.main", "verify", str(exchange.data)]
    result = subprocess.run(verify, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
