"""The figures of a period: prices by method, K-lines, who trades, positions, announcements."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from cea_exchange.disclosure.periods import Period
from cea_exchange.disclosure.record import Announced, VenueRecord
from cea_exchange.disclosure.tables import (
    ActivityRow,
    AnnouncementRow,
    CompositeRow,
    ConcentrationRow,
    LineRow,
    MeasureRow,
    PositionRow,
    StatisticsRow,
    yuan,
)
from cea_exchange.domain.calendar import date_of_number
from cea_exchange.domain.documents.bulletin import Bulletin, Quote
from cea_exchange.domain.records import PRODUCT_NONE, EventKind, Method, Reason, Side
from cea_exchange.domain.timetable import time_from_ns
from cea_exchange.protocol import control
from cea_exchange.supervision.columns.market import Columns
from cea_exchange.supervision.tape import MINUTE_NS
from cea_exchange.venue.market.measures import Measure, public_list

LINE_NS = 30 * MINUTE_NS
LARGEST = 5
CLASS_ACCOUNTS_MIN = 3
"""Of fewer a class's tonnes would say what one of them holds."""

Tables = dict[str, list[Any]]


class Disclosure(NamedTuple):
    """What is disclosed of a period: rows by the names of `tables.LAYOUTS`."""

    market: str
    period: Period
    tables: Tables


class Discloser:
    """Makes disclosures of a venue's record.

    Parameters
    ----------
    record
        The record.
    """

    def __init__(self, record: VenueRecord) -> None:
        self._record = record
        self._changes = _holding_changes(record)

    def of(self, period: Period) -> Disclosure:
        """Return what is disclosed of a period.

        Notes
        -----
        Rules: CEA-INF-05. Only what was there at the period's last close counts, so that what comes
        later, a trade undone or a measure ended, changes nothing of it.
        """
        record = self._record
        bulletins = [record.bulletins[day] for day in period.days]
        first, last = self._rows(period)
        tape = record.tape
        part = Columns(
            tape._replace(events=tape.events[first:last], time_ns=tape.time_ns[first:last])
        )
        tables: Tables = {
            "statistics": list(_statistics(bulletins, part)),
            "composite": [_composite(bulletins)],
            "lines": list(_lines(period, bulletins, part)),
            "concentration": list(_concentration(part)),
            "positions": list(self._positions(last)),
            "activity": list(_activity(period, part)),
            "announcements": list(_announcements(record.announced, period)),
            "measures": list(self._measures(period.days[-1])),
        }
        return Disclosure(tape.profile.name, period, tables)

    def _rows(self, period: Period) -> tuple[int, int]:
        """Return the rows from the close before the period up to its own last close."""
        closes = self._record.close_rows
        before = [row for day, row in closes.items() if day < period.days[0]]
        return max(before, default=0), closes[period.days[-1]]

    def _positions(self, end: int) -> Iterator[PositionRow]:
        """Yield what each class of holders has at the venue.

        Notes
        -----
        Rules: CEA-INF-07.
        """
        record, tape = self._record, self._record.tape
        rows, accounts, products, tonnes = self._changes
        held = np.zeros((len(tape.accounts), max(len(tape.products), 1)), np.int64)
        for account, place, before in record.opening:
            held[account, place] += before
        done = rows < end
        np.add.at(held, (accounts[done], products[done]), tonnes[done])
        classes = np.array(record.classes)
        for index, code in enumerate(tape.products):
            for name in sorted(set(record.classes)):
                own = held[classes == name, index]
                holding = own[own > 0]
                if len(holding) >= CLASS_ACCOUNTS_MIN:
                    yield PositionRow(code, name, len(holding), int(holding.sum()))

    def _measures(self, day: int) -> Iterator[MeasureRow]:
        """Yield the public measures, as they stood at a day's close.

        Notes
        -----
        Rules: CEA-INF-06, CEA-MSR-05.
        """
        known = []
        for measure, taken_with, lifted_with in self._record.measures:
            if _is_by(taken_with, day):
                lifted = measure.lifted if _is_by(lifted_with, day) else None
                known.append(Measure(measure.taken, lifted))
        for row in public_list(known, day):
            yield MeasureRow(
                measure=str(row["measure"]),
                account=row["account"],
                step=row["step"],
                name=row["name"],
                barred=" ".join(row["barred"]) or "-",
                starts=row["starts"] or None,
                ends=row["ends"] or None,
                is_in_force="yes" if row["is_in_force"] else "no",
            )


def _is_by(closed_with: int, day: int) -> bool:
    return 0 < closed_with <= day


# -- prices ---------------------------------------------------------------------------------------


