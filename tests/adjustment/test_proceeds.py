"""What the authority's sales brought goes to an account of its own, to the fen."""

import pytest

from cea_exchange.domain.records import DAY_CLOSED_DTYPE, Method, Phase, Reason
from cea_exchange.ledger.database.row_log import logged_tables
from cea_exchange.ledger.double_entry import CASH_ASSET, Compartment, Holding
from cea_exchange.ledger.institutions import Institution
from cea_exchange.protocol.security import CurveKeys
from cea_exchange.registry.control.admin import MAY, SECOND
from cea_exchange.registry.control.requests.settlement.adjustment import ProceedsList
from cea_exchange.registry.reconciliation.reconcile import check_ledger
from cea_exchange.registry.registry import Registry
from cea_exchange.registry.settlement.settlement import Settlement
from cea_exchange.registry.store import REGISTRY_SCHEMA
from registry.reconciliation.test_chain import columns_changed
from registry.settlement.test_settlement_modes import accounts_open
from support.refusing import refuses
from support.registry.ledger_by_hand import changed
from support.registry.settlement_records import BOB, DATE, LOG_ID, venue_with_deposits

BROUGHT = 5 * 100 - 3 + 9 * 101


@pytest.fixture
def venue(registry):
    return sold_by_bob(registry)


def sold_by_bob(registry):
    """The authority sells by bob: 5 t in a bidding, 9 t as a block; alice sells 2 t to it."""
    accounts_open(registry)
    registry.proceeds.account_name("bob")
    venue = venue_with_deposits()
    venue.trade(5, sell_fee=3, method=Method.BIDDING)
    venue.trade(9, 101, method=Method.BLOCK)
    venue.trade(2, buyer=BOB)
    Settlement(registry.store).apply(LOG_ID, venue.records)
    return venue


def applied(registry, venue):
    settlement = Settlement(registry.store)
    settlement.apply(LOG_ID, venue.records)
    while settlement.settle_batch():
        pass


def confirm(registry, venue):
    """Close the day: all its trades are settled."""
    venue.day_closed(volume=2, amount=200)
    day = venue.rows[-1].view(DAY_CLOSED_DTYPE)
    day["volume_bidding"], day["amount_bidding_low"] = 5, 500
    day["volume_block"], day["amount_block_low"] = 9, 909
    venue.checkpoint(Phase.CLOSED)
    applied(registry, venue)
    assert registry.store.confirmed_date == DATE


def withdraw(registry, venue):
    """Bring what the sales brought back from the venue."""
    transfer_seq = registry.transfer_out("bob", None, BROUGHT - 200)
    venue.withdrawn(BOB, transfer_seq, cash=BROUGHT - 200)
    applied(registry, venue)
    registry.pay_in("bob", 200)


def held(registry):
    return registry.store.balance(
        Holding(int(Institution.PROCEEDS), CASH_ASSET, int(Compartment.REGISTRATION))
    )


def sales(registry):
    (row,) = ProceedsList().act(registry)["sales"]
    return row


def test_they_are_booked_once_to_the_fen(registry, venue, tmp_path):
    """CEA-ADJ-03: by two persons of the authority; all methods, less the fees, not what it buys."""
    assert MAY["proceeds_book"] == ("authority",) and "proceeds_book" in SECOND
    row = sales(registry)
    assert (row["account"], row["tonnes_bidding"], row["tonnes_block"]) == ("bob", 5, 9)
    assert (row["brought"], row["booked"], row["outstanding"]) == (BROUGHT, 0, BROUGHT)
    with refuses(f"DAY_NOT_CONFIRMED: date: expected up to the confirmed 0, got {DATE}"):
        registry.proceeds.book("bob", DATE)
    confirm(registry, venue)
    with refuses("INSUFFICIENT_CASH: proceeds_booked: expected bob to hold"):
        registry.proceeds.book("bob", DATE)
    withdraw(registry, venue)
    assert registry.proceeds.book("bob", DATE) == BROUGHT
    assert held(registry) == BROUGHT
    with refuses("NOT_DUE: proceeds: .*got 0 outstanding"):
        registry.proceeds.book("bob", DATE)
    assert sales(registry)["outstanding"] == 0
    with refuses("ADJUSTMENT_ACCOUNT: account: expected one that adjusts the market, got alice"):
        registry.proceeds.book("alice", DATE)
    assert check_ledger(tmp_path).differences == []


def test_what_a_bust_takes_back_later_is_shown(registry, venue):
    """CEA-ADJ-03."""
    confirm(registry, venue)
    registry.pay_in("bob", BROUGHT)
    registry.proceeds.book("bob", DATE)
    venue.busted(1, Reason.NONE)
    venue.checkpoint(Phase.CLOSED)
    applied(registry, venue)
    assert sales(registry)["outstanding"] == -(5 * 100 - 3)
    with refuses("NOT_DUE: proceeds: .*got -497 outstanding"):
        registry.proceeds.book("bob", DATE)


def test_no_key_trades_by_an_adjustment_account(registry, venue):
    """CEA-ADJ-01: two persons of the authority name it, for good; a reader's key may look."""
    assert MAY["adjustment_account"] == ("authority",) and "adjustment_account" in SECOND
    trader, reader = CurveKeys.new().public, CurveKeys.new().public
    with refuses("ADJUSTMENT_ACCOUNT: role: expected reader, bob adjusts the market by two"):
        registry.key_grant(trader, "bob")
    registry.key_grant(reader, "bob", role="reader")
    registry.key_grant(trader, "alice")
    with refuses("ADJUSTMENT_ACCOUNT: account: expected one without a key that trades, got alice"):
        registry.proceeds.account_name("alice")
    registry.key_revoke(trader)
    registry.proceeds.account_name("alice")
    with refuses("ADJUSTMENT_ACCOUNT: account: expected another"):
        registry.proceeds.account_name("alice")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE proceeds SET cash = cash + 1", "with another amount"),
        ("UPDATE trades SET sell_fee = 4 WHERE trade_id = 1", "its trades brought"),
        ("UPDATE proceeds SET cash = cash + 1", "held are"),
    ],
)
def test_what_was_booked_otherwise_is_found(registry, venue, tmp_path, change, said):
    """CEA-ADJ-03."""
    confirm(registry, venue)
    withdraw(registry, venue)
    registry.proceeds.book("bob", DATE)
    changed(registry.store, change)
    assert any(said in sentence for sentence in check_ledger(tmp_path).differences)


def test_a_change_of_any_column_of_what_is_kept_is_found(tmp_path):
    """CEA-REG-05: of proceeds, of the risk reserve's contributions, and of CCERs' shares."""
    kept = {"adjustment_accounts", "offset_shares", "proceeds"}
    kept |= {"reserve_contributions", "reserve_terms"}
    with Registry.open(tmp_path, admission="open") as registry:
        registry.risk_reserve.terms_set(10**9, 5_000)
        authoritys = sold_by_bob(registry)
        confirm(registry, authoritys)
        withdraw(registry, authoritys)
        registry.proceeds.book("bob", DATE)
        assert registry.risk_reserve.contribute() == 1
        registry.offset_shares.set(2024, 300, "by order")
        tables = [each for each in logged_tables(REGISTRY_SCHEMA) if each.name in kept]
        unseen, tried, empty = columns_changed(registry.store, tables)
    assert (unseen, empty) == ([], []) and tried > 15
