"""The public stream's books against the market's own, at every cut, for both feeds."""

import random
from types import SimpleNamespace

import numpy as np
import pytest

from cea_exchange.client.book import MarketBooks
from cea_exchange.core.market import CompiledMarket
from cea_exchange.domain.records import BOOK_CHANGE_DTYPE, EVENT_DTYPE
from cea_exchange.matching.reference import ReferenceMarket
from cea_exchange.protocol.framing import market_data_records
from cea_exchange.venue._market_data import MarketFeed
from cea_exchange.venue.market.public_maps import open_blocks
from cea_exchange.venue.publication.market_data import PlainFeed, feed_of
from support.market.market_flow import REFERENCE_PRICES, RULES, Flow, steps_seeded
from support.market.public_books import blocks_of, book_of, message_of, sides, snapshot_take
from support.rounds import ROUNDS

pytestmark = pytest.mark.differential

STEPS = 500
NAMES = [f"P{index}" for index in range(len(REFERENCE_PRICES))]
EMPTY = np.zeros(0, EVENT_DTYPE)


class Followed(Flow):
    """A flow whose markets all have a feed and a follower; events are told whole."""

    def process(self, command, *, rows_max=64, trades_only=False):
        super().process(command, rows_max=rows_max)

    def begin(self, levels):
        self.levels = levels
        self.shown = len(self.events_all)
        self.blocks_seen = set()
        self.feeds = [feed_of(core, levels, lambda: len(NAMES)) for core in self.cores]
        self.seq = self.market.event_seq
        self.followers = [[self.joined(feed)] for feed in self.feeds]

    def joined(self, feed):
        """Return books that begin with a snapshot as of the last cut."""
        books = MarketBooks()
        books.take(message_of(0, self.seq, b"", b""))
        open_to_all = open_blocks(SimpleNamespace(core=self.market)).tobytes()
        assert snapshot_take(books, self.seq, feed.snapshot() + open_to_all, NAMES)
        return books

    def note(self):
        """Tell the feeds of the events since the last time."""
        events = [*self.events_all[self.shown :], EMPTY]
        self.shown = len(self.events_all)
        for feed in self.feeds:
            feed.note(np.concatenate(events))
        return np.concatenate(events)

    def cut_check(self):
        """Cut, and hold every follower's books to the core's."""
        cuts = [feed.cut() for feed in self.feeds]
        previous, self.seq = self.seq, self.market.event_seq
        assert len({public for public, _ in cuts}) == 1
        expected = [book_of(self.market, index, self.levels) for index in range(len(NAMES))]
        open_to_all = blocks_of(self.market, NAMES)
        for (public, changes), followers in zip(cuts, self.followers, strict=True):
            for books in followers:
                books.take(message_of(previous, self.seq, public, changes))
                assert (books.gaps, books.snapshots) == (0, 1)
                assert [sides(books.book(name)) for name in NAMES] == expected
                assert books.blocks() == open_to_all
        self.blocks_seen |= {block.is_enquiry for block in open_to_all}
        return cuts


CASES = [
    (rules, levels)
    for number, rules in enumerate(sorted(RULES))
    for turn, levels in enumerate((5, 0))
    if ROUNDS > 1 or (number + turn) % 2 == 0
]
CASES += [("all_levels", 1), ("fees", 2)]
"""By day each of the rules with five levels or with all, in turns; at night with both."""


@pytest.mark.random
@pytest.mark.parametrize(("rules", "levels"), CASES)
def test_books_are_the_markets_at_every_cut(rules, levels):
    """CEA-LST-09, OPEN-MKT-03: exactly the levels in view, and the orders in them, in their order.

    Levels enter and leave the view, orders of all kinds come, trade, are amended and cancelled,
    own orders meet, accounts are suspended, products halted, days closed; several acts between
    two cuts, or one.
    """
    seed = 31 * levels + len(rules)
    flow = Followed([CompiledMarket, ReferenceMarket], RULES[rules])
    flow.begin(levels)
    assert isinstance(flow.feeds[0], MarketFeed) and isinstance(flow.feeds[1], PlainFeed)
    source = random.Random(seed)
    public_rows, changed = 0, 0
    for step in steps_seeded(seed, STEPS):
        flow.take(step)
        if source.randrange(3):
            public_rows += len(market_data_records(flow.note()))
        if source.randrange(4) == 0:
            public_rows += len(market_data_records(flow.note()))
            cuts = flow.cut_check()
            changed += len(cuts[0][1]) > 0
    # Where days have to lie between a purchase and a sale, most of a flow is refused.
    assert public_rows > 20 and changed > 10


@pytest.mark.parametrize(("rules", "levels"), [("fees_own", 5), ("fees_own", 0), ("blocks", 5)])
def test_a_snapshot_as_of_any_cut_continues_the_stream(rules, levels):
    """CEA-LST-09, CEA-BLK-11."""
    flow = Followed([CompiledMarket, ReferenceMarket], RULES[rules])
    flow.begin(levels)
    for count, step in enumerate(steps_seeded(7, STEPS)):
        flow.take(step)
        if count % 5 == 0:
            flow.note()
            flow.cut_check()
        if count % 25 == 0:
            for feed, followers in zip(flow.feeds, flow.followers, strict=True):
                followers.append(flow.joined(feed))
                # The first goes on to the end, of the later ones the newest three.
                del followers[1:-3]
    flow.note()
    flow.cut_check()
    if rules == "blocks":
        assert flow.blocks_seen == {False, True}


def test_a_feed_that_begins_in_the_middle_goes_on_from_the_books_as_they_are():
    flow = Followed([CompiledMarket, ReferenceMarket], RULES["all_levels"])
    steps = steps_seeded(11, 2 * STEPS)
    for step in steps[:STEPS]:
        flow.take(step)
    flow.begin(5)
    for count, step in enumerate(steps[STEPS:]):
        flow.take(step)
        if count % 7 == 0:
            flow.note()
            flow.cut_check()


def test_a_snapshot_must_follow_a_cut():
    flow = Followed([CompiledMarket, ReferenceMarket], RULES["open"])
    flow.begin(5)
    for step in steps_seeded(3, 50):
        flow.take(step)
    flow.note()
    for feed in flow.feeds:
        with pytest.raises(RuntimeError, match="must follow a cut"):
            feed.snapshot()
        feed.cut()
        assert np.frombuffer(feed.snapshot(), BOOK_CHANGE_DTYPE).size > 0


def test_orders_out_of_view_are_told_of_by_nothing():
    """What happens behind the last level in view leaves no byte in the stream."""
    flow = Followed([CompiledMarket], RULES["open"])
    flow.begin(2)
    seen = set()
    for step in steps_seeded(19, 1500):
        flow.take(step)
        flow.note()
        ((_, changes),) = flow.cut_check()
        in_view = {
            order_id
            for index in range(len(NAMES))
            for side in book_of(flow.market, index, 2)
            for level in side
            for order_id, _ in level.orders
        }
        seen |= in_view
        rows = np.frombuffer(changes, BOOK_CHANGE_DTYPE)
        assert set(rows["order_id"][rows["order_id"] > 0].tolist()) <= seen
    assert len(seen) > 100 and flow.market.order_id_last > len(seen)
