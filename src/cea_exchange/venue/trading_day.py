"""Runs the trading day: by the timetable, or as operators ask."""

from collections.abc import Callable

from cea_exchange.domain.calendar import TradingCalendar, date_number, date_parse
from cea_exchange.domain.timetable import day_start, time_parse, time_to_ns
from cea_exchange.protocol import control
from cea_exchange.protocol.framing import FrameError
from cea_exchange.venue.clock import DayTimer, VenueClock
from cea_exchange.venue.config import VenueConfig
from cea_exchange.venue.registry_link import AWAITING_REGISTRY, RegistryLink
from cea_exchange.venue.state_machine import VenueStateMachine


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
        clock: VenueClock,
        config: VenueConfig,
        registry: RegistryLink,
        *,
        run_controls: Callable[[list[control.Control]], list[str | None]],
    ) -> None:
        self._machine = machine
        self._clock = clock
        self._config = config
        self._registry = registry
        self._run_controls = run_controls
        self._timer = DayTimer(machine.profile, TradingCalendar.load(machine.profile.calendar))

    @property
    def changes_pending(self) -> int:
        """How many changes of a moved manual clock have not happened yet."""
        return self._timer.pending_count

    def turn(self) -> None:
        """Do what is due."""
        if self._registry.is_awaited:
            return
        if self._clock.kind == "manual":
            while (act := self._timer.queued()) is not None:
                if isinstance(act, control.DayOpen) and self._open_hindrance() is not None:
                    return
                self._clock.not_before(self._timer.queued_done())
                self._run_controls([act])
            self._clock.not_before(self._timer.target_ns)
            return
        act = self._timer.due(self._machine, self._clock.now_ns())
        if act is None or (isinstance(act, control.DayOpen) and self._open_hindrance() is not None):
            return
        self._run_controls([act])

    def open_day(self, text: str) -> control.DayOpen:
        """Return the act that opens the day `text` (ISO 8601); FrameError if it may not open."""
        date = date_parse(text)
        reason = self._open_hindrance()
        if reason is not None:
            raise FrameError(expected="the registry's confirmation", came=reason, where="registry")
        act = control.DayOpen(date=date_number(date))
        if self._clock.kind == "manual":
            midnight_ns = time_to_ns(day_start(date))
            if not 0 <= midnight_ns <= control.TIME_NS_MAX:
                raise FrameError(expected="a date within 1970 and 2116", came=text, where="date")
            if self._machine.refusal(act) is None:
                self._clock.not_before(midnight_ns)
        return act

    def close_day(self) -> control.DayClose:
        """Return the act that closes the day."""
        # The registry must first say how much of the settlement stream it has seen.
        if self._registry.is_awaited:
            raise FrameError(
                expected="the registry's answer", came=AWAITING_REGISTRY, where="registry"
            )
        return control.DayClose()

    def clock_move(self, text: str) -> None:
        """Move a manual clock to `text` (ISO 8601); what falls due on the way happens in order."""
        if self._clock.kind != "manual":
            raise FrameError(expected="a manual clock", came=self._clock.kind, where="clock")
        until = time_parse(text)
        if self._timer.pending_count:
            reason = self._open_hindrance() or "changes"
            raise FrameError(expected="the last move to be done", came=reason, where="clock")
        self._timer.move(self._machine, self._clock.now_ns(), until)
        self.turn()

    def _open_hindrance(self) -> str | None:
        """Say why the next day can't be opened yet; None if it can."""
        if self._registry.is_awaited:
            return AWAITING_REGISTRY
        core, last = self._machine.core, self._machine.core.trading_date
        waits = self._config.wait_for_confirmation and not core.day_is_open
        if waits and last > self._machine.confirmed_date:
            return f"the registry has not confirmed {last}"
        return None
