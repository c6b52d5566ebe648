"""A venue and a registry of one's own for a run, and what must hold of them after it."""

import contextlib
import os
import signal
import time
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import zmq

from cea_exchange.control_plane.signals import module_command
from cea_exchange.domain.calendar import date_number
from cea_exchange.domain.records import Side
from cea_exchange.domain.timetable import time_parse
from cea_exchange.loadtest.faults.faulty_disk import FAULT_FILE
from cea_exchange.loadtest.flow.workload import Workload
from cea_exchange.loadtest.load_run import await_transfers
from cea_exchange.loadtest.local_exchange import ExchangeError, LocalExchange
from cea_exchange.loadtest.population import Participant
from cea_exchange.loadtest.stands.audit import audit_all
from cea_exchange.loadtest.stands.database import DatabaseServer, children_of
from cea_exchange.loadtest.stands.stand import Progress, Stand, StandError, metrics_read
from cea_exchange.loadtest.targets.target import Reconciliation
from cea_exchange.protocol.security import CurveKeys, client_socket
from cea_exchange.registry.store import RegistryStore

SETTLE_S_MAX = 120.0
BIDDING_TONNES = 100_000
AGAIN_S = 0.2
FAULTY_DISK = "cea_exchange.loadtest.faults.faulty_disk"
DAEMONS = ("venue", "registry")
RELAY, DATABASE = "relay", "database"