def _statistics(bulletins: Sequence[Bulletin], part: Columns) -> Iterator[StatisticsRow]:
    """Yield each product's figures by method; of listed trades by the days' own rules.

    Notes
    -----
    Rules: CEA-INF-05.
    """
    names = part.tape.products
    for code in _codes(bulletins):
        quotes = [quote for each in bulletins for quote in each.products if quote.code == code]
        for method in Method:
            sums = [quote.day.of(method) for quote in quotes]
            volume, amount = (sum(getattr(each, name) for each in sums) for name in _TRADED)
            own = part.trades[part.trades["method"] == method]
            own = own[own["product"] == names.index(code)]
            prices = _listed_prices(quotes) if method is Method.LISTED else _prices(own["price"])
            yield StatisticsRow(
                product=code,
                method=method.name.lower(),
                days=sum(each.volume > 0 for each in sums),
                trades=len(own),
                **{name: None if fen is None else yuan(fen) for name, fen in prices.items()},
                mean=yuan(_half_up(amount, volume)) if volume else None,
                volume=volume,
                amount=yuan(amount),
            )


_TRADED = ("volume", "amount")


def _codes(bulletins: Sequence[Bulletin]) -> list[str]:
    return list(dict.fromkeys(quote.code for each in bulletins for quote in each.products))


def _listed_prices(quotes: Sequence[Quote]) -> dict[str, int | None]:
    first, last = quotes[0], quotes[-1]
    return {
        "open": first.open,
        "high": max((q.high for q in quotes if q.high is not None), default=None),
        "low": min((q.low for q in quotes if q.low is not None), default=None),
        "close": last.close,
        "change": last.close - first.last_close,
    }


def _prices(prices: np.ndarray) -> dict[str, int | None]:
    if not len(prices):
        return dict.fromkeys(("open", "high", "low", "close", "change"))
    found = int(prices[0]), int(prices.max()), int(prices.min()), int(prices[-1])
    return {**dict(zip(("open", "high", "low", "close"), found, strict=True)), "change": None}


def _composite(bulletins: Sequence[Bulletin]) -> CompositeRow:
    quotes = [each.composite for each in bulletins]
    prices = {name: fen for name, fen in _listed_prices(quotes).items() if fen is not None}
    traded = [quote.day.total for quote in quotes]
    high, low = prices.get("high"), prices.get("low")
    return CompositeRow(
        composite=quotes[-1].code,
        open=yuan(prices["open"]),
        high=None if high is None else yuan(high),
        low=None if low is None else yuan(low),
        close=yuan(prices["close"]),
        change=yuan(prices["change"]),
        volume=sum(each.volume for each in traded),
        amount=yuan(sum(each.amount for each in traded)),
    )


def _half_up(numerator: int, denominator: int) -> int:
    return (2 * numerator + denominator) // (2 * denominator)


# -- K-lines --------------------------------------------------------------------------------------


def _lines(period: Period, bulletins: Sequence[Bulletin], part: Columns) -> Iterator[LineRow]:
    """Yield K-lines of listed trades: of half an hour, of a day, or in a year of a month.

    Notes
    -----
    Rules: CEA-INF-05.
    """
    if period.kind == "day":
        yield from _half_hours(part)
        return
    length = 7 if period.kind == "year" else 10
    for code in _codes(bulletins):
        spans: dict[str, list[Quote]] = {}
        for each in bulletins:
            begins = date_of_number(each.trading_date).isoformat()[:length]
            spans.setdefault(begins, []).extend(q for q in each.products if q.code == code)
        for begins, quotes in spans.items():
            traded = [quote for quote in quotes if quote.high is not None and quote.low is not None]
            if traded:
                yield LineRow(
                    product=code,
                    begins=begins,
                    open=yuan(traded[0].open),
                    high=yuan(max(quote.high or 0 for quote in traded)),
                    low=yuan(min(quote.low or 0 for quote in traded)),
                    close=yuan(traded[-1].close),
                    volume=sum(quote.day.listed.volume for quote in traded),
                    amount=yuan(sum(quote.day.listed.amount for quote in traded)),
                )


def _half_hours(part: Columns) -> Iterator[LineRow]:
    for index, product in enumerate(part.tape.products):
        own = part.listed[part.listed["product"] == index]
        spans = own["time_ns"] // LINE_NS
        for span in np.unique(spans):
            line = own[spans == span]
            prices = line["price"]
            yield LineRow(
                product=product,
                begins=time_from_ns(int(span) * LINE_NS).isoformat(timespec="minutes"),
                open=yuan(int(prices[0])),
                high=yuan(int(prices.max())),
                low=yuan(int(prices.min())),
                close=yuan(int(prices[-1])),
                volume=int(line["tonnes"].sum()),
                amount=yuan(int(line["amount"].sum())),
            )


# -- who ------------------------------------------------------------------------------------------


