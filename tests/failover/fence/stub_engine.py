"""An engine that only numbers commands, on the log's nodes: it shows what the fence is worth.

    python -m failover.fence.stub_engine CONFIG

The protocol is the venue's (a lease for liveness, an epoch record as the authority, each message
published behind the one before), the rest is left out. Without its fence it is the control: the
same lease, the same epochs, and a leader that was only slow loses what it acknowledged.
"""

import asyncio
import contextlib
import struct
import sys
from pathlib import Path

import msgspec
import nats
import nats.errors
from nats.js import api
from nats.js.errors import APIError, KeyWrongLastSequenceError, NotFoundError

from cea_exchange.cluster.log_nodes.rights import VENUE, inbox

COMMAND = struct.Struct("<IQ")
"""A participant, and its number for the command."""
ANSWER = struct.Struct("<QQ")
"""The participant's number, and the command's place among all."""
HEAD = struct.Struct("<IH30s")
"""Epoch, commands, node."""
STREAM, SUBJECT, LEASE = "cea-journal", "cea.journal", "cea-lease"
LEASE_S = 2.0
RENEW_S = 0.5
LOOK_S = 0.1
ASK_S_MAX = 1.0
RETRY_S_MAX = 60.0
BATCH_MAX = 256
WRONG_LAST_SEQUENCE = 10071
STATUS_FENCED = 3


class EngineConfig(msgspec.Struct, forbid_unknown_fields=True):
    """What an engine is told."""

    node: str
    log_nodes: list[str]
    secret: str
    port: int
    is_fenced: bool = True


class History:
    """What the messages of the log say, in their order.

    Attributes
    ----------
    places
        By participant and number, the command's place among all.
    """

    def __init__(self) -> None:
        self.places: dict[tuple[int, int], int] = {}
        self.epoch = 0
        self.last_seq = 0

    def take(self, payload: bytes) -> list[tuple[int, int]]:
        """Apply a message; return the commands in it that are new."""
        epoch, count, _ = HEAD.unpack_from(payload)
        if epoch < self.epoch:
            # A former leader's, that came after it was one.
            return []
        self.epoch = epoch
        new = []
        for command in COMMAND.iter_unpack(payload[HEAD.size : HEAD.size + count * COMMAND.size]):
            if command not in self.places:
                self.places[command] = len(self.places)
                new.append(command)
        return new


