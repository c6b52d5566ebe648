"""Who trades at random at a venue's world, and who follows its market data, held to the truth."""

import random
import time
from contextlib import closing, contextmanager

import numpy as np

from cea_exchange.client import MarketDataClient
from cea_exchange.domain.records import EVENT_DTYPE
from cea_exchange.protocol.security import CurveKeys
from support.market.public_books import book_of, sides
from support.patience import patience
from support.venue.venue_world import PRODUCT, enter, target

LEVELS = 5
WAIT_S = 30.0


class Trader:
    """Sends random commands of all kinds as both participants, a batch at a time."""

    def __init__(self, world, seed, first_id=1):
        self.peers = [world.logged_on(name) for name in ("alice", "bob")]
        self.source = random.Random(seed)
        self.next_id = first_id

    def trade(self, batches, count=8):
        for _ in range(batches):
            peer = self.source.choice(self.peers)
            peer.command(*(self._command(self.next_id + number) for number in range(count)))
            self.next_id += count
            self._await(peer, self.next_id - 1)

    def _command(self, client_order_id):
        source = self.source
        price = 9749 + source.randint(-12, 12)
        order_id = source.randint(max(1, client_order_id - 90), client_order_id)
        kind = source.random()
        if kind < 0.2:
            return target("cancel", client_order_id, order_id)
        if kind < 0.35:
            tonnes = source.randint(1, 9)
            return target("amend", client_order_id, order_id, price=price, tonnes=tonnes)
        side = source.choice(["buy", "sell"])
        # The sides lie apart, so that levels pile up, and now and then one is swept.
        price += {"buy": -8, "sell": 8}[side] if kind < 0.9 else 0
        tif = source.choice([0, 0, 0, 0, 1, 2])
        return enter(client_order_id, side, price, source.randint(1, 30), tif=tif)

    @staticmethod
    def _await(peer, client_order_id):
        while True:
            frames = peer.receive()
            assert frames is not None, "no report came"
            if frames[0] == b"R":
                rows = np.frombuffer(frames[1], EVENT_DTYPE)
                if client_order_id in rows["client_order_id"]:
                    return


@contextmanager
def follower(world, truth=None):
    """A subscriber with a key that nobody knows; its books are held to the truth at each step."""
    endpoints = world.venue.endpoints
    client = MarketDataClient(
        endpoints["market_data"],
        CurveKeys.new(),
        world.server_key("market_data"),
        snapshot_endpoint=endpoints["snapshot"],
        context=world.context,
    )
    client.seqs_checked = set()
    take = client.books.take

    def take_and_check(message):
        take(message)
        if client.books.is_exact and client.books.seq in truth:
            assert sides(client.book(PRODUCT)) == truth[client.books.seq]
            client.seqs_checked.add(client.books.seq)

    if truth is not None:
        client.books.take = take_and_check
    with closing(client):
        yield client


def follow_to_the_end(world, client):
    """Poll until the client is where the venue is, and hold it to the market's book."""
    stream = world.venue.venue.market_data
    until_s = time.monotonic() + WAIT_S * patience()
    core = world.venue.machine.core
    # Reports go out before the stream has taken note of their events.
    world.until(lambda: stream._cut_seq == stream._noted_seq == core.event_seq, WAIT_S)
    # A cut has its number before its message is sent; the loop answers when it is through with it.
    world.admin(op="status")
    while not (client.books.is_exact and client.books.seq == stream.seq):
        client.poll(0.05)
        assert time.monotonic() < until_s, (client.books.seq, stream.seq, client.books.is_exact)
    assert sides(client.book(PRODUCT)) == book_of(core, 0, LEVELS)
