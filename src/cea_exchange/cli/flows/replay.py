"""`cea-exchange replay`: recorded order flow through a book, held against what was recorded.

Three forms: LOBSTER's messages and rows, order files, and a venue's journal. What FLOW is decides.
"""

import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from cea_exchange.cli.errors import CheckFailed, CommandError, bad_input, check_failed, file_used
from cea_exchange.cli.flows.replay_summary import rate_of, show
from cea_exchange.cli.options import PlainJson
from cea_exchange.cli.output import json_print

if TYPE_CHECKING:
    import numpy as np

    from cea_exchange.cli.flows.differences import DifferenceLog
    from cea_exchange.cli.flows.flow_files import FlowFile
    from cea_exchange.cli.flows.replay_orders import Settings
    from cea_exchange.matching.flow.replay import ReplayReport

MESSAGE_FILES, ROW_FILES = "message", "orderbook"


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("replay")(replay)


def replay(
    flow: Annotated[
        Path,
        typer.Argument(
            help="A LOBSTER message file or its folder; an order file; a venue's data folder."
        ),
    ],
    book: Annotated[
        Path | None,
        typer.Argument(help="LOBSTER's orderbook file, by default the one beside the messages."),
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(help="Of LOBSTER flow: a plain book's. Of a journal: if not the package's."),
    ] = None,
    tick: Annotated[
        str | None,
        typer.Option(help="Of an order file: prices are decimals, multiples of this, say 0.01."),
    ] = None,
    price_min: Annotated[
        str | None, typer.Option(help="Of an order file: the lowest price taken.")
    ] = None,
    price_max: Annotated[
        str | None, typer.Option(help="Of an order file: the highest price taken.")
    ] = None,
    self_trade: Annotated[
        str | None,
        typer.Option(help="Of an order file: what happens between orders of one owner; allow."),
    ] = None,
    levels: Annotated[
        int | None, typer.Option(help="Of an order file: price levels that an order may take.")
    ] = None,
    depth: Annotated[
        int | None, typer.Option(help="Of an order file: levels printed at the end; 5.")
    ] = None,
    events: Annotated[
        Path | None,
        typer.Option(help="Of an order file: write the events; an array if it ends in .npy."),
    ] = None,
    expect: Annotated[
        Path | None,
        typer.Option(help="Of an order file: the trades that have to come out, CSV."),
    ] = None,
    json: PlainJson = False,
) -> None:
    """Replay recorded flow; exit status 1 where what comes out and the record differ."""
    from cea_exchange.cli.flows.replay_orders import Settings

    settings = Settings(tick, price_min, price_max, self_trade, levels, depth, events, expect)
    _replay(flow, book, profile, settings, json)


def _replay(
    flow: Path, book: Path | None, profile: str | None, settings: "Settings", json: bool
) -> None:
    from cea_exchange.cli.flows import replay_orders

    of_orders = {"--" + name.replace("_", "-"): value for name, value in settings._asdict().items()}
    if (flow / "journal").is_dir():
        _options_refuse(flow, "a venue's data folder", of_orders | {"BOOK": book})
        _journal_replay(flow, profile, json)
    elif flow.is_file() and replay_orders.is_order_file(flow):
        _options_refuse(flow, "an order file", {"BOOK": book, "--profile": profile})
        replay_orders.replay_orders(flow, settings, json)
    else:
        _options_refuse(flow, "LOBSTER flow", of_orders)
        _profile_check(profile or "open")
        message_file, book_file = _files(flow, book)
        _lobster_replay(message_file, book_file, json)


def _options_refuse(flow: Path, form: str, options: dict[str, Any]) -> None:
    """Refuse what a form of flow has no use for; to ignore it would look as if it were heeded."""
    for name, value in options.items():
        if value is not None:
            raise CommandError(f"{name}: expected none, {flow} is {form}, got {str(value)!r}")


# -- LOBSTER --------------------------------------------------------------------------------------


def _lobster_replay(message_file: Path, book_file: Path | None, json: bool) -> None:
    from cea_exchange.cli.flows.differences import DifferenceLog
    from cea_exchange.cli.flows.flow_files import FlowFile
    from cea_exchange.matching.flow.replay import DifferenceKind, replay_report

    with ExitStack() as files:
        messages = files.enter_context(FlowFile(message_file))
        rows = None if book_file is None else files.enter_context(FlowFile(book_file))
        reasons = {str(kind): kind.reason for kind in DifferenceKind}
        differences = files.enter_context(DifferenceLog("message", reasons))
        run = _LobsterRun(messages, rows, differences)
        run.play_all()
        run.replay.book.check()
        report = replay_report(run.replay)
        _lobster_show(report, run, json)
        if report.difference is not None:
            place = f"{message_file}:{report.difference.message}"
            raise CheckFailed(f"{place}: {differences.summary()}")


