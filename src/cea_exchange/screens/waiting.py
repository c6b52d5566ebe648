"""Tells open pages of approvals that a new proposal waits."""

import asyncio
from collections.abc import Iterable
from functools import partial

from cea_exchange.control_plane.client import NotDone
from cea_exchange.protocol.security import SecurityError
from cea_exchange.screens.access import KeyedSystems
from cea_exchange.screens.live.broadcast import Kind
from cea_exchange.screens.site import Site

LOOK_S = 1.0
ASK_S = 3.0

Waits = tuple[str, int]
"""The system, and the proposal's number there."""


class WaitingMonitor:
    """Which proposals a person may see wait; asked again and again while their page is open.

    Parameters
    ----------
    site
        Whose hub publishes it, under `channel`.
    systems
        Asks with the person's key.
    channel
        Its name; a page that shows it has the same words in `data-waiting`.
    asked
        The systems whose proposals that page shows.
    """

    def __init__(
        self, site: Site, systems: KeyedSystems, channel: str, asked: tuple[str, ...]
    ) -> None:
        self._site, self._systems = site, systems
        self._channel, self._asked = channel, asked
        self._waits: dict[str, list[Waits]] = {}
        site.hub.kinds[channel] = Kind(channel, lambda _, __: self.digest)
        site.tasks.append(self.run)

    @property
    def digest(self) -> str:
        """What waits, in a line; empty while that is not known."""
        if not self._waits:
            return ""
        return waiting_digest(each for waits in self._waits.values() for each in waits)

    async def run(self) -> None:
        """Keep asking while somebody looks."""
        while True:
            if self._site.hub.is_looked_at(self._channel):
                before = self.digest
                await asyncio.gather(*(self._ask(system) for system in self._asked))
                if self.digest != before:
                    self._site.hub.changed(self._channel)
            else:
                self._waits.clear()
            await asyncio.sleep(LOOK_S)

    async def _ask(self, system: str) -> None:
        if self._site.rights.seat(system) is None:
            return
        try:
            numbers = await self._numbers(system)
        except (NotDone, SecurityError):
            return
        self._waits[system] = [(system, number) for number in numbers]

    async def _numbers(self, system: str) -> list[int]:
        ask = partial(self._systems.ask, system, timeout_s=ASK_S)
        if system == "venue":
            # A look at its list is kept in its look log; one at its status is not.
            found: list[int] = (await ask({"op": "status"}))["proposals"]
            return found
        found, first = [], 1
        while first is not None:
            answer = await ask({"op": "proposals", "first": first})
            found += [each["proposal_id"] for each in answer["proposals"]]
            first = answer["next"]
        return found


def waiting_digest(waits: Iterable[Waits]) -> str:
    """Return proposals in a line that is the same for the same ones."""
    return " ".join(f"{system}-{number}" for system, number in sorted(waits)) or "nothing"
