"""Obligation files: verified emissions of each entity and what it has to surrender for them."""

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from cea_exchange.files.cells.source import SourceFile
from cea_exchange.files.findings import Finding
from cea_exchange.files.kinds import NAME, PROVINCE, TONNES, YEAR
from cea_exchange.files.layout import Column, Layout, Totals
from cea_exchange.files.reading import FileTable, table_read
from cea_exchange.registry.files.accounts import accounts_check


class Obligation(Struct, frozen=True, kw_only=True):
    """What one entity emitted and owes."""

    compliance_year: int
    province: int
    account: str
    verified_tonnes: int
    """Verified emissions of the year."""
    due_tonnes: int
    """To be surrendered: the verified emissions; of 2019 and 2020 less what their plan exempts."""


OBLIGATIONS = Layout(
    title="obligation file",
    row=Obligation,
    columns=(
        Column("compliance_year", YEAR),
        Column("province", PROVINCE),
        Column("account", NAME),
        Column("verified_tonnes", TONNES),
        Column("due_tonnes", TONNES),
    ),
    totals=Totals(mark="account", summed=("verified_tonnes", "due_tonnes"), by="province"),
    once=("account",),
    same=("compliance_year",),
)


def obligations_read(
    source: SourceFile, *, provinces: Mapping[str, int] | None = None
) -> FileTable[Obligation]:
    """Read an obligation file.

    Raises FileRefused: with everything that is wrong, each with its line.

    Parameters
    ----------
    provinces
        Account -> its province, of all there are; None: accounts are not looked up.
    """

    def check(entries: Sequence[tuple[int, Obligation]]) -> Iterator[Finding]:
        for line, entry in entries:
            if entry.due_tonnes > entry.verified_tonnes:
                text = f"expected at most the {entry.verified_tonnes} verified"
                yield Finding(line, "due_tonnes", f"{text}, got {entry.due_tonnes}")
        yield from accounts_check(entries, provinces)

    return table_read(source, OBLIGATIONS, check)
