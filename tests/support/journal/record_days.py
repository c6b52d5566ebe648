"""A venue's record of two days, of which one is over."""

import random

from cea_exchange.domain.records import Side
from cea_exchange.protocol import control
from support.journal.small_market import day_begin, orders, sequencer_open

DAYS = (20241231, 20250102)


def two_days(directory, **options):
    """Two days of random orders in batches of up to nine; the second is not over."""
    draw = random.Random(5)
    sequencer = sequencer_open(directory, **options)
    day_begin(sequencer)
    ids = [0, 0]

    def batch():
        rows = []
        for _ in range(draw.randrange(1, 10)):
            who = draw.randrange(2)
            ids[who] += 1
            side = draw.choice((Side.BUY, Side.SELL))
            rows.append((who, ids[who], side, 9_740 + draw.randrange(20), draw.randrange(1, 60)))
        records = orders(*rows)
        records["trading_date"] = sequencer.machine.core.trading_date
        sequencer.run_records(records)
        sequencer.turn()

    for _ in range(30):
        batch()
    sequencer.run_controls([control.DayClose()])
    sequencer.run_controls([control.DayOpen(date=DAYS[1]), control.PhaseSet(phase=2)])
    batch()
    sequencer.close()
