"""A connection to the log's nodes, for callers that do not wait in a loop of their own.

nats-py is asyncio: its loop runs in a thread of its own, which alone touches the connection.
"""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import CancelledError, Future
from pathlib import Path
from typing import Any, Self, TypeVar

import msgspec
import nats
import nats.errors
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext

from cea_exchange.cluster.config import ClusterConfig
from cea_exchange.cluster.errors import ClusterRefused, LogUnreachable, UserRefused
from cea_exchange.protocol.settings import ConfigError

CONNECT_S_MAX = 10.0
ANSWER_S_MAX = 2.0
ASKED_AGAIN_S = 0.25
"""What is looked up while the log's nodes elect may never be answered: it is sent again."""
ISOLATED_S_MAX = 10.0
"""A node that has brought no answer for so long, longer than any election, is left for another."""
RECONNECT_WAIT_S = 0.1
PING_S = 1
PINGS_UNANSWERED_MAX = 2
PENDING_BYTES_MAX = 64 << 20
_USER_REFUSED = ("authorization violation", "authentication")
_REFUSED = (*_USER_REFUSED, "certificate", "tls")
_DENIED = "permissions violation"
_LEADERLESS = b'"err_code":10008'
"""A node's word for: whoever could answer is not to be reached."""

Answer = TypeVar("Answer")
log = structlog.get_logger("cluster")


