"""One test a rule of settlement: the sentence of protocol/rules.md."""

import pytest

from cea_exchange.domain.records import Phase
from cea_exchange.institution.venue_link.stream_settlement import Diverged, PoisonRecord
from cea_exchange.ledger.double_entry import CASH_ASSET, Compartment, Holding
from cea_exchange.registry.settlement.settlement import Settlement
from cea_exchange.registry.store import RegistryStore
from support.registry.settlement_records import (
    ALICE,
    ALICE_CASH,
    BOB,
    BOB_TONNES,
    DATE,
    LOG_ID,
    registry_prepare,
    venue_with_deposits,
)


@pytest.fixture
def store(tmp_path):
    registry_prepare(tmp_path)
    with RegistryStore.open(tmp_path) as store:
        yield store


def held(store):
    """What alice and bob have: (cash, tonnes) each."""
    return [
        tuple(store.balance(Holding(who, asset, Compartment.TRADING)) for asset in (CASH_ASSET, 0))
        for who in (ALICE, BOB)
    ]


def test_both_legs_of_a_trade_move_or_neither(store):
    """CEA-STL-01: what can not be delivered is not paid either."""
    venue = venue_with_deposits()
    venue.trade(5, price=100, buy_fee=3, sell_fee=2)
    settlement = Settlement(store)
    settlement.apply(LOG_ID, venue.records)
    after = [(ALICE_CASH - 503, 5), (498, BOB_TONNES - 5)]
    assert held(store) == after
    venue.trade(BOB_TONNES)
    with pytest.raises(PoisonRecord):
        settlement.apply(LOG_ID, venue.records)
    assert held(store) == after


def test_trades_are_settled_one_by_one_gross_and_once(store):
    """CEA-STL-02: there and back is two trades with two sets of legs, and a repeat adds none."""
    venue = venue_with_deposits()
    for _ in range(3):
        venue.trade(5)
    settlement = Settlement(store)
    for _ in range(2):
        settlement.apply(LOG_ID, venue.records)
    assert store.one("SELECT count(*) FROM trades") == 3


def test_a_day_is_confirmed_after_its_trades_and_the_comparison_of_its_totals(store):
    """CEA-STL-03."""
    venue = venue_with_deposits()
    venue.trade(5)
    settlement = Settlement(store)
    settlement.apply(LOG_ID, venue.records)
    assert store.confirmed_date == 0
    venue.day_closed(volume=5, amount=500)
    venue.checkpoint(Phase.CLOSED)
    settlement.apply(LOG_ID, venue.records)
    assert store.confirmed_date == DATE


def test_a_day_whose_totals_differ_is_not_confirmed(store):
    """CEA-STL-03."""
    venue = venue_with_deposits()
    venue.trade(5)
    venue.day_closed(volume=6, amount=600)
    with pytest.raises(Diverged, match="venue traded 6 t"):
        Settlement(store).apply(LOG_ID, venue.records)
    assert store.confirmed_date == 0
