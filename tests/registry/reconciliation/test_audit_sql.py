"""What an auditor may run by hand: nothing comes out of a ledger that was not changed."""

import re
from functools import partial
from itertools import product

import pytest

from cea_exchange.domain.records import Operation, Reason
from cea_exchange.ledger.audit import name_of
from cea_exchange.ledger.database.schema import tables_create
from cea_exchange.ledger.database.sqlite import Sqlite
from cea_exchange.ledger.double_entry import CASH_ASSET, EntryKind, LedgerError, legs_of
from cea_exchange.ledger.institutions import Institution
from cea_exchange.registry.reconciliation.audit import checks
from cea_exchange.registry.reconciliation.reconcile import check_ledger, check_store
from cea_exchange.registry.registry import Registry
from cea_exchange.registry.settlement.settlement import Settlement
from cea_exchange.registry.store import REGISTRY_SCHEMA, RegistryStore
from support.places import ROOT
from support.registry.ledger_by_hand import changed, snapshot_kept
from support.registry.plain_auditor import plain_auditor
from support.registry.settlement_records import (
    ALICE,
    BOB,
    LOG_ID,
    PRODUCT,
    registry_prepare,
    venue_with_deposits,
)

PROTOCOL = ROOT / "protocol"
CHECKS = checks()


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
    return store.execute(CHECKS[name].sql).fetchall()


def test_nothing_comes_out_of_a_ledger_that_is_right(store, tmp_path):
    """Nor of the check that the registry makes itself."""
    for name in CHECKS:
        assert [] == rows_of(store, name), name
    assert [] == check_ledger(tmp_path).differences
    kinds = {kind for (kind,) in store.execute("SELECT DISTINCT kind FROM entries")}
    assert {*range(1, 9), 11, 15, 22, 23} == kinds


