"""What an allocation file does to each entity it names: computed, before anything is done. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, get_args

from msgspec import Struct

from cea_exchange.domain.compliance.adjustment import Stage, final_stage, recall
from cea_exchange.domain.compliance.allocation import AllocationRules, Industry, Sector
from cea_exchange.domain.provinces import PROVINCES
from cea_exchange.files.findings import Finding, Findings
from cea_exchange.registry.distribution.recomputation import recomputed
from cea_exchange.registry.files import Allocation, FileTable, SourceFile, units_read
from cea_exchange.registry.files.layouts.allocation import STAGES

LARGE_TIMES = 2
"""From more than so many times of what was determined before on, a person is asked to look."""


class Owed(NamedTuple):
    """A deduction, as it stands before the distribution."""

    deduction_id: int
    remaining: int
    """still to adjust"""
    taken: int
    """of this compliance year's allowances, by the distributions before"""


class Known(Struct, kw_only=True):
    """What the registry knows of an entity, the compliance year and the product."""

    account_index: int
    at_risk: bool = False
    stage: str | None = None
    """The last one distributed; None: there was none."""
    before: int = 0
    """Tonnes determined for the year so far."""
    given_before: int = 0
    """What it has been given of them so far, or the province for it, less what was recalled."""
    owed: tuple[Owed, ...] = ()
    held: int = 0
    """In the registration account."""
    held_by_province: int = 0


class Entity(NamedTuple):
    """Whom allowances may be distributed to."""

    account_index: int
    province: int
    at_risk: int
    """1: its allowances stay with the province."""
    sector: str
    """'' where it was not given."""


class Facts(Struct, frozen=True, kw_only=True):
    """What the registry knows that decides what a file does."""

    entities: dict[str, Entity]
    """By account."""
    known: dict[str, Known]
    """By account, of those in the file."""
    stages: dict[int, str]
    """Account index -> the last stage distributed to it for the year."""
    authority_holds: int
    """What there is to distribute."""
    rules: AllocationRules

    @property
    def sectors(self) -> dict[str, Sector]:
        """Return account -> sector, of all that are not of power."""
        industries: dict[str, Industry] = {name: name for name in get_args(Industry)}
        return {
            account: industries[entity.sector]
            for account, entity in self.entities.items()
            if entity.sector in industries
        }


class Line(Struct, frozen=True, kw_only=True):
    """What one entity is given, or what is recalled from it. Tonnes.

    ``given + kept - recalled - recalled_kept - unrecalled`` is
    ``tonnes - before - deducted + returned``.
    """

    compliance_year: int
    product: str
    stage: str
    province: int
    account: str
    at_risk: bool
    """Whether its allowances stay with the province."""
    tonnes: int
    """Determined for the whole year."""
    before: int
    """Determined until now."""
    given_before: int
    """What it got of that, less what was recalled."""
    given: int
    """Goes to its registration account."""
    kept: int
    """Stays with the province, for it."""
    recalled: int
    """Leaves its registration account."""
    recalled_kept: int
    """Leaves what the province keeps for it."""
    unrecalled: int
    """Is not there to recall: still to adjust."""
    deducted: int
    """Is not given, for what was still to adjust."""
    returned: int
    """Goes back to what is still to adjust."""
    remaining: int
    """Still to adjust afterwards, of all there is."""
    held: int
    """In its registration account now."""
    held_by_province: int
    """The province holds for it now."""


class Planned(Struct, frozen=True, kw_only=True):
    """A line, whose account it is, and what it does to each deduction (negative: goes back)."""

    account_index: int
    line: Line
    taken: tuple[tuple[int, int], ...]


class Plan(Struct, frozen=True, kw_only=True):
    """What an allocation file does."""

    compliance_year: int
    product: str
    stage: str
    planned: tuple[Planned, ...]
    warnings: tuple[str, ...]
    recomputed: int = 0
    """Entities whose tonnes the registry computed itself, and were the same."""

    @property
    def lines(self) -> list[Line]:
        """Return what happens to each entity."""
        return [planned.line for planned in self.planned]


class Totals(Struct, kw_only=True):
    """What lines add up to; the province 0 is all of them. Tonnes."""

    province: int
    name: str
    product: str
    entities: int = 0
    at_risk: int = 0
    tonnes: int = 0
    before: int = 0
    given: int = 0
    kept: int = 0
    recalled: int = 0
    recalled_kept: int = 0
    unrecalled: int = 0
    deducted: int = 0
    returned: int = 0


