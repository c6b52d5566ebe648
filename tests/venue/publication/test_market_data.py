"""The public stream's parts: cuts in time and in parts, snapshots, the follower's chain."""

from types import SimpleNamespace

import msgspec
import numpy as np
import pytest
import zmq

from cea_exchange.client.book import MarketBooks
from cea_exchange.core.market import CompiledMarket
from cea_exchange.domain.profile import load_profile
from cea_exchange.domain.records import (
    ACCOUNT_NONE,
    BOOK_CHANGE_DTYPE,
    COMMAND_DTYPE,
    EVENT_DTYPE,
    MARKET_DATA_DTYPE,
    BookChangeKind,
    CommandKind,
    Phase,
    Side,
)
from cea_exchange.matching.reference import ReferenceMarket
from cea_exchange.protocol.framing import (
    SnapshotHeader,
    StreamPlace,
    cut_header_decode,
    market_data_records,
    snapshot_header_decode,
)
from cea_exchange.venue._market_data import MarketFeed
from cea_exchange.venue.publication import market_data
from cea_exchange.venue.publication.market_data import CUT_PAUSE_FACTOR, MarketDataPublisher
from cea_exchange.venue.publication.router import RouterMailbox
from cea_exchange.venue.publication.snapshot_service import PAUSE_FACTOR, SnapshotService
from support.market.market_flow import RULES, Flow, steps_seeded
from support.market.public_books import (
    LOG_ID,
    book_of,
    market_shown,
    message_of,
    sides,
    snapshot_take,
)

NAMES = ["P0"]


class Clock:
    def __init__(self):
        self.now_s = 100.0

    def __call__(self):
        return self.now_s


class Venue:
    """A market of one product, its stream into a socket that the test reads."""

    def __init__(self, context, core_class=CompiledMarket, interval_ms=10, profile="open"):
        profile = load_profile(profile)
        self.core = core_class(profile.rules, 100_000)
        self.core.product_declare(1, 1_000)
        self.core.account_declare(1)
        self.core.account_declare(2)
        self.machine = SimpleNamespace(
            core=self.core, product_names=NAMES, profile=profile, biddings={}, applications={}
        )
        self.clock = Clock()
        self.out, self.inbox = context.socket(zmq.PUSH), context.socket(zmq.PULL)
        self.out.bind("inproc://stream")
        self.inbox.connect("inproc://stream")
        self.stream = MarketDataPublisher(
            self.machine,
            LOG_ID,
            self.out.send_multipart,
            interval_ms=interval_ms,
            now_s=self.clock,
            spent_s=self.clock,
        )
        self.release(self.core.day_open(20250716), self.core.phase_set(Phase.LISTED))
        self.clock.now_s += 1
        self.stream.turn()
        self.client_order_id = 0

    def release(self, *parts):
        self.stream.publish(*parts)

    def enter(self, side, *orders, account_index=0):
        """Enter orders of (price, tonnes) and give their events."""
        commands = np.zeros(len(orders), COMMAND_DTYPE)
        commands["kind"], commands["side"] = CommandKind.ENTER, side
        commands["account_index"] = account_index
        commands["price"], commands["tonnes"] = zip(*orders, strict=True)
        ids = self.client_order_id + 1 + np.arange(len(orders), dtype=np.uint64)
        commands["client_order_id"] = ids
        self.client_order_id += len(orders)
        events = np.zeros(8 * len(orders) + 1_000, EVENT_DTYPE)
        consumed, produced = self.core.process(commands, events)
        assert consumed == len(orders)
        return events[:produced]

    def messages(self, topic=b"md"):
        got = []
        while self.inbox.poll(0):
            name, *frames = self.inbox.recv_multipart()
            if name == topic:
                got.append(frames)
        return got


@pytest.fixture
def context():
    with zmq.Context() as context:
        yield context
        context.destroy(linger=0)


@pytest.fixture(params=[CompiledMarket, ReferenceMarket])
def venue(context, request):
    venue = Venue(context, request.param)
    venue.messages()
    return venue


