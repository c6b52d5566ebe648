"""The bulletins of an embedded market, from the events it gives."""

from collections.abc import Iterable

from cea_exchange.domain.documents.bulletin import Bulletin, BulletinBuilder
from cea_exchange.matching.events import Event
from cea_exchange.matching.market import Market


class MarketBulletins:
    """Makes a market's bulletins of its named events.

    Parameters
    ----------
    market : Market
        As it is before the events to come; between two days, or new.
    after : Bulletin, optional
        The bulletin of the day before, whose sums are carried on.

    Notes
    -----
    Rules: CEA-INF-01.

    Examples
    --------
    >>> market = Market("cea", reference_prices={"CEA23": "97.49"})
    >>> bulletins = MarketBulletins(market)
    >>> events = market.open_day("2025-07-16") + market.close_day()
    >>> [bulletin.composite.close for bulletin in bulletins.take(events)]
    [9749]
    """

    def __init__(self, market: Market, *, after: Bulletin | None = None) -> None:
        self._market = market
        self._builder = BulletinBuilder(market.profile, after=after)
        self._declare()

    def take(self, events: Iterable[Event]) -> list[Bulletin]:
        """Take in all that a command gave, in order; return the bulletins of days it closed.

        A product that is declared later is noticed by itself, if it is before a day's close.
        """
        self._declare()
        bulletins = self._builder.take(events)
        if not self._market.core.day_is_open:
            bulletins += self._builder.finish()
        return bulletins

    def _declare(self) -> None:
        for product in self._market.products[len(self._builder.product_names) :]:
            index = self._market.product_index(product)
            price = self._market.core.product(index)["reference_price"]
            self._builder.declare(product, int(price))
