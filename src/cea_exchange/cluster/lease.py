"""Holds the leader's lease, or watches it; in the connection's loop, beside what its owner does.

Each writing of the record needs the revision before, so two never hold it. It is for liveness only:
who holds it may stand for the next epoch, and the log decides.
"""

import asyncio
import base64
import math
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import msgspec
import nats.errors
import structlog
from nats.aio.msg import Msg
from nats.js import api

from cea_exchange.cluster.config import ClusterConfig
from cea_exchange.cluster.connection import LogConnection
from cea_exchange.cluster.errors import LogUnreachable
from cea_exchange.cluster.leader import LEADER_KEY, LeaderRecord, leader_decode, leader_encode
from cea_exchange.cluster.presence import is_absent, listen

RENEWALS_PER_LEASE = 5
WRITE_S_MAX = 1.0
ABSENT_S = 0.3
"""A leader whose connection to the log is gone comes back sooner, or its process has ended."""
RENEWALS_MISSED = 2
"""Who renews is there, though nobody hears it: a link between the log's nodes may be cut."""
LATE_S = 0.3
"""A bucket that has not answered by then may be electing: whoever leads is asked for himself."""
_NO_MESSAGE, _NO_STREAM = 10037, 10059
_WRONG_LAST_SEQUENCE = frozenset({10071, 10164})
_DELETED = frozenset({"DEL", "PURGE"})

log = structlog.get_logger("cluster")


class _Held(msgspec.Struct, frozen=True):
    """What the bucket has."""

    revision: int
    record: LeaderRecord | None


