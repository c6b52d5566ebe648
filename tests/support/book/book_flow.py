"""Cases for an order book: settings and a flow of commands, and the comparison of two books on it.

A `BookCase` is a few small numbers that Hypothesis draws and shrinks; the commands are worked out
from them for all rows at once, because the long tests play millions.
"""

from collections.abc import Callable
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from cea_exchange._book import OrderBook
from cea_exchange.domain.records import (
    COMMAND_DTYPE,
    EVENT_DTYPE,
    LEVEL_DTYPE,
    ORDER_DTYPE,
    CommandKind,
    EventKind,
    Reason,
    Side,
    Tif,
)
from cea_exchange.matching.reference.hashes import U64, mix
from support.book.plain_book import (
    CANCEL,
    ENTER,
    POLICIES,
    TRADE,
    Event,
    PlainBook,
    Row,
    result_of,
    rows_of,
)

KINDS_OF_A_BOOK = {
    EventKind.ORDER_ACCEPTED,
    EventKind.ORDER_RESTED,
    EventKind.ORDER_AMENDED,
    EventKind.ORDER_CANCELED,
    EventKind.ORDER_REJECTED,
    EventKind.TRADE,
}
REASONS_OF_A_BOOK = {
    Reason.NONE,
    Reason.ORDER_UNKNOWN,
    Reason.ORDER_ID_DUPLICATE,
    Reason.TONNES_NOT_POSITIVE,
    Reason.PRICE_OUT_OF_BAND,
    Reason.PICK_NOT_AVAILABLE,
    Reason.SELF_TRADE,
    Reason.POST_ONLY_WOULD_TRADE,
    Reason.FOK_NOT_FILLABLE,
    Reason.CAPACITY,
    Reason.REQUESTED,
    Reason.IOC,
    Reason.LEVELS_EXHAUSTED,
    Reason.PICK_REMAINDER,
    Reason.SELF_TRADE_PREVENTED,
}

I64_MIN, I64_MAX = -(1 << 63), (1 << 63) - 1

BANDS = (
    (0, 2_000),
    (-40, 40),
    (5, 5),
    (0, 63),
    (1, 4_097),
    (0, 100_000_000),
    (I64_MIN, I64_MIN + 300),
    (I64_MAX - 300, I64_MAX),
    (-(1 << 35), (1 << 35) - 2),
)
"""Lowest and highest price; besides them the cases have any band of up to a million prices."""

IDS_AT_EDGES = (0, 1, (1 << 26) - 1, 1 << 26, (1 << 32) - 1, 1 << 32, 1 << 63, U64 - 1, U64)
ID_FAMILIES = ("dense", "around 2^26", "scattered", "high", "edges", "few homes")

MOODS = ("mixed", "build", "cancel", "sweep", "amend", "pick")
"""What most commands of a segment do."""

#           enter cancel amend    of the enters: ioc   fok   post  pick
MOOD_SHARES = {
    "mixed": (0.62, 0.22, 0.16, 0.10, 0.08, 0.08, 0.10),
    "build": (0.94, 0.03, 0.03, 0.00, 0.00, 0.05, 0.00),
    "cancel": (0.25, 0.65, 0.10, 0.10, 0.10, 0.10, 0.10),
    "sweep": (0.90, 0.05, 0.05, 0.25, 0.25, 0.02, 0.05),
    "amend": (0.35, 0.05, 0.60, 0.05, 0.05, 0.10, 0.05),
    "pick": (0.85, 0.10, 0.05, 0.05, 0.10, 0.05, 0.45),
}
ROWS_MAX = (4096, 4096, 4096, 64, 17, 3)
WAYS = ("process", "process", "process", "process", "process", "trades", "calls", "process")
"""How a segment's commands come in: as a batch, as one that gives trades only, or call by call."""


class Segment(NamedTuple):
    """A run of commands; `shape` says of which mood, and all else that varies by segment."""

    shape: int
    count: int

    def digit(self, place: int, base: int) -> int:
        """One of eight small numbers that the shape stands for, below `base`."""
        # Scrambled, for the higher digits of drawn numbers are zero more often than not.
        return (mix(self.shape) >> 8 * place) % 256 % base


