"""CURVE keys, allow-lists and sockets that fail closed.

libzmq accepts any client key when no ZAP handler answers, even one that has stopped, unless
``ZMQ_ZAP_ENFORCE_DOMAIN`` was set before the bind. `server_socket` therefore sets it, refuses to
bind without a running `AllowList`, and `refuses_strangers` proves the refusal with a random key.

A message's sender is the key of its connection (`sender_key`), never a field of its payload and
never the routing id, which a client may choose.
"""

import ctypes
import os
import struct
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Self

import msgspec
import zmq
from zmq.utils import z85

from cea_exchange.user_files.opening import text_read

MESSAGE_BYTES_MAX = 1 << 20
KEY_BYTES_MAX = 1 << 10
"""Of a key's file: 40 characters, and blanks."""
BACKLOG_COUNT = 4_096
"""Connections that may wait to be taken: all participants come back at once after a restart."""
CURVE_BYTES_MAX = 64  # libzmq measures a message as it travels, encrypted: 33 bytes longer
ZMQ_VERSION_MIN = (4, 3, 3)  # older ones let a raw TCP peer stop a CURVE server (CVE-2020-15166)


class SecurityError(RuntimeError):
    """Keys or sockets are not as safe as they must be; nothing starts."""


class StrangerAdmitted(SecurityError):
    """A socket let a random key in."""


class CurveKeys(msgspec.Struct, frozen=True):
    """A CURVE key pair, both halves as z85 text of 40 characters.

    Attributes
    ----------
    public
        Names its owner to others.
    secret
        Never leaves the owner's files; empty where only the public half is known.
    """

    public: str
    secret: str = ""

    def __repr__(self) -> str:
        return f"CurveKeys(public={self.public!r})"

    @classmethod
    def new(cls) -> Self:
        """Return a fresh random pair; the public key is never taken for a command's option."""
        while True:
            public, secret = zmq.curve_keypair()
            if not public.startswith(b"-"):
                return cls(public.decode(), secret.decode())

    @classmethod
    def load(cls, directory: Path | str, name: str) -> Self:
        """Read ``directory/name.public`` and ``.secret``; the two must belong together.

        Raises
        ------
        SecurityError
            A file is missing, unreadable by its format, open to others, or not its pair's half.
        """
        public = public_key_load(directory, name)
        path = Path(directory) / f"{name}.secret"
        keys = secret_key_read(path)
        if keys.public != public:
            raise SecurityError(f"{path}: expected the secret of {name}.public, got another")
        return cls(public, keys.secret)

    def save(self, directory: Path | str, name: str) -> None:
        """Write both halves, mode 0600; an existing file is never overwritten.

        Raises
        ------
        FileExistsError
            One of the two is there already.
        """
        directory = Path(directory)
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for suffix, text in (("secret", self.secret), ("public", self.public)):
            path = directory / f"{name}.{suffix}"
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(text + "\n")


def public_key_load(directory: Path | str, name: str) -> str:
    """Return the public key in ``directory/name.public``."""
    return public_key_read(Path(directory) / f"{name}.public")


def public_key_read(path: Path | str) -> str:
    """Return the public key in a file; SecurityError if there is none."""
    return _key_read(Path(path))


def secret_key_read(path: Path | str) -> CurveKeys:
    """Return the pair whose secret key is in a file.

    Raises
    ------
    SecurityError
        It holds no key, or others may read it.
    """
    path = Path(path)
    secret = _key_read(path)
    if path.stat().st_mode & 0o077:
        raise SecurityError(f"{path}: expected mode 0600, got {path.stat().st_mode & 0o777:o}")
    return CurveKeys(zmq.curve_public(secret.encode()).decode(), secret)


def key_check(text: str, where: str) -> None:
    """Raise ValueError, naming the place, unless the text is a key of 40 z85 characters."""
    if not isinstance(text, str):
        raise TypeError(f"{where}: expected a key as str, got {type(text).__name__}")
    try:
        if len(text) == 40 and len(z85.decode(text)) == 32:
            return
    except (ValueError, KeyError, struct.error):
        pass
    raise ValueError(f"{where}: expected a key of 40 z85 characters")


