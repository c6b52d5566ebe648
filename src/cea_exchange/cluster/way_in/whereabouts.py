"""Where the venue that leads is: one of several addresses, or what the cluster's lease says.

    Whereabouts   where a leader may be, most likely first: addresses, endpoints files, the lease
    Following     which of them to go to now: stays while the one it is at answers

It only finds the way. A venue that leads no more releases nothing, whoever still comes to it, so a
wrong guess costs a moment and nothing else.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec
import structlog

from cea_exchange.protocol.control import DECODE_ERRORS

ENDPOINTS_BYTES_MAX = 64 * 1024

log = structlog.get_logger()


class Place(NamedTuple):
    """Where a venue listens.

    Attributes
    ----------
    epoch
        Which it leads, where that is known; else 0.
    addresses
        Of the sockets that were asked for, in that order.
    """

    epoch: int
    addresses: tuple[str, ...]


class Whereabouts(Protocol):
    """Knows where a leader may be."""

    def places(self) -> list[Place]:
        """Return the places, most likely first."""

    def close(self) -> None:
        """Look no more."""


class Addresses:
    """Addresses that are known; each of them may be the leader's."""

    def __init__(self, addresses: Sequence[tuple[str, ...]]) -> None:
        self._places = [Place(0, each) for each in addresses]

    def places(self) -> list[Place]:
        """Return the places, in the order in which they were given."""
        return self._places

    def close(self) -> None:
        """Do nothing."""


class EndpointsFiles:
    """Files in which venues say where they listen, ``endpoints.json``; the latest first.

    Parameters
    ----------
    paths
        One of each node.
    names
        What to read of each: names of its sockets, and of what else it says there.
    """

    def __init__(self, paths: Sequence[Path], names: Sequence[str]) -> None:
        self._paths, self._names = list(paths), list(names)
        self._unreadable: dict[Path, str] = {}

    def places(self) -> list[Place]:
        """Return the places that the files tell of."""
        found = [(self._written_ns(path), self._read(path)) for path in self._paths]
        known = [(at_ns, place) for at_ns, place in found if place is not None]
        return [place for _, place in sorted(known, key=lambda each: -each[0])]

    def close(self) -> None:
        """Do nothing: no file is kept open."""

    def _written_ns(self, path: Path) -> int:
        try:
            return path.stat().st_mtime_ns
        except OSError:
            return 0

    def _read(self, path: Path) -> Place | None:
        """Return what a file says; None while it says nothing."""
        try:
            with path.open("rb") as file:
                said = msgspec.json.decode(file.read(ENDPOINTS_BYTES_MAX), type=dict[str, object])
            place = place_of(said, self._names)
        except FileNotFoundError:
            return None
        except (OSError, KeyError, *DECODE_ERRORS) as error:
            # A venue without such a socket, or a file that is none; logged once.
            if self._unreadable.get(path) != repr(error):
                self._unreadable[path] = repr(error)
                log.warning("endpoints_unreadable", path=str(path), error=repr(error))
            return None
        self._unreadable.pop(path, None)
        return place


class Following:
    """Goes from place to place until one answers, and stays there.

    Parameters
    ----------
    whereabouts
        Where a leader may be.

    Attributes
    ----------
    place : Place or None
        Where it is now.
    """

    def __init__(self, whereabouts: Whereabouts) -> None:
        self.place: Place | None = None
        self._whereabouts = whereabouts

    def choose(self, *, is_alive: bool) -> Place | None:
        """Return where to be now; None while nobody says where a venue is.

        Parameters
        ----------
        is_alive
            Whether the place it is at answers, or has not had the time to.
        """
        here, places = self.place, self._whereabouts.places()
        if here is not None:
            # Who led before it leads no more.
            places = [place for place in places if place.epoch >= here.epoch]
        if not places:
            # What was said last may be true still.
            return here
        if here not in places or places[0].epoch > here.epoch:
            self.place = places[0]
        elif not is_alive:
            self.place = places[(places.index(here) + 1) % len(places)]
        return self.place

    def close(self) -> None:
        """Look no more."""
        self._whereabouts.close()


def place_of(said: dict[str, object], names: Sequence[str], epoch: int = 0) -> Place:
    """Return the place that a venue's endpoints tell of.

    Raises
    ------
    KeyError
        One of the names is not there, or is no text.
    """
    missing = [name for name in names if not isinstance(said.get(name), str)]
    if missing:
        raise KeyError(f"expected {', '.join(missing)}, got {', '.join(map(str, said))}")
    return Place(epoch, tuple(str(said[name]) for name in names))
