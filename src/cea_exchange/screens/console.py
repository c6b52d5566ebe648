"""One person's own console: a key, the systems it may ask, the pages that follow from it."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from cea_exchange.domain.profile import Profile, load_profile
from cea_exchange.screens import control_room, firm, officials, regulator, trader
from cea_exchange.screens.access import KeyedSystems, Rights
from cea_exchange.screens.board import history, market, reference
from cea_exchange.screens.board.documents import Documents
from cea_exchange.screens.institution import proposals
from cea_exchange.screens.live.broadcast import Hub
from cea_exchange.screens.live.market_feed import MarketFeed, Source, source_read
from cea_exchange.screens.page import Page
from cea_exchange.screens.site import Site

PROFILE = "cea"
RIGHTS_S = 5.0
"""So often it is asked anew what the key may do, as keys are granted and revoked meanwhile."""
AGAIN_S = 0.2
"""So soon again while a system has never answered."""

BOARD_PAGES: tuple[Page, ...] = (
    *market.PAGES,
    *history.PAGES,
    *reference.PAGES,
)
"""What everybody may see, on the board and in each console."""
CONSOLE_PAGES: tuple[Page, ...] = (
    *trader.PAGES,
    *control_room.PAGES,
    *regulator.PAGES,
    *firm.PAGES,
    *officials.PAGES,
    *proposals.PAGES,
    *BOARD_PAGES,
)
"""All pages of consoles: each is there for those whom it admits."""


def console_site(
    folders: Sequence[Path], key: Path, *, public: Path | None = None, profile: str = PROFILE
) -> Site:
    """Return the site of one person.

    Parameters
    ----------
    folders
        Where the systems say how they are reached, see `KeyedSystems`.
    key
        The person's key pair.
    public, profile
        As in `board_site`; by the profile a ticket is looked at before it is sent.
    """
    systems = KeyedSystems(folders, key)
    rules = load_profile(profile)
    site = _site("console", CONSOLE_PAGES, folders, public, rules)
    site.systems = systems
    site.unknown |= {"seats", "trading"}
    site.tasks.append(lambda: _rights_follow(site, systems))
    trader.open_pages(site, systems, rules.rules)
    control_room.open_pages(site, systems)
    regulator.open_pages(site, systems)
    proposals.open_pages(site, systems)
    return site


def board_site(
    folders: Sequence[Path], *, public: Path | None = None, profile: str = PROFILE
) -> Site:
    """Return the public board.

    Parameters
    ----------
    folders
        Where market data is served from, and where bulletins may be.
    public
        What the authorities have published: lists, and the registry's notices.
    profile
        The market's rules: a name, or a file.
    """
    return _site("board", BOARD_PAGES, folders, public, load_profile(profile))


def _site(
    name: str,
    pages: Sequence[Page],
    folders: Sequence[Path],
    public: Path | None,
    profile: Profile,
) -> Site:
    hub = Hub(lambda product: feed.product(product) is not None)
    feed = MarketFeed(lambda: market_source(folders), hub.changed)
    market.channels_add(hub, feed)
    site = Site(name, pages, hub, feed)
    site.kept["documents"] = Documents(folders, public, profile, feed)
    return site


def market_source(folders: Sequence[Path]) -> Source:
    """Return where public market data is: of a relay, where one is known, else of the venue.

    Raises
    ------
    OSError
        No folder says so.
    """
    for name in ("relay", "venue"):
        for folder in folders:
            file = folder / name / "endpoints.json"
            if file.exists():
                return source_read(file)
    raise FileNotFoundError("expected relay/endpoints.json or venue/endpoints.json, got neither")


async def _rights_follow(site: Site, systems: KeyedSystems) -> None:
    """Keep knowing what the key may do at each system."""
    while True:
        seats = await systems.seats(site.rights.seats)
        site.rights = Rights(site.rights.trading, site.rights.account, seats)
        # While one has never answered, a page may be refused to whom it may be shown.
        unheard = systems.silent - dict(seats).keys()
        if not unheard:
            site.learned("seats")
        await asyncio.sleep(AGAIN_S if unheard else RIGHTS_S)