# -- Cuts ------------------------------------------------------------------------------------------


def test_batches_within_an_interval_are_told_together_and_trades_one_by_one(venue):
    venue.release(venue.enter(Side.SELL, (1_000, 10)))
    (first,) = venue.messages()
    for _ in range(3):
        venue.release(venue.enter(Side.BUY, (1_000, 2)))
    assert venue.messages() == []
    venue.clock.now_s += 0.011
    venue.stream.turn()
    ((header, public, changes),) = venue.messages()
    assert cut_header_decode(header).previous == cut_header_decode(first[0]).seq
    assert cut_header_decode(header).seq == venue.core.event_seq
    assert np.frombuffer(public, MARKET_DATA_DTYPE)["tonnes"].tolist() == [2, 2, 2]
    rows = np.frombuffer(changes, BOOK_CHANGE_DTYPE)
    assert rows["kind"].tolist() == [BookChangeKind.LEVEL, BookChangeKind.ORDER]
    assert rows["tonnes"].tolist() == [4, 4]
    venue.clock.now_s += 1
    venue.stream.turn()
    assert venue.messages() == []


def test_a_cut_that_takes_long_is_followed_by_a_long_pause(venue):
    """Levels of very many orders that come into view again and again don't stop the venue."""
    send = venue.stream._send

    def send_slowly(*arguments):
        venue.clock.now_s += 0.1
        send(*arguments)

    venue.stream._send = send_slowly
    venue.release(venue.enter(Side.SELL, (1_000, 10)))
    assert len(venue.messages()) == 1
    venue.clock.now_s += 0.1 * CUT_PAUSE_FACTOR - 0.05
    venue.release(venue.enter(Side.SELL, (1_001, 10)))
    assert venue.messages() == []
    venue.clock.now_s += 0.1
    venue.stream.turn()
    assert len(venue.messages()) == 1


def test_what_nobody_may_see_is_no_message(venue):
    before = venue.stream.seq
    venue.release(venue.core.checkpoint())
    venue.clock.now_s += 1
    venue.stream.turn()
    assert venue.messages() == []
    assert venue.stream.seq == before
    venue.stream.heartbeat()
    ((place,),) = venue.messages(b"hb")
    assert msgspec.msgpack.decode(place) == {
        "log_id": LOG_ID,
        "seq": before,
        "market_data_seq": venue.core.market_data_seq,
    }


def test_nothing_is_told_of_a_market_that_is_ahead_of_what_was_released(venue):
    """Its books may hold what is not on disk."""
    venue.release(venue.enter(Side.SELL, (1_000, 10)))
    venue.messages()
    held_back = venue.enter(Side.SELL, (1_001, 10))
    venue.stream.close()
    assert venue.messages() == []
    with pytest.raises(RuntimeError, match="events are released up to"):
        venue.clock.now_s += 1
        venue.stream.publish(venue.core.checkpoint()[:0])
        venue.stream._noted_seq += 1
        venue.stream.turn()
    assert len(held_back) > 0
    assert venue.messages() == []


def test_a_large_message_comes_in_parts_and_is_put_together(context, monkeypatch):
    monkeypatch.setattr(market_data, "CHANGE_ROWS_MAX", 64)
    monkeypatch.setattr(market_data, "PUBLIC_ROWS_MAX", 16)
    venue = Venue(context)
    venue.messages()
    venue.release(venue.enter(Side.SELL, *((1_000 + n, 5) for n in range(100))))
    venue.clock.now_s += 1
    venue.release(venue.enter(Side.BUY, (1_049, 250)))
    parts = venue.messages()
    headers = [cut_header_decode(header) for header, _, _ in parts]
    assert [(header.part, header.parts) for header in headers] == [
        *((n, 4) for n in range(4)),
        *((n, 4) for n in range(4)),
    ]
    assert len({header.seq for header in headers}) == 2
    assert all(len(public) <= 16 * 64 and len(rows) <= 64 * 40 for _, public, rows in parts)
    snapshot = venue.stream.snapshot()
    assert [snapshot_header_decode(header).parts for header, _ in snapshot] == [2, 2]
    assert [bool(snapshot_header_decode(header).market) for header, _ in snapshot] == [True, False]
    books = MarketBooks()
    books.take_heartbeat(StreamPlace(LOG_ID, venue.stream.seq, 0))
    answers = [
        books.take_snapshot(snapshot_header_decode(h), np.frombuffer(rows, BOOK_CHANGE_DTYPE))
        for h, rows in snapshot
    ]
    assert answers == [False, True]
    assert sides(books.book("P0")) == book_of(venue.core, 0, 0)


