"""The compiled market and a registry on disk in one process, a day at a time.

    registry --numbered feed--> the venue's state machine --settlement records--> settlement
        ^                                                                              |
        +------------------------------------------------------------------------------+

Everything is what the daemons run, without sockets, journal and clocks: names reach the market by
the registry's feed, each settlement record is applied once, and a checkpoint after each close lets
both sides compare who holds what.
"""

from contextlib import AbstractContextManager
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from cea_exchange.domain.calendar import date_number, date_parse
from cea_exchange.domain.profile import Profile, load_profile
from cea_exchange.domain.records import COMMAND_DTYPE, CommandKind, Phase, Side
from cea_exchange.domain.timetable import day_start, time_to_ns
from cea_exchange.domain.units import price_parse, whole_number
from cea_exchange.institution.venue_link.feed import feed_items
from cea_exchange.protocol.control import Control, DayClose, DayOpen, PhaseSet, control_decode
from cea_exchange.registry.participants.accounts import Admission
from cea_exchange.registry.registry import Registry
from cea_exchange.registry.settlement.settlement import Settlement
from cea_exchange.registry.store import RegistryStore
from cea_exchange.venue.market.state_machine import VenueStateMachine

LOG_ID = "in-process"
FEED_COUNT = 1_000


class _DayClock:
    """The time of acts: the beginning of a day, which the market's days move on."""

    def __init__(self, day: date) -> None:
        self.day = day

    def __call__(self) -> int:
        return time_to_ns(day_start(self.day))


class Exchange(AbstractContextManager["Exchange"]):
    """A market whose trades a registry settles.

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
    machine : VenueStateMachine
    settlement : Settlement
    trading_date : int
        Of the open or the last day, yyyymmdd.
    """

    def __init__(self, registry: Registry, profile: Profile) -> None:
        self.registry = registry
        self.machine = VenueStateMachine(profile)
        self.settlement = Settlement(registry.store)
        self.trading_date = 0
        self._unsettled: list[np.ndarray] = []
        self._client_order_id = 0
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

    def machine_restore(self, data: bytes) -> None:
        """Go on from a snapshot of the market."""
        self.machine = VenueStateMachine.restore(self.machine.profile, data)

    # -- The day ----------------------------------------------------------------------------------

    def open_day(self, date: str) -> np.ndarray:
        """Open a trading day (``2025-07-16``), after what the registry has done since the last.

        Returns
        -------
        Event[count]
            What came of the opening.
        """
        self.feed()
        day = date_parse(date)
        self.trading_date = date_number(day)
        if self._clock is not None:
            self._clock.day = day
        self._client_order_id = 0
        return self.apply(DayOpen(date=self.trading_date))

    def phase(self, phase: str) -> None:
        """Begin a phase: ``listed``, ``listed_and_block``, ``break``."""
        self.apply(PhaseSet(phase=Phase[phase.upper()]))

    def enter(
        self, account: str, product: str, side: str, *, price: str, tonnes: int
    ) -> np.ndarray:
        """Enter an order.

        Parameters
        ----------
        side
            ``buy`` or ``sell``.
        price
            In yuan per tonne, as ``97.50``.

        Returns
        -------
        Event[count]
            What came of it: accepted, trades, rested; or its refusal.
        """
        command = np.zeros(1, COMMAND_DTYPE)
        command["kind"], command["side"] = CommandKind.ENTER, Side[side.upper()]
        command["account_index"] = self.registry.account(account)
        command["product_index"] = self.registry.asset(product)
        command["trading_date"], command["client_order_id"] = self.trading_date, self.next_id()
        command["price"], command["tonnes"] = price_parse(price), whole_number(tonnes, "tonnes")
        return self.submit(command)

    def close_day(self) -> None:
        """Close the day, settle all of it, and let both sides compare what everybody holds.

        Raises
        ------
        SettlementStopped
            They differ, or a record can't be.
        """
        self.apply(DayClose())
        self.apply(self.machine.checkpoint_now())
        self.settle()

    # -- Between market and registry --------------------------------------------------------------

    def feed(self) -> None:
        """Bring what the registry has done to the market, and settle its answers."""
        store = self.registry.store
        while items := feed_items(store, self.machine.feed_seq + 1, FEED_COUNT):
            for item in items:
                self.apply(control_decode(item))
        self.settle()

    def settle(self) -> None:
        """Apply the settlement records made since the last time."""
        if self._unsettled:
            self.settlement.apply(LOG_ID, np.concatenate(self._unsettled))
            self._unsettled.clear()

    def apply(self, message: Control) -> np.ndarray:
        """Apply a control message to the market; return its events (Event[count])."""
        return self.noted(self.machine.apply_control(message))

    def submit(self, commands: np.ndarray) -> np.ndarray:
        """Apply commands (Command[count]) to the market; return its events (Event[count])."""
        return self.noted(self.machine.apply_records(commands))

    def noted(self, events: np.ndarray) -> np.ndarray:
        """Keep what of the market's events is to be settled; return them."""
        settled = events[events["settlement_seq"] != 0]
        if len(settled):
            self._unsettled.append(settled)
        return events

    def next_id(self) -> int:
        """Return the next command's id: one row of numbers for all accounts rises for each."""
        self._client_order_id += 1
        return self._client_order_id