class BookCase(NamedTuple):
    """Settings of a book and what happens on it."""

    policy: str
    levels_max: int | None
    pick_allowed: bool
    order_count_max: int
    band: tuple[int, int]
    ids: str
    seed: int
    segments: list[Segment]

    def settings(self) -> dict[str, Any]:
        """For either book."""
        return {
            "order_count_max": self.order_count_max,
            "self_trade": self.policy,
            "levels_max": self.levels_max,
            "pick_allowed": self.pick_allowed,
        }


def _band(low: int, width: int) -> tuple[int, int]:
    low = min(low, I64_MAX - width)
    return low, low + width


segments = st.lists(
    st.builds(Segment, st.integers(0, (1 << 32) - 1), st.integers(25, 60)), min_size=2, max_size=4
)
book_cases = st.builds(
    BookCase,
    policy=st.sampled_from(POLICIES),
    levels_max=st.sampled_from((None, 5, 1)),
    pick_allowed=st.sampled_from((True, True, False)),
    order_count_max=st.sampled_from((1_000, 1_000, 40, 3)),
    band=st.one_of(
        st.sampled_from(BANDS),
        st.builds(_band, st.integers(I64_MIN, I64_MAX), st.integers(0, 1_000_000)),
    ),
    ids=st.sampled_from(ID_FAMILIES),
    seed=st.integers(0, (1 << 32) - 1),
    segments=segments,
)


# -- The commands ----------------------------------------------------------------------------------


