"""Time and the ways between processes, in one process: all of it drawn from a seed."""

import random
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Executor, Future
from typing import Any

NS_PER_MS = 1_000_000


class SimulatedTime:
    """A clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.now_ns = 1_000_000_000_000

    def monotonic_ns(self) -> int:
        return self.now_ns

    def now_s(self) -> float:
        return self.now_ns / 1e9

    def pass_ms(self, milliseconds: int) -> None:
        self.now_ns += milliseconds * NS_PER_MS


class Link:
    """One way from one to another: what is sent comes later, in its order, once or twice or never.

    Parameters
    ----------
    time, chance
        By which it delays, and from which it draws.
    delay_ms
        The least and the most.
    lost, doubled
        How many of a thousand messages.
    """

    def __init__(
        self,
        time: SimulatedTime,
        chance: random.Random,
        *,
        delay_ms: tuple[int, int] = (1, 60),
        lost: int = 0,
        doubled: int = 0,
    ) -> None:
        self._time = time
        self._chance = random.Random(chance.getrandbits(64))
        self._delay_ms = delay_ms
        self._lost, self._doubled = lost, doubled
        self._waiting: deque[tuple[int, Any]] = deque()
        self._last_ns = 0
        self.lost_count = self.doubled_count = 0

    def send(self, message: Any) -> None:
        if self._chance.randrange(1_000) < self._lost:
            self.lost_count += 1
            return
        self._put(message)
        if self._chance.randrange(1_000) < self._doubled:
            self.doubled_count += 1
            self._put(message)

    def receive(self) -> Any | None:
        """Return the next message that has arrived; None if there is none."""
        if self._waiting and self._waiting[0][0] <= self._time.now_ns:
            return self._waiting.popleft()[1]
        return None

    def arrived(self) -> Iterator[Any]:
        """Yield what has arrived."""
        while (message := self.receive()) is not None:
            yield message

    def cut(self) -> None:
        """Forget what is on its way."""
        self._waiting.clear()

    def _put(self, message: Any) -> None:
        delay_ns = self._chance.randint(*self._delay_ms) * NS_PER_MS
        self._last_ns = max(self._last_ns, self._time.now_ns + delay_ns)
        self._waiting.append((self._last_ns, message))


class AtOnce(Executor):
    """Does what it is given where it is given: no thread."""

    def __init__(self, name: str = "") -> None:
        self.name = name

    def submit(self, work, /, *arguments, **named) -> Future:
        done: Future = Future()
        try:
            done.set_result(work(*arguments, **named))
        except Exception as error:
            done.set_exception(error)
        return done
