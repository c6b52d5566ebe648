"""What a writer remembers is what its database says, whatever fails, and wherever."""

import random
import resource
from contextlib import suppress

import pytest

from cea_exchange.institution.checks import ActError
from cea_exchange.institution.venue_link.stream_settlement import SettlementStopped
from cea_exchange.ledger import store as store_module
from cea_exchange.ledger.database.interface import DatabaseError, DatabaseFull
from cea_exchange.ledger.double_entry import Holding
from cea_exchange.ledger.store import StoreError
from cea_exchange.registry.reconciliation.reconcile import check_ledger
from cea_exchange.registry.registry import Registry
from cea_exchange.registry.settlement.settlement import Settlement
from cea_exchange.registry.store import RegistryStore
from support.registry.settlement_records import LOG_ID, registry_prepare, venue_with_deposits


class TakenBack(Exception):
    """Somebody changed his mind."""


@pytest.fixture
def data(tmp_path, database_address):
    registry_prepare(tmp_path, database_address)
    return tmp_path


def remembers(store):
    """Memory and database say the same."""
    rows = store.execute("SELECT * FROM balances ORDER BY 1, 2, 3").fetchall()
    assert rows == store.balances.rows()
    assert store.entry_last == store.one("SELECT coalesce(max(entry_id), 0) FROM entries")
    assert store._snapshot_last == store.one("SELECT coalesce(max(entry_id), 0) FROM snapshots")


class FailingCommits:
    """Commits of a database that fail now and then, before anything is on disk."""

    def __init__(self, database, rng):
        self._commit, self._rng = database.commit, rng
        self.count = 0

    def __call__(self):
        if self._rng.random() < 0.15:
            self.count += 1
            raise DatabaseError("commit: disk I/O error")
        self._commit()


def act_at_random(registry, settlement, venue, rng):
    """Do one of what a registry does, or a few of them as one, and let some of it be taken back."""
    choice = rng.randrange(8)
    if choice == 0:
        registry.pay_in(rng.choice(["alice", "bob"]), rng.randrange(1, 99))
    elif choice == 1:
        registry.issue("bob", "CEA24", rng.randrange(1, 9))
    elif choice == 2:
        # More than is there, now and then.
        registry.transfer_in("bob", "CEA24", rng.randrange(1, 20))
    elif choice == 3:
        with registry.transaction():
            act_at_random(registry, settlement, venue, rng)
            with suppress(TakenBack, ActError), registry.transaction():
                act_at_random(registry, settlement, venue, rng)
                if rng.random() < 0.5:
                    raise TakenBack
            act_at_random(registry, settlement, venue, rng)
            if rng.random() < 0.3:
                raise TakenBack
    elif choice == 4:
        with registry.transaction():
            registry.store.snapshot()
    else:
        for _ in range(rng.randrange(1, 5)):
            venue.trade(rng.randrange(1, 4), buy_fee=rng.randrange(3))
        records = venue.records[registry.store.last_seq :][: rng.randrange(1, 9)].copy()
        if rng.random() < 0.2:
            records["cash"][-1] += 1
        settlement.apply(LOG_ID, records)


@pytest.mark.parametrize("seed", [1, 2])
def test_memory_is_what_the_database_says_after_every_act(data, monkeypatch, seed):
    monkeypatch.setattr(store_module, "SNAPSHOT_ENTRY_COUNT", 20)
    rng = random.Random(seed)
    failed = 0
    with RegistryStore.open(data) as store:
        registry = Registry(store, admission="open")
        settlement, venue = Settlement(store), venue_with_deposits()
        commits = FailingCommits(store.database, rng)
        monkeypatch.setattr(store.database, "commit", commits)
        for _ in range(100):
            try:
                act_at_random(registry, settlement, venue, rng)
            except (TakenBack, ActError, DatabaseError, SettlementStopped):
                failed += 1
            remembers(store)
        assert commits.count > 5 and failed > 15
        assert store.one("SELECT count(*) FROM snapshots") > 1
    found = check_ledger(data)
    assert [] == found.differences
    assert found.trades > 20


def test_a_transaction_that_failed_underneath_commits_nothing(data, database_address):
    """Whoever caught the error and went on is told at the end, and memory is what was committed."""
    with Registry.open(data, database_address, admission="open") as registry:
        before = registry.store.execute("SELECT * FROM balances ORDER BY 1, 2, 3").fetchall()
        why = "expected (COMMIT, was ROLLBACK|a transaction)|transaction is aborted"
        with pytest.raises(DatabaseError, match=why), registry.transaction():
            registry.pay_in("alice", 5)
            _fail_underneath(registry.store.database)
            with suppress(DatabaseError):
                registry.pay_in("bob", 7)
        remembers(registry.store)
        assert before == registry.store.balances.rows()
        registry.pay_in("bob", 1)
        remembers(registry.store)


def _fail_underneath(database):
    """Let a statement fail so that nothing before it counts: any of PostgreSQL, a full disk."""
    if database.name.startswith("postgresql:"):
        with pytest.raises(DatabaseError, match="invalid input syntax"):
            database.execute("SELECT 1 FROM obligations WHERE compliance_year = ?", ("x",))
        return
    database.connection.pragma("cache_size", 10)
    pages = database.connection.pragma("page_count")
    database.connection.pragma("max_page_count", pages + 1)
    with pytest.raises(DatabaseFull):
        for number in range(10_000):
            database.insert("postings", [(8_000_000 + number, 0, 0, 1, 5)])
    database.connection.pragma("max_page_count", 1_000_000)


def test_a_file_that_may_grow_no_more_is_a_disk_that_is_full(tmp_path):
    """It stopped the venue's line for good, as a fault of the program would."""
    with Registry.open(tmp_path, admission="open") as registry:
        registry.account_open("alice")
        registry.pay_in("alice", 5)
        before = registry.store.execute("SELECT * FROM balances ORDER BY 1, 2, 3").fetchall()
        largest = max(path.stat().st_size for path in (tmp_path / "registry").iterdir())
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest + 100_000, hard))
        try:
            with pytest.raises(DatabaseFull):
                for _ in range(1_000):
                    registry.pay_in("alice", 1)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        after = registry.store.execute("SELECT * FROM balances ORDER BY 1, 2, 3").fetchall()
        remembers(registry.store)
        assert len(after) == len(before) and after != before
        registry.pay_in("alice", 1)
        remembers(registry.store)


def test_a_folder_whose_lock_file_is_removed_stays_its_writers(tmp_path):
    with Registry.open(tmp_path, admission="open"):
        (tmp_path / "registry" / "lock").unlink()
        for _ in range(2):
            with pytest.raises(StoreError, match="another process has this registry open"):
                Registry.open(tmp_path, admission="open")


def test_a_reader_has_no_balances_in_memory_and_says_what_is_held(data):
    with RegistryStore.open_reader(data) as store:
        assert not store.is_writer
        with pytest.raises(StoreError, match="expected a writer"):
            _ = store.balances
        rows = store.execute("SELECT * FROM balances").fetchall()
        assert rows
        for *holding, amount in rows:
            assert amount == store.balance(Holding(*holding))
