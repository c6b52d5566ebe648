"""Settlement: each record once, in order, or none; whatever is changed by hand is found."""

import numpy as np
import pytest

from cea_exchange.domain.naming import CASH_NAME
from cea_exchange.domain.records import EventKind, Operation, Phase
from cea_exchange.institution.checks import ActError
from cea_exchange.institution.venue_link.feed import feed_items
from cea_exchange.institution.venue_link.holding_hash import holding_hash
from cea_exchange.institution.venue_link.settlement_records import records_from
from cea_exchange.institution.venue_link.stream_settlement import (
    Diverged,
    PoisonRecord,
    SettlementGap,
    SettlementStopped,
    WrongLog,
)
from cea_exchange.ledger.database.interface import ConstraintViolated, DatabaseFull
from cea_exchange.ledger.double_entry import CASH_ASSET, Compartment, Holding
from cea_exchange.ledger.store import StoreError
from cea_exchange.protocol.control import KeyGranted, control_decode
from cea_exchange.registry.reconciliation.reconcile import check_ledger
from cea_exchange.registry.registry import Registry
from cea_exchange.registry.settlement.holdings_hash import holdings_hash, holdings_hashes
from cea_exchange.registry.settlement.settlement import Settlement
from cea_exchange.registry.store import REGISTRY_SCHEMA, RegistryStore
from support.registry.ledger_by_hand import changed, record_changed, snapshot_kept
from support.registry.settlement_records import (
    ALICE,
    ALICE_CASH,
    BOB,
    BOB_TONNES,
    DATE,
    LOG_ID,
    PRODUCT,
    Venue,
    registry_prepare,
    venue_with_deposits,
)


@pytest.fixture
def data(tmp_path, database_address):
    registry_prepare(tmp_path, database_address)
    return tmp_path


# Where the database has no part in what is tested.
once = pytest.mark.parametrize("database_address", ["sqlite"], indirect=True)


@pytest.fixture
def store(data):
    with RegistryStore.open(data) as store:
        yield store


def held(store, account_index, asset, compartment=Compartment.TRADING):
    return store.balance(Holding(account_index, asset, compartment))


def day(trades=20):
    """A day's records: deposits, trades, close and a checkpoint."""
    venue = venue_with_deposits()
    for number in range(trades):
        venue.trade(number % 20 + 1, buy_fee=number, sell_fee=1)
    tonnes = sum(number % 20 + 1 for number in range(trades))
    venue.day_closed(volume=tonnes, amount=100 * tonnes)
    venue.checkpoint(Phase.CLOSED)
    return venue


# -- order, repeats, gaps --------------------------------------------------------------------


def test_a_day_is_settled_and_agrees_with_the_venue(data, store):
    """The day is confirmed when all of it is settled and its totals agree (CEA-STL-03)."""
    venue = day()
    assert len(venue.records) == Settlement(store).apply(LOG_ID, venue.records)
    assert "ok" == store.state
    assert DATE == store.confirmed_date
    assert venue.held["alice", CASH_NAME] == held(store, ALICE, CASH_ASSET)
    assert venue.held["bob", PRODUCT] == held(store, BOB, 0)
    found = check_ledger(data)
    assert [] == found.differences
    assert (20, 24, ALICE_CASH) == (found.trades, found.checkpoint_seq, found.cash)
    assert {PRODUCT: BOB_TONNES} == found.tonnes
    assert "reconciled at seq 24: venue hash = registry hash" == found.sentence()
    assert venue.records.tobytes() == np.concatenate([*records_from(store)]).tobytes()
    assert venue.records[7:].tobytes() == np.concatenate([*records_from(store, 7)]).tobytes()


@once
@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_pieces_repeated_and_overlapping_settle_once(data, store, size):
    """Each trade once, in the venue's order, however often it comes (CEA-STL-02)."""
    records = day().records
    settlement = Settlement(store)
    for start in range(0, len(records), size):
        settlement.apply(LOG_ID, records[max(0, start - 3) : start + size])
        settlement.apply(LOG_ID, records[: start + size])
    assert [] == check_ledger(data).differences
    assert 20 == store.one("SELECT count(*) FROM trades")


