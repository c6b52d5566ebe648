"""The two streams of events: market data for everybody, settlement for the registry."""

from collections.abc import Callable

import msgspec
import numpy as np

from cea_exchange.domain.records import EVENT_DTYPE
from cea_exchange.protocol.framing import (
    REPLAY_COUNT_MAX,
    TOPIC_SETTLEMENT,
    TOPIC_SETTLEMENT_HEARTBEAT,
    settlement_header,
)
from cea_exchange.venue._reports import settlement_part
from cea_exchange.venue.market.state_machine import VenueStateMachine
from cea_exchange.venue.publication.market_data import MarketDataPublisher

RECORDS_BYTES_MAX = REPLAY_COUNT_MAX * EVENT_DTYPE.itemsize


class Publisher:
    """Sends what others may see; a reader that is too slow misses messages and asks again.

    Parameters
    ----------
    machine, log_id
        Whose events, and of which journal.
    market_data
        The public stream.
    send
        Publishes a message of the settlement stream, frame by frame.
    """

    def __init__(
        self,
        machine: VenueStateMachine,
        log_id: str,
        market_data: MarketDataPublisher,
        send: Callable[[list[bytes]], object],
    ) -> None:
        self._machine = machine
        self._log_id = log_id
        self._market_data = market_data
        self._send = send
        self._next_seq = machine.core.settlement_seq + 1

    def publish(self, *released: np.ndarray) -> None:
        """Send the public and the settlement part of events that are on disk, all in order."""
        self._market_data.publish(*released)
        first_seq, self._next_seq = self._next_seq, self._machine.core.settlement_seq + 1
        if first_seq == self._next_seq:
            return
        settled = b"".join(settlement_part(events) for events in released)
        for first in range(0, len(settled), RECORDS_BYTES_MAX):
            payload = settled[first : first + RECORDS_BYTES_MAX]
            count = len(payload) // EVENT_DTYPE.itemsize
            header = settlement_header(self._log_id, first_seq, count, payload)
            self._send([TOPIC_SETTLEMENT, header, payload])
            first_seq += count

    def settlement_heartbeat(self) -> None:
        """Say how far the settlement stream is, so that a lost last message is noticed."""
        answer = {"log_id": self._log_id, "last_seq": self._machine.core.settlement_seq}
        payload = msgspec.msgpack.encode(answer)
        self._send([TOPIC_SETTLEMENT_HEARTBEAT, payload])
