"""How fast the CCER registry names a serial number's whole way, among a million moves of lots.

    python -m bench.ccer                              a million moves on SQLite
    python -m bench.ccer --database postgresql        the same on a PostgreSQL server of its own
    python -m bench.ccer --moves 20000                fewer

Batches of 10,000,000 CCERs are issued through the programme itself. Then lots are split, sold and
resold among 200 traders, and one in twenty ends by cancellation, a move an entry; rows are those
that the registry's own acts write, brought in some tens of thousands in a transaction. The first
serials of each batch move most often. Asked are the pedigree of serials drawn before it began, each
from its issue to where it is, and where a range of 1,000 serials is.

Checked before a figure is printed: every way against one noted apart, as the serial moved; where it
is now; and the registry's own audit of lots, serials, moves and balances.
"""

import argparse
import json
import tempfile
import time
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import NamedTuple

import numpy as np

from bench.measuring.calibration import calibrate
from bench.measuring.databases import database
from cea_exchange.ccer.audit import checks
from cea_exchange.ccer.ccer_registry import CcerRegistry
from cea_exchange.domain.calendar import TradingCalendar, date_number, date_of_number
from cea_exchange.domain.ccer.batches import ReductionReport
from cea_exchange.domain.ccer.projects import ProjectDesign
from cea_exchange.domain.timetable import day_start, time_to_ns
from cea_exchange.ledger.audit import findings
from cea_exchange.ledger.double_entry import Compartment, EntryKind, Posting
from cea_exchange.ledger.institutions import Institution

PROJECT, OWNER, VVBS = "WIND-1", "SEAWIND", ("CQC", "CCSC")
YEAR, BATCH_TONNES, BATCHES = 2022, 10_000_000, 4
TRADERS = 200
SAMPLES, HOT = 2_000, 20
RANGE_TONNES = 1_000
MOVES_AT_ONCE = 50_000
CANCELLED_SHARE = 0.05
HOT_SHARE = 0.01
AUDITED = (
    *("serials_once", "lots_are_balances", "moves_posted", "pedigrees", "never_negative"),
    *("conservation", "entries_balance", "moves", "references_held"),
)
CALENDAR = TradingCalendar.load("cn_carbon")
DOCUMENT = "ab" * 32


class Piece(NamedTuple):
    """A lot as the bench itself knows it: where it is, and which move brought it there."""

    first: int
    last: int
    account: int
    compartment: int
    move_id: int


@dataclass
class Days:
    """A clock that stands still until it is moved."""

    day: int = 20240701

    def __call__(self) -> int:
        return time_to_ns(day_start(date_of_number(self.day))) + 12 * 3_600 * 10**9

    def term_over(self) -> None:
        """Go behind a term of 20 working days."""
        self.day = date_number(CALENDAR.working_day_after(date_of_number(self.day), 21))


@dataclass
class Samples:
    """Serials that are watched, and the way of each: entry kind and account, move by move."""

    serials: list[int]
    ways: dict[int, list[tuple[int, int]]] = field(default_factory=dict)

    def moved(self, first: int, last: int, kind: int, account: int) -> None:
        """Note a move of a range."""
        low, high = bisect_left(self.serials, first), bisect_right(self.serials, last)
        for serial in self.serials[low:high]:
            self.ways.setdefault(serial, []).append((kind, account))