@once
def test_a_gap_applies_nothing_and_says_what_is_next(store):
    records = day().records
    settlement = Settlement(store)
    settlement.apply(LOG_ID, records[:5])
    with pytest.raises(SettlementGap) as gap:
        settlement.apply(LOG_ID, records[6:])
    assert (6, 7) == (gap.value.expected, gap.value.got)
    assert 5 == store.last_seq


@once
def test_a_run_with_a_hole_in_it_is_refused(store):
    records = day().records
    with pytest.raises(PoisonRecord):
        Settlement(store).apply(LOG_ID, np.concatenate([records[:3], records[4:]]))
    assert 0 == store.last_seq


@once
def test_a_repeat_with_other_content_stops_the_line(store):
    venue = day()
    settlement = Settlement(store)
    settlement.apply(LOG_ID, venue.records)
    other = venue.records.copy()
    other["price"][4] += 1
    with pytest.raises(PoisonRecord, match="another one"):
        settlement.apply(LOG_ID, other)


@once
def test_another_log_is_refused(store):
    records = day().records
    settlement = Settlement(store)
    settlement.apply(LOG_ID, records[:5])
    with pytest.raises(WrongLog):
        settlement.apply("log-2", records[5:])
    assert 5 == store.last_seq


# -- records that can not be -----------------------------------------------------------------


@once
@pytest.mark.parametrize(
    "odd",
    [
        {"cash": 1},
        {"account_index": 2},
        {"counter_account_index": 99},
        {"product_index": 1},
        {"kind": EventKind.ORDER_ACCEPTED},
        {"kind": 0},
        {"tonnes": BOB_TONNES, "cash": 100 * BOB_TONNES},
        {"price": 10_000_000, "cash": 500_000_000},
        {"buy_fee": 2**62},
    ],
)
def test_a_poison_record_stops_the_line_in_front_of_it(data, store, odd):
    venue = venue_with_deposits()
    venue.trade(5)
    venue.trade(**({"tonnes": 5} | odd))
    venue.trade(5)
    settlement = Settlement(store)
    for _ in range(2):
        with pytest.raises(PoisonRecord) as poison:
            settlement.apply(LOG_ID, venue.records)
        assert 4 == poison.value.settlement_seq
        assert 3 == store.last_seq
    assert [] == check_ledger(data).differences


@once
def test_a_deposit_that_was_never_asked_for_is_poison(store):
    venue = venue_with_deposits()
    venue.deposited(ALICE, 4, cash=ALICE_CASH)
    with pytest.raises(PoisonRecord, match="pending"):
        Settlement(store).apply(LOG_ID, venue.records)
    other = Venue()
    other.deposited(ALICE, 4, cash=ALICE_CASH - 1)
    assert 2 == store.last_seq


@once
@pytest.mark.parametrize("transfer_seq", [0, 1, 3, 6, 2**64 - 1])
def test_an_answer_to_no_transfer_is_poison(store, transfer_seq):
    venue = Venue()
    venue.deposited(ALICE, transfer_seq, cash=ALICE_CASH)
    with pytest.raises(PoisonRecord):
        Settlement(store).apply(LOG_ID, venue.records)


# -- transfers -------------------------------------------------------------------------------


@once
def test_a_transfer_is_in_transit_until_the_venue_has_it(store):
    transit, registration = Compartment.TRANSIT, Compartment.REGISTRATION
    assert BOB_TONNES == held(store, BOB, 0, transit)
    assert 0 == held(store, BOB, 0, registration) == held(store, BOB, 0)
    Settlement(store).apply(LOG_ID, venue_with_deposits().records)
    assert 0 == held(store, BOB, 0, transit)
    assert BOB_TONNES == held(store, BOB, 0)