def _concentration(part: Columns) -> Iterator[ConcentrationRow]:
    """Yield what part of a product's volume the largest buyers and sellers had, without names.

    Notes
    -----
    Rules: CEA-INF-05.
    """
    for index, product in enumerate(part.tape.products):
        own = part.trades[part.trades["product"] == index]
        for side, who in (("buy", "buyer"), ("sell", "seller")):
            sums = np.zeros(part.account_count, np.int64)
            np.add.at(sums, part.will[own[who]], own["tonnes"])
            largest = np.sort(sums[sums > 0])[::-1]
            total = int(largest.sum())
            if total:
                yield ConcentrationRow(
                    product=product,
                    side=side,
                    traders=len(largest),
                    largest_per_mille=int(largest[0]) * 1_000 // total,
                    five_largest_per_mille=int(largest[:LARGEST].sum()) * 1_000 // total,
                    volume=total,
                )


def _activity(period: Period, part: Columns) -> Iterator[ActivityRow]:
    trades, events = part.trades, part.events
    who = np.union1d(trades["buyer"], trades["seller"])
    yield ActivityRow("trading days", len(period.days))
    yield ActivityRow("trades", len(trades))
    yield ActivityRow("accounts that traded", len(who))
    for figure, kind in (
        ("orders accepted", EventKind.ORDER_ACCEPTED),
        ("biddings announced", EventKind.BIDDING_OPENED),
        ("biddings cancelled", EventKind.BIDDING_CANCELED),
        ("halts", EventKind.HALTED),
        ("suspensions of accounts", EventKind.ACCOUNT_SUSPENDED),
    ):
        yield ActivityRow(figure, len(part.rows(kind)))
    busted = part.rows(EventKind.TRADE_BUSTED)
    undone = int(np.count_nonzero(events["reason"][busted] == Reason.NONE))
    yield ActivityRow("trades undone", undone)


def _holding_changes(record: VenueRecord) -> tuple[np.ndarray, ...]:
    """Return each change of a holding: row, account, product, tonnes; undone trades go back."""
    events = record.tape.events
    kinds = events["kind"]
    parts: list[tuple[np.ndarray, ...]] = []
    for kind, sign in ((EventKind.DEPOSITED, 1), (EventKind.WITHDRAWN, -1)):
        rows = np.flatnonzero((kinds == kind) & (events["product_index"] != PRODUCT_NONE))
        parts.append(_moved(events, rows, rows, "account_index", sign))
    traded = np.flatnonzero(kinds == EventKind.TRADE)
    undone = np.flatnonzero((kinds == EventKind.TRADE_BUSTED) & (events["reason"] == Reason.NONE))
    ids = events["trade_id"][traded]
    order = np.argsort(ids, kind="stable")
    place = np.searchsorted(ids[order], events["trade_id"][undone])
    known = place < len(ids)
    known[known] &= ids[order][place[known]] == events["trade_id"][undone][known]
    back = traded[order[place[known]]]
    for source, at, sign in ((traded, traded, 1), (back, undone[known], -1)):
        is_buy = np.where(events["side"][source] == Side.BUY, sign, -sign)
        parts.append(_moved(events, source, at, "account_index", is_buy))
        parts.append(_moved(events, source, at, "counter_account_index", -is_buy))
    return tuple(np.concatenate(column) for column in zip(*parts, strict=True))


def _moved(
    events: np.ndarray, source: np.ndarray, at: np.ndarray, who: str, sign: Any
) -> tuple[np.ndarray, ...]:
    tonnes = events["tonnes"][source].astype(np.int64) * sign
    return at, events[who][source], events["product_index"][source], tonnes


# -- announcements ---------------------------------------------------------------------------------


def _announcements(announced: Sequence[Announced], period: Period) -> Iterator[AnnouncementRow]:
    """Yield the announcements disclosed with the period's days.

    Notes
    -----
    Rules: CEA-INF-06. An operator's words are shown where they were written for everybody.
    """
    days = set(period.days)
    for each in announced:
        if each.day in days and (said := _announcement(each.act)) is not None:
            about, product, text = said
            yield AnnouncementRow(each.day, each.at, about, product or "-", text)


def _announcement(act: control.Control) -> tuple[str, str | None, str] | None:
    match act:
        case control.AnnouncementMade(about=about, product=product, text=text):
            return about, product, text
        case control.Halt(product=product):
            return "suspension", product, f"trading of {product or 'the market'} is suspended"
        case control.Resume(product=product):
            return "resumption", product, f"trading of {product or 'the market'} is resumed"
        case control.ProductList(product=product, price=price):
            return "listing", product, f"{product} is traded, from {yuan(price)} yuan per tonne"
        case control.ListingConfirmed(product=product):
            return "listing", product, f"{product} is traded from the next trading day on"
        case control.ProductDelist(product=product):
            return "listing", product, f"{product} is traded no more"
        case control.ProfileChanged(profile_hash=digest):
            return "rules", None, f"other rules are in force, {digest}"
        case control.BiddingReviewed(bidding=bidding, approved=True):
            return "auction", None, f"bidding {bidding} is approved"
    return None
