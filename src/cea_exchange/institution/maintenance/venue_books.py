"""What a venue's folder has of an institution's ledger, against that ledger.

Three things: the heads of the chain and the items of the feed, both in the venue's journal, and the
settlement records among the venue's events.
"""

from collections.abc import Iterable, Iterator
from itertools import chain, islice, takewhile
from typing import NamedTuple

import msgspec
import numpy as np

from cea_exchange.institution.maintenance.integrity import heads_differing
from cea_exchange.institution.venue_link.settlement_records import records_from
from cea_exchange.ledger.anchoring import Unanchored, unanchored
from cea_exchange.ledger.store import Store, StoreError
from cea_exchange.protocol.control import FeedCommand, FeedItem, LedgerHead, control_decode

DIFFERENCE_COUNT_MAX = 100


class VenueBooks(NamedTuple):
    """What a venue's folder has.

    Attributes
    ----------
    log_id
        Of its journal.
    settlement_base
        The last settlement record of a life before, which an adopted venue does not have.
    items
        The items of the feed that it took, oldest first.
    records
        Its settlement records, oldest first, some at a time.
    """

    log_id: str
    settlement_base: int
    items: list[FeedItem]
    records: Iterable[np.ndarray]

    def heads(self) -> list[tuple[int, str]]:
        """Return link and head of the institution's chain, oldest first."""
        commands = (item.command for item in self.items)
        return [
            (command.link_id, command.head)
            for command in commands
            if isinstance(command, LedgerHead)
        ]


class VenueCompared(msgspec.Struct, frozen=True):
    """What came of the comparison.

    Attributes
    ----------
    differences
        A sentence each, at most 100; empty if nothing differs.
    unanchored
        What lies behind the last head that the venue has.
    lacking_from
        The first settlement record that the ledger has and the venue's events lack, if any.
        Whether its journal has it, only its replay tells: `cea-exchange verify`.
    """

    differences: list[str]
    unanchored: Unanchored
    lacking_from: int | None


def venue_compared(store: Store, books: VenueBooks) -> VenueCompared:
    """Compare an open ledger with a venue's folder, within a transaction.

    Notes
    -----
    Rules: CEA-REG-05, CEA-REG-09, CEA-STL-01.
    """
    heads = books.heads()
    in_records, lacking_from = _records_compared(store, books)
    differences = chain(
        heads_differing(store, heads, "the venue's journal"),
        lost_items(store, books.items),
        in_records,
    )
    behind = unanchored(store, heads[-1][0] if heads else 0)
    return VenueCompared([*islice(differences, DIFFERENCE_COUNT_MAX)], behind, lacking_from)


def lost_items(store: Store, taken: Iterable[FeedItem]) -> Iterator[str]:
    """Yield the items of the feed that the ledger lacks, or has otherwise.

    Parameters
    ----------
    taken
        The items as the venue's journal has them.

    Notes
    -----
    Rules: CEA-REG-09.
    """
    for item in taken:
        kept = store.one("SELECT item FROM feed WHERE transfer_seq = ?", (item.transfer_seq,))
        if kept is None:
            yield (
                f"item {item.transfer_seq} of the feed, {_shown(item.command)}: the venue has it,"
                " the ledger lacks it"
            )
            continue
        own = control_decode(bytes(kept))
        if isinstance(own, FeedItem) and own.command != item.command:
            yield (
                f"item {item.transfer_seq} of the feed, {_shown(item.command)}: the venue has it,"
                f" the ledger has {_shown(own.command)}"
            )


def _shown(command: FeedCommand) -> str:
    """Return a command in words: ``transfer_in account P001, product CEA24, amount 500``."""
    fields = msgspec.to_builtins(command)
    said = [
        f"{name} {value}"
        for name, value in fields.items()
        if name not in ("t", "at_ns") and value is not None
    ]
    return f"{fields['t']} {', '.join(said)}"


def _records_compared(store: Store, books: VenueBooks) -> tuple[list[str], int | None]:
    """Return where the settlement records differ, and the first that the venue's events lack.

    Records that the ledger has not taken yet are no difference: it is behind, and will ask.
    Neither are those that the events lack: a venue writes its events behind its journal, and a
    restored copy makes the newest ones of the journal at its first start.
    """
    last_seq = store.last_seq
    if store.log_id is None:
        return [], None
    if store.log_id != books.log_id:
        mine = f"log_id: the ledger settles {store.log_id}, the venue's journal is {books.log_id}"
        return [mine], None
    done = books.settlement_base
    differences: list[str] = []
    try:
        for records in books.records:
            kept = records[records["settlement_seq"] <= last_seq]
            if not len(kept):
                continue
            done = int(kept["settlement_seq"][-1])
            differences += islice(_run_differing(store, kept), DIFFERENCE_COUNT_MAX)
            if len(differences) >= DIFFERENCE_COUNT_MAX:
                return differences, None
    except StoreError as error:
        return [*differences, str(error)], None
    return differences, done + 1 if done < last_seq else None


def _run_differing(store: Store, records: np.ndarray) -> Iterator[str]:
    """Yield where the ledger's records differ from some that follow each other."""
    first, last = map(int, records["settlement_seq"][[0, -1]])
    runs = takewhile(
        lambda run: run["settlement_seq"][0] <= last, records_from(store, after_seq=first - 1)
    )
    kept = {int(each["settlement_seq"]): each for run in runs for each in run}
    for record in records:
        seq = int(record["settlement_seq"])
        own = kept.get(seq)
        if own is None:
            yield f"settlement record {seq}: the venue has it, the ledger lacks it"
        elif own.tobytes() != record.tobytes():
            yield f"settlement record {seq}: {_fields_differing(own, record)}"


def _fields_differing(own: np.void, record: np.void) -> str:
    names = [name for name in record.dtype.names or () if own[name] != record[name]]
    said = (f"{name} is {record[name]} at the venue, {own[name]} in the ledger" for name in names)
    return ", ".join(said) or "its padding differs"
