"""The venue in one process: its rooms, a file system in memory, and ways instead of sockets."""

from collections import deque
from hashlib import blake2b

import msgspec

from cea_exchange.control_plane.door import Message
from cea_exchange.protocol.clock import Clock
from cea_exchange.venue.durability.sequencer import Sequencer
from cea_exchange.venue.operations.monitor import Outside
from cea_exchange.venue.trading_day.clock_monitor import ClockMonitor
from cea_exchange.venue.venue import Clocks, Surroundings, Venue, Ways
from support.exchange.simulated_links import AtOnce, Link
from support.journal.volatile_storage import VolatileStorage

LOG_ID = "0" * 31 + "1"
REGISTRY_KEY = "registry".ljust(40, "-")


class VenueWays:
    """The links between a venue and its registry; what is asked again may be lost."""

    def __init__(self, time, chance):
        repeated = {"lost": 100, "doubled": 50}
        self.feed_asked = Link(time, chance, **repeated)
        self.feed_answers = Link(time, chance, lost=100)
        self.replay_asked = Link(time, chance, lost=100)
        self.replay_answers = Link(time, chance, lost=100)
        self.settlement = Link(time, chance, lost=250)


class FeedEnd:
    """The venue's end of the feed: a `FeedLine` whose connections are numbers."""

    def __init__(self, ways):
        self._ways = ways
        self._connection = 0
        self.is_open = False
        self.opened_count = 0

    def open(self):
        self._connection += 1
        self.opened_count += 1
        self.is_open = True
        return True

    def send(self, content):
        self._ways.feed_asked.send((b"%d" % self._connection, content))
        return True

    def receive(self):
        for connection, content in self._ways.feed_answers.arrived():
            if connection == b"%d" % self._connection:
                return content
        return None

    def close(self):
        self.is_open = False


class ReplayEnd:
    """Where the registry asks for what it has missed."""

    def __init__(self, ways):
        self._ways = ways

    def receive(self):
        payload = self._ways.replay_asked.receive()
        return None if payload is None else Message(b"registry", REGISTRY_KEY, [payload])

    def answer(self, routing_id, *frames):
        self._ways.replay_answers.send(list(frames))


class Counter:
    """Where many come in, each over a link of their own: a `SessionDoor`, or a mailbox."""

    def __init__(self, time, chance, **link):
        self._time, self._chance, self._link = time, chance, link
        self._in: dict[bytes, tuple[str, Link]] = {}
        self._out: dict[bytes, Link] = {}
        self.is_followed = False
        self.lost: deque = deque()

    def connect(self, routing_id, key):
        """Return what a caller sends on, and what it hears from."""
        asked = Link(self._time, self._chance, **self._link)
        answers = Link(self._time, self._chance)
        self._in[routing_id], self._out[routing_id] = (key, asked), answers
        return asked, answers

    def disconnect(self, routing_id):
        """Lose a connection, with all that is on its way."""
        del self._in[routing_id], self._out[routing_id]
        if self.is_followed:
            self.lost.append((routing_id, False))

    def receive(self):
        for routing_id, (key, asked) in self._in.items():
            frames = asked.receive()
            if frames is not None:
                return Message(routing_id, key, frames)
        return None

    def answer(self, routing_id, *frames):
        if routing_id in self._out:
            self._out[routing_id].send([bytes(frame) for frame in frames])

    def end(self, routing_id, why):
        raise AssertionError(f"{routing_id}: {why}")

    def is_served(self, routing_id):
        return routing_id in self._in

    def reach(self, routing_id, then):
        then()


class SimulatedVenue:
    """A venue that is opened in one process.

    Parameters
    ----------
    data
        Its folder, for bulletins; everything else is in memory.
    config, profile
        The settings, and the rules.
    operators
        By key.
    time, chance
        Simulated.
    ways
        `VenueWays`.
    """

    def __init__(self, data, config, profile, operators, time, chance, ways):
        self.gateway = Counter(time, chance, doubled=60)
        self.service = Counter(time, chance)
        self.public = Counter(time, chance)
        self.feed = FeedEnd(ways)
        self.published = blake2b()
        self.storage = VolatileStorage()
        clock = ClockMonitor(
            Clock(config.clock, monotonic_ns=time.monotonic_ns), steady_ns=time.monotonic_ns
        )
        self.data = data
        self.sequencer = Sequencer.open(
            data,
            profile,
            now_ns=clock.now_ns,
            storage=self.storage,
            snapshot_commands=config.snapshot_commands,
            log_id=LOG_ID,
            now_s=time.now_s,
            helper=AtOnce,
        )
        clock.start_behind(self.sequencer.machine.time_ns)
        self.venue = Venue(
            self.sequencer,
            config,
            data,
            operators,
            ways=Ways(
                gateway=self.gateway,
                admin=self.service,
                snapshots=self.public,
                replay=ReplayEnd(ways),
                registry=self.feed,
                market_data=self._publish,
                settlement=ways.settlement.send,
            ),
            clocks=Clocks(clock, time.now_s, time.now_s),
            surroundings=Surroundings(
                keys_changed=lambda: None,
                key_restore=lambda key: False,
                stop=lambda: None,
                hand_over=lambda node: None,
                outside=Outside,
                sizes=dict,
                storage=self.storage,
                helper=AtOnce,
                looked=lambda person, request: None,
            ),
        )

    @property
    def core(self):
        return self.sequencer.machine.core

    def turn(self):
        """Take what has come, and do what is due."""
        venue = self.venue
        venue.orders_turn()
        venue.publish()
        venue.replay_turn()
        venue.admin_turn()
        venue.snapshots_turn()
        venue.chores_turn()

    def close(self):
        self.venue.close()
        self.sequencer.close()

    def files(self):
        """Return every file that it wrote, by name."""
        return {
            f"{folder}/{name}": self.storage.read(self.data / folder / name)
            for folder in ("journal", "events", "snapshots")
            for name in self.storage.names(self.data / folder)
        }

    def _publish(self, frames):
        self.published.update(msgspec.msgpack.encode(frames))
