"""The risk reserve is filled by a share of the fees, never above the registered capital."""

import pytest

from cea_exchange.ledger.double_entry import CASH_ASSET, Compartment, Holding
from cea_exchange.ledger.institutions import Institution
from cea_exchange.registry.control.admin import SECOND
from cea_exchange.registry.control.requests.settlement.adjustment import ReserveShow
from cea_exchange.registry.reconciliation.reconcile import check_ledger
from cea_exchange.registry.settlement.settlement import Settlement
from registry.settlement.test_settlement_modes import accounts_open
from support.refusing import refuses
from support.registry.ledger_by_hand import changed
from support.registry.settlement_records import LOG_ID, venue_with_deposits

pytestmark = pytest.mark.postgres_at_night


@pytest.fixture
def venue(registry):
    """Fees of 999 fen were taken."""
    accounts_open(registry)
    venue = venue_with_deposits()
    venue.trade(5, buy_fee=500, sell_fee=499)
    Settlement(registry.store).apply(LOG_ID, venue.records)
    return venue


def traded(registry, venue, **fees):
    venue.trade(1, **fees)
    Settlement(registry.store).apply(LOG_ID, venue.records)


def held(registry, institution=Institution.RISK_RESERVE):
    return registry.store.balance(
        Holding(int(institution), CASH_ASSET, int(Compartment.REGISTRATION))
    )


def test_its_share_of_the_fees_since_the_last_time(registry, venue, tmp_path):
    """CEA-RSV-01, CEA-RSV-02: rounded down; of what was taken before the terms it has none."""
    reserve = registry.risk_reserve
    assert {"reserve_terms", "reserve_contribute", "reserve_top_up"} <= {*SECOND}
    for act in (reserve.contribute, lambda: reserve.top_up(1)):
        with refuses("RESERVE_TERMS_MISSING"):
            act()
    reserve.terms_set(10_000, 2_000)
    with refuses("NOT_DUE: reserve: expected fees with a share of 1 fen or more, got 0 fen"):
        reserve.contribute()
    traded(registry, venue, buy_fee=7, sell_fee=7)
    assert reserve.shown() == {
        **{"held": 0, "lent": 0, "capital": 10_000, "share_bp": 2_000},
        **{"fees_since": 14, "due": 2},
    }
    assert reserve.contribute() == 2
    assert (held(registry), held(registry, Institution.FEES)) == (2, 1_011)
    with refuses("NOT_DUE"):
        reserve.contribute()
    reserve.terms_set(10_000, 10_000)
    traded(registry, venue, buy_fee=3)
    assert reserve.contribute() == 3
    assert ReserveShow().act(registry)["held"] == 5
    assert check_ledger(tmp_path).differences == []


def test_never_above_the_registered_capital(registry, venue, tmp_path):
    """CEA-RSV-02: by no way; the last contribution is what there is room for."""
    reserve = registry.risk_reserve
    registry.defaults.reserve_fund(90)
    reserve.terms_set(100, 5_000)
    with refuses("RESERVE_FULL: reserve: expected at most 10 fen, .*, got 11"):
        registry.defaults.reserve_fund(11)
    with refuses("RESERVE_FULL: .*at most 10 fen, .*, got 11"):
        reserve.top_up(11)
    reserve.top_up(4)
    traded(registry, venue, buy_fee=100)
    assert reserve.contribute() == 6
    traded(registry, venue, buy_fee=100)
    with refuses("RESERVE_FULL: .*at most 0 fen"):
        reserve.contribute()
    assert held(registry) == 100
    reserve.terms_set(40, 5_000)
    assert reserve.room() == 0
    reserve.terms_set(101, 5_000)
    assert reserve.contribute() == 1
    assert check_ledger(tmp_path).differences == []


@pytest.mark.parametrize(("capital", "share"), [(0, 1), (1, -1), (1, 10_001)])
def test_terms_that_can_not_be(registry, venue, capital, share):
    """CEA-RSV-01."""
    with refuses("AMOUNT_UNSOUND"):
        registry.risk_reserve.terms_set(capital, share)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE reserve_terms SET capital = 49", "brought the reserve above 49 fen"),
        ("UPDATE reserve_terms SET share_bp = 4999", "is not the share of its fees"),
        ("UPDATE reserve_contributions SET cash = cash + 1", "with another amount"),
        ("UPDATE reserve_contributions SET fees_from = 0", "is not the share of its fees"),
    ],
)
def test_what_was_put_in_otherwise_is_found(registry, venue, tmp_path, change, said):
    """CEA-RSV-01, CEA-RSV-02."""
    registry.risk_reserve.terms_set(10_000, 5_000)
    traded(registry, venue, buy_fee=100)
    assert registry.risk_reserve.contribute() == 50
    changed(registry.store, change)
    assert any(said in sentence for sentence in check_ledger(tmp_path).differences)
