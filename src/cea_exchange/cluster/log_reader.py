"""Follows the log: every message once and in order, as soon as the log has it.

A consumer of JetStream lives on one of the log's nodes and ends with it, silently. So whoever gets
nothing looks where the log ends, and where there is more he begins a consumer anew. That needs a
leader of all log nodes, who may be the very one that is gone: until there is another, which takes
as long as an election, what comes is read message by message from whoever leads the log itself.

A consumer passes over what its node can't read. The log's leader is asked for that; what he has not
either, though he has more, is missing.
"""

import asyncio
import contextlib
import time
from typing import Any

import msgspec
import nats.errors
import structlog
from nats.aio.client import Client
from nats.aio.subscription import Subscription

from cea_exchange.cluster.connection import LogConnection
from cea_exchange.cluster.errors import LogDamaged, LogUnreachable
from cea_exchange.cluster.log_message import LogMessage, message_decode
from cea_exchange.cluster.replicated_log import log_info, message_bytes

MESSAGES_ASKED = 256
MESSAGES_READ = 32
"""So many are read one by one before a consumer is looked for again."""
BYTES_ASKED = 16 << 20
ASKED_S = 5.0
SILENCE_S_MAX = 1.0
"""After so long without a message the log is asked where it ends."""
CONSUMER_S = 30
NO_RESPONDERS = "503"
CONSUMER_YOUNG_S, CONSUMER_WAIT_S = 0.5, 0.02
CONSUMER_EACH_S = 1.0
"""Who got nothing by a consumer waits so long before the next: the log has room for some hundreds,
and one that is left lives for CONSUMER_S."""
MISSING_S_MAX = 5.0
"""A message before the log's end is not there for so long: a new leader may come to it yet."""

log = structlog.get_logger("cluster")


