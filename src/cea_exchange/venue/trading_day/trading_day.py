"""Runs the trading day: by the timetable, or as operators ask."""

from collections.abc import Callable
from datetime import date
from typing import Any, NamedTuple, ParamSpec, TypeVar

import msgspec
import structlog

from cea_exchange.domain.calendar import TradingCalendar, date_number, date_of_number, date_parse
from cea_exchange.domain.refusals import VenueRefusal
from cea_exchange.domain.refusals.frame_error import FrameError
from cea_exchange.domain.timetable import day_start, time_from_ns, time_parse, time_to_ns
from cea_exchange.matching.bidding_windows import windows_due
from cea_exchange.protocol import control
from cea_exchange.venue.config import VenueConfig
from cea_exchange.venue.market.bidding_applications import (
    acts_due,
    applied,
    listed,
    reviews_overdue,
)
from cea_exchange.venue.market.state_machine import VenueStateMachine
from cea_exchange.venue.refusals import ActRefusal
from cea_exchange.venue.registry_link.link import AWAITING_REGISTRY, RegistryLink
from cea_exchange.venue.requests.biddings import BiddingApply
from cea_exchange.venue.trading_day.clock_monitor import ClockMonitor
from cea_exchange.venue.trading_day.day_timer import DayTimer

log = structlog.get_logger("venue")

P = ParamSpec("P")
R = TypeVar("R")


class _Override(NamedTuple):
    """Two operators' approval to open the day after `date` without the registry's confirmation."""

    date: int
    by: str
    second: str
    why: str


