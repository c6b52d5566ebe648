"""A venue that is killed and begun again on its log, at other ports, and the way in before it."""

import contextlib
import signal
import threading
import time

from cea_exchange.client import Client
from cea_exchange.cluster.way_in.config import WayInConfig
from cea_exchange.cluster.way_in.daemon import WayInDaemon
from cea_exchange.protocol.security import CurveKeys
from support.patience import patience
from support.venue.venue_process import CLOCK, VenueProcess
from support.venue.venue_world import world_open

LISTED = "2024-12-31T09:30:00+08:00"


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

    def venue_begin(self):
        """Begin the venue; the ports are others than before."""
        settings = f'way_in_keys = ["{self.keys.public}"]\n' + CLOCK
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
        self.way_in = WayInDaemon(WayInConfig(**self._settings), self.world.data)
        self._thread = threading.Thread(target=self.way_in.run)
        self._thread.start()

    def client(self, name, **options):
        """Return a client that comes by the way in."""
        client = Client.connect(
            self.way_in.endpoints["gateway"],
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
        if self.way_in is not None:
            self.way_in.stop()
            self._thread.join()
            self.way_in.close()
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


def polled_for(clients, seconds):
    """Return what reports clients get in so long, each client's in its order."""
    until_s = time.monotonic() + seconds
    got = {client: [] for client in clients}
    while time.monotonic() < until_s:
        for client in clients:
            got[client] += client.poll(0.01)
    return got
