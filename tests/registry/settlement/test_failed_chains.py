"""Chains of trades that failed: what they are owed stays, and from their beginning they move."""

import datetime

import pytest

from cea_exchange.ledger.double_entry import CASH_ASSET, Compartment, Holding
from cea_exchange.registry.reconciliation.reconcile import check_ledger
from cea_exchange.registry.settlement.settlement import Settlement
from cea_exchange.registry.settlement.waiting import Lacking, Waiting, at_places
from registry.settlement.test_settlement_modes import accounts_open, day_closed, states
from support.refusing import refuses
from support.registry.registry_venue import RegistryAndVenue
from support.registry.settlement_records import ALICE, ALICE_CASH, BOB, LOG_ID, venue_with_deposits

pytestmark = pytest.mark.postgres_at_night

ORDER = {"order": "(2026) 1", "court": "a court"}
PRICE = 9_749
COST = 600 * PRICE
MODES = ("realtime", "end_of_day")
AT_VENUE, HOME, COURT = Compartment.TRADING, Compartment.REGISTRATION, Compartment.JUDICIAL


class Chain:
    """P2 sells to P1, whose cash a court has frozen; next day P1 sells the same on to P3."""

    def __init__(self, data, address, mode):
        self.refused = set()
        self.both = RegistryAndVenue(data, address, mode=mode, failure_of=self.failure_of)
        self.registry, self.store = self.both.registry, self.both.registry.store
        self.registry.product_declare("CEA24", PRICE)
        for account in ("P1", "P2", "P3"):
            self.registry.account_open(account)
        self.both.endow("P1", None, COST)
        self.both.endow("P2", "CEA24", 600)
        self.both.endow("P3", None, 2 * COST)
        self.both.meet()
        self.both.day_open()
        self.both.listed()

    def failure_of(self, trade):
        return "the bank refused: AM04" if trade.trade_id in self.refused else None

    def trade(self, seller, buyer):
        self.both.trade(seller, buyer, "CEA24", 600, PRICE)

    def made(self):
        """Both trades fail, and the court is given at the opening what P1 earned."""
        self.trade("P2", "P1")
        # The order comes after the trade, and before it settles.
        self.registry.enforcement.freeze("P1", None, COST, until=2099_01_01, **ORDER)
        self.both.next_day()
        self.trade("P1", "P3")
        self.both.next_day()
        return self

    def states(self):
        rows = self.store.execute("SELECT state FROM trades ORDER BY settlement_seq").fetchall()
        return [state for (state,) in rows]

    def cash(self, account, *compartments):
        return self.both.held(account, None, *compartments)

    def tonnes(self, account):
        return self.both.held(account, "CEA24", AT_VENUE)

    def is_sound(self):
        self.both.meet()
        assert self.both.agree(), self.store.state
        assert check_ledger(self.both.data).differences == []

    def a_day_later(self):
        self.both.day += datetime.timedelta(days=1)


@pytest.fixture(params=MODES)
def chain(request, tmp_path, database_address):
    found = Chain(tmp_path, database_address, request.param)
    yield found
    found.both.close()


def test_a_courts_withdrawal_waits_behind_the_trade_its_cash_is_owed_to(chain):
    """CEA-STL-09: the venue let it go; here it stays for trade 1."""
    chain.made()
    assert chain.states() == ["failed", "failed"]
    assert chain.store.one("SELECT sum(amount) FROM postponed WHERE amount > 0") == COST
    assert chain.cash("P1", AT_VENUE) == COST and chain.cash("P1", HOME, COURT) == 0
    chain.is_sound()
    # What waits is not asked for once more, however many days begin.
    asked = "SELECT count(*) FROM transfers WHERE direction = 'court'"
    before = chain.store.one(asked)
    chain.both.next_day()
    chain.both.next_day()
    assert chain.store.one(asked) == before


def test_when_the_court_lets_go_the_whole_chain_is_posted(chain):
    """CEA-STL-07, CEA-STL-09: and what the venue let go arrives behind it."""
    chain.made()
    assert chain.registry.defaults.retry() == []
    chain.registry.enforcement.release(1, **ORDER)
    assert chain.registry.defaults.retry() == [1, 2]
    assert chain.states() == ["settled", "settled"]
    assert (chain.tonnes("P3"), chain.cash("P2", AT_VENUE)) == (600, COST)
    assert (chain.cash("P1", AT_VENUE), chain.cash("P1", HOME)) == (0, COST)
    assert chain.store.one("SELECT count(*) FROM postponed WHERE posted_seq = 0") == 0
    assert [each["state"] for each in chain.registry.defaults.all(ended=True)] == ["cured"]
    chain.is_sound()