class TradingDay:
    """Opens and closes days and changes phases when they are due, and not before they may be.

    Parameters
    ----------
    machine, clock, config
        The market, the venue's clock and the settings.
    registry
        Who must have answered, and confirmed the last day.
    run_controls
        Journals acts, releases their events, and returns the refusals.
    """

    def __init__(
        self,
        machine: VenueStateMachine,
        clock: ClockMonitor,
        config: VenueConfig,
        registry: RegistryLink,
        *,
        run_controls: Callable[[list[control.Control]], list[ActRefusal]],
    ) -> None:
        self._machine = machine
        self._clock = clock
        self._config = config
        self._registry = registry
        self._run_controls = run_controls
        self._calendar = TradingCalendar.load(machine.profile.calendar)
        self._timer = DayTimer(machine.profile, self._calendar)
        self._override: _Override | None = None
        self._refused: str | None = None
        self._calendar_looked_on: date | None = None
        self._applications_looked_at: tuple[int, list[tuple[str, str]]] | None = None

    @property
    def changes_pending(self) -> int:
        """How many changes of a moved manual clock have not happened yet."""
        return self._timer.pending_count

    @property
    def calendar_warning(self) -> str | None:
        """Say that the calendar has ended or soon ends (CEA-DAY-08); None while it reaches far."""
        return self._calendar.warning(self._today())

    @property
    def clock_warning(self) -> str | None:
        """Say that the system's clock was set, ahead or behind the journal; None if it is right."""
        return self._clock.warning

    def turn(self) -> None:
        """Do what is due."""
        now_ns = self._clock.look(self._machine.time_ns)
        self._calendar_look()
        if self._registry.is_awaited:
            return
        if self._clock.kind == "manual":
            while (act := self._timer.queued()) is not None:
                self._windows_run(self._timer.queued_at_ns())
                if isinstance(act, control.DayOpen) and self._open_hindrance() is not None:
                    return
                self._clock.not_before(self._timer.queued_done())
                self._run_controls([self._agreed(act)])
                self._applications_run()
            self._applications_run()
            self._windows_run(self._timer.target_ns)
            self._clock.not_before(self._timer.target_ns)
            return
        if self._clock.has_jumped:
            # Days go forward only. Operators go on by hand, and applications with their days.
            self._applications_run()
            return
        # Of a day that was missed no window opens any more: its close awards what is open.
        if not self._is_missed():
            self._applications_run()
            self._windows_run(now_ns)
        act = self._timer.due(self._machine, now_ns)
        if act is None or (isinstance(act, control.DayOpen) and self._open_hindrance() is not None):
            return
        self._run_due(self._agreed(act))

    def application(self, request: BiddingApply) -> control.BiddingApplied:
        """Return the act that files an application for a bidding; FrameError if it may not be."""
        return applied(self._machine, self._calendar, self._today(), request)

    def applications(self) -> list[dict[str, Any]]:
        """Return all applications for biddings, as operators see them."""
        return listed(self._machine, self._calendar)

    @property
    def reviews_overdue(self) -> list[str]:
        """Name the applications for biddings that should have been reviewed (CEA-BID-10)."""
        return reviews_overdue(self._machine, self._calendar, self._today())

    def _applications_run(self) -> None:
        """Announce the day's approved biddings, and end the applications that lapse.

        Looked at once a day, and when one has changed: counting working days takes a while.
        """
        core, applications = self._machine.core, self._machine.applications
        statuses = [(name, application.status) for name, application in applications.items()]
        if not core.day_is_open or (core.trading_date, statuses) == self._applications_looked_at:
            return
        for act in acts_due(self._machine, self._calendar):
            self._run_controls([act])
        for name in reviews_overdue(
            self._machine, self._calendar, date_of_number(core.trading_date)
        ):
            log.warning("bidding_review_overdue", bidding=name)
        self._applications_looked_at = (core.trading_date, statuses)

    def _run_due(self, act: control.Control) -> None:
        """Do what the clock makes due; say once why it can't be done, and try again each turn."""
        (refusal,) = self._run_controls([act])
        error = None if refusal is None else str(refusal)
        if error not in (None, self._refused):
            log.error("due_act_refused", act=type(act).__name__, error=error)
        self._refused = error

    def _is_missed(self) -> bool:
        core = self._machine.core
        return core.day_is_open and core.trading_date < date_number(self._today())

    def _windows_run(self, until_ns: int) -> None:
        """Open and close the biddings that are due, each at its time.

        Notes
        -----
        Rules: CEA-BID-03.
        """
        names = {bidding_id: name for name, bidding_id in self._machine.biddings.items()}
        for change in windows_due(self._machine.core, until_ns):
            act = control.BiddingWindowOpen if change.opens else control.BiddingClose
            self._clock.not_before(change.at)
            self._run_controls([act(bidding=names[change.bidding_id])])

    def open_day(self, text: str) -> control.DayOpen | None:
        """Return the act that opens the day `text` (ISO 8601); None if it is open already.

        Raises
        ------
        FrameError
            It may not open yet.
        """
        date = date_parse(text)
        if self._clock.kind != "manual" and date > self._today():
            # It could not be taken back, and no day up to it would ever open again.
            expected = f"a day up to today, {self._today()}"
            raise FrameError(
                VenueRefusal.DATE_OUT_OF_RANGE, expected=expected, got=text, where="date"
            )
        if self._machine.core.day_is_open and self._machine.core.trading_date == date_number(date):
            return None
        reason = self._open_hindrance()
        if reason is not None:
            raise FrameError(
                VenueRefusal.REGISTRY_AWAITED,
                expected="the registry's confirmation",
                got=reason,
                where="registry",
            )
        act = control.DayOpen(date=date_number(date))
        if self._clock.kind == "manual":
            midnight_ns = time_to_ns(day_start(date))
            if not 0 <= midnight_ns <= control.TIME_NS_MAX:
                raise FrameError(
                    VenueRefusal.DATE_OUT_OF_RANGE,
                    expected="a date within 1970 and 2116",
                    got=text,
                    where="date",
                )
            if self._machine.refusal(act) is None:
                self._clock.not_before(midnight_ns)
        return self._agreed(act)

    def close_day(self) -> control.DayClose | None:
        """Return the act that closes the day; None if none is open."""
        self.registry_answered_check()
        return control.DayClose() if self._machine.core.day_is_open else None

    def registry_answered_check(self) -> None:
        """Refuse an act that settles while the registry has not answered since the start.

        It must first say how much of the settlement stream it has seen: numbers that are given
        before that would hide that the journal has lost acknowledged ones.
        """
        if self._registry.is_awaited:
            raise FrameError(
                VenueRefusal.REGISTRY_AWAITED,
                expected="the registry's answer",
                got=AWAITING_REGISTRY,
                where="registry",
            )

    def unconfirmed_date(self) -> int:
        """Return the last day, which the registry has not confirmed; FrameError if it has."""
        core = self._machine.core
        if core.day_is_open or core.trading_date <= self._machine.confirmed_date:
            got = f"{core.trading_date}, {'open' if core.day_is_open else 'confirmed'}"
            raise FrameError(
                VenueRefusal.DAY_CONFIRMED,
                expected="a closed, unconfirmed day",
                got=got,
                where="override",
            )
        return core.trading_date

    def override(self, date: int, *, by: str, second: str, why: str) -> None:
        """Let the day after `date` open without the registry's confirmation, once it is due.

        Kept in memory only: a venue that starts again asks the two persons again.

        Notes
        -----
        Rules: CEA-STL-03, CEA-OPR-02.
        """
        if self.unconfirmed_date() != date:
            raise FrameError(
                VenueRefusal.DAY_CONFIRMED,
                expected=f"{self.unconfirmed_date()}",
                got=f"{date}",
                where="override",
            )
        self._override = _Override(date, by, second, why)

    def clock_move(self, text: str) -> None:
        """Move a manual clock to `text` (ISO 8601); what falls due on the way happens in order."""
        until = time_parse(text)
        if self._clock.kind != "manual":
            raise FrameError(
                VenueRefusal.CLOCK_NOT_MANUAL,
                expected="a manual clock",
                got=self._clock.kind,
                where="clock",
            )
        if self._timer.pending_count:
            reason = self._open_hindrance() or "changes"
            raise FrameError(
                VenueRefusal.CLOCK_MOVING,
                expected="the last move to be done",
                got=reason,
                where="clock",
            )
        self._timer.move(self._machine, self._clock.now_ns(), until)
        self.turn()

    def clock_stated(self, text: str) -> Callable[[str, str], None]:
        """Check that a doubted system's clock says `text` (ISO 8601); return what believes it.

        That is called with the names of who proposed and who agreed, and checks again.
        """
        believe = _doubted(self._clock.stated, time_to_ns(time_parse(text)))

        def agreed(by: str, second: str) -> None:
            _doubted(believe)
            log.warning("clock_confirmed", by=by, second=second, at=text)

        return agreed

    def _open_hindrance(self) -> str | None:
        """Say why the next day can't be opened yet; None if it can."""
        if self._registry.is_awaited:
            return AWAITING_REGISTRY
        core, last = self._machine.core, self._machine.core.trading_date
        waits = self._config.wait_for_confirmation and not core.day_is_open
        overridden = self._override is not None and self._override.date == last
        if waits and last > self._machine.confirmed_date and not overridden:
            return f"the registry has not confirmed {last}"
        return None

    def _agreed(self, act: control.Control) -> control.Control:
        """Name the two persons in an opening that only their approval makes possible."""
        agreed = self._override
        if not isinstance(act, control.DayOpen) or agreed is None:
            return act
        last = self._machine.core.trading_date
        if agreed.date != last or last <= self._machine.confirmed_date:
            return act
        return msgspec.structs.replace(act, by=agreed.by, second=agreed.second, why=agreed.why)

    def _today(self) -> date:
        return time_from_ns(self._clock.now_ns()).date()

    def _calendar_look(self) -> None:
        """Warn once a day while the calendar's end is near."""
        today = self._today()
        if today == self._calendar_looked_on:
            return
        self._calendar_looked_on = today
        if self.calendar_warning is not None:
            log.warning("calendar", warning=self.calendar_warning)


def _doubted(ask: Callable[P, R], *arguments: P.args, **named: P.kwargs) -> R:
    """Ask the monitor about a doubted clock; FrameError where it is not, or says another time."""
    try:
        return ask(*arguments, **named)
    except ValueError as error:
        raise FrameError(
            VenueRefusal.CLOCK_NOT_DOUBTED,
            expected="a doubted clock that says this time",
            got=str(error),
            where="clock",
        ) from None
