"""The bulletin after the close: what the exchange publishes of a trading day, from its events.

    builder = BulletinBuilder(profile)
    builder.declare("CEA23", 9749)               # fen; products in order of their index
    for bulletin in builder.take_records(rows):  # or take(events): rows of EVENT_DTYPE, or named
        print(bulletin_text(bulletin))           # cea_exchange.domain.documents.bulletin_forms

A builder goes on from day to day: it carries the closes, the sums of the year and those since the
market began. Where it begins later than the market did, the last bulletin before says what to
carry on from. Prices are fen per tonne, amounts fen.
"""

from array import array
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from cea_exchange.domain.calendar import date_number, date_of_number, date_parse
from cea_exchange.domain.documents.day_totals import day_amount, day_volume, day_volume_intra_group
from cea_exchange.domain.documents.html_table import Cell, html_table
from cea_exchange.domain.enums import EventKind, Method
from cea_exchange.domain.profile import Profile
from cea_exchange.domain.records import DAY_CLOSED_DTYPE
from cea_exchange.domain.units import cash_format, price_format, price_parse

_KINDS_BUT_TRADES = (
    EventKind.DAY_OPENED,
    EventKind.REFERENCE_PRICE_CHANGED,
    EventKind.PRODUCT_LISTED,
    EventKind.PRODUCT_DELISTED,
    EventKind.DAY_CLOSED,
    EventKind.COMPOSITE_CLOSED,
)
_TRADES_AT_A_TIME = 8_192
VOLUME_MOST = (1 << 62) - 1
"""Tonnes that a bulletin tells at most: what it says can be carried on, and fits every form."""


def volume_capped(tonnes: int) -> int:
    """Return tonnes as a bulletin tells them."""
    return min(tonnes, VOLUME_MOST)


class Traded(Struct, frozen=True):
    """Tonnes, at most `VOLUME_MOST`, and fen, traded."""

    volume: int = 0
    amount: int = 0

    def __add__(self, other: Self) -> Self:
        """Return both together."""
        volume = volume_capped(self.volume + other.volume)
        return type(self)(volume, self.amount + other.amount)


class ByMethod(Struct, frozen=True):
    """What was traded in each of the three ways."""

    listed: Traded = Traded()
    block: Traded = Traded()
    bidding: Traded = Traded()

    def __add__(self, other: Self) -> Self:
        """Return both together, method by method."""
        return type(self)(*(self.of(method) + other.of(method) for method in Method))

    def of(self, method: Method) -> Traded:
        """Return one method's."""
        return getattr(self, method.name.lower())

    @property
    def total(self) -> Traded:
        """Return all methods' together."""
        return self.listed + self.block + self.bidding


class Quote(Struct, frozen=True, kw_only=True):
    """A product's day, or the composite's; prices in fen per tonne.

    Attributes
    ----------
    code
        The product's name; of the composite `COM` and the profile's name.
    open, close, last_close
        `last_close` is the close before, or the reference price set instead of it.
    high, low
        None without a listed trade.
    day, year, total
        Traded on the day, since 1 January, and since the market began; of the composite by all
        products together, those included that are not traded any more.
    volume_intra_group
        Tonnes of the day's block volume that changed hands between accounts of one group.
    """

    code: str
    open: int
    high: int | None
    low: int | None
    close: int
    last_close: int
    day: ByMethod
    year: ByMethod
    total: ByMethod
    volume_intra_group: int = 0

    @property
    def change(self) -> int:
        """Return the close less the last one, in fen per tonne."""
        return self.close - self.last_close

    @property
    def change_rate(self) -> int:
        """Return the change in hundredths of a percent of the last close, half up by size."""
        size = (20_000 * abs(self.change) + self.last_close) // (2 * self.last_close)
        return size if self.change >= 0 else -size


class Bulletin(Struct, frozen=True, kw_only=True):
    """A trading day as the exchange publishes it.

    Attributes
    ----------
    market
        The profile's name.
    trading_date
        yyyymmdd.
    composite, products
        Products in order of their declaration.
    """

    market: str
    trading_date: int
    composite: Quote
    products: tuple[Quote, ...]

    def quote(self, code: str) -> Quote:
        """Return a product's quote, or the composite's; KeyError if it has none that day."""
        for each in (self.composite, *self.products):
            if each.code == code:
                return each
        raise KeyError(code)

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} {self.market} {date_of_number(self.trading_date)}:"
            f" close {price_format(self.composite.close)},"
            f" {self.composite.day.total.volume:,} t of {len(self.products)} products>"
        )

    def _repr_html_(self) -> str:
        return html_table(_HEADS, map(_cells, (*self.products, self.composite)), caption=repr(self))


