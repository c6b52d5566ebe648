"""An order book in the sending process, without a market around it."""

import select
from collections.abc import Sequence

from cea_exchange._book import OrderBook
from cea_exchange.domain.records import CommandKind, OrderFlag, Reason, Tif
from cea_exchange.loadtest.targets.target import (
    Command,
    Outcome,
    Participants,
    Reconciliation,
    Report,
    Target,
    TargetError,
)

ORDER_COUNT_MAX = 1_000_000


class EmbeddedBook(Target):
    """One `OrderBook` a product, called as Python calls it.

    Parameters
    ----------
    price_min, price_max, orders_max : str
        The range of prices, and how many orders a book has room for.
    """

    def __init__(
        self,
        price_min: str = "1",
        price_max: str = "100000",
        orders_max: str = str(ORDER_COUNT_MAX),
    ) -> None:
        try:
            self._range = int(price_min), int(price_max)
            self._orders_max = int(orders_max)
        except ValueError as error:
            raise TargetError(f"an embedded book: expected whole numbers, {error}") from error
        self._books: list[OrderBook] = []
        self._reports: list[Report] = []
        self._open: dict[int, int] = {}
        self._entered = self._taken = self._ended = 0
        self._trade = 0

    def connect(self, participants: Participants) -> None:
        """Make the books."""
        self._books = [
            OrderBook(*self._range, order_count_max=self._orders_max) for _ in participants.products
        ]

    def send(self, commands: Sequence[Command]) -> None:
        """Apply them."""
        for command in commands:
            if command.kind == CommandKind.ENTER:
                self._enter(command)
            elif command.kind == CommandKind.CANCEL:
                self._cancel(command)
            elif command.kind == CommandKind.AMEND:
                self._amend(command)
            else:
                name = CommandKind(command.kind).name.lower()
                raise TargetError(f"a book: expected to enter, cancel or amend, got {name}")

    def _enter(self, command: Command) -> None:
        number = command.number
        result = self._books[command.product].enter(
            number,
            command.side,
            command.price,
            command.tonnes,
            command.participant,
            tif=command.tif,
            post_only=bool(command.flags & OrderFlag.POST_ONLY),
        )
        if not result.accepted:
            self._reject(number, result.reason)
            return
        # What is open now: an order that does not rest has ended.
        rests = result.tonnes_open if command.tif == Tif.DAY else 0
        self._reports.append(Report(Outcome.ACCEPTED, number, rests))
        self._entered += command.tonnes
        self._ended += command.tonnes - rests - sum(trade[3] for trade in result.trades)
        self._fill(number, rests, command.tonnes, result.trades)

    def _fill(
        self, number: int, rests: int, tonnes: int, trades: Sequence[tuple[int, int, int, int]]
    ) -> None:
        for maker, _, _, traded in trades:
            self._trade += 1
            self._taken += traded
            tonnes -= traded
            left = self._open[maker] - traded
            self._set_open(maker, left)
            self._reports.append(Report(Outcome.TRADED, number, tonnes, trade=self._trade))
            self._reports.append(Report(Outcome.TRADED, maker, left, trade=self._trade))
        self._set_open(number, rests)

    def _cancel(self, command: Command) -> None:
        result = self._books[command.product].cancel(command.order)
        if not result.accepted:
            self._reject(command.number, result.reason)
            return
        self._ended += self._open.pop(command.order)
        self._reports.append(Report(Outcome.ACCEPTED, command.number))

    def _amend(self, command: Command) -> None:
        before = self._open.get(command.order, 0)
        result = self._books[command.product].amend(command.order, command.price, command.tonnes)
        if not result.accepted:
            self._reject(command.number, result.reason)
            return
        self._entered += max(command.tonnes - before, 0)
        self._ended += max(before - command.tonnes, 0)
        self._reports.append(Report(Outcome.ACCEPTED, command.number, result.tonnes_open))
        self._fill(command.order, result.tonnes_open, command.tonnes, result.trades)

    def _reject(self, number: int, reason: int) -> None:
        self._reports.append(Report(Outcome.REJECTED, number, code=Reason(reason).name))

    def _set_open(self, number: int, tonnes: int) -> None:
        if tonnes:
            self._open[number] = tonnes
        else:
            self._open.pop(number, None)

    def poll(self, timeout_s: float) -> Sequence[Report]:
        """Return what came of the commands; where there is nothing, let the time pass."""
        if not self._reports and timeout_s > 0:
            select.select([], [], [], timeout_s)
        reports, self._reports = self._reports, []
        return reports

    def reconcile(self) -> Reconciliation:
        """Hold what was reported against what rests: every tonne traded, ended, or is there."""
        found = Reconciliation({"orders": len(self._open), "trades": self._trade})
        for book in self._books:
            book.check()
        resting = sum(len(book) for book in self._books)
        if resting != len(self._open):
            found.differences.append(
                f"{len(self._open)} orders were open, the books have {resting}"
            )
        open_tonnes = sum(self._open.values())
        accounted = 2 * self._taken + self._ended + open_tonnes
        if self._entered != accounted:
            found.differences.append(
                f"{self._entered} tonnes were entered, {accounted} are accounted for"
            )
        return found

    def close(self) -> None:
        """Drop the books."""
        self._books.clear()
