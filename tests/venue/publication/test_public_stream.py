"""The public stream on real sockets: whoever listens ends with the venue's own books."""

import random
import time
from contextlib import closing
from itertools import count

import msgspec
import numpy as np
import pytest
import zmq

from cea_exchange.client import MarketDataClient
from cea_exchange.domain.records import MARKET_DATA_DTYPE, EventKind, Phase
from cea_exchange.protocol import security
from cea_exchange.protocol.security import (
    CurveKeys,
    StrangerAdmitted,
    client_socket,
    refuses_strangers,
)
from cea_exchange.venue import venue as venue_module
from cea_exchange.venue.publication.market_data import MarketDataPublisher
from support.market.public_books import book_of
from support.patience import patience
from support.venue.market_followers import LEVELS, WAIT_S, Trader, follow_to_the_end, follower
from support.venue.venue_world import PRODUCT, enter, world_open

pytestmark = pytest.mark.e2e


@pytest.fixture(params=[False, True], ids=["direct", "relayed"], scope="module")
def door(request):
    """Settings: the public comes to the venue itself, or to its relay."""
    return {"relay": request.param}


@pytest.fixture
def truth(monkeypatch):
    """The market's own book at every sequence that was published."""
    books = {}
    send = MarketDataPublisher._send

    def send_and_note(self, public, changes, bands):
        books[self._cut_seq] = book_of(self._machine.core, 0, LEVELS)
        send(self, public, changes, bands)

    monkeypatch.setattr(MarketDataPublisher, "_send", send_and_note)
    return books


@pytest.mark.parametrize("interval_ms", [0, 10])
def test_a_subscriber_has_the_venues_book_at_every_sequence(tmp_path, truth, interval_ms, door):
    """CEA-LST-09: from before the first order to the close, over a halt."""
    with world_open(tmp_path, market_data_interval_ms=interval_ms, **door) as world:
        world.start()
        with follower(world, truth) as client:
            client.await_books(WAIT_S)
            world.ready()
            world.admin(op="clock", at="2024-12-31T09:30:00+08:00")
            trader = Trader(world, seed=1)
            for _ in range(30):
                trader.trade(3)
                client.poll()
            world.admin(op="halt", product=PRODUCT)
            trader.trade(3)
            follow_to_the_end(world, client)
            assert client.books.products[PRODUCT].halted
            assert (client.books.phase, client.books.trading_date) == (Phase.LISTED, 20241231)
            world.admin(op="resume", product=PRODUCT)
            trader.trade(20)
            world.admin(op="clock", at="2024-12-31T15:00:00+08:00")
            follow_to_the_end(world, client)
            assert client.book(PRODUCT).bids == client.book(PRODUCT).asks == ()
            assert (client.books.phase, client.books.trading_date) == (Phase.CLOSED, 0)
            band = client.books.products[PRODUCT].band
            product = world.venue.machine.core.product(0)
            assert band.reference_price == product["reference_price"]
            assert (band.band_low, band.band_high) == (product["band_low"], product["band_high"])
            assert (client.books.gaps, client.books.snapshots, client.missed) == (0, 1, 0)
            assert client.seqs_checked == {seq for seq in truth if seq >= min(client.seqs_checked)}
            # On a busy machine a message has several sequences, of which the last is compared.
            assert len(client.seqs_checked) > (5 if interval_ms else 20)


def test_a_late_joiner_and_one_who_loses_messages_end_with_the_exact_book(tmp_path, truth, door):
    with world_open(tmp_path, market_data_interval_ms=0, **door) as world:
        world.listed()
        trader = Trader(world, seed=2)
        trader.trade(30)
        source = random.Random(3)
        with follower(world, truth) as lossy, follower(world, truth) as late:
            lossy.await_books(WAIT_S)
            take = lossy._take

            def lose_some(topic, frames, got):
                if source.random() < 0.9:
                    take(topic, frames, got)

            lossy._take = lose_some
            until_s = time.monotonic() + WAIT_S * patience()
            # A busy venue has fewer messages for the same trades: until enough were lost.
            for number in count():
                trader.trade(2)
                lossy.poll(0.02)
                late.poll()
                losses = (lossy.books.gaps, lossy.books.snapshots, len(lossy.seqs_checked))
                if number >= 40 and losses[0] > 0 and losses[1] > 1 and losses[2] > 5:
                    break
                assert time.monotonic() < until_s, losses
            del lossy._take
            follow_to_the_end(world, lossy)
            follow_to_the_end(world, late)
            assert lossy.books.gaps > 0
            assert lossy.books.snapshots > 1
            assert len(lossy.seqs_checked) > 5
            assert (late.books.gaps, late.books.snapshots) == (0, 1)


def test_a_lost_last_message_is_noticed_by_the_heartbeat(tmp_path, door):
    with world_open(tmp_path, **door) as world:
        world.listed()
        trader = Trader(world, seed=4)
        with follower(world) as client:
            client.await_books(WAIT_S)
            take = client._take

            def lose_records(topic, frames, got):
                if topic != b"md":
                    take(topic, frames, got)

            client._take = lose_records
            trader.trade(5)
            until_s = time.monotonic() + WAIT_S * patience()
            while not client.books.gaps:
                client.poll(0.05)
                assert time.monotonic() < until_s
            follow_to_the_end(world, client)
            assert client.books.snapshots > 1


