"""The hash at every sequence in one pass is the one that SQL gives for each of them."""

import pytest
from settlement_records import (
    ALICE,
    BOB,
    LOG_ID,
    registry_prepare,
    venue_with_deposits,
)

from cea_exchange.domain.records import Reason
from cea_exchange.registry.holdings_hash import holdings_hash, holdings_hashes
from cea_exchange.registry.reconcile import check_ledger
from cea_exchange.registry.settlement import Settlement, accounts_differing
from cea_exchange.registry.store import Store


@pytest.fixture
def data(tmp_path):
    registry_prepare(tmp_path)
    return tmp_path


@pytest.fixture
def store(data):
    with Store.open(data) as store:
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
    """Trades that are settled, failed, and busted before and after."""
    venue = venue_with_deposits()
    for number in range(1, 13):
        venue.trade(number, buy_fee=1, sell_fee=2)
    venue.withdrawn(ALICE, 6, cash=77)
    for trade_id in (1, 2, 4):
        venue.busted(trade_id)
        venue.checkpoint()
    venue.busted(6, Reason.ALLOWANCES_INSUFFICIENT)
    with store.transaction():
        store.execute(
            "INSERT INTO transfers VALUES (6, 'out', 0, 65535, 77, 'pending', 0, 0)"
        )
    failing = {trade_id: "frozen" for trade_id in (2, 4, 6, 8)}
    settlement = Settlement(store, failure_of=lambda trade: failing.get(trade.trade_id))
    settlement.apply(LOG_ID, venue.records)
    assert store.state == "ok"


def test_one_pass_gives_the_hash_at_every_sequence(store):
    eventful(store)
    sequences = range(store.last_seq + 2)
    expected = [store.holdings_hash(seq) for seq in sequences]
    assert len({*expected}) > 12
    assert expected == holdings_hashes(store, sequences)
    assert expected[3::5] == holdings_hashes(store, sequences[3::5])
    assert [] == holdings_hashes(store, [])


@pytest.mark.parametrize("late_seq", [1, 7, 20])
def test_postings_out_of_order_count_where_they_belong(store, late_seq):
    """No registry writes so; whoever does by hand is judged as by SQL."""
    eventful(store)
    store.postings_sum_up(0)
    store.execute("INSERT INTO postings VALUES (NULL, 9, ?, 1, 0, 3, 5)", (late_seq,))
    sequences = range(store.last_seq + 1)
    expected = [store.holdings_hash(seq) for seq in sequences]
    for asked in (slice(None), slice(2, None, 6), slice(late_seq, late_seq + 1)):
        assert expected[asked] == holdings_hashes(store, sequences[asked])


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM products",
        "DELETE FROM accounts WHERE account_index = 1",
        "UPDATE busts SET settlement_seq = settlement_seq - 14",
        "UPDATE trades SET state = 'settled'",
    ],
)
def test_what_was_changed_by_hand_changes_the_hash_as_in_sql(store, sql):
    eventful(store)
    store.execute(sql)
    sequences = range(store.last_seq + 1)
    assert [store.holdings_hash(seq) for seq in sequences] == holdings_hashes(store, sequences)


def test_more_checkpoints_are_no_more_passes(tmp_path):
    steps = []
    for checkpoint_every in (300, 10):
        data = tmp_path / str(checkpoint_every)
        registry_prepare(data)
        with Store.open(data) as store:
            settled(store, checkpoint_every=checkpoint_every)
            sequences = [seq for (seq,) in store.execute("SELECT settlement_seq FROM checkpoints")]
            steps.append(steps_of(store, lambda: holdings_hashes(store, sequences)))
    assert 600 // 10 == len(sequences)
    assert steps[0] > 100
    assert steps[1] < 1.2 * steps[0]


def test_the_first_checkpoint_that_differs_is_named_first(data):
    with Store.open(data) as store:
        settled(store, checkpoint_every=100)
        store.execute("DROP TRIGGER postings_no_update")
        store.execute("UPDATE postings SET settlement_seq = 9 WHERE settlement_seq = 150")
        odd = store.execute(
            "SELECT settlement_seq, venue_hash FROM checkpoints WHERE settlement_seq >= 103"
        ).fetchall()
        now = store.holdings_hash(103)
    differing = [line for line in check_ledger(data).differences if "venue hash" in line]
    (seq, venue_hash), *_ = odd
    assert [f"checkpoint at seq {seq}: venue hash {venue_hash}, registry hash {now:016x}"
            f" (was {venue_hash} when it came)"] == differing  # fmt: skip


# -- at a start ------------------------------------------------------------------------------


def test_a_start_reads_only_the_postings_since_the_last_checkpoint(store):
    settled(store, checkpoint_every=500)
    of_everything = steps_of(store, lambda: accounts_differing(store))
    since = steps_of(store, lambda: accounts_differing(store, since_checkpoint=True))
    assert since * 4 < of_everything
    store.postings_sum_up(store.last_seq)
    assert steps_of(store, lambda: accounts_differing(store, since_checkpoint=True)) < since


@pytest.mark.parametrize("checkpoint_every", [7, 1000])
def test_a_start_finds_balances_that_are_not_the_sum_of_the_postings(store, checkpoint_every):
    settled(store, checkpoint_every=checkpoint_every, trades=100)
    assert (store.summed[0] > 0) is (checkpoint_every == 7)
    assert [] == accounts_differing(store, since_checkpoint=True)
    with pytest.raises(ZeroDivisionError), store.transaction():
        store.execute("UPDATE balances SET amount = amount + 1 WHERE account_index = 1")
        assert ["bob"] == accounts_differing(store, since_checkpoint=True)
        raise ZeroDivisionError
    store.execute("INSERT INTO postings VALUES (NULL, 9, 5, 0, 0, 3, 5)")
    assert ["alice"] == accounts_differing(store, since_checkpoint=True)


def test_sums_that_were_changed_by_hand_are_found(data):
    with Store.open(data) as store:
        settled(store, checkpoint_every=50)
        assert store.summed == (store.one("SELECT max(posting_id) FROM postings"), store.last_seq)
        assert check_ledger(data).agrees
        store.execute(
            "UPDATE posted_sums SET amount = amount + 1"
            " WHERE account_index = ? AND compartment = 3 AND asset_index = 0",
            (BOB,),
        )
        assert ["bob"] == accounts_differing(store, since_checkpoint=True)
        (difference,) = check_ledger(data).differences
        assert difference.startswith("account bob, CEA24 in trading: sum kept at seq 614 is ")
        store.execute("UPDATE meta SET summed_posting_id = 0")
        assert not check_ledger(data).agrees
        store.execute("DELETE FROM posted_sums")
        assert check_ledger(data).agrees