def test_bands_are_told_where_they_move(context):
    venue = Venue(context, profile="cea")
    header = cut_header_decode(venue.messages()[0][0])
    (band,) = header.bands
    assert (band.product, band.reference_price) == ("P0", 1_000)
    assert (band.band_low, band.band_high) == (900, 1_100)
    venue.release(venue.core.day_close())
    venue.clock.now_s += 1
    venue.release(venue.core.reference_price_set(0, 2_000))
    venue.clock.now_s += 1
    venue.release(venue.core.halt(0))
    bands = [cut_header_decode(header).bands for header, _, _ in venue.messages()]
    assert [[band.reference_price for band in one] for one in bands] == [[1_000], [2_000], []]


def test_the_composite_weighs_the_products_and_takes_references_where_nothing_traded(context):
    """CEA-PRC-04: open, last and close of the day so far, half up."""
    venue = Venue(context)
    venue.release(venue.enter(Side.SELL, (1_001, 1), (1_004, 1)))
    venue.release(venue.enter(Side.BUY, (1_004, 2), account_index=1))
    venue.core.product_declare(2, 500)
    venue.machine.product_names = ["P0", "P1"]
    # (1001 + 500) / 2, (1004 + 500) / 2, and the mean of 1001 and 1004, half up, is 1003.
    assert venue.stream.market()["composite"] == {"open": 751, "last": 752, "close": 752}
    venue.machine.product_names = []
    assert venue.stream.market()["composite"] is None


def test_a_product_declared_later_is_told_of(context):
    """It has no event of its own: the statistics name it, and the feeds make room for it."""
    for number, core_class in enumerate((CompiledMarket, ReferenceMarket)):
        with zmq.Context() as own:
            venue = Venue(own, core_class)
            venue.messages()
            venue.core.product_declare(2 + number, 500)
            venue.machine.product_names = ["P0", "P1"]
            venue.stream.heartbeat()
            ((shown,),) = venue.messages(b"stats")
            names = [product["product"] for product in msgspec.msgpack.decode(shown)["products"]]
            assert names == ["P0", "P1"]
            own.destroy(linger=0)


def test_an_order_that_moves_to_a_level_which_leaves_the_view_leaves_with_it(venue):
    """Out of its old level, which stays, though its new one is told of by nothing any more."""
    venue.enter(Side.BUY, (1_000, 5), (1_000, 6), (999, 7))
    feed = market_data.feed_of(venue.core, 2, lambda: 1)
    books = MarketBooks()
    books.take_heartbeat(StreamPlace(LOG_ID, 1, 0))
    assert snapshot_take(books, 1, feed.snapshot(), NAMES)
    assert sides(books.book("P0")) == book_of(venue.core, 0, 2)
    moved = np.zeros(1, COMMAND_DTYPE)
    moved["kind"], moved["order_id"], moved["client_order_id"] = CommandKind.AMEND, 1, 100
    moved["price"], moved["tonnes"] = 999, 5
    events = np.zeros(8, EVENT_DTYPE)
    consumed, produced = venue.core.process(moved, events)
    assert (consumed, produced > 0) == (1, True)
    venue.client_order_id = 100
    feed.note(np.concatenate((events[:produced], venue.enter(Side.BUY, (1_001, 1)))))
    books.take(message_of(1, 2, *feed.cut()))
    assert [level.price for level in books.book("P0").bids] == [1_001, 1_000]
    assert sides(books.book("P0")) == book_of(venue.core, 0, 2)


