"""What a sending process notes of each command: when it was due, left and was answered.

Plain columns that grow, so that a note costs less than a call; figures are made of them afterwards.
"""

from array import array
from collections import Counter, deque
from collections.abc import Iterable
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from cea_exchange.domain.records import CommandKind
from cea_exchange.loadtest.targets.target import Command, Outcome, Report

LATEST_MAX = 500
"""Enough to look at, and no stall of who sorts them."""
COLUMNS = ("due_ns", "left_ns", "answered_ns", "label", "participant", "outcome")


class Notes:
    """All commands of a process; the first has number 1.

    Attributes
    ----------
    codes : Counter
        Refusals by the system's code.
    answered_twice, answered_unknown : int
        Answers to commands that had one, or that were never sent.
    latest_latencies_ns : deque
        Of the latest answers, for whoever looks on and takes them away.
    trades : dict
        How often each trade was reported here, by what the system calls it.
    """

    def __init__(self) -> None:
        self.due_ns = array("q", [0])
        self.left_ns = array("q", [0])
        self.answered_ns = array("q", [0])
        self.label = array("q", [0])
        self.participant = array("q", [0])
        self.outcome = array("q", [0])
        self.codes: Counter[str] = Counter()
        self.trades: Counter[int | str] = Counter()
        self.trades_unnamed = 0
        self.answered = 0
        self.latest_latencies_ns: deque[int] = deque(maxlen=LATEST_MAX)
        self.refused = 0
        self.answered_twice = 0
        self.answered_unknown = 0

    @property
    def sent(self) -> int:
        """How many commands there are."""
        return len(self.due_ns) - 1

    @property
    def unanswered(self) -> int:
        """How many of them wait for their answer."""
        return self.sent - self.answered

    def add(self, due_ns: int, label: int, participant: int) -> int:
        """Note a command that is about to be sent; return its number."""
        self.due_ns.append(due_ns)
        self.left_ns.append(0)
        self.answered_ns.append(0)
        self.label.append(label)
        self.participant.append(participant)
        self.outcome.append(0)
        return len(self.due_ns) - 1

    def left(self, commands: Iterable[Command], at_ns: int) -> None:
        """Note that some commands have left."""
        for command in commands:
            self.left_ns[command.number] = at_ns

    def answer(self, report: Report, at_ns: int) -> bool:
        """Note an answer; False if the command has one, or there is no such command."""
        number = report.number
        if not 0 < number < len(self.answered_ns):
            self.answered_unknown += 1
            return False
        if self.answered_ns[number]:
            self.answered_twice += 1
            return False
        self.answered_ns[number] = at_ns
        self.latest_latencies_ns.append(at_ns - self.due_ns[number])
        self.outcome[number] = report.outcome
        self.answered += 1
        if report.outcome == Outcome.REJECTED:
            self.refused += 1
            self.codes[report.code] += 1
        return True

    def trade(self, report: Report) -> None:
        """Note one side of a trade."""
        if report.trade:
            self.trades[report.trade] += 1
        else:
            self.trades_unnamed += 1

    def column(self, name: str) -> NDArray[np.int64]:
        """Return a column, of all commands."""
        return np.array(getattr(self, name), np.int64)[1:]

    def write(self, path: Path) -> None:
        """Write the columns, for whoever puts all processes' together."""
        np.savez(path, allow_pickle=False, **{name: self.column(name) for name in COLUMNS})

    def counts(self) -> "Counts":
        """Return what is not in the columns."""
        return Counts(
            codes=dict(self.codes),
            answered_twice=self.answered_twice,
            answered_unknown=self.answered_unknown,
            trades={str(name): count for name, count in self.trades.items()},
            trades_unnamed=self.trades_unnamed,
        )


class Counts(msgspec.Struct, kw_only=True):
    """What a process counted beside its columns."""

    codes: dict[str, int] = {}
    answered_twice: int = 0
    answered_unknown: int = 0
    trades: dict[str, int] = {}
    trades_unnamed: int = 0


class OpenOrders:
    """The orders, or the bids, that are open, of each participant, the oldest first.

    A cancel that was sent takes its order out at once: two cancels of one order would be one lost.

    Parameters
    ----------
    entry, cancel : CommandKind
        What opens one, and what ends it.
    """

    def __init__(
        self,
        entry: CommandKind = CommandKind.ENTER,
        cancel: CommandKind = CommandKind.CANCEL,
    ) -> None:
        self._entry, self._cancel = entry, cancel
        self._of: dict[int, dict[int, Command]] = {}
        self._waiting: dict[int, Command] = {}

    def count(self, participant: int) -> int:
        """Return how many a participant has."""
        return len(self._of.get(participant, ()))

    def oldest(self, participant: int) -> Command | None:
        """Return the command that entered the oldest, if there is one."""
        orders = self._of.get(participant)
        return next(iter(orders.values())) if orders else None

    def sent(self, command: Command) -> None:
        """Note a command that may open an order, or end one."""
        if command.kind == self._entry:
            self._waiting[command.number] = command
        elif command.kind == self._cancel:
            self.drop(command.participant, command.order)

    def take(self, report: Report) -> None:
        """Learn from a report what is open."""
        if report.outcome == Outcome.REJECTED:
            self._waiting.pop(report.number, None)
        elif report.outcome == Outcome.ACCEPTED:
            command = self._waiting.pop(report.number, None)
            if command is not None and report.tonnes_open > 0:
                self._of.setdefault(command.participant, {})[command.number] = command

    def ended(self, participant: int, number: int) -> None:
        """Note that nothing is open of an order, even if its acceptance has yet to come."""
        self._waiting.pop(number, None)
        self.drop(participant, number)

    def drop(self, participant: int, number: int) -> None:
        """Take an order out."""
        self._of.get(participant, {}).pop(number, None)
