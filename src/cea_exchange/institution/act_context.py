"""What the services of an institution work with: its database, its time, and who acts."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from cea_exchange.domain.calendar import TradingCalendar
from cea_exchange.institution.working_days import WorkingDays

if TYPE_CHECKING:
    from cea_exchange.institution.clock import InstitutionClock
    from cea_exchange.ledger.record_store import RecordStore


class ActContext:
    """One for all services of an institution.

    Parameters
    ----------
    store
        Open for writing, or for reading by who changes nothing.
    clock
        The time that is noted with acts, and the day that they belong to.

    Attributes
    ----------
    by : str
        Who acts now, ``an`` or ``an and bo``; ``''`` where no person is known.
    working_days : WorkingDays
        By which its terms are counted.
    """

    def __init__(self, store: "RecordStore", clock: "InstitutionClock") -> None:
        self.store = store
        self.clock = clock
        self.by = ""
        self.working_days = WorkingDays(store)
        self._assumed: TradingCalendar | None = None

    @property
    def calendar(self) -> TradingCalendar:
        """The national market's working days, as far as they are known."""
        return self._assumed or self.working_days.calendar

    @calendar.setter
    def calendar(self, assumed: TradingCalendar) -> None:
        """Count by another calendar: a model's, which assumes days that nobody announced."""
        self._assumed = assumed

    def transaction(self) -> AbstractContextManager[None]:
        """Make many acts one: all are committed, or none. Thousands in one are fast."""
        return self.store.transaction()

    @contextmanager
    def acting(self, by: str) -> Iterator[None]:
        """Note who acts, for what is kept of the acts within."""
        before, self.by = self.by, by
        try:
            yield
        finally:
            self.by = before

    def now_ns(self) -> int:
        """Return the time, in nanoseconds since 1970."""
        return self.clock.now_ns()

    def business_date(self) -> int:
        """Return the day that acts of now belong to, as yyyymmdd in Shanghai.

        Raises
        ------
        ActError
            It is not known, as the clock is doubted: whatever belongs to a day waits.

        Notes
        -----
        Rules: CEA-REG-08.
        """
        return self.store.business_date(self.clock.today)
