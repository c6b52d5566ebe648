"""What the public sees of blocks: what is for all, without a name, and nothing of the others."""

from types import SimpleNamespace

import numpy as np
import pytest

from cea_exchange.client.book import MarketBooks, PublicBlock
from cea_exchange.domain.records import (
    COMMAND_DTYPE,
    EVENT_DTYPE,
    MARKET_DATA_DTYPE,
    BlockFlag,
    CommandKind,
    EventKind,
    Phase,
    Side,
)
from cea_exchange.venue.market.public_maps import open_blocks
from cea_exchange.venue.publication.market_data import feed_of
from support.market.market_scripts import CORES, cea_with
from support.market.public_books import market_shown, message_of, snapshot_take

NAMES = ["CEA23"]
BOB, CAROL = 1, 2


class World:
    """A market with a feed and a follower of it; bob offers, carol answers."""

    def __init__(self, make_core):
        rules = cea_with().rules
        self.core = make_core(rules)
        self.core.product_declare(1, 9_749)
        for account_key, group_index in ((1, 0), (2, 1), (3, 1)):
            self.core.account_declare(account_key, group_index)
        self.core.deposit(BOB, 0, 1_000_000)
        self.core.deposit(CAROL, 0xFFFF, 10**10)
        self.core.day_open(20250716)
        self.core.phase_set(Phase.LISTED_AND_BLOCK)
        self.feed = feed_of(self.core, 5, lambda: 1)
        self.seq, self.sent = self.core.event_seq, 0
        self.books = MarketBooks()
        self.books.take(message_of(0, self.seq, b"", b""))
        assert snapshot_take(self.books, self.seq, self.snapshot(), NAMES)

    def snapshot(self):
        return self.feed.snapshot() + open_blocks(SimpleNamespace(core=self.core)).tobytes()

    def send(self, account_index, kind, **fields):
        """Send a block command and return what the public is told of it."""
        self.sent += 1
        row = np.zeros(1, COMMAND_DTYPE)
        fields |= {"account_index": account_index, "client_order_id": self.sent, "kind": kind}
        for name, value in fields.items():
            row[name] = value
        events = np.zeros(1, EVENT_DTYPE)
        assert self.core.process(row, events) == (1, 1)
        assert events["kind"][0] != EventKind.ORDER_REJECTED
        return self.shown(events)

    def offer(self, **fields):
        terms = {"side": Side.SELL, "price": 9_749, "tonnes": 100_000}
        return self.send(BOB, CommandKind.BLOCK_OFFER, **(terms | fields))

    def shown(self, events):
        self.feed.note(events)
        public, changes = self.feed.cut()
        previous, self.seq = self.seq, self.core.event_seq
        self.books.take(message_of(previous, self.seq, public, changes))
        assert not changes and self.books.is_exact
        return np.frombuffer(public, MARKET_DATA_DTYPE)


@pytest.fixture(params=CORES, ids=lambda core: core.__name__)
def world(request):
    return World(request.param)


def test_an_offer_to_all_is_public_until_it_trades(world):
    """CEA-BLK-11."""
    (row,) = world.offer()
    assert (row["kind"], row["side"], row["price"], row["tonnes"], row["order_id"]) == (
        EventKind.BLOCK_OFFERED, Side.SELL, 9_749, 100_000, 1,
    )  # fmt: skip
    assert world.books.blocks() == [PublicBlock(1, "CEA23", Side.SELL, 9_749, 100_000, False)]
    (trade,) = world.send(CAROL, CommandKind.BLOCK_ACCEPT, order_id=1)
    assert (trade["kind"], trade["order_id"]) == (EventKind.TRADE, 1)
    assert world.books.blocks() == []


def test_an_enquiry_to_all_is_public_and_what_it_leaves_open_is_none(world):
    """CEA-BLK-11, CEA-BLK-07: withdrawn by its owner, told without a name."""
    open_terms = BlockFlag.PRICE_OPEN | BlockFlag.TONNES_OPEN
    world.send(CAROL, CommandKind.BLOCK_ENQUIRY, side=Side.BUY, flags=open_terms)
    assert world.books.blocks() == [PublicBlock(1, "CEA23", Side.BUY, None, None, True)]
    (row,) = world.send(CAROL, CommandKind.BLOCK_WITHDRAW, order_id=1)
    assert row["kind"] == EventKind.BLOCK_WITHDRAWN
    assert world.books.blocks() == []


def test_what_is_for_one_or_for_a_group_is_nobody_elses_business(world):
    """CEA-BLK-11: no byte of the negotiation; of the trade what any trade says."""
    directed = {"flags": BlockFlag.TO_ACCOUNT, "pick_order_id": CAROL}
    assert not len(world.offer(**directed))
    assert not len(world.offer(flags=BlockFlag.TO_GROUP, pick_order_id=1))
    counter = {"order_id": 1, "price": 9_700, "tonnes": 100_000}
    assert not len(world.send(CAROL, CommandKind.BLOCK_COUNTER, **counter))
    assert len(world.send(BOB, CommandKind.BLOCK_ACCEPT, order_id=1)) == 1
    assert not len(world.send(BOB, CommandKind.BLOCK_WITHDRAW, order_id=2))
    assert world.books.blocks() == []


@pytest.mark.parametrize("ends", ["day_close", "suspend"])
def test_what_is_for_all_is_gone_when_it_ends_by_itself(world, ends):
    """CEA-BLK-11, CEA-BLK-10, CEA-DAY-06."""
    world.offer()
    events = world.core.day_close() if ends == "day_close" else world.core.suspend(BOB)
    kind = EventKind.BLOCK_LAPSED if ends == "day_close" else EventKind.BLOCK_WITHDRAWN
    assert kind in world.shown(events)["kind"]
    assert world.books.blocks() == []


def test_a_snapshot_has_what_is_open_to_all(world):
    """CEA-BLK-11: a late joiner sees the same, and nothing while it knows nothing."""
    world.offer(tonnes=200_000)
    world.offer(flags=BlockFlag.TO_ACCOUNT, pick_order_id=CAROL)
    world.send(CAROL, CommandKind.BLOCK_ENQUIRY, side=Side.BUY, price=9_000, flags=8)
    late = MarketBooks()
    with pytest.raises(LookupError, match="not exact"):
        late.blocks()
    late.take(message_of(0, world.seq, b"", b""))
    assert snapshot_take(late, world.seq, world.snapshot(), NAMES)
    assert late.blocks() == world.books.blocks() == [
        PublicBlock(1, "CEA23", Side.SELL, 9_749, 200_000, False),
        PublicBlock(3, "CEA23", Side.BUY, 9_000, None, True),
    ]


def test_a_block_of_a_product_nobody_has_named_yet_waits_for_its_name(world):
    """CEA-BLK-11: the day so far names it."""
    world.core.product_declare(2, 5_000)
    world.core.deposit(BOB, 1, 100_000)
    world.offer(product_index=1, price=5_000)
    assert world.books.blocks() == []
    world.books.take_statistics(market_shown([*NAMES, "CEA24"]))
    assert [block.product for block in world.books.blocks()] == ["CEA24"]