def test_a_level_of_the_same_tonnes_with_other_orders_is_told_of(venue):
    (resting,) = set(venue.enter(Side.SELL, (1_000, 10))["order_id"].tolist())
    feed = market_data.feed_of(venue.core, 5, lambda: 1)
    cancel = np.zeros(1, COMMAND_DTYPE)
    cancel["kind"], cancel["order_id"], cancel["client_order_id"] = CommandKind.CANCEL, resting, 9
    events = np.zeros(4, EVENT_DTYPE)
    _, produced = venue.core.process(cancel, events)
    venue.client_order_id = 9
    feed.note(np.concatenate((events[:produced], venue.enter(Side.SELL, (1_000, 4), (1_000, 6)))))
    rows = np.frombuffer(feed.cut()[1], BOOK_CHANGE_DTYPE)
    (level,) = rows[rows["kind"] == BookChangeKind.LEVEL]
    assert (level["tonnes"], level["order_count"]) == (10, 2)


# -- No names --------------------------------------------------------------------------------------


def test_no_public_record_has_room_for_a_name():
    """CEA-LST-09: by their layout they can't say whose an order is."""
    shown = set(MARKET_DATA_DTYPE.names) | set(BOOK_CHANGE_DTYPE.names)
    assert not {
        name
        for name in shown
        for word in ("account", "client", "operator", "owner")
        if word in name
    }
    assert not {name for name in shown if name.startswith("report")}


def test_who_is_who_makes_no_difference_to_a_single_byte():
    """CEA-LST-09: the same orders from other accounts are the same stream."""
    shown = []
    for first, second in ((0, 1), (1, 0)):
        with zmq.Context() as context:
            venue = Venue(context)
            # The second client's ids are its own, so both worlds count alike.
            venue.release(venue.enter(Side.SELL, (1_000, 10), (1_001, 5), account_index=first))
            venue.release(venue.enter(Side.BUY, (1_000, 4), (990, 7), account_index=second))
            venue.clock.now_s += 1
            venue.release(venue.enter(Side.BUY, (1_001, 8), account_index=second))
            venue.stream.heartbeat()
            frames = []
            while venue.inbox.poll(0):
                frames.append(venue.inbox.recv_multipart())
            shown.append((frames, venue.stream.snapshot()))
            context.destroy(linger=0)
    assert shown[0] == shown[1]
    assert len(shown[0][0]) > 3


def test_both_ways_to_copy_the_public_part_of_events_agree():
    """Compiled for the venue, in numpy for the reference market; `PlainFeed` uses the latter."""
    flow = Flow([CompiledMarket], RULES["cea"])
    feed = MarketFeed(flow.market, 5)
    shown = len(flow.events_all)
    flow.run(steps_seeded(5, 600))
    events = np.concatenate(flow.events_all[shown:])
    events["account_index"][::2] = ACCOUNT_NONE
    feed.note(events)
    public, _ = feed.cut()
    assert public == market_data_records(events).tobytes()
    assert len(public) > 50 * MARKET_DATA_DTYPE.itemsize


@pytest.mark.parametrize(
    "events", [[], np.zeros(2, "u8"), np.zeros((2, 2), EVENT_DTYPE), np.zeros(4, EVENT_DTYPE)[::2]]
)
def test_the_feed_refuses_what_are_no_events(events):
    feed = MarketFeed(CompiledMarket(RULES["cea"]), 5)
    with pytest.raises(TypeError, match="events: expected"):
        feed.note(events)


def test_the_feed_wants_a_market_and_a_number():
    with pytest.raises(TypeError):
        MarketFeed(None, 5)
    with pytest.raises(ValueError, match="levels_max"):
        MarketFeed(CompiledMarket(RULES["cea"]), -1)


