"""Unit files: the verified figures of each unit, from which allocations are computed."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import get_args

from msgspec import Struct

from cea_exchange.domain.compliance.allocation import Industry, UnitClass
from cea_exchange.files.cells.source import SourceFile
from cea_exchange.files.findings import Finding
from cea_exchange.files.kinds import (
    ENERGY,
    LOAD,
    NAME,
    PROVINCE,
    SHARE,
    TONNES_OR_ZERO,
    YEAR,
    Choice,
)
from cea_exchange.files.layout import Column, Layout, Totals
from cea_exchange.files.reading import FileTable, table_read
from cea_exchange.registry.files.accounts import accounts_check


class UnitFigures(Struct, frozen=True, kw_only=True):
    """What one generating unit, or a plant of another sector, made and emitted."""

    compliance_year: int
    """Whose allocation is computed."""
    province: int
    account: str
    """Of the entity whose unit it is."""
    unit: str
    unit_class: str
    """Empty where only a pre-allocation is computed."""
    electricity_kwh: int
    heat_mj: int
    load_bp: int
    emissions: int
    """Verified tonnes of the compliance year."""
    emissions_before: int
    """Verified tonnes of the year before it, of which a share is given ahead."""
    share_bp: int | None
    """That share, where the province gives less than the most."""


UNITS = Layout(
    title="unit file",
    row=UnitFigures,
    columns=(
        Column("compliance_year", YEAR),
        Column("province", PROVINCE),
        Column("account", NAME),
        Column("unit", NAME),
        Column("unit_class", Choice(*get_args(UnitClass), *get_args(Industry)), empty=""),
        Column("electricity_kwh", ENERGY, empty=0),
        Column("heat_mj", ENERGY, empty=0),
        Column("load_bp", LOAD, empty=0),
        Column("emissions", TONNES_OR_ZERO, empty=0),
        Column("emissions_before", TONNES_OR_ZERO, empty=0),
        Column("share_bp", SHARE, empty=None),
    ),
    totals=Totals(
        mark="account",
        summed=("electricity_kwh", "heat_mj", "emissions", "emissions_before"),
        by="province",
    ),
    once=("account", "unit"),
    same=("compliance_year",),
)


def units_read(
    source: SourceFile,
    *,
    compliance_year: int,
    stage: str,
    accounts: Collection[str],
    provinces: Mapping[str, int] | None = None,
) -> FileTable[UnitFigures]:
    """Read a unit file.

    Raises FileRefused: with everything that is wrong, each with its line.

    Parameters
    ----------
    compliance_year, stage, accounts
        Of the allocation file that it comes with.
    provinces
        Account -> its province, of all there are; None: accounts are not looked up.
    """

    def check(entries: Sequence[tuple[int, UnitFigures]]) -> Iterator[Finding]:
        line, first = entries[0]
        if first.compliance_year != compliance_year:
            text = f"expected {compliance_year}, the year that is allocated"
            yield Finding(line, "compliance_year", f"{text}, got {first.compliance_year}")
        for line, entry in entries:
            if stage != "pre" and not entry.unit_class:
                yield Finding(line, "unit_class", f"expected one in stage {stage}, got nothing")
            if entry.account not in accounts:
                text = f"expected an account of the allocation file, got {entry.account}"
                yield Finding(line, "account", text)
        yield from accounts_check(entries, provinces)

    return table_read(source, UNITS, check)