_HEADS = (
    *("product", "open", "high", "low", "close", "last close"),
    *(f"t by {method.name.lower()}" for method in Method),
    *("t", "yuan"),
)


def _cells(quote: Quote) -> list[Cell]:
    prices = (quote.open, quote.high, quote.low, quote.close, quote.last_close)
    total = quote.day.total
    return [
        quote.code,
        *("" if price is None else price_format(price) for price in prices),
        *(f"{quote.day.of(method).volume:,}" for method in Method),
        *(f"{total.volume:,}", cash_format(total.amount)),
    ]


def composite_code(market: str) -> str:
    """Return the code of a market's composite quote, `COMCEA` for `cea`."""
    return f"COM{market.upper()}"


class _Product:
    """What a builder carries of a product."""

    def __init__(self, name: str, reference_price: int, sums: "_Sums") -> None:
        self.name = name
        self.reference_price = reference_price
        self.sums = sums


class _Sums:
    """What was traded up to a day: in its year, and in all."""

    def __init__(self, last_date: int, quote: Quote | None) -> None:
        self._last_date = last_date
        self.year = ByMethod() if quote is None else quote.year
        self.total = ByMethod() if quote is None else quote.total

    def add(self, trading_date: int, day: ByMethod) -> None:
        """Go on to a day; with a new year the year's sums begin anew."""
        if trading_date // 10_000 != self._last_date // 10_000:
            self.year = ByMethod()
        self._last_date = trading_date
        self.year += day
        self.total += day


