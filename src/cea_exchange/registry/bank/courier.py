"""Carries batches to the bank and its answers back, beside the daemon's own thread.

A bank may take seconds to answer, or not be there; the registry goes on meanwhile. Only bytes that
are on disk already go out, and only the daemon's thread takes what came back.
"""

import queue
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import structlog

from cea_exchange.registry.bank.client import BankClient, BankRefused, BankUnavailable
from cea_exchange.registry.bank.instructions import Batch
from cea_exchange.registry.bank.schedule import StatementOf

PAUSE_FIRST_NS = 400_000_000
PAUSE_LAST_NS = 60_000_000_000

log = structlog.get_logger()


class _Errand(NamedTuple):
    """What the bank is asked, and what it is about."""

    name: str
    subject: Batch | StatementOf
    ask: Callable[[], bytes]


class BankCourier:
    """A thread of its own between a registry and its bank.

    Parameters
    ----------
    client
        The way to the bank; used by that thread only.
    """

    def __init__(self, client: BankClient) -> None:
        self._client = client
        self._out: queue.Queue[_Errand | None] = queue.Queue()
        self._back: queue.Queue[tuple[_Errand, bytes | str, bool]] = queue.Queue()
        self._statements: list[tuple[StatementOf, bytes | str]] = []
        self._under_way: set[str] = set()
        self._pauses: dict[str, tuple[int, int]] = {}
        self._thread = threading.Thread(target=self._run, name="bank_courier", daemon=True)
        self._thread.start()

    @property
    def count(self) -> int:
        """How many batches are under way."""
        return len(self._under_way)

    def busy(self) -> set[str]:
        """Return which batches are under way, or were carried just now and wait a while."""
        now_ns = time.monotonic_ns()
        self._pauses = {
            name: pause
            for name, pause in self._pauses.items()
            if now_ns < pause[0] + PAUSE_LAST_NS
        }
        paused = {name for name, (until_ns, _) in self._pauses.items() if now_ns < until_ns}
        return self._under_way | paused

    def carry(self, batch: Batch, *, is_sent: bool) -> None:
        """Send a batch, or ask how one stands that was sent.

        One that is due again waits longer each time: its answer was of no use, or the bank has made
        up its mind about nothing new.
        """
        ask = self._client.status_content if is_sent else self._client.send_content
        self._go(_Errand(batch.batch_id, batch, partial(ask, batch)))

    def fetch(self, statement: StatementOf) -> None:
        """Ask for a statement, unless it is under way or was asked for just now."""
        name = f"statement {statement.business_date}-{statement.sequence}"
        if name not in self.busy():
            self._go(_Errand(name, statement, partial(self._client.statement_content, *statement)))

    def answers(self) -> list[tuple[Batch, bytes]]:
        """Return what the bank has answered meanwhile: batches, with the bytes that came."""
        found = []
        while not self._back.empty():
            errand, content, is_heard = self._back.get()
            self._under_way.discard(errand.name)
            if isinstance(errand.subject, StatementOf):
                self._statements.append((errand.subject, content))
            elif isinstance(content, bytes):
                found.append((errand.subject, content))
            if not is_heard:
                # It is tried again as soon as the first time.
                self._pauses.pop(errand.name, None)
        return found

    def statements(self) -> list[tuple[StatementOf, bytes | str]]:
        """Return what `answers` has found of statements, once: bytes, or why there are none."""
        found, self._statements = self._statements, []
        return found

    def _go(self, errand: _Errand) -> None:
        now_ns = time.monotonic_ns()
        _, pause_ns = self._pauses.get(errand.name, (0, PAUSE_FIRST_NS))
        self._pauses[errand.name] = (now_ns + pause_ns, min(2 * pause_ns, PAUSE_LAST_NS))
        self._under_way.add(errand.name)
        self._out.put(errand)

    def close(self) -> None:
        """End the thread, after what it is at."""
        self._out.put(None)

    def _run(self) -> None:
        while (errand := self._out.get()) is not None:
            content: bytes | str = "the courier broke"
            is_heard = True
            try:
                content = errand.ask()
            except (BankUnavailable, BankRefused) as error:
                is_heard, content = isinstance(error, BankRefused), str(error)
                log.warning("bank", subject=errand.name, error=content)
            except Exception:
                # A thread that ends would end all talk with the bank, and nobody would see it.
                log.error("bank_courier_broke", subject=errand.name, exc_info=True)
            self._back.put((errand, content, is_heard))