@once
def test_a_refused_deposit_goes_back(data, store):
    venue = Venue()
    venue.transfer_rejected(ALICE, 4, Operation.DEPOSIT, cash=ALICE_CASH)
    venue.checkpoint()
    Settlement(store).apply(LOG_ID, venue.records)
    assert ALICE_CASH == held(store, ALICE, CASH_ASSET, Compartment.REGISTRATION)
    assert ("rejected", 19) == store.one("SELECT state, reason FROM transfers LIMIT 1")
    assert [] == check_ledger(data).differences


@once
def test_a_withdrawal_moves_nothing_before_the_venue_let_it_go(data, store):
    registry = Registry(store, admission="open")
    settlement = Settlement(store)
    venue = venue_with_deposits()
    settlement.apply(LOG_ID, venue.records)
    transfer_seq = registry.transfer_out("alice", None, 1_000)
    refused = registry.transfer_out("alice", None, 2 * ALICE_CASH)
    assert ALICE_CASH == held(store, ALICE, CASH_ASSET)
    venue.withdrawn(ALICE, transfer_seq, cash=1_000)
    venue.transfer_rejected(ALICE, refused, Operation.WITHDRAW, cash=2 * ALICE_CASH)
    venue.checkpoint()
    settlement.apply(LOG_ID, venue.records)
    assert ALICE_CASH - 1_000 == held(store, ALICE, CASH_ASSET)
    assert 1_000 == held(store, ALICE, CASH_ASSET, Compartment.REGISTRATION)
    assert [] == check_ledger(data).differences


@once
def test_the_feed_is_numbered_without_a_gap(store):
    items = [control_decode(item) for item in feed_items(store, 1, 100)]
    assert [1, 2, 3, 4, 5] == [item.transfer_seq for item in items]
    names = [type(item.command).__name__ for item in items]
    assert [
        "ProductDeclared",
        "AccountDeclared",
        "AccountDeclared",
        "TransferIn",
        "TransferIn",
    ] == names
    assert [4, 5] == [control_decode(item).transfer_seq for item in feed_items(store, 4, 9)]


# -- acts ------------------------------------------------------------------------------------


@once
def test_what_a_key_may_do_is_told_to_the_venue_and_reconciled(data, store):
    registry = Registry(store, admission="open")
    registry.key_grant(
        "k" * 40, "alice", operator_index=2, role="canceller", cancel_on_disconnect=False
    )
    (item,) = feed_items(store, 1 + store.one("SELECT max(transfer_seq) - 1 FROM feed"), 1)
    assert control_decode(item).command == KeyGranted(
        key="k" * 40,
        account="alice",
        operator_index=2,
        role="canceller",
        cancel_on_disconnect=False,
    )
    assert [] == check_ledger(data).differences
    changed(store, "UPDATE keys SET cancel_on_disconnect = 1")
    assert any("key" in difference for difference in check_ledger(data).differences)


