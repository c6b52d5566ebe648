"""A year's market with a venue's journal: every command and act with its time, as a venue keeps it.

What is journaled can be looked at by surveillance, disclosed and verified as any venue's folder.
"""

from datetime import date
from hashlib import sha256
from pathlib import Path

import numpy as np

from cea_exchange.domain.calendar import date_of_number, date_parse
from cea_exchange.domain.profile import Profile
from cea_exchange.domain.records import Phase
from cea_exchange.domain.timetable import day_start, time_to_ns
from cea_exchange.in_process.exchange import Exchange
from cea_exchange.journal import OsStorage
from cea_exchange.journal.storage import OsFile
from cea_exchange.protocol.control import Control, DayClose, DayOpen, PhaseSet
from cea_exchange.registry.registry import Registry
from cea_exchange.supervision.tape import MINUTE_NS, SECOND_NS
from cea_exchange.venue.durability.sequencer import Sequencer
from cea_exchange.venue.market.state_machine import ControlRefused, VenueStateMachine

FOLDER = "venue"
FEED_HOUR, OPEN_HOUR, CLOSE_HOUR = 8, 9, 15
PACE_S = 30
"""Most that lies between two orders of a session."""


class _UnsyncedFile(OsFile):
    def sync(self) -> None:
        """Leave it to the operating system: what a crash takes is played again."""


class _UnsyncedStorage(OsStorage):
    def create(self, path: Path) -> OsFile:
        return _unsynced(super().create(path))

    def open(self, path: Path) -> OsFile:
        return _unsynced(super().open(path))

    def sync_directory(self, directory: Path) -> None:
        """Leave it to the operating system."""


def _unsynced(file: OsFile) -> OsFile:
    file.__class__ = _UnsyncedFile
    return file


class JournaledExchange(Exchange):
    """A market whose journal is kept, each command at a time of the day's sessions.

    Parameters
    ----------
    registry, profile
        As of every exchange.
    folder
        The venue's data folder.
    name
        Of the year: the journal's id follows from it.

    Attributes
    ----------
    pace_ns
        Most that lies between two commands.
    """

    def __init__(self, registry: Registry, profile: Profile, folder: Path, name: str) -> None:
        super().__init__(registry, profile)
        self._now_ns = self._session_end_ns = 0
        self.pace_ns = PACE_S * SECOND_NS
        self.folder = folder
        self._sequencer = Sequencer.open(
            folder,
            profile,
            now_ns=lambda: self._now_ns,
            storage=_UnsyncedStorage(),
            log_id=sha256(name.encode()).hexdigest()[:32],
        )
        # The day's own checkpoint is the one that the registry compares.
        self._sequencer.checkpoints_on = False
        self.machine = self._sequencer.machine

    def machine_restore(self, data: bytes) -> None:
        """Go on from a snapshot: the journal has come to the same by itself."""
        kept = VenueStateMachine.restore(self.machine.profile, data)
        if kept.snapshot() != self.machine.snapshot():
            raise ValueError("the venue's journal does not come to where the year stands")
        self.trading_date = self.machine.core.trading_date

    def close(self) -> None:
        """Seal the journal."""
        self._sequencer.close()

    def open_day(self, date: str) -> np.ndarray:
        """Open a trading day, after what the registry has done since the last."""
        self._be(date_parse(date), FEED_HOUR)
        return super().open_day(date)

    def wait(self, seconds: int) -> None:
        """Let time pass before the next command."""
        self._now_ns += seconds * SECOND_NS

    def apply(self, message: Control) -> np.ndarray:
        """Journal and apply a control message at its time of the day."""
        match message:
            case DayOpen(date=number):
                self._be(date_of_number(number), OPEN_HOUR)
            case PhaseSet(phase=phase):
                self._phase_begin(phase)
            case DayClose():
                self._be(date_of_number(self.trading_date), CLOSE_HOUR)
        events, (refusal,) = self._sequencer.run_controls([message])
        if refusal is not None:
            raise ControlRefused(refusal)
        return self.noted(events)

    def submit(self, commands: np.ndarray) -> np.ndarray:
        """Journal and apply commands, each at a time of its own until the session is half over."""
        left = max(self._session_end_ns - self._now_ns, 0)
        step = min(self.pace_ns, left // (2 * max(len(commands), 1)))
        parts = []
        for place in range(len(commands)):
            self._now_ns += step
            events = self._sequencer.run_records(commands[place : place + 1])
            parts.append(events.copy())
        return self.noted(np.concatenate(parts)) if parts else self.noted(commands[:0])

    def _be(self, day: date, hour: int) -> None:
        self._now_ns = max(self._now_ns, time_to_ns(day_start(day)) + hour * 60 * MINUTE_NS)

    def _phase_begin(self, phase: Phase) -> None:
        """Let it be the phase's time, and know when the next begins."""
        sessions = self.machine.profile.sessions
        begin = time_to_ns(day_start(date_of_number(self.trading_date)))
        times = [begin + _of_day_ns(text) for text, _ in sessions]
        for place, (_, each) in enumerate(sessions):
            if each == phase:
                self._now_ns = max(self._now_ns, times[place])
                self._session_end_ns = times[min(place + 1, len(times) - 1)]
                return


def _of_day_ns(text: str) -> int:
    return (int(text[:2]) * 60 + int(text[3:])) * MINUTE_NS
