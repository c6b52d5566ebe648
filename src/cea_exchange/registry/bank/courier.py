"""Sends to the bank and brings its answers back, in a thread beside the daemon's own.

Only the daemon's thread takes what came back.
"""

import queue
import threading

import structlog

from cea_exchange.registry.bank.client import BankClient, BankRefused, BankUnavailable
from cea_exchange.registry.bank.errands import Brought, Errand

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
        self._out: queue.Queue[Errand | None] = queue.Queue()
        self._back: queue.Queue[Brought] = queue.Queue()
        self._thread = threading.Thread(target=self._run, name="bank_courier", daemon=True)
        self._thread.start()

    def carry(self, errand: Errand) -> None:
        """Ask the bank, in its turn."""
        self._out.put(errand)

    def back(self) -> list[Brought]:
        """Return what has come of errands meanwhile, once."""
        found = []
        while not self._back.empty():
            found.append(self._back.get())
        return found

    def close(self) -> None:
        """End the thread, after what it is at."""
        self._out.put(None)

    def _run(self) -> None:
        while (errand := self._out.get()) is not None:
            content: bytes | str = "the courier broke"
            is_heard = True
            try:
                content = self._client.content(errand.request())
            except (BankUnavailable, BankRefused) as error:
                is_heard, content = isinstance(error, BankRefused), str(error)
                log.warning("bank", subject=errand.name, error=content)
            except Exception:
                # A thread that ends would end all talk with the bank, and nobody would see it.
                log.error("bank_courier_broke", subject=errand.name, exc_info=True)
            self._back.put(Brought(errand, content, is_heard))
