"""Order files through an `OrderBook`, for `cea-exchange replay`: protocol/order_flow.md."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import msgspec
import numpy as np
import typer

from cea_exchange import OrderBook
from cea_exchange._book import LEVEL_COUNT_MAX
from cea_exchange.cli.errors import CommandError
from cea_exchange.cli.flow_files import PART_ROWS, FlowFile, progress
from cea_exchange.cli.replay import rate_of, show
from cea_exchange.domain.records import COMMAND_DTYPE, EVENT_DTYPE
from cea_exchange.matching.order_flow import (
    EVENT_COLUMNS,
    Survey,
    Tally,
    Tick,
    command_reader,
    event_lines,
    is_order_header,
    tick_of,
)

EVENT_ROWS = 4 * PART_ROWS
ORDER_COUNT_MAX = (1 << 32) - 3
"""More can't rest in one book."""


class Settings(NamedTuple):
    """What the command line says of an order file, as text where it is text there."""

    tick: str | None
    price_min: str | None
    price_max: str | None
    self_trade: str
    levels: int | None
    depth: int
    events: Path | None


def is_order_file(path: Path) -> bool:
    """Return whether a file begins with the header of an order file."""
    with FlowFile(path) as file:
        return is_order_header(file.first_line())


def replay_orders(path: Path, settings: Settings, json: bool) -> None:
    """Play an order file and print what came of it.

    Raises
    ------
    CommandError
        A line, or a setting, is not as it has to be.
    """
    tick = _value("--tick", tick_of, settings.tick)
    survey = _survey(path, tick)
    book = _book(path, survey, settings, tick)
    run = _OrderRun(book, path, tick)
    with _event_file(settings.events, tick) as write:
        run.play_all(write)
    book.check()
    _show(run, tick, settings.depth, json)


def _value(option: str, read: Callable[[Any], Any], text: Any) -> Any:
    try:
        return read(text)
    except ValueError as error:
        raise CommandError(f"{option}: {error}") from error


def _parts(file: FlowFile, tick: Tick) -> Iterator[np.ndarray]:
    """Yield a file's commands, a part at a time, each in the memory of the one before."""
    try:
        reader = command_reader(file.first_line(), tick)
    except ValueError as error:
        raise file.error(1, str(error)) from error
    file.skip_line()
    commands = np.zeros(PART_ROWS, COMMAND_DTYPE)
    while count := file.fill(PART_ROWS, lambda data, at: reader.read(data, commands[at:])):
        yield commands[:count]


def _survey(path: Path, tick: Tick) -> Survey:
    survey = Survey()
    with FlowFile(path) as file, progress("reading", path.stat().st_size) as show_position:
        for commands in _parts(file, tick):
            survey.take(commands)
            show_position(file.position)
    return survey


def _book(path: Path, survey: Survey, settings: Settings, tick: Tick) -> OrderBook:
    low, high = survey.price_low or 0, survey.price_high or 0
    if settings.price_min is not None:
        low = _value("--price-min", tick.ticks, settings.price_min)
        high = max(low, high)
    if settings.price_max is not None:
        high = _value("--price-max", tick.ticks, settings.price_max)
        low = low if settings.price_min is not None else min(low, high)
    if low > high:
        raise CommandError(
            f"--price-max: expected {tick.text(low)} or more, came {tick.text(high)}"
        )
    if high - low >= LEVEL_COUNT_MAX:
        raise CommandError(
            f"{path}: expected prices within {LEVEL_COUNT_MAX} ticks, came {tick.text(low)} to "
            f"{tick.text(high)}; --price-min and --price-max narrow them"
        )
    try:
        return OrderBook(
            low,
            high,
            order_count_max=max(1, min(survey.enters, ORDER_COUNT_MAX)),
            self_trade=settings.self_trade,
            levels_max=settings.levels,
        )
    except ValueError as error:
        text = str(error).replace("self_trade", "--self-trade").replace("levels_max", "--levels")
        raise CommandError(text) from error


class _OrderRun:
    """An order file's commands through a book, a part at a time."""

    def __init__(self, book: OrderBook, path: Path, tick: Tick) -> None:
        self.book = book
        self.tally = Tally()
        self.commands = 0
        self.play_ns = self.read_ns = 0
        self._path = path
        self._tick = tick
        self._events = np.zeros(EVENT_ROWS, EVENT_DTYPE)

    def play_all(self, write: Callable[[np.ndarray], None]) -> None:
        """Read and play to the end of the file; every event goes to `write`."""
        size = self._path.stat().st_size
        with FlowFile(self._path) as file, progress("replaying", size) as show_position:
            started = time.perf_counter_ns()
            for commands in _parts(file, self._tick):
                self.read_ns += time.perf_counter_ns() - started
                self.commands += len(commands)
                self._play(commands, write)
                show_position(file.position)
                started = time.perf_counter_ns()

    def _play(self, commands: np.ndarray, write: Callable[[np.ndarray], None]) -> None:
        while len(commands):
            started = time.perf_counter_ns()
            consumed, produced = self.book.process(commands, self._events)
            self.play_ns += time.perf_counter_ns() - started
            self.tally.take(self._events[:produced])
            write(self._events[:produced])
            commands = commands[consumed:]
            if self.book.rows_needed > len(self._events):
                self._events = np.zeros(2 * self.book.rows_needed, EVENT_DTYPE)


def _show(run: _OrderRun, tick: Tick, depth: int, json: bool) -> None:
    book, tally = run.book, run.tally
    sides = [
        [[tick.text(price), tonnes, count] for price, tonnes, count in side]
        for side in book.depth(max(0, depth))
    ]
    summary: dict[str, Any] = {
        "messages": run.commands,
        "trades": tally.trades,
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
        typer.echo(msgspec.json.encode(content).decode())
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


# -- Events ---------------------------------------------------------------------------------------


def _event_file(
    path: Path | None, tick: Tick
) -> "AbstractContextManager[Callable[[np.ndarray], None]]":
    if path is None:
        return nullcontext(lambda events: None)
    try:
        file = path.open("wb")
    except OSError as error:
        raise CommandError(f"{path}: expected a file to write: {error.strerror}") from error
    return _EventArray(file) if path.suffix == ".npy" else _EventText(file, tick)


class _EventText:
    """Writes events as lines below a header."""

    def __init__(self, file: BinaryIO, tick: Tick) -> None:
        self._file = file
        self._tick = tick
        file.write((",".join(EVENT_COLUMNS) + "\n").encode())

    def __enter__(self) -> Callable[[np.ndarray], None]:
        return self._write

    def __exit__(self, *raised: object) -> None:
        self._file.close()

    def _write(self, events: np.ndarray) -> None:
        self._file.write("".join(event_lines(events, self._tick)).encode())


class _EventArray:
    """Writes events as an array whose length is known at the end only."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._count = 0
        self._header_write()

    def __enter__(self) -> Callable[[np.ndarray], None]:
        return self._write

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

    def _write(self, events: np.ndarray) -> None:
        self._count += len(events)
        self._file.write(events.tobytes())