@once
@pytest.mark.parametrize(
    "act",
    [
        lambda r: r.account_open("alice"),
        lambda r: r.account_open(""),
        lambda r: r.account_open("bank account"),
        lambda r: r.account_open(7),
        lambda r: r.product_declare(PRODUCT, 9749),
        lambda r: r.product_declare(CASH_NAME, 9749),
        lambda r: r.product_declare("CEA25", 0),
        lambda r: r.product_declare("CEA25", 97.49),
        lambda r: r.product_declare("CEA25", 10_000_001),
        lambda r: r.key_grant("short", "alice"),
        lambda r: r.key_grant("k" * 40, "nobody"),
        lambda r: r.key_grant("k" * 40, "alice", operator_index=16),
        lambda r: r.key_grant("k" * 40, "alice", role="king"),
        lambda r: r.key_grant("k" * 40, "alice", cancel_on_disconnect="no"),
        lambda r: r.key_revoke("k" * 40),
        lambda r: r.issue("nobody", PRODUCT, 1),
        lambda r: r.issue("alice", "CEA99", 1),
        lambda r: r.issue("alice", PRODUCT, 0),
        lambda r: r.issue("alice", PRODUCT, -1),
        lambda r: r.issue("alice", PRODUCT, 1.0),
        lambda r: r.issue("alice", PRODUCT, True),
        lambda r: r.issue("alice", PRODUCT, 2**62),
        lambda r: r.issue("alice", PRODUCT, 2**70),
        lambda r: r.pay_in("alice", 10.5),
        lambda r: r.pay_in("alice", 0),
        lambda r: r.transfer_in("bob", PRODUCT, 1),
        lambda r: r.transfer_in("alice", None, 1),
        lambda r: r.transfer_out("alice", None, 0),
        lambda r: r.transfer_out("alice", "CEA99", 1),
    ],
)
def test_a_refused_act_changes_nothing(data, store, act):
    tables = ["accounts", "products", "keys", "entries", "postings", "transfers", "feed"]

    def counts():
        return [store.one(f"SELECT count(*) FROM {table}") for table in tables]

    before = counts()
    with pytest.raises(ActError):
        act(Registry(store, admission="open"))
    assert before == counts()
    assert [] == check_ledger(data).differences


def test_acts_in_one_transaction_are_all_done_or_none(store):
    registry = Registry(store, admission="open")
    with pytest.raises(ActError), registry.transaction():
        registry.account_open("carol")
        registry.issue("carol", PRODUCT, 10)
        registry.transfer_in("carol", PRODUCT, 11)
    assert store.account_index("carol") is None


@once
def test_a_second_process_is_refused(data, store):
    with pytest.raises(StoreError, match="another process"):
        RegistryStore.open(data)


def test_a_folder_without_a_registry_is_refused(tmp_path):
    with pytest.raises(StoreError, match="there is none"):
        check_ledger(tmp_path)


# -- divergence ------------------------------------------------------------------------------


def test_the_hash_by_sql_is_the_sum_of_the_holdings(store):
    venue = day()
    Settlement(store).apply(LOG_ID, venue.records)
    total = sum(holding_hash(*key, amount) for key, amount in venue.held.items())
    assert total % 2**64 == holdings_hash(store)
    # As of the two deposits.
    first = holding_hash("alice", CASH_NAME, ALICE_CASH) + holding_hash("bob", PRODUCT, BOB_TONNES)
    with store.transaction():
        assert [first % 2**64] == holdings_hashes(store, [2])


@once
def test_a_close_reads_only_the_postings_since_the_last_snapshot_and_a_checkpoint_none(store):
    venue = venue_with_deposits()
    for _ in range(900):
        venue.trade(1)
    settlement = Settlement(store)

    def steps_to_settle():
        steps = 0

        def count():
            nonlocal steps
            steps += 1
            return False

        store.database.connection.set_progress_handler(count, 20)
        settlement.apply(LOG_ID, venue.records[store.last_seq :])
        store.database.connection.set_progress_handler(None)
        return steps

    venue.checkpoint()
    settlement.apply(LOG_ID, venue.records)
    venue.checkpoint()
    of_none = steps_to_settle()
    venue.checkpoint(Phase.CLOSED)
    of_everything = steps_to_settle()
    snapshot_kept(store)
    venue.trade(1)
    venue.checkpoint(Phase.CLOSED)
    assert of_none < steps_to_settle() < of_everything / 12
    assert store.state == "ok"


def test_a_snapshot_of_a_transaction_that_failed_is_taken_back(data, store):
    venue = venue_with_deposits()
    venue.trade(5)
    settlement = Settlement(store)
    settlement.apply(LOG_ID, venue.records)
    with pytest.raises(ZeroDivisionError), store.transaction():
        store.snapshot()
        raise ZeroDivisionError
    assert 0 == store.one("SELECT count(*) FROM snapshots")
    snapshot_kept(store)
    venue.trade(7)
    venue.checkpoint()
    settlement.apply(LOG_ID, venue.records)
    assert store.state == "ok"
    assert [] == check_ledger(data).differences