def test_a_restart_goes_on_with_the_numbers_and_the_books(tmp_path, truth, door):
    with world_open(tmp_path, **door) as world:
        world.listed()
        trader = Trader(world, seed=5)
        with follower(world, truth) as client:
            client.await_books(WAIT_S)
            trader.trade(30)
            follow_to_the_end(world, client)
            log_id, seq = client.books._log_id, client.books.seq
            endpoints = {name: world.venue.endpoints[name] for name in ("market_data", "snapshot")}
            world.stop()
            world.config = msgspec.structs.replace(world.config, **endpoints)
            world.start()
            world.ready()
            trader = Trader(world, seed=6, first_id=trader.next_id)
            trader.trade(30)
            follow_to_the_end(world, client)
            assert client.books._log_id == log_id
            assert client.books.seq > seq
            assert len(client.books._books[0].places) > 0


def test_a_slow_subscriber_misses_messages_and_ends_with_the_exact_book(tmp_path, monkeypatch):
    """Small buffers everywhere: the venue drops what one who does not read has no room for."""
    socket_set = security._socket_set

    def set_small(socket, *arguments):
        socket_set(socket, *arguments)
        if socket.type in (zmq.PUB, zmq.SUB):
            socket.sndbuf = socket.rcvbuf = 8_192
            socket.sndhwm = socket.rcvhwm = 10

    monkeypatch.setattr(security, "_socket_set", set_small)
    monkeypatch.setattr(venue_module, "HEARTBEAT_S", 0.02)
    with world_open(tmp_path, market_data_interval_ms=0) as world:
        world.listed()
        trader = Trader(world, seed=7)
        with follower(world) as client:
            client.await_books(WAIT_S)
            until_s = time.monotonic() + 2 * WAIT_S * patience()
            # How much is dropped, a numbered record perhaps among it, is a matter of moments.
            while not (client.books.gaps and client.missed):
                assert time.monotonic() < until_s, (client.books.gaps, client.missed)
                trader.trade(100, 64)
                follow_to_the_end(world, client)


# -- Who may ask, and how much ---------------------------------------------------------------------


def test_anybody_may_see_what_is_public_and_nothing_else(tmp_path, door):
    """The stranger gets books and trades; every other door stays shut."""
    with world_open(tmp_path, **door) as world:
        world.listed()
        public_key = world.keys["venue"].public
        with follower(world) as client:
            client.await_books(WAIT_S)
        for name, kind in (("market_data", zmq.SUB), ("snapshot", zmq.DEALER)):
            with pytest.raises(StrangerAdmitted):
                refuses_strangers(world.venue.endpoints[name], world.server_key(name), kind=kind)
        for name in ("gateway", "replay", "admin", "settlement"):
            kind = zmq.SUB if name == "settlement" else zmq.DEALER
            refuses_strangers(world.venue.endpoints[name], public_key, kind=kind)
        assert world.failure is None


@pytest.mark.parametrize("relay", [False, True])
def test_market_data_that_is_not_public_is_for_the_known_only(tmp_path, relay):
    """Whether the venue serves them itself or by a relay, and whenever they have become known."""
    with world_open(tmp_path, market_data_public=False, relay=relay) as world:
        world.listed()
        public_key = world.venue.market_data_public_key
        for name, kind in (("market_data", zmq.SUB), ("snapshot", zmq.DEALER)):
            refuses_strangers(world.venue.endpoints[name], public_key, kind=kind)
        for name in ("alice", "registry", "admin"):
            client = MarketDataClient(
                world.venue.endpoints["market_data"],
                world.keys[name],
                public_key,
                snapshot_endpoint=world.venue.endpoints["snapshot"],
                context=world.context,
            )
            with closing(client):
                client.await_books(WAIT_S)


def ask(world, peer, **request):
    peer.socket.send(msgspec.msgpack.encode(request))
    (payload,) = peer.receive()
    return msgspec.msgpack.decode(payload)


def depth_asks(shown):
    return shown["depth"]["asks"] if "depth" in shown else None


def volume_listed(shown):
    return shown["stats"]["products"][0]["volume"]["listed"] if "stats" in shown else None


