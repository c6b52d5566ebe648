"""Order files through an `OrderBook`, for `cea-exchange replay`: protocol/order_flow.md."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Self

import numpy as np

from cea_exchange import OrderBook
from cea_exchange._book import LEVEL_COUNT_MAX
from cea_exchange.cli.errors import CheckFailed, CommandError, bad_input, file_used, files_differ
from cea_exchange.cli.flows.differences import DifferenceLog
from cea_exchange.cli.flows.flow_files import PART_ROWS, FlowFile, progress
from cea_exchange.cli.flows.replay_summary import rate_of, show
from cea_exchange.domain.records import COMMAND_DTYPE, EVENT_DTYPE
from cea_exchange.matching.flow.expected_trades import (
    ExpectedColumns,
    Trade,
    TradeComparison,
    TradeDifferenceKind,
)
from cea_exchange.matching.flow.order_flow import (
    EVENT_COLUMNS,
    OrderHeader,
    Survey,
    Tally,
    Tick,
    command_reader,
    event_lines,
    is_order_header,
    order_header,
    partial_cancels,
    reduction,
    tick_of,
)

SELF_TRADE, DEPTH = "allow", 5
"""Where the command line says nothing."""
EVENT_ROWS = 4 * PART_ROWS
ORDER_COUNT_MAX = (1 << 32) - 3
"""More can't rest in one book."""


class Settings(NamedTuple):
    """What the command line says of an order file, as text where it is; None if nothing."""

    tick: str | None
    price_min: str | None
    price_max: str | None
    self_trade: str | None
    levels: int | None
    depth: int | None
    events: Path | None
    expect: Path | None


EventWriter = Callable[[np.ndarray, Sequence[str] | None], None]
"""Takes events, and what is kept of each one's command; None where nothing is."""


def is_order_file(path: Path) -> bool:
    """Return whether a file begins with the header of an order file."""
    with FlowFile(path) as file:
        return is_order_header(file.first_line())


def replay_orders(path: Path, settings: Settings, json: bool) -> None:
    """Play an order file and print what came of it.

    Raises CommandError: a line, or a setting, is not as it has to be.

    Raises CheckFailed: Other trades came out than were expected.
    """
    files_differ((path, settings.expect), (settings.events,))
    tick = _value("--tick", tick_of, settings.tick)
    header, survey = _survey(path, tick)
    book = _book(path, survey, settings, tick)
    with ExitStack() as files:
        reasons = {str(kind): kind.reason for kind in TradeDifferenceKind}
        differences = files.enter_context(DifferenceLog("trade", reasons))
        comparison = None
        if settings.expect is not None:
            expected = files.enter_context(FlowFile(settings.expect))
            comparison = _comparison(expected, tick, differences)
        write = files.enter_context(_event_file(settings.events, tick, header))
        # An array has no room for them.
        keeps = bool(header.kept) and isinstance(write, _EventText)
        run = _OrderRun(book, path, tick, header if keeps else None)
        run.play_all(write, comparison)
        book.check()
        depth = DEPTH if settings.depth is None else settings.depth
        _show(run, tick, depth, json, comparison, differences)
        if differences.first is not None:
            raise CheckFailed(
                f"{settings.expect}: trade {differences.first[0]}: {differences.summary()}"
            )


def _value(option: str, read: Callable[[Any], Any], text: Any) -> Any:
    with bad_input(ValueError, says=f"{option}: "):
        return read(text)


def _header(file: FlowFile) -> OrderHeader:
    """Take a file's first line."""
    try:
        header = order_header(file.first_line())
    except ValueError as error:
        raise file.error(1, str(error)) from error
    file.skip_line()
    return header


def _parts(
    file: FlowFile, header: OrderHeader, tick: Tick, keeps: bool
) -> Iterator[tuple[np.ndarray, list[str] | None]]:
    """Yield a file's commands, a part at a time, each in the memory of the one before.

    With them goes what is kept of each line, if it is wanted.
    """
    reader = command_reader(header, tick)
    commands = np.zeros(PART_ROWS, COMMAND_DTYPE)
    texts: list[str] = []

    def read(data: memoryview, at: int) -> tuple[int, int, str | None]:
        rows, consumed, fault = reader.read(data, commands[at:])
        if keeps:
            texts.extend(header.kept_texts(bytes(data[:consumed])))
        return rows, consumed, fault

    while count := file.fill(PART_ROWS, read):
        yield commands[:count], texts if keeps else None
        texts.clear()