class _LobsterRun:
    """Messages and rows from their files through a replay, a part at a time."""

    def __init__(
        self, messages: "FlowFile", rows: "FlowFile | None", differences: "DifferenceLog"
    ) -> None:
        import numpy as np

        from cea_exchange.cli.flows import flow_files
        from cea_exchange.matching.flow.replay import MESSAGE_NUMBERS, FlowReplay, level_count_of

        if not messages.first_line().strip():
            raise messages.error(1, "expected a message, got an empty line or nothing")
        self.level_count = 0
        if rows is not None:
            try:
                self.level_count = level_count_of(rows.first_line())
            except ValueError as error:
                raise rows.error(1, str(error)) from error
        self.replay: FlowReplay = FlowReplay(self.level_count)
        self.differences = differences
        self.play_ns = self.read_ns = 0
        self._messages, self._rows = messages, rows
        # Parts of rows of many levels are shorter, so that they take no more memory.
        self._part_rows = max(1, flow_files.PART_ROWS * 10 // max(10, self.level_count))
        self._message_array = np.empty((self._part_rows, MESSAGE_NUMBERS), np.int64)
        self._row_array = np.empty((self._part_rows, 4 * self.level_count), np.int64)

    def play_all(self) -> None:
        """Read and play to the end of the files."""
        from cea_exchange.cli.flows.flow_files import progress

        with progress("replaying", self._messages.path.stat().st_size) as show_position:
            count = self._part_rows
            while count:
                started = time.perf_counter_ns()
                line = self._messages.line
                count, messages, rows = self._read()
                self._prepare(line, messages, rows)
                ready = time.perf_counter_ns()
                found = self.replay.play(messages, rows)
                self.play_ns += time.perf_counter_ns() - ready
                for difference in found:
                    self.differences.add(*difference)
                self.read_ns += ready - started
                show_position(self._messages.position)

    def _read(self) -> "tuple[int, np.ndarray, np.ndarray | None]":
        from cea_exchange.matching.flow.replay import numbers_read

        messages, rows = self._message_array, self._row_array
        count = self._messages.fill(
            self._part_rows, lambda data, first: numbers_read(data, messages[first:], True)
        )
        if self._rows is None:
            return count, messages[:count], None
        row_count = self._rows.fill(
            self._part_rows, lambda data, first: numbers_read(data, rows[first:], False)
        )
        if row_count != count:
            raise self._rows.error(
                self._rows.line,
                f"expected a row for each message, got {self._messages.line} messages"
                f"{' or more' * (count == self._part_rows)} and {self._rows.line} rows"
                f"{' or more' * (row_count == self._part_rows)}",
            )
        return count, messages[:count], rows[:count]

    def _prepare(self, line: int, messages: "np.ndarray", rows: "np.ndarray | None") -> None:
        try:
            self.replay.prepare(messages, rows)
        except ValueError as error:
            place, is_row, text = error.args
            file = self._rows if is_row and self._rows is not None else self._messages
            raise file.error(line + place + 1, text) from error


def _lobster_show(report: "ReplayReport", run: _LobsterRun, json: bool) -> None:
    rates = {
        "messages_per_second": rate_of(report.messages, run.play_ns),
        "messages_per_second_read": rate_of(report.messages, run.read_ns),
    }
    if json:
        content = msgspec.to_builtins(report) | {"levels": run.level_count} | rates
        run.differences.show_json(content)
        return
    has_rows = run.level_count > 0
    show(
        {
            "messages": report.messages,
            "recorded book": None if has_rows else "none",
            "levels a side": run.level_count if has_rows else None,
            "steps agreeing": (f"{report.steps_agreeing} of {report.steps}" if has_rows else None),
            "levels learned": report.levels_learned if has_rows else None,
            "levels forgotten": report.levels_forgotten if has_rows else None,
            "unknown orders named": report.orders_unknown,
            "executions": report.executions,
            "size executed": report.executed_size,
            "orders resting": report.orders_resting,
            "messages a second": rates["messages_per_second"],
            "  read and checked": rates["messages_per_second_read"],
        }
    )
    run.differences.show()


def _profile_check(name: str) -> None:
    from cea_exchange.domain.profile import ProfileError, load_profile

    with bad_input(ProfileError):
        rules = load_profile(name).rules
    if rules.levels_max or rules.listed_band_bp or rules.self_trade != "allow":
        raise CommandError(
            f"expected a profile of a plain book such as 'open', got {name!r}: foreign flow knows "
            "no bands, no five levels and no accounts"
        )


def _files(flow: Path, book: Path | None) -> tuple[Path, Path | None]:
    """Return the message file and the orderbook file, None where there is none."""
    if flow.is_dir():
        found = _named(flow, MESSAGE_FILES)
        if len(found) != 1:
            raise CommandError(
                f"{flow}: expected one file *{MESSAGE_FILES}*.csv, or a folder journal/, "
                f"got {len(found)} files"
            )
        books = _named(flow, ROW_FILES)
        if book is None and len(books) > 1:
            raise CommandError(f"{flow}: expected one file *{ROW_FILES}*.csv, got {len(books)}")
        flow, book = found[0], book or (books[0] if books else None)
    elif not flow.exists():
        raise CommandError(f"{flow}: expected recorded flow, a file or folder, there is none")
    if book is None:
        beside = flow.with_name(flow.name.replace(MESSAGE_FILES, ROW_FILES))
        return flow, beside if beside != flow and beside.exists() else None
    if not book.exists():
        raise CommandError(f"{book}: expected a LOBSTER orderbook file, there is none")
    return flow, book


def _named(folder: Path, kind: str) -> list[Path]:
    found = [*folder.glob("*.csv"), *folder.glob("*.csv.gz")]
    return sorted(path for path in found if kind in path.name)


# -- A venue's journal ----------------------------------------------------------------------------


def _journal_replay(data: Path, profile: str | None, json: bool) -> None:
    from cea_exchange.cli.flows.flow_files import progress
    from cea_exchange.domain.profile import ProfileError, load_profile
    from cea_exchange.journal import JournalError
    from cea_exchange.protocol.folder_lock import FolderInUse, FolderLock
    from cea_exchange.venue.maintenance.verify import verify_data

    with (
        bad_input(FolderInUse, ends="; stop it first"),
        file_used(data, "can't be read"),
        bad_input(ProfileError),
        check_failed(JournalError),
    ):
        loaded = load_profile(profile) if profile else None
        total = sum(path.stat().st_size for path in (data / "journal").iterdir())
        with FolderLock(data, "venue.lock"), progress("replaying", total) as show_position:
            clock = _MarketClock(show_position)
            result = verify_data(data, profile=loaded, core_class=clock.market)
            show_position(total)
    summary = {
        "messages": result.commands + result.controls,
        "commands": result.commands,
        "controls": result.controls,
        "hashes_agreeing": result.checkpoints,
        "events": result.events,
        "events_compared": result.events_stored,
        "last_seq": result.next_seq - 1,
        "state_hash": f"{result.state_hash:016x}",
        "messages_per_second": rate_of(result.commands, clock.market_ns),
        "messages_per_second_read": rate_of(result.commands, clock.elapsed_ns()),
    }
    if json:
        json_print(summary)
        return
    names = {
        "messages_per_second": "messages a second",
        "messages_per_second_read": "  read and compared",
    }
    show({names.get(name, name.replace("_", " ")): value for name, value in summary.items()})


class _MarketClock:
    """Takes the time that a market spends on commands, and shows how far it is."""

    def __init__(self, show_position: Any) -> None:
        self.market_ns = 0
        self._bytes = 0
        self._started = time.perf_counter_ns()
        self._show_position = show_position

    def elapsed_ns(self) -> int:
        """Return the time since the start."""
        return time.perf_counter_ns() - self._started

    def market(self, rules: Any) -> Any:
        """Make a market whose batches are timed."""
        from cea_exchange.venue.market.state_machine import compiled_market

        clock = self

        class TimedMarket(compiled_market()):  # type: ignore[misc]
            def process(self, commands: Any, events: Any) -> tuple[int, int]:
                started = time.perf_counter_ns()
                consumed, produced = super().process(commands, events)
                clock.market_ns += time.perf_counter_ns() - started
                clock._bytes += consumed * commands.itemsize
                clock._show_position(clock._bytes)
                return consumed, produced

        return TimedMarket(rules)