BYTES = "(SELECT records FROM settlement_runs LIMIT 1)"
FREEZE = (
    "INSERT INTO freezes VALUES (1, 1, 0, 0, 4, 0, 5, 0, 'in_force', 'E 1', 'Court', 20250102,"
    " 20261231)"
)
SURRENDER = (
    "INSERT INTO surrenders VALUES (1, 2024, 1, 1, '', 20250102, 'retired', 11, 20250102, '',"
    " 20250102); INSERT INTO surrender_lines VALUES (1, 0, 2024, 5)"
)
TRADE_ENTRY = "(SELECT min(entry_id) FROM entries WHERE kind = 7)"
VIEW_LIES = (
    "DROP VIEW balances; CREATE VIEW balances AS SELECT account_index, asset_index, compartment,"
    " sum(amount) + 1 AS amount FROM postings GROUP BY account_index, asset_index, compartment"
)
FOUND_BY = [
    ("causes", "UPDATE entries SET act_id = 99 WHERE entry_id = 1"),
    ("causes", "UPDATE entries SET act_id = 0 WHERE entry_id = 1"),
    ("causes", f"INSERT INTO role_settings SELECT 1, 0, 0, 0, {BYTES}"),
    ("rows_as_logged", "UPDATE accounts SET credit_code = 'x' WHERE account = 'bob'"),
    ("ccer_link", "INSERT INTO ccer_proofs VALUES ('C1', 'alice', 2024, 1, 'booked', '')"),
    ("references_held", "UPDATE transfers SET account_index = 99 WHERE state = 'rejected'"),
    ("references_held", "UPDATE trades SET buyer_index = 99 WHERE trade_id = 7"),
    ("references_held", "UPDATE postings SET asset_index = 99 WHERE posting_id = 17"),
    ("references_held", "UPDATE entries SET counter_index = 99 WHERE entry_id = 2"),
    ("rows_as_logged", "DELETE FROM transfers WHERE state = 'rejected'"),
    ("rows_as_logged", f"UPDATE feed SET item = {BYTES} WHERE transfer_seq = 1"),
    ("rows_as_logged", "UPDATE trades SET failure = 'no cash' WHERE trade_id = 2"),
    ("bank_pay_outs", "INSERT INTO pay_outs VALUES (1, 1, 5, 'own', 'begun')"),
    ("bank_closings", "INSERT INTO bank_accounts VALUES ('bob', 7)"),
    ("conservation", "UPDATE postings SET amount = amount + 1 WHERE posting_id = 17"),
    ("conservation", "DELETE FROM postings WHERE account_index = -2"),
    ("entries_balance", "UPDATE postings SET amount = amount + 1 WHERE posting_id = 17"),
    ("postings_of_entries", "INSERT INTO postings VALUES (79992, 1, 0, 3, 1)"),
    ("entries_balance", "DELETE FROM postings WHERE posting_id / 8 = 9"),
    ("postings_of_entries", "DELETE FROM entries WHERE entry_id = 9"),
    ("entries_in_order", "DELETE FROM entries WHERE entry_id = 9"),
    ("entries_in_order", "UPDATE entries SET settlement_seq = 1 WHERE entry_id = 12"),
    (
        "never_negative",
        "UPDATE postings SET amount = 100000 * amount WHERE posting_id IN (66, 67)",
    ),
    ("balances_kept", "UPDATE snapshot_balances SET amount = amount + 1 WHERE amount > 0"),
    ("balances_kept", "DELETE FROM snapshots WHERE entry_id < 25"),
    ("balances_shown", VIEW_LIES),
    ("causes", "UPDATE snapshots SET settlement_seq = 1"),
    ("moves", "INSERT INTO postings VALUES (22, 0, 0, 4, 5), (23, 0, 0, 4, -5)"),
    ("trades_once", f"INSERT INTO postings SELECT 8 * {TRADE_ENTRY} + 6, 0, 0, 3, 5;"
     f"INSERT INTO postings SELECT 8 * {TRADE_ENTRY} + 7, 0, 0, 3, -5"),
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
    ("moves", "UPDATE postings SET compartment = 4 WHERE posting_id = 17"),
    ("kinds", "UPDATE entries SET kind = 99 WHERE entry_id = 2"),
    ("kinds", "UPDATE entries SET account_index = -1 WHERE kind = 2"),
    ("posted_when", "UPDATE entries SET business_date = business_date + 1 WHERE kind = 7"),
    ("posted_when", "UPDATE entries SET settlement_seq = 1 WHERE kind = 8"),
    ("trade_states", "UPDATE trades SET state = 'received' WHERE trade_id = 7"),
    ("trade_states", "DELETE FROM busts"),
    ("postponed_legs", "INSERT INTO postponed VALUES (3, 1, 6, 20250102, 1, 0, 3, -5, 0)"),
    (
        "deliveries",
        "INSERT INTO deliveries VALUES (20250102, 9, 0); UPDATE meta SET confirmed_date = 20250102",
    ),
    ("confirmed_day", "UPDATE meta SET confirmed_date = 20250102"),
    ("registry_state", "UPDATE meta SET state = 'diverged: cash'"),
    ("entry_days", "DELETE FROM entry_days"),
    ("account_states", "UPDATE accounts SET state = 'suspended' WHERE account = 'bob'"),
    ("accounts_ended", "UPDATE accounts SET state = 'closed' WHERE account = 'bob'"),
    ("acts_of_two", "UPDATE acts SET proposal_id = 1"),
    ("claims_paid", "UPDATE entries SET kind = 27 WHERE kind = 15"),
    ("claims_paid", "INSERT INTO claims_paid VALUES (1, 1)"),
    ("proceeds_booked", "UPDATE entries SET kind = 44 WHERE kind = 15"),
    ("reserve_filled", "UPDATE entries SET kind = 43 WHERE kind = 15"),
    ("issue_reversals", "INSERT INTO issue_reversals VALUES (1, 2, 'x')"),
    ("pay_in_reversals", "INSERT INTO pay_in_reversals VALUES (1, 2, 'x')"),
    ("default_reserve", "UPDATE defaults SET reserve_cash = 7"),
    ("bank_pay_ins", "INSERT INTO bank_pay_ins VALUES ('S1', 2)"),
    (
        "bank_instructions",
        "INSERT INTO bank_instructions VALUES ('I1', 'between', 2, 1, 'a', 'b', 5,"
        " 20250102, 'x', 'made', '', '')",
    ),
    ("distribution_entries", "UPDATE entries SET kind = 9 WHERE kind = 15"),
    (
        "kept_for_entities",
        "INSERT INTO kept_changes VALUES (1, 11, 1, 0, -5, 'recall 1', 20250102)",
    ),
    ("kept_by_provinces", "INSERT INTO kept_changes VALUES (1, 11, 1, 0, 5, 'recall 1', 20250102)"),
    (
        "deductions_taken",
        "INSERT INTO deductions VALUES (1, 1, 'D', 'other', 0, 5, 20250102, 20250102);"
        "INSERT INTO deductions_taken VALUES (1, 'distribution 1', 1, 6)",
    ),
    ("recalls_taken", "INSERT INTO recalls VALUES (1, 1, 11, 2024, 0, 5, 0, 20250102)"),
    ("recalls_open", "INSERT INTO recalls_open VALUES (1)"),
    (
        "recalls_first",
        "INSERT INTO deductions VALUES (1, 1, 'D', 'recall', 2024, 5, 20250102, 20250102);"
        "INSERT INTO distributions VALUES (1, 'x', 2024, 0, 'pre', 20250102)",
    ),
    ("recall_transfers", "INSERT INTO transfers VALUES (99, 'recall', 1, 0, 5, 'completed', 0, 0)"),
    (
        "borrowings",
        "INSERT INTO borrowings VALUES (1, 2021, 1, 11, 0, 5, 'D', 'x', 1, 1, 20250102)",
    ),
    (
        "borrowed_deductions",
        "INSERT INTO deductions VALUES (1, 1, 'D', 'borrowed', 0, 5, 20250102, 20250102)",
    ),
    ("freezes_held", FREEZE),
    ("freezes_ordered", FREEZE),
    ("frozen", FREEZE),
    (
        "dispositions_done",
        "INSERT INTO dispositions VALUES (1, 'cancellation', 1, NULL, 0, 5, 'D',"
        " 'applied', '', '', 20250102, 0)",
    ),
    ("enforcement_entries", "UPDATE entries SET reference = 'freeze 1' WHERE kind = 11"),
    ("enforcement_entries", "UPDATE entries SET reference = 'disposition 1' WHERE kind = 11"),
    ("surrender_entries", SURRENDER),
    ("surrendered", SURRENDER),
    (
        "carried_over",
        "INSERT INTO carryovers VALUES (1, 1, 1, 20250102, 'exchanged', 20250102);"
        "INSERT INTO carryover_lines VALUES (1, 0, 2024, 5)",
    ),
    (
        "obligations_paid",
        "INSERT INTO obligation_entries VALUES (2024, 1, 1, 5, 5, 0);"
        "INSERT INTO unpaid_deductions VALUES (1, 2024, 1, 6, 20250102)",
    ),
    ("offset_and_vintage", SURRENDER.replace("2024, 5)", "2025, 5)")),
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
    assert {name for name, _sql in FOUND_BY} == {*CHECKS}


@pytest.mark.nightly
@pytest.mark.postgres_at_night
def test_an_auditor_with_a_plain_connection_finds_what_reconciling_finds(
    store, tmp_path, database_address
):
    """Row for row, by the files alone; and reconciling says each row."""
    with plain_auditor(tmp_path, database_address) as auditor:
        assert [] == auditor.found_after()
        for name, sql in FOUND_BY:
            rows = auditor.found_after(*sql.split(";"))
            store.database.begin()
            changed(store, *sql.split(";"))
            found = [CHECKS[name].sentence(row, partial(name_of, store)) for name, row in rows]
            differences = check_store(store).differences
            store.database.rollback()
            assert name in dict(rows), sql
            assert {*found} <= {*differences}, sql


def test_the_kinds_of_entries_move_what_they_move_in_the_ledger():
    """CEA-STL-01: the queries `kinds` and `moves` against `legs_of`, whatever moves where."""
    database = Sqlite.in_memory()
    tables_create(database, REGISTRY_SCHEMA)
    accounts, number, refused = (0, 1, *map(int, Institution)), 0, []
    # Lots are delivered at the CCER registry; here such an entry is one that can't be.
    elsewhere = (EntryKind.TRADE, EntryKind.BUST, EntryKind.DELIVERED)
    others = [kind for kind in EntryKind if kind not in elsewhere]
    for kind, source, target, asset in product(others, accounts, accounts, (0, int(CASH_ASSET))):
        number += 1
        row = (number, int(kind), 0, 20250102, source, target, asset, 5, "", 1)
        database.insert("entries", [row])
        try:
            legs = legs_of(kind, source, target, asset, 5)
        except LedgerError:
            refused.append(number)
            continue
        rows = [(8 * number + leg, *map(int, each)) for leg, each in enumerate(legs)]
        database.insert("postings", rows)
    assert refused == [row[0] for row in database.execute(CHECKS["kinds"].sql)]
    moved = {row[0] for row in database.execute(CHECKS["moves"].sql)}
    assert moved <= {*refused} and 0 < len(refused) < number


def test_every_check_is_on_the_page_and_says_what_must_come_out():
    page = (PROTOCOL / "ledger.md").read_text()
    text = (PROTOCOL / "rules.md").read_text()
    rules = {*re.findall(r"^\| (C\w+-\w+-\d+) \|", text, re.MULTILINE)}
    for name, check in CHECKS.items():
        assert f"| `{name}` |" in page
        assert check.rules and {*check.rules} <= rules, name
        assert "-- Must come out: nothing." in check.sql
