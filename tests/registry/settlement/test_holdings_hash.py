"""The hash at every sequence in one pass is the one that SQL gave when settlement was there."""

from functools import partial

import pytest

from cea_exchange.domain.records import Reason
from cea_exchange.ledger.balances_check import accounts_differing
from cea_exchange.registry.reconciliation.reconcile import check_ledger
from cea_exchange.registry.registry import Registry
from cea_exchange.registry.settlement.holdings_hash import (
    Unposted,
    holdings_hash,
    holdings_hash_in_memory,
    holdings_hashes,
)
from cea_exchange.registry.settlement.settlement import Settlement
from cea_exchange.registry.store import RegistryStore
from support.registry.ledger_by_hand import changed, snapshot_kept
from support.registry.settlement_records import (
    ALICE,
    BOB,
    LOG_ID,
    registry_prepare,
    venue_with_deposits,
)

pytestmark = pytest.mark.postgres_at_night


@pytest.fixture
def data(tmp_path, database_address):
    registry_prepare(tmp_path, database_address)
    return tmp_path


# Its own steps are counted, or it has no part in what is tested.
sqlite = pytest.mark.parametrize("database_address", ["sqlite"], indirect=True)


@pytest.fixture
def store(data):
    with RegistryStore.open(data) as store:
        yield store


def steps_of(store, work):
    """Return in how many steps SQLite did some work."""
    steps = 0

    def count():
        nonlocal steps
        steps += 1
        return False

    store.database.connection.set_progress_handler(count, 20)
    try:
        work()
    finally:
        store.database.connection.set_progress_handler(None)
    return steps


def settled(store, *, checkpoint_every, trades=600):
    venue = venue_with_deposits()
    for number in range(1, trades + 1):
        is_back = number % 2 == 0
        venue.trade(1, buyer=BOB if is_back else ALICE, buy_fee=0 if is_back else 1)
        if number % checkpoint_every == 0:
            venue.checkpoint()
    Settlement(store).apply(LOG_ID, venue.records)


def eventful(store):
    """Trades that are settled, failed, and busted before and after; the hash after each record."""
    venue = venue_with_deposits()
    for number in range(1, 13):
        venue.trade(number, buy_fee=1, sell_fee=2)
    venue.withdrawn(ALICE, 6, cash=77)
    for trade_id in (1, 2, 4):
        venue.busted(trade_id)
        venue.checkpoint()
    venue.busted(6, Reason.ALLOWANCES_INSUFFICIENT)
    with store.transaction():
        store.insert("feed", [(6, b"")])
        store.execute("INSERT INTO transfers VALUES (6, 'out', 0, 65535, 77, 'pending', 0, 0)")
    failing = dict.fromkeys((2, 4, 6, 8), "frozen")
    settlement = Settlement(store, failure_of=lambda trade: failing.get(trade.trade_id))
    hashes, unposted = [holdings_hash(store)], Unposted(store)
    for record in venue.rows:
        settlement.apply(LOG_ID, record)
        hashes.append(holdings_hash(store))
        assert hashes[-1] == holdings_hash_in_memory(store, unposted)
    assert store.state == "ok"
    return hashes


def hashes_in_one_pass(store, sequences):
    with store.transaction():
        return holdings_hashes(store, sequences)


def test_one_pass_gives_the_hash_at_every_sequence(store):
    expected = eventful(store)
    expected.append(expected[-1])
    sequences = range(store.last_seq + 2)
    assert len({*expected}) > 12
    assert expected == hashes_in_one_pass(store, sequences)
    assert expected[3::5] == hashes_in_one_pass(store, sequences[3::5])
    assert [] == hashes_in_one_pass(store, [])


@sqlite
@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM products",
        "DELETE FROM accounts WHERE account_index = 1",
        "UPDATE postings SET amount = 2 * amount WHERE posting_id / 8 = 10",
        "UPDATE postings SET compartment = 3 WHERE account_index >= 0 AND posting_id / 8 < 4",
        "DELETE FROM trades WHERE failure <> ''",
    ],
)
def test_what_was_changed_by_hand_changes_the_hash_as_in_sql(store, sql):
    agreed = eventful(store)[-1]
    changed(store, sql)
    assert agreed != holdings_hash(store)
    assert [holdings_hash(store)] == hashes_in_one_pass(store, [store.last_seq])


