"""The registry daemon: sockets, processes and the clock around the registry's machine.

One thread, one writer::

    venue PUB ---records, heartbeat---> SUB     \\
    venue ROUTER <--ask / records--->   DEALER   +-- RegistryMachine -- Store (SQLite)
    venue DEALER ---from n--->          ROUTER  /         |
                 <--items, watermark---                   +-- BankCourier (a thread) <--> bank
    operators DEALER <--acts-->         ROUTER -- Looks (processes that read)
    platform, CCER registry ROUTER <--questions / items--> DEALER

What there is to do the machine decides, by what comes in and the time; here it is taken in and
carried out.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog
import zmq

from cea_exchange.control_plane.host import DaemonHost
from cea_exchange.institution.daemon import InstitutionDaemon
from cea_exchange.institution.links.line import InstitutionLine
from cea_exchange.institution.links.setting import LinkSetting
from cea_exchange.institution.links.turns import LinkAsked, LinkDropped, LinkTurns
from cea_exchange.institution.persons import Person
from cea_exchange.institution.venue_link.sockets import VenueSockets
from cea_exchange.protocol.security import SecurityError
from cea_exchange.registry.bank.client import BankClient
from cea_exchange.registry.bank.courier import BankCourier
from cea_exchange.registry.bank.errands import Errand
from cea_exchange.registry.bank.setting import BankSetting
from cea_exchange.registry.config import RegistryConfig
from cea_exchange.registry.control.metrics import RegistryMetrics
from cea_exchange.registry.control.queries import OPENER
from cea_exchange.registry.machine import Output, RegistryMachine
from cea_exchange.registry.noted_time import noted_ns
from cea_exchange.registry.settlement.settlement import Settlement
from cea_exchange.registry.store import RegistryStore

log = structlog.get_logger()


class RegistryDaemon(InstitutionDaemon[RegistryConfig, RegistryStore, RegistryMachine]):
    """A running registry; see there.

    Parameters
    ----------
    settlement_class
        For tests that put a faulty one in its place.
    """

    store_class = RegistryStore
    opener = OPENER
    _venue: VenueSockets
    _metrics: RegistryMetrics

    def __init__(
        self,
        config: RegistryConfig,
        data: Path | str,
        settlement_class: Callable[..., Settlement] = Settlement,
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._settlement_class = settlement_class
        self._courier: BankCourier | None = None
        self._link_lines: dict[str, InstitutionLine] = {}
        super().__init__(config, data, is_stopping)

    def settings_read(self) -> None:
        """Read the keys of the venue, and of the institutions that are asked."""
        self._venue_key = self._config.venue.key(self._data)
        settings: tuple[LinkSetting | None, ...] = (self._config.platform, self._config.ccer)
        self._link_keys = {
            setting: setting.key(self._data) for setting in settings if setting is not None
        }

    def noted_ns(self) -> int:
        """Return the last time that the registry has noted."""
        return noted_ns(self._store)

    def metrics_made(self) -> RegistryMetrics:
        """Return what is counted."""
        return RegistryMetrics(self._store)

    def machine_made(self, operators: dict[str, Person]) -> RegistryMachine:
        """Return the machine upon the store."""
        machine = RegistryMachine(
            self._store,
            self._clock,
            self._config,
            operators,
            settlement_class=self._settlement_class,
            measured=self._metrics.batch,
            place=self.place,
            fatal=(SecurityError,),
        )
        machine.registry.bank_files.folder = self._folder / "bank"
        return machine

    def looks_own(self) -> BankSetting | None:
        """Return the setting of the bank."""
        return self._config.bank

    # -- sockets ------------------------------------------------------------------------------

    def sockets_open(self, host: DaemonHost) -> None:
        """Open the feed's door, and make ready to go to the venue and to the bank."""
        self._courier = self._courier_made()
        self._link_lines = {
            setting.institution: InstitutionLine(host.context, self._keys, setting, key, self._data)
            for setting, key in self._link_keys.items()
        }
        self._venue = VenueSockets(
            *(host, self._keys, self._config.venue, self._venue_key, self._data),
            domain="registry_feed",
        )

    def _courier_made(self) -> BankCourier | None:
        """Return who carries what goes to the bank; None where files are carried by hand."""
        setting = self._config.bank
        if setting is None or setting.data is None:
            return None
        return BankCourier(BankClient(setting.data, self._keys))

    def sockets_close(self) -> None:
        """End the courier, and the lines to the venue and the institutions."""
        for line in self._link_lines.values():
            line.close()
        if self._courier is not None:
            self._courier.close()
        if hasattr(self, "_venue"):
            self._venue.close()

    def poller_fill(self, poller: zmq.Poller) -> None:
        """Wake up for the venue's answers and, unless one is awaited, for what it publishes."""
        self._venue.poller_fill(poller, self._machine.venue)
        for line in self._link_lines.values():
            if line.dealer is not None:
                poller.register(line.dealer, zmq.POLLIN)

    def take(self, ready: dict[Any, int]) -> None:
        """Take the venue's questions and records, and what came back from the bank."""
        machine, now_ns = self._machine, time.monotonic_ns()
        noted = machine.troubles.noted
        self._venue.take(ready, machine.venue, noted, now_ns)
        for name, line in self._link_lines.items():
            if line.dealer is not None and line.dealer in ready:
                # Only then: a turn in which nothing came does not end a trouble.
                with noted(f"{name}_answer", now_ns):
                    machine.links[name].answered(line.dealer.recv_multipart(), now_ns)
        if self._courier is not None:
            for brought in self._courier.back():
                machine.brought_back(brought)

    def say(self) -> None:
        """Carry out what the machine says."""
        now_ns = time.monotonic_ns()
        for output in self._machine.outputs():
            with self._machine.troubles.noted("saying", now_ns):
                self._say(output)
        self._metrics.lag_records = self._machine.venue.lag_records

    # -- towards the venue --------------------------------------------------------------------

    def look_around(self, now_ns: int) -> None:
        """Connect to where the venue is, which may have changed with its restart."""
        if not self._venue.look(self._machine.venue, self._machine.troubles.noted, now_ns):
            return
        for name, line in self._link_lines.items():
            with self._machine.troubles.noted(f"{name}_look", now_ns):
                self._link_look(line, self._machine.links[name])

    def _say(self, output: Output) -> None:
        """Carry out what the machine says."""
        match output:
            case LinkAsked(institution, question):
                self._link_lines[institution].ask(question)
            case LinkDropped(institution):
                self._link_lines[institution].renew()
            case Errand() as errand:
                if self._courier is not None:
                    self._courier.carry(errand)
            case _:
                self._venue.say(output)

    # -- towards other institutions -----------------------------------------------------------

    @staticmethod
    def _link_look(line: InstitutionLine, link: LinkTurns) -> None:
        """Tell a link whether there is a connection, where that has changed."""
        is_there = line.look()
        if is_there is not None:
            (link.connected if is_there else link.disconnected)()
