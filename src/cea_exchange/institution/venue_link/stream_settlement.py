"""Takes a venue's records in: each exactly once, in order, or none.

A contiguous run of records is one transaction: records, what they cause and `last_seq` are
committed together, so wherever the process dies, it goes on behind the last record that counts.
Delivery is at least once; the sequence makes it exactly once. The record's sequence is also a
primary key, a second line of defence.

What can't be applied stops the line in front of it: nothing is skipped, `last_seq` stays, the venue
sees that the watermark stands still. The way out is to mend the cause and start again.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator

import numpy as np

from cea_exchange.domain.records import EVENT_DTYPE
from cea_exchange.institution.venue_link.settlement_records import records_from
from cea_exchange.ledger.database.interface import ConstraintViolated
from cea_exchange.ledger.store import Store, StoreError

RUN_COUNT_MAX = 4_096
"""Records in one transaction: many are cheaper each, but hold up the watermark."""

SEQ_LIMIT = 1 << 62
"""Sequences stay below it; SQLite's integers are signed."""


class SettlementStopped(Exception):
    """The line stands still in front of a record; nothing of it was applied."""


class WrongLog(SettlementStopped):
    """The stream is another venue's, or another life of this one's."""


class PoisonRecord(SettlementStopped):
    """A record that can not be: malformed, or impossible by what the registry knows."""

    def __init__(self, settlement_seq: int, why: str) -> None:
        super().__init__(f"settlement record {settlement_seq}: {why}")
        self.settlement_seq = settlement_seq


class Diverged(SettlementStopped):
    """Venue and registry do not hold the same."""


class SettlementGap(Exception):
    """Records are missing before those that came; ask for a replay from `expected`."""

    def __init__(self, expected: int, got: int) -> None:
        super().__init__(f"settlement_seq: expected {expected} next, got {got}")
        self.expected = expected
        self.got = got


class StreamSettlement(ABC):
    """Applies a venue's records to a store.

    Parameters
    ----------
    store
        Open for writing.
    at_point
        Called with the name of each point at which a crash is of interest: ``postings_written``,
        ``last_seq_written``, ``committed``. Tests kill the process there.
    """

    def __init__(self, store: Store, at_point: Callable[[str], None] = lambda name: None) -> None:
        self.store = store
        self._at_point = at_point

    @abstractmethod
    def _records_post(self, records: np.ndarray) -> tuple[int, SettlementStopped | None]:
        """Write what the records say; return how many were applied, and what stopped the rest."""

    @abstractmethod
    def settle_batch(self) -> bool:
        """Post some of the trades of closed days that wait; say whether there are more."""

    def apply(self, log_id: str, records: np.ndarray) -> int:
        """Apply records; those that are settled already are dropped.

        Parameters
        ----------
        log_id
            Which stream they are of.
        records : Event[count], oldest first
            With contiguous `settlement_seq`.

        Returns
        -------
        int
            `last_seq` after the commit.

        Raises
        ------
        SettlementGap
            The first lies beyond `last_seq` + 1. Nothing was applied.
        SettlementStopped
            Everything before the record in question was applied and committed.

        Notes
        -----
        Rules: CEA-STL-02 (one by one, in the venue's order, each once).
        """
        if records.dtype != EVENT_DTYPE:
            raise TypeError(f"records: expected EVENT_DTYPE, got {records.dtype}")
        if self.store.state != "ok":
            raise Diverged(self.store.state)
        known = self.store.log_id
        if known is not None and known != log_id:
            raise WrongLog(f"log_id: expected {known}, got {log_id}")
        last_seq = self.store.last_seq
        if len(records) == 0:
            return last_seq
        first = _first_of_contiguous(records)
        if first > last_seq + 1:
            raise SettlementGap(last_seq + 1, first)
        self._repeats_check(records[: last_seq + 1 - first])
        records = records[last_seq + 1 - first :]
        for start in range(0, len(records), RUN_COUNT_MAX):
            run = records[start : start + RUN_COUNT_MAX]
            try:
                last_seq = self._run_apply(log_id, run)
            except ConstraintViolated as error:
                # Rolled back. Above all a record that is there already, though `last_seq` says no.
                raise SettlementStopped(
                    f"settlement records from {run[0]['settlement_seq']} on: {error}"
                ) from None
        return last_seq

    def _repeats_check(self, records: np.ndarray) -> None:
        """Repeated records must be those that were settled under their numbers."""
        if not len(records):
            return
        first = int(records[0]["settlement_seq"])
        for settled in self._kept_from(first):
            repeated, records = records[: len(settled)], records[len(settled) :]
            settled = settled[: len(repeated)]
            if settled.tobytes() != repeated.tobytes():
                odd = first + int(np.argmax(settled != repeated))
                raise PoisonRecord(odd, "is another one than was settled under this number")
            first += len(repeated)
            if not len(records):
                return
        raise PoisonRecord(first, "is another one than was settled under this number")

    def _kept_from(self, first: int) -> Iterator[np.ndarray]:
        try:
            yield from records_from(self.store, first - 1)
        except StoreError as error:
            raise SettlementStopped(str(error)) from None

    def _run_apply(self, log_id: str, records: np.ndarray) -> int:
        """Apply a run in one transaction; a record that can't be ends it, and is reported after."""
        stopped: SettlementStopped | None = None
        with self.store.transaction(act_id=0):
            last_seq = self.store.last_seq
            first = int(records[0]["settlement_seq"])
            if last_seq != first - 1:
                raise AssertionError(f"last_seq: expected {first - 1}, got {last_seq}")
            posted, stopped = self._records_post(records)
            self._at_point("postings_written")
            last_seq += posted
            self.store.last_seq_set(log_id, last_seq)
            self._at_point("last_seq_written")
        self._at_point("committed")
        if stopped is not None:
            raise stopped
        return last_seq


def _first_of_contiguous(records: np.ndarray) -> int:
    """Return the first sequence of a run without holes or repeats."""
    sequences = records["settlement_seq"]
    first = int(sequences[0])
    if not 0 < first < SEQ_LIMIT:
        raise PoisonRecord(first, "must be positive and below 2^62")
    expected = np.arange(first, first + len(records), dtype=np.uint64)
    if not np.array_equal(sequences, expected):
        odd = int(np.argmax(sequences != expected))
        raise PoisonRecord(int(sequences[odd]), f"must follow {first + odd - 1} in its run")
    return first
