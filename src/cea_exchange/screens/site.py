"""What is served: pages, the market that they show, and who looks."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

from cea_exchange.screens.access import KeyedSystems, Rights
from cea_exchange.screens.live.broadcast import Hub
from cea_exchange.screens.live.market_feed import MarketFeed
from cea_exchange.screens.page import BODY_BYTES_MAX, Page
from cea_exchange.screens.serving.forms import Once

START_S_MAX = 4.0
Task = Callable[[], Coroutine[Any, Any, None]]


@dataclass
class Site:
    """What is served: pages, and what they show.

    Attributes
    ----------
    name
        `board` or `console`.
    kept
        What pages keep between requests, by a name that they agree on.
    tasks
        What goes on while it is served.
    unknown, known
        What is still waited for at the start: the market, what the key may do; set when it is all
        there.
    """

    name: str
    pages: Sequence[Page]
    hub: Hub
    feed: MarketFeed
    systems: KeyedSystems | None = None
    rights: Rights = field(default_factory=Rights)
    once: Once = field(default_factory=Once)
    kept: dict[str, Any] = field(default_factory=dict)
    tasks: list[Task] = field(default_factory=list)
    unknown: set[str] = field(default_factory=lambda: {"market"})
    known: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_console(self) -> bool:
        """Whether it is one person's own; else it is everybody's."""
        return self.name == "console"

    def learned(self, what: str) -> None:
        """Note that something is known now, be it that there is nothing."""
        self.unknown.discard(what)
        if not self.unknown:
            self.known.set()

    async def all_known(self) -> None:
        """Wait at the start until all is known, for some seconds at most."""
        if self.unknown:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.known.wait(), START_S_MAX)
            self.unknown.clear()
            self.known.set()

    def menu(self) -> dict[str, list[Page]]:
        """Return the pages of the menu that there are now, by section."""
        menu: dict[str, list[Page]] = {}
        for page in self.pages:
            if page.in_menu and page.allowed(self.rights):
                menu.setdefault(page.section, []).append(page)
        return menu

    def body_bytes_max(self, path: str) -> int:
        """Return how large a form that is sent to an address may be."""
        sizes = [
            page.body_bytes_max
            for page in self.pages
            if path.startswith(page.path.partition("{")[0])
        ]
        return max(sizes, default=BODY_BYTES_MAX)
