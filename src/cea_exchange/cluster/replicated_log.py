"""The log on JetStream: fenced appending until the outcome is definite, and reading.

    append(expected, id, bytes) -> Acked | Fenced | Unknown

The log takes a message only if the one before it has the expected number. A message of which nobody
knows whether it was taken is sent again, the same bytes with the same id, until somebody does.
"""

import asyncio
import base64
import time
from concurrent.futures import Future
from datetime import datetime
from enum import Enum
from typing import Any, NamedTuple

import msgspec
import nats.errors
import structlog
from nats.js import api

from cea_exchange.cluster.config import ClusterConfig
from cea_exchange.cluster.connection import ANSWER_S_MAX, LogConnection, reachable
from cea_exchange.cluster.errors import ClusterRefused, LogDamaged, LogUnreachable
from cea_exchange.cluster.log_message import LogMessage, message_decode

DUPLICATE_WINDOW_S = 120
"""For so long the log knows a message's id, and answers it with its first number."""
OUTCOME_S_MAX = 60.0
"""For so long an unknown outcome is asked for: well under the window, beyond any election."""
ATTEMPT_S_MAX = 1.0
RETRY_WAIT_S = 0.02
RETRY_WAIT_S_MAX = 0.2
CALL_S_MAX = 15.0
MESSAGE_ROOM_BYTES = 8 << 20
LOG_WAIT_S_MAX = 30.0
_WRONG_LAST_SEQUENCE = frozenset({10071, 10164})
_NO_STREAM, _NO_MESSAGE = 10059, 10037

log = structlog.get_logger("cluster")


class Outcome(Enum):
    """What became of a message."""

    ACKED = "acked"
    """it is in the log where it was expected to be"""
    FENCED = "fenced"
    """another message is there; this one never will be"""
    UNKNOWN = "unknown"
    """nobody could be asked in time"""


class LogInfo(NamedTuple):
    """Where the log stands, as its leader says."""

    first_log_seq: int
    last_log_seq: int
    bytes: int
    now_ns: int
    """By the clock of the node that answered, since 1970."""
    leader: str
    """Of the log's own nodes."""
    replicas: tuple[dict[str, Any], ...]
    """The others: name, current, lag."""