def test_more_checkpoints_are_no_more_passes(tmp_path):
    steps = []
    for checkpoint_every in (300, 10):
        data = tmp_path / str(checkpoint_every)
        registry_prepare(data)
        with RegistryStore.open(data) as store:
            settled(store, checkpoint_every=checkpoint_every)
            sequences = [seq for (seq,) in store.execute("SELECT settlement_seq FROM checkpoints")]
            steps.append(steps_of(store, partial(hashes_in_one_pass, store, sequences)))
    assert 600 // 10 == len(sequences)
    assert steps[0] > 100
    assert steps[1] < 1.2 * steps[0]


def test_the_first_checkpoint_that_differs_is_named_first(data):
    with RegistryStore.open(data) as store:
        settled(store, checkpoint_every=100)
        # One trade moved a tonne too much, and one back, on both sides of a checkpoint.
        changed(
            store,
            "UPDATE postings SET amount = 2 * amount WHERE asset_index = 0 AND posting_id / 8 IN"
            " (SELECT entry_id FROM entries WHERE settlement_seq IN"
            " (SELECT settlement_seq FROM trades WHERE trade_id IN (51, 152)))",
        )
        odd = store.execute(
            "SELECT settlement_seq, venue_hash FROM checkpoints WHERE settlement_seq >= 103"
        ).fetchall()
        (now,) = hashes_in_one_pass(store, [103])
    differing = [line for line in check_ledger(data).differences if "venue hash" in line]
    (seq, venue_hash), *_ = odd
    assert [f"checkpoint at seq {seq}: venue hash {venue_hash}, registry hash {now:016x}"
            f" (was {venue_hash} when it came)"] == differing  # fmt: skip


# -- at a start ------------------------------------------------------------------------------


@sqlite
def test_a_start_reads_only_the_postings_since_the_last_snapshots(store):
    settled(store, checkpoint_every=500)
    nothing_kept = steps_of(store, lambda: accounts_differing(store))
    for _ in range(2):
        with store.transaction():
            Registry(store).pay_in("bob", 1)
            store.snapshot()
    of_everything = steps_of(store, lambda: accounts_differing(store, whole=True))
    since = steps_of(store, lambda: accounts_differing(store))
    assert since * 4 < of_everything < nothing_kept


def test_a_start_finds_balances_that_are_not_the_sum_of_the_postings(data):
    with RegistryStore.open(data) as store:
        settled(store, checkpoint_every=1000, trades=100)
        snapshot_kept(store)
        assert [] == accounts_differing(store)
        changed(store, "INSERT INTO postings VALUES (99999, 0, 0, 3, 5)")
        assert ["alice"] == accounts_differing(store)
    with RegistryStore.open(data) as store:
        assert ["alice"] == accounts_differing(store)


def test_kept_balances_that_were_changed_by_hand_are_found(data):
    with RegistryStore.open(data) as store:
        settled(store, checkpoint_every=50)
        snapshot_kept(store)
        assert check_ledger(data).agrees
        changed(
            store,
            "UPDATE snapshot_balances SET amount = amount + 1"
            " WHERE account_index = 1 AND compartment = 3 AND asset_index = 0",
        )
    with RegistryStore.open(data) as store:
        assert ["bob"] == accounts_differing(store)
        kept = store.one("SELECT max(entry_id) FROM snapshots")
        difference, *_others = check_ledger(data).differences
        assert difference.startswith(
            f"account bob, CEA24 in trading: balance kept at entry {kept} is "
        )
        # A second snapshot would carry it on; it is the whole ledger that shows it then.
        with store.transaction():
            Registry(store).pay_in("bob", 1)
            store.snapshot()
        assert [] == accounts_differing(store)
        assert ["bob"] == accounts_differing(store, whole=True)
        changed(store, "DELETE FROM snapshots", "DELETE FROM snapshot_balances")
        assert check_ledger(data).agrees
