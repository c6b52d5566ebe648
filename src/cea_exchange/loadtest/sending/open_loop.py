"""The open loop: commands leave at their times, whatever comes back, or does not.

A command's latency counts from when it was due. What a stall keeps from being sent is sent late and
counts from its time all the same; nothing that would have been slow is left out.

    due ---- lateness ---- left ---- the system ---- answered
     \\________________________ latency ________________________/

Lateness is the harness's own; a run whose lateness is not small beside its latency shows nothing.
"""

import gc
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice

import msgspec
import numpy as np

from cea_exchange.domain.records import CommandKind
from cea_exchange.loadtest.flow.plan import Plan, PlannedRow
from cea_exchange.loadtest.flow.workload import LABELS, REACTIONS, Workload
from cea_exchange.loadtest.sending.notes import Notes, OpenOrders
from cea_exchange.loadtest.targets.target import Command, Outcome, Report, Target, TargetError

ROWS_AT_ONCE = 256
"""Made into tuples at a time: more would be a stall of the sender itself."""
BATCH_MAX = 256
"""Handed over at a time, when more is due: answers are looked at in between."""
REPORTS_MIN, REPORTS_PER_COMMAND = 64, 4
"""So many are taken in at a time by a loop that is late: more would make it later still."""
POLL_S_MAX = 0.05
WAKE_NS = 250_000
"""So much before a command is due the loop wakes: a processor that slept takes its time."""
READY_NS = 20_000
"""So much before it does nothing else: a look at what is reported may take as long."""
AWAKE_PART = 8
"""But both for no more than this part of the time between two: others want the processor."""
SHOW_NS = 1_000_000
"""The next command is at least so far away while somebody looks on, or one has just left."""
DEPTH_UNANSWERED_MAX = 256
ANSWERS_S_MAX = 30.0
SETTLE_S = 0.3
_REJECT_SHARE_STEPS = 1_000


