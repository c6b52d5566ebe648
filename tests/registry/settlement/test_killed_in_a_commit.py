"""Kill the registry at each point of a commit. The real one settles once; the mutants must not.

The mutants store ``last_seq`` in a transaction of its own, after the postings. Killed in between,
they settle the same records again. If this test finds nothing wrong with them, it finds nothing.
"""

import multiprocessing
import os
import signal

import numpy as np
import pytest

from cea_exchange.institution.venue_link.stream_settlement import SettlementStopped
from cea_exchange.registry.reconciliation.reconcile import check_ledger
from cea_exchange.registry.settlement.settlement import Settlement
from cea_exchange.registry.store import RegistryStore
from support.registry.ledger_by_hand import guards_off, guards_on
from support.registry.settlement_records import LOG_ID, registry_prepare, venue_with_deposits

pytestmark = pytest.mark.crash

RUN_COUNT = 5
CRASH_POINTS = ["postings_written", "last_seq_written", "committed"]

# A forked child would share the parent's SQLite locks.
_spawn = multiprocessing.get_context("spawn")


class LastSeqOutside(Settlement):
    """Mutant: the sequence is stored after the commit, so a crash in between forgets it."""

    def _run_apply(self, log_id: str, records: np.ndarray) -> int:
        with self.store.transaction(act_id=0):
            posted, stopped = self._records_post(records)
        self._at_point("postings_written")
        last_seq = self.store.last_seq + posted
        with self.store.transaction():
            self.store.last_seq_set(log_id, last_seq)
        self._at_point("last_seq_written")
        self._at_point("committed")
        if stopped is not None:
            raise stopped
        return last_seq


class LastSeqOutsideWithoutKeys(LastSeqOutside):
    """The same without the second line of defence, the primary keys."""

    def _records_post(self, records: np.ndarray):
        ends = int(records[0]["settlement_seq"]), int(records[-1]["settlement_seq"])
        guards_off(self.store)
        self.store.execute("DELETE FROM settlement_runs WHERE first_seq BETWEEN ? AND ?", ends)
        self.store.execute("DELETE FROM trades WHERE settlement_seq BETWEEN ? AND ?", ends)
        guards_on(self.store)
        return super()._records_post(records)


def day():
    venue = venue_with_deposits()
    for number in range(20):
        venue.trade(1 + number % 4, buy_fee=1, sell_fee=2)
    venue.checkpoint()
    return venue


def settle_until_killed(data: str, settlement_class: type[Settlement], point: str, nth: int):
    """Settle the day in runs of five; die at the nth passing of `point`."""
    passed = 0

    def at_point(name: str) -> None:
        nonlocal passed
        passed += name == point
        if name == point and passed == nth:
            os.kill(os.getpid(), signal.SIGKILL)

    with RegistryStore.open(data) as store:
        settlement = settlement_class(store, at_point)
        records = day().records
        # As the daemon does: go on behind what is committed, with what the replay gives.
        start = store.last_seq
        while start < len(records):
            try:
                settlement.apply(LOG_ID, records[start : start + RUN_COUNT])
            except SettlementStopped as stopped:
                raise SystemExit(str(stopped)) from None
            start = store.last_seq


def run_once(data, settlement_class, point, nth):
    process = _spawn.Process(
        target=settle_until_killed, args=(str(data), settlement_class, point, nth)
    )
    process.start()
    process.join(60)
    assert process.exitcode is not None
    return process.exitcode


def settle_with_kills(data, settlement_class, point):
    """Settle the day, killed once at the second passing of the point, then to its end."""
    registry_prepare(data)
    assert -signal.SIGKILL == run_once(data, settlement_class, point, 2)
    return run_once(data, settlement_class, "never", 0)


@pytest.mark.parametrize("point", CRASH_POINTS)
def test_killed_at_any_point_of_a_commit_it_settles_once(tmp_path, point):
    assert 0 == settle_with_kills(tmp_path, Settlement, point)
    found = check_ledger(tmp_path)
    assert [] == found.differences
    assert (20, 23) == (found.trades, found.last_seq)


def test_canary_with_last_seq_outside_the_transaction_settles_twice(tmp_path):
    settle_with_kills(tmp_path, LastSeqOutsideWithoutKeys, "postings_written")
    with RegistryStore.open_reader(tmp_path) as store:
        twice = store.execute(
            "SELECT settlement_seq, count(*) FROM entries WHERE settlement_seq > 0"
            " GROUP BY 1 HAVING count(*) > 1"
        ).fetchall()
    # The canary must sing, else the other test proves nothing.
    assert RUN_COUNT == len(twice)
    found = check_ledger(tmp_path)
    assert not found.agrees
    assert any("settled twice" in difference for difference in found.differences)
    assert any(name in " ".join(found.differences) for name in ("alice", "bob"))


def test_the_primary_keys_stop_that_mutant(tmp_path):
    """With the keys in place it can not double settle, but it never gets any further either."""
    assert 1 == settle_with_kills(tmp_path, LastSeqOutside, "postings_written")
    found = check_ledger(tmp_path)
    assert any("last_seq is" in difference for difference in found.differences)
