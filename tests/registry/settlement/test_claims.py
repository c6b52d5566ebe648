"""What a bust left owing is paid once, whole, from registration account to registration account."""

import pytest

from cea_exchange.domain.records import Reason
from cea_exchange.ledger.double_entry import CASH_ASSET, Compartment, Holding
from cea_exchange.registry.control.admin import SECOND
from cea_exchange.registry.control.requests.settlement.claims import ClaimList, ClaimPay
from cea_exchange.registry.reconciliation.reconcile import check_ledger
from cea_exchange.registry.settlement.settlement import Settlement
from support.refusing import refuses
from support.registry.ledger_by_hand import changed
from support.registry.settlement_records import ALICE, BOB, LOG_ID, PRODUCT, Venue

CASH = 7 * 9_749


@pytest.fixture
def venue(registry):
    """Alice has bought 7 t of Bob; the bust could not undo it."""
    venue = Venue()
    registry.product_declare(PRODUCT, 9749)
    for account in ("alice", "bob"):
        registry.account_open(account)
    registry.issue("bob", PRODUCT, 20)
    registry.pay_in("alice", 100_000)
    venue.deposited(ALICE, registry.transfer_in("alice", None, 100_000), cash=100_000)
    venue.deposited(BOB, registry.transfer_in("bob", PRODUCT, 20), tonnes=20)
    venue.trade(7, 9_749, buy_fee=3, sell_fee=2)
    venue.busted(1, Reason.ALLOWANCES_INSUFFICIENT)
    Settlement(registry.store).apply(LOG_ID, venue.records)
    return venue


def in_registration(registry, account, asset):
    return registry.store.balance(Holding(account, asset, Compartment.REGISTRATION))


def test_claims_are_paid_once_and_keep_an_account_until_then(registry, venue, tmp_path):
    """CEA-STL-08."""
    assert "claim_pay" in SECOND
    claims = ClaimList().act(registry)["claims"]
    assert [
        (1, 1, "alice", "bob", PRODUCT, 7, 0),
        (2, 1, "bob", "alice", "CNY", CASH - 2, 0),
        (3, 1, "fee account", "alice", "CNY", 5, 0),
    ] == [tuple(claim.values()) for claim in claims]
    with refuses(f"INSUFFICIENT_CASH: claim_paid: expected bob to hold {CASH - 2} of CNY"):
        registry.claims.pay(2)
    registry.pay_in("bob", CASH)
    registry.issue("alice", PRODUCT, 9)
    for claim_id in (1, 2, 3):
        assert {"entry_id": registry.store.entry_last + 1} == ClaimPay(claim_id=claim_id).act(
            registry
        )
    assert (2, 7) == tuple(in_registration(registry, who, 0) for who in (ALICE, BOB))
    assert (CASH + 3, 2) == tuple(
        in_registration(registry, who, CASH_ASSET) for who in (ALICE, BOB)
    )
    for claim_id, why in ((2, "CLAIM_PAID: .*an unpaid one"), (4, "CLAIM_UNKNOWN: .*got 4")):
        with refuses(why):
            registry.claims.pay(claim_id)
    assert [] == registry.claims.all() and 3 == len(registry.claims.all(paid=True))
    assert not [what for what in registry.accounts.pending(BOB) if what.startswith("claim")]
    assert [] == check_ledger(tmp_path).differences


def test_a_payment_of_no_claim_is_found(registry, venue, tmp_path):
    """CEA-STL-08."""
    registry.pay_in("bob", CASH)
    registry.claims.pay(2)
    changed(registry.store, "UPDATE claims SET amount = amount + 1 WHERE claim_id = 2")
    sentences = check_ledger(tmp_path).differences
    assert any("pays claim 2: owed are" in sentence for sentence in sentences)
