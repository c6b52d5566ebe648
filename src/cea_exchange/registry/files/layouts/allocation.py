"""Allocation files: what the authority's platform determined for each entity, to be distributed."""

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from cea_exchange.files.cells.source import SourceFile
from cea_exchange.files.findings import Finding
from cea_exchange.files.kinds import FLAG, NAME, PROVINCE, TONNES_OR_ZERO, YEAR, Choice
from cea_exchange.files.layout import Column, Layout, Totals
from cea_exchange.files.reading import FileTable, table_read
from cea_exchange.registry.files.accounts import accounts_check

STAGES = ("pre", "final", "adjustment")


class Allocation(Struct, frozen=True, kw_only=True):
    """What one entity is allocated."""

    compliance_year: int
    product: str
    """Its vintage is the compliance year's."""
    stage: str
    """`pre`: ahead of the verified figures; `final`; `adjustment`: determined anew after that."""
    province: int
    account: str
    tonnes: int
    """Determined for the whole year; what is to be given or recalled is the registry's sum."""
    at_risk: bool
    """Whether the allowances stay with the province until the entity has surrendered."""


ALLOCATION = Layout(
    title="allocation file",
    row=Allocation,
    columns=(
        Column("compliance_year", YEAR),
        Column("product", NAME),
        Column("stage", Choice(*STAGES)),
        Column("province", PROVINCE),
        Column("account", NAME),
        Column("tonnes", TONNES_OR_ZERO),
        Column("at_risk", FLAG, empty=False),
    ),
    totals=Totals(mark="account", summed=("tonnes",), by="province"),
    once=("account",),
    same=("compliance_year", "product", "stage"),
)


def allocation_read(
    source: SourceFile,
    *,
    vintages: Mapping[str, int] | None = None,
    provinces: Mapping[str, int] | None = None,
) -> FileTable[Allocation]:
    """Read an allocation file.

    Raises FileRefused: with everything that is wrong, each with its line.

    Rules: CEA-FIL-03.

    Parameters
    ----------
    vintages
        Product -> its vintage, of all that are known; None: products are not looked up.
    provinces
        Account -> its province, of all there are; None: accounts are not looked up.
    """

    def check(entries: Sequence[tuple[int, Allocation]]) -> Iterator[Finding]:
        yield from _vintage_check(entries, vintages)
        for line, entry in entries:
            # Nothing can be recalled by a first allocation: a zero there is a slip.
            if entry.stage == "pre" and entry.tonnes == 0:
                yield Finding(line, "tonnes", "expected 1 or more in stage pre, got 0")
        yield from accounts_check(entries, provinces)

    return table_read(source, ALLOCATION, check)


def _vintage_check(
    entries: Sequence[tuple[int, Allocation]], vintages: Mapping[str, int] | None
) -> Iterator[Finding]:
    """Find an unknown product or one of another year; all entries have the first one's."""
    line, first = entries[0]
    if vintages is None:
        return
    vintage = vintages.get(first.product)
    if vintage is None:
        known = ", ".join(vintages) or "none"
        yield Finding(
            line, "product", f"expected one with a vintage ({known}), got {first.product}"
        )
    # Allowances of 2019 and 2020 were issued as one product.
    elif max(first.compliance_year, 2020) != vintage:
        text = f"expected allowances of {first.compliance_year}"
        yield Finding(line, "product", f"{text}, got {first.product} of vintage {vintage}")