def ids_of(family: str, count: int) -> np.ndarray:
    """Different order ids of a family."""
    numbers = np.arange(count, dtype=np.uint64)
    if family == "around 2^26":
        return numbers + np.uint64((1 << 26) - count // 2)
    if family == "scattered":
        return numbers * np.uint64(0x9E3779B97F4A7C15) + np.uint64(7)
    if family == "high":
        return np.uint64(U64) - numbers
    if family == "edges":
        edges = np.array(IDS_AT_EDGES, np.uint64)
        return np.concatenate([edges, numbers + np.uint64(2)])[:count]
    if family == "few homes":
        return ids_of_few_homes(numbers)
    return numbers + np.uint64(1)


def ids_of_few_homes(numbers: np.ndarray) -> np.ndarray:
    """Ids that the compiled index sends to three places, the last and the first among them.

    The steps of `id_home` in _id_index.pxd, backwards: its upper 30 bits say where.
    """
    tops = np.array([0x3FFFFFFF, 0x3FFFFFFF, 0, 0x20000000], np.uint64)
    mixed = (tops[numbers % np.uint64(4)] << np.uint64(34)) | (numbers + np.uint64(1))
    mixed *= np.uint64(pow(0x9E3779B97F4A7C15, -1, 1 << 64))
    return mixed ^ (mixed >> np.uint64(32))


def commands_of(case: BookCase) -> tuple[np.ndarray, list[int]]:
    """The commands of all segments as COMMAND_DTYPE, and a number for each to be `aimed` by."""
    counts = np.array([segment.count for segment in case.segments])
    count = int(counts.sum())
    random = np.random.Generator(np.random.SFC64(case.seed))
    mood = np.repeat([segment.digit(0, len(MOODS)) for segment in case.segments], counts)
    shares = np.array([MOOD_SHARES[name] for name in MOODS])[mood]
    chance = random.random((8, count))
    commands = np.zeros(count, COMMAND_DTYPE)
    kind = 1 + (chance[0] > shares[:, 0]) + (chance[0] > shares[:, 0] + shares[:, 1])
    commands["kind"] = kind
    enters = kind == CommandKind.ENTER
    commands["side"] = np.where(enters, 1 + (chance[1] < 0.5), 0)
    ioc, fok = chance[2] < shares[:, 3], chance[2] > 1 - shares[:, 4]
    commands["tif"] = np.where(enters, ioc * int(Tif.IOC) + fok * int(Tif.FOK), 0)
    commands["flags"] = enters & (chance[3] < shares[:, 5])
    owners = (2, 6, 40)[case.seed % 3]
    commands["account_index"] = (chance[4] * owners).astype(np.uint32) * np.uint32(0x33333333)
    commands["product_index"] = case.seed & 0xFFFF
    commands["operator_index"] = np.arange(count) & 0xFFFF
    _ids_put(case, commands, enters, chance, shares)
    _terms_put(case, commands, enters, random, counts)
    if case.seed % 8 == 0:
        commands[case.seed // 8 % count]["reserved"] = 1
    return commands, random.integers(0, 1 << 30, count).tolist()


def _ids_put(
    case: BookCase, commands: np.ndarray, enters: np.ndarray, chance: np.ndarray, shares: np.ndarray
) -> None:
    """New ids for orders that enter, now and then one again; any of them for the rest."""
    ids = ids_of(case.ids, len(commands) + 8)
    entered = np.cumsum(enters)
    again = enters & (chance[5] < 0.04)
    lately = np.maximum(entered - 1 - (chance[6] * 12).astype(np.int64), 0)
    commands["order_id"] = ids[np.where(enters & ~again, entered, lately)]
    picks = enters & (chance[7] < shares[:, 6])
    commands["pick_order_id"] = np.where(picks, ids[lately], np.uint64(0))


def aimed(row: Row, number: int, plain: PlainBook) -> Row:
    """The row pointed at an order that is there, seven times of eight."""
    if row.kind == ENTER:
        if not row.pick_order_id or number % 8 == 0:
            return row
        side = Side.SELL if row.side == Side.BUY else Side.BUY
        if not plain.prices[side]:
            return row
        price = plain.prices[side][-1 if side == Side.BUY else 0]
        level = plain.levels[side][price]
        maker = next(islice(level, number % len(level), None))
        return row._replace(pick_order_id=maker, price=price if number % 3 else row.price)
    if not plain.live or number % 8 == 0:
        return row
    order = next(islice(plain.live.values(), number % len(plain.live), None))
    if row.kind == CANCEL or number % 3:
        return row._replace(order_id=order.order_id)
    tonnes = order.tonnes - number % 5 + 1
    return row._replace(order_id=order.order_id, price=order.price, tonnes=min(tonnes, I64_MAX))


def _terms_put(
    case: BookCase,
    commands: np.ndarray,
    enters: np.ndarray,
    random: np.random.Generator,
    counts: np.ndarray,
) -> None:
    """Prices about one or a few anchors within the band, the sides a little apart; some beyond."""
    low, high = case.band
    width = high - low
    count = len(commands)
    anchors = [low + width // 2, low, high, low + width // 64, low + width * 3 // 4]
    anchor = [anchors[max(segment.digit(1, 10) - 5, 0)] for segment in case.segments]
    spread = [(1, 3, 8, 40, 1000)[segment.digit(2, 5)] for segment in case.segments]
    cross = [(0.15, 0.5, 0.9)[segment.digit(3, 3)] for segment in case.segments]
    offset = (random.exponential(1.0, count) * np.repeat(spread, counts)).astype(np.int64)
    crosses = random.random(count) < np.repeat(cross, counts)
    away = np.where(commands["side"] == Side.SELL, 1, -1)
    steps = (np.where(crosses, -away, away) * offset).tolist()
    prices = [
        min(max(place + step, low), high)
        for place, step in zip(
            np.repeat(np.array(anchor, object), counts).tolist(), steps, strict=True
        )
    ]
    odd = random.random(count)
    for row in np.flatnonzero(odd < 0.03).tolist():
        odd_price = (low - 1, high + 1, I64_MIN, I64_MAX)[row % 4]
        prices[row] = min(max(odd_price, I64_MIN), I64_MAX)
    commands["price"] = prices
    tonnes = 1 + (random.exponential(1.0, count) * 8).astype(np.int64)
    huge = np.array([I64_MAX, 1 << 62, I64_MAX - 1, I64_MAX], np.int64)
    none = np.array([0, -1, I64_MIN, 0], np.int64)
    which = np.arange(count) % 4
    tonnes = np.where(odd > 0.98, none[which], np.where(odd > 0.955, huge[which], tonnes))
    commands["tonnes"] = tonnes
    # Cancels have no terms; what stands there all the same must come back in a refusal.
    kept = enters | (commands["kind"] == CommandKind.AMEND) | (which == 0)
    commands["price"] *= kept
    commands["tonnes"] *= kept


# -- The comparison --------------------------------------------------------------------------------


class Comparison:
    """An order book and a plain one, driven alike.

    Parameters
    ----------
    case : BookCase
        What to do.
    make_plain : callable
        Makes the plain book; the canaries have wrong ones.

    Attributes
    ----------
    command_count : int
        Commands both have taken.
    seen : ndarray of int
        [2, 256], how often each event kind came, and each reason.
    """

    def __init__(self, case: BookCase, make_plain: Callable[..., PlainBook] = PlainBook) -> None:
        self.case = case
        self.plain = make_plain(*case.band, **case.settings())
        self.book = OrderBook(*case.band, **case.settings())
        self.command_count = 0
        self.seen = np.zeros((2, 256), np.int64)
        self.buffer = np.zeros(max(ROWS_MAX), EVENT_DTYPE)

    def run(self) -> None:
        """Take the segments one by one; the books must show alike after each of them."""
        commands, numbers = commands_of(self.case)
        rows = list(zip(map(Row._make, commands.tolist()), numbers, strict=True))
        start = 0
        for place, segment in enumerate(self.case.segments):
            self._segment(segment, rows[start : start + segment.count])
            start += segment.count
            self.same_view_check()
            if segment.digit(4, 3) == 0 or place == 0:
                self._go_on_with_another(segment.digit(4, 2))
        self.book.check()
        self._same_orders_check()
        self._same_levels_check()

    def _segment(self, segment: Segment, numbered: list[tuple[Row, int]]) -> None:
        plain, rows, answers = self.plain, [], []
        for row, number in numbered:
            row = aimed(row, number, plain)
            rows.append(row)
            answers.append(plain.apply(row))
        way = WAYS[segment.digit(3, len(WAYS))]
        if way == "calls":
            for row, events in zip(rows, answers, strict=True):
                self._call(row, events)
            return
        commands = np.array(rows, COMMAND_DTYPE)
        trades_only = way == "trades"
        if trades_only:
            answers = [
                None if events is None else [event for event in events if event[0] == TRADE]
                for events in answers
            ]
        while None in answers:
            malformed = answers.index(None)
            self._malformed_check(commands, malformed)
            commands = np.delete(commands, malformed)
            del answers[malformed]
        rows_max = ROWS_MAX[segment.digit(2, len(ROWS_MAX))]
        while answers:
            taken = self._process(commands, answers, rows_max, trades_only)
            commands, answers = commands[taken:], answers[taken:]

    def _process(
        self, commands: np.ndarray, answers: list, rows_max: int, trades_only: bool
    ) -> int:
        """One call of `process`, and what it must give; how many rows are done with."""
        taken, produced = 0, 0
        while taken < len(answers) and produced + len(answers[taken]) <= rows_max:
            taken, produced = taken + 1, produced + len(answers[taken])
        rows_needed = len(answers[taken]) if taken < len(answers) else 0
        buffer = self.buffer[:rows_max]
        behind = buffer[produced : produced + 1].tobytes()
        assert self.book.process(commands, buffer, trades_only) == (taken, produced)
        assert self.book.rows_needed == rows_needed
        assert buffer[produced : produced + 1].tobytes() == behind, "a row too many was written"
        expected = rows_of(event for events in answers[:taken] for event in events)
        if buffer[:produced].tobytes() != expected:
            self._difference_tell(buffer[:produced], np.frombuffer(expected, EVENT_DTYPE))
        self.command_count += taken
        self._count(buffer[:produced])
        if taken == 0:
            return self._process(commands, answers, rows_needed, trades_only)
        return taken

    def _malformed_check(self, commands: np.ndarray, place: int) -> None:
        """A row that is no command is named, and nothing of its batch is done."""
        before = self.book.state_hash()
        try:
            self.book.process(commands, self.buffer)
        except ValueError as error:
            assert f"commands[{place}]" in str(error)
        else:
            raise AssertionError(f"a malformed row must raise, was {commands[place]}")
        assert self.book.state_hash() == before

    def _difference_tell(self, actual: np.ndarray, expected: np.ndarray) -> None:
        for place, (got, wanted) in enumerate(zip(actual, expected, strict=True)):
            differing = {
                name: (int(wanted[name]), int(got[name]))
                for name in EVENT_DTYPE.names
                if got[name] != wanted[name]
            }
            assert not differing, f"event {place}: (expected, actual) {differing}"

    def _call(self, row: Row, events: list[Event] | None) -> None:
        """One command as a call of its own."""
        book = self.book
        if events is None:
            return
        self.command_count += 1
        if row.kind == ENTER:
            result = book.enter(
                row.order_id,
                row.side,
                row.price,
                row.tonnes,
                row.account_index,
                tif=row.tif,
                post_only=bool(row.flags),
                pick_order_id=row.pick_order_id,
            )
        elif row.kind == CANCEL:
            result = book.cancel(row.order_id)
        else:
            result = book.amend(row.order_id, row.price, row.tonnes)
        shown = result.reason, result.tonnes_open, result.tonnes_canceled, result.trades
        assert (*shown, result.orders_canceled) == result_of(events), row
        for event in events:
            self.seen[0, event[0]] += 1
            self.seen[1, event[3]] += 1

    def _count(self, events: np.ndarray) -> None:
        self.seen[0] += np.bincount(events["kind"], minlength=256)
        self.seen[1] += np.bincount(events["reason"], minlength=256)

    # -- Looking -----------------------------------------------------------------------------------

    def same_view_check(self) -> None:
        """Both must show the same levels."""
        bids, asks = depth = self.plain.depth()
        book = self.book
        assert book.depth() == depth
        assert len(book) == len(self.plain)
        assert book.best_bid == (bids[0][0] if bids else None)
        assert book.best_ask == (asks[0][0] if asks else None)

    def _same_orders_check(self) -> None:
        assert orders_of(self.book).tolist() == self.plain.orders()
        assert self.book.state_hash() == self.plain.state_hash()

    def _same_levels_check(self) -> None:
        """The other ways to look: levels as records, queues, single orders."""
        book = self.book
        for side, levels in zip((Side.BUY, Side.SELL), self.plain.depth(), strict=True):
            records = np.zeros(len(levels) + 1, LEVEL_DTYPE)
            # Their tonnes have 64 bits; those of `depth` have no limit.
            if all(tonnes <= I64_MAX for _, tonnes, _ in levels):
                assert book.depth_into(side, records) == len(levels)
                assert records[:-1].tolist() == [(*level, 0) for level in levels]
            for price, level in islice(self.plain.resting(side), 2):
                assert book.orders(side, price) == [order.order_id for order in level]
                assert book.order(level[-1].order_id) == {
                    "order_id": level[-1].order_id,
                    "side": side,
                    "price": price,
                    "tonnes_open": level[-1].tonnes,
                    "owner": level[-1].owner,
                    "post_only": bool(level[-1].flags),
                }
        for order_id in IDS_AT_EDGES:
            assert (order_id in book) == (order_id in self.plain.live)

    def _go_on_with_another(self, restores: int) -> None:
        """A copy or a restored book is the book; what is done with one is not done to the other."""
        before = self.book
        state = before.state_hash()
        self.book = OrderBook.restore(before.snapshot()) if restores else before.copy()
        assert self.book.state_hash() == state
        assert orders_of(self.book).tobytes() == orders_of(before).tobytes()
        for order_id in list(self.plain.live)[:3]:
            before.cancel(order_id)
        before.enter(12345678901234567, 1, self.case.band[0], 1)
        self.book.check()
        assert self.book.state_hash() == state


def orders_of(book: OrderBook) -> np.ndarray:
    """All orders of a book as records."""
    orders = np.zeros(len(book) + 1, ORDER_DTYPE)
    count = book.orders_into(orders)
    assert count == len(book)
    return orders[:count]
