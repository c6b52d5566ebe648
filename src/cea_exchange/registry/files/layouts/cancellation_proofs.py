"""Files of cancellation proofs: CCERs cancelled in their own registry to offset emissions."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import get_args

from msgspec import Struct

from cea_exchange.domain.calendar import date_of_number
from cea_exchange.domain.compliance.offsets import DATES_IN_ORDER, Quota
from cea_exchange.files.cells.source import SourceFile
from cea_exchange.files.findings import Finding
from cea_exchange.files.kinds import DAY, NAME, SERIAL, TONNES, YEAR, Choice
from cea_exchange.files.layout import Column, Layout, Totals
from cea_exchange.files.reading import FileTable, table_read
from cea_exchange.registry.files.accounts import accounts_check


class CancellationProof(Struct, frozen=True, kw_only=True):
    """Some CCERs of one project, cancelled for one entity's obligation of one year."""

    proof: str
    """The CCER registry's number of the cancellation."""
    compliance_year: int
    account: str
    project: str
    serial_first: int
    serial_last: int
    tonnes: int
    registered_on: int
    """Day (yyyymmdd) the CCERs were registered: which of them may be used depends on it."""
    cancelled_on: int
    quota_managed: Quota
    """Whether the project's emissions are under allowances, and under which market's."""
    project_started_on: int
    applied_on: int
    """Day the registration of the reductions was applied for."""
    produced_from: int
    """First day of the reductions."""
    produced_to: int
    """Last day of the reductions."""


CANCELLATION_PROOFS = Layout(
    title="cancellation proof file",
    row=CancellationProof,
    columns=(
        Column("proof", NAME),
        Column("compliance_year", YEAR),
        Column("account", NAME),
        Column("project", NAME),
        Column("serial_first", SERIAL),
        Column("serial_last", SERIAL),
        Column("tonnes", TONNES),
        Column("registered_on", DAY),
        Column("cancelled_on", DAY),
        Column("quota_managed", Choice(*get_args(Quota))),
        Column("project_started_on", DAY),
        Column("applied_on", DAY),
        Column("produced_from", DAY),
        Column("produced_to", DAY),
    ),
    totals=Totals(mark="account", summed=("tonnes",)),
    once=("proof",),
    same=("compliance_year",),
)


def cancellation_proofs_read(
    source: SourceFile, *, provinces: Mapping[str, int] | None = None
) -> FileTable[CancellationProof]:
    """Read a file of cancellation proofs.

    Whether the CCERs may be used is not decided here.

    Raises FileRefused: with everything that is wrong, each with its line.

    Parameters
    ----------
    provinces
        Account -> its province, of all there are; None: accounts are not looked up.
    """
    return table_read(
        source, CANCELLATION_PROOFS, lambda entries: cancellation_proofs_check(entries, provinces)
    )


def cancellation_proofs_check(
    entries: Sequence[tuple[int, CancellationProof]], provinces: Mapping[str, int] | None
) -> Iterator[Finding]:
    """Yield what is wrong with proofs, each sound by itself, among each other.

    Rules: CEA-FIL-04, CEA-OFS-08.
    """
    for line, entry in entries:
        count = entry.serial_last - entry.serial_first + 1
        if entry.tonnes != count:
            text = f"expected {count}, one for each serial number, got {entry.tonnes}"
            yield Finding(line, "tonnes", text)
        yield from _dates_check(line, entry)
    yield from _twice_check(entries)
    yield from accounts_check(entries, provinces)


def _dates_check(line: int, entry: CancellationProof) -> Iterator[Finding]:
    """Find what is no day, or a day before one that it must follow."""
    for name in DATES_IN_ORDER:
        try:
            date_of_number(getattr(entry, name))
        except (ValueError, OverflowError):
            text = f"expected a day such as 20251231, got {getattr(entry, name)}"
            yield Finding(line, name, text)
            return
    for before, name in pairwise(DATES_IN_ORDER):
        first, day = getattr(entry, before), getattr(entry, name)
        if day < first:
            text = f"expected no day before {before} {first}, got {day}"
            yield Finding(line, name, text)


def _twice_check(entries: Sequence[tuple[int, CancellationProof]]) -> Iterator[Finding]:
    """Find serial numbers that two proofs have: each CCER is cancelled once."""
    ordered = sorted(entries, key=lambda each: (each[1].project, each[1].serial_first, each[0]))
    furthest_line, furthest = ordered[0]
    for line, entry in ordered[1:]:
        is_behind = entry.project != furthest.project or entry.serial_first > furthest.serial_last
        if not is_behind:
            last = min(entry.serial_last, furthest.serial_last)
            text = f"expected each CCER of {entry.project} once"
            twice = f"{entry.serial_first} to {last} of line {furthest_line} again"
            yield Finding(line, "serial_first", f"{text}, got {twice}")
        if is_behind or entry.serial_last > furthest.serial_last:
            furthest_line, furthest = line, entry