class BulletinBuilder:
    """Makes a market's bulletins of its events, which it is given in their order.

    Parameters
    ----------
    profile : Profile
        The market's: its name, and the composite's weights.
    after : Bulletin, optional
        The last bulletin before: its sums are carried on, and so is the composite's close.

    Attributes
    ----------
    profile : Profile
        The rules of the day that closes next.

    Notes
    -----
    Where the rules change between two days, set `profile` to the new ones before the next day.

    Give it all events of a day, from its opening on: of the listed trades it needs the prices in
    their order, for the composite's high and low, and keeps them until the close. All else it takes
    from what the market itself sums up there. A trade that is busted after its day's close stays in
    what was published.

    Rules: CEA-INF-01 (the bulletin), CEA-INF-02 (the composite's four prices).
    """

    def __init__(self, profile: Profile, *, after: Bulletin | None = None) -> None:
        self.profile = profile
        self._products: list[_Product] = []
        self._indexes: dict[str, int] = {}
        self._before = {} if after is None else {each.code: each for each in after.products}
        self._before_date = 0 if after is None else after.trading_date
        self._delisted: set[str] = set()
        self._composite_close = None if after is None else after.composite.close
        self._sums = _Sums(self._before_date, None if after is None else after.composite)
        self._date = 0
        # Of the day's listed trades; what weighs in the composite is known at its end.
        self._trade_products, self._trade_prices = array("H"), array("q")
        # Names of the products delisted on the day, each after how many of these trades.
        self._delistings: list[tuple[int, str]] = []
        self._quotes: list[Quote] = []

    @property
    def product_names(self) -> list[str]:
        """The declared products, by index."""
        return [product.name for product in self._products]

    def declare(self, product: str, reference_price: int) -> int:
        """Take in a product with its reference price (fen); return its index in records."""
        if product in self._indexes:
            raise ValueError(f"product: expected one not declared yet, got {product!r}")
        self._indexes[product] = len(self._products)
        sums = _Sums(self._before_date, self._before.get(product))
        self._products.append(_Product(product, reference_price, sums))
        return self._indexes[product]

    def take(self, events: Iterable[Mapping[str, Any]]) -> list[Bulletin]:
        """Take in named events; return the bulletins of the days that closed with them.

        Parameters
        ----------
        events : iterable
            Of `matching.events`, or the dicts that their JSON lines decode to. Days, trades,
            reference prices and closes are read, all others passed over.

        Raises
        ------
        ValueError
            If an event is of a product that was not declared.
        """
        return [bulletin for event in events for bulletin in self._take(event)]

    def _take(self, event: Mapping[str, Any]) -> Iterator[Bulletin]:
        match event["event"]:
            case "day_opened":
                yield from self.finish()
                self._day_open(date_number(date_parse(event["date"])))
            case "trade" if event["method"] == "listed":
                index, price = self._index(event["product"]), price_parse(event["price"])
                self._trade_products.append(index)
                self._trade_prices.append(price)
            case "reference_price_changed":
                self._reference_price(self._index(event["product"]), price_parse(event["price"]))
            case "product_listed":
                self._listing(event["product"], price_parse(event["price"]))
            case "product_delisted":
                self._listing(event["product"], None)
            case "day_closed":
                self._product_closed(*_closed_named(event))
            case "composite_closed":
                yield self._close(price_parse(event["price"]))

    def take_records(self, rows: np.ndarray) -> list[Bulletin]:
        """Take in event records; return the bulletins of the days that closed with them.

        Parameters
        ----------
        rows : ndarray of EVENT_DTYPE
            In their order; kinds that say nothing of a bulletin are passed over.

        Raises
        ------
        ValueError
            If a row is of a product that was not declared.
        """
        bulletins: list[Bulletin] = []
        first = 0
        for place in np.flatnonzero(np.isin(rows["kind"], _KINDS_BUT_TRADES)).tolist():
            self._trade_rows(rows[first:place])
            bulletins += self._take_row(rows[place : place + 1])
            first = place + 1
        self._trade_rows(rows[first:])
        return bulletins

    def _take_row(self, row: np.ndarray) -> Iterator[Bulletin]:
        (event,) = row
        match event["kind"]:
            case EventKind.DAY_OPENED:
                yield from self.finish()
                self._day_open(int(event["trading_date"]))
            case EventKind.REFERENCE_PRICE_CHANGED:
                index = self._index_check(int(event["product_index"]))
                self._reference_price(index, int(event["price"]))
            case EventKind.PRODUCT_LISTED | EventKind.PRODUCT_DELISTED as kind:
                name = self._products[self._index_check(int(event["product_index"]))].name
                price = int(event["price"]) if kind == EventKind.PRODUCT_LISTED else None
                self._listing(name, price)
            case EventKind.DAY_CLOSED:
                (closed,) = row.view(DAY_CLOSED_DTYPE)
                index = self._index_check(int(closed["product_index"]))
                self._product_closed(*_closed_record(closed, self._products[index].name))
            case EventKind.COMPOSITE_CLOSED:
                yield self._close(int(event["price"]))

    def _trade_rows(self, rows: np.ndarray) -> None:
        trades = rows[(rows["kind"] == EventKind.TRADE) & (rows["method"] == Method.LISTED)]
        if len(trades):
            self._index_check(int(trades["product_index"].max()))
            self._trade_products.frombytes(trades["product_index"].tobytes())
            self._trade_prices.frombytes(trades["price"].tobytes())

    def finish(self) -> list[Bulletin]:
        """Return the bulletin of a day that closed without a composite, if that came last.

        It closes so where no product is listed any more; the composite stays as it was then. The
        next day's opening finishes it too.
        """
        return [self._close(None)] if self._quotes else []

    # -- The day --------------------------------------------------------------------------------

    def _day_open(self, trading_date: int) -> None:
        self._date = trading_date
        self._day_forget()

    def _day_forget(self) -> None:
        self._trade_products, self._trade_prices = array("H"), array("q")
        self._delistings = []
        self._quotes = []

    def _reference_price(self, index: int, price: int) -> None:
        self._products[index].reference_price = price

    def _listing(self, product: str, price: int | None) -> None:
        """Take in that a product is listed at a price, or with None that it is delisted."""
        index = self._index(product)
        if price is None:
            self._delisted.add(product)
            self._delistings.append((len(self._trade_prices), product))
        else:
            self._delisted.discard(product)
            self._reference_price(index, price)

    def _product_closed(self, trading_date: int, quote: Quote) -> None:
        product = self._products[self._index(quote.code)]
        self._date = trading_date
        product.sums.add(trading_date, quote.day)
        self._quotes.append(
            replace(
                quote,
                last_close=product.reference_price,
                year=product.sums.year,
                total=product.sums.total,
            )
        )

    def _close(self, close: int | None) -> Bulletin:
        quotes = self._quotes
        day = sum((quote.day for quote in quotes), ByMethod())
        self._sums.add(self._date, day)
        listed = [quote.code for quote in quotes if quote.code not in self._delisted]
        weight_of = self._weights_of(listed)
        weights = [weight_of.get(quote.code, 0) for quote in quotes]
        if close is None:
            # Nothing is listed, and all products are shown.
            weights = [1] * len(quotes)
        last_close = self._composite_close
        if last_close is None:
            last_close = _mean([quote.last_close for quote in quotes], weights)
        opened, extremes = last_close, (None, None)
        if close is None:
            close = last_close
        else:
            opened = _mean([quote.open for quote in quotes], weights)
            extremes = self._composite_extremes(listed)
        composite = Quote(
            code=composite_code(self.profile.name),
            open=opened,
            high=extremes[0],
            low=extremes[1],
            close=close,
            last_close=last_close,
            day=day,
            year=self._sums.year,
            total=self._sums.total,
            volume_intra_group=volume_capped(sum(quote.volume_intra_group for quote in quotes)),
        )
        bulletin = Bulletin(
            market=self.profile.name,
            trading_date=self._date,
            composite=composite,
            products=tuple(quotes),
        )
        for quote in quotes:
            self._products[self._indexes[quote.code]].reference_price = quote.close
        self._composite_close = close
        self._day_forget()
        return bulletin

    def _weights_of(self, listed: list[str]) -> dict[str, int]:
        """Return what each weighs in the day's composite where these are listed."""
        weights = self.profile.composite_weights(listed, date_of_number(self._date))
        return dict(zip(listed, weights, strict=True))

    def _composite_extremes(self, listed: list[str]) -> tuple[int | None, int | None]:
        """Return the highest and the lowest composite after a listed trade that weighs.

        Parameters
        ----------
        listed : list of str
            What is at the close; what was delisted on the day was listed before.

        Notes
        -----
        Rules: CEA-INF-02.
        """
        last = [product.reference_price for product in self._products]
        ends: list[int] = []
        first = 0
        for place, (end, _) in enumerate([*self._delistings, (len(self._trade_prices), "")]):
            there = [*listed, *(name for _, name in self._delistings[place:])]
            weight_of = np.zeros(len(self._products), np.int64)
            for name, weight in self._weights_of(there).items():
                weight_of[self._indexes[name]] = weight
            ends += self._path_ends(first, end, weight_of, last)
            first = end
        return (max(ends), min(ends)) if ends else (None, None)

    def _path_ends(
        self, first: int, end: int, weight_of: np.ndarray, last: list[int]
    ) -> Iterator[int]:
        """Yield ends of the composite's path over some trades; `last` goes along with them."""
        composite, weight = int(weight_of @ np.array(last, np.int64)), int(weight_of.sum())
        # Some at a time: a day of a million trades takes no more memory than their prices.
        for start in range(first, end, _TRADES_AT_A_TIME):
            stop = min(start + _TRADES_AT_A_TIME, end)
            products = np.array(self._trade_products[start:stop], np.intp)
            prices = np.array(self._trade_prices[start:stop], np.int64)
            path = composite + np.cumsum(weight_of[products] * _steps(products, prices, last))
            composite = int(path[-1])
            weighed = path[weight_of[products] > 0]
            if len(weighed):
                yield from (_half_up(int(end), weight) for end in (weighed.max(), weighed.min()))

    def _index(self, product: str) -> int:
        if product not in self._indexes:
            raise ValueError(f"product: expected one with its reference price, got {product!r}")
        return self._indexes[product]

    def _index_check(self, index: int) -> int:
        if index >= len(self._products):
            raise ValueError(f"product_index: expected below {len(self._products)}, got {index}")
        return index


