"""What an auditor finds by SQL in a CCER registry that somebody changed by hand."""

import re
from itertools import count
from shutil import copytree

import pytest

from cea_exchange.ccer.audit import checks
from cea_exchange.ccer.store import CcerStore
from cea_exchange.institution.maintenance.store_check import store_check
from cea_exchange.ledger.audit import findings
from support.ccer.ccer_and_exchange import CcerAndExchange, P
from support.ccer.programme import (
    DayClock,
    accounts_opened,
    batch_issued,
    project_registered,
    registry_open,
)
from support.places import ROOT
from support.registry.ledger_by_hand import changed

CHECKS = checks()
CHANGES = [
    ("serials_once", "UPDATE lots SET serial_first = serial_first - 1 WHERE serial_first = 1001"),
    ("serials_once", "UPDATE lots SET serial_last = serial_last - 1 WHERE serial_last = 1000"),
    ("serials_once", "DELETE FROM lots WHERE lot_id = 1"),
    ("serials_once", "UPDATE issues SET tonnes = tonnes + 1"),
    (
        "serials_once",
        "INSERT INTO lots (lot_id, issue_number, serial_first, serial_last, asset_index,"
        " account_index, compartment, move_id) SELECT 99, issue_number, 2, 3, asset_index,"
        " account_index, compartment, move_id FROM lots WHERE lot_id = 1",
    ),
    ("lots_are_balances", "UPDATE lots SET account_index = 0 WHERE serial_first = 1"),
    ("lots_are_balances", "UPDATE postings SET amount = amount + 1 WHERE posting_id = 9"),
    ("pedigrees", "UPDATE lot_moves SET parent_id = 1 WHERE move_id = 3"),
    ("pedigrees", "UPDATE lot_moves SET serial_last = serial_last - 1 WHERE move_id = 2"),
    ("pedigrees", "UPDATE lots SET move_id = 1 WHERE serial_first = 1"),
    ("moves_posted", "UPDATE lot_moves SET account_index = 4 WHERE move_id = 3"),
    ("moves_posted", "UPDATE entries SET amount = amount + 1 WHERE entry_id = 3"),
    ("moves_posted", "DELETE FROM entries WHERE entry_id = 3"),
    ("moves_posted", "UPDATE lots SET compartment = 5 WHERE serial_first = 1"),
    ("issues_verified", "UPDATE batch_tonnes SET tonnes = tonnes + 1 WHERE stage = 'verified'"),
    ("issues_verified", "UPDATE batch_tonnes SET tonnes = tonnes - 1 WHERE stage = 'reported'"),
    ("issues_verified", "UPDATE issues SET tonnes = tonnes + 1"),
    ("cancelled", "UPDATE cancellation_lots SET serial_last = 99 WHERE cancellation_id = 1"),
    ("cancelled", "UPDATE cancellations SET state = 'applied' WHERE cancellation_id = 1"),
    ("cancelled", "UPDATE cancellations SET certificate = 'CC-1' WHERE cancellation_id = 1"),
    ("cancelled", "UPDATE lots SET account_index = 3 WHERE account_index = -7"),
    ("proofs_once", "UPDATE proofs SET serial_first = serial_first - 1 WHERE serial_first > 1"),
    ("proofs_once", "UPDATE proofs SET beneficiary = 'P002'"),
    ("proofs_once", "UPDATE proofs SET state = 'reversed'"),
    ("proofs_once", "DELETE FROM proof_stream WHERE proof_seq = 1"),
    ("references_held", "UPDATE products SET project_id = 9"),
    ("references_held", "UPDATE lots SET account_index = 99 WHERE lot_id = 1"),
    ("rows_as_logged", "UPDATE projects SET state = 'draft'"),
    ("references_held", "UPDATE lots SET account_index = 99 WHERE serial_first = 1"),
    ("entries_caused", "UPDATE cancellations SET account_index = 4 WHERE cancellation_id = 1"),
    ("entries_caused", "UPDATE cancellations SET decided_on = decided_on + 1"),
    ("entries_caused", "UPDATE cancellations SET decided_on = 0"),
    ("entries_caused", "UPDATE lot_transfers SET tonnes = tonnes + 1"),
    ("entries_caused", "UPDATE entries SET business_date = 20240101 WHERE kind = 15"),
    ("entries_caused", "DELETE FROM lot_transfers"),
    ("orders_posted", "UPDATE cancellations SET purpose = 'restitution'"),
    # What every double entry must be.
    ("conservation", "UPDATE postings SET amount = amount + 1 WHERE posting_id = 9"),
    ("entries_balance", "UPDATE postings SET amount = amount + 1 WHERE posting_id = 9"),
    ("postings_of_entries", "DELETE FROM entries WHERE entry_id = 3"),
    ("entries_in_order", "DELETE FROM entries WHERE entry_id = 2"),
    ("never_negative", "UPDATE postings SET amount = 100 * amount WHERE posting_id / 8 = 2"),
    ("balances_kept", "UPDATE snapshot_balances SET amount = amount + 1 WHERE amount > 0"),
    (
        "balances_shown",
        "DROP VIEW balances; CREATE VIEW balances AS"
        " SELECT account_index, asset_index, compartment, 7 AS amount FROM snapshot_balances",
    ),
    ("moves", "UPDATE entries SET amount = amount + 1 WHERE entry_id = 1"),
    (
        "acts_of_two",
        "INSERT INTO acts VALUES (999, 1, 20260110, 'approve', 'An', 'k', 'An', 'k', 1, '', '', 0,"
        " x'80', x'80')",
    ),
]


