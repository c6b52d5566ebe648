"""The two streams of events: market data for everybody, settlement for the registry."""

import msgspec
import numpy as np
import zmq

from cea_exchange.protocol.framing import (
    REPLAY_COUNT_MAX,
    TOPIC_SETTLEMENT,
    TOPIC_SETTLEMENT_HEARTBEAT,
    settlement_frames,
)
from cea_exchange.venue.market_data import MarketDataPublisher
from cea_exchange.venue.state_machine import VenueStateMachine


class Publisher:
    """Sends what others may see; a reader that is too slow misses messages and asks again.

    Parameters
    ----------
    machine, log_id
        Whose events, and of which journal.
    market_data
        The public stream.
    settlement
        A bound PUB socket.
    """

    def __init__(
        self,
        machine: VenueStateMachine,
        log_id: str,
        market_data: MarketDataPublisher,
        settlement: zmq.Socket,
    ) -> None:
        self._machine = machine
        self._log_id = log_id
        self._market_data = market_data
        self._settlement = settlement

    def publish(self, events: np.ndarray) -> None:
        """Send the public and the settlement part of events that are on disk."""
        self._market_data.publish(events)
        settled = events[events["settlement_seq"] != 0]
        for first in range(0, len(settled), REPLAY_COUNT_MAX):
            rows = settled[first : first + REPLAY_COUNT_MAX]
            frames = settlement_frames(self._log_id, rows)
            self._settlement.send_multipart([TOPIC_SETTLEMENT, *frames])

    def settlement_heartbeat(self) -> None:
        """Say how far the settlement stream is, so that a lost last message is noticed."""
        told = {"log_id": self._log_id, "last_seq": self._machine.core.settlement_seq}
        payload = msgspec.msgpack.encode(told)
        self._settlement.send_multipart([TOPIC_SETTLEMENT_HEARTBEAT, payload])
