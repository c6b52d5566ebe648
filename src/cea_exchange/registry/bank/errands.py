"""Messages under way to the bank, and when it may be asked again. Sends nothing itself.

    carry, fetch --> taken_out --> (the bank is asked) --> brought_back --> answers, statements

A bank may take seconds to answer, or not be there; the registry goes on meanwhile. Only bytes that
are on disk already go out.
"""

from typing import NamedTuple

from cea_exchange.protocol.bank.instructions import Batch
from cea_exchange.protocol.bank.iso_20022 import pain_001
from cea_exchange.registry.bank.requests import AskStatement, AskStatus, BankRequest, SendBatch
from cea_exchange.registry.bank.schedule import StatementOf

PAUSE_FIRST_NS = 400_000_000
PAUSE_LAST_NS = 60_000_000_000


class Errand(NamedTuple):
    """What the bank is asked."""

    name: str
    """Of the batch or statement: nothing is under way twice."""
    subject: Batch | StatementOf
    """What it is about."""
    is_sent: bool = False
    """Whether the batch was sent before: then it is asked how it stands."""

    def request(self) -> BankRequest:
        """Return the message; a large batch takes a while to write."""
        if isinstance(self.subject, StatementOf):
            return AskStatement(
                business_date=self.subject.business_date, sequence=self.subject.sequence
            )
        if self.is_sent:
            return AskStatus(batch_id=self.subject.batch_id)
        return SendBatch(content=pain_001.batch_write(self.subject))


class Brought(NamedTuple):
    """What came of an errand."""

    errand: Errand
    content: bytes | str
    """The answer's bytes; text says why there are none."""
    is_heard: bool
    """Whether the bank has answered at all, with a refusal if need be."""


class Errands:
    """The errands between a registry and its bank."""

    def __init__(self) -> None:
        self._out: list[Errand] = []
        self._answers: list[tuple[Batch, bytes]] = []
        self._statements: list[tuple[StatementOf, bytes | str]] = []
        self._under_way: set[str] = set()
        self._pauses: dict[str, tuple[int, int]] = {}

    @property
    def count(self) -> int:
        """How many are under way."""
        return len(self._under_way)

    def busy(self, now_ns: int) -> set[str]:
        """Return what is under way, or was carried just now and waits a while."""
        self._pauses = {
            name: pause for name, pause in self._pauses.items() if now_ns < pause[0] + PAUSE_LAST_NS
        }
        paused = {name for name, (until_ns, _) in self._pauses.items() if now_ns < until_ns}
        return self._under_way | paused

    def carry(self, batch: Batch, now_ns: int, *, is_sent: bool) -> None:
        """Send a batch, or ask how one stands that was sent."""
        self._go(Errand(batch.batch_id, batch, is_sent), now_ns)

    def fetch(self, statement: StatementOf, now_ns: int) -> None:
        """Ask for a statement, unless it is under way or was asked for just now."""
        name = f"statement {statement.business_date}-{statement.sequence}"
        if name not in self.busy(now_ns):
            self._go(Errand(name, statement), now_ns)

    def taken_out(self) -> list[Errand]:
        """Return what is to be carried now, once."""
        taken, self._out = self._out, []
        return taken

    def brought_back(self, brought: Brought) -> None:
        """Take what came of an errand."""
        name, subject, _ = brought.errand
        self._under_way.discard(name)
        if isinstance(subject, StatementOf):
            self._statements.append((subject, brought.content))
        elif isinstance(brought.content, bytes):
            self._answers.append((subject, brought.content))
        if not brought.is_heard:
            # It is tried again as soon as the first time.
            self._pauses.pop(name, None)

    def answers(self) -> list[tuple[Batch, bytes]]:
        """Return what the bank has answered meanwhile, once: batches, with the bytes that came."""
        found, self._answers = self._answers, []
        return found

    def statements(self) -> list[tuple[StatementOf, bytes | str]]:
        """Return what has come of statements, once: bytes, or why there are none."""
        found, self._statements = self._statements, []
        return found

    def _go(self, errand: Errand, now_ns: int) -> None:
        _, pause_ns = self._pauses.get(errand.name, (0, PAUSE_FIRST_NS))
        self._pauses[errand.name] = (now_ns + pause_ns, min(2 * pause_ns, PAUSE_LAST_NS))
        self._under_way.add(errand.name)
        self._out.append(errand)