class ReplicatedLog:
    """The stream that is one venue's journal. One thread calls it.

    Parameters
    ----------
    connection
        Open; the caller's to close.
    """

    def __init__(self, connection: LogConnection) -> None:
        self.connection = connection
        self.config = connection.config

    # -- Appending ------------------------------------------------------------------------------

    def append_begin(self, expected: int, message_id: str, data: bytes) -> "Future[Outcome]":
        """Begin to append behind message `expected`; the outcome is there when it is definite.

        Parameters
        ----------
        expected
            The number of the log's last message; this one is to have the next.
        message_id
            By which the log knows it again.
        data
            A whole message.
        """
        return self.connection.begin(self._append(expected, message_id, data))

    def append(self, expected: int, message_id: str, data: bytes) -> Outcome:
        """Append behind message `expected`, and return what became of it."""
        return self.append_begin(expected, message_id, data).result()

    async def _append(self, expected: int, message_id: str, data: bytes) -> Outcome:
        headers = {
            api.Header.EXPECTED_LAST_SEQUENCE.value: str(expected),
            api.Header.EXPECTED_STREAM.value: self.config.stream,
            api.Header.MSG_ID.value: message_id,
        }
        began_s = time.monotonic()
        attempts, unknown = 0, ""
        while True:
            attempts += 1
            try:
                answer = await self.connection.request(
                    self.config.subject, data, ATTEMPT_S_MAX, headers
                )
                outcome, said = await self._judged(
                    msgspec.json.decode(answer.data), expected, data
                )
            except (LogUnreachable, TimeoutError, OSError, nats.errors.Error) as error:
                outcome, said = None, str(error) or type(error).__name__
            took_s = time.monotonic() - began_s
            if outcome is not None:
                if attempts > 1:
                    log.info("append_definite", outcome=outcome.value, attempts=attempts,
                             took_s=round(took_s, 3))
                return outcome
            if said != unknown:
                log.warning("append_unknown", expected=expected, attempts=attempts, error=said)
                unknown = said
            if took_s > OUTCOME_S_MAX:
                return Outcome.UNKNOWN
            await asyncio.sleep(min(RETRY_WAIT_S * attempts, RETRY_WAIT_S_MAX))

    async def _judged(
        self, answer: dict[str, Any], expected: int, data: bytes
    ) -> tuple[Outcome | None, str]:
        """Return what an answer to an append means; None if nothing definite, and why."""
        error = answer.get("error")
        if error is None:
            if answer.get("seq") != expected + 1:
                # A message with this id was taken before; elsewhere it can't be the same.
                return Outcome.FENCED, ""
            if not answer.get("duplicate"):
                return Outcome.ACKED, ""
            said = "a message of this id was taken before"
        else:
            said = str(error.get("description"))
            if error.get("err_code") not in _WRONG_LAST_SEQUENCE:
                return None, said
        # Only its bytes say whose message is there.
        there = await self._read(expected + 1)
        if there is None:
            return None, f"{said}, and no message {expected + 1}"
        return Outcome.ACKED if there == data else Outcome.FENCED, ""

    # -- Reading --------------------------------------------------------------------------------

    def info(self) -> LogInfo | None:
        """Return where the log stands; None if there is none.

        Raises
        ------
        LogUnreachable
            Nobody answers.
        """
        return self.connection.call(self._info(), CALL_S_MAX)

    def read(self, log_seq: int) -> LogMessage | None:
        """Return a message, checked; None if the log has none of that number.

        Raises
        ------
        LogUnreachable, LogDamaged
            Nobody answers; or it is not as it was written.
        """
        data = self.connection.call(self._read(log_seq), CALL_S_MAX)
        return None if data is None else message_decode(log_seq, data)

    def find(self, seq: int, first_log_seq: int, last_log_seq: int) -> LogMessage:
        """Return the last message, between two, whose `first_seq` is not above `seq`.

        The first of the two if there is none.
        """
        low, high = first_log_seq, last_log_seq
        while low < high:
            middle = (low + high + 1) // 2
            if self.require(middle).head.first_seq <= seq:
                low = middle
            else:
                high = middle - 1
        return self.require(low)

    def require(self, log_seq: int) -> LogMessage:
        """Return a message that the log has to have; LogDamaged if it has not."""
        message = self.read(log_seq)
        if message is None:
            raise LogDamaged(log_seq, "it is missing: the log was cut")
        return message

    async def _info(self) -> LogInfo | None:
        return await log_info(self.connection)

    async def _read(self, log_seq: int) -> bytes | None:
        return await message_bytes(self.connection, log_seq)

    # -- Making it ------------------------------------------------------------------------------

    def make(self) -> None:
        """Create the stream and the buckets, where they are missing, and check what is there.

        Raises
        ------
        ClusterRefused
            The stream is there, and not as a journal needs it.
        LogUnreachable
            Nobody answers.
        """
        self.connection.call(self._make(), LOG_WAIT_S_MAX + CALL_S_MAX)

    async def _make(self) -> None:
        config = self.config
        await _made(self.connection, stream_config(config))
        lease, nodes = (
            {
                "name": f"KV_{bucket}",
                "subjects": [f"$KV.{bucket}.>"],
                "storage": "file",
                "num_replicas": config.replicas,
                "max_msgs_per_subject": 1,
                "max_age": max_age_ns,
                "discard": "new",
                "allow_rollup_hdrs": True,
                "allow_direct": False,
                "deny_delete": True,
                "duplicate_window": min(max_age_ns, 10**9 * DUPLICATE_WINDOW_S) or 10**11,
            }
            for bucket, max_age_ns in (
                (config.lease_bucket, int(config.lease_s * 10**9)),
                (config.nodes_bucket, 0),
            )
        )
        await _made(self.connection, lease)
        await _made(self.connection, nodes)

    def settings_check(self) -> None:
        """Refuse a stream that could lose or drop what it has.

        Raises
        ------
        ClusterRefused
            It is missing, or a setting of it differs; the message names it.
        LogUnreachable
            Nobody can say, as the log's nodes elect.
        """
        answer = self.connection.call(
            self.connection.look_up(f"STREAM.INFO.{self.config.stream}"), CALL_S_MAX
        )
        error = answer.get("error")
        if error is not None:
            kind = ClusterRefused if error.get("err_code") == _NO_STREAM else LogUnreachable
            raise kind(f"stream {self.config.stream}: {error.get('description')}")
        stream_check(self.config, answer["config"])

    def rights_check(self) -> None:
        """Refuse a user whom the log's nodes do not let write the journal; nothing is written.

        Raises
        ------
        ClusterRefused
            They do not.
        """
        # Whatever is in it: no stream takes a message that is for another.
        elsewhere = {api.Header.EXPECTED_STREAM.value: f"not-{self.config.stream}"}
        asked = reachable(
            self.connection.client.request,
            self.config.subject,
            b"",
            timeout=ANSWER_S_MAX,
            headers=elsewhere,
        )
        try:
            self.connection.call(asked, CALL_S_MAX)
        except LogUnreachable as error:
            # Nobody answers between two leaders either: only a denial is a reason to refuse.
            if self.connection.denied:
                raise ClusterRefused(
                    f"user {self.config.user} may not write the log: {self.connection.denied}"
                ) from error


