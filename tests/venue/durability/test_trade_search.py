"""A trade's record is found by its number, wherever it lies between records of other kinds."""

from types import SimpleNamespace

import numpy as np
import pytest

from cea_exchange.domain.records import EVENT_DTYPE, EventKind
from cea_exchange.venue.operations.trade_search import ROWS_READ, trade_event


def sequencer_of(kinds, base=0):
    """A sequencer, as far as the search sees it: a settlement stream behind record `base`."""
    rows = np.zeros(len(kinds), EVENT_DTYPE)
    rows["kind"] = kinds
    rows["settlement_seq"] = base + 1 + np.arange(len(kinds))
    is_trade = rows["kind"] == EventKind.TRADE
    rows["trade_id"][is_trade] = 1 + np.arange(np.count_nonzero(is_trade))
    # What other kinds have in the place of a trade id must not mislead.
    rows["trade_id"][~is_trade] = 7
    reads = []

    def event_rows(seqs):
        reads.append(len(seqs))
        return rows[np.asarray(seqs, np.intp)]

    def settlement_events(first, count):
        start = first - 1 - base
        return np.arange(start, min(start + count, len(rows)))

    core = SimpleNamespace(settlement_seq=base + len(rows))
    machine = SimpleNamespace(settlement_base=base, core=core)
    index = SimpleNamespace(settlement_events=settlement_events)
    return SimpleNamespace(machine=machine, index=index, event_rows=event_rows, reads=reads)


@pytest.mark.parametrize("base", [0, 70_000])
@pytest.mark.parametrize("seed", range(4))
def test_every_trade_is_found_and_no_other(seed, base):
    random = np.random.default_rng(seed)
    kinds = random.choice([EventKind.TRADE, EventKind.DEPOSITED, EventKind.DAY_CLOSED], 5_000)
    sequencer = sequencer_of(kinds, base)
    last = np.count_nonzero(kinds == EventKind.TRADE)
    for trade_id in (1, 2, last // 2, last - 1, last, *random.integers(1, last, 20).tolist()):
        found = trade_event(sequencer, trade_id)
        assert (found["kind"], found["trade_id"]) == (EventKind.TRADE, trade_id)
    assert trade_event(sequencer, 0) is None
    assert trade_event(sequencer, last + 1) is None


@pytest.mark.parametrize("place", [0, 1, 9_999, 5_000])
def test_a_single_trade_among_others_is_found(place):
    kinds = np.full(10_000, EventKind.DEPOSITED)
    kinds[place] = EventKind.TRADE
    assert trade_event(sequencer_of(kinds), 1)["settlement_seq"] == place + 1
    assert trade_event(sequencer_of(kinds), 2) is None


def test_without_records_there_is_no_trade():
    assert trade_event(sequencer_of(np.zeros(0, np.uint8)), 1) is None


def test_it_reads_a_few_pieces_of_a_long_stream():
    sequencer = sequencer_of(np.full(1_000_000, EventKind.TRADE))
    assert trade_event(sequencer, 765_432)["trade_id"] == 765_432
    assert len(sequencer.reads) <= 20 and max(sequencer.reads) <= ROWS_READ
