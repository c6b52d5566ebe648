"""The recent part of a growing tape: the book of the whole, and what was entered before it."""

import numpy as np
import pytest

from cea_exchange.domain.records import EventKind, Side
from cea_exchange.supervision.columns.book import LevelsAt
from cea_exchange.supervision.columns.market import Columns
from cea_exchange.supervision.recent import PATTERNS_RECENT, RecentTape
from cea_exchange.supervision.surveillance import surveil
from cea_exchange.supervision.tape import Tape
from support.supervision.market_days import MarketDays
from support.supervision.random_days import random_day

pytestmark = pytest.mark.property


def grown(tape: Tape, rows: int) -> Tape:
    """What there was of a tape after so many events."""
    return tape._replace(events=tape.events[:rows], time_ns=tape.time_ns[:rows])


def levels(tape: Tape) -> dict[int, list[tuple[int, ...]]]:
    columns = Columns(tape)
    found = {}
    for side in (Side.BUY, Side.SELL):
        at = LevelsAt(columns, 0, side)
        at.move(len(tape.events) - 1)
        found[side] = [tuple(map(int, column)) for column in at.best(100)]
    return found


@pytest.mark.parametrize("seed", range(4))
def test_its_book_is_the_whole_tapes_however_it_grew(seed):
    days, _ = random_day(seed)
    whole = days.tape()
    recent = RecentTape(events=40)
    for rows in range(90, len(whole.events), 61):
        so_far = grown(whole, rows)
        part = recent.of(so_far)
        assert len(part.events) < rows
        assert np.array_equal(part.events[-40:], so_far.events[-40:])
        assert levels(part) == levels(so_far)


def test_a_large_order_from_before_is_seen_when_it_goes():
    """CEA-SVL-06."""
    days = MarketDays("X", "A", "B", "N", "O")
    days.at("10:00:00")
    days.enter("A", "buy", "89.98", 12_000)
    for episode in range(3):
        days.at(f"10:{10 * episode:02}:01")
        spoof = days.enter("X", "buy", "89.99", 80_000)
        for _ in range(40):
            days.cancel("N", days.enter("N", "sell", "92.00", 1))
        days.enter("X", "sell", "90.00", 4_000)
        days.enter("B", "buy", "90.00", 4_000)
        days.at(f"10:{10 * episode:02}:31")
        days.cancel("X", spoof)
    tape = days.tape()
    (rows,) = np.nonzero(tape.events["kind"] == EventKind.ORDER_ACCEPTED)
    found = [a for a in surveil(tape, patterns=PATTERNS_RECENT) if a.accounts == ("X",)]
    assert [(alert.pattern, alert.grade) for alert in found] == [("spoofing", "high")]
    last = RecentTape(events=60)
    last.of(grown(tape, int(rows[-20])))
    (again,) = [a for a in surveil(last.of(tape), patterns=("spoofing",)) if a.accounts == ("X",)]
    assert again.grade == "watch"
    assert again.last_seq == found[0].last_seq


def test_a_short_tape_is_all_of_it():
    days = MarketDays("X", "A")
    days.at("10:00:00")
    days.enter("A", "buy", "89.98", 10)
    tape = days.tape()
    assert RecentTape().of(tape) is tape