@once
def test_another_hash_of_the_venue_stops_the_line_behind_the_checkpoint(data, store):
    venue = venue_with_deposits()
    venue.trade(5)
    venue.checkpoint(off_by=1)
    venue.trade(5)
    settlement = Settlement(store)
    with pytest.raises(Diverged):
        settlement.apply(LOG_ID, venue.records)
    assert 4 == store.last_seq
    assert store.state.startswith("diverged: at seq 4 venue hash")
    with pytest.raises(Diverged):
        settlement.apply(LOG_ID, venue.records[4:])
    assert settlement.reconsider().startswith("diverged")
    assert not check_ledger(data).agrees


@once
def test_totals_of_the_day_are_compared(store):
    venue = venue_with_deposits()
    venue.trade(5)
    venue.day_closed(volume=5, amount=501)
    with pytest.raises(Diverged, match="registry settled 5 t for 500 fen"):
        Settlement(store).apply(LOG_ID, venue.records)
    assert 0 == store.confirmed_date


def test_totals_that_were_mended_let_the_line_go_on(data, store):
    venue = day()
    settlement = Settlement(store)
    settlement.apply(LOG_ID, venue.records[:10])
    change = "UPDATE trades SET tonnes = tonnes + ? WHERE settlement_seq = 5"
    store.execute(change, (1,))
    with pytest.raises(Diverged, match="registry settled 211 t"):
        settlement.apply(LOG_ID, venue.records[10:])
    assert settlement.reconsider().startswith("diverged")
    store.execute(change, (-1,))
    assert "ok" == settlement.reconsider()
    settlement.apply(LOG_ID, venue.records)
    assert DATE == store.confirmed_date
    assert [] == check_ledger(data).differences


@once
def test_without_space_nothing_is_committed_and_later_all_of_it(data, store):
    records = day(80).records
    settlement = Settlement(store)
    settlement.apply(LOG_ID, records[:10])
    store.execute(f"PRAGMA max_page_count = {store.one('PRAGMA page_count')}")
    with pytest.raises(DatabaseFull):
        settlement.apply(LOG_ID, records)
    assert 10 == store.last_seq
    store.execute("PRAGMA max_page_count = 1000000")
    settlement.apply(LOG_ID, records)
    assert [] == check_ledger(data).differences


def test_a_posting_changed_before_the_checkpoint_is_named_and_can_be_mended(data, store):
    venue = day()
    settlement = Settlement(store)
    settlement.apply(LOG_ID, venue.records[:20])
    posting_id = store.one("SELECT max(posting_id) FROM postings WHERE account_index = 1")
    change = "UPDATE postings SET amount = amount {} 7 WHERE posting_id = " + str(posting_id)
    changed(store, change.format("+"))
    with pytest.raises(Diverged, match="accounts: alice, bob, fee account"):
        settlement.apply(LOG_ID, venue.records[20:])
    changed(store, change.format("-"))
    assert "ok" == settlement.reconsider()
    assert [] == check_ledger(data).differences


def test_a_posting_changed_by_hand_is_named_at_the_close(data, store):
    """Within the day what is held in memory is compared; the close reads what the database has."""
    venue = venue_with_deposits()
    venue.trade(5)
    settlement = Settlement(store)
    settlement.apply(LOG_ID, venue.records)
    posting_id = store.one("SELECT max(posting_id) FROM postings WHERE account_index = 1")
    change = "UPDATE postings SET amount = amount {} 7 WHERE posting_id = " + str(posting_id)
    changed(store, change.format("+"))
    venue.checkpoint()
    settlement.apply(LOG_ID, venue.records[3:])
    assert store.state == "ok"
    venue.day_closed(volume=5, amount=500)
    venue.checkpoint(Phase.CLOSED)
    with pytest.raises(Diverged, match="accounts: alice, bob"):
        settlement.apply(LOG_ID, venue.records[4:])
    assert settlement.reconsider().startswith("diverged")
    changed(store, change.format("-"))
    assert "ok" == settlement.reconsider()
    assert [] == check_ledger(data).differences


