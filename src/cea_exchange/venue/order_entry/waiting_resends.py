"""Queues resent commands, and answers some at a time, as replays are.

To answer one means to look up what it was accepted by. Whoever resends thousands must not make the
others wait for them.
"""

from cea_exchange.domain.records import COMMAND_DTYPE

RESENDS_WAITING_MAX = 32_768
"""Of one connection; what is more is refused."""
_COMMAND_BYTES = COMMAND_DTYPE.itemsize


class WaitingResends:
    """Commands as they came, by routing id and key, in the order in which those take turns."""

    def __init__(self) -> None:
        self._by_sender: dict[tuple[bytes, str | None], bytearray] = {}

    def __bool__(self) -> bool:
        return bool(self._by_sender)

    def add(self, routing_id: bytes, key: str | None, commands: bytes) -> int:
        """Let commands wait behind those of the same sender; return how many had room."""
        waiting = self._by_sender.setdefault((routing_id, key), bytearray())
        room = RESENDS_WAITING_MAX * _COMMAND_BYTES - len(waiting)
        waiting += commands[:room]
        return min(len(commands), room) // _COMMAND_BYTES

    def take(self, count_max: int) -> list[tuple[bytes, str | None, bytes]]:
        """Take up to so many commands, of one sender after the other."""
        taken = []
        room = count_max * _COMMAND_BYTES
        while self._by_sender and room > 0:
            sender = next(iter(self._by_sender))
            waiting = self._by_sender.pop(sender)
            taken.append((*sender, bytes(waiting[:room])))
            if len(waiting) > room:
                del waiting[:room]
                self._by_sender[sender] = waiting
            room -= len(taken[-1][-1])
        return taken