class Pedigrees:
    """The bench on a folder; see the module."""

    def __init__(self, data: Path, address: str | None, *, moves: int, seed: int) -> None:
        self._moves, self._draw = moves, Random(seed)
        self._clock = Days()
        self.ccer = CcerRegistry.open(data, self._clock, address)
        self._pieces: list[list[Piece]] = []
        self._samples: list[Samples] = []
        self._hot: list[int] = []
        self._move_id, self.built_s = 0, 0.0

    @property
    def lots(self) -> int:
        """How many lots there are."""
        return sum(map(len, self._pieces))

    def build(self) -> None:
        """Issue the batches, then move lots until there are enough moves."""
        self._programme()
        began_s = time.monotonic()
        while self._move_id < self._moves:
            self._some(min(MOVES_AT_ONCE, self._moves - self._move_id))
        self._lots_write()
        self.built_s = round(time.monotonic() - began_s, 1)

    def _programme(self) -> None:
        ccer, clock = self.ccer, self._clock
        with ccer.transaction():
            ccer.accounts.open(OWNER, "owner")
            for vvb in VVBS:
                ccer.accounts.open(vvb, "vvb")
                ccer.vvbs.accredit(vvb, 1, from_date=20240611, document="notice 1")
            self._traders = [ccer.accounts.open(f"T{n:03}", "trader") for n in range(TRADERS)]
        design = ProjectDesign(
            methodology="CCER-01-002",
            started_on=20200301,
            crediting_from=20200923,
            crediting_to=20300922,
        )
        ccer.projects.draft(PROJECT, OWNER, "Offshore wind", design)
        ccer.projects.publish(PROJECT, VVBS[0], DOCUMENT)
        clock.term_over()
        ccer.projects.validation_begin(PROJECT)
        for step in (ccer.projects.validate, ccer.projects.apply):
            step(PROJECT, DOCUMENT)
        ccer.projects.register(PROJECT)
        for quarter in range(BATCHES):
            self._batch(quarter)
        self._move_id = ccer.store.one("SELECT max(move_id) FROM lot_moves")

    def _batch(self, quarter: int) -> None:
        ccer = self.ccer
        months = (quarter * 3 + 1, quarter * 3 + 3)
        report = ReductionReport(
            produced_from=YEAR * 10_000 + months[0] * 100 + 1,
            produced_to=YEAR * 10_000 + months[1] * 100 + 28,
            tonnes={YEAR: BATCH_TONNES},
        )
        number, _public = ccer.batches.publish(PROJECT, VVBS[1], report, DOCUMENT)
        self._clock.term_over()
        ccer.batches.verification_begin(PROJECT, number)
        ccer.batches.verify(PROJECT, number, {YEAR: BATCH_TONNES}, DOCUMENT)
        ccer.batches.apply(PROJECT, number, DOCUMENT)
        (lot,) = ccer.batches.issue(PROJECT, number)
        owner = ccer.store.account_index(OWNER)
        assert owner is not None
        place = int(Compartment.REGISTRATION)
        move_id = ccer.store.one("SELECT max(move_id) FROM lot_moves")
        self._pieces.append([Piece(lot.first, lot.last, owner, place, move_id)])
        drawn = sorted(self._draw.sample(range(1, BATCH_TONNES + 1), SAMPLES // BATCHES))
        self._samples.append(Samples(drawn))
        self._samples[-1].moved(lot.first, lot.last, int(EntryKind.ISSUE), owner)
        self._hot.append(0)

    # -- moves ------------------------------------------------------------------------------------

    def _some(self, count: int) -> None:
        """Move lots in one transaction, an entry and a move for each."""
        store = self.ccer.store
        rows, entries = [], []
        entry_id = store.entry_last
        for batch, kind, piece, account, compartment in self._drawn(count):
            entry_id += 1
            tonnes = piece.last - piece.first + 1
            legs = (
                Posting(piece.account, 0, piece.compartment, -tonnes),
                Posting(account, 0, compartment, tonnes),
            )
            entries.append((kind, legs, (piece.account, account, 0, tonnes)))
            rows.append(
                (
                    *(self._move_id, piece.move_id, entry_id, batch + 1),
                    *(piece.first, piece.last, account, compartment),
                )
            )
        with store.transaction(act_id=0):
            store.entries_add(
                entries, settlement_seq=0, business_date=self._clock.day, reference="bench"
            )
            store.insert(
                "lot_moves (move_id, parent_id, entry_id, issue_number, serial_first, serial_last,"
                " account_index, compartment)",
                rows,
            )

    def _drawn(self, count: int) -> Iterator[tuple[int, EntryKind, Piece, int, int]]:
        """Draw sales and cancellations, each of two moves; the piece yielded is what moves."""
        draw = self._draw
        for _ in range(count // 2):
            batch = draw.randrange(BATCHES)
            pieces = self._pieces[batch]
            place = self._hot[batch] if draw.random() < HOT_SHARE else draw.randrange(len(pieces))
            piece = pieces[place]
            if piece.compartment != Compartment.REGISTRATION or piece.account < 0:
                place = self._hot[batch]
                piece = pieces[place]
            is_hot = place == self._hot[batch]
            ends = draw.random() < CANCELLED_SHARE and not is_hot
            part = self._part(batch, place, is_hot)
            yield self._moved(batch, place, part, EntryKind.SET_ASIDE, part.account, 4)
            aside = pieces[place]
            kind = EntryKind.CANCELLED if ends else EntryKind.ENFORCED
            account = int(Institution.CANCELLATION) if ends else self._other(piece.account)
            yield self._moved(batch, place, aside, kind, account, 1)

    def _other(self, account: int) -> int:
        other = self._draw.choice(self._traders)
        return other if other != account else self._traders[0] + (other == self._traders[0])

    def _part(self, batch: int, place: int, is_hot: bool) -> Piece:
        """Split a lot in two, unless it is small or moves whole; return what moves."""
        pieces, piece = self._pieces[batch], self._pieces[batch][place]
        tonnes = piece.last - piece.first + 1
        if (is_hot and tonnes <= HOT) or tonnes < 2 or (not is_hot and self._draw.random() < 0.3):
            return piece
        size = HOT if is_hot else self._draw.randrange(1, tonnes)
        size = min(size, tonnes - 1)
        part = piece._replace(last=piece.first + size - 1)
        pieces[place] = part
        pieces.append(piece._replace(first=piece.first + size))
        return part

    def _moved(
        self, batch: int, place: int, piece: Piece, kind: EntryKind, account: int, compartment: int
    ) -> tuple[int, EntryKind, Piece, int, int]:
        self._move_id += 1
        self._samples[batch].moved(piece.first, piece.last, int(kind), account)
        self._pieces[batch][place] = Piece(
            piece.first, piece.last, account, compartment, self._move_id
        )
        return batch, kind, piece, account, compartment

    def _lots_write(self) -> None:
        """Let the lots of now be where the last moves brought them."""
        store = self.ccer.store
        with store.transaction(act_id=0):
            store.execute("DELETE FROM lots")
            rows = (
                (batch + 1, *piece[:2], 0, *piece[2:])
                for batch, pieces in enumerate(self._pieces)
                for piece in pieces
            )
            store.insert(
                "lots (lot_id, issue_number, serial_first, serial_last, asset_index,"
                " account_index, compartment, move_id)",
                [(number, *row) for number, row in enumerate(rows, 1)],
            )

    # -- asking -----------------------------------------------------------------------------------

    def asked(self) -> tuple[list[float], list[int]]:
        """Ask for every sample's pedigree; return the milliseconds, and the moves of each."""
        names = dict(self.ccer.store.execute("SELECT account_index, account FROM accounts"))
        took_ms, lengths = [], []
        for batch, samples in enumerate(self._samples):
            for serial in samples.serials:
                began_ns = time.perf_counter_ns()
                way = self.ccer.pedigree(PROJECT, batch + 1, serial)
                took_ms.append((time.perf_counter_ns() - began_ns) / 1e6)
                lengths.append(len(way))
                noted = [
                    (EntryKind(kind).name.lower(), names[account])
                    for kind, account in samples.ways[serial]
                ]
                if [(move["kind"], move["account"]) for move in way] != noted:
                    raise AssertionError(
                        f"batch {batch + 1}, serial {serial}: expected {noted[-5:]}, got {way[-5:]}"
                    )
        return took_ms, lengths

    def found(self) -> list[float]:
        """Ask where ranges are now; return the milliseconds."""
        took_ms = []
        for batch, samples in enumerate(self._samples):
            known = sorted(self._pieces[batch])
            firsts = [piece.first for piece in known]
            for first in samples.serials[::4]:
                last = min(first + RANGE_TONNES - 1, BATCH_TONNES)
                began_ns = time.perf_counter_ns()
                places = self.ccer.whereabouts(PROJECT, batch + 1, first, last)
                took_ms.append((time.perf_counter_ns() - began_ns) / 1e6)
                wanted = firsts[bisect_right(firsts, first) - 1 : bisect_right(firsts, last)]
                if [place["serial_first"] for place in places] != wanted:
                    raise AssertionError(f"batch {batch + 1}, {first} to {last}: got {places}")
        return took_ms

    def audit(self) -> float:
        """Run the registry's own queries; return the seconds."""
        began_s = time.monotonic()
        known = checks()
        with self.ccer.store.view():
            wrong = list(findings(self.ccer.store, (known[name] for name in AUDITED)))
        if wrong:
            raise AssertionError(f"audit: expected nothing, got {wrong[:3]}")
        return round(time.monotonic() - began_s, 1)


def spread(took_ms: list[float]) -> dict[str, float]:
    """Return the percentiles of some milliseconds."""
    return {
        name: round(float(np.percentile(took_ms, share)), 3)
        for name, share in (("p50", 50), ("p99", 99), ("most", 100))
    }


def main() -> None:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.ccer", description=__doc__)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--moves", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    print(json.dumps({"database": asked.database, **calibrate().__dict__}, default=str))
    with database(asked.database) as address, tempfile.TemporaryDirectory() as folder:
        bench = Pedigrees(Path(folder), address, moves=asked.moves, seed=asked.seed)
        with bench.ccer:
            bench.build()
            took_ms, lengths = bench.asked()
            ranges_ms, audit_s = bench.found(), bench.audit()
    shown = {
        "moves": asked.moves,
        "lots": bench.lots,
        "build_s": bench.built_s,
        "pedigree_ms": spread(took_ms),
        "moves_of_a_serial": {"p50": int(np.median(lengths)), "most": max(lengths)},
        "range_ms": spread(ranges_ms),
        "audit_s": audit_s,
    }
    print(json.dumps(shown))


if __name__ == "__main__":
    main()