def test_depth_and_the_day_so_far_are_told_on_request_and_when_they_change(tmp_path, door):
    with world_open(tmp_path, **door) as world:
        world.listed()
        alice, bob = world.logged_on("alice"), world.logged_on("bob")
        with follower(world) as client:
            client.await_books(WAIT_S)
            bob.command(enter(1, "sell", 9750, 100), enter(2, "sell", 9760, 5))
            alice.command(enter(1, "buy", 9760, 101))
            alice.reports(3)
            shown = {}
            until_s = time.monotonic() + WAIT_S * patience()
            while depth_asks(shown) != [[9760, 4, 1]] or volume_listed(shown) != 101:
                shown.update(client.poll(0.1))
                assert time.monotonic() < until_s, shown
        peer = world.peer("stranger", "snapshot")
        market = ask(world, peer, op="market")
        assert (market["phase"], market["trading_date"]) == ("listed", 20241231)
        assert market["products"] == shown["stats"]["products"]
        assert market["composite"] == {"open": 9750, "last": 9760, "close": 9750}
        assert market["products"] == [
            {
                "product": PRODUCT,
                "product_index": 0,
                "halted": False,
                "listed": True,
                "reference_price": 9749,
                "band_low": 8774,
                "band_high": 10724,
                "open": 9750,
                "high": 9760,
                "low": 9750,
                "last": 9760,
                # (9750 x 100 + 9760) / 101 = 9750.099
                "close": 9750,
                "volume": {"listed": 101, "block": 0, "bidding": 0},
                "amount": {"listed": "9847.60", "block": "0.00", "bidding": "0.00"},
            }
        ]
        depth = ask(world, peer, op="depth", product=PRODUCT)
        assert (depth["bids"], depth["asks"]) == ([], [[9760, 4, 1]])
        assert ask(world, peer, op="depth", product="CEA99")["where"] == "product"


@pytest.mark.parametrize(
    "frames",
    [
        [b"\xc1"],
        [b""],
        [msgspec.msgpack.encode({"op": "snapshot", "account": "alice"})],
        [msgspec.msgpack.encode({"op": "logon"})],
        [b"\x82\xa1a" + b"\x91" * 900],
        [b"", b"", b""],
    ],
)
def test_a_malformed_request_is_refused_with_one_line(shared, frames):
    world, peer = shared
    peer.socket.send_multipart(frames)
    (payload,) = peer.receive()
    assert msgspec.msgpack.decode(payload)["op"] == "refused"
    assert world.failure is None


@pytest.fixture(scope="module")
def shared(tmp_path_factory, door):
    with world_open(tmp_path_factory.mktemp("venue"), **door) as world:
        world.listed()
        yield world, world.peer("stranger", "snapshot")


def test_who_floods_the_snapshot_socket_stops_neither_trading_nor_others(tmp_path, door):
    with world_open(tmp_path, **door) as world:
        world.listed()
        trader = Trader(world, seed=8)
        floods = [world.peer("stranger", "snapshot") for _ in range(3)]
        request = msgspec.msgpack.encode({"op": "snapshot"})
        for number in range(6_000):
            # The first reads nothing, the second talks nonsense, the third is too loud to be heard.
            payload = (request, b"\xc1" * 100, bytes(100_000 if number < 9 else 1))[number % 3]
            floods[number % 3].knock(payload)
        with follower(world) as client:
            trader.trade(20)
            client.await_books(WAIT_S)
            follow_to_the_end(world, client)
        assert world.failure is None
        assert world.admin(op="status")["sessions"] == 2


# -- No names --------------------------------------------------------------------------------------


def test_no_byte_of_the_stream_or_a_snapshot_names_anybody(tmp_path, door):
    """CEA-LST-09: no account, operator, key or client order id leaves by the public doors."""
    marked = 0x5EC2E7_0123_4567
    with world_open(tmp_path, market_data_interval_ms=0, **door) as world:
        world.start()
        world.ready()
        socket = client_socket(
            world.context,
            zmq.SUB,
            keys=CurveKeys.new(),
            server_key=world.server_key("market_data"),
        )
        socket.subscribe(b"")
        socket.connect(world.venue.endpoints["market_data"])
        assert socket.poll(5_000 * patience())
        world.admin(op="clock", at="2024-12-31T09:30:00+08:00")
        Trader(world, seed=9, first_id=marked).trade(20)
        peer = world.peer("stranger", "snapshot")
        heard = []
        for op in ("snapshot", "market"):
            peer.socket.send(msgspec.msgpack.encode({"op": op}))
            heard.append(peer.receive())
        peer.socket.send(msgspec.msgpack.encode({"op": "depth", "product": PRODUCT}))
        heard.append(peer.receive())
        world.admin(op="clock", at="2024-12-31T15:00:00+08:00")
        topics = set()
        while not {b"md", b"hb", b"depth", b"stats", b"bulletin"} <= topics:
            assert socket.poll(5_000 * patience())
            heard.append(socket.recv_multipart())
            topics.add(heard[-1][0])
        said = b"\n".join(b"\n".join(frames) for frames in heard)
        rows = [frames[2] for frames in heard if frames[0] == b"md"]
        assert EventKind.TRADE in np.frombuffer(b"".join(rows), MARKET_DATA_DTYPE)["kind"]
        secrets = [name.encode() for name in ("alice", "bob", "account", "operator")]
        secrets += [world.keys[name].public.encode() for name in ("alice", "bob")]
        # The upper six bytes of every client order id, in both orders of bytes.
        secrets += [marked.to_bytes(8, "little")[2:], marked.to_bytes(8, "big")[:6]]
        for secret in secrets:
            assert secret not in said, secret