def pair_check(keys: CurveKeys, where: str) -> None:
    """Raise TypeError or ValueError, naming the place, unless both halves are there and fit."""
    if not isinstance(keys, CurveKeys):
        raise TypeError(f"{where}: expected CurveKeys, got {type(keys).__name__}")
    key_check(keys.public, f"{where}.public")
    key_check(keys.secret, f"{where}.secret")
    if zmq.curve_public(keys.secret.encode()).decode() != keys.public:
        raise ValueError(f"{where}.secret: expected the secret of {keys.public}, got another")


def client_connect(socket: zmq.Socket, endpoint: str) -> None:
    """Connect a socket; ValueError if the address is none."""
    try:
        socket.connect(endpoint)
    except (zmq.ZMQError, TypeError) as error:
        expected = "an address such as tcp://127.0.0.1:5555"
        raise ValueError(f"endpoint: expected {expected}, got {endpoint!r}: {error}") from None


def _key_read(path: Path) -> str:
    try:
        text = text_read(path, "a key file", KEY_BYTES_MAX).strip()
        key_check(text, str(path))
    except ValueError as error:
        raise SecurityError(str(error)) from None
    return text


REFUSED_NEWS_S = 10.0
ELSEWHERE = object()
"""What an allow-list says of a key that another server at the address admits, or this one later."""

_own_strangers: set[str] = set()
"""Keys that `refuses_strangers` is trying right now: that they are refused is no news."""


class AllowList:
    """Which keys may connect, per domain; the ZAP handler of one context.

    Starts its handler thread at once. A domain that was never allowed admits nobody.

    Parameters
    ----------
    context
        The context whose sockets it guards.
    own_stranger
        A key by which its refusals are tested; they are not counted.

    Attributes
    ----------
    refused_count : int
        Handshakes refused so far, those of our own `refuses_strangers` apart.
    """

    def __init__(self, context: zmq.Context, *, own_stranger: str = "") -> None:
        if zmq.zmq_version_info() < ZMQ_VERSION_MIN:
            raise SecurityError(f"libzmq: expected 4.3.3 or newer, got {zmq.zmq_version()}")
        self.refused_count = 0
        self._own_stranger = own_stranger
        self._refused_last = ("", "")
        self._refused_reported = 0
        self._refused_due_s = 0.0
        self._allowed: dict[str, Callable[[str], object]] = {}
        # Brings asyncio along, a good part of a client's start; and a client admits nobody.
        from cea_exchange.protocol.zap import Authenticator

        self._authenticator = Authenticator(context)
        self._authenticator.start()

    def allow(self, domain: str, allowed: Callable[[str], object]) -> None:
        """Admit to `domain` the keys (z85 text) for which `allowed` says True.

        A key for which it says `ELSEWHERE` loses this connection only: libzmq comes again by
        itself, and finds another server at the same address, or this one of another mind.

        `allowed` is called in the handler's thread, at each handshake; ``set.__contains__`` of a
        set that the caller changes later is a good choice. Whatever it raises refuses the key.
        """
        self._allowed[domain] = allowed
        self._authenticator.configure_curve_callback(domain, credentials_provider=self)

    def callback(self, domain: str, key: bytes) -> bool:
        """Say whether the key may connect (called by the authenticator)."""
        try:
            text = bytes(key).decode("ascii")
            is_allowed = self._allowed[domain](text)
            if is_allowed is True:
                return True
            self._authenticator.may_come_again = is_allowed is ELSEWHERE
            if is_allowed is ELSEWHERE:
                return False
            if text not in _own_strangers and text != self._own_stranger:
                self._refused_last = (domain, text)
                self.refused_count += 1
            return False
        except Exception:  # whatever goes wrong in here: refuse
            return False

    def refused_news(self, now_s: float) -> dict[str, int | str] | None:
        """Return how many were refused since the last news, and where and who came last.

        None if there were none, or the last news is too fresh: a flood of strangers must not fill
        the disk with log.
        """
        new = self.refused_count - self._refused_reported
        if not new or now_s < self._refused_due_s:
            return None
        self._refused_reported += new
        self._refused_due_s = now_s + REFUSED_NEWS_S
        socket, key = self._refused_last
        return {"count": new, "socket": socket, "key": key}

    @property
    def is_running(self) -> bool:
        """Whether the handler's thread answers."""
        return self._authenticator.is_alive()

    def close(self) -> None:
        """Stop the handler. Sockets bound by `server_socket` refuse everybody afterwards."""
        if self._authenticator.is_alive():
            self._authenticator.stop()


