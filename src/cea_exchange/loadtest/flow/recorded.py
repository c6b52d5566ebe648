"""A recorded day, sent again at its own times, or faster.

    LOBSTER messages       time,type,order id,size,price,direction
    an order file          action,order_id,side,price,tonnes,... with a column time or time_ns
    a venue's data folder  its journal

Prices are taken as they lie to the day's first one, around the workload's reference price; whoever
may stand on an order's side sends it.
"""

import csv
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from cea_exchange.domain.records import (
    COMMAND_DTYPE,
    EVENT_DTYPE,
    CommandKind,
    EventKind,
    Side,
    Tif,
)
from cea_exchange.journal import (
    FrameKind,
    JournalError,
    OsStorage,
    SegmentReader,
    event_rows_read,
)
from cea_exchange.loadtest.flow.arrivals import NS
from cea_exchange.loadtest.flow.plan import NOBODY, Plan, PlannedRow
from cea_exchange.loadtest.flow.workload import LABELS, Workload
from cea_exchange.loadtest.targets.target import Participants
from cea_exchange.user_files.opening import UserFileError, lines_read

BAND_TEN_THOUSANDTHS = 900
"""How far from the reference a recorded price may lie; what lies beyond is brought here."""
LOBSTER_COLUMNS = 6
LOBSTER_ENTER, LOBSTER_REDUCE, LOBSTER_DELETE, LOBSTER_EXECUTION = 1, 2, 3, 4
_ACTIONS = {
    "enter": CommandKind.ENTER,
    "cancel": CommandKind.CANCEL,
    "reduce": CommandKind.CANCEL,
    "amend": CommandKind.AMEND,
}
_SIDES = {"buy": Side.BUY, "sell": Side.SELL}
_TIFS = {"": Tif.DAY, "day": Tif.DAY, "ioc": Tif.IOC, "fok": Tif.FOK}

Identity = tuple[int, int, int, int]
"""Trading date, account, operator, and the id that they gave the command."""


class RecordedError(ValueError):
    """No recorded day; the message names file and line."""