class Lease:
    """The lease as one node sees it.

    Parameters
    ----------
    connection
        Open; the caller's to close, after this.
    is_stuck
        Says of this node while it leads whether it can't go on: then the lease runs out.

    Attributes
    ----------
    led_by : str
        Who leads by the log's last epoch record; set by `led`.
    """

    def __init__(
        self, connection: LogConnection, is_stuck: Callable[[], bool] = lambda: False
    ) -> None:
        self.led_by = ""
        self._is_stuck = is_stuck
        self._connection = connection
        self._config: ClusterConfig = connection.config
        self._wanted: LeaderRecord | None = None
        self._revision = 0
        self._seen = _Held(0, None)
        self._changed_s = time.monotonic()
        self._led_s = -math.inf
        """When it was heard who leads: he has as long as a lease to take it."""
        self._silence_s = 0.0
        """How long it had not been renewed when it was last looked at."""
        self._is_lost = False
        self._asked_s: float | None = None
        self._why = ""
        self._turn = asyncio.Lock()
        """One writes or looks at a time: the revision is of the last."""
        self._absent_since_s: float | None = None
        self._renewed_s = -math.inf
        """When somebody was last seen to have written it: who leads, or stands."""
        self._going_on: list[Future[None]] = [
            connection.begin(self._keep()), connection.begin(self._call_on()),
        ]

    @property
    def leader(self) -> LeaderRecord | None:
        """Who was seen to lead last, if anybody."""
        return self._seen.record

    @property
    def is_lost(self) -> bool:
        """Whether another holds it that this node held."""
        return self._is_lost

    def is_free(self) -> bool:
        """Whether nobody has renewed it for as long as it lasts, or its holder is not there."""
        lease_s = self._config.lease_s
        is_silent = self._silence_s > lease_s and time.monotonic() - self._led_s > lease_s
        return self._is_absent or is_silent

    @property
    def _is_absent(self) -> bool:
        """Whether the leader's process is not connected to the log, and nobody renews the lease."""
        since_s, now_s = self._absent_since_s, time.monotonic()
        renewal_s = self._config.lease_s / RENEWALS_PER_LEASE
        is_silent = now_s - self._renewed_s > RENEWALS_MISSED * renewal_s
        return since_s is not None and now_s - since_s > ABSENT_S and is_silent

    @property
    def _is_late(self) -> bool:
        """Whether the bucket leaves a question without an answer."""
        asked_s = self._asked_s
        return asked_s is not None and time.monotonic() - asked_s > LATE_S

    def led(self, node: str) -> None:
        """Take note of who leads from here on; what was found out is of the one before."""
        self.led_by, self._absent_since_s = node, None
        self._led_s = time.monotonic()

    def stand(self) -> bool:
        """Take the lease without an epoch, so that others need not stand; say whether it is.

        Where the bucket elects, as after the loss of one of the log's nodes, nobody can take it.
        The log may be there all the same: then whoever's leader is gone may stand without.
        """
        record = LeaderRecord(node=self._config.node, epoch=0)
        if not self._is_late:
            try:
                taking = self._take(record, self._seen.revision)
                return self._connection.call(taking, 2 * WRITE_S_MAX)
            except LogUnreachable as error:
                log.warning("lease_not_taken", error=str(error))
        try:
            return self._is_absent and self._connection.call(self._has_log(), 2 * WRITE_S_MAX)
        except LogUnreachable:
            return False

    async def _has_log(self) -> bool:
        """Whether who leads the log's stream is there: only then can an epoch begin."""
        stream = f"STREAM.INFO.{self._config.stream}"
        return "error" not in await self._connection.look_up(stream)

    def hold(self, record: LeaderRecord) -> None:
        """Keep it from now on, with this record; it may be called again with another."""
        self._wanted = record
        self._connection.begin(self._answer_calls())
        self._connection.begin(self._renew_logged())

    def give_up(self) -> None:
        """Let it go: whoever stands next need not wait."""
        self._wanted = None
        try:
            self._connection.call(self._delete(), 2 * WRITE_S_MAX)
        except LogUnreachable as error:
            log.warning("lease_not_given_up", error=str(error))

    def close(self) -> None:
        """Stop renewing and watching."""
        self._wanted = None
        for each in self._going_on:
            each.cancel()

    async def _keep(self) -> None:
        tick_s = self._config.lease_s / RENEWALS_PER_LEASE
        while True:
            await asyncio.sleep(tick_s / 2 if self._wanted is None else tick_s)
            await self._renew_logged()

    async def _call_on(self) -> None:
        while True:
            await asyncio.sleep(self._config.lease_s / RENEWALS_PER_LEASE / 2)
            await self._call_logged()

    async def _call_logged(self) -> None:
        """Call the leader, whatever becomes of the bucket."""
        if self._wanted is not None:
            return
        try:
            await self._leader_call()
        except Exception as error:
            self._absent_since_s = None
            self._trouble("leader_not_called", str(error))

    async def _renew_logged(self) -> None:
        try:
            async with self._turn:
                if self._wanted is None:
                    await self._look()
                elif self._is_stuck():
                    self._trouble("lease_not_renewed", "the disk here does not answer")
                    return
                else:
                    await self._renew(self._wanted)
        except Exception as error:
            # Whatever the log says to it, the lease is looked after.
            # What was last seen is of no use after that: the silence may be the log's own.
            self._changed_s, self._silence_s = time.monotonic(), 0.0
            self._trouble("lease_unknown", str(error))
        else:
            self._why = ""

    def _trouble(self, event: str, why: str) -> None:
        """Log what is wrong, once for as long as it is."""
        if why != self._why:
            log.warning(event, error=why)
        self._why = why

    async def _look(self) -> _Held:
        self._asked_s = asked_s = time.monotonic()
        try:
            held, now_s = await self._read(), time.monotonic()
        finally:
            self._asked_s = None
        seen = self._seen.record
        if held.revision == 0 and seen is not None:
            # Nobody renewed it in time; while its bucket elects, nobody can.
            held = _Held(0, seen)
        elif held.revision != self._seen.revision:
            self._changed_s = now_s
            if held.record is not None:
                self._renewed_s = now_s
        # For as long as the bucket left the question without an answer nobody could renew it.
        self._changed_s += min(now_s - asked_s, now_s - self._changed_s)
        # Given up, or never taken: there is nobody to wait for.
        self._silence_s = math.inf if held.record is None else now_s - self._changed_s
        self._seen = held
        return held

    async def _leader_call(self) -> None:
        """Find out whether a leader's connection to the log is there: it ends with its process."""
        calls, wait_s = self._config.leader_presence(self.led_by), self._config.lease_s / 10
        # Of one who stands still the lease will tell.
        if not self.led_by or not await is_absent(self._connection, calls, wait_s):
            self._absent_since_s = None
        elif self._absent_since_s is None:
            self._absent_since_s = time.monotonic()

    async def _answer_calls(self) -> None:
        """Answer those who want to know whether this leader is there."""
        await listen(self._connection, self._config.leader_presence(self._config.node))
        await self._connection.answer(self._config.leader_subject, self._asked)

    async def _asked(self, message: Msg) -> None:
        """Say to whoever asks for the leader where this one is."""
        if self._wanted is not None:
            await message.respond(leader_encode(self._wanted))

    async def _take(self, record: LeaderRecord, seen_revision: int) -> bool:
        """Take it as it was when it was found free: whoever has come before its turn has it."""
        async with self._turn:
            revision = await self._write(leader_encode(record), seen_revision)
            if revision is None:
                await self._look()
                return False
            self._revision = revision
            return True

    async def _renew(self, record: LeaderRecord) -> None:
        revision = await self._write(leader_encode(record), self._revision)
        if revision is None:
            held = await self._look()
            other = held.record
            if other is not None and other.epoch > record.epoch:
                self._wanted, self._is_lost = None, True
                log.warning("lease_lost", leader=other.node, epoch=other.epoch)
                return
            revision = await self._write(leader_encode(record), held.revision)
        if revision is not None:
            self._revision = revision

    async def _delete(self) -> None:
        async with self._turn:
            await self._write(b"", self._revision, {"KV-Operation": "DEL"})

    async def _write(
        self, value: bytes, revision: int, headers: dict[str, str] | None = None
    ) -> int | None:
        """Write the record behind a revision; None if that is not the last any more."""
        asked = {api.Header.EXPECTED_LAST_SUBJECT_SEQUENCE.value: str(revision), **(headers or {})}
        try:
            answer = await self._connection.request(
                f"$KV.{self._config.lease_bucket}.{LEADER_KEY}",
                value,
                min(WRITE_S_MAX, self._config.lease_s / 2),
                asked,
            )
        except (TimeoutError, OSError, nats.errors.Error) as error:
            raise LogUnreachable(f"the lease can't be written: {error}") from error
        decoded: dict[str, Any] = msgspec.json.decode(answer.data)
        fault = decoded.get("error")
        if fault is None:
            return int(decoded["seq"])
        if fault.get("err_code") in _WRONG_LAST_SEQUENCE:
            return None
        raise LogUnreachable(f"the lease can't be written: {fault.get('description')}")

    async def _read(self) -> _Held:
        return await _record_read(self._connection)


