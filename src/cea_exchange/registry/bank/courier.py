"""Carries batches to the bank and its answers back, beside the daemon's own thread.

A bank may take seconds to answer, or not be there; the registry goes on meanwhile. Only bytes that
are on disk already go out, and only the daemon's thread takes what came back.
"""

import queue
import threading
import time

import structlog

from cea_exchange.registry.bank.client import BankClient, BankRefused, BankUnavailable
from cea_exchange.registry.bank.instructions import Batch

PAUSE_FIRST_NS = 400_000_000
PAUSE_LAST_NS = 60_000_000_000

log = structlog.get_logger()


class BankCourier:
    """A thread of its own between a registry and its bank.

    Parameters
    ----------
    client
        The way to the bank; used by that thread only.
    """

    def __init__(self, client: BankClient) -> None:
        self._client = client
        self._out: queue.Queue[tuple[Batch, bool] | None] = queue.Queue()
        self._back: queue.Queue[tuple[Batch, bytes | None, bool]] = queue.Queue()
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
        name, now_ns = batch.batch_id, time.monotonic_ns()
        _, pause_ns = self._pauses.get(name, (0, PAUSE_FIRST_NS))
        self._pauses[name] = (now_ns + pause_ns, min(2 * pause_ns, PAUSE_LAST_NS))
        self._under_way.add(name)
        self._out.put((batch, is_sent))

    def answers(self) -> list[tuple[Batch, bytes]]:
        """Return what the bank has answered meanwhile: batches, with the bytes that came."""
        found = []
        while not self._back.empty():
            batch, content, is_heard = self._back.get()
            self._under_way.discard(batch.batch_id)
            if content is not None:
                found.append((batch, content))
            if not is_heard:
                # It is tried again as soon as the first time.
                self._pauses.pop(batch.batch_id, None)
        return found

    def close(self) -> None:
        """End the thread, after what it is at."""
        self._out.put(None)

    def _run(self) -> None:
        while (errand := self._out.get()) is not None:
            batch, is_sent = errand
            content, is_heard = None, True
            try:
                ask = self._client.status_content if is_sent else self._client.send_content
                content = ask(batch)
            except (BankUnavailable, BankRefused) as error:
                is_heard = isinstance(error, BankRefused)
                log.warning("bank", batch_id=batch.batch_id, error=str(error))
            except Exception:
                # A thread that ends would end all talk with the bank, and nobody would see it.
                log.error("bank_courier_broke", batch_id=batch.batch_id, exc_info=True)
            self._back.put((batch, content, is_heard))
