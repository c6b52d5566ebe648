"""What a venue needs of the journal that it writes, wherever else its frames go."""

from typing import TYPE_CHECKING, Protocol

from cea_exchange.journal.segment import FrameKind, Identity, JournalPoint

if TYPE_CHECKING:
    from typing_extensions import Buffer


class JournalWriter(Protocol):
    """An open journal, at its end; `Journal` says what each of these is."""

    @property
    def log_id(self) -> str:
        """Which journal it is."""

    @property
    def identity(self) -> Identity:
        """Of the segments that are written now."""

    @property
    def next_seq(self) -> int:
        """The sequence number the next append starts at."""

    @property
    def last_time_ns(self) -> int:
        """The stamp of the last frame."""

    @property
    def is_poisoned(self) -> bool:
        """Whether nothing can be appended any more."""

    def append(self, kind: FrameKind, count: int, time_ns: int, payload: "Buffer") -> int:
        """Write one frame and return its first sequence number; it counts after `sync`."""

    def sync_begin(self) -> None:
        """Begin what `sync` waits for, where it takes others to do it."""

    def sync(self) -> int:
        """Return the last sequence number once all that was appended can't be lost."""

    def point(self) -> JournalPoint:
        """Return the place after the last frame."""

    def close(self) -> None:
        """Seal the segment and close it."""