class LogReader:
    """Reads the log from a place on.

    Parameters
    ----------
    connection
        Open; the caller's to close.
    next_log_seq
        The first message to be read.

    Attributes
    ----------
    last_log_seq : int
        Where the log ended when it was last looked at.
    """

    def __init__(self, connection: LogConnection, next_log_seq: int) -> None:
        self._connection = connection
        self._next_log_seq = next_log_seq
        self._client: Client | None = None
        self._messages: Subscription | None = None
        self._beginning: asyncio.Task[None] | None = None
        self._why_not_begun = ""
        self._ask_subject = ""
        self._asked = 0
        self._asked_until_s = 0.0
        self._begun_s = self._heard_s = time.monotonic()
        self._is_fruitless = False
        self._missing, self._missing_since_s = 0, 0.0
        self.last_log_seq = next_log_seq - 1

    def take(self, wait_s: float) -> list[LogMessage]:
        """Return the messages that have come; wait for the first, but no longer than `wait_s`.

        Raises
        ------
        LogUnreachable
            Nobody answers. It may be called again.
        LogDamaged
            A message is not as it was written, or missing.
        """
        raw = self._connection.call(self._take(wait_s), wait_s + 15)
        return [message_decode(log_seq, data) for log_seq, data in raw]

    def close(self) -> None:
        """Drop the consumer."""
        with contextlib.suppress(LogUnreachable):
            self._connection.call(self._drop(), 2.0)

    async def _take(self, wait_s: float) -> list[tuple[int, bytes]]:
        found: list[tuple[int, bytes]] = []
        deadline_s = time.monotonic() + wait_s
        if not await self._is_begun(wait_s):
            return await self._read_on()
        await self._ask()
        while len(found) < MESSAGES_ASKED:
            left_s = 0.0 if found else max(0.0, deadline_s - time.monotonic())
            message = await self._next(left_s)
            if message is None:
                break
            status = None if message.headers is None else message.headers.get("Status")
            if status is not None:
                # The request has ended: by time, or as it had as many bytes as it may.
                self._asked = 0
                if status == NO_RESPONDERS:
                    if not await self._is_coming():
                        break
                elif status not in ("404", "408", "409"):
                    log.warning("log_consumer", status=status)
                await self._ask()
                continue
            log_seq = await self._log_seq(message)
            self._asked -= 1
            if log_seq < self._next_log_seq:
                continue
            if log_seq > self._next_log_seq:
                await self._drop()
                return found or await self._read_on()
            self._heard_s, self._is_fruitless = time.monotonic(), False
            self._next_log_seq += 1
            found.append((log_seq, message.data))
        self.last_log_seq = max(self.last_log_seq, self._next_log_seq - 1)
        if not found and time.monotonic() - self._heard_s > SILENCE_S_MAX:
            await self._look()
        return found

    async def _is_begun(self, wait_s: float) -> bool:
        """Say whether there is a consumer; one is begun, and waited for no longer than `wait_s`."""
        if self._messages is not None and self._client is self._connection.client:
            return True
        if self._beginning is None:
            self._beginning = asyncio.create_task(self._begin())
        done, _ = await asyncio.wait({self._beginning}, timeout=max(wait_s, CONSUMER_WAIT_S))
        if not done:
            return False
        beginning, self._beginning = self._beginning, None
        error = beginning.exception()
        if error is None:
            return True
        if not isinstance(error, LogUnreachable):
            raise error
        if str(error) != self._why_not_begun:
            log.warning("log_consumer_not_begun", error=str(error))
        self._why_not_begun = str(error)
        await asyncio.sleep(CONSUMER_WAIT_S)
        return False

    async def _read_on(self) -> list[tuple[int, bytes]]:
        """Read what the log has more, a few messages of it."""
        await self._end_find()
        found: list[tuple[int, bytes]] = []
        while self._next_log_seq <= self.last_log_seq and len(found) < MESSAGES_READ:
            try:
                data = await message_bytes(self._connection, self._next_log_seq)
            except LogUnreachable:
                if not found:
                    raise
                break
            if data is None:
                if not found:
                    self._missing_note()
                break
            found.append((self._next_log_seq, data))
            self._next_log_seq += 1
        return found

    def _missing_note(self) -> None:
        """Note that the next message is behind the log's end and not there; LogDamaged in time."""
        now_s = time.monotonic()
        if self._missing != self._next_log_seq:
            self._missing, self._missing_since_s = self._next_log_seq, now_s
        elif now_s - self._missing_since_s > MISSING_S_MAX:
            raise LogDamaged(
                self._missing,
                f"it is missing, and the log has {self.last_log_seq}: it was cut, or a copy of it"
                " is damaged",
            )

    async def _is_coming(self) -> bool:
        """Wait for a consumer that nobody knows: begun just now it will be; else it has ended."""
        if time.monotonic() - self._begun_s > CONSUMER_YOUNG_S:
            await self._drop()
            return False
        await asyncio.sleep(CONSUMER_WAIT_S)
        return True

    async def _log_seq(self, message: Any) -> int:
        try:
            return int(message.metadata.sequence.stream)
        except (nats.errors.Error, ValueError) as error:
            await self._drop()
            raise LogUnreachable(f"no message of the log came: {error}") from error

    async def _next(self, wait_s: float) -> Any:
        assert self._messages is not None
        queue = self._messages._pending_queue
        if wait_s <= 0.0 and queue.empty():
            # What was received already is put there by the loop's next turn.
            await asyncio.sleep(0)
            if queue.empty():
                return None
        try:
            return await self._messages.next_msg(max(wait_s, 0.001))
        except (TimeoutError, nats.errors.TimeoutError):
            return None
        except nats.errors.Error as error:
            await self._drop()
            raise LogUnreachable(f"the log can't be followed: {error}") from error

    async def _begin(self) -> None:
        """Begin a consumer that starts at the next message."""
        await self._drop()
        if self._is_fruitless:
            await asyncio.sleep(self._begun_s + CONSUMER_EACH_S - time.monotonic())
        client, stream = self._connection.client, self._connection.config.stream
        wanted = {
            "stream_name": stream,
            "config": {
                "deliver_policy": "by_start_sequence",
                "opt_start_seq": self._next_log_seq,
                "ack_policy": "none",
                "replay_policy": "instant",
                "mem_storage": True,
                "num_replicas": 1,
                "inactive_threshold": CONSUMER_S * 10**9,
            },
        }
        answer = await self._connection.ask(f"CONSUMER.CREATE.{stream}", wanted)
        if "error" in answer:
            raise LogUnreachable(f"the log can't be followed: {answer['error']['description']}")
        self._ask_subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{answer['name']}"
        inbox = client.new_inbox()
        try:
            self._messages = await client.subscribe(
                inbox, pending_msgs_limit=-1, pending_bytes_limit=-1
            )
        except (nats.errors.Error, OSError) as error:
            raise LogUnreachable(f"the log can't be followed: {error}") from error
        self._inbox, self._client, self._asked = inbox, client, 0
        self._begun_s = self._heard_s = time.monotonic()
        self._is_fruitless = True

    async def _ask(self) -> None:
        """Have a request for messages outstanding, before the last one is used up."""
        now_s = time.monotonic()
        if self._asked > 0 and now_s < self._asked_until_s:
            return
        assert self._client is not None
        request = {
            "batch": MESSAGES_ASKED,
            "max_bytes": BYTES_ASKED,
            "expires": int(ASKED_S * 1e9),
        }
        try:
            await self._client.publish(
                self._ask_subject, msgspec.json.encode(request), reply=self._inbox
            )
        except (nats.errors.Error, OSError) as error:
            await self._drop()
            raise LogUnreachable(f"the log can't be followed: {error}") from error
        self._asked, self._asked_until_s = MESSAGES_ASKED, now_s + ASKED_S + 1

    async def _look(self) -> None:
        """Look where the log ends; if there is more than was heard, begin anew."""
        await self._end_find()
        if self.last_log_seq >= self._next_log_seq:
            await self._drop()

    async def _end_find(self) -> None:
        """Find out where the log ends."""
        self._heard_s = time.monotonic()
        info = await log_info(self._connection)
        if info is None:
            raise LogUnreachable(f"stream {self._connection.config.stream} is not there")
        self.last_log_seq = max(self.last_log_seq, info.last_log_seq)

    async def _drop(self) -> None:
        beginning = self._beginning
        if beginning is not None and beginning is not asyncio.current_task():
            beginning.cancel()
            self._beginning = None
        messages, self._messages = self._messages, None
        if messages is not None:
            with contextlib.suppress(nats.errors.Error, OSError):
                await messages.unsubscribe()
