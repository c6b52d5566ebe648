"""The registry in one process: its machine, and the edge that carries out what it says."""

import msgspec

from cea_exchange.institution.clock import GuardedClock
from cea_exchange.institution.venue_link.stream import replay_request
from cea_exchange.institution.venue_link.turns import ConnectionDropped, FeedAnswered, RecordsAsked
from cea_exchange.protocol.clock import Clock
from cea_exchange.registry.bank.errands import Errand
from cea_exchange.registry.machine import RegistryMachine
from cea_exchange.registry.noted_time import noted_ns
from cea_exchange.registry.store import RegistryStore


class SimulatedRegistry:
    """A registry beside its venue's and its bank's ways.

    Parameters
    ----------
    data
        Its folder; the registry in it is prepared.
    config
        The settings.
    operators
        The registry's own persons by key.
    time
        The simulated time.
    ways
        `VenueWays`, the registry's ends of them.
    bank
        `SimulatedBank`.
    more
        For `RegistryMachine`.
    """

    def __init__(self, data, config, operators, time, ways, bank, **more):
        self._time, self._ways, self._bank = time, ways, bank
        self.store = RegistryStore.open(data)
        clock = GuardedClock(
            Clock(config.clock, monotonic_ns=time.monotonic_ns),
            noted_ns(self.store),
            steady_ns=time.monotonic_ns,
        )
        self.machine = RegistryMachine(self.store, clock, config, operators, **more)
        self.machine.venue.connected(time.now_ns)
        self.drops = 0
        self._say_all()

    def ask(self, key, op, **fields):
        """Ask as a person; the answer is there at once, as the front is no subject here."""
        payload = msgspec.msgpack.encode({"op": op, **fields})
        return self.machine.service.reply(key, payload).answer.by_ok()

    def turn(self):
        """Take what has come, do what is due, and say what is to be said."""
        machine, ways, now_ns = self.machine, self._ways, self._time.now_ns
        machine.day_look(now_ns)
        for connection, payload in ways.feed_asked.arrived():
            assert machine.venue.feed_question(connection, payload, now_ns) == ""
        frames = ways.replay_answers.receive()
        if frames is not None:
            machine.venue.replayed(frames, now_ns)
        elif machine.venue.is_listening:
            machine.venue.published(ways.settlement.arrived(), now_ns)
        for brought in self._bank.back():
            machine.brought_back(brought)
        machine.turn(now_ns)
        self._say_all()

    def _say_all(self):
        for output in self.machine.outputs():
            match output:
                case RecordsAsked(log_id, first_seq):
                    self._ways.replay_asked.send(replay_request(log_id, first_seq))
                case ConnectionDropped():
                    self.drops += 1
                    self._ways.replay_asked.cut()
                    self._ways.replay_answers.cut()
                case FeedAnswered(connection, content):
                    self._ways.feed_answers.send((connection, content))
                case Errand() as errand:
                    self._bank.carry(errand)

    def close(self):
        self.store.close()
