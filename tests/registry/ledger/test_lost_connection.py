"""A connection to PostgreSQL may be lost anywhere: what counts is what was committed, once."""

import random
import threading
import time

import psycopg
import pytest

from cea_exchange.institution.daemon import store_awaited
from cea_exchange.ledger.database.interface import DatabaseError, DatabaseLost
from cea_exchange.ledger.store import DatabaseAway, StoreError
from cea_exchange.registry.reconciliation.reconcile import check_ledger
from cea_exchange.registry.registry import Registry
from cea_exchange.registry.settlement.settlement import Settlement
from cea_exchange.registry.store import RegistryStore
from support.registry.settlement_records import LOG_ID, registry_prepare, venue_with_deposits

POINTS = ("postings_written", "last_seq_written", "committed")


@pytest.fixture(scope="module")
def postgres_server(postgres_process):
    """Not the shared one: it is killed here."""
    return postgres_process.address


@pytest.fixture
def data(tmp_path, postgres_address):
    registry_prepare(tmp_path, postgres_address)
    return tmp_path


@pytest.fixture
def store(data):
    with RegistryStore.open(data) as store:
        yield store


def day(trades):
    venue = venue_with_deposits()
    for number in range(trades):
        venue.trade(1 + number % 3, buy_fee=number % 2)
    venue.checkpoint()
    return venue.records


def backends_end(address):
    """End every connection but one's own, as an administrator or a failing network does."""
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND backend_type = 'client backend'"
        )


def reconnected(store):
    while True:
        try:
            store.reconnect()
        except DatabaseError:
            time.sleep(0.05)
        else:
            return


def settled(store, records, settlement):
    """Settle as the daemon does: behind what is committed, in runs of five."""
    losses, last_seq = 0, store.last_seq
    while last_seq < len(records):
        try:
            settlement.apply(LOG_ID, records[last_seq : last_seq + 5])
            last_seq = store.last_seq
        except DatabaseLost:
            losses += 1
            reconnected(store)
            assert store.last_seq in (last_seq, min(last_seq + 5, len(records)))
            last_seq = store.last_seq
    return losses


def whole(data, records, trades):
    found = check_ledger(data)
    assert [] == found.differences
    assert (len(records), trades) == (found.last_seq, found.trades)


def test_ended_at_each_point_of_a_commit_it_settles_once(data, store, postgres_address):
    """And what is in memory then is what the database says."""
    records, coming = day(20), [*POINTS]

    def at_point(name):
        if coming and name == coming[0]:
            coming.pop(0)
            backends_end(postgres_address)

    assert len(POINTS) == settled(store, records, Settlement(store, at_point))
    assert store.execute("SELECT * FROM balances ORDER BY 1, 2, 3").fetchall() == (
        store.balances.rows()
    )
    whole(data, records, 20)


def test_a_commit_whose_answer_was_lost_counts_once(data, store, monkeypatch):
    """The server has committed, and nobody heard of it."""
    records = day(20)
    lost = iter([True, False, True])

    def commit():
        type(store.database).commit(store.database)
        if next(lost, False):
            store.database.connection.close()
            raise DatabaseLost("server closed the connection unexpectedly")

    connect = store._connect

    def connected(before):
        database = connect(before)
        monkeypatch.setattr(database, "commit", commit)
        return database

    store._connect = connected
    monkeypatch.setattr(store.database, "commit", commit)
    assert 2 == settled(store, records, Settlement(store))
    whole(data, records, 20)


def test_ended_at_any_moment_it_settles_once(data, store, postgres_address):
    records = day(400)
    rng = random.Random(3)
    done = threading.Event()

    def end_now_and_then():
        while not done.is_set():
            time.sleep(0.02 + 0.1 * rng.random())
            backends_end(postgres_address)

    killer = threading.Thread(target=end_now_and_then)
    killer.start()
    try:
        losses = 0
        while losses < 5 or store.last_seq < len(records):
            try:
                losses += settled(store, records, Settlement(store))
                Registry(store).pay_in("bob", 1)
            except DatabaseLost:
                losses += 1
                reconnected(store)
    finally:
        done.set()
        killer.join()
    reconnected(store)
    whole(data, records, 400)


def test_a_reader_whose_connection_is_lost_says_so(data, postgres_address):
    with RegistryStore.open_reader(data) as reader:
        backends_end(postgres_address)
        with pytest.raises(DatabaseLost):
            _ = reader.last_seq


def test_a_start_waits_for_the_server(data, postgres_process):
    """A host whose database comes up after the registry needs no second start."""
    postgres_process.crash()
    coming = threading.Timer(0.5, postgres_process.start)
    coming.start()
    try:
        with pytest.raises(DatabaseAway, match="waited 0 s for the database's server"):
            store_awaited(RegistryStore, data, None, 0, lambda: False)
        with store_awaited(RegistryStore, data, None, 60, lambda: False) as store:
            assert "ok" == store.state
    finally:
        coming.join()


def test_a_start_gives_up_in_time_or_when_it_is_told_to(tmp_path):
    address = "postgresql://127.0.0.1:1/nobody"
    began_s = time.monotonic()
    shown = r"waited 1 s for the database's server \(database_wait_s\): postgresql://127.0.0.1:1"
    with pytest.raises(DatabaseAway, match=shown):
        store_awaited(RegistryStore, tmp_path, address, 1, lambda: False)
    assert 1 <= time.monotonic() - began_s < 10
    with pytest.raises(DatabaseAway):
        store_awaited(RegistryStore, tmp_path, address, 1_000, lambda: True)
    with pytest.raises(StoreError, match="expected postgresql"):
        store_awaited(RegistryStore, tmp_path, "mysql://127.0.0.1", 1_000, lambda: False)