def server_socket(
    allow_list: AllowList,
    context: zmq.Context,
    kind: int,
    *,
    domain: str,
    keys: CurveKeys,
    address: str,
    descriptor: int | None = None,
    high_water_mark: int = 10_000,
    receive_mark: int | None = None,
    message_bytes_max: int = MESSAGE_BYTES_MAX,
) -> tuple[zmq.Socket, str]:
    """Bind a CURVE server that only admits the domain's keys.

    A peer that sends a message of more than `message_bytes_max` loses its connection. `descriptor`
    is a TCP socket that listens already; the server takes it over and binds nothing.
    `receive_mark` bounds the messages of a connection that wait to be taken, else `high_water_mark`
    does; 0 is no bound.

    Returns
    -------
    tuple of Socket and str
        The socket and the endpoint it is bound to (with the port the system chose).
    """
    if not allow_list.is_running:
        raise SecurityError("allow-list: its handler has stopped; nothing is bound")
    _router_ids_scatter()
    socket = context.socket(kind)
    socket.curve_server = True
    socket.curve_secretkey = keys.secret.encode()
    socket.zap_domain = domain.encode()
    socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)  # without effect after the bind
    socket.setsockopt(zmq.HANDSHAKE_IVL, 3_000)
    socket.setsockopt(zmq.BACKLOG, BACKLOG_COUNT)
    _socket_set(socket, high_water_mark, message_bytes_max)
    if receive_mark is not None:
        socket.rcvhwm = receive_mark
    if descriptor is not None:
        socket.setsockopt(zmq.USE_FD, descriptor)
    try:
        socket.bind(address)
    except zmq.ZMQError as error:
        socket.close()
        raise SecurityError(f"{domain}: can not bind {address}: {error}") from None
    return socket, socket.getsockopt_string(zmq.LAST_ENDPOINT)


def _router_ids_scatter() -> None:
    """Let the next ROUTER begin its routing ids where nobody can foresee it.

    libzmq takes the first from the C library's random numbers, which it never seeds, and counts on
    from there: the same ids in every process. A client may choose its own, and one that chooses a
    gone connection's gets what is still sent to it; one that chooses the next aborts the process.
    """
    ctypes.CDLL(None).srand(ctypes.c_uint(int.from_bytes(os.urandom(4), "little")))


def client_socket(
    context: zmq.Context,
    kind: int,
    *,
    keys: CurveKeys,
    server_key: str,
    high_water_mark: int = 10_000,
) -> zmq.Socket:
    """Return a CURVE client socket, not yet connected; no routing id is set on it.

    Raises
    ------
    TypeError, ValueError
        `server_key` is no key, or `keys` no pair whose halves belong together.
    """
    key_check(server_key, "server_key")
    pair_check(keys, "keys")
    socket = context.socket(kind)
    socket.curve_publickey = keys.public.encode()
    socket.curve_secretkey = keys.secret.encode()
    socket.curve_serverkey = server_key.encode()
    _socket_set(socket, high_water_mark)
    return socket


def _socket_set(
    socket: zmq.Socket, high_water_mark: int, message_bytes_max: int = MESSAGE_BYTES_MAX
) -> None:
    socket.linger = 0
    socket.sndhwm = high_water_mark
    socket.rcvhwm = high_water_mark
    socket.setsockopt(zmq.MAXMSGSIZE, message_bytes_max + CURVE_BYTES_MAX)
    # The kernel finds the connections that are gone, and never libzmq's own heartbeat: where its
    # ping falls due on a broken connection whose messages filled the queue, libzmq 4.3.5 aborts
    # the process. Whether somebody is silent is asked above, by session and feed.
    socket.setsockopt(zmq.TCP_KEEPALIVE, 1)
    socket.setsockopt(zmq.TCP_KEEPALIVE_IDLE, 5)
    socket.setsockopt(zmq.TCP_KEEPALIVE_INTVL, 1)
    socket.setsockopt(zmq.TCP_KEEPALIVE_CNT, 5)
    socket.setsockopt(zmq.TCP_MAXRT, 10_000)