class OwnExchange(Stand):
    """Both daemons, on a data folder that is new for the run.

    Parameters
    ----------
    data : Path
        The folder.
    day : date
        A trading day.
    audited : bool
        Write down all that is sent and reported, and hold everything against everything at the end.
    faulty_disk : bool
        Let the venue's files pass a layer that can be full, or slow.
    proxied : bool
        Let connections to the gateway pass a proxy that can drop and delay.
    on_postgresql : bool
        Keep the registry's ledger in a PostgreSQL server of the run's own, instead of SQLite.
    settings : mapping
        Of the venue's config.
    """

    def __init__(
        self,
        data: Path,
        *,
        day: date,
        audited: bool,
        faulty_disk: bool = False,
        proxied: bool = False,
        on_postgresql: bool = False,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__({})
        programs = {}
        if faulty_disk:
            programs["venue"] = module_command(FAULTY_DISK)
        self._server = DatabaseServer(data / DATABASE) if on_postgresql else None
        self._database = None if self._server is None else self._server.address
        self.exchange = LocalExchange(data, programs=programs, database=self._database)
        self._data = data
        self._day = day
        self._audited = audited
        self._proxied = proxied
        self._settings = dict(settings or {})
        self._members: list[Participant] = []

    def start(self, members: list[Participant], workload: Workload, progress: Progress) -> None:
        """Fill the registry, start both, and open the session."""
        self._members = members
        progress(f"filling the registry: {len(members)} accounts, keys, holdings and cash")
        self.exchange.prepare(
            members,
            workload.products,
            start=f"{self._day}T08:30:00+08:00",
            metrics="127.0.0.1:0",
            has_second=workload.has_bids,
            **self._settings,
        )
        progress("starting a venue and a registry")
        self.exchange.start()
        await_transfers(self.exchange)
        # Blocks are traded in the afternoon.
        opening = "13:00" if workload.has_blocks else "09:30"
        self.exchange.operate("clock", at=f"{self._day}T{opening}:00+08:00")
        if workload.has_bids:
            self._biddings_open(members, workload)
        if self._proxied:
            self.proxy_begin(self.exchange.endpoint("venue", "gateway"))

    def _biddings_open(self, members: list[Participant], workload: Workload) -> None:
        """Let a participant who sells it apply for a bidding of each product, until the close."""
        bands = self.exchange.operate("statistics")["products"]
        for product in workload.products:
            sellers = (each.name for each in members if each.sides[product] == Side.SELL)
            self.exchange.operate_by_two(
                "bidding_open",
                bidding=f"{self._day} {product}",
                account=next(sellers),
                product=product,
                tonnes=BIDDING_TONNES,
                limit=bands[product]["band_low"],
            )

    def options(self) -> dict[str, str]:
        """Return where the gateway is, and the keys."""
        endpoint = self.exchange.endpoint("venue", "gateway")
        options = {
            "endpoint": endpoint if self.proxy is None else self.proxy.endpoint,
            "server_key": self.exchange.keys("venue").public,
            "keys": str(self.exchange.keys_directory),
        }
        if self._audited:
            options["log"] = str(self._data / "participants")
        return options

    def process_ids(self) -> dict[str, int]:
        """Return both daemons' processes, the venue's relay, and the database server's."""
        running = (name for name in DAEMONS if self.exchange.is_running(name))
        found = {name: self.exchange.process_id(name) for name in running}
        if self._server is not None:
            found[DATABASE] = self._server.process_id
        if "venue" in found and (relay := _relay_of(found["venue"])):
            found[RELAY] = relay
        return found

    def metrics(self) -> dict[str, float]:
        """Return what the venue says of itself now; nothing while it is not there."""
        try:
            address = self.exchange.endpoint("venue", "metrics")
        except (OSError, KeyError, ValueError):
            return {}
        return metrics_read((f"http://{address}/metrics",))

    def kill(self, name: str) -> None:
        """Kill a daemon, the venue's relay, or the database server."""
        if name == RELAY:
            self._signal_relay(signal.SIGKILL)
        elif name == DATABASE:
            self._of_database().kill()
        else:
            self.exchange.kill(name)

    def begin(self, name: str) -> None:
        """Start a daemon on its data, without waiting for it; a relay is begun by its venue."""
        if name == DATABASE:
            self._of_database().start()
        elif name != RELAY:
            getattr(self.exchange, f"start_{name}")(wait=False)

    def pause(self, name: str) -> None:
        """Stop a process where it stands."""
        if name == RELAY:
            self._signal_relay(signal.SIGSTOP)
        elif name == DATABASE:
            self._of_database().pause()
        else:
            self.exchange.pause(name)

    def resume(self, name: str) -> None:
        """Let it go on."""
        if name == RELAY:
            self._signal_relay(signal.SIGCONT)
        elif name == DATABASE:
            self._of_database().resume()
        else:
            self.exchange.resume(name)

    def _of_database(self) -> DatabaseServer:
        if self._server is None:
            raise StandError("database: expected a run with --database postgresql")
        return self._server

    def _signal_relay(self, number: int) -> None:
        process_id = self.process_ids().get(RELAY)
        if process_id is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process_id, number)

    def clock_step(self, seconds: float) -> None:
        """Let the venue's clock go on at once by so much."""
        at = time_parse(self._status()["time"]) + timedelta(seconds=seconds)
        self.exchange.operate("clock", at=at.isoformat())

    def disk_fault(self, fault: str) -> None:
        """Say what the venue's disk is from now on; nothing for a good one."""
        path = self._data / FAULT_FILE
        if fault:
            path.write_text(fault)
        else:
            path.unlink(missing_ok=True)

    def subscriber(self, context: "zmq.Context[zmq.Socket[bytes]]") -> "zmq.Socket[bytes]":
        """Return a socket that is sent all market data, with room for a single message."""
        socket: zmq.Socket[bytes] = client_socket(
            context,
            zmq.SUB,
            keys=CurveKeys.new(),
            server_key=self.exchange.endpoint("venue", "market_data_public_key"),
            high_water_mark=1,
        )
        socket.subscribe(b"")
        socket.connect(self.exchange.endpoint("venue", "market_data"))
        return socket

    def whole(self) -> None:
        """Wait until both are ready, and the venue answers."""
        self._begin_ended_registry()
        for name in DAEMONS:
            self.exchange.wait_ready(name)
        self._status()

    def _begin_ended_registry(self) -> None:
        """Start a registry that found no database at its own start, as a service manager would."""
        if self._server is not None and not self.exchange.is_running("registry"):
            self.exchange.start_registry(wait=False)

    def _status(self) -> dict[str, Any]:
        deadline = time.monotonic() + SETTLE_S_MAX
        while True:
            try:
                return self.exchange.operate("status")
            except (ExchangeError, OSError) as error:
                if time.monotonic() > deadline:
                    raise StandError(f"the venue does not answer: {error}") from error
                time.sleep(AGAIN_S)

    def settle(self) -> None:
        """Close the day and let the registry settle it, if there is to be an audit."""
        if not self._audited:
            return
        self.exchange.operate("clock", at=f"{self._day}T15:00:00+08:00")
        number = date_number(self._day)
        self.exchange.wait_until(
            lambda: self._status()["confirmed_date"] >= number,
            f"the registry to confirm {self._day}",
            SETTLE_S_MAX,
        )
        last = self._status()["settlement_seq"]
        self.exchange.wait_until(
            lambda: self._settled_seq() >= last, f"the registry to settle to {last}", SETTLE_S_MAX
        )

    def audit(self) -> Reconciliation | None:
        """End both daemons, and hold everything against everything."""
        if not self._audited:
            return None
        found = Reconciliation()
        for name in DAEMONS:
            status = self.exchange.stop(name)
            if status:
                found.differences.append(f"asked to end, the {name} ended with {status}")
        of_files = audit_all(
            self._data,
            [self._data / "participants" / each.name for each in self._members],
            self._database,
        )
        found.checked |= of_files.checked
        found.differences += of_files.differences
        return found

    def _settled_seq(self) -> int:
        with RegistryStore.open_reader(self._data, self._database) as store:
            return store.last_seq

    def close(self) -> None:
        """End all of it."""
        super().close()
        for name in DAEMONS:
            # One that is stopped could not end.
            if self.exchange.is_running(name):
                self.exchange.resume(name)
        self.exchange.close()
        if self._server is not None:
            self._server.close()


def _relay_of(venue: int) -> int:
    """Return the process that a venue serves the public with (Linux); 0 if it can't be seen."""
    for child in children_of(venue):
        with contextlib.suppress(OSError):
            if b"relay" in Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0"):
                return child
    return 0