MARKET_CHANGES = [
    ("deliveries_once", "UPDATE trades SET tonnes = tonnes + 1 WHERE trade_id = 1"),
    ("deliveries_once", "UPDATE deliveries SET tonnes = tonnes + 1 WHERE kind = 'bust'"),
    ("deliveries_once", "DELETE FROM deliveries WHERE kind = 'bust'"),
    ("deliveries_once", "UPDATE deliveries SET entry_id = 0 WHERE kind = 'trade'"),
    ("deliveries_once", "UPDATE deliveries SET state = 'waiting' WHERE kind = 'trade'"),
    ("deliveries_once", "UPDATE entries SET amount = amount + 1 WHERE kind = 32"),
    ("days_confirmed", "UPDATE meta SET confirmed_date = 20991231"),
    ("days_confirmed", "UPDATE market_days SET completed_seq = 0 WHERE completed_seq > 0"),
    (
        "days_confirmed",
        "UPDATE deliveries SET state = 'waiting', entry_id = 0 WHERE kind = 'trade'",
    ),
    ("days_confirmed", "UPDATE checkpoints SET venue_hash = '0123456789abcdef'"),
    ("deliveries_once", "UPDATE deliveries SET business_date = 20240101 WHERE kind = 'bust'"),
    ("sent_to_market", "UPDATE market_transfers SET tonnes = tonnes + 1"),
    ("sent_to_market", "UPDATE market_transfers SET entry_id = 0"),
    ("sent_to_market", "DELETE FROM market_transfers WHERE state = 'pending'"),
    ("sent_to_market", "UPDATE listings SET account_index = 4"),
    ("sent_to_market", "UPDATE listings SET business_date = 20240101"),
    ("in_transit", "UPDATE market_transfers SET tonnes = tonnes + 1 WHERE state = 'pending'"),
    ("in_transit", "UPDATE market_transfers SET state = 'completed' WHERE state = 'pending'"),
]
"""Of a registry with an exchange: trades, one of them undone after its delivery, and a transfer
under way."""


