"""Plays published days, one after the other, through the market and the registry, and compares."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct, field

from cea_exchange.daily_replay.comparison import (
    Cause,
    Context,
    Difference,
    compared,
    differences,
)
from cea_exchange.daily_replay.day_plan import DayPlan, DayRules, Planned, day_rules, plan_day
from cea_exchange.daily_replay.local_market import Deal, LocalMarket, ReplayFailed
from cea_exchange.daily_replay.participants import (
    CannotTrade,
    Endowment,
    Participants,
    Parties,
    endowment,
)
from cea_exchange.domain.documents.bulletin import Bulletin
from cea_exchange.domain.profile import Profile, load_profile
from cea_exchange.domain.records import Phase
from cea_exchange.domain.reference_prices import DailyFigures
from cea_exchange.registry.reconciliation.reconcile import Reconciliation, check_ledger

PRODUCT = "CEA"
"""The published prices are composite, so one product stands for all vintages."""


class ReplaySettings(Struct, frozen=True, kw_only=True):
    """How the days are replayed.

    Attributes
    ----------
    first_reference
        Fen; None takes the first day's open, or its close if it had no listed trades.
    accounts, seed
        How many participants, and what decides who trades with whom.
    profile
        The market's rules: a packaged profile's name, or a file.
    """

    first_reference: int | None = None
    accounts: int = 60
    seed: int = 20210716
    profile: str = "cea"


class DayResult(NamedTuple):
    """A day as published and as it came out."""

    published: DailyFigures
    ours: DailyFigures
    context: Context
    differences: tuple[Difference, ...]


class ReplayReport(Struct, kw_only=True):
    """What came of it all."""

    first_reference: int
    accounts: int
    endowment: Endowment
    days: list[DayResult] = field(default_factory=list)
    bulletins: list[Bulletin] = field(default_factory=list)
    """In the exchange's own layout, one a day."""
    trades: int = 0
    ledger: Reconciliation = field(default_factory=Reconciliation)
    elapsed_s: float = 0.0

    def equal(self, figure: str) -> int:
        """Return on how many days a figure is as published."""
        return self.compared(figure) - sum(self.causes(figure).values())

    def compared(self, figure: str) -> int:
        """Return on how many days a figure was published."""
        return sum(figure in compared(day.published) for day in self.days)

    def causes(self, figure: str) -> Counter[Cause | None]:
        """Return why a figure is not as published, and on how many days each."""
        found = (each for day in self.days for each in day.differences if each.figure == figure)
        return Counter(each.cause for each in found)

    def first_day(self, figure: str, cause: Cause | None) -> date:
        """Return the first day on which a figure is not as published for a cause."""
        return next(
            day.published.trading_date
            for day in self.days
            for each in day.differences
            if (each.figure, each.cause) == (figure, cause)
        )

    def unexplained(self) -> list[tuple[date, Difference]]:
        """Return the differences without a cause, and of which day."""
        return [
            (day.published.trading_date, each)
            for day in self.days
            for each in day.differences
            if each.cause is None
        ]


def replay_days(
    days: Sequence[DailyFigures],
    settings: ReplaySettings,
    data: Path,
    progress: Callable[[int], None] = lambda done: None,
) -> ReplayReport:
    """Replay published days.

    Parameters
    ----------
    days
        In order of date, at least one.
    settings
        How.
    data
        A folder for the registry, without one yet.
    progress
        Called with the number of days that are done.

    Raises
    ------
    ValueError
        There is no day, or the first day has no open and no first reference is given.
    ReplayFailed
        A day is not conserved, or not settled, or was not traded as planned.
    """
    started = time.monotonic()
    profile = load_profile(settings.profile)
    reference = first_reference(days, settings)
    has = endowment(days, settings.accounts, reference, profile.rules.block_tonnes_min)
    report = ReplayReport(first_reference=reference, accounts=settings.accounts, endowment=has)
    with LocalMarket(
        data, profile, product=PRODUCT, reference=reference, accounts=settings.accounts, has=has
    ) as market:
        run = _Run(market, Participants(settings.accounts, has, settings.seed), profile)
        for published in days:
            try:
                report.days.append(run.day(published))
            except (ReplayFailed, CannotTrade) as error:
                raise ReplayFailed(f"{published.trading_date}: {error}") from error
            progress(len(report.days))
        report.trades, report.bulletins = market.trades_settled, market.bulletins
    report.ledger = check_ledger(data)
    if not report.ledger.agrees:
        raise ReplayFailed(f"after the last day: {report.ledger.sentence()}")
    report.elapsed_s = time.monotonic() - started
    return report


def first_reference(days: Sequence[DailyFigures], settings: ReplaySettings) -> int:
    """Return the price that the first day's bands are measured from; no later day's.

    It is the given one, else the first day's open. On a day without listed trades the close is that
    of the day before.
    """
    if not days:
        raise ValueError("expected at least one trading day, there is none")
    if settings.first_reference is not None:
        return settings.first_reference
    first = days[0]
    reference = first.close if first.listed_volume == 0 else first.open
    if not reference:
        raise ValueError(
            f"{first.trading_date}: expected an open, or a first reference price, got neither"
        )
    return reference


class _Run:
    """The days of one replay."""

    def __init__(self, market: LocalMarket, participants: Participants, profile: Profile) -> None:
        self._market = market
        self._participants = participants
        self._profile = profile
        self._published_close: int | None = None

    def day(self, published: DailyFigures) -> DayResult:
        """Trade, settle and compare one day."""
        previous_close = self._market.previous_close
        rules = self._market.day_open(published)
        self._participants.day_begin()
        self._trade(plan_day(published, rules), rules)
        ours = self._market.day_close()
        self._books_check()
        context = Context(rules, previous_close)
        if self._published_close is not None:
            after_published = day_rules(self._profile.rules, self._published_close)
            context = Context(rules, previous_close, after_published, self._published_close)
        self._published_close = published.close
        return DayResult(published, ours, context, differences(published, ours, context))

    def _trade(self, plan: DayPlan, rules: DayRules) -> None:
        """Half of the listed trades come before the noon break, blocks and bidding after it."""
        market = self._market
        listed = self._participants.shuffled(plan.listed)
        noon = -(-len(listed) // 2)
        market.phase(Phase.LISTED)
        market.trade_listed(self._deals(listed[:noon]), rules.listed)
        market.phase(Phase.BREAK)
        market.phase(Phase.LISTED_AND_BLOCK)
        market.trade_blocks(self._deals(plan.block), rules.block)
        market.trade_bidding(self._bids(plan.bidding, rules), rules)
        market.trade_listed(self._deals(listed[noon:]), rules.listed)

    def _deals(self, trades: Sequence[Planned]) -> list[Deal]:
        return [
            Deal(trade, self._participants.parties(trade), self._participants.is_heads())
            for trade in trades
        ]

    def _bids(self, trades: Sequence[Planned], rules: DayRules) -> list[Deal]:
        """Return what one seller's offer is awarded as; nobody has its proceeds before."""
        books = self._participants
        awarded = sum(trade.tonnes for trade in trades)
        if not trades:
            return []
        seller = books.seller(max(awarded, rules.bidding_tonnes_min))
        return [
            Deal(trade, Parties(books.buyer(trade, seller), seller), buyer_first=False)
            for trade in trades
        ]

    def _books_check(self) -> None:
        """What the participants' own books say, the market says."""
        books = self._participants
        tonnes = [sum(pair) for pair in zip(books.sellable, books.bought, strict=True)]
        if self._market.held() != (books.cash, tonnes):
            raise ReplayFailed("what each account holds must follow from its trades, does not")