def test_balances_in_memory_that_are_not_the_postings_are_named(store):
    """Both legs changed alike by hand: no entry is unbalanced, but a writer remembers."""
    venue = day()
    settlement = Settlement(store)
    settlement.apply(LOG_ID, venue.records[:20])
    changed(store, "UPDATE postings SET amount = 2 * amount WHERE posting_id IN (66, 67)")
    with pytest.raises(Diverged, match=r"accounts: alice, bob$"):
        settlement.apply(LOG_ID, venue.records[20:])


LEDGER = ("entries", "postings", "snapshots", "snapshot_balances", "settlement_runs")


@pytest.mark.parametrize("table", LEDGER)
def test_the_ledger_is_append_only(store, table):
    assert table in REGISTRY_SCHEMA.guarded
    Settlement(store).apply(LOG_ID, day().records)
    snapshot_kept(store)
    column = "first_seq" if table == "settlement_runs" else "entry_id"
    column = "posting_id" if table == "postings" else column
    for sql in (f"UPDATE {table} SET {column} = 1 + {column}", f"DELETE FROM {table}"):
        with pytest.raises(ConstraintViolated, match="append-only"):
            store.execute(sql)


LAST_OF_BOB = "(SELECT max(posting_id) FROM postings WHERE account_index = 1)"
LAST_ENTRY_OF_BOB = f"({LAST_OF_BOB} / 8)"
TAMPERINGS = {
    "balance up": "UPDATE snapshot_balances SET amount = amount + 1"
    " WHERE account_index = 1 AND amount > 0",
    "balance gone": "DELETE FROM snapshot_balances WHERE account_index = 1",
    "balance of a holding gone": "DELETE FROM snapshot_balances"
    " WHERE account_index = 1 AND asset_index = 0",
    "posting up": f"UPDATE postings SET amount = amount + 1 WHERE posting_id = {LAST_OF_BOB}",
    "posting gone": f"DELETE FROM postings WHERE posting_id = {LAST_OF_BOB}",
    "posting of another": f"UPDATE postings SET account_index = 0 WHERE posting_id = {LAST_OF_BOB}",
    "posting elsewhere": f"UPDATE postings SET compartment = 1 WHERE posting_id = {LAST_OF_BOB}",
    "entry at another time": "UPDATE entries SET settlement_seq = 1"
    f" WHERE entry_id = {LAST_ENTRY_OF_BOB}",
    "posting of no entry": "INSERT INTO postings VALUES (7992, 1, 0, 3, 1)",
    "posting of an earlier entry": "INSERT INTO postings VALUES (39, 1, 0, 3, 1)",
    "posting twice": "INSERT INTO postings SELECT 1 + (SELECT max(posting_id) FROM postings),"
    " account_index, asset_index, compartment, amount FROM postings"
    f" WHERE posting_id = {LAST_OF_BOB}",
    "issue up, both legs": "UPDATE postings SET amount = 2 * amount WHERE posting_id IN (16, 17)",
    "issue up, entry and both legs": "UPDATE entries SET amount = 2 * amount WHERE entry_id = 2;"
    " UPDATE postings SET amount = 2 * amount WHERE posting_id IN (16, 17)",
    "trade up": "UPDATE trades SET tonnes = tonnes + 1 WHERE settlement_seq = 5",
    "trade gone": "DELETE FROM trades WHERE settlement_seq = 5",
    "trade busted": "UPDATE trades SET state = 'busted' WHERE settlement_seq = 5",
    "transfer refused": "UPDATE transfers SET reason = 1 WHERE account_index = 1",
    "transfer up": "UPDATE transfers SET amount = amount + 1 WHERE account_index = 1",
    "transfer pending again": "UPDATE transfers SET state = 'pending' WHERE account_index = 1",
    "account renamed": "UPDATE accounts SET account = 'bobby' WHERE account_index = 1",
}


