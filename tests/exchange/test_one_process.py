"""A trading day of venue, registry and bank in one process: from one seed, without a socket.

More days with ``CEA_TEST_ROUNDS``; a day that fails is its seed's.
"""

import socket
import threading
import time

import numpy as np
import pytest
import zmq

from cea_exchange.domain.records import EventKind
from cea_exchange.protocol.bank.instructions import Purpose
from cea_exchange.protocol.bank.iso_20022 import pain_001
from cea_exchange.registry.settlement.settlement import Settlement
from cea_exchange.simulators.bank.books import BankBooks
from cea_exchange.simulators.bank.faults import FaultRates
from cea_exchange.simulators.bank.machine import BankMachine
from support.exchange.one_process import OneProcess
from support.exchange.simulated_bank import SimulatedBank
from support.rounds import ROUNDS

pytestmark = pytest.mark.property


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """No socket, no thread, and no clock but the simulated one."""

    def refused(*arguments, **named):
        raise AssertionError("a machine reached for what only a daemon has")

    monkeypatch.setattr(socket, "socket", refused)
    monkeypatch.setattr(zmq, "Context", refused)
    monkeypatch.setattr(threading.Thread, "start", refused)
    for clock in ("monotonic", "monotonic_ns", "time", "time_ns", "sleep", "thread_time"):
        monkeypatch.setattr(time, clock, refused)


def day(folder, seed, **options):
    """Run a day that must end as it should; return it and what it leaves behind."""
    world = OneProcess(folder, seed, **options)
    world.run()
    world.check()
    return world, world.outcome()


@pytest.mark.random
@pytest.mark.parametrize("seed", range(1, 1 + ROUNDS))
def test_a_day_is_traded_settled_confirmed_paid_and_the_same_again(tmp_path, seed):
    """CEA-STL-01, CEA-BNK-13: whatever is lost, late or doubled on the way, all agree."""
    world, outcome = day(tmp_path / "first", seed)
    _, again = day(tmp_path / "second", seed)
    assert outcome.venue_files.keys() == again.venue_files.keys()
    assert outcome == again
    # What was meant to happen has.
    kinds = {report.kind for reports in outcome.reports.values() for report in reports.values()}
    assert kinds >= {
        *(EventKind.TRADE, EventKind.ORDER_CANCELED, EventKind.ORDER_AMENDED),
        *(EventKind.BLOCK_OFFERED, EventKind.BID_ACCEPTED, EventKind.TRADE_BUSTED),
    }
    ways = world.ways
    assert ways.settlement.lost_count and ways.feed_answers.lost_count
    assert ways.feed_asked.doubled_count and world.venue.feed.opened_count > 1
    assert world.registry.drops and world.bank.unanswered and world.bank.restarts
    assert sum(each.resent for each in world.participants)


@pytest.mark.nightly
def test_another_seed_is_another_day(tmp_path):
    _, first = day(tmp_path / "first", 1_001)
    _, second = day(tmp_path / "second", 1_002)
    assert first.published != second.published
    assert first.ledger != second.ledger and first.bank != second.bank


# -- Planted faults: each has to be found ----------------------------------------------------------


class Confused(Settlement):
    """Books a trade upon another buyer or seller than the venue says."""

    has_erred = False

    def apply(self, log_id, records):
        (trades,) = np.nonzero(records["kind"] == EventKind.TRADE)
        if len(trades) and not self.has_erred:
            records = records.copy()
            trade = records[trades[0]]
            parties = (trade["account_index"], trade["counter_account_index"])
            trade["account_index"] = next(each for each in range(3) if each not in parties)
            self.has_erred = True
        return super().apply(log_id, records)


class Promising(BankMachine):
    """Says yes to the first batch of trades, and does nothing of it."""

    promised = ""

    def __init__(self, *of_bank):
        super().__init__(*of_bank)
        self._books_take, self.books.batch_take = self.books.batch_take, self._batch_take

    def _batch_take(self, content):
        batch = pain_001.batch_read(content, "batch")
        is_of_trades = batch.instructions[0].purpose is Purpose.TRADE_LEG
        if not is_of_trades or self.promised not in ("", batch.batch_id):
            return self._books_take(content)
        type(self).promised = batch.batch_id
        elsewhere = BankBooks(":memory:", 1, FaultRates(), clock=lambda: self._now_s)
        with elsewhere._database.backup("main", self.books._database, "main") as copy:
            copy.step()
        return elsewhere.batch_take(content)


class PromisingBank(SimulatedBank):
    machine_class = Promising


def test_a_trade_upon_the_wrong_account_stops_the_line(tmp_path):
    world = OneProcess(tmp_path, 2, settlement_class=Confused)
    while world.registry.machine.state == "ok" and not world.has_ended_by("16:00"):
        world.step()
    assert world.registry.machine.state.startswith("diverged: ")
    with pytest.raises(AssertionError):
        world.check()


def test_a_payment_that_the_bank_only_promises_shows_in_its_statement(tmp_path, monkeypatch):
    """CEA-BNK-13."""
    monkeypatch.setattr(Promising, "promised", "")
    world = OneProcess(tmp_path, 3, bank_class=PromisingBank)
    while not world.has_ended_by("16:30"):
        world.step()
    books = world.registry.machine.registry.bank.books
    assert any(row["bank"] != row["ledger"] for row in books.reconcile())
    assert Promising.promised and not world.is_over
    with pytest.raises(AssertionError):
        world.check()
