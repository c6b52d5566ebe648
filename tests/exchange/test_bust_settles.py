"""A bust from the operator's act to the registry's books: journal, machine, stream, settlement."""

from itertools import count

import numpy as np
import pytest

from cea_exchange.domain.records import EventKind, Phase, Reason, Side
from cea_exchange.institution.venue_link.feed import feed_items
from cea_exchange.protocol import control
from cea_exchange.registry.reconciliation.reconcile import check_ledger
from cea_exchange.registry.registry import Registry
from cea_exchange.registry.settlement.holdings_hash import holdings_hash
from cea_exchange.registry.settlement.settlement import Settlement
from cea_exchange.venue.durability.sequencer import Sequencer
from support.journal.small_market import TRADING_DATE, orders
from support.market.market_scripts import CORES, cea_with

FEES = cea_with(fee_bp=30, fee_min_fen=500)


class Exchange:
    """A sequencer and a registry in one process: the feed one way, the stream the other."""

    def __init__(self, folder, core):
        self.folder, self.core_class = folder, core
        self.registry = Registry.open(folder / "registry", admission="open")
        self.settlement = Settlement(self.registry.store)
        self.ids = count(1)
        self.ticks = count(1_000)
        self.sequencer_open()
        self.registry.product_declare("CEA23", 9_749)
        for account in ("alice", "bob"):
            self.registry.account_open(account)
            self.registry.pay_in(account, 100_000_000)
            self.registry.issue(account, "CEA23", 5_000)
            self.registry.transfer_in(account, None, 100_000_000)
            self.registry.transfer_in(account, "CEA23", 5_000)
        items = feed_items(self.registry.store, 1, 100)
        self.act(*(control.control_decode(item) for item in items))
        self.act(control.DayOpen(date=TRADING_DATE), control.PhaseSet(phase=Phase.LISTED))

    def sequencer_open(self):
        self.sequencer = Sequencer.open(
            self.folder / "venue",
            FEES,
            now_ns=lambda: next(self.ticks),
            core_class=self.core_class,
        )

    def act(self, *messages):
        events, refusals = self.sequencer.run_controls(messages)
        assert not any(refusals), refusals
        return self.settle(events)

    def settle(self, events):
        rows = events[events["settlement_seq"] != 0]
        self.settlement.apply("log", rows)
        return events

    def enter(self, account, side, price, tonnes):
        records = orders((account, next(self.ids), side, price, tonnes))
        return self.settle(self.sequencer.run_records(records))

    def trade(self, tonnes):
        """Bob sells to Alice."""
        self.enter(1, Side.SELL, 9_700, tonnes)
        events = self.enter(0, Side.BUY, 9_700, tonnes)
        return events[events["kind"] == EventKind.TRADE]

    def bust(self, trade):
        # As the operator's service reads it: from the event store, by its place in the stream.
        seq = int(trade["settlement_seq"][0])
        (row,) = self.sequencer.event_rows(self.sequencer.index.settlement_events(seq, 1))
        assert row.tobytes() == trade.tobytes()
        return control.TradeBust(
            settlement_seq=seq, trade=row.tobytes(), by="ops1", second="ops2", why="a slip"
        )

    def same_check(self):
        """Both sides hold the same at this sequence, and the ledger contradicts itself nowhere."""
        core, store = self.sequencer.machine.core, self.registry.store
        assert store.last_seq == core.settlement_seq
        assert holdings_hash(store) == core.holdings_hash()
        core.check()
        found = check_ledger(self.folder / "registry")
        assert [] == found.differences
        return found

    def close(self):
        self.sequencer.close()
        self.registry.close()


@pytest.fixture(params=CORES, ids=lambda core: core.__name__)
def exchange(request, tmp_path):
    exchange = Exchange(tmp_path, request.param)
    yield exchange
    exchange.close()


def test_a_bust_comes_to_the_same_on_both_sides(exchange):
    """CEA-STL-04: undone where it can be, claims where not, and the day agrees at its close."""
    slip, stands, sold_on = exchange.trade(10), exchange.trade(20), exchange.trade(100)
    before = exchange.same_check()
    (busted,) = (
        row for row in exchange.act(exchange.bust(slip)) if row["kind"] == EventKind.TRADE_BUSTED
    )
    assert busted["reason"] == Reason.NONE
    assert exchange.same_check().postings == before.postings + 5
    day = TRADING_DATE + 8870
    exchange.act(control.DayClose(), control.DayOpen(date=day), control.PhaseSet(phase=2))
    exchange.enter(0, Side.SELL, 9_800, 5_090)
    events = exchange.act(exchange.bust(sold_on))
    assert events["reason"][0] == Reason.ALLOWANCES_INSUFFICIENT
    found = exchange.same_check()
    assert (found.trades, found.busted, found.claims) == (3, 1, 3)
    assert exchange.registry.store.confirmed_date == TRADING_DATE
    volumes = exchange.registry.store.one("SELECT sum(tonnes) FROM trades WHERE state = 'settled'")
    assert volumes == 120 and int(stands["tonnes"][0]) == 20


def test_after_a_restart_a_bust_is_still_done(exchange):
    """Replay comes to the same state, and knows which trades were busted."""
    slip = exchange.trade(10)
    message = exchange.bust(slip)
    exchange.act(message)
    state = exchange.sequencer.machine.core.state_hash()
    exchange.sequencer.close()
    exchange.sequencer_open()
    assert exchange.sequencer.machine.core.state_hash() == state
    next_seq = exchange.sequencer.journal.next_seq
    events, (refusal,) = exchange.sequencer.run_controls([message])
    assert not len(events) and "was busted already" in str(refusal)
    assert exchange.sequencer.journal.next_seq == next_seq
    reports = exchange.sequencer.index.report_events(1, 1, 100)
    (last,) = exchange.sequencer.event_rows(reports[-1:])
    assert last["kind"] == EventKind.TRADE_BUSTED
    assert np.uint64(len(reports)) == last["counter_report_seq"]
    exchange.same_check()
