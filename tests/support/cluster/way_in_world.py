"""A venue that is killed and begun again on its log, at other ports, and the way in before it."""

import contextlib
import random
import signal
import threading
import time

from cea_exchange.client import Client
from cea_exchange.cluster.way_in.config import WayInConfig
from cea_exchange.cluster.way_in.daemon import WayInDaemon
from cea_exchange.domain.records import EventKind
from cea_exchange.protocol.security import CurveKeys
from support.patience import patience
from support.venue.venue_process import CLOCK, VenueProcess
from support.venue.venue_world import PRODUCT, world_open

LISTED = "2024-12-31T09:30:00+08:00"
UNPOLLED_S_MAX = 120
"""While a test begins a venue nobody polls its clients, who are silent for as long."""


class WayInWorld:
    """A world whose venue is a process that admits a way in, and that way in.

    Parameters
    ----------
    world : support.venue.venue_world.World
    settings
        Of the way in.
    """

    def __init__(self, world, **settings):
        self.world = world
        self.keys = CurveKeys.new()
        self.keys.save(world.data / "keys", "way_in")
        self._processes = []
        self._clients = []
        settings.setdefault("fronts", 0)
        self._settings = settings
        self.way_in = None
        self._ways_in = []

    def venue_begin(self):
        """Begin the venue; the ports are others than before."""
        settings = f'way_in_keys = ["{self.keys.public}"]\n' + CLOCK
        settings = f"session_silence_s_max = {UNPOLLED_S_MAX}\n{settings}"
        self.world.venue = VenueProcess(self.world, settings=settings)
        self._processes.append(self.world.venue)

    def venue_open(self):
        """Begin the first venue, and let the listed phase begin."""
        self.venue_begin()
        self.world.ready()
        self.world.admin(op="clock", at=LISTED)

    def venue_kill(self):
        """End the venue as a crash does."""
        self.world.venue.end(signal.SIGKILL)

    def way_in_begin(self):
        """Begin the way in, in a thread."""
        self.way_in = self.another_way_in(self.world.data)
        self.world.until(lambda: self.way_in.has_leader)

    def another_way_in(self, data):
        """Begin a way in with a folder of its own; whether a venue leads is for it to find out."""
        places = {"venue_endpoints": (str(self.world.data / "venue" / "endpoints.json"),)}
        way_in = WayInDaemon(WayInConfig(**places, **self._settings), data)
        thread = threading.Thread(target=way_in.run)
        thread.start()
        self._ways_in.append((way_in, thread))
        return way_in

    def way_in_end(self, way_in):
        """End a way in; its participants learn it from their connections."""
        ended = next(each for each in self._ways_in if each[0] is way_in)
        self._ways_in.remove(ended)
        way_in.stop()
        ended[1].join()
        way_in.close()

    def client(self, name, endpoint=None, **options):
        """Return a client that comes by the way in."""
        options.setdefault("silence_s_max", UNPOLLED_S_MAX)
        client = Client.connect(
            endpoint or self.way_in.endpoints["gateway"],
            self.world.keys[name],
            self.keys.public,
            timeout_s=20.0 * patience(),
            **options,
        )
        self._clients.append(client)
        return client

    def close(self):
        for client in self._clients:
            client.close()
        for way_in, _ in list(self._ways_in):
            self.way_in_end(way_in)
        for process in self._processes:
            process.end(signal.SIGKILL)


@contextlib.contextmanager
def way_in_world(data, grants=None, **settings):
    """Open a world with a listed market, and the way in to it."""
    with world_open(data, grants) as world:
        opened = WayInWorld(world, **settings)
        try:
            opened.venue_open()
            opened.way_in_begin()
            yield opened
        finally:
            opened.close()


class Trader:
    """A participant that writes down what it sent and every report that it got.

    Attributes
    ----------
    sent : dict of int to float
        When each command was sent (monotonic).
    answered : dict of int to float
        When its answer came.
    log : list of Report
        What came, in its order.
    """

    def __init__(self, client, seed):
        self.client = client
        self.sent = {}
        self.answered = {}
        self.log = []
        self._draw = random.Random(seed)
        self._orders = []

    def send(self):
        """Send one command: mostly an order that may trade, now and then a cancel."""
        if self._orders and self._draw.random() < 0.3:
            order_id = self._orders.pop(self._draw.randrange(len(self._orders)))
            client_order_id = self.client.cancel(order_id)
        else:
            side = self._draw.choice(("buy", "sell"))
            price_fen = 9749 + self._draw.randint(-20, 20)
            tonnes = self._draw.randint(1, 9)
            client_order_id = self.client.enter(PRODUCT, side, price_fen=price_fen, tonnes=tonnes)
        self.sent[client_order_id] = time.monotonic()

    def poll(self):
        """Take what has come."""
        now_s = time.monotonic()
        for report in self.client.poll(0.0):
            self.log.append(report)
            if report.answers():
                self.answered.setdefault(report.answers(), now_s)
            if report.kind == EventKind.ORDER_ACCEPTED:
                self._orders.append(report.order_id)

    def settle(self, timeout_s):
        """Wait until every command is answered."""
        deadline = time.monotonic() + timeout_s * patience()
        while self.client.unacknowledged:
            assert time.monotonic() < deadline, self.client.unacknowledged[:9]
            self.poll()
            time.sleep(0.01)
        self.poll()

    def check(self, fresh):
        """Hold the log to what a client that asks for all reports gets: none lost, none doubled."""
        index = self.client.session.account_index
        numbered = [report for report in self.log if report.position(index)]
        assert [each.position(index) for each in numbered] == [*range(1, len(numbered) + 1)]
        assert list(fresh.reports(timeout_s=0.5)) == numbered
        answers = [report.answers() for report in self.log if report.answers()]
        assert sorted(answers) == sorted(self.sent)


def trade_for(traders, seconds):
    """Let traders send and read for a while, about a thousand commands a second."""
    until_s = time.monotonic() + seconds
    while time.monotonic() < until_s:
        for trader in traders:
            trader.send()
            trader.poll()
        time.sleep(0.002)
