"""A market whose records somebody settles, in one process, a day at a time.

    registry --numbered feed--> the venue's state machine --settlement records--> settlement
        ^                                                                              |
        +------------------------------------------------------------------------------+

Everything is what the daemons run, without sockets, journal and clocks: names reach the market by
the registry's feed, each settlement record is applied once, and a checkpoint after each close lets
both sides compare who holds what.
"""

import numpy as np

from cea_exchange.domain.calendar import date_number, date_parse
from cea_exchange.domain.profile import Profile
from cea_exchange.domain.records import Phase
from cea_exchange.institution.venue_link.feed import feed_items
from cea_exchange.institution.venue_link.stream_settlement import StreamSettlement
from cea_exchange.ledger.store import Store
from cea_exchange.protocol.control import Control, DayClose, DayOpen, PhaseSet, control_decode
from cea_exchange.venue.market.state_machine import VenueStateMachine

LOG_ID = "in-process"
FEED_COUNT = 1_000


class SettledMarket:
    """A market and what settles it.

    Parameters
    ----------
    store
        Of the registry that feeds the market, open for writing.
    profile
        The market's rules.
    settlement
        Of that registry.

    Attributes
    ----------
    machine : VenueStateMachine
    settlement : StreamSettlement
    trading_date : int
        Of the open or the last day, yyyymmdd.
    """

    def __init__(self, store: Store, profile: Profile, settlement: StreamSettlement) -> None:
        self._store = store
        self.machine = VenueStateMachine(profile)
        self.settlement = settlement
        self.trading_date = 0
        self._unsettled: list[np.ndarray] = []
        self._client_order_id = 0

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
        self.trading_date = date_number(date_parse(date))
        self._client_order_id = 0
        return self.apply(DayOpen(date=self.trading_date))

    def phase(self, phase: str) -> None:
        """Begin a phase: ``listed``, ``listed_and_block``, ``break``."""
        self.apply(PhaseSet(phase=Phase[phase.upper()]))

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
        while items := feed_items(self._store, self.machine.feed_seq + 1, FEED_COUNT):
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