class Stop(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """When a run ends before its time; 0 is never.

    Attributes
    ----------
    commands : int
        So many were sent by one process.
    unanswered : int
        So many wait for their answers: the system does not keep up.
    refused : float
        The share of answers that are refusals, once there are a thousand.
    """

    commands: int = 0
    unanswered: int = 0
    refused: float = 0.0

    def reason(self, notes: Notes) -> str:
        """Say why to stop now; empty if not."""
        if self.commands and notes.sent >= self.commands:
            return f"{self.commands:,} commands were sent"
        if self.unanswered and notes.unanswered >= self.unanswered:
            return f"{notes.unanswered:,} commands were unanswered"
        if self.refused and notes.answered >= _REJECT_SHARE_STEPS:
            share = notes.refused / notes.answered
            if share > self.refused:
                return f"{share:.1%} of the answers were refusals"
        return ""


@dataclass
class LoopResult:
    """What a loop did.

    Attributes
    ----------
    started_ns : int
        When the first command was due at the earliest (monotonic).
    sent_s, done_s : float
        Until the last was sent, and answered.
    stopped : str
        Why it ended before its time.
    """

    started_ns: int
    sent_s: float = 0.0
    done_s: float = 0.0
    stopped: str = ""


@dataclass
class OpenLoop:
    """One process's sending.

    Parameters
    ----------
    target : Target
        Connected.
    workload : Workload
    plan : Plan
    spin : bool
        Look all the time rather than sleep: punctual, and a processor's work.
    look : callable, optional
        Called now and then, with the notes; for whoever shows how far it is.
    """

    target: Target
    workload: Workload
    plan: Plan
    stop: Stop = field(default_factory=Stop)
    spin: bool = False
    look: Callable[[Notes], None] | None = None
    notes: Notes = field(default_factory=Notes)
    seed: int = 0

    def __post_init__(self) -> None:
        self._orders = OpenOrders()
        self._bids = OpenOrders(CommandKind.BID, CommandKind.BID_CANCEL)
        self._heard: deque[tuple[int, Report]] = deque()
        self._reactions: list[tuple[int, Report]] = []
        self._numbers_of_rows: dict[int, int] = {}
        self._draw = np.random.default_rng([0x0AC7, self.seed])
        self._is_open = True
        self._orders_max = self.workload.orders_live_max

    # -- Before the clock -------------------------------------------------------------------------

    def fill(self, depth: Plan) -> None:
        """Put orders on the book, as fast as they are answered; they limit nobody's own."""
        rows = depth.rows(0, len(depth))
        self._orders_max += len(rows)
        deadline = time.monotonic() + ANSWERS_S_MAX
        while rows or self.notes.unanswered:
            room = min(DEPTH_UNANSWERED_MAX - self.notes.unanswered, BATCH_MAX)
            part, rows = rows[: max(room, 0)], rows[max(room, 0) :]
            if part:
                now = time.monotonic_ns()
                self._hand_over([self._command(row._replace(due_ns=now), 0) for row in part])
            self._hear(POLL_S_MAX)
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"the book was not filled in {ANSWERS_S_MAX:.0f} s:"
                    f" {self.notes.unanswered} commands have no answer"
                )
        fullest = max(map(self._orders.count, range(max(self.notes.participant) + 1)))
        self._orders_max = self.workload.orders_live_max + fullest

    # -- The loop ---------------------------------------------------------------------------------

    def run(self, start_ns: int) -> LoopResult:
        """Send all of the plan from that moment on, and wait for the last answers."""
        gc.collect()
        gc.freeze()
        gc.disable()
        try:
            result = self._run(start_ns)
        finally:
            gc.enable()
            gc.unfreeze()
        return result

    def _run(self, start_ns: int) -> LoopResult:
        result = LoopResult(start_ns)
        source = self._rows(start_ns)
        rows = deque(islice(source, ROWS_AT_ONCE))
        last_due_ns = start_ns
        ahead: Command | None = None
        while rows and not result.stopped:
            now_ns = time.monotonic_ns()
            commands: list[Command] = []
            while rows and rows[0][0].due_ns <= now_ns and len(commands) < BATCH_MAX:
                row, place = rows.popleft()
                commands.append(ahead or self._command(row, place))
                last_due_ns, ahead = row.due_ns, None
            if commands:
                self._hand_over(commands)
                rows.extend(islice(source, ROWS_AT_ONCE - len(rows)))
                result.stopped = self.stop.reason(self.notes)
                self._show()
            if rows and not result.stopped:
                ahead = self._await_next(*rows[0], last_due_ns, len(commands), ahead)
        result.sent_s = (time.monotonic_ns() - start_ns) / 1e9
        self._await_answers()
        result.done_s = (time.monotonic_ns() - start_ns) / 1e9
        return result

    def _await_next(
        self, row: PlannedRow, place: int, last_due_ns: int, sent: int, ahead: Command | None
    ) -> Command | None:
        """Listen until a command is due, or there are reports; return it if it is made by then.

        It is made and prepared shortly before: when it is due it has only to leave.
        """
        awake_ns_max = (row.due_ns - last_due_ns) // AWAKE_PART
        wake_ns = row.due_ns - min(WAKE_NS, awake_ns_max)
        self._listen(wake_ns, row.due_ns, sent)
        if ahead is None and wake_ns <= time.monotonic_ns() < row.due_ns:
            ahead = self._command(row, place)
            self.target.prepare(ahead)
        ready_ns = row.due_ns - min(READY_NS, awake_ns_max)
        while ready_ns <= time.monotonic_ns() < row.due_ns:
            pass
        return ahead

    def _rows(self, start_ns: int) -> Iterator[tuple[PlannedRow, int]]:
        """Yield the plan's rows, due on the monotonic clock, with their places from 1."""
        place = 0
        for first in range(0, len(self.plan), ROWS_AT_ONCE):
            for row in self.plan.rows(first, ROWS_AT_ONCE):
                place += 1
                yield row._replace(due_ns=row.due_ns + start_ns), place

    def _hand_over(self, commands: list[Command]) -> None:
        asked_ns = time.monotonic_ns()
        written_ns = self.target.send(commands)
        left_ns = time.monotonic_ns()
        if written_ns is not None:
            if not asked_ns <= written_ns <= left_ns:
                raise TargetError(
                    "send: expected None or a moment of time.monotonic_ns() within the call,"
                    f" got {written_ns!r}"
                )
            left_ns = written_ns
        self.notes.left(commands, left_ns)

    def _command(self, row: PlannedRow, place: int) -> Command:
        """Return the command of a row: what it is aimed at is known now."""
        if row.kind in (CommandKind.BID, CommandKind.BID_CANCEL):
            return self._bid(row)
        orders = self._orders
        participant, kind, label = row.participant, row.kind, row.label
        order, aimed = 0, None
        if row.order_row:
            order = self._numbers_of_rows.get(row.order_row, 0)
        elif kind in (CommandKind.CANCEL, CommandKind.AMEND):
            aimed = orders.oldest(participant)
        elif kind == CommandKind.ENTER and row.tonnes and not self._has_room(participant):
            kind, label = CommandKind.CANCEL, _LABEL_CANCEL
            aimed = orders.oldest(participant)
        if aimed is not None:
            order = aimed.number
        elif kind in (CommandKind.CANCEL, CommandKind.AMEND) and not row.order_row:
            kind, label = CommandKind.ENTER, _LABEL_PASSIVE
        number = self.notes.add(row.due_ns, label, participant)
        terms = row if aimed is None else aimed
        amends = kind == CommandKind.AMEND
        command = Command(
            number,
            kind,
            participant,
            terms.product,
            terms.side,
            row.tif,
            row.flags,
            _beside(row.price, row, aimed) if amends and aimed else row.price,
            max(terms.tonnes // 2, 1) if amends else row.tonnes,
            order,
            counterparty=row.counterparty,
        )
        if kind == CommandKind.ENTER:
            self._numbers_of_rows[place] = number
        orders.sent(command)
        return command

    def _bid(self, row: PlannedRow) -> Command:
        """Return a bid, or the withdrawal of the oldest, where there is one or no room for more."""
        participant = row.participant
        aimed = None
        if (
            row.kind == CommandKind.BID_CANCEL
            or self._bids.count(participant) >= self.workload.orders_live_max
        ):
            aimed = self._bids.oldest(participant)
        kind = CommandKind.BID if aimed is None else CommandKind.BID_CANCEL
        command = Command(
            self.notes.add(row.due_ns, LABELS.index(kind.name.lower()), participant),
            kind,
            participant,
            row.product if aimed is None else aimed.product,
            row.side,
            price=row.price,
            tonnes=row.tonnes,
            order=0 if aimed is None else aimed.number,
        )
        self._bids.sent(command)
        return command

    def _has_room(self, participant: int) -> bool:
        return self._orders.count(participant) < self._orders_max

    # -- What comes -------------------------------------------------------------------------------

    def _listen(self, wake_ns: int, due_ns: int, sent: int) -> None:
        """Take in what is reported, and wait for it, until shortly before the next is due.

        A command that is due leaves first. A loop that is late takes some all the same, as many as
        what it has sent may bring, or they would wait for ever.
        """
        rests = not self.spin and not self._heard
        wait_s = (wake_ns - time.monotonic_ns()) / 1e9 if rests else 0.0
        self._poll(min(max(wait_s, 0.0), POLL_S_MAX))
        if time.monotonic_ns() >= due_ns:
            self._take_heard(max(REPORTS_MIN, REPORTS_PER_COMMAND * sent))
            return
        while self._heard and time.monotonic_ns() < due_ns:
            self._take_heard(1)
        if due_ns - time.monotonic_ns() > SHOW_NS:
            self._show()

    def _hear(self, timeout_s: float) -> bool:
        is_any = self._poll(0.0 if self._heard else timeout_s)
        self._take_heard(len(self._heard))
        self._show()
        return is_any

    def _poll(self, timeout_s: float) -> bool:
        reports = self.target.poll(timeout_s)
        if reports:
            at_ns = time.monotonic_ns()
            self._heard.extend((at_ns, report) for report in reports)
        return bool(reports)

    def _show(self) -> None:
        """Let whoever looks on do so: it takes some time, so never shortly before a command."""
        if self.look is not None:
            self.look(self.notes)

    def _take_heard(self, count_max: int) -> None:
        for _ in range(min(count_max, len(self._heard))):
            at_ns, report = self._heard.popleft()
            self._take(report, at_ns)
        if self._reactions:
            self._react()

    def _take(self, report: Report, at_ns: int) -> None:
        outcome = report.outcome
        if outcome in (Outcome.ACCEPTED, Outcome.REJECTED):
            if self.notes.answer(report, at_ns):
                self._orders.take(report)
                self._bids.take(report)
        elif outcome == Outcome.TRADED:
            self.notes.trade(report)
            if report.tonnes_open == 0:
                self._ended(report.number)
        elif outcome == Outcome.ENDED:
            self._ended(report.number)
        elif self._is_open:
            self._reactions.append((at_ns, report))

    def _ended(self, number: int) -> None:
        if 0 < number < len(self.notes.participant):
            self._orders.ended(self.notes.participant[number], number)
            self._bids.ended(self.notes.participant[number], number)

    def _react(self) -> None:
        """Answer the blocks that participants were asked about; it is due when they were."""
        reactions, self._reactions = self._reactions, []
        commands: list[Command] = []
        for at_ns, asked in reactions:
            declines = self._draw.random() < self.workload.block_reject
            name = REACTIONS[1] if declines else REACTIONS[0]
            kind = CommandKind.BLOCK_REJECT if declines else CommandKind.BLOCK_ACCEPT
            number = self.notes.add(at_ns, LABELS.index(name), asked.participant)
            commands.append(
                Command(number, kind, asked.participant, asked.product, block=asked.block)
            )
        self._hand_over(commands)

    def idle(self, timeout_s: float) -> None:
        """Take what is reported while nothing is sent, so that the connections live."""
        self._hear(timeout_s)

    def settle(self) -> None:
        """Take what is still on its way, until nothing has been reported for a moment."""
        quiet_since = time.monotonic()
        while time.monotonic() - quiet_since < SETTLE_S:
            if self._hear(POLL_S_MAX):
                quiet_since = time.monotonic()

    def _await_answers(self) -> None:
        deadline = time.monotonic() + ANSWERS_S_MAX
        while self.notes.unanswered and time.monotonic() < deadline:
            self._hear(POLL_S_MAX)
        # What is negotiated from now on lapses.
        self._is_open = False


_LABEL_CANCEL = LABELS.index("cancel")
_LABEL_PASSIVE = LABELS.index("passive")


def _beside(price: int, row: PlannedRow, aimed: Command) -> int:
    """Return the price of an amendment: the row's, if it is for the same product and side."""
    same = (row.product, row.side) == (aimed.product, aimed.side)
    return price if same else aimed.price
