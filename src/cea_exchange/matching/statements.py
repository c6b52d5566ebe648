"""The activity statements of an embedded market's accounts, from the events it gives."""

from collections.abc import Iterable

from cea_exchange.domain.calendar import date_number, date_parse
from cea_exchange.domain.documents.statement import (
    Holding,
    NamedBefore,
    Position,
    Statement,
    StatementBuilder,
    steps_named,
)
from cea_exchange.matching.events import Event
from cea_exchange.matching.market import Market

_CLOSES = ("day_closed", "composite_closed")
"""A day ends with the last of these."""


class MarketStatements:
    """Makes the statements of a market's accounts of its named events.

    Parameters
    ----------
    market : Market
        As it is before the events to come; between two days, or new.

    Raises
    ------
    ValueError
        If the market's profile keeps no balances.

    Notes
    -----
    Each closing is held against what the market itself says the account has.

    Rules: CEA-INF-03.

    Examples
    --------
    >>> market = Market("cea", reference_prices={"CEA23": "97.49"})
    >>> statements = MarketStatements(market)
    >>> events = market.deposit("alice", cash="100.00")
    >>> events += market.open_day("2025-07-16") + market.close_day()
    >>> [(each.account, each.closing.cash) for each in statements.take(events)]
    [('alice', 10000)]
    """

    def __init__(self, market: Market) -> None:
        if not market.profile.rules.holdings_checked:
            raise ValueError(
                f"statements: expected a profile that keeps balances, got {market.profile.name!r}"
            )
        self._market = market
        self._before = NamedBefore()
        self._builders = {
            account: StatementBuilder(account, position_of(market, account))
            for account in market.accounts
        }

    def take(self, events: Iterable[Event]) -> list[Statement]:
        """Take in all that a command gave, in order; return the statements of days it closed.

        All accounts have one then, in order of declaration.

        Raises
        ------
        StatementError
            If an account has something else than follows from its events.
        """
        statements: list[Statement] = []
        events = list(events)
        names = [event.event for event in events]
        closes = [
            place
            for place, name in enumerate(names)
            if name in _CLOSES and not {*names[place + 1 : place + 2]}.intersection(_CLOSES)
        ]
        # What the market says now is the last close's as long as nothing has come behind it.
        is_now = bool(closes) and closes[-1] == len(events) - 1
        is_now = is_now and events[-1].seq == self._market.event_seq
        for place, event in enumerate(events):
            for account, step in steps_named(event, self._before):
                for each in self._builders if account is None else (account,):
                    self._builder(each).take(step)
            if place in closes:
                date = date_number(date_parse(event["date"]))
                statements += self._close(date, is_now=is_now and place == closes[-1])
        return statements

    def _close(self, trading_date: int, *, is_now: bool) -> list[Statement]:
        statements = []
        for account in self._market.accounts:
            position = position_of(self._market, account) if is_now else None
            statements.append(self._builder(account).close(trading_date, position))
        return statements

    def _builder(self, account: str) -> StatementBuilder:
        return self._builders.setdefault(account, StatementBuilder(account))


def position_of(market: Market, account: str) -> Position:
    """Return what an account of a market has."""
    held = market.core.account(market.account_index(account))
    holdings = {
        market.products[index]: Holding(*map(int, figures))
        for index, figures in held["holdings"].items()
    }
    return Position(int(held["cash"]), int(held["cash_locked"]), holdings)
