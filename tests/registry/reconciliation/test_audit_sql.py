"""What an auditor may run by hand: nothing comes out of a ledger that was not changed."""


import pytest

from cea_exchange.domain.records import Operation, Reason
from cea_exchange.ledger.double_entry import CASH_ASSET, EntryKind
from cea_exchange.ledger.institutions import Institution
from cea_exchange.registry.reconciliation.audit import audit_queries
from cea_exchange.registry.reconciliation.reconcile import check_ledger
from cea_exchange.registry.registry import Registry
from cea_exchange.registry.settlement.settlement import Settlement
from cea_exchange.registry.store import RegistryStore
from support.places import ROOT
from support.registry.ledger_by_hand import changed, snapshot_kept
from support.registry.settlement_records import (
    ALICE,
    BOB,
    LOG_ID,
    PRODUCT,
    registry_prepare,
    venue_with_deposits,
)

PROTOCOL = ROOT / "protocol"
CHECKS = audit_queries()


@pytest.fixture
def store(tmp_path, database_address):
    """A ledger in which everything happened that happens by now."""
    registry_prepare(tmp_path, database_address)
    with RegistryStore.open(tmp_path) as store:
        registry = Registry(store, admission="open")
        venue = venue_with_deposits()
        for number in range(1, 12):
            venue.trade(number, buy_fee=number % 3, sell_fee=100 * number if number == 5 else 1)
        venue.busted(1)
        venue.busted(2)
        venue.busted(3, Reason.ALLOWANCES_INSUFFICIENT)
        failing = Settlement(store, failure_of=lambda t: "frozen" if t.trade_id in (2, 4) else None)
        failing.apply(LOG_ID, venue.records)
        snapshot_kept(store)
        with registry.transaction():
            registry.pay_in("bob", 500)
            registry.issue("bob", PRODUCT, 20)
            back = registry.transfer_in("bob", PRODUCT, 7)
            registry.transfer_in("bob", PRODUCT, 4)
            out = registry.transfer_out("alice", None, 90)
            registry.move(EntryKind.SET_ASIDE, BOB, BOB, 0, 5)
            registry.move(EntryKind.CANCELLED, BOB, Institution.CANCELLATION, 0, 5)
            registry.move(EntryKind.PAY_OUT_BEGUN, BOB, BOB, CASH_ASSET, 70)
            registry.move(EntryKind.PAID_OUT, BOB, Institution.BANK, CASH_ASSET, 70)
        venue.transfer_rejected(BOB, back, Operation.DEPOSIT, tonnes=7)
        venue.withdrawn(ALICE, out, cash=90)
        venue.trade(6)
        failing.apply(LOG_ID, venue.records)
        snapshot_kept(store)
        yield store


def rows_of(store, name):
    return store.execute(CHECKS[name]).fetchall()


def test_nothing_comes_out_of_a_ledger_that_is_right(store, tmp_path):
    """Nor of the check that the registry makes itself."""
    for name in CHECKS:
        assert [] == rows_of(store, name), name
    assert [] == check_ledger(tmp_path).differences
    kinds = {kind for (kind,) in store.execute("SELECT DISTINCT kind FROM entries")}
    assert {*range(1, 9), 11, 15, 22, 23} == kinds