@pytest.mark.postgres_at_night
@pytest.mark.parametrize("how", TAMPERINGS)
def test_whatever_is_changed_by_hand_names_the_account(data, how):
    with RegistryStore.open(data) as store:
        Settlement(store).apply(LOG_ID, day().records)
        snapshot_kept(store)
        changed(store, *TAMPERINGS[how].split(";"))
    found = check_ledger(data)
    assert not found.agrees
    assert any("bob" in difference for difference in found.differences), found.differences


@pytest.mark.postgres_at_night
@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM settlement_runs WHERE first_seq = 1",
        "UPDATE settlement_runs SET first_seq = 2",
        "UPDATE meta SET last_seq = last_seq - 1",
        "UPDATE meta SET last_seq = last_seq + 1",
        "UPDATE checkpoints SET venue_hash = '0000000000000000'",
        "DELETE FROM checkpoints",
        "DELETE FROM feed WHERE transfer_seq = 2",
        "DELETE FROM day_closes",
        "UPDATE meta SET confirmed_date = confirmed_date + 1",
        "UPDATE products SET reference_price = reference_price + 1",
        "INSERT INTO keys VALUES ('x', 0, 0, 'trader', 1, 0)",
        "DELETE FROM entries WHERE entry_id = 7",
        "UPDATE entries SET kind = 99 WHERE entry_id = 7",
        "UPDATE entries SET reference = 'trade 6' WHERE entry_id = 7",
        "UPDATE snapshot_balances SET amount = amount + 1 WHERE account_index = -3",
        "DELETE FROM snapshots",
    ],
)
def test_other_changes_are_found_too(data, sql):
    with RegistryStore.open(data) as store:
        Settlement(store).apply(LOG_ID, day().records)
        snapshot_kept(store)
        changed(store, sql)
    assert not check_ledger(data).agrees


def test_a_record_whose_bytes_were_changed_is_found(data):
    with RegistryStore.open(data) as store:
        Settlement(store).apply(LOG_ID, day().records)
    record_changed(data, 6, with_hash=False)
    differences = check_ledger(data).differences
    assert any("records from 1 on are not those of their hash" in each for each in differences)
    record_changed(data, 6)
    record_changed(data, 7)
    assert any("settlement record 7: cash" in each for each in check_ledger(data).differences)


def test_a_trade_settled_twice_is_found_though_all_sums_are_zero(data):
    """Double settlement keeps every sum: only the comparison with the records shows it."""
    with RegistryStore.open(data) as store:
        Settlement(store).apply(LOG_ID, day().records)
        entry = store.one("SELECT entry_id FROM entries WHERE settlement_seq = 10")
        twice = store.entry_last + 1
        store.execute(
            "INSERT INTO entries SELECT ?, kind, settlement_seq, business_date, account_index,"
            " counter_index, asset_index, amount, reference, act_id FROM entries"
            " WHERE entry_id = ?",
            (twice, entry),
        )
        store.execute(
            "INSERT INTO postings SELECT posting_id + 8 * ?, account_index, asset_index,"
            " compartment, amount FROM postings WHERE posting_id / 8 = ?",
            (twice - entry, entry),
        )
    found = check_ledger(data)
    assert any("settled twice" in difference for difference in found.differences)
    assert any("venue hash" in difference for difference in found.differences)


def test_the_primary_key_holds_where_last_seq_was_set_back(data, store):
    settlement = Settlement(store)
    records = day().records
    settlement.apply(LOG_ID, records[:10])
    with store.transaction():
        store.execute("UPDATE meta SET last_seq = 5")
    with pytest.raises(SettlementStopped):
        settlement.apply(LOG_ID, records[5:])
    with store.transaction():
        store.execute("UPDATE meta SET last_seq = 10")
    settlement.apply(LOG_ID, records[10:])
    assert [] == check_ledger(data).differences
