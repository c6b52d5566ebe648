"""Carries batches to the bank and its answers back, beside the daemon's own thread.

A bank may take seconds to answer, or not be there; the registry goes on meanwhile. Only bytes that
are on disk already go out, and only the daemon's thread takes what came back.
"""

import queue
import threading

import structlog

from cea_exchange.registry.bank.client import BankClient, BankRefused, BankUnavailable
from cea_exchange.registry.bank.instructions import Batch
from cea_exchange.registry.bank.statements import StatusReport
from cea_exchange.registry.bank.xml_reading import BankFileError

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
        self._back: queue.Queue[StatusReport] = queue.Queue()
        self._under_way: set[str] = set()
        self._thread = threading.Thread(target=self._run, name="bank_courier", daemon=True)
        self._thread.start()

    def carry(self, batch: Batch, *, is_sent: bool) -> None:
        """Send a batch, or ask how one stands that was sent, unless it is under way."""
        if batch.batch_id not in self._under_way:
            self._under_way.add(batch.batch_id)
            self._out.put((batch, is_sent))

    def reports(self) -> list[StatusReport]:
        """Return what the bank has answered meanwhile."""
        found = []
        while not self._back.empty():
            found.append(self._back.get())
        return found

    def close(self) -> None:
        """End the thread, after what it is at."""
        self._out.put(None)

    def _run(self) -> None:
        while (errand := self._out.get()) is not None:
            batch, is_sent = errand
            try:
                ask = self._client.status if is_sent else self._client.send
                self._back.put(ask(batch))
            except (BankUnavailable, BankRefused, BankFileError) as error:
                log.warning("bank", batch_id=batch.batch_id, error=str(error))
            self._under_way.discard(batch.batch_id)
