"""Order files: the commands of an `OrderBook` as lines of text, and its events likewise.

The form is in protocol/order_flow.md. Lines become records in the compiled `CommandReader`;
here is what is done once a file, and the events' text.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from cea_exchange._book import OrderBook
from cea_exchange.domain.records import (
    ACCOUNT_NONE,
    COMMAND_DTYPE,
    EVENT_DTYPE,
    CommandKind,
    EventKind,
    Reason,
    Side,
)
from cea_exchange.matching.flow._flow_text import COMMAND_COLUMNS, CommandReader

NEEDED_COLUMNS = ("action", "order_id", "side", "price", "tonnes")
EVENT_COLUMNS = (
    "seq",
    "event",
    "reason",
    "side",
    "order_id",
    "owner",
    "counter_order_id",
    "counter_owner",
    "price",
    "tonnes",
    "tonnes_open",
)
DECIMALS_MAX = 9
_TICK = re.compile(r"(?P<whole>\d{1,9})(?:\.(?P<fraction>\d{1,9}))?")
_KINDS = {int(kind): kind.name.lower() for kind in EventKind}
_REASONS = {int(reason): reason.name for reason in Reason} | {0: ""}
_SIDES = {0: "", int(Side.BUY): "buy", int(Side.SELL): "sell"}


class Tick(NamedTuple):
    """What a price of 1 is in the book: `step` of the last of so many decimals."""

    decimals: int = 0
    step: int = 1

    def text(self, price: int) -> str:
        """Return a price of the book as it is written."""
        units = abs(price) * self.step
        sign = "-" if price < 0 else ""
        if not self.decimals:
            return f"{sign}{units}"
        whole, fraction = divmod(units, 10**self.decimals)
        return f"{sign}{whole}.{fraction:0{self.decimals}d}"

    def ticks(self, text: str) -> int:
        """Return a price as it is written in ticks.

        Raises
        ------
        ValueError
            It is none, has more decimals, or is no multiple of the tick.
        """
        match = re.fullmatch(r"(-?)(\d{1,18})(?:\.(\d+))?", text)
        fraction = (match[3] or "") if match else ""
        if len(fraction) > self.decimals:
            # Zeros behind the last decimal say nothing.
            fraction = fraction[: self.decimals] + fraction[self.decimals :].rstrip("0")
        if match is None or len(fraction) > self.decimals:
            raise ValueError(f"expected a price of at most {self.decimals} decimals, got {text!r}")
        units = int(match[2] + fraction.ljust(self.decimals, "0"))
        price, odd = divmod(units, self.step)
        if odd:
            raise ValueError(f"expected a multiple of the tick, got {text!r}")
        return -price if match[1] else price


def tick_of(text: str | None) -> Tick:
    """Return the tick that a text such as `0.01` gives; prices in whole ticks without one.

    Raises
    ------
    ValueError
        It is no positive decimal number.
    """
    if text is None:
        return Tick()
    match = _TICK.fullmatch(text)
    fraction = (match["fraction"] or "") if match else ""
    step = int(match["whole"] + fraction) if match else 0
    if step == 0:
        raise ValueError(
            f"expected a tick such as 0.01, of at most {DECIMALS_MAX} decimals, got {text!r}"
        )
    return Tick(len(fraction), step)


def is_order_header(line: bytes) -> bool:
    """Return whether a file that begins so is an order file."""
    return b"action" in [name.strip() for name in line.split(b",")]


class OrderHeader(NamedTuple):
    """The columns of an order file."""

    columns: tuple[str | None, ...]
    """Those that are read, in the file's order; None for the others."""
    kept: dict[str, int]
    """The others, which go to the events as they are: name there, and place in a line."""

    def kept_texts(self, lines: bytes) -> list[str]:
        """Return what lines have in the kept columns, with commas between."""
        places = list(self.kept.values())
        texts = []
        for line in lines.decode("utf-8", "replace").split("\n")[:-1]:
            fields = line.split(",")
            texts.append(",".join(fields[place].strip() for place in places))
        return texts


def order_header(line: bytes) -> OrderHeader:
    """Return the columns that a first line names.

    Raises
    ------
    ValueError
        A column is there twice, missing, without a name, or nearly that of one that is read.
    """
    names = [name.strip() for name in line.decode("utf-8", "replace").split(",")]
    known = {_plain(name): name for name in COMMAND_COLUMNS}
    kept = {}
    for place, name in enumerate(names):
        if names.count(name) > 1:
            raise ValueError(f"expected each column once, got {name} twice")
        if name in COMMAND_COLUMNS:
            continue
        meant = known.get(_plain(name))
        if meant is not None or not name:
            wanted = meant or "a name for each column"
            raise ValueError(f"expected {wanted}, got {name[:40]!r}")
        kept[f"command_{name}" if name in EVENT_COLUMNS else name] = place
    missing = [name for name in NEEDED_COLUMNS if name not in names]
    if missing:
        raise ValueError(f"expected a column {missing[0]}, there is none")
    return OrderHeader(
        tuple(name if name in COMMAND_COLUMNS else None for name in names), kept
    )