def test_the_reserve_frees_a_chain_while_the_court_holds_on(chain):
    """CEA-DEF-02, CEA-STL-09: trade 1 by the reserve, trade 2 behind it, then the court's cash."""
    chain.made()
    defaults = chain.registry.defaults
    defaults.notice(1, chain.registry.business_date())
    chain.a_day_later()
    defaults.reserve_fund(COST)
    defaults.reserve_use(1)
    assert chain.states() == ["settled", "settled"]
    assert chain.cash("P2", AT_VENUE) == COST and chain.tonnes("P3") == 600
    assert chain.cash("P1", COURT) == COST
    defaults.recover(1, COST)
    assert defaults.all() == [] and chain.cash("P1", AT_VENUE, HOME) == 0
    chain.is_sound()


def test_a_top_up_frees_a_chain(chain):
    """CEA-DEF-01: the court has what it asks for, and trade 1 what it takes."""
    chain.made()
    chain.registry.pay_in("P1", COST)
    assert chain.cash("P1", COURT) == COST
    assert chain.registry.defaults.retry() == [1, 2]
    assert chain.cash("P1", HOME) == COST and chain.cash("P1", AT_VENUE) == 0
    chain.is_sound()


@pytest.mark.parametrize("taker", ["trade", "withdrawal"])
def test_neither_a_trade_nor_an_owner_takes_what_a_refused_trade_is_owed(chain, taker):
    """CEA-STL-09: the bank refused trade 1; P1's cash here is what it will take."""
    chain.refused.add(1)
    chain.trade("P2", "P1")
    chain.both.endow("P2", "CEA24", 600)
    chain.both.next_day()
    chain.trade("P1", "P3")
    chain.both.next_day()
    assert chain.states() == ["failed", "failed"]
    if taker == "trade":
        chain.trade("P2", "P1")
    else:
        chain.registry.transfer_out("P1", None, COST)
    chain.both.meet()
    chain.both.next_day()
    assert chain.cash("P1", AT_VENUE) == COST
    chain.refused.clear()
    settled = chain.both.settlement.batches.retry()
    assert settled == ([1, 2, 3] if taker == "trade" else [1, 2])
    assert set(chain.states()) == {"settled"} and chain.cash("P1", AT_VENUE) == 0
    chain.is_sound()


def test_what_fails_for_its_own_reason_behind_another_gets_a_default_of_its_own(chain):
    """CEA-DEF-01: else nobody has to make it good, and the chain ends there."""
    chain.refused |= {1, 2}
    chain.trade("P2", "P1")
    chain.both.next_day()
    chain.refused.discard(2)
    chain.trade("P1", "P3")
    chain.both.next_day()
    assert [each["trade_seq"] for each in chain.registry.defaults.all()] == [
        chain.store.one("SELECT settlement_seq FROM trades WHERE trade_id = 1")
    ]
    chain.refused = {2}
    assert chain.both.settlement.batches.retry() == [1]
    (default,) = chain.registry.defaults.all()
    assert (default["account"], default["amount"]) == ("P3", COST)
    (failure,) = chain.registry.defaults.failures()
    assert (failure["why"], failure["default_id"]) == ("the bank refused: AM04", 2)
    defaults = chain.registry.defaults
    defaults.notice(2, chain.registry.business_date())
    chain.a_day_later()
    defaults.reserve_fund(COST)
    defaults.reserve_use(2)
    assert chain.states() == ["settled", "settled"]
    chain.is_sound()


def test_the_reserve_takes_a_chain_from_its_beginning(chain):
    """CEA-STL-09: a later default waits for the one before it, and says so."""
    chain.refused |= {1}
    chain.trade("P2", "P1")
    chain.both.next_day()
    chain.trade("P1", "P3")
    chain.registry.enforcement.freeze("P3", None, None, until=2099_01_01, **ORDER)
    chain.both.next_day()
    defaults = chain.registry.defaults
    defaults.reserve_fund(2 * COST)
    for default in (1, 2):
        defaults.notice(default, chain.registry.business_date())
    chain.a_day_later()
    with refuses("RESERVE_INSUFFICIENT: .*P1 lacks 600 of CEA24, of trades that failed before"):
        defaults.reserve_use(2)
    defaults.reserve_use(1)
    defaults.reserve_use(2)
    assert chain.states() == ["settled", "settled"]
    chain.is_sound()


