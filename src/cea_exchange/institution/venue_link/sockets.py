"""The sockets around `VenueTurns`: what comes over them is taken in, what is said is carried out.

venue PUB ---records, heartbeat---> SUB     \\
venue ROUTER <--ask / records--->   DEALER   +-- VenueTurns -- Store
venue DEALER ---from n--->          ROUTER  /
             <--items, watermark---
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import structlog
import zmq

from cea_exchange.cluster.way_in.whereabouts import Following
from cea_exchange.control_plane.door import Message, UnreadableCount
from cea_exchange.control_plane.host import DaemonHost
from cea_exchange.institution.venue_link.connection import VenueLine
from cea_exchange.institution.venue_link.setting import SOCKETS, VenueSetting
from cea_exchange.institution.venue_link.turns import (
    ConnectionDropped,
    FeedAnswered,
    RecordsAsked,
    VenueOutput,
    VenueRefused,
    VenueTurns,
)
from cea_exchange.protocol.security import CurveKeys

ENDPOINTS_LOOK_NS = 200_000_000
SILENCE_NS_MAX = 2_000_000_000
"""A venue says ten times a second how far it is; where there are several, another one is tried."""
MESSAGES_PER_TURN_MAX = 100
FEED_REQUEST_BYTES_MAX = 4_096

Noted = Callable[[str, int], AbstractContextManager[None]]
"""Goes around a part of a turn, from which the institution goes on: `Troubles.noted`."""

log = structlog.get_logger()


class VenueSockets:
    """An institution's sockets towards the venue.

    Parameters
    ----------
    host
        Opens the feed's door.
    keys
        The institution's.
    setting, venue_key, data
        Where the venue is, which its key is, and the data folder.
    domain
        Of the feed's door.
    """

    def __init__(
        self,
        host: DaemonHost,
        keys: CurveKeys,
        setting: VenueSetting,
        venue_key: str,
        data: Path,
        *,
        domain: str,
    ) -> None:
        self._venue_key = venue_key
        self._following = Following(setting.whereabouts(data))
        self._look_at_ns = self._heard_ns = 0
        self._is_refused, self._refused_why = False, ""
        self._nowhere: tuple[str, ...] | None = None
        self._is_listening = False
        self._unreadable = UnreadableCount("feed", log.warning)
        self._line = VenueLine(host.context, keys, venue_key)
        self._door = host.door(
            "feed",
            setting.feed,
            frozenset({venue_key}).__contains__,
            FEED_REQUEST_BYTES_MAX,
            domain=domain,
        )

    def close(self) -> None:
        """End the line to the venue; the door is the host's."""
        self._line.close()
        self._following.close()

    def poller_fill(self, poller: zmq.Poller, turns: VenueTurns) -> None:
        """Wake up for the venue's answers and, unless one is awaited, for what it publishes."""
        if self._line.dealer is not None:
            poller.register(self._line.dealer, zmq.POLLIN)
        self._is_listening = turns.is_listening
        if self._is_listening:
            poller.register(self._line.sub, zmq.POLLIN)

    def take(self, ready: dict[Any, int], turns: VenueTurns, noted: Noted, now_ns: int) -> None:
        """Take the venue's questions and records."""
        with noted("door", now_ns):
            questions = list(self._questions())
        # Without a new message, a fault of an earlier one stays shown.
        if questions:
            with noted("feed", now_ns):
                for message in questions:
                    self._question_take(message, turns, now_ns)
        dealer, sub = self._line.dealer, self._line.sub
        if any(each is not None and each in ready for each in (dealer, sub)):
            self._heard_ns = now_ns
        if dealer is not None and dealer in ready:
            with noted("replayed", now_ns):
                turns.replayed(dealer.recv_multipart(), now_ns)
        elif self._is_listening and sub is not None and sub in ready:
            with noted("stream", now_ns):
                turns.published(_published(sub), now_ns)

    def say(self, output: VenueOutput) -> None:
        """Carry out what is said."""
        match output:
            case RecordsAsked(log_id, first_seq):
                self._line.records_ask(log_id, first_seq)
            case ConnectionDropped():
                self._line.renew()
            case FeedAnswered(connection, content):
                self._door.answer(connection, content)
            case VenueRefused(why):
                self._is_refused = True
                if why != self._refused_why:
                    # One that is tried again and again says the same each time.
                    self._refused_why = why
                    log.error("venue_refused", why=why, **self._where())

    def look(self, turns: VenueTurns, noted: Noted, now_ns: int) -> bool:
        """Connect to where the venue is, which may have changed; say whether it was time to."""
        if now_ns < self._look_at_ns:
            return False
        self._look_at_ns = now_ns + ENDPOINTS_LOOK_NS
        with noted("venue", now_ns):
            self._venue_look(turns, now_ns)
        return True

    def _venue_look(self, turns: VenueTurns, now_ns: int) -> None:
        is_alive = not self._is_refused and now_ns - self._heard_ns <= SILENCE_NS_MAX
        if self._is_refused:
            # Heard no more; asked again only where no other one is.
            self._line.close()
            turns.disconnected()
            self._is_refused = False
        place = self._following.choose(is_alive=is_alive)
        if place is not None and place.addresses != self._nowhere:
            self._venue_connect(place.addresses, turns, now_ns)

    def _venue_connect(self, where: tuple[str, ...], turns: VenueTurns, now_ns: int) -> None:
        """Connect, if not there already; what is no address is tried once."""
        settlement, replay = where
        try:
            is_new = self._line.venue_connect(settlement, replay)
        except (zmq.ZMQError, ValueError) as error:
            self._line.close()
            turns.disconnected()
            self._nowhere = where
            log.warning("venue_unreachable", **self._where(), error=str(error))
            return
        self._nowhere = None
        if is_new:
            self._heard_ns = now_ns
            log.info("venue_connected", **self._where())
            turns.connected(now_ns)

    def _where(self) -> dict[str, str]:
        place = self._following.place
        return {} if place is None else dict(zip(SOCKETS, place.addresses, strict=True))

    def _questions(self) -> Iterator[Message]:
        """Yield what has come to the feed's door."""
        now_s = time.monotonic()
        self._door.turn(now_s)
        self._unreadable.turn(now_s)
        for _ in range(MESSAGES_PER_TURN_MAX):
            message = self._door.receive()
            if message is None:
                return
            yield message

    def _question_take(self, message: Message, turns: VenueTurns, now_ns: int) -> None:
        if message.key != self._venue_key or len(message.frames) != 1:
            self._unreadable.note(message.key, "request must be the venue's, one frame")
            return
        why = turns.feed_question(message.routing_id, message.payload, now_ns)
        if why:
            self._unreadable.note(message.key, why)


def _published(sub: zmq.Socket[bytes]) -> Iterator[list[bytes]]:
    """Yield what was published, message by message."""
    for _ in range(MESSAGES_PER_TURN_MAX):
        try:
            yield sub.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            return