# -- The snapshot service --------------------------------------------------------------------------


class KeyedMailbox(RouterMailbox):
    """Without CURVE there is no key; here everybody has one."""

    def receive(self):
        message = super().receive()
        return message and message._replace(key="key")


class SnapshotSocket:
    """The snapshot service on real sockets, as the daemon binds them but without keys."""

    def __init__(self, venue, context):
        self.made = 0
        self.cost_s = 0.0
        self.venue = venue
        self.router = context.socket(zmq.ROUTER)
        self.port = self.router.bind_to_random_port("tcp://127.0.0.1")
        mailbox = KeyedMailbox(self.router)
        self.snapshots = SnapshotService(
            mailbox, venue.stream, now_s=venue.clock, spent_s=venue.clock
        )
        self.context = context
        snapshot = venue.stream.snapshot

        def counted():
            self.made += 1
            venue.clock.now_s += self.cost_s
            return snapshot()

        venue.stream.snapshot = counted

    def peer(self):
        peer = self.context.socket(zmq.DEALER)
        peer.connect(f"tcp://127.0.0.1:{self.port}")
        return peer

    def turn_until(self, condition):
        for _ in range(1_000):
            self.snapshots.turn()
            if condition():
                return
            self.router.poll(5)
        raise AssertionError("the condition did not come true")


ASK = msgspec.msgpack.encode({"op": "snapshot"})


def test_one_snapshot_answers_all_who_wait_and_asking_twice_is_waiting_once(
    venue, context
):
    snapshots = SnapshotSocket(venue, context)
    venue.clock.now_s -= 1  # Not yet due.
    peers = [snapshots.peer() for _ in range(3)]
    for peer in peers:
        for _ in range(5):
            peer.send(ASK)
    waiting = snapshots.snapshots._waiting
    snapshots.turn_until(lambda: len(waiting) == 3 and not snapshots.router.poll(50))
    assert snapshots.made == 0
    venue.clock.now_s += 2
    snapshots.turn_until(lambda: all(peer.poll(0) for peer in peers))
    assert snapshots.made == 1
    assert not snapshots.snapshots.has_waiting
    for peer in peers:
        header, _ = peer.recv_multipart()
        assert snapshot_header_decode(header).seq == venue.stream.seq
        assert not peer.poll(20)


def test_snapshots_are_made_in_a_small_part_of_the_time(venue, context):
    snapshots, peer = SnapshotSocket(venue, context), None
    snapshots.cost_s = 0.5
    peer = snapshots.peer()
    peer.send(ASK)
    snapshots.turn_until(lambda: peer.poll(0))
    peer.recv_multipart()
    peer.send(ASK)
    snapshots.turn_until(lambda: snapshots.snapshots.has_waiting)
    venue.clock.now_s += 0.5 * PAUSE_FACTOR - 0.1
    snapshots.snapshots.turn()
    assert snapshots.made == 1
    venue.clock.now_s += 0.2
    snapshots.turn_until(lambda: peer.poll(0))
    assert snapshots.made == 2


def test_a_snapshot_brings_the_stream_up_to_itself(venue, context):
    snapshots = SnapshotSocket(venue, context)
    venue.release(venue.enter(Side.SELL, (1_000, 10)))
    venue.release(venue.enter(Side.SELL, (1_001, 10)))
    assert len(venue.messages()) == 1
    peer = snapshots.peer()
    peer.send(ASK)
    snapshots.turn_until(lambda: peer.poll(0))
    (header, _), (shown, _, _) = peer.recv_multipart(), venue.messages()[0]
    seqs = snapshot_header_decode(header).seq, cut_header_decode(shown).seq
    assert seqs == (venue.core.event_seq, venue.core.event_seq)


# -- The follower ----------------------------------------------------------------------------------