def stream_config(config: ClusterConfig) -> dict[str, Any]:
    """Return the settings of the stream, as JetStream's interface takes them."""
    return {
        "name": config.stream,
        "subjects": [config.subject],
        "storage": "file",
        "retention": "limits",
        "discard": "new",
        "num_replicas": config.replicas,
        "max_age": 0,
        "max_msgs": -1,
        "max_bytes": -1,
        "max_msg_size": MESSAGE_ROOM_BYTES,
        "duplicate_window": DUPLICATE_WINDOW_S * 10**9,
        "deny_delete": True,
        "deny_purge": True,
        "allow_direct": False,
    }


def stream_check(config: ClusterConfig, found: dict[str, Any]) -> None:
    """Refuse a stream's settings that are not those of a journal; ClusterRefused names them."""
    wrong = [
        f"{name}: expected {expected!r}, got {found.get(name)!r}"
        for name, expected in stream_config(config).items()
        if name not in {"max_bytes", "max_msgs", "allow_direct"} and found.get(name) != expected
    ]
    if wrong:
        raise ClusterRefused(f"stream {config.stream}: {'; '.join(wrong)}")


async def log_info(connection: LogConnection) -> LogInfo | None:
    """Return where the log stands; None if there is none, LogUnreachable if nobody answers."""
    answer = await connection.look_up(f"STREAM.INFO.{connection.config.stream}")
    error = answer.get("error")
    if error is not None:
        if error.get("err_code") == _NO_STREAM:
            return None
        raise LogUnreachable(f"stream {connection.config.stream}: {error.get('description')}")
    state, cluster = answer["state"], answer.get("cluster") or {}
    return LogInfo(
        state["first_seq"],
        state["last_seq"],
        state["bytes"],
        int(datetime.fromisoformat(answer["ts"]).timestamp() * 1e9),
        cluster.get("leader", ""),
        tuple(cluster.get("replicas") or ()),
    )


async def message_bytes(connection: LogConnection, log_seq: int) -> bytes | None:
    """Return a message as it is in the log; None if there is none of that number.

    Raises
    ------
    LogUnreachable
        Nobody answers.
    """
    stream = connection.config.stream
    answer = await connection.look_up(f"STREAM.MSG.GET.{stream}", {"seq": log_seq})
    error = answer.get("error")
    if error is None:
        return base64.b64decode(answer["message"].get("data", ""))
    if error.get("err_code") == _NO_MESSAGE:
        return None
    raise LogUnreachable(f"message {log_seq} of the log: {error.get('description')}")


async def _made(connection: LogConnection, settings: dict[str, Any]) -> None:
    """Create a stream unless there is one; it may take the log's nodes a while to be ready."""
    name, deadline_s = settings["name"], time.monotonic() + LOG_WAIT_S_MAX
    while True:
        answer = await connection.look_up(f"STREAM.INFO.{name}")
        if "error" in answer:
            answer = await connection.ask(f"STREAM.CREATE.{name}", settings)
        error = answer.get("error")
        if error is None:
            if name == connection.config.stream:
                stream_check(connection.config, answer["config"])
            return
        if time.monotonic() > deadline_s:
            raise LogUnreachable(f"stream {name} can't be made: {error.get('description')}")
        await asyncio.sleep(0.2)

