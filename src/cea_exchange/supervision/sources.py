"""Where tapes come from: a market script, and a venue's journal, whole or followed."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import numpy as np

from cea_exchange.core.market import CompiledMarket
from cea_exchange.domain.calendar import TradingCalendar
from cea_exchange.domain.profile import MarketRules, Profile
from cea_exchange.domain.records import EVENT_DTYPE
from cea_exchange.domain.timetable import changes_due, time_parse, time_to_ns
from cea_exchange.domain.units import price_parse
from cea_exchange.journal import (
    JournalError,
    JournalPoint,
    OsStorage,
    SegmentReader,
    event_rows_read,
)
from cea_exchange.journal.segment import SEGMENT_HEADER_BYTES, Tail, segment_header_read
from cea_exchange.matching.market import Market
from cea_exchange.matching.market_core import MarketCore
from cea_exchange.matching.script import ScriptError, command_play, line_parse
from cea_exchange.supervision.tape import Tape, TapeRows
from cea_exchange.venue.durability.profile_shelf import profile_find
from cea_exchange.venue.durability.recovery import frame_apply, frames_under_rules, schema_check
from cea_exchange.venue.market.state_machine import StateDiverged, VenueStateMachine

# -- Scripts --------------------------------------------------------------------------------------


class RecordingCore:
    """A market core that keeps the rows of events it answers with, until they are taken."""

    from_snapshot = None

    def __init__(self, rules: MarketRules) -> None:
        self._core = CompiledMarket(rules)
        self._rows: list[np.ndarray] = []

    def process(self, commands: np.ndarray, events: np.ndarray) -> tuple[int, int]:
        """Apply trading commands; see `MarketCore.process`."""
        consumed, produced = self._core.process(commands, events)
        self._rows.append(events[:produced].copy())
        return consumed, produced

    def rows_take(self) -> np.ndarray:
        """Return the rows since they were taken last."""
        rows, self._rows = self._rows, []
        return np.concatenate(rows) if rows else np.zeros(0, EVENT_DTYPE)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._core, name)
        if not callable(found):
            return found

        def answering(*arguments: Any, **named: Any) -> Any:
            answer = found(*arguments, **named)
            if isinstance(answer, np.ndarray) and answer.dtype == EVENT_DTYPE:
                self._rows.append(answer)
            return answer

        return answering


class ScriptTape:
    """Plays a market script, command by command, and keeps what the market says.

    Parameters
    ----------
    profile
        The rules.
    """

    def __init__(self, profile: Profile) -> None:
        self.market = Market(profile, core=cast(type[MarketCore], RecordingCore))
        self._core = cast(RecordingCore, self.market.core)
        self._calendar: TradingCalendar | None = None
        self._rows = TapeRows()
        self._groups: list[str] = []
        self._prices: list[int] = []

    def play(self, fields: dict[str, Any]) -> None:
        """Play one command.

        Raises
        ------
        TypeError, ValueError
            It is none of a script, or can't come now.
        """
        if fields.get("cmd") == "clock" and isinstance(fields.get("at"), str):
            self._clock(fields["at"])
        command_play(fields, self.market)
        if fields["cmd"] == "account":
            self._groups.append(fields.get("group", ""))
        elif fields["cmd"] == "product":
            self._prices.append(price_parse(fields["reference_price"]))
        self._take()

    def tape(self) -> Tape:
        """Return what was said so far."""
        events, time_ns = self._rows.columns()
        return Tape(
            events,
            time_ns,
            self.market.products,
            self.market.accounts,
            tuple(self._groups),
            tuple(self._prices),
            self.market.profile,
        )

    def _clock(self, at: str) -> None:
        """Stop at all that falls due on the way, so that each event has its own time."""
        market = self.market
        if self._calendar is None:
            self._calendar = TradingCalendar.load(market.profile.calendar)
        due = changes_due(
            market.profile,
            self._calendar,
            after=market.time,
            until=time_parse(at),
            day_open=market.trading_date if market.core.day_is_open else None,
            last_date=market.trading_date,
        )
        for change in due:
            market.clock(change.at)
            self._take()

    def _take(self) -> None:
        time = self.market.time
        self._rows.add(self._core.rows_take(), 0 if time is None else time_to_ns(time))


def script_tape(lines: Iterable[bytes], profile: Profile, name: str) -> Tape:
    """Return the tape of a market script.

    Raises
    ------
    ScriptError
        At the first line that is no command.
    """
    script = ScriptTape(profile)
    for number, line in enumerate(lines, start=1):
        try:
            fields = line_parse(line)
            if fields is not None:
                script.play(fields)
        except (TypeError, ValueError) as error:
            raise ScriptError(f"{name}:{number}: {error}") from error
    return script.tape()


# -- Journals -------------------------------------------------------------------------------------


class VenueTape:
    """Follows a venue's journal, running or at rest, and changes nothing of it.

    A frame's commands are played once more, as every start plays them, which gives their events
    with the frame's time. What the event store has not yet, is not on disk for certain, and waits.

    Parameters
    ----------
    directory
        The venue's data folder.
    profile
        The rules it began under, if they are neither kept there nor the package's.
    archive
        Where segments lie that are no more in the journal's folder.
    """

    def __init__(
        self, directory: Path, *, profile: Profile | None = None, archive: Path | None = None
    ) -> None:
        self._directory, self._storage = Path(directory), OsStorage()
        self._archive = self._directory / "archive" if archive is None else archive
        paths = self._reader(None).paths
        if not paths:
            raise JournalError(str(self._directory / "journal"), 1, "expected a journal, got none")
        header = segment_header_read(paths[0], self._storage)
        schema_check(header)
        self._log_id = header.log_id
        found = profile_find(
            self._directory, header.identity.profile_hash, self._storage, given=profile
        )
        self._machine = VenueStateMachine(found)
        self._tail: Tail | None = None
        self._rows = TapeRows()

    def take(self) -> int:
        """Read what the journal has more than before; return how many events that were."""
        before = self._rows.count
        reader = self._reader(self._tail)
        if not reader.paths:
            return 0  # The last segment was sealed, and none has followed yet.
        rules = self._machine.profile.profile_hash()
        for frame in frames_under_rules(reader, reader.frames(), rules):
            try:
                events = frame_apply(self._machine, frame, lend=True)
            except StateDiverged as error:
                raise JournalError("journal", frame.first_seq, str(error)) from error
            self._rows.add(events, frame.time_ns)
        self._tail = reader.tail
        return self._rows.count - before

    def tape(self) -> Tape:
        """Return the events so far that the event store has, too."""
        machine = self._machine
        events, time_ns = self._rows.columns()
        stored = event_rows_read(
            self._directory / "events", log_id=self._log_id, storage=self._storage
        ).count
        known = int(np.searchsorted(events["seq"], stored, side="right"))
        return Tape(
            events[:known],
            time_ns[:known],
            tuple(machine.product_names),
            tuple(machine.account_names),
            tuple(machine.account_groups),
            tuple(machine.declared_prices),
            machine.profile,
        )

    @property
    def holders(self) -> dict[str, str]:
        """Return who holds the accounts that no organisation does, by their names."""
        return dict(self._machine.holders)

    def _reader(self, tail: Tail | None) -> SegmentReader:
        point = None
        if tail is not None and tail.header is not None:
            head = tail.header
            place = head.first_seq, tail.valid_bytes, tail.sha256, head.previous_sha256
            if tail.sealed:
                place = tail.next_seq, SEGMENT_HEADER_BYTES, b"", tail.sha256
            point = JournalPoint(tail.next_seq, tail.time_ns, *place)
        return SegmentReader(
            self._directory / "journal",
            storage=self._storage,
            cut_torn_tail=True,
            archive=self._archive,
            start=point,
        )
