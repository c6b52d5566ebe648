"""A venue on real sockets, a fake registry and raw peers: for the tests of the venue daemon."""

import contextlib
import threading
import time

import msgspec
import numpy as np
import zmq

from cea_exchange.domain.profile import load_profile
from cea_exchange.domain.records import COMMAND_DTYPE, EVENT_DTYPE, CommandKind, Side
from cea_exchange.protocol import control
from cea_exchange.protocol.clock import ClockSetting
from cea_exchange.protocol.security import CurveKeys, client_socket
from cea_exchange.venue.config import LagSetting, VenueConfig
from cea_exchange.venue.daemon import VenueDaemon
from cea_exchange.venue.operations.admin_client import admin_ask
from support.patience import patience
from support.venue.fake_registry import FakeRegistry

DATE = 20241231
# The fake registry settles nothing, and must not be blamed for it on a slow machine.
LAG_OFF = LagSetting(warn=(0, 0), throttle=(0, 0), cancel_only=(0, 0), halt=(0, 0))
START = "2024-12-31T08:00:00+08:00"
ACCOUNTS = ("alice", "bob")
PRODUCT = "CEA24"
WAIT_MS = 5_000
PAUSE_LOOK_S = 0.1


class Peer:
    """A raw connection to one of the venue's sockets with one participant's key."""

    def __init__(self, world, name, socket="gateway", high_water_mark=10_000):
        self.keys = world.keys[name]
        self.socket = client_socket(
            world.context,
            zmq.DEALER,
            keys=self.keys,
            server_key=world.server_key(socket),
            high_water_mark=high_water_mark,
        )
        self.socket.connect(world.venue.endpoints[socket])

    def send(self, tag, payload):
        self.socket.send_multipart([tag, payload])

    def knock(self, *frames):
        """Send to a door that stays shut: once libzmq was refused, a send would wait for ever."""
        with contextlib.suppress(zmq.Again):
            self.socket.send_multipart(frames, zmq.NOBLOCK)

    def ask(self, **request):
        self.send(b"M", msgspec.msgpack.encode(request))
        return self.message(request["op"])

    def command(self, *records):
        self.send(b"C", np.concatenate([np.atleast_1d(record) for record in records]).tobytes())

    def receive(self, wait_ms=None):
        """Return the next message's frames; None if there is none in time."""
        wait_ms = WAIT_MS * patience() if wait_ms is None else wait_ms
        return self.socket.recv_multipart() if self.socket.poll(wait_ms) else None

    def message(self, asked=""):
        """Return the next M message, past any reports and heartbeats that were not asked for."""
        while (frames := self.receive()) is not None:
            if frames[0] == b"M":
                shown = msgspec.msgpack.decode(frames[1])
                if shown["op"] != "heartbeat" or asked == "heartbeat":
                    return shown
        raise AssertionError("no message came")

    def reports(self, count):
        """Return exactly `count` reports; `count` 0 makes sure that none comes."""
        rows = self.reports_until(lambda rows: len(rows) >= count)
        assert len(rows) == count
        return rows

    def reports_until(self, condition):
        """Return what reports come until the condition of all of them is true."""
        rows = np.zeros(0, EVENT_DTYPE)
        while not condition(rows):
            frames = self.receive()
            assert frames is not None, f"came {len(rows)} reports, the last {rows[-1:]}"
            if frames[0] == b"R":
                rows = np.concatenate((rows, np.frombuffer(frames[1], EVENT_DTYPE)))
        return rows


