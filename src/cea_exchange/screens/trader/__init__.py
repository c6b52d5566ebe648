"""A trader's pages: book and ticket, own orders and fills, blocks, biddings, positions."""

from cea_exchange.domain.profile import MarketRules
from cea_exchange.screens.access import KeyedSystems
from cea_exchange.screens.page import Page
from cea_exchange.screens.site import Site
from cea_exchange.screens.trader import biddings, blocks, positions, trading
from cea_exchange.screens.trader.session import TradingSession

PAGES: tuple[Page, ...] = (
    *trading.PAGES,
    *blocks.PAGES,
    *biddings.PAGES,
    *positions.PAGES,
)


def open_pages(site: Site, systems: KeyedSystems, rules: MarketRules) -> None:
    """Let a site follow the account of its key, and show it."""
    session = TradingSession(site, systems, rules)
    site.kept["trader"] = session
    site.tasks.append(session.run)
    for pages in (trading, blocks, biddings, positions):
        pages.channels_add(site, session)
