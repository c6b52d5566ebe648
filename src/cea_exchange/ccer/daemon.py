"""The CCER registry's daemon: an institution's, with doors for allowance registry and exchange."""

import time
from typing import Any

import zmq

from cea_exchange.ccer.cancellation.link import QUESTION_BYTES_MAX
from cea_exchange.ccer.config import CcerConfig
from cea_exchange.ccer.control.queries import OPENER
from cea_exchange.ccer.machine import CcerMachine
from cea_exchange.ccer.metrics import CcerMetrics
from cea_exchange.ccer.store import CcerStore
from cea_exchange.control_plane.host import DaemonHost
from cea_exchange.institution.link_daemon import LinkDaemon
from cea_exchange.institution.persons import Person
from cea_exchange.institution.venue_link.sockets import VenueSockets
from cea_exchange.protocol.links.ccer import SIGNED
from cea_exchange.protocol.links.signatures import SigningKey


class CcerDaemon(LinkDaemon[CcerConfig, CcerStore, CcerMachine]):
    """A running CCER registry; see `LinkDaemon`."""

    store_class = CcerStore
    machine_class = CcerMachine
    opener = OPENER
    question_bytes_max = QUESTION_BYTES_MAX
    _venue: VenueSockets | None = None

    def settings_read(self) -> None:
        """Read the allowance registry's key, and the exchange's where there is one."""
        super().settings_read()
        venue = self._config.venue
        self._venue_key = "" if venue is None else venue.key(self._data)

    def machine_made(self, operators: dict[str, Person]) -> CcerMachine:
        """Return the machine upon the store, which signs its proofs (CCER-LNK-05)."""
        machine = super().machine_made(operators)
        machine.ccer.proofs.signer = SigningKey.of(self._keys.secret, SIGNED)
        return machine

    def metrics_made(self) -> CcerMetrics:
        """Return what is counted."""
        return CcerMetrics(self._store)

    def sockets_open(self, host: DaemonHost) -> None:
        """Open the doors, and make ready to go to the exchange."""
        super().sockets_open(host)
        if self._config.venue is not None:
            self._venue = VenueSockets(
                *(host, self._keys, self._config.venue, self._venue_key, self._data),
                domain="ccer_feed",
            )

    def sockets_close(self) -> None:
        """End the line to the exchange."""
        if self._venue is not None:
            self._venue.close()

    def look_around(self, now_ns: int) -> None:
        """Connect to where the exchange is, which may have changed with its restart."""
        if self._venue is not None:
            self._venue.look(self._machine.venue, self._machine.troubles.noted, now_ns)

    def poller_fill(self, poller: zmq.Poller) -> None:
        """Wake up for the exchange, too."""
        if self._venue is not None:
            self._venue.poller_fill(poller, self._machine.venue)

    def take(self, ready: dict[Any, int]) -> None:
        """Answer the allowance registry, and take what the exchange has sent."""
        super().take(ready)
        if self._venue is not None:
            noted = self._machine.troubles.noted
            self._venue.take(ready, self._machine.venue, noted, time.monotonic_ns())

    def say(self) -> None:
        """Send what the machine says."""
        super().say()
        for output in self._machine.venue.outputs():
            if self._venue is not None:
                self._venue.say(output)