def _plain(name: str) -> str:
    """A name without what spellings differ in."""
    return re.sub("[^a-z]", "", name.lower())


def command_reader(header: OrderHeader, tick: Tick) -> CommandReader:
    """Return the reader for the lines below a header."""
    return CommandReader(header.columns, tick.decimals, tick.step)


def partial_cancels(commands: np.ndarray) -> list[int]:
    """Return the places of the commands that take some tonnes off an order (`reduce`)."""
    is_partial = (commands["kind"] == CommandKind.CANCEL) & (commands["tonnes"] > 0)
    return np.flatnonzero(is_partial).tolist()


def reduction(book: OrderBook, command: np.ndarray) -> np.ndarray:
    """Return what `reduce` comes to as the book stands: an amend, or a cancel of all there is.

    Parameters
    ----------
    book : OrderBook
        With all commands before it applied.
    command : ndarray of COMMAND_DTYPE
        One row.
    """
    order = book.order(int(command["order_id"][0]))
    left = 0 if order is None else order["tonnes_open"] - int(command["tonnes"][0])
    if order is None or left == 0:
        return command
    amend = command.copy()
    amend["kind"] = CommandKind.AMEND
    amend["price"] = order["price"]
    # More than there is leaves less than none, which the book refuses.
    amend["tonnes"] = left
    return amend


class Survey:
    """What a book needs to know of a flow before it begins.

    Attributes
    ----------
    commands, enters : int
        All, and those that enter an order.
    price_low, price_high : int or None
        Of what is entered or amended.
    """

    def __init__(self) -> None:
        self.commands = self.enters = 0
        self.price_low: int | None = None
        self.price_high: int | None = None

    def take(self, commands: np.ndarray) -> None:
        """Count the next commands."""
        assert commands.dtype == COMMAND_DTYPE
        self.commands += len(commands)
        kinds = commands["kind"]
        self.enters += int(np.count_nonzero(kinds == CommandKind.ENTER))
        prices = commands["price"][kinds != CommandKind.CANCEL]
        if len(prices):
            low, high = int(prices.min()), int(prices.max())
            self.price_low = low if self.price_low is None else min(low, self.price_low)
            self.price_high = high if self.price_high is None else max(high, self.price_high)


class Tally:
    """Events by kind, refusals by reason, and what was traded."""

    def __init__(self) -> None:
        self._kinds = np.zeros(256, np.int64)
        self._refusals = np.zeros(256, np.int64)
        self.volume = 0

    def take(self, events: np.ndarray) -> None:
        """Count the next events."""
        assert events.dtype == EVENT_DTYPE
        kinds = events["kind"].copy()
        self._kinds += np.bincount(kinds, minlength=256)
        refused = events["reason"][kinds == EventKind.ORDER_REJECTED]
        self._refusals += np.bincount(refused, minlength=256)
        tonnes = events["tonnes"][kinds == EventKind.TRADE]
        # In halves: the sum of 64-bit numbers may have more.
        self.volume += (int((tonnes >> 32).sum()) << 32) + int((tonnes & 0xFFFFFFFF).sum())

    @property
    def trades(self) -> int:
        """Return how many trades there were."""
        return int(self._kinds[EventKind.TRADE])

    def kinds(self) -> dict[str, int]:
        """Return the number of events by kind; those of a book, all of them."""
        return {
            kind.name.lower(): int(self._kinds[kind])
            for kind in EventKind
            if kind <= EventKind.TRADE and kind != EventKind.ORDER_EXPIRED
        }

    def refusals(self) -> dict[str, int]:
        """Return the number of refusals by reason; the reasons that came up."""
        return {
            reason.name: int(self._refusals[reason]) for reason in Reason if self._refusals[reason]
        }


def event_lines(
    events: np.ndarray, tick: Tick, kept: Sequence[str] | None = None
) -> Iterator[str]:
    """Yield events of a book as lines of `EVENT_COLUMNS`, and what is kept of their commands."""
    fields = (
        "seq kind reason side order_id account_index counter_order_id counter_account_index price "
        "tonnes tonnes_open"
    ).split()
    columns = [events[name].tolist() for name in fields]
    tails = [""] * len(events) if kept is None else [f",{text}" for text in kept]
    for tail, seq, kind, reason, side, order_id, owner, counter_id, counter, *amounts in zip(
        tails, *columns, strict=True
    ):
        price, tonnes, tonnes_open = amounts
        yield (
            f"{seq},{_KINDS[kind]},{_REASONS[reason]},{_SIDES[side]},{order_id},{owner},"
            f"{counter_id or ''},{'' if counter == ACCOUNT_NONE else counter},"
            f"{tick.text(price)},{tonnes},{tonnes_open}{tail}\n"
        )