class World:
    """One data folder with a running venue and a fake registry.

    `grants` are further keys of the accounts: their names, and the fields of their grants.
    `product` is what the registry declares.
    """

    def __init__(self, data, grants=None, product=PRODUCT, **settings):
        self.data = data
        self.product = product
        self.context = zmq.Context()
        self.keys = {}
        self.grants = grants or {}
        for name in ("venue", "registry", "admin", "stranger", *ACCOUNTS, *self.grants):
            self.keys[name] = CurveKeys.new()
            self.keys[name].save(data / "keys", name)
        profile = load_profile(settings.get("profile", "cea"))
        self.registry_has_cash = profile.rules.settlement_agent == "registry"
        self.registry = FakeRegistry(data, self.feed())
        settings.setdefault("clock", ClockSetting(kind="manual", start=START))
        settings.setdefault("lag", LAG_OFF)
        # Tests send as fast as they can.
        for whose in ("", "cancels_", "account_", "account_cancels_"):
            settings.setdefault(f"throttle_{whose}per_second", 0)
        # Processes more at each start; where relay or fronts matter, they are asked for.
        settings.setdefault("relay", False)
        settings.setdefault("fronts", 0)
        self.config = VenueConfig(**settings)
        self.venue = None
        self.failure = None
        self.admin_key = "admin"
        self._thread = None
        self._goes_on = threading.Event()
        self._goes_on.set()
        self._is_paused = threading.Event()

    def feed(self):
        commands = [control.ProductDeclared(product=self.product, reference_price=9749)]
        for account in ACCOUNTS:
            commands.append(control.AccountDeclared(account=account))
            commands.append(control.KeyGranted(key=self.keys[account].public, account=account))
            if self.registry_has_cash:
                commands.append(control.TransferIn(account=account, amount=10**12))
            commands.append(control.TransferIn(account=account, product=self.product, amount=10**6))
        for name, fields in self.grants.items():
            commands.append(control.KeyGranted(key=self.keys[name].public, **fields))
        return commands

    def server_key(self, socket="gateway"):
        """Return the public key of who has a socket of the venue."""
        if socket in ("market_data", "snapshot"):
            return self.venue.market_data_public_key
        return self.keys["venue"].public

    def start(self):
        self.failure = None
        self.venue = VenueDaemon(self.config, self.data)
        self.venue.turn = self._turn_when_let(self.venue.turn)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _turn_when_let(self, turn):
        """Return the venue's turn, which waits while the venue is paused."""

        def turn_when_let(timeout_ms):
            while not self._goes_on.is_set():
                self._is_paused.set()
                self._goes_on.wait(PAUSE_LOOK_S)
            turn(timeout_ms)

        return turn_when_let

    @contextlib.contextmanager
    def paused(self):
        """Stop the venue between two turns: what is sent meanwhile waits in its sockets."""
        self._is_paused.clear()
        self._goes_on.clear()
        try:
            assert self._is_paused.wait(WAIT_MS / 1_000 * patience()), "the venue's turn went on"
            yield
        finally:
            self._goes_on.set()

    def _run(self):
        try:
            self.venue.run()
        except Exception as error:
            self.failure = error

    def ready(self):
        """Wait until the venue takes everything."""
        self.until(lambda: not self.admin(op="status")["cancels_only"])

    def listed(self):
        """Start and go to the listed phase."""
        self.start()
        self.ready()
        return self.admin(op="clock", at="2024-12-31T09:30:00+08:00")

    def until(self, condition, timeout_s=10.0):
        """Wait for a condition."""
        end = time.monotonic() + timeout_s * patience()
        while not condition():
            assert time.monotonic() < end, "the condition did not come true in time"
            time.sleep(0.02)

    def admin(self, **request):
        return admin_ask(self.data, request, key=self.admin_key)

    def peer(self, name, socket="gateway", **options):
        return Peer(self, name, socket, **options)

    def logged_on(self, name, /, **fields):
        peer = self.peer(name)
        answer = peer.ask(op="logon", **fields)
        assert answer["op"] == "logon", answer
        return peer

    def stop(self):
        """End the venue as SIGTERM does."""
        if self._thread is not None:
            self.venue.stop()
            self._thread.join()
            self._thread = None
            self.venue.close()

    def close(self):
        self.stop()
        self.registry.close()
        self.context.destroy(linger=0)


@contextlib.contextmanager
def world_open(data, grants=None, **settings):
    world = World(data, grants, **settings)
    try:
        yield world
    finally:
        world.close()


def enter(client_order_id, side, price=9749, tonnes=10, /, **fields):
    """Return one ENTER record."""
    record = np.zeros((), COMMAND_DTYPE)
    record["kind"] = CommandKind.ENTER
    record["side"] = Side[side.upper()]
    record["client_order_id"] = client_order_id
    record["price"] = price
    record["tonnes"] = tonnes
    record["trading_date"] = DATE
    for field, value in fields.items():
        record[field] = value
    return record


def target(kind, client_order_id, order_id, /, **fields):
    """Return one CANCEL or AMEND record."""
    record = enter(client_order_id, "buy", 0, 0, order_id=order_id, side=0, **fields)
    record["kind"] = CommandKind[kind.upper()]
    return record
