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
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import structlog
import zmq

from cea_exchange.control_plane.door import UnreadableCount
from cea_exchange.control_plane.host import DaemonHost
from cea_exchange.institution.daemon import InstitutionDaemon
from cea_exchange.institution.links.line import InstitutionLine
from cea_exchange.institution.links.setting import LinkSetting
from cea_exchange.institution.links.turns import LinkAsked, LinkDropped, LinkTurns
from cea_exchange.institution.persons import Person
from cea_exchange.protocol.security import SecurityError
from cea_exchange.registry.bank.client import BankClient
from cea_exchange.registry.bank.courier import BankCourier
from cea_exchange.registry.bank.errands import Errand
from cea_exchange.registry.bank.setting import BankSetting
from cea_exchange.registry.config import RegistryConfig
from cea_exchange.registry.control.metrics import RegistryMetrics
from cea_exchange.registry.control.queries import OPENER
from cea_exchange.registry.machine import (
    ConnectionDropped,
    FeedAnswered,
    Output,
    RecordsAsked,
    RegistryMachine,
)
from cea_exchange.registry.noted_time import noted_ns
from cea_exchange.registry.settlement.settlement import Settlement
from cea_exchange.registry.store import RegistryStore
from cea_exchange.registry.venue_link.connection import VenueLine, venue_endpoints_read

ENDPOINTS_LOOK_NS = 200_000_000
MESSAGES_PER_TURN_MAX = 100
FEED_REQUEST_BYTES_MAX = 4_096

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
    _line: VenueLine
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
        self._look_at_ns = 0
        self._nowhere: tuple[str, str] | None = None
        self._is_listening = False
        self._link_lines: dict[str, InstitutionLine] = {}
        super().__init__(config, data, is_stopping)

    def settings_read(self) -> None:
        """Read the keys of the venue, and of the institutions that are asked."""
        self._venue_key = self._config.venue_key(self._data)
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
        self._feed_unreadable = UnreadableCount("feed", log.warning)
        self._line = VenueLine(host.context, self._keys, self._venue_key)
        self._link_lines = {
            setting.institution: InstitutionLine(host.context, self._keys, setting, key, self._data)
            for setting, key in self._link_keys.items()
        }
        self._feed_door = host.door(
            "feed",
            self._config.feed,
            frozenset({self._venue_key}).__contains__,
            FEED_REQUEST_BYTES_MAX,
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
        if hasattr(self, "_line"):
            self._line.close()

    def poller_fill(self, poller: zmq.Poller) -> None:
        """Wake up for the venue's answers and, unless one is awaited, for what it publishes."""
        if self._line.dealer is not None:
            poller.register(self._line.dealer, zmq.POLLIN)
        for line in self._link_lines.values():
            if line.dealer is not None:
                poller.register(line.dealer, zmq.POLLIN)
        self._is_listening = self._machine.is_listening
        if self._is_listening:
            poller.register(self._line.sub, zmq.POLLIN)

    def take(self, ready: dict[Any, int]) -> None:
        """Take the venue's questions and records, and what came back from the bank."""
        machine, now_ns = self._machine, time.monotonic_ns()
        noted = machine.troubles.noted
        with noted("feed", now_ns):
            self._feed_take(now_ns)
        with noted("stream", now_ns):
            dealer, sub = self._line.dealer, self._line.sub
            if dealer is not None and dealer in ready:
                machine.replayed(dealer.recv_multipart(), now_ns)
            elif self._is_listening and sub is not None and sub in ready:
                machine.published(self._published(sub), now_ns)
        for name, line in self._link_lines.items():
            with noted(f"{name}_answer", now_ns):
                if line.dealer is not None and line.dealer in ready:
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
        self._metrics.lag_records = self._machine.lag_records

    # -- towards the venue --------------------------------------------------------------------

    def look_around(self, now_ns: int) -> None:
        """Connect to where the venue is, which may have changed with its restart."""
        if now_ns < self._look_at_ns:
            return
        self._look_at_ns = now_ns + ENDPOINTS_LOOK_NS
        with self._machine.troubles.noted("venue", now_ns):
            self._venue_look(now_ns)
        for name, line in self._link_lines.items():
            with self._machine.troubles.noted(f"{name}_look", now_ns):
                self._link_look(line, self._machine.links[name])

    def _venue_look(self, now_ns: int) -> None:
        settlement, replay = self._config.settlement, self._config.replay
        if settlement is not None and replay is not None:
            where: tuple[str, str] | None = (settlement, replay)
        else:
            where = venue_endpoints_read(self._config.endpoints_file(self._data))
        if where is not None and where != self._nowhere:
            self._venue_connect(where, now_ns)

    def _venue_connect(self, where: tuple[str, str], now_ns: int) -> None:
        """Connect, if not there already; what is no address is tried once."""
        try:
            is_new = self._line.venue_connect(*where)
        except (zmq.ZMQError, ValueError) as error:
            self._line.close()
            self._machine.venue_disconnected()
            self._nowhere = where
            log.warning("venue_unreachable", settlement=where[0], replay=where[1], error=str(error))
            return
        self._nowhere = None
        if is_new:
            log.info("venue_connected", settlement=where[0], replay=where[1])
            self._machine.venue_connected(now_ns)

    @staticmethod
    def _published(sub: zmq.Socket) -> Iterator[list[bytes]]:
        """Yield what was published, message by message."""
        for _ in range(MESSAGES_PER_TURN_MAX):
            try:
                yield sub.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return

    def _say(self, output: Output) -> None:
        """Carry out what the machine says."""
        match output:
            case RecordsAsked(log_id, first_seq):
                self._line.records_ask(log_id, first_seq)
            case ConnectionDropped():
                self._line.renew()
            case FeedAnswered(connection, content):
                self._feed_door.answer(connection, content)
            case LinkAsked(institution, question):
                self._link_lines[institution].ask(question)
            case LinkDropped(institution):
                self._link_lines[institution].renew()
            case Errand() as errand if self._courier is not None:
                self._courier.carry(errand)

    # -- towards other institutions -----------------------------------------------------------

    @staticmethod
    def _link_look(line: InstitutionLine, link: LinkTurns) -> None:
        """Tell a link whether there is a connection, where that has changed."""
        is_there = line.look()
        if is_there is not None:
            (link.connected if is_there else link.disconnected)()

    # -- the feed -----------------------------------------------------------------------------

    def _feed_take(self, now_ns: int) -> None:
        self._feed_door.turn(now_ns / 1e9)
        self._feed_unreadable.turn(now_ns / 1e9)
        for _ in range(MESSAGES_PER_TURN_MAX):
            message = self._feed_door.receive()
            if message is None:
                break
            if message.key != self._venue_key or len(message.frames) != 1:
                self._feed_unreadable.note(message.key, "request: expected one frame of the venue")
                continue
            why = self._machine.feed_question(message.routing_id, message.payload, now_ns)
            if why:
                self._feed_unreadable.note(message.key, why)