def eventful(data, database=None):
    """Open a registry with every kind of row that the queries read."""
    clock = DayClock()
    ccer = registry_open(data, clock, database)
    accounts_opened(ccer)
    project_registered(ccer, clock)
    batch_issued(ccer, clock, {2022: 10_000})
    move = ccer.transfers.transfer
    move("transfer", "SEAWIND", "A", "WIND-1-2022", 1_000, document="contract")
    for _ in range(2):
        ccer.cancellations.approve(
            ccer.cancellations.apply(
                *("A", "WIND-1-2022", 100),
                purpose="national_ets",
                beneficiary="P001",
                compliance_year=2024,
            )
        )
    with ccer.transaction():
        ccer.store.snapshot()
    return ccer


@pytest.fixture
def ccer(tmp_path, database_address):
    with eventful(tmp_path, database_address) as ccer:
        yield ccer


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A folder of such a registry, closed; to be copied."""
    folder = tmp_path_factory.mktemp("eventful")
    eventful(folder).close()
    return folder


def test_nothing_comes_out_of_a_registry_that_is_right(ccer):
    """CCER-LOT-04: no serial is in two places."""
    for name, check in CHECKS.items():
        assert [] == ccer.store.execute(check.sql).fetchall(), name


@pytest.mark.parametrize(("name", "statement"), CHANGES)
def test_what_was_changed_by_hand_is_found(data, tmp_path, name, statement):
    """CCER-LOT-04: and reconciling says each row in words."""
    copied = copytree(data, tmp_path / "copied")
    with CcerStore.open(copied) as store:
        changed(store, statement)
        found = [*findings(store, [CHECKS[name]])]
        assert found and {*found} <= {*store_check(store, CHECKS).differences}


@pytest.fixture(scope="module")
def market_data(tmp_path_factory):
    """A folder of a registry with an exchange, closed; to be copied."""
    folder = tmp_path_factory.mktemp("traded")
    with CcerAndExchange(folder) as world:
        world.listed()
        world.pay_in("A", 50_000_000_00)
        trade = world.trade("SEAWIND", "A", 1_000)
        world.trade("SEAWIND", "A", 10)
        world.next_day()
        world.bust(trade)
        world.meet()
        world.ccer.market_transfers.to_market("SEAWIND", P, 50)
        assert world.differences() == []
    return folder


@pytest.mark.parametrize(("name", "statement"), MARKET_CHANGES)
def test_what_was_changed_of_the_market_is_found(market_data, tmp_path, name, statement):
    """CCER-STL-01: each trade is delivered once, and a confirmed day has nothing that waits."""
    copied = copytree(market_data, tmp_path / "copied")
    with CcerStore.open(copied) as store:
        changed(store, statement)
        assert [*findings(store, [CHECKS[name]])]


def test_every_query_finds_something():
    assert {name for name, _statement in (*CHANGES, *MARKET_CHANGES)} == {*CHECKS}


def test_a_pedigree_does_not_grow_with_the_lots_of_others(ccer):
    """CCER-LOT-04: it is the moves of one serial, whatever left its lot before and after."""
    move = ccer.transfers.transfer
    numbers = count()
    with ccer.transaction():
        for _ in range(200):
            document = f"contract {next(numbers)}"
            move("transfer", "SEAWIND", "B", "WIND-1-2022", 1, document=document)
    assert len(ccer.pedigree("WIND-1", 1, 1_050)) == 3
    assert len(ccer.pedigree("WIND-1", 1, 9_000)) == 1


def test_every_query_is_on_the_page_and_says_what_must_come_out():
    page = (ROOT / "protocol" / "ccer.md").read_text(encoding="utf-8")
    text = (ROOT / "protocol" / "rules.md").read_text(encoding="utf-8")
    rules = {*re.findall(r"^\| (C\w+-\w+-\d+) \|", text, re.MULTILINE)}
    for name, check in CHECKS.items():
        assert f"| `{name}` |" in page
        assert check.rules and {*check.rules} <= rules, name
        assert "-- Must come out: nothing." in check.sql
