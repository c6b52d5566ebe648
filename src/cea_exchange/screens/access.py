"""What a person may do, and the daemons that are asked on their behalf with their own key."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from cea_exchange.ccer.control.admin_client import CCER
from cea_exchange.control_plane.client import NotDone
from cea_exchange.platform.control.admin_client import PLATFORM
from cea_exchange.protocol.security import CurveKeys, SecurityError
from cea_exchange.registry.control.admin_client import REGISTRY
from cea_exchange.user_files.formats import json_read
from cea_exchange.venue.operations.admin_client import admin_ask

Ask = Callable[..., dict[str, Any]]
SYSTEMS: dict[str, Ask] = {
    "venue": admin_ask,
    "registry": REGISTRY.ask,
    "platform": PLATFORM.ask,
    "ccer": CCER.ask,
}
"""The daemons with a control socket."""
SEAT_OPS = {"venue": "status", "registry": "seat", "platform": "seat", "ccer": "seat"}
"""What each is asked to say for whom a key stands; whoever it knows may ask."""
PROBE_S = 3.0
ASK_S = 20.0


@dataclass(frozen=True)
class Seat:
    """What a key stands for at one system."""

    name: str
    role: str
    body: str = ""


Seats = tuple[tuple[str, Seat], ...]
"""By system."""


@dataclass(frozen=True)
class Rights:
    """What a key may do: the pages that there are follow from it.

    Attributes
    ----------
    trading
        `trader`, `canceller` or `reader` where the key is one of an account's at the venue, or
        nothing.
    account
        That account.
    seats
        By system (`venue`, `registry`, `platform`, `ccer`): for whom the key stands there.
    """

    trading: str = ""
    account: str = ""
    seats: Seats = ()

    def seat(self, system: str) -> Seat | None:
        """Return whom the key stands for at a system; None if for nobody."""
        return dict(self.seats).get(system)

    def role(self, system: str) -> str:
        """Return its role there; empty if it has none."""
        seat = self.seat(system)
        return seat.role if seat else ""

    @property
    def name(self) -> str:
        """How the person is called."""
        names = [seat.name for _, seat in self.seats]
        return self.account or (names[0] if names else "")


class Systems(Protocol):
    """Who asks the daemons."""

    async def ask(self, system: str, request: dict[str, Any]) -> dict[str, Any]: ...


class KeyedSystems:
    """The daemons whose addresses are known, asked with one key.

    Parameters
    ----------
    folders
        Data folders, or folders with copies of the daemons' `endpoints.json`: the first one that
        has ``NAME/endpoints.json`` is where NAME is asked.
    key
        The path of the key's pair without its suffix.

    Attributes
    ----------
    silent : set of str
        Systems that did not answer when they were asked for whom the key stands.
    """

    def __init__(self, folders: Sequence[Path], key: Path) -> None:
        self.folders = [Path(folder) for folder in folders]
        self.key = key.with_suffix("") if key.suffix in (".secret", ".public") else key
        self.keys = CurveKeys.load(self.key.parent, self.key.name)
        self.silent: set[str] = set()

    def folder(self, system: str) -> Path | None:
        """Return where a system's addresses are; None where they are not known."""
        for folder in self.folders:
            if (folder / system / "endpoints.json").exists():
                return folder
        return None

    def endpoints(self, system: str) -> dict[str, Any]:
        """Return what a system says of where it listens; FileNotFoundError if nothing."""
        folder = self.folder(system)
        if folder is None:
            raise FileNotFoundError(f"{system}: expected {system}/endpoints.json, got none")
        place = folder / system / "endpoints.json"
        return json_read(place, "endpoints", dict[str, Any])

    async def ask(
        self, system: str, request: dict[str, Any], *, timeout_s: float = ASK_S
    ) -> dict[str, Any]:
        """Return a daemon's answer; it is asked beside everything else.

        Raises
        ------
        NotDone
            It refuses (the error has its `code`), or does not answer.
        """
        folder = self.folder(system)
        if folder is None:
            raise NotDone(f"{system}: expected {system}/endpoints.json, got none")
        ask = SYSTEMS[system]
        key = self.key.absolute()
        return await asyncio.to_thread(ask, folder, request, key=key, timeout_s=timeout_s)

    async def seats(self, known: Seats = ()) -> Seats:
        """Return for whom the key stands; as was known before at a system that does not answer."""
        before = dict(known)
        found = await asyncio.gather(*(self._seat(each, before.get(each)) for each in SYSTEMS))
        return tuple(
            (system, seat) for system, seat in zip(SYSTEMS, found, strict=True) if seat is not None
        )

    async def _seat(self, system: str, known: Seat | None) -> Seat | None:
        self.silent.discard(system)
        if self.folder(system) is None:
            return known
        try:
            answer = await self.ask(system, {"op": SEAT_OPS[system]}, timeout_s=PROBE_S)
        except NotDone as error:
            is_refused = error.is_key_refused or getattr(error, "code", None) is not None
            if not is_refused:
                self.silent.add(system)
            return None if is_refused else known
        except SecurityError:
            return known
        you = answer.get("you")
        return Seat(you["name"], you["role"], you.get("body", "")) if you else None