_SUMMED = (
    *("at_risk", "tonnes", "before", "given", "kept"),
    *("recalled", "recalled_kept", "unrecalled", "deducted", "returned"),
)


def totals_of(lines: Sequence[Line]) -> list[Totals]:
    """Return what lines add up to: by province, ascending, and last of all."""
    found = [_totals(code, lines) for code in sorted({line.province for line in lines})]
    return [*found, _totals(0, lines)]


def _totals(code: int, lines: Sequence[Line]) -> Totals:
    name = PROVINCES[code].name if code else "all"
    totals = Totals(province=code, name=name, product=lines[0].product)
    for line in lines:
        if code in (0, line.province):
            totals.entities += 1
            for field in _SUMMED:
                setattr(totals, field, getattr(totals, field) + getattr(line, field))
    return totals


def plan(table: FileTable[Allocation], units: SourceFile | None, facts: Facts) -> Plan:
    """Return what an allocation file does, of what is known now.

    Raises FileRefused: a stage can't follow the one before, figures give other tonnes, or something
    is given ahead where nothing is.

    Rules: CEA-DIS-02, CEA-DIS-09, CEA-ALC-14.

    Parameters
    ----------
    table
        The file, read.
    units
        The units' figures, from which each entity's tonnes are computed and must come out the
        same; None leaves them as the file has them.
    """
    entries = list(zip(table.lines, table.rows, strict=True))
    findings = Findings(table.file)
    for finding in stages_check(entries, facts.known):
        findings.add(*finding)
    findings.raise_any()
    computed = [] if units is None else _recomputed(table, units, facts)
    without_figures = [each for each in entries if each[1].account not in {*computed}]
    for finding in ahead_check(without_figures, facts.sectors, facts.rules):
        findings.add(*finding)
    findings.raise_any()
    planned = tuple(planned_of(entry, facts.known[entry.account]) for entry in table.rows)
    warnings = warnings_of(
        entries,
        facts.known,
        [each.line for each in planned],
        left_out(table.rows, facts),
        facts.authority_holds,
    )
    if units is not None:
        warnings += tuple(uncomputed(entries, computed))
    first = table.rows[0]
    return Plan(
        compliance_year=first.compliance_year,
        product=first.product,
        stage=first.stage,
        planned=planned,
        warnings=warnings,
        recomputed=len(computed),
    )


def _recomputed(table: FileTable[Allocation], units: SourceFile, facts: Facts) -> list[str]:
    """Return whose tonnes come out the same from their units' figures; all others have none."""
    first = table.rows[0]
    figures = units_read(
        units,
        compliance_year=first.compliance_year,
        stage=first.stage,
        accounts={entry.account for entry in table.rows},
        provinces={account: entity.province for account, entity in facts.entities.items()},
    )
    return recomputed(table, figures, facts.rules, facts.sectors)


def left_out(entries: Sequence[Allocation], facts: Facts) -> list[str]:
    """Return whom a final file leaves out of its provinces' entities that were given ahead."""
    if entries[0].stage != "final":
        return []
    named = {entry.account for entry in entries}
    provinces = {entry.province for entry in entries}
    return sorted(
        account
        for account, entity in facts.entities.items()
        if account not in named
        and entity.province in provinces
        and facts.stages.get(entity.account_index) == "pre"
    )


def planned_of(entry: Allocation, known: Known) -> Planned:
    """Return what becomes of an entity: the difference to what it was given before.

    What is given stays with the province where the file or the registry says that the entity is at
    risk. What is recalled is taken from what the province keeps first.

    Rules: CEA-ALC-09, CEA-ALC-10, CEA-DIS-03, CEA-DIS-04.
    """
    so_far = Stage(
        change=0,
        deducted=tuple(owed.taken for owed in known.owed),
        remaining=tuple(owed.remaining for owed in known.owed),
    )
    stage = final_stage(entry.tonnes, known.before, so_far)
    given, excess = max(0, stage.change), max(0, -stage.change)
    from_kept = recall(excess, known.held_by_province)
    from_entity = recall(from_kept.remaining, known.held)
    at_risk = entry.at_risk or known.at_risk
    taken = tuple(
        (owed.deduction_id, tonnes)
        for owed, tonnes in zip(known.owed, stage.deducted, strict=True)
        if tonnes
    )
    line = Line(
        compliance_year=entry.compliance_year,
        product=entry.product,
        stage=entry.stage,
        province=entry.province,
        account=entry.account,
        at_risk=at_risk,
        tonnes=entry.tonnes,
        before=known.before,
        given_before=known.given_before,
        given=0 if at_risk else given,
        kept=given if at_risk else 0,
        recalled=from_entity.recalled,
        recalled_kept=from_kept.recalled,
        unrecalled=from_entity.remaining,
        deducted=sum(max(0, tonnes) for tonnes in stage.deducted),
        returned=sum(max(0, -tonnes) for tonnes in stage.deducted),
        remaining=sum(stage.remaining) + from_entity.remaining,
        held=known.held,
        held_by_province=known.held_by_province,
    )
    return Planned(account_index=known.account_index, line=line, taken=taken)