def change(order_id, tonnes=5, price=100):
    level = np.zeros(1, BOOK_CHANGE_DTYPE)
    level["kind"], level["side"], level["price"] = BookChangeKind.LEVEL, Side.BUY, price
    level["order_count"], level["tonnes"] = 1, tonnes
    order = np.zeros(1, BOOK_CHANGE_DTYPE)
    order["kind"], order["side"], order["price"] = BookChangeKind.ORDER, Side.BUY, price
    order["order_id"], order["tonnes"], order["priority"] = order_id, tonnes, order_id
    return level.tobytes() + order.tobytes()


def level_gone(price=100):
    row = np.zeros(1, BOOK_CHANGE_DTYPE)
    row["kind"], row["side"], row["price"] = BookChangeKind.LEVEL, Side.BUY, price
    return row.tobytes()


def test_messages_kept_while_a_snapshot_is_under_way_are_applied_after_it():
    books = MarketBooks()
    books.take(message_of(3, 5, b"", change(1)))
    assert books.wants_snapshot
    with pytest.raises(LookupError, match="not exact"):
        books.book("P0")
    books.take(message_of(5, 9, b"", level_gone() + change(2, price=101)))
    books.take(message_of(9, 12, b"", change(3, price=102)))
    assert snapshot_take(books, 9, change(2, price=101), NAMES)
    assert books.seq == 12
    assert [level.orders for level in books.book("P0").bids] == [((3, 5),), ((2, 5),)]
    with pytest.raises(LookupError, match="P0"):
        books.book("P9")


def test_a_snapshot_that_does_not_fit_the_chain_is_not_taken():
    books = MarketBooks()
    books.take(message_of(5, 9, b"", change(1)))
    assert not snapshot_take(books, 4, b"", NAMES)
    assert books.wants_snapshot
    assert not snapshot_take(books, 7, b"", NAMES)
    assert snapshot_take(books, 5, b"", NAMES)
    assert books.book("P0").bids[0].orders == ((1, 5),)


def test_a_snapshot_ahead_of_the_stream_waits_for_it():
    books = MarketBooks()
    books.take(message_of(3, 5, b"", change(1)))
    assert snapshot_take(books, 12, change(3), NAMES)
    books.take(message_of(5, 9, b"", level_gone()))
    books.take(message_of(9, 12, b"", change(3)))
    assert (books.seq, books.gaps) == (12, 0)
    books.take(message_of(12, 15, b"", change(3, tonnes=2)))
    assert books.book("P0").bids[0].orders == ((3, 2),)


def test_a_gap_is_a_gap_whatever_shows_it():
    def exact():
        books = MarketBooks()
        books.take_heartbeat(StreamPlace(LOG_ID, 5, 0))
        assert snapshot_take(books, 5, change(1), NAMES)
        return books

    books = exact()
    books.take(message_of(7, 9, b"", b""))
    assert (books.gaps, books.wants_snapshot) == (1, True)
    for place in (
        StreamPlace(LOG_ID, 6, 0),
        StreamPlace("f" * 32, 5, 0),
        StreamPlace(LOG_ID, 4, 0),
    ):
        books = exact()
        books.take_heartbeat(place)
        assert (books.gaps, books.wants_snapshot) == (1, True)
    books = exact()
    books.take_heartbeat(StreamPlace(LOG_ID, 5, 0))
    assert (books.gaps, books.is_exact) == (0, True)


def test_a_snapshot_of_another_history_or_with_a_part_missing_is_not_taken():
    books = MarketBooks()
    books.take_heartbeat(StreamPlace(LOG_ID, 5, 0))
    rows = np.frombuffer(change(1), BOOK_CHANGE_DTYPE)
    fields = {"seq": 5, "market_data_seq": 0, "market": market_shown(NAMES)}
    assert not books.take_snapshot(SnapshotHeader(log_id="f" * 32, **fields), rows)
    header = SnapshotHeader(log_id=LOG_ID, parts=3, **fields)
    assert not books.take_snapshot(header, rows)
    assert not books.take_snapshot(msgspec.structs.replace(header, part=2), rows)
    assert books.wants_snapshot