class Recorded(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which day, and how many times as fast."""

    path: str
    speed_up: float = 1.0

    def __post_init__(self) -> None:
        if not self.speed_up > 0:
            raise ValueError(f"speed_up: expected a number above 0, got {self.speed_up}")


class Order(msgspec.Struct, frozen=True):
    """One recorded command."""

    at_ns: int
    kind: CommandKind
    order: int
    """The record's own id: a cancel names the order that it ends."""
    side: int
    price: float
    """In whatever step the record has."""
    tonnes: int
    tif: int = Tif.DAY
    product: int = 0


def recorded_orders(path: Path) -> list[Order]:
    """Read a day.

    Raises
    ------
    RecordedError
        It can't be read, or has no times.
    """
    try:
        if (path / "journal").is_dir():
            return _of_journal(path)
        return _of_text(path)
    except UserFileError as error:
        raise RecordedError(str(error)) from error
    except (OSError, JournalError) as error:
        raise RecordedError(f"{path}: expected a recorded day: {error}") from error


def recorded_plan(
    recorded: Recorded, workload: Workload, participants: Participants, mine: slice
) -> Plan:
    """Return this process's part of a recorded day: the orders whose number is in `mine`.

    An order and what is done with it stay in one process.
    """
    orders = recorded_orders(Path(recorded.path))
    if not orders:
        raise RecordedError(f"{recorded.path}: expected commands, got none")
    first_price = next((each.price for each in orders if each.price > 0), 1.0)
    first_ns = orders[0].at_ns
    process_of: dict[int, int] = {}
    rows: list[PlannedRow] = []
    due_ns = 0
    row_of: dict[int, int] = {}
    row_by_row: dict[int, PlannedRow] = {}
    step = mine.step or 1
    for each in orders:
        if each.kind == CommandKind.ENTER:
            process_of[each.order] = len(process_of) % step
        if process_of.get(each.order, 0) != mine.start:
            continue
        entered = row_by_row.get(row_of.get(each.order, 0))
        row = _row(each, entered, workload, participants, first_price)
        # Some records have times that go back; their lines have the order of the commands.
        due_ns = max(due_ns, int((each.at_ns - first_ns) / recorded.speed_up))
        row = row._replace(due_ns=due_ns, order_row=row_of.get(each.order, 0))
        if each.kind == CommandKind.ENTER:
            row = row._replace(order_row=0)
            row_of[each.order] = len(rows) + 1
            row_by_row[len(rows) + 1] = row
        elif not row.order_row:
            # Entered before the record began: nobody here could take it back.
            continue
        rows.append(row)
    return Plan(_columns(rows))


def _columns(rows: list[PlannedRow]) -> dict[str, NDArray[np.int64]]:
    return {
        name: np.array([getattr(row, name) for row in rows], np.int64)
        for name in PlannedRow._fields
    }


def _row(
    order: Order,
    entered: PlannedRow | None,
    workload: Workload,
    participants: Participants,
    first_price: float,
) -> PlannedRow:
    name = participants.products[order.product % len(participants.products)]
    product = participants.products.index(name)
    price = entered.price if entered is not None else workload.products[name]
    if order.price > 0:
        price = _price(order.price / first_price, workload.products[name])
    if entered is not None:
        return entered._replace(
            kind=order.kind,
            label=LABELS.index("amend" if order.kind == CommandKind.AMEND else "cancel"),
            price=price,
            tonnes=order.tonnes or entered.tonnes,
        )
    able = [each for each in participants.hosted if participants.sides[each][product] == order.side]
    who = able or participants.hosted
    label = {Tif.IOC: "ioc", Tif.FOK: "fok"}.get(Tif(order.tif), "passive")
    return PlannedRow(
        due_ns=0,
        label=LABELS.index(label),
        kind=order.kind,
        participant=who[order.order % len(who)],
        product=product,
        side=order.side,
        tif=order.tif,
        flags=0,
        price=price,
        tonnes=order.tonnes,
        counterparty=NOBODY,
        order_row=0,
    )


def _price(share: float, reference: int) -> int:
    band = reference * BAND_TEN_THOUSANDTHS // 10_000
    price = round(share * reference)
    return max(reference - band, min(reference + band, price), 1)


# -- Forms -----------------------------------------------------------------------------------------


def _of_text(path: Path) -> list[Order]:
    lines = csv.reader(lines_read(path, "a recorded day", None, may_be_packed=True), strict=True)
    try:
        return _of_lines(path, lines)
    except csv.Error as error:
        raise RecordedError(f"{path}:{lines.line_num}: expected CSV, {error}") from error


def _of_lines(path: Path, lines: Iterator[list[str]]) -> list[Order]:
    first = next(lines, None)
    if first is None:
        raise RecordedError(f"{path}:1: expected a command, got nothing")
    columns = [name.strip() for name in first]
    if "action" in columns:
        return _of_order_file(path, columns, lines)
    if len(first) != LOBSTER_COLUMNS:
        raise RecordedError(
            f"{path}:1: expected a header with `action`, or LOBSTER's six columns,"
            f" got {len(first)} columns"
        )
    orders: list[Order] = []
    sizes: dict[int, int] = {}
    for number, line in enumerate(chain((first,), lines), 1):
        orders += _lobster(path, number, line, sizes)
    return orders


def _lobster(path: Path, number: int, line: list[str], sizes: dict[int, int]) -> list[Order]:
    """Return what a message was: an execution was somebody's order that took another's.

    `sizes` is what is open of each order, in the record.
    """
    try:
        kind, order, size, price, direction = (int(value) for value in line[1:])
        whole, _, fraction = line[0].partition(".")
        at_ns = int(whole) * NS + int(fraction.ljust(9, "0")[:9])
    except ValueError as error:
        raise RecordedError(f"{path}:{number}: expected a LOBSTER message: {error}") from error
    side = Side.BUY if direction == 1 else Side.SELL
    if kind == LOBSTER_ENTER:
        sizes[order] = size
        return [Order(at_ns, CommandKind.ENTER, order, side, price, size)]
    if kind in (LOBSTER_REDUCE, LOBSTER_EXECUTION):
        sizes[order] = sizes.get(order, size) - size
    if kind == LOBSTER_DELETE or (kind == LOBSTER_REDUCE and sizes[order] <= 0):
        return [Order(at_ns, CommandKind.CANCEL, order, side, 0, 0)]
    if kind == LOBSTER_REDUCE:
        return [Order(at_ns, CommandKind.AMEND, order, side, price, sizes[order])]
    if kind == LOBSTER_EXECUTION:
        taker = Side.SELL if side == Side.BUY else Side.BUY
        # The taker has no id in the record; the message's number is one that nobody cancels.
        return [Order(at_ns, CommandKind.ENTER, -number, taker, price, size, Tif.IOC)]
    return []


def _of_order_file(path: Path, columns: list[str], lines: Iterator[list[str]]) -> list[Order]:
    time_column = "time_ns" if "time_ns" in columns else "time"
    if time_column not in columns:
        raise RecordedError(
            f"{path}:1: expected a column `time` (seconds) or `time_ns`, got {', '.join(columns)}"
        )
    orders = []
    open_of: dict[int, Order] = {}
    for number, line in enumerate(lines, 2):
        if not any(line):
            continue
        row = dict(zip(columns, (value.strip() for value in line), strict=False))
        time = row.get(time_column)
        if not time:
            raise RecordedError(f"{path}:{number}: {time_column}: expected a time, got nothing")
        try:
            at_ns = int(time) if time_column == "time_ns" else round(float(time) * NS)
            order = _of_order_line(row, at_ns, open_of)
        # A time such as 1e999 is infinite, and no whole number of nanoseconds.
        except (KeyError, ValueError, OverflowError) as error:
            raise RecordedError(f"{path}:{number}: expected a command, got {error}") from error
        orders.append(order)
    return orders


def _of_order_line(row: dict[str, str], at_ns: int, open_of: dict[int, Order]) -> Order:
    """Return a line's command; `open_of` is what is open of each order, as far as lines say."""
    action, number = row["action"], int(row["order_id"])
    order = Order(
        at_ns,
        _ACTIONS[action],
        number,
        _SIDES.get(row.get("side", ""), 0),
        float(row.get("price") or 0),
        int(row.get("tonnes") or 0),
        _TIFS[row.get("tif", "")],
    )
    if action == "reduce" and number in open_of:
        before = open_of[number]
        left = before.tonnes - order.tonnes
        if left > 0:
            order = Order(at_ns, CommandKind.AMEND, number, 0, before.price, left)
    if order.kind in (CommandKind.ENTER, CommandKind.AMEND):
        open_of[number] = order
    return order


def _of_journal(data: Path) -> list[Order]:
    """Return a journal's listed orders; one that was refused is an order that nobody cancels."""
    frames, log_id = _frames(data)
    accepted = {
        _identity(row): int(row["order_id"]) for row in _acceptances(data / "events", log_id)
    }
    orders: list[Order] = []
    for time_ns, rows in frames:
        for row in rows:
            kind = int(row["kind"])
            if kind == CommandKind.ENTER:
                number = accepted.pop(_identity(row), -len(orders) - 1)
            elif kind in (CommandKind.CANCEL, CommandKind.AMEND):
                number = int(row["order_id"])
            else:
                continue
            names = ("side", "price", "tonnes", "tif", "product_index")
            side, price, tonnes, tif, product = (int(row[name]) for name in names)
            orders.append(
                Order(time_ns, CommandKind(kind), number, side, price, tonnes, tif, product)
            )
    return orders


def _frames(data: Path) -> tuple[list[tuple[int, NDArray[np.void]]], str]:
    """Return a journal's times and commands, and which journal it is."""
    # A venue that was killed leaves an end that nobody has been answered for.
    reader = SegmentReader(data / "journal", storage=OsStorage(), cut_torn_tail=True)
    frames = [
        (frame.time_ns, np.frombuffer(frame.payload, COMMAND_DTYPE))
        for frame in reader.frames()
        if frame.kind == FrameKind.RECORDS
    ]
    return frames, reader.headers[-1].log_id


def _acceptances(folder: Path, log_id: str) -> NDArray[np.void]:
    """Return the venue's events that say which order a command became."""
    rows = event_rows_read(folder, log_id=log_id)
    events = np.frombuffer(rows.read(1, rows.count), EVENT_DTYPE)
    return events[events["kind"] == EventKind.ORDER_ACCEPTED]


def _identity(row: np.void) -> Identity:
    names = ("trading_date", "account_index", "operator_index", "client_order_id")
    date, account, operator, own = (int(row[name]) for name in names)
    return date, account, operator, own
