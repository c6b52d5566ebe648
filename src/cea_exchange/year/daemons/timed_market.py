"""The market of a year at a venue's daemon whose clock is moved before each command.

    step of the session's time --> clock (admin) --> command (session) --> answer

What the clock comes by on its way, as a session's begin, the venue does by itself.
"""

from collections.abc import Iterable
from datetime import date
from itertools import islice
from pathlib import Path

import numpy as np

from cea_exchange.client.reports import Report
from cea_exchange.domain.calendar import date_of_number
from cea_exchange.domain.profile import Profile
from cea_exchange.domain.records import Phase
from cea_exchange.domain.timetable import time_from_ns
from cea_exchange.protocol.security import CurveKeys
from cea_exchange.year.daemons.market import DaemonMarket
from cea_exchange.year.daemons.venue_operator import VenueOperator
from cea_exchange.year.firms.firm import Offer, Order
from cea_exchange.year.institutions.market import BATCH
from cea_exchange.year.institutions.session_time import (
    CLOSE_HOUR,
    FEED_HOUR,
    OPEN_HOUR,
    SessionTime,
)


class TimedMarket(DaemonMarket):
    """A market in which each command has a time of its own; see `DaemonMarket`.

    Attributes
    ----------
    time : SessionTime
        The venue's.
    """

    def __init__(
        self,
        venue: VenueOperator,
        data: Path,
        profile: Profile,
        keys: dict[int, CurveKeys],
    ) -> None:
        super().__init__(venue, data, profile, keys)
        self.time = SessionTime(profile)

    def day_open(self, day: date) -> None:
        """Open a day, after what the registry has done since the last."""
        self.time.be(day, FEED_HOUR)
        super().day_open(day)
        self.time.be(day, OPEN_HOUR)
        self._clock()

    def phase(self, phase: Phase) -> None:
        """Begin a phase of the day, at its time."""
        self.time.phase_begin(date_of_number(self._date), phase)
        self._clock()
        super().phase(phase)

    def listed(self, orders: Iterable[Order]) -> None:
        """Enter listed orders, one after the other."""
        rows = iter(orders)
        while batch := list(islice(rows, BATCH)):
            with self.time.together(len(batch)):
                for order in batch:
                    super().listed([order])

    def bidding(self, offer: Offer) -> None:
        """Award what is offered to those who bid best, each at its own price."""
        with self.time.together(len(offer.bids)):
            super().bidding(offer)

    def day_close(self) -> None:
        """Close the day at its hour, and wait until all of it is settled."""
        self.time.be(date_of_number(self._date), CLOSE_HOUR)
        self._clock()
        super().day_close()

    def entered(self, firm_index: int, commands: np.ndarray) -> list[Report]:
        """Enter a firm's command a step of time after the last; return its answer."""
        self.time.step()
        self._clock()
        return super().entered(firm_index, commands)

    def _clock(self) -> None:
        """Move the venue's clock to what time it is."""
        self._venue.operate("clock", at=time_from_ns(self.time.now_ns).isoformat())