def stages_check(
    entries: Iterable[tuple[int, Allocation]], known: dict[str, Known]
) -> Iterable[Finding]:
    """Find entries whose stage can't follow the one before.

    Rules: CEA-DIS-02.
    """
    for line, entry in entries:
        last = known[entry.account].stage
        if entry.stage == "adjustment" and last in (None, "pre"):
            had = last or "none"
            text = f"expected {entry.account} to have a final allocation before, got {had}"
            yield Finding(line, "stage", text)
        elif last is not None and STAGES.index(entry.stage) < STAGES.index(last):
            text = f"expected {last} or later, as {entry.account} was before, got {entry.stage}"
            yield Finding(line, "stage", text)


def ahead_check(
    entries: Iterable[tuple[int, Allocation]],
    sectors: Mapping[str, Sector],
    rules: AllocationRules,
) -> Iterable[Finding]:
    """Find entries that give a sector something ahead which is given nothing for that year.

    Rules: CEA-ALC-14.

    Parameters
    ----------
    entries
        Of the file, with their lines there; without those whose units' figures came with it.
    sectors
        Account -> its sector, of all that are not of power.
    """
    for line, entry in entries:
        sector = sectors.get(entry.account)
        if sector is None or entry.stage != "pre":
            continue
        if rules.ahead(sector, entry.compliance_year) is None:
            text = f"expected nothing ahead for {sector} of {entry.compliance_year} (CEA-ALC-14)"
            yield Finding(line, "stage", f"{text}, got pre")


def warnings_of(
    entries: Iterable[tuple[int, Allocation]],
    known: dict[str, Known],
    lines: Sequence[Line],
    left_out: Sequence[str],
    authority_holds: int,
) -> tuple[str, ...]:
    """Return what a person should look at before it is distributed.

    Parameters
    ----------
    entries
        Of the file, with their lines there.
    known, lines
        By account, and what happens to each.
    left_out
        Accounts that were given allowances ahead, and are not in the file.
    authority_holds
        What there is to distribute.
    """
    found = []
    needed = sum(line.given + line.kept for line in lines)
    if needed > authority_holds:
        found.append(
            f"the competent authority holds {authority_holds} of {lines[0].product},"
            f" {needed} are needed: issue {needed - authority_holds} first"
        )
    for line in lines:
        if line.unrecalled:
            found.append(
                f"{line.account} has {line.recalled + line.recalled_kept} here to recall:"
                f" {line.unrecalled} more are called from the venue, or taken as they come"
            )
    for number, entry in entries:
        found += [f"line {number}: {text}" for text in _doubts(entry, known[entry.account])]
    found += [f"{account} was given allowances ahead and is left out" for account in left_out]
    return tuple(found)


def uncomputed(entries: Iterable[tuple[int, Allocation]], computed: Sequence[str]) -> Iterator[str]:
    """Yield a warning for each entity of which there are no units' figures."""
    known = set(computed)
    for line, entry in entries:
        if entry.account not in known:
            yield f"line {line}: {entry.account} has no units, its {entry.tonnes} are not computed"


def _doubts(entry: Allocation, known: Known) -> Iterable[str]:
    account = entry.account
    if known.before and entry.tonnes > LARGE_TIMES * known.before:
        yield (
            f"{account} gets {entry.tonnes}, more than {LARGE_TIMES} times the {known.before} of"
            " before"
        )
    if entry.stage == known.stage != "adjustment":
        yield f"{account} had its {entry.stage} allocation before, of {known.before}"
    if known.at_risk and not entry.at_risk:
        yield f"{account} is at risk here, not in the file; its allowances stay with the province"
    if known.held_by_province and not (known.at_risk or entry.at_risk):
        yield (
            f"{account} is not at risk any more, the province holds {known.held_by_province} for"
            " it until they are released"
        )