def _survey(path: Path, tick: Tick) -> tuple[OrderHeader, Survey]:
    survey = Survey()
    with FlowFile(path) as file, progress("reading", path.stat().st_size) as show_position:
        header = _header(file)
        for commands, _ in _parts(file, header, tick, keeps=False):
            survey.take(commands)
            show_position(file.position)
    return header, survey


def _comparison(file: FlowFile, tick: Tick, differences: DifferenceLog) -> TradeComparison:
    try:
        columns = ExpectedColumns(file.first_line().decode("utf-8", "replace"), tick)
    except ValueError as error:
        raise file.error(1, str(error)) from error
    file.skip_line()
    return TradeComparison(columns, _expected_trades(file, columns), differences.add)


def _expected_trades(file: FlowFile, columns: ExpectedColumns) -> Iterator[list[Trade]]:
    """Yield the trades of a record, some at a time."""
    trades: list[Trade] = []

    def read(data: memoryview, at: int) -> tuple[int, int, str | None]:
        rows = consumed = 0
        for line in bytes(data).split(b"\n")[:-1]:
            try:
                trade = columns.trade(line.decode("utf-8", "replace"))
            except ValueError as error:
                return rows, consumed, str(error)
            if trade is not None:
                trades.append(trade)
            rows += 1
            consumed += len(line) + 1
        return rows, consumed, None

    # A block at a time: as many lines as it has.
    while file.fill(1, read):
        yield trades.copy()
        trades.clear()


def _book(path: Path, survey: Survey, settings: Settings, tick: Tick) -> OrderBook:
    low, high = survey.price_low or 0, survey.price_high or 0
    if settings.price_min is not None:
        low = _value("--price-min", tick.ticks, settings.price_min)
        high = max(low, high)
    if settings.price_max is not None:
        high = _value("--price-max", tick.ticks, settings.price_max)
        low = low if settings.price_min is not None else min(low, high)
    if low > high:
        raise CommandError(f"--price-max: expected {tick.text(low)} or more, got {tick.text(high)}")
    if high - low >= LEVEL_COUNT_MAX:
        raise CommandError(
            f"{path}: expected prices within {LEVEL_COUNT_MAX} ticks, got {tick.text(low)} to "
            f"{tick.text(high)}; --price-min and --price-max narrow them"
        )
    try:
        return OrderBook(
            low,
            high,
            order_count_max=max(1, min(survey.enters, ORDER_COUNT_MAX)),
            self_trade=settings.self_trade or SELF_TRADE,
            levels_max=settings.levels,
        )
    except ValueError as error:
        text = str(error).replace("self_trade", "--self-trade").replace("levels_max", "--levels")
        raise CommandError(text) from error


class _OrderRun:
    """An order file's commands through a book, a part at a time.

    Parameters
    ----------
    kept_header : OrderHeader or None
        The file's, if what it keeps goes to the events.
    """

    def __init__(
        self, book: OrderBook, path: Path, tick: Tick, kept_header: OrderHeader | None
    ) -> None:
        self.book = book
        self.tally = Tally()
        self.commands = 0
        self.play_ns = self.read_ns = 0
        self._path = path
        self._tick = tick
        self._keeps = kept_header is not None
        self._events = np.zeros(EVENT_ROWS, EVENT_DTYPE)
        self._filled = 0
        self._kept: list[str] = []

    def play_all(self, write: EventWriter, comparison: TradeComparison | None) -> None:
        """Read and play to the end of the file; every event goes to `write`."""

        def take(events: np.ndarray, kept: Sequence[str] | None) -> None:
            self.tally.take(events)
            write(events, kept)
            if comparison is not None:
                comparison.take(events)

        size = self._path.stat().st_size
        with FlowFile(self._path) as file, progress("replaying", size) as show_position:
            header = _header(file)
            started = time.perf_counter_ns()
            for commands, kept in _parts(file, header, self._tick, self._keeps):
                self.read_ns += time.perf_counter_ns() - started
                self.commands += len(commands)
                self._play(commands, kept, take)
                show_position(file.position)
                started = time.perf_counter_ns()
        if comparison is not None:
            comparison.finish()

    def _play(self, commands: np.ndarray, kept: list[str] | None, take: EventWriter) -> None:
        # One by one where it must be known whose events they are, or how the book stands.
        alone = partial_cancels(commands) if kept is None else range(len(commands))
        begin = 0
        for place in alone:
            self._apply(commands[begin:place], None, take)
            command = commands[place : place + 1]
            if partial_cancels(command):
                command = reduction(self.book, command)
            self._apply(command, None if kept is None else kept[place], take)
            begin = place + 1
        self._apply(commands[begin:], None, take)
        self._flush(take)

    def _apply(self, commands: np.ndarray, kept: str | None, take: EventWriter) -> None:
        while len(commands):
            started = time.perf_counter_ns()
            consumed, produced = self.book.process(commands, self._events[self._filled :])
            self.play_ns += time.perf_counter_ns() - started
            self._filled += produced
            if kept is not None:
                self._kept += [kept] * produced
            commands = commands[consumed:]
            if len(commands):
                self._flush(take)
                if self.book.rows_needed > len(self._events):
                    self._events = np.zeros(2 * self.book.rows_needed, EVENT_DTYPE)

    def _flush(self, take: EventWriter) -> None:
        take(self._events[: self._filled], self._kept if self._keeps else None)
        self._filled = 0
        self._kept = []


