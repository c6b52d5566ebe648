"""The compiled market and a registry of allowances on disk in one process, a day at a time."""

from contextlib import AbstractContextManager
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from cea_exchange.domain.calendar import date_parse
from cea_exchange.domain.profile import Profile, load_profile
from cea_exchange.domain.records import COMMAND_DTYPE, CommandKind, Side
from cea_exchange.domain.timetable import day_start, time_to_ns
from cea_exchange.domain.units import price_parse, whole_number
from cea_exchange.in_process.settled_market import SettledMarket
from cea_exchange.matching.text.arguments import member_of
from cea_exchange.registry.participants.accounts import Admission
from cea_exchange.registry.registry import Registry
from cea_exchange.registry.settlement.settlement import Settlement
from cea_exchange.registry.store import RegistryStore


class _DayClock:
    """The time of acts: the beginning of a day, which the market's days move on."""

    def __init__(self, day: date) -> None:
        self.day = day

    def __call__(self) -> int:
        return time_to_ns(day_start(self.day))


class Exchange(SettledMarket, AbstractContextManager["Exchange"]):
    """A market whose trades a registry of allowances settles; see `SettledMarket`.

    Parameters
    ----------
    registry
        Open, with no day of another stream settled. It is closed with the exchange.
    profile
        The market's rules.

    Attributes
    ----------
    registry : Registry
        For all acts: accounts, distribution, transfers, surrender.
    """

    def __init__(self, registry: Registry, profile: Profile) -> None:
        super().__init__(registry.store, profile, Settlement(registry.store))
        self.registry = registry
        self._clock: _DayClock | None = None

    @classmethod
    def open(
        cls,
        data: Path | str,
        profile: str = "cea",
        *,
        date: str,
        database: str | None = None,
        admission: Admission = "listed_entities",
    ) -> Self:
        """Open a registry in ``data/registry/`` and a market without a history beside it.

        Parameters
        ----------
        profile
            A name, or a path.
        date
            The day the registry's acts are of until the market opens another (``2025-07-16``).
        database
            ``postgresql://...``; SQLite if left out.
        admission
            Whose accounts the registry opens; see `Registry.open`.
        """
        clock, rules = _DayClock(date_parse(date)), load_profile(profile)
        store = RegistryStore.open(data, database)
        exchange = cls(Registry(store, clock, admission=admission), rules)
        exchange._clock = clock
        return exchange

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.registry.close()

    def open_day(self, date: str) -> np.ndarray:
        """Open a trading day; the registry's acts are of it from then on."""
        # What the registry has done since the last one is of that day.
        self.feed()
        if self._clock is not None:
            self._clock.day = date_parse(date)
        return super().open_day(date)

    def enter(
        self, account: str, product: str, side: Side | str, *, price: str, tonnes: int
    ) -> np.ndarray:
        """Enter an order.

        Parameters
        ----------
        side
            ``buy`` or ``sell``, or a `Side`.
        price
            In yuan per tonne, as ``97.50``.

        Returns
        -------
        Event[count]
            What came of it: accepted, trades, rested; or its refusal.
        """
        command = np.zeros(1, COMMAND_DTYPE)
        command["kind"], command["side"] = CommandKind.ENTER, member_of(Side, side, "side")
        command["account_index"] = self.registry.account(account)
        command["product_index"] = self.registry.asset(product)
        command["trading_date"], command["client_order_id"] = self.trading_date, self.next_id()
        command["price"], command["tonnes"] = price_parse(price), whole_number(tonnes, "tonnes")
        return self.submit(command)
