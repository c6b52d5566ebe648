"""The venue's record as supervision reads it: the tape with its alerts, days, reproducers.

It is read from disk, beside the venue, in a thread; one look at a time, for each may take seconds.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from cea_exchange.domain.timetable import time_parse, time_to_ns
from cea_exchange.screens.access import KeyedSystems, Rights
from cea_exchange.screens.visit import Visit
from cea_exchange.supervision.alerts import Alert
from cea_exchange.supervision.columns.market import Columns
from cea_exchange.supervision.gains import Gain, gain_of
from cea_exchange.supervision.large_holders import Holder, holders
from cea_exchange.supervision.limits import limits_packaged
from cea_exchange.supervision.looks import Look, look_note, looks_last
from cea_exchange.supervision.patterns.context import NO_FACTS, Context
from cea_exchange.supervision.reproducer import NotReproduced, reproducer
from cea_exchange.supervision.sources import VenueTape
from cea_exchange.supervision.stepping.day import DayReplay, VenueRecord
from cea_exchange.supervision.stepping.script import ScriptSteps
from cea_exchange.supervision.surveillance import NotLookedFor, not_looked_for, surveil
from cea_exchange.supervision.tape import Tape
from cea_exchange.supervision.venue_folder import DAMAGED

DAYS_KEPT = 2
"""Days that are kept ready to step through: each has its commands in memory."""
SCRIPTS_KEPT = 16
LOOKERS = ("operator", "regulator")

T = TypeVar("T")


class Unread(Exception):
    """The venue's record can't be read."""


class NotHere(Unread):
    """It is not on this machine."""


class Damaged(Unread):
    """It is there, and not as it was written."""


class Seen(NamedTuple):
    """What was found on a tape.

    Attributes
    ----------
    alerts
        The latest first.
    missing
        Patterns that could not be looked for, and why.
    """

    tape: Tape
    alerts: tuple[Alert, ...]
    missing: tuple[NotLookedFor, ...]


def supervises(rights: Rights) -> bool:
    """Whether somebody sees the pages of supervision."""
    return rights.role("venue") in LOOKERS


def alert_key(alert: Alert) -> str:
    """Return what an alert is called in addresses: its day, where it ends, its pattern."""
    return f"{alert.trading_date}-{alert.last_seq}-{alert.pattern}-{alert.first_seq}"


class Evidence:
    """What can be read of a venue's past on this machine.

    Parameters
    ----------
    systems
        Knows where the venue's folder is.
    """

    def __init__(self, systems: KeyedSystems) -> None:
        self._systems = systems
        self._turn = asyncio.Lock()
        self._tape: VenueTape | None = None
        self._seen: Seen | None = None
        self._days: OrderedDict[int, DayReplay] = OrderedDict()
        self._scripts: OrderedDict[str, ScriptSteps | None] = OrderedDict()

    @property
    def directory(self) -> Path:
        """The venue's data folder.

        Raises
        ------
        NotHere
            It is not on this machine.
        """
        folder = self._systems.folder("venue")
        if folder is None or not (folder / "journal").is_dir():
            raise NotHere("the venue's journal is not here")
        return folder

    async def _read(self, read: Callable[[], T]) -> T:
        async with self._turn:
            try:
                return await asyncio.to_thread(read)
            except DAMAGED as error:
                raise Damaged(str(error)) from error

    async def seen(self) -> Seen:
        """Return the alerts of all there is now."""
        directory = self.directory
        return await self._read(lambda: self._surveil(directory))

    def _surveil(self, directory: Path) -> Seen:
        if self._tape is None:
            self._tape = VenueTape(directory)
        self._tape.take()
        tape = self._tape.tape()
        if self._seen is None or len(tape.events) != len(self._seen.tape.events):
            alerts = tuple(reversed(surveil(tape)))
            self._seen = Seen(tape, alerts, tuple(not_looked_for(tape, NO_FACTS)))
        return self._seen

    async def alert(self, key: str) -> tuple[Seen, Alert]:
        """Return the alert of a key with its tape; LookupError where there is none.

        One that was found before is not looked for again, though the market has gone on.
        """
        seen = self._seen
        for _ in range(2):
            for alert in seen.alerts if seen is not None else ():
                if seen is not None and alert_key(alert) == key:
                    return seen, alert
            seen = await self.seen()
        raise LookupError(key)

    async def gain(self, seen: Seen, alert: Alert) -> Gain:
        """Return what an alert's accounts gained by their trades in its range."""
        return await self._read(
            lambda: gain_of(
                Columns(seen.tape), alert.accounts, alert.first_seq, alert.last_seq
            )
        )

    async def script_at(
        self, seen: Seen, alert: Alert, place: int, accounts: Sequence[str]
    ) -> tuple[ScriptSteps, Any] | None:
        """Return an alert's reproducer and how the market stands at one of its commands.

        None where the commands alone do not show the alert again.
        """
        key = f"{alert_key(alert)}-{alert.grade}"

        def read() -> tuple[ScriptSteps, Any] | None:
            if key not in self._scripts:
                self._scripts[key] = _script(seen.tape, alert)
                while len(self._scripts) > SCRIPTS_KEPT:
                    self._scripts.popitem(last=False)
            steps = self._scripts[key]
            return None if steps is None else (steps, steps.at(place, accounts))

        return await self._read(read)

    async def holders(self) -> list[Holder]:
        """Return who holds how much now."""
        seen = await self.seen()
        if not len(seen.tape.events):
            return []
        return await self._read(
            lambda: holders(Context(Columns(seen.tape), limits_packaged(), NO_FACTS))
        )

    async def days(self) -> list[Any]:
        """Return the days that are over, the latest first."""
        directory = self.directory
        return await self._read(lambda: VenueRecord(directory).days()[::-1])

    async def on_day(self, trading_date: int, read: Callable[[DayReplay], T]) -> T:
        """Return what is read of a day that is stepped through; LookupError where there is none."""
        directory = self.directory

        def with_day() -> T:
            replay = self._days.get(trading_date)
            if replay is None:
                replay = DayReplay(VenueRecord(directory), trading_date)
                self._days[trading_date] = replay
                while len(self._days) > DAYS_KEPT:
                    self._days.popitem(last=False)
            return read(replay)

        return await self._read(with_day)

    # -- Looks ------------------------------------------------------------------------------------

    async def looked(self, visit: Visit, what: str, **fields: str | int) -> None:
        """Keep that this person looked, in the venue's own log."""
        seat = visit.rights.seat("venue")
        assert seat is not None
        directory = self.directory
        now_ns = self._venue_time_ns(visit)
        await asyncio.to_thread(
            look_note, directory, now_ns, seat.name, seat.role, what, **fields
        )

    def _venue_time_ns(self, visit: Visit) -> int:
        monitor = visit.site.kept.get("control")
        now = monitor.status("venue").get("time") if monitor is not None else None
        return time_to_ns(time_parse(now)) if now else time.time_ns()

    async def looks(self, count: int) -> list[Look]:
        """Return who looked at what, the latest first."""
        directory = self.directory
        return await asyncio.to_thread(looks_last, directory, count)


def evidence_of(visit: Visit) -> Evidence:
    """Return who reads the venue's record."""
    evidence: Evidence = visit.site.kept["evidence"]
    return evidence


def _script(tape: Tape, alert: Alert) -> ScriptSteps | None:
    try:
        return ScriptSteps(reproducer(tape, alert), tape.profile)
    except NotReproduced:
        return None
