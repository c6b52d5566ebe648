"""A queue that serves each sender in turn: who sends much waits for himself alone. Pure."""

from collections import OrderedDict, deque
from typing import Generic, NamedTuple, TypeVar

Item = TypeVar("Item")


class QueueLimits(NamedTuple):
    """How much may wait; bytes as who puts them counts them."""

    key_count_max: int
    key_bytes_max: int
    bytes_max: int
    """of all keys together"""
    own_bytes: int = 0
    """of a key, that may wait though all together have too much: a few that fill everything shut
    nobody out. All of these together may be as much again."""


NS_PER_S = 1_000_000_000
KEY_PART = 2
"""While other keys wait, one key gets one part in this many of the daemon's time."""
KEY_BURST_NS = 2 * NS_PER_S
"""Of the daemon's time that a key may take at once: most persons never take more."""
KEY_REST_NS = 4 * NS_PER_S
"""Others go first for at most this long: one act of many seconds shuts no key out for a minute."""


class KeyTimes:
    """Processing time that keys have taken: who took more than its part lets others go first. Pure.

    Examples
    --------
    >>> times = KeyTimes()
    >>> times.spend("a", 3 * NS_PER_S, now_ns=100 * NS_PER_S)
    >>> times.spend("b", 1 * NS_PER_S, now_ns=100 * NS_PER_S)
    >>> sorted(times.resting(101 * NS_PER_S)), sorted(times.resting(102 * NS_PER_S))
    (['a'], [])
    """

    def __init__(self) -> None:
        self._taken: dict[str, tuple[int, int]] = {}

    def spend(self, key: str, taken_ns: int, now_ns: int) -> None:
        """Note that a request of a key took this long, and ends now."""
        most_ns = KEY_BURST_NS + KEY_REST_NS // KEY_PART
        self._taken[key] = (min(most_ns, self._left(key, now_ns) + taken_ns), now_ns)

    def resting(self, now_ns: int) -> frozenset[str]:
        """Return the keys that are served only while no other key waits."""
        left = {key: self._left(key, now_ns) for key in self._taken}
        for key, left_ns in left.items():
            if not left_ns:
                del self._taken[key]
        return frozenset(key for key, left_ns in left.items() if left_ns > KEY_BURST_NS)

    def _left(self, key: str, now_ns: int) -> int:
        taken_ns, at_ns = self._taken.get(key, (0, now_ns))
        return max(0, taken_ns - (now_ns - at_ns) // KEY_PART)


class FairQueue(Generic[Item]):
    """Items by key, bounded, taken one of each key in turn.

    Examples
    --------
    >>> queue = FairQueue(QueueLimits(key_count_max=3, key_bytes_max=100, bytes_max=200))
    >>> [queue.put(key, key + number, 10) for key, number in ("a1", "a2", "a3", "a4", "b1")]
    ['', '', '', 'expected at most 3 requests of a key, got another', '']
    >>> [queue.take()[1] for _ in range(len(queue))]
    ['a1', 'b1', 'a2', 'a3']
    """

    def __init__(self, limits: QueueLimits) -> None:
        self._limits = limits
        self._waiting: OrderedDict[str, deque[tuple[Item, int]]] = OrderedDict()
        self._bytes: dict[str, int] = {}
        self._count = 0
        self.bytes_held = 0

    def __len__(self) -> int:
        return self._count

    def put(self, key: str, item: Item, size: int) -> str:
        """Let an item wait; return why it may not, empty if it may.

        Parameters
        ----------
        size
            Its bytes.
        """
        limits, own = self._limits, self._waiting.get(key, ())
        if len(own) >= limits.key_count_max:
            return f"expected at most {limits.key_count_max} requests of a key, got another"
        if self._bytes.get(key, 0) + size > limits.key_bytes_max:
            return f"expected at most {limits.key_bytes_max} bytes of a key, got {size} more"
        is_own = self._bytes.get(key, 0) + size <= limits.own_bytes
        if self.bytes_held + size > limits.bytes_max * (2 if is_own else 1):
            return f"expected at most {limits.bytes_max} bytes of all, got {size} more"
        self._waiting.setdefault(key, deque()).append((item, size))
        self._bytes[key] = self._bytes.get(key, 0) + size
        self.bytes_held += size
        self._count += 1
        return ""

    def next_key(self, besides: frozenset[str] = frozenset()) -> str | None:
        """Return whose turn it is; None if nothing waits but of keys whose turn it is not."""
        return next((key for key in self._waiting if key not in besides), None)

    def take(self, besides: frozenset[str] = frozenset()) -> tuple[str, Item] | None:
        """Return the next key's first item, and put that key behind all others; None if none.

        Parameters
        ----------
        besides
            Keys whose turn it is not.
        """
        key = self.next_key(besides)
        if key is None:
            return None
        own = self._waiting[key]
        item, size = own.popleft()
        self._count -= 1
        self.bytes_held -= size
        if own:
            self._waiting.move_to_end(key)
            self._bytes[key] -= size
        else:
            del self._waiting[key], self._bytes[key]
        return key, item