async def _record_read(connection: LogConnection) -> _Held:
    config = connection.config
    subject = f"$KV.{config.lease_bucket}.{LEADER_KEY}"
    answer = await connection.look_up(
        f"STREAM.MSG.GET.KV_{config.lease_bucket}", {"last_by_subj": subject}
    )
    error = answer.get("error")
    if error is not None:
        if error.get("err_code") in (_NO_MESSAGE, _NO_STREAM):
            return _Held(0, None)
        raise LogUnreachable(f"the lease can't be read: {error.get('description')}")
    message = answer["message"]
    headers = base64.b64decode(message.get("hdrs", "")).decode(errors="replace")
    operation = [line.partition(":")[2].strip() for line in headers.splitlines()
                 if line.startswith("KV-Operation:")]
    if _DELETED.intersection(operation):
        return _Held(message["seq"], None)
    return _Held(message["seq"], leader_decode(base64.b64decode(message.get("data", ""))))


async def _leader_record(connection: LogConnection) -> LeaderRecord | None:
    """Return the bucket's record; of one that does not answer at once the leader's own word."""
    reading = asyncio.ensure_future(_record_read(connection))
    try:
        await asyncio.wait({reading}, timeout=LATE_S)
        is_late = not reading.done() or reading.exception() is not None
        asked = await _leader_asked(connection) if is_late else None
        return asked or (await reading).record
    finally:
        reading.cancel()


async def _leader_asked(connection: LogConnection) -> LeaderRecord | None:
    """Ask for whoever leads; None if nobody answers."""
    try:
        answer = await connection.client.request(
            connection.config.leader_subject, b"", timeout=LATE_S
        )
        return leader_decode(answer.data)
    except (TimeoutError, OSError, nats.errors.Error, msgspec.DecodeError):
        return None


def leader_read(connection: LogConnection) -> LeaderRecord | None:
    """Return who leads, as the lease or the leader says; None if nobody does.

    Raises
    ------
    LogUnreachable
        Nobody answers.
    """
    return connection.call(_leader_record(connection), WRITE_S_MAX * 3)