class LogConnection:
    """A connection that comes back by itself, to whichever of the log's nodes answers.

    Parameters
    ----------
    config
        The settings.
    data
        The folder that relative names of files are in.

    Raises
    ------
    ClusterRefused
        The log's nodes do not take this user or certificate, or a file of these can't be read.
    LogUnreachable
        None of them answers within CONNECT_S_MAX.
    """

    def __init__(self, config: ClusterConfig, data: Path) -> None:
        self.config = config
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="log", daemon=True)
        self._thread.start()
        self._data = data
        self._client: Client | None = None
        self._is_closing = self._is_ended = False
        self._denied = ""
        self._unanswered_since_s: float | None = None
        self._answered: dict[str, Callable[[Msg], Awaitable[None]]] = {}
        try:
            self._client = self.call(self._connect(), CONNECT_S_MAX + ANSWER_S_MAX)
        except BaseException:
            self._loop_end()
            raise

    @property
    def client(self) -> Client:
        """Of nats-py; for coroutines that run in the connection's loop."""
        assert self._client is not None
        return self._client

    @property
    def stream(self) -> JetStreamContext:
        """JetStream over it, likewise."""
        return self.client.jetstream(timeout=ANSWER_S_MAX)

    @property
    def is_connected(self) -> bool:
        """Whether a node of the log answers now."""
        return self._client is not None and self._client.is_connected

    @property
    def denied(self) -> str:
        """What the log's nodes did not let this user do, last; empty if nothing.

        They give no answer to it, so that who asked has waited in vain.
        """
        return self._denied

    def begin(self, work: Coroutine[Any, Any, Answer]) -> "Future[Answer]":
        """Let a coroutine run in the connection's loop; LogUnreachable once that has ended."""
        if self._is_ended:
            work.close()
            raise LogUnreachable("the connection to the log was closed")
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def call(self, work: Coroutine[Any, Any, Answer], wait_s_max: float) -> Answer:
        """Let a coroutine run in the connection's loop, and return what it returns.

        Raises
        ------
        LogUnreachable
            It took longer.
        """
        future = self.begin(work)
        try:
            return future.result(wait_s_max)
        except TimeoutError:
            future.cancel()
            raise LogUnreachable(f"the log did not answer within {wait_s_max:g} s") from None
        except CancelledError:
            raise LogUnreachable("the connection to the log was closed") from None

    async def request(
        self, subject: str, data: bytes, timeout_s: float, headers: dict[str, str] | None = None
    ) -> Msg:
        """Send a request, and return its answer; raises as nats-py does.

        A node of the log may be cut off from the others and not from here: it is left for another.
        """
        try:
            answer = await self.client.request(subject, data, timeout=timeout_s, headers=headers)
        except (TimeoutError, nats.errors.Error):
            await self._unanswered()
            raise
        if _LEADERLESS in answer.data:
            await self._unanswered()
        else:
            self._unanswered_since_s = None
        return answer

    async def _unanswered(self) -> None:
        """Note that the node brought no answer; leave it where it has not for long."""
        now_s = time.monotonic()
        if self._unanswered_since_s is None:
            self._unanswered_since_s = now_s
        elif now_s - self._unanswered_since_s > ISOLATED_S_MAX and self.is_connected:
            self._unanswered_since_s = now_s
            place = self.client.connected_url
            log.warning("log_node_left", node="" if place is None else place.netloc)
            await self.client.force_reconnect()

    async def ask(self, subject: str, request: Any = None) -> dict[str, Any]:
        """Ask JetStream's interface once, and return its answer, an error among them.

        Raises
        ------
        LogUnreachable
            Nobody answers, or not in time.
        """
        return await self._asked(subject, request, again_s=None)

    async def look_up(self, subject: str, request: Any = None) -> dict[str, Any]:
        """As `ask`, of what changes nothing: it is sent again until it is answered."""
        return await self._asked(subject, request, again_s=ASKED_AGAIN_S)

    async def _asked(self, subject: str, request: Any, again_s: float | None) -> dict[str, Any]:
        data = b"" if request is None else msgspec.json.encode(request)
        try:
            answer = await reachable(self._answer, f"$JS.API.{subject}", data, again_s)
        except LogUnreachable as error:
            if not self._denied:
                raise
            who = f"user {self.config.user} at cluster {self.config.name}"
            raise LogUnreachable(f"{error}; it refuses {who}: {self._denied}") from error
        decoded: dict[str, Any] = msgspec.json.decode(answer.data)
        return decoded

    async def _answer(self, subject: str, data: bytes, again_s: float | None) -> Msg:
        """Return the first answer to a request, however often it was sent."""
        deadline_s = time.monotonic() + ANSWER_S_MAX
        sent: set[asyncio.Task[Msg]] = set()
        try:
            while True:
                left_s = max(0.0, deadline_s - time.monotonic())
                sent.add(asyncio.create_task(self.request(subject, data, left_s)))
                done, _ = await asyncio.wait(
                    sent, timeout=again_s, return_when=asyncio.FIRST_COMPLETED
                )
                if done:
                    # One may have been answered as another's time was over.
                    return min(done, key=lambda each: each.exception() is not None).result()
        finally:
            for each in sent:
                each.cancel()
            await asyncio.gather(*sent, return_exceptions=True)

    async def answer(self, subject: str, answered: Callable[[Msg], Awaitable[None]]) -> None:
        """Let a coroutine answer what is asked on a subject, until the connection is closed."""
        if subject not in self._answered:
            self._answered[subject] = answered
            await self._listen(subject)

    async def _listen(self, subject: str) -> None:
        try:
            await self.client.subscribe(subject, cb=self._answered[subject])
        except (OSError, nats.errors.Error) as error:
            # The client was just closed; the one that comes after it listens.
            log.warning("not_listened", subject=subject, error=str(error))

    def close(self) -> None:
        """End the connection and its thread."""
        if self._is_closing:
            return
        self._is_closing = True
        if self._client is not None:
            try:
                self.call(self._client.close(), ANSWER_S_MAX)
            except (LogUnreachable, nats.errors.Error, OSError) as error:
                log.warning("log_close", error=str(error))
        self._loop_end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    async def _connect(self) -> Client:
        config, refusals = self.config, list[str]()
        try:
            secret = config.secret(self._data)
            tls = config.tls(self._data)
        except ConfigError as error:
            raise ClusterRefused(f"cluster: {error}") from error

        is_refused = asyncio.Event()

        async def failed(error: Exception) -> None:
            refusals.append(str(error) or type(error).__name__)
            if _DENIED in refusals[-1].lower():
                self._denied = refusals[-1]
            if any(word in refusals[-1].lower() for word in _REFUSED):
                is_refused.set()

        async def reconnected() -> None:
            place = client.connected_url
            log.info("log_reconnected", node="" if place is None else place.netloc)

        async def disconnected() -> None:
            if not self._is_closing:
                log.warning("log_disconnected")

        async def closed() -> None:
            # nats-py gives up at some words of a server; a daemon does not end for them.
            if client is self._client and not self._is_closing:
                log.error("log_connection_closed", error=str(client.last_error))
                self._again = asyncio.create_task(self._connect_again())

        client = Client()
        # Each of the log's users may hear only what is answered to himself.
        user: dict[str, Any] = {} if config.user is None else {
            "user": config.user, "password": secret, "inbox_prefix": f"_INBOX_{config.user}",
        }
        connecting = asyncio.ensure_future(
            client.connect(
                list(config.log_nodes),
                name=config.node,
                error_cb=failed,
                reconnected_cb=reconnected,
                disconnected_cb=disconnected,
                closed_cb=closed,
                connect_timeout=2,
                reconnect_time_wait=RECONNECT_WAIT_S,  # type: ignore[arg-type]
                max_reconnect_attempts=-1,
                ping_interval=PING_S,
                max_outstanding_pings=PINGS_UNANSWERED_MAX,
                pending_size=PENDING_BYTES_MAX,
                tls=tls,
                **user,
            )
        )
        refusing = asyncio.ensure_future(is_refused.wait())
        await asyncio.wait(
            {connecting, refusing}, timeout=CONNECT_S_MAX, return_when=asyncio.FIRST_COMPLETED
        )
        refusing.cancel()
        if connecting.done() and connecting.exception() is None:
            return client
        if connecting.done():
            refusals.append(str(connecting.exception()))
        # It would try again for ever.
        connecting.cancel()
        await client.close()
        raise self._refusal(refusals, is_refused=is_refused.is_set())

    def _refusal(self, refusals: list[str], *, is_refused: bool) -> Exception:
        """Return why an attempt ended without a connection."""
        said = "; ".join(dict.fromkeys(refusals)) or f"no answer within {CONNECT_S_MAX:g} s"
        nodes = ", ".join(self.config.log_nodes)
        if not is_refused:
            return LogUnreachable(f"no node of the log answers at {nodes}: {said}")
        is_user = any(word in said.lower() for word in _USER_REFUSED)
        refused = UserRefused if is_user else ClusterRefused
        return refused(f"the log at {nodes} refuses {self.config.user or 'nobody'}: {said}")

    async def _connect_again(self) -> None:
        while not self._is_closing:
            await asyncio.sleep(RECONNECT_WAIT_S)
            try:
                self._client = await self._connect()
            except (ClusterRefused, LogUnreachable) as error:
                log.error("log_not_reached", error=str(error))
            else:
                for subject in list(self._answered):
                    await self._listen(subject)
                return

    def _loop_end(self) -> None:
        """End the loop; nothing that nats-py or anybody has begun in it is left half done."""
        ending = asyncio.run_coroutine_threadsafe(_others_end(), self._loop)
        self._is_ended = True
        try:
            ending.result(ANSWER_S_MAX)
        except TimeoutError:
            log.warning("log_close", error=f"something goes on after {ANSWER_S_MAX:g} s")
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(ANSWER_S_MAX)
        if not self._thread.is_alive():
            self._loop.close()


async def _others_end() -> None:
    """Cancel whatever else is under way in this loop, and wait for its end."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


async def reachable(
    asked: Callable[..., Awaitable[Answer]], *arguments: Any, **named: Any
) -> Answer:
    """Ask something of nats-py; whatever says that nobody answers is LogUnreachable."""
    try:
        return await asked(*arguments, **named)
    except (TimeoutError, OSError) as error:
        raise LogUnreachable("the log did not answer in time") from error
    except nats.errors.Error as error:
        if isinstance(error, nats.js.errors.APIError):
            raise
        raise LogUnreachable(f"the log can't be asked: {error}") from error
