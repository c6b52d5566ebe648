"""Participants of the stub engines: they send numbered commands, and write down each answer.

    python -m failover.fence.stub_participants CONFIG

What has no answer is sent again, under its number, to whoever leads now.
"""

import asyncio
import contextlib
import itertools
import os
import sys
from pathlib import Path

import msgspec

from failover.fence.stub_engine import ANSWER, COMMAND

SILENCE_S_MAX = 1.0
OUTSTANDING_MAX = 64


class ParticipantsConfig(msgspec.Struct, forbid_unknown_fields=True):
    """What they are told."""

    folder: str
    count: int
    ports: list[int]
    per_second: float


class StubParticipant:
    """One of them: ``answers-N`` is what it was told, in the order it was."""

    def __init__(self, number: int, config: ParticipantsConfig) -> None:
        self.number = number
        self._config = config
        self._unanswered: dict[int, None] = {}
        self._next_id = 1
        self._answers = (Path(config.folder) / f"answers-{number}").open("ab", buffering=0)

    async def run(self) -> None:
        """Send and listen, until told to stop."""
        for port in itertools.cycle(self._config.ports):
            with contextlib.suppress(OSError, asyncio.TimeoutError, asyncio.IncompleteReadError):
                async with asyncio.timeout(SILENCE_S_MAX):
                    reader, writer = await asyncio.open_connection("127.0.0.1", port)
                try:
                    await self._session(reader, writer)
                finally:
                    writer.close()
            await asyncio.sleep(0.02)

    async def _session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number in self._unanswered:
            writer.write(COMMAND.pack(self.number, number))
        sending = asyncio.create_task(self._send(writer))
        try:
            while True:
                async with asyncio.timeout(SILENCE_S_MAX):
                    answer = await reader.readexactly(ANSWER.size)
                self._answers.write(answer)
                self._unanswered.pop(ANSWER.unpack(answer)[0], None)
        finally:
            sending.cancel()

    async def _send(self, writer: asyncio.StreamWriter) -> None:
        pause_s = self._config.count / self._config.per_second
        while True:
            if len(self._unanswered) < OUTSTANDING_MAX:
                writer.write(COMMAND.pack(self.number, self._next_id))
                self._unanswered[self._next_id] = None
                self._next_id += 1
            await asyncio.sleep(pause_s)


async def _all(config: ParticipantsConfig) -> None:
    parent = os.getppid()
    running = [
        asyncio.create_task(StubParticipant(number, config).run())
        for number in range(config.count)
    ]
    while os.getppid() == parent and not any(each.done() for each in running):
        await asyncio.sleep(0.1)


def main(file: str) -> None:
    """Be all participants."""
    asyncio.run(_all(msgspec.json.decode(Path(file).read_bytes(), type=ParticipantsConfig)))


if __name__ == "__main__":
    main(sys.argv[1])