@pytest.mark.parametrize("chain", ["realtime"], indirect=True)
def test_who_lacks_what_a_bust_took_back_has_to_make_it_good(chain):
    """CEA-DEF-01, CEA-STL-09: the bust of a sale whose proceeds the next trade needs."""
    both = chain.both
    both.endow("P1", "CEA24", 300)
    both.meet()
    chain.refused |= {1}
    both.trade("P1", "P3", "CEA24", 300, PRICE)
    chain.registry.transfer_out("P1", None, COST)
    both.meet()
    both.next_day()
    # P1's cash is at the venue only what trade 1 brings there.
    both.trade("P2", "P1", "CEA24", 300, PRICE)
    both.next_day()
    both.trade("P1", "P3", "CEA24", 300, PRICE)
    both.meet()
    both.bust(both.records_of_trade(1))
    chain.registry.transfer_out("P1", "CEA24", 300)
    both.meet()
    both.next_day()
    assert chain.states() == ["busted", "failed", "failed"]
    assert chain.both.settlement.batches.retry() == []
    (default,) = chain.registry.defaults.all()
    assert default["why"] == f"P1 lacks {300 * PRICE} of CNY"
    chain.both.endow("P1", None, 300 * PRICE)
    chain.both.meet()
    assert chain.both.settlement.batches.retry() == [2, 3]
    chain.is_sound()


def test_a_withdrawal_that_leaves_enough_is_posted_at_once(chain):
    """CEA-STL-09: nobody waits without need."""
    chain.both.endow("P1", None, 1_000)
    chain.refused.add(1)
    chain.trade("P2", "P1")
    chain.both.next_day()
    chain.registry.transfer_out("P1", None, 1_000)
    chain.both.meet()
    assert chain.cash("P1", HOME) == 1_000 and chain.cash("P1", AT_VENUE) == COST
    chain.is_sound()


def test_in_one_day_proceeds_do_not_pay_out_what_the_days_own_trades_take(tmp_path, registry):
    """CEA-STL-09: with no failure at all; bought, sold and withdrawn before the delivery."""
    accounts_open(registry)
    venue, store = venue_with_deposits(), registry.store
    venue.trade(1_000, ALICE_CASH // 1_000)
    venue.trade(1_000, ALICE_CASH // 1_000, buyer=BOB)
    out = registry.transfer_out("alice", None, ALICE_CASH)
    venue.withdrawn(ALICE, out, cash=ALICE_CASH)
    settlement = Settlement(store, mode="end_of_day")
    settlement.apply(LOG_ID, venue.records)
    assert store.balance(Holding(ALICE, CASH_ASSET, AT_VENUE)) == ALICE_CASH
    day_closed(venue, 2_000, ALICE_CASH // 1_000)
    settlement.apply(LOG_ID, venue.records)
    while settlement.settle_batch():
        pass
    assert states(store) == ["settled", "settled"]
    assert store.balance(Holding(ALICE, CASH_ASSET, HOME)) == ALICE_CASH
    assert check_ledger(tmp_path).differences == []


def test_reconcile_names_a_chain_that_was_paid_out_from_under(chain, monkeypatch):
    """CEA-STL-09: as it was when a withdrawal took whatever was there."""

    def whatever_is_there(self, legs, before=None, also=None):
        for place, amount in at_places(legs).items():
            if self._store.balance(Holding(*place, AT_VENUE)) + amount < 0:
                return Lacking(*place, -amount)
        return None

    monkeypatch.setattr(Waiting, "lacking", whatever_is_there)
    chain.made()
    chain.registry.enforcement.release(1, **ORDER)
    assert chain.registry.defaults.retry() == []
    (difference,) = check_ledger(chain.both.data).differences
    assert difference == (
        f"account P1: what waits to be posted needs {COST} of CNY in trading, 0 are there;"
        " it can't move: trade 1"
    )