class StubEngine:
    """One node; ends its process where it finds that it was fenced."""

    def __init__(self, config: EngineConfig) -> None:
        self.config = config
        self.history = History()
        self._waiting: list[tuple[tuple[int, int], asyncio.StreamWriter]] = []
        self._revision = 0

    async def run(self) -> None:
        """Follow, stand, lead."""
        connection = await nats.connect(
            self.config.log_nodes,
            user=VENUE,
            password=self.config.secret,
            inbox_prefix=inbox(VENUE),
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.1,
            connect_timeout=1,
            ping_interval=1,
            max_outstanding_pings=2,
            error_cb=_quiet,
        )
        self._log = connection.jetstream(timeout=ASK_S_MAX)
        await self._log_open()
        while True:
            with contextlib.suppress(nats.errors.Error, APIError, asyncio.TimeoutError):
                await self._follow()
                if await self._lease_take() and await self._epoch_open():
                    await self._lead()
            await asyncio.sleep(LOOK_S)

    async def _log_open(self) -> None:
        """Find the log and its leases, or make them."""
        while True:
            with contextlib.suppress(nats.errors.Error, APIError, asyncio.TimeoutError):
                await self._log.add_stream(
                    name=STREAM,
                    subjects=[SUBJECT],
                    storage=api.StorageType.FILE,
                    num_replicas=3,
                    duplicate_window=120.0,
                    discard=api.DiscardPolicy.NEW,
                    deny_delete=True,
                    deny_purge=True,
                )
                self._leases = await self._log.create_key_value(
                    bucket=LEASE, ttl=LEASE_S, replicas=3, storage=api.StorageType.MEMORY
                )
                return
            await asyncio.sleep(LOOK_S)

    async def _follow(self) -> None:
        """Apply what the log has more."""
        last = (await self._log.stream_info(STREAM)).state.last_seq
        if last <= self.history.last_seq:
            return
        follower = await self._log.subscribe(
            SUBJECT,
            stream=STREAM,
            ordered_consumer=True,
            config=api.ConsumerConfig(
                deliver_policy=api.DeliverPolicy.BY_START_SEQUENCE,
                opt_start_seq=self.history.last_seq + 1,
            ),
        )
        try:
            while self.history.last_seq < last:
                message = await follower.next_msg(timeout=ASK_S_MAX)
                seq = message.metadata.sequence.stream
                if seq == self.history.last_seq + 1:
                    self.history.take(message.data)
                    self.history.last_seq = seq
        finally:
            with contextlib.suppress(nats.errors.Error, APIError, asyncio.TimeoutError):
                await follower.unsubscribe()

    async def _lease_take(self) -> bool:
        try:
            self._revision = await self._leases.create("leader", self.config.node.encode())
        except KeyWrongLastSequenceError:
            return False
        return True

    async def _epoch_open(self) -> bool:
        """Become the leader of the next epoch, if the log is where this node has read it to."""
        await self._follow()
        if not await self._publish(self.history.epoch + 1, []):
            return False
        self.history.epoch += 1
        return True

    # -- Leading -----------------------------------------------------------------------------------

    async def _lead(self) -> None:
        server = await asyncio.start_server(self._serve, *self._place)
        renewing = asyncio.create_task(self._renew())
        try:
            while True:
                batch, self._waiting = self._waiting[:BATCH_MAX], self._waiting[BATCH_MAX:]
                if not batch:
                    await asyncio.sleep(0.001)
                    continue
                await self._take(batch)
        finally:
            renewing.cancel()
            server.close()

    @property
    def _place(self) -> tuple[str, int]:
        return "127.0.0.1", self.config.port

    async def _take(self, batch: list[tuple[tuple[int, int], asyncio.StreamWriter]]) -> None:
        """Number commands; say so once the log has them."""
        history = self.history
        new = list(dict.fromkeys(each for each, _ in batch if each not in history.places))
        if new:
            if not await self._publish(history.epoch, new):
                sys.exit(STATUS_FENCED)
            for command in new:
                history.places[command] = len(history.places)
        for command, writer in batch:
            with contextlib.suppress(OSError):
                writer.write(ANSWER.pack(command[1], history.places[command]))

    async def _publish(self, epoch: int, commands: list[tuple[int, int]]) -> bool:
        """Add a message behind the last that is known; whether it got there, sooner or later."""
        expected = self.history.last_seq
        node = self.config.node
        payload = HEAD.pack(epoch, len(commands), node.encode()) + b"".join(
            COMMAND.pack(*each) for each in commands
        )
        own = f"{epoch}-{expected}-{node}" + ("" if commands else "-epoch")
        headers = {api.Header.MSG_ID.value: own}
        if self.config.is_fenced or not commands:
            headers[api.Header.EXPECTED_LAST_SEQUENCE.value] = str(expected)
        deadline = asyncio.get_running_loop().time() + RETRY_S_MAX
        while asyncio.get_running_loop().time() < deadline:
            try:
                ack = await self._log.publish(SUBJECT, payload, timeout=ASK_S_MAX, headers=headers)
            except APIError as error:
                if error.err_code != WRONG_LAST_SEQUENCE:
                    await asyncio.sleep(LOOK_S)
                    continue
                if not await self._is_own(expected + 1, own):
                    return False
                ack = None
            except (TimeoutError, nats.errors.Error):
                await asyncio.sleep(LOOK_S)
                continue
            self.history.last_seq = expected + 1 if ack is None else ack.seq
            return True
        return False

    async def _is_own(self, seq: int, own: str) -> bool:
        while True:
            try:
                message = await self._log.get_msg(STREAM, seq)
                return (message.headers or {}).get(api.Header.MSG_ID.value) == own
            except NotFoundError:
                return False
            except (TimeoutError, nats.errors.Error, APIError):
                await asyncio.sleep(LOOK_S)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(RENEW_S)
            with contextlib.suppress(nats.errors.Error, APIError, asyncio.TimeoutError):
                self._revision = await self._leases.update(
                    "leader", self.config.node.encode(), last=self._revision
                )

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                command = COMMAND.unpack(await reader.readexactly(COMMAND.size))
                self._waiting.append((command, writer))


async def _quiet(_: Exception) -> None:
    """The log's nodes come and go; what matters is seen where something was asked."""


def main(file: str) -> None:
    """Be one engine."""
    config = msgspec.json.decode(Path(file).read_bytes(), type=EngineConfig)
    asyncio.run(StubEngine(config).run())


if __name__ == "__main__":
    main(sys.argv[1])