OF_OFFICES = {"carried_over", "offset_and_vintage", "surrendered"}
"""What is found by these is told in test_surrender_audit."""
BYTES = "(SELECT records FROM settlement_runs LIMIT 1)"
TRADE_ENTRY = "(SELECT min(entry_id) FROM entries WHERE kind = 7)"
FOUND_BY = [
    ("causes", "UPDATE entries SET act_id = 99 WHERE entry_id = 1"),
    ("causes", "UPDATE entries SET act_id = 0 WHERE entry_id = 1"),
    ("causes", f"INSERT INTO desk_settings SELECT 1, 0, 0, 0, {BYTES}"),
    ("rows_as_logged", "UPDATE accounts SET credit_code = 'x' WHERE account = 'bob'"),
    ("rows_as_logged", "DELETE FROM transfers WHERE state = 'rejected'"),
    ("rows_as_logged", f"UPDATE feed SET item = {BYTES} WHERE transfer_seq = 1"),
    ("rows_as_logged", "UPDATE trades SET failure = 'no cash' WHERE trade_id = 2"),
    ("bank", "INSERT INTO pay_outs VALUES (1, 1, 5, 'own', 'begun')"),
    ("bank", "INSERT INTO bank_accounts VALUES ('bob', 7)"),
    ("conservation", "UPDATE postings SET amount = amount + 1 WHERE posting_id = 17"),
    ("conservation", "DELETE FROM postings WHERE account_index = -2"),
    ("entries_balance", "UPDATE postings SET amount = amount + 1 WHERE posting_id = 17"),
    ("entries_balance", "INSERT INTO postings VALUES (79992, 1, 0, 3, 1)"),
    ("entries_balance", "DELETE FROM postings WHERE posting_id / 8 = 9"),
    ("entries_balance", "DELETE FROM entries WHERE entry_id = 9"),
    ("entries_in_order", "DELETE FROM entries WHERE entry_id = 9"),
    ("entries_in_order", "UPDATE entries SET settlement_seq = 1 WHERE entry_id = 12"),
    (
        "never_negative",
        "UPDATE postings SET amount = 100000 * amount WHERE posting_id IN (66, 67)",
    ),
    ("balances_kept", "UPDATE snapshot_balances SET amount = amount + 1 WHERE amount > 0"),
    ("balances_kept", "DELETE FROM snapshots WHERE entry_id < 25"),
    ("trades_once", f"DELETE FROM postings WHERE posting_id / 8 = {TRADE_ENTRY}"),
    ("trades_once", "UPDATE trades SET tonnes = tonnes + 1 WHERE trade_id = 7"),
    ("trades_once", "UPDATE trades SET posted_seq = settlement_seq WHERE trade_id = 4"),
    (
        "trades_once",
        "INSERT INTO postings SELECT posting_id + 79992, account_index, asset_index, compartment,"
        f" amount FROM postings WHERE posting_id / 8 = {TRADE_ENTRY};"
        "INSERT INTO entries SELECT entry_id + 9999, kind, settlement_seq, business_date,"
        " account_index, counter_index, asset_index, amount, reference, act_id FROM entries"
        f" WHERE entry_id = {TRADE_ENTRY}",
    ),
    ("busts_once", "UPDATE entries SET kind = 7 WHERE kind = 8"),
    ("busts_once", "UPDATE busts SET reason = 0"),
    ("moves", "UPDATE entries SET amount = amount + 1 WHERE entry_id = 2"),
    ("moves", "UPDATE entries SET counter_index = 0 WHERE entry_id = 2"),
    ("moves", "UPDATE postings SET account_index = 0 WHERE posting_id = 17"),
    ("compartments", "UPDATE postings SET compartment = 3 WHERE posting_id = 17"),
    ("compartments", "UPDATE postings SET amount = -amount WHERE account_index = -7"),
    ("compartments", "UPDATE postings SET account_index = -1 WHERE posting_id = 17"),
    ("transfers", "UPDATE transfers SET state = 'pending' WHERE state = 'completed'"),
    ("transfers", "UPDATE transfers SET amount = amount + 1 WHERE state = 'pending'"),
    ("records_once", "DELETE FROM settlement_runs WHERE first_seq = 1"),
    ("records_once", "UPDATE meta SET last_seq = last_seq + 1"),
]


class TakenBack(Exception):
    """The ledger is to be as it was."""


def test_whatever_was_changed_comes_out(store):
    for name, sql in FOUND_BY:
        try:
            with store.transaction():
                changed(store, *sql.split(";"))
                assert rows_of(store, name), sql
                raise TakenBack
        except TakenBack:
            assert [] == rows_of(store, name)
    assert {name for name, _sql in FOUND_BY} == {*CHECKS} - OF_OFFICES


def test_every_check_is_on_the_page_and_says_what_must_come_out():
    page = (PROTOCOL / "ledger.md").read_text()
    for name, text in CHECKS.items():
        assert f"| `{name}` |" in page
        assert "-- Must come out: nothing." in text