def _show(
    run: _OrderRun,
    tick: Tick,
    depth: int,
    json: bool,
    comparison: TradeComparison | None,
    differences: DifferenceLog,
) -> None:
    book, tally = run.book, run.tally
    sides = [
        [[tick.text(price), tonnes, count] for price, tonnes, count in side]
        for side in book.depth(max(0, depth))
    ]
    summary: dict[str, Any] = {
        "messages": run.commands,
        "trades": tally.trades,
        "trades_as_expected": None if comparison is None else comparison.equal,
        "volume": tally.volume,
        "orders_resting": len(book),
        "price_min": tick.text(book.price_min),
        "price_max": tick.text(book.price_max),
        "order_count_max": book.order_count_max,
        "state_hash": f"{book.state_hash():016x}",
        "messages_per_second": rate_of(run.commands, run.play_ns),
        "messages_per_second_read": rate_of(run.commands, run.read_ns),
    }
    if json:
        events = {"events": tally.kinds(), "refused": tally.refusals()}
        content = summary | events | dict(zip(("bids", "asks"), sides, strict=True))
        differences.show_json(content)
        return
    lines = {name.replace("_", " "): value for name, value in summary.items()}
    rate = lines.pop("messages per second")
    read_rate = lines.pop("messages per second read")
    lines |= {f"  {name}": count for name, count in tally.kinds().items()}
    lines |= {f"  refused: {name}": count for name, count in tally.refusals().items()}
    for name, side in zip(("bid", "ask"), sides, strict=True):
        for place, (price, tonnes, count) in enumerate(side, 1):
            lines[f"{name} {place}"] = f"{tonnes} at {price}, {count} orders"
    show(lines | {"messages a second": rate, "  read and checked": read_rate})
    differences.show()


# -- Events ---------------------------------------------------------------------------------------


def _event_file(
    path: Path | None, tick: Tick, header: OrderHeader
) -> "AbstractContextManager[EventWriter]":
    if path is None:
        return nullcontext(lambda events, kept: None)
    with file_used(path, "expected a file to write"):
        file = path.open("wb")
    return _EventArray(file) if path.suffix == ".npy" else _EventText(file, tick, header)


class _EventText:
    """Writes events as lines below a header."""

    def __init__(self, file: BinaryIO, tick: Tick, header: OrderHeader) -> None:
        self._file = file
        self._tick = tick
        file.write((",".join([*EVENT_COLUMNS, *header.kept]) + "\n").encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._file.close()

    def __call__(self, events: np.ndarray, kept: Sequence[str] | None) -> None:
        """Write events."""
        self._file.write("".join(event_lines(events, self._tick, kept)).encode())


class _EventArray:
    """Writes events as an array whose length is known at the end only."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._count = 0
        self._header_write()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        with self._file:
            self._file.seek(0)
            self._header_write()

    def _header_write(self) -> None:
        # numpy leaves room in the header for any length of the array.
        np.lib.format.write_array_header_1_0(
            self._file,
            {
                "descr": np.lib.format.dtype_to_descr(EVENT_DTYPE),
                "fortran_order": False,
                "shape": (self._count,),
            },
        )

    def __call__(self, events: np.ndarray, kept: Sequence[str] | None) -> None:
        """Write events."""
        self._count += len(events)
        self._file.write(events.tobytes())