def _steps(products: np.ndarray, prices: np.ndarray, last: list[int]) -> np.ndarray:
    """Return by how much each trade moves its product's price; `last` goes along with them."""
    steps = np.zeros(len(prices), np.int64)
    for index in np.unique(products).tolist():
        at = np.flatnonzero(products == index)
        steps[at] = np.diff(prices[at], prepend=last[index])
        last[index] = int(prices[at[-1]])
    return steps


def _closed_named(event: Mapping[str, Any]) -> tuple[int, Quote]:
    volume, amount = event["volume"], event["amount"]
    names = [method.name.lower() for method in Method]
    # An amount may be 0.00, or too large to be one of an order.
    traded = [
        Traded(volume_capped(volume[name]), int(amount[name].replace(".", ""))) for name in names
    ]
    prices = [event[n] and price_parse(event[n]) for n in ("open", "high", "low", "close")]
    quote = _quote(event["product"], prices, traded, event["volume_intra_group"])
    return date_number(date_parse(event["date"])), quote


def _closed_record(row: np.void, name: str) -> tuple[int, Quote]:
    traded = []
    for method in Method:
        traded.append(Traded(volume_capped(day_volume(row, method)), day_amount(row, method)))
    prices = [int(row[field]) or None for field in ("open", "high", "low", "close")]
    quote = _quote(name, prices, traded, day_volume_intra_group(row))
    return int(row["trading_date"]), quote


def _quote(
    code: str, prices: list[int | None], traded: list[Traded], volume_intra_group: int
) -> Quote:
    """Return what the close says of a product; what is carried comes later."""
    opened, high, low, close = prices
    nothing = ByMethod()
    return Quote(
        code=code,
        open=opened,
        high=high,
        low=low,
        close=close,
        last_close=close,
        day=ByMethod(*traded),
        year=nothing,
        total=nothing,
        volume_intra_group=volume_capped(volume_intra_group),
    )


def _mean(prices: list[int], weights: list[int]) -> int:
    return _half_up(sum(p * w for p, w in zip(prices, weights, strict=True)), sum(weights))


def _half_up(numerator: int, denominator: int) -> int:
    return (2 * numerator + denominator) // (2 * denominator)