def monitor_event(monitor: zmq.Socket) -> int:
    """Return the next event that a socket's monitor tells of, a ``zmq.EVENT_``.

    zmq's own reader brings asyncio along, a good part of a client's start.
    """
    event: int = struct.unpack_from("=H", monitor.recv_multipart()[0])[0]
    return event


def refuses_strangers(
    endpoint: str,
    server_key: str,
    *,
    kind: int = zmq.DEALER,
    timeout_ms: int = 15_000,
    stranger_keys: CurveKeys | None = None,
) -> None:
    """Prove that a bound socket refuses a key nobody knows.

    Parameters
    ----------
    endpoint, server_key
        The socket and its owner's public key.
    kind
        What connects to it: ``zmq.SUB`` where the server is a PUB.
    timeout_ms
        How long the refusal may take.
    stranger_keys
        A pair that nobody knows; a fresh one if left out.

    Raises
    ------
    StrangerAdmitted
        The stranger got in.
    SecurityError
        It was not refused in time.
    """
    context = zmq.Context()
    keys = stranger_keys or CurveKeys.new()
    _own_strangers.add(keys.public)
    stranger = client_socket(context, kind, keys=keys, server_key=server_key)
    events = (
        zmq.EVENT_HANDSHAKE_SUCCEEDED
        | zmq.EVENT_HANDSHAKE_FAILED_AUTH
        | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
        | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    )
    monitor = stranger.get_monitor_socket(events)
    try:
        stranger.connect(endpoint)
        until = time.monotonic() + timeout_ms / 1000
        while (left_ms := int((until - time.monotonic()) * 1000)) > 0:
            if not monitor.poll(left_ms):
                break
            event = monitor_event(monitor)
            if event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
                return
            if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                raise StrangerAdmitted(f"{endpoint}: admitted a random key")
        raise SecurityError(f"{endpoint}: a random key was not refused within {timeout_ms} ms")
    finally:
        _own_strangers.discard(keys.public)
        stranger.disable_monitor()
        monitor.close(linger=0)
        context.destroy(linger=0)


class StrangerTest:
    """Proves at every socket of a daemon, now and then beside its loop, that strangers are refused.

    Parameters
    ----------
    server_key
        The daemon's public key.
    period_s
        From one proof to the next.

    Attributes
    ----------
    key : str
        The public key of the stranger.
    """

    def __init__(self, server_key: str, *, period_s: float = 60.0) -> None:
        self._server_key = server_key
        self._period_s = period_s
        self._stranger_keys = CurveKeys.new()
        self.key = self._stranger_keys.public
        self._sockets: list[tuple[str, int]] = []
        self._due_s = time.monotonic() + period_s
        self._helper = ThreadPoolExecutor(1, thread_name_prefix="stranger-test")
        self._running: Future[None] | None = None

    def add(self, endpoint: str, kind: int) -> None:
        """Prove it of a bound socket at once, and from now on with the others.

        Raises as `refuses_strangers` does; `kind` is the socket's own (``zmq.ROUTER``, ...).
        """
        stranger = zmq.SUB if kind == zmq.PUB else zmq.DEALER
        refuses_strangers(
            endpoint, self._server_key, kind=stranger, stranger_keys=self._stranger_keys
        )
        self._sockets.append((endpoint, stranger))

    def turn(self, now_s: float) -> BaseException | None:
        """Start a proof if one is due; return why the last one could not be finished.

        Raises
        ------
        StrangerAdmitted
            A socket lets strangers in; the daemon had better end.
        """
        trouble = None
        if self._running is not None and self._running.done():
            trouble = self._running.exception()
            self._running = None
            if isinstance(trouble, StrangerAdmitted):
                raise trouble
        if self._running is None and now_s >= self._due_s:
            self._due_s = now_s + self._period_s
            self._running = self._helper.submit(self._prove)
        return trouble

    def close(self) -> None:
        """Wait for a proof under way, and start none any more."""
        self._helper.shutdown(wait=True)

    def _prove(self) -> None:
        for endpoint, stranger in self._sockets:
            refuses_strangers(
                endpoint, self._server_key, kind=stranger, stranger_keys=self._stranger_keys
            )
