"""Where each serial number is: the lots of now, and the moves that brought them there.

A move is kept for good and names the move before it; a lot is where its last serials are now. A lot
that is split stays what it was for the serials that stay, so that a pedigree is as long as the
moves of one serial, however often others left its lot.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from cea_exchange.domain.ccer.lots import Lot, named, oldest, without
from cea_exchange.ledger.store import Store


class Place(NamedTuple):
    """Of what, whose, where: an instrument, an account and a compartment."""

    asset_index: int
    account_index: int
    compartment: int


class _Row(NamedTuple):
    """A row of `lots`, as far as moving needs it."""

    lot_id: int
    lot: Lot
    move_id: int


class Places:
    """The lots of now; within the transactions of who posts.

    Notes
    -----
    Rules: CCER-LOT-02, CCER-LOT-03, CCER-LOT-04.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def oldest(self, place: Place, tonnes: int) -> list[Lot]:
        """Return the lowest serials of the oldest batches in a place; ProgrammeError if too few."""
        enough: list[Lot] = []
        left = tonnes
        for lot in self._held(place):
            if left <= 0:
                break
            enough.append(lot)
            left -= lot.tonnes
        return oldest(enough, tonnes)

    def named(self, place: Place, wanted: Lot) -> list[Lot]:
        """Return the parts of a place's lots that a range consists of; refuse if not all."""
        rows = self._store.execute(
            "SELECT issue_number, serial_first, serial_last FROM lots"
            " WHERE asset_index = ? AND account_index = ? AND compartment = ?"
            " AND issue_number = ? AND serial_last >= ? AND serial_first <= ?"
            " ORDER BY serial_first",
            (*place, wanted.batch, wanted.first, wanted.last),
        )
        return named([Lot(*row) for row in rows.fetchall()], wanted)

    def held(self, place: Place) -> list[Lot]:
        """Return all lots in a place, those of the oldest batch first."""
        return list(self._held(place))

    def issued(self, entry_id: int, lot: Lot, place: Place) -> None:
        """Put a new lot into a place."""
        self._put(entry_id, 0, lot, place)

    def moved(self, entry_id: int, parts: Sequence[Lot], target: Place) -> None:
        """Let parts of lots be elsewhere from now on."""
        for part in parts:
            row = self._row_of(part)
            rest = without(row.lot, part)
            move_id = self._move_add(entry_id, row.move_id, part, target)
            if not rest:
                self._store.execute(
                    "UPDATE lots SET account_index = ?, compartment = ?, move_id = ?"
                    " WHERE lot_id = ?",
                    (target.account_index, target.compartment, move_id, row.lot_id),
                )
                continue
            place = self._place_of(row.lot_id)
            first, *more = rest
            self._store.execute(
                "UPDATE lots SET serial_first = ?, serial_last = ? WHERE lot_id = ?",
                (first.first, first.last, row.lot_id),
            )
            for each in more:
                self._row_add(each, place, row.move_id)
            self._row_add(part, target, move_id)

    def _held(self, place: Place) -> Iterator[Lot]:
        rows = self._store.execute(
            "SELECT issue_number, serial_first, serial_last FROM lots"
            " WHERE account_index = ? AND asset_index = ? AND compartment = ?"
            " ORDER BY issue_number, serial_first",
            (place.account_index, place.asset_index, place.compartment),
        )
        return (Lot(*row) for row in rows)

    def _row_of(self, part: Lot) -> _Row:
        """Return the row of the lot that a part is within: no other holds its first serial."""
        lot_id, first, last, move_id = self._store.one(
            "SELECT lot_id, serial_first, serial_last, move_id FROM lots"
            " WHERE issue_number = ? AND serial_first <= ?"
            " ORDER BY serial_first DESC LIMIT 1",
            (part.batch, part.first),
        )
        return _Row(lot_id, Lot(part.batch, first, last), move_id)

    def _place_of(self, lot_id: int) -> Place:
        return Place(
            *self._store.one(
                "SELECT asset_index, account_index, compartment FROM lots WHERE lot_id = ?",
                (lot_id,),
            )
        )

    def _put(self, entry_id: int, parent_id: int, lot: Lot, place: Place) -> None:
        self._row_add(lot, place, self._move_add(entry_id, parent_id, lot, place))

    def _row_add(self, lot: Lot, place: Place, move_id: int) -> None:
        row = (self._store.next_id("lots", "lot_id"), *lot, *place, move_id)
        self._store.insert(
            "lots (lot_id, issue_number, serial_first, serial_last, asset_index, account_index,"
            " compartment, move_id)",
            [row],
        )

    def _move_add(self, entry_id: int, parent_id: int, lot: Lot, target: Place) -> int:
        move_id = self._store.next_id("lot_moves", "move_id")
        row = (move_id, parent_id, entry_id, *lot, target.account_index, target.compartment)
        self._store.insert(
            "lot_moves (move_id, parent_id, entry_id, issue_number, serial_first, serial_last,"
            " account_index, compartment)",
            [row],
        )
        return move_id
