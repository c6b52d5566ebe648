"""A person's connection to a daemon: asked again, under the same id, until there is an answer."""

import time
from collections import OrderedDict
from typing import Any, NamedTuple

import msgspec
import zmq

from cea_exchange.control_plane.answers import answer_read
from cea_exchange.domain.refusals import VenueRefusal
from cea_exchange.domain.refusals.answers import code_of
from cea_exchange.protocol.security import CurveKeys, client_socket
from cea_exchange.year.daemons.processes import Processes
from cea_exchange.year.institutions.market import YearFailed

LOOK_MS = 500
AGAIN_S = 20.0
GIVEN_UP_S = 300.0
OPEN_MAX = 100
"""Connections that are kept; each person of an enterprise asks on a few days only."""


class VenueRefused(YearFailed):
    """The venue refuses what its operator asks.

    Attributes
    ----------
    code : VenueRefusal or None
        Why.
    """

    def __init__(self, op: str, answer: dict[str, Any]) -> None:
        refusal = answer_read(answer).refusal
        super().__init__(f"venue, {op}: {refusal.sentence() if refusal else answer}")
        self.code = code_of(answer, VenueRefusal)


class _Open(NamedTuple):
    """A connection to a daemon in one of its lives."""

    socket: "zmq.Socket[bytes]"
    life: int


class Lines:
    """Connections to daemons, one of each person.

    Parameters
    ----------
    server_keys
        Daemon -> its public key.
    """

    def __init__(self, processes: Processes, server_keys: dict[str, str]) -> None:
        self._processes, self._server_keys = processes, server_keys
        self._context = zmq.Context()
        self._open: OrderedDict[tuple[str, str], _Open] = OrderedDict()

    def close(self) -> None:
        """Drop all connections."""
        self._context.destroy(linger=0)

    def ask(self, daemon: str, keys: CurveKeys, payload: bytes) -> dict[str, Any]:
        """Return a daemon's answer, as it is on the wire.

        Where none comes, as from one that was killed, the same is asked again: what is asked must
        do no more the second time.
        """
        until_s = time.monotonic() + GIVEN_UP_S
        while time.monotonic() < until_s:
            socket, life = self._line(daemon, keys)
            socket.send(payload)
            again_s = time.monotonic() + AGAIN_S
            while time.monotonic() < again_s:
                if socket.poll(LOOK_MS):
                    answer: dict[str, Any] = msgspec.msgpack.decode(socket.recv())
                    return answer
                self._processes.look()
                if self._processes.life(daemon) != life:
                    break
            self._drop((daemon, keys.public))
        raise YearFailed(f"{daemon}: expected an answer within {GIVEN_UP_S:g} s, got none")

    def _line(self, daemon: str, keys: CurveKeys) -> _Open:
        place, life = (daemon, keys.public), self._processes.life(daemon)
        found = self._open.get(place)
        if found is not None and found.life == life:
            self._open.move_to_end(place)
            return found
        self._drop(place)
        if len(self._open) == OPEN_MAX:
            self._drop(next(iter(self._open)))
        address, key = self._processes.endpoints(daemon)["admin"], self._server_keys[daemon]
        socket = client_socket(self._context, zmq.DEALER, keys=keys, server_key=key)
        socket.connect(address)
        self._open[place] = _Open(socket, life)
        return self._open[place]

    def _drop(self, place: tuple[str, str]) -> None:
        found = self._open.pop(place, None)
        if found is not None:
            found.socket.close(0)
