"""A year's market with a venue's journal: every command and act with its time, as a venue keeps it.

What is journaled can be looked at by surveillance, disclosed and verified as any venue's folder.
"""

from hashlib import sha256
from pathlib import Path

import numpy as np

from cea_exchange.domain.calendar import date_of_number, date_parse
from cea_exchange.domain.profile import Profile
from cea_exchange.in_process.exchange import Exchange
from cea_exchange.journal import OsStorage
from cea_exchange.journal.storage import OsFile
from cea_exchange.protocol.control import Control, DayClose, DayOpen, PhaseSet
from cea_exchange.registry.registry import Registry
from cea_exchange.venue.durability.sequencer import Sequencer
from cea_exchange.venue.market.state_machine import VenueStateMachine
from cea_exchange.year.institutions.session_time import (
    CLOSE_HOUR,
    FEED_HOUR,
    OPEN_HOUR,
    SessionTime,
)

FOLDER = "venue"


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
    time : SessionTime
        The venue's.
    """

    def __init__(self, registry: Registry, profile: Profile, folder: Path, name: str) -> None:
        super().__init__(registry, profile)
        self.time = SessionTime(profile)
        self.folder = folder
        self._sequencer = Sequencer.open(
            folder,
            profile,
            now_ns=lambda: self.time.now_ns,
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
        self.time.be(date_parse(date), FEED_HOUR)
        return super().open_day(date)

    def apply(self, message: Control) -> np.ndarray:
        """Journal and apply a control message at its time of the day."""
        match message:
            case DayOpen(date=number):
                self.time.be(date_of_number(number), OPEN_HOUR)
            case PhaseSet(phase=phase):
                self.time.phase_begin(date_of_number(self.trading_date), phase)
            case DayClose():
                self.time.be(date_of_number(self.trading_date), CLOSE_HOUR)
        events, (refusal,) = self._sequencer.run_controls([message])
        if refusal is not None:
            raise refusal
        return self.noted(events)

    def submit(self, commands: np.ndarray) -> np.ndarray:
        """Journal and apply commands, each at a time of its own until the session is half over."""
        parts = []
        with self.time.together(len(commands)):
            for place in range(len(commands)):
                self.time.step()
                events = self._sequencer.run_records(commands[place : place + 1])
                parts.append(events.copy())
        return self.noted(np.concatenate(parts)) if parts else self.noted(commands[:0])
