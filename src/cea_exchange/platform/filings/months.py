"""Monthly figures: entered from a file, checked against the guideline, and accounted at once."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from cea_exchange.domain.compliance.accounting import (
    PARAMETERS,
    Accounted,
    Figure,
    FiguresError,
    emissions,
)
from cea_exchange.domain.compliance.accounting.missing import Substitution, fill_missing
from cea_exchange.domain.compliance.plans import counts_supplied
from cea_exchange.domain.compliance.plausibility.filings import unit_of
from cea_exchange.domain.compliance.ruled import marks_text
from cea_exchange.domain.refusals import PlatformRefusal
from cea_exchange.files.cells.source import SourceFile
from cea_exchange.files.findings import Finding
from cea_exchange.platform.checks import PlatformActError, file_refusals_raised, period_checked
from cea_exchange.platform.entity_list.enterprises import Enterprise, Enterprises
from cea_exchange.platform.entity_list.units import Units
from cea_exchange.platform.filings.documents import Documents, Entry, Filing, Place
from cea_exchange.platform.filings.evidence import Evidence
from cea_exchange.platform.filings.heat_choices import HeatChoices
from cea_exchange.platform.filings.month_files import (
    DEFAULT,
    MEASURED,
    MISSING,
    SECOND,
    FiledFigure,
    Lines,
    UnitMonth,
    by_unit_month,
    months_read,
)
from cea_exchange.platform.periods import month_due, month_end
from cea_exchange.platform.record import Acting, Record

KIND = "month"


class KeptFigure(NamedTuple):
    """A figure as a version keeps it."""

    parameter: str
    value: str
    measure: str
    origin: str
    evidence: str


class KeptMonth(NamedTuple):
    """A unit's month as it will be kept, and its account."""

    kept: list[KeptFigure]
    account: Accounted


class Months:
    """The monthly figures of all units."""

    def __init__(
        self,
        record: Record,
        enterprises: Enterprises,
        units: Units,
        evidence: Evidence,
        documents: Documents,
    ) -> None:
        self._record = record
        self._enterprises = enterprises
        self._units = units
        self._evidence = evidence
        self._documents = documents
        self._heat_choices = HeatChoices(record)

    def enter(
        self, person: Acting, enterprise: str, source: SourceFile, reason: str = ""
    ) -> list[Filing]:
        """Enter the months of a file as drafts, all of them or none.

        Notes
        -----
        Rules: CEA-MRV-08, CEA-MRV-04, CEA-STE-07, CEA-FIL-01.
        """
        found = self._enterprises.of(enterprise)
        accounts: dict[UnitMonth, KeptMonth] = {}
        unit_ids: dict[UnitMonth, int] = {}

        def check(lines: Lines) -> Iterator[Finding]:
            yield from self._faults(found, lines, unit_ids, accounts)

        with file_refusals_raised(), self._record.transaction():
            groups = months_read(source, check)
            entries = [
                Entry(
                    Place(KIND, found.enterprise_id, unit_ids[each], each.month),
                    _content(accounts[each].kept),
                    due_on=month_due(found.sector, each.month),
                    emission=f"{accounts[each].account.emissions:f}",
                    mark=marks_text(accounts[each].account.marks),
                )
                for each in groups
            ]
            return self._documents.enter_all(person, entries, reason)

    def file(
        self, person: Acting, enterprise: str, period: int, seen: Mapping[str, str] | None = None
    ) -> list[Filing]:
        """File the drafts of a month, or of a year's months, of all units.

        Another person has entered them.

        Parameters
        ----------
        seen
            Unit -> hash of the content that the person has seen; None: whatever is there.
        """
        period_checked(period)
        found = self._enterprises.of(enterprise)
        with self._record.transaction():
            drafts = self._documents.in_state(found.enterprise_id, KIND, period, "draft")
            if not drafts:
                raise PlatformActError(
                    PlatformRefusal.FILING_UNKNOWN,
                    f"month {period}: expected a draft of {enterprise}, got none",
                )
            return self._documents.file_all(
                person,
                {
                    place: None if seen is None else seen.get(self._units.name_of(place.unit_id))
                    for place in drafts
                },
            )

    def figures(self, filing: Filing) -> dict[str, KeptFigure]:
        """Return the figures of a version, by parameter."""
        kept = msgspec.json.decode(filing.content, type=list[KeptFigure])
        return {figure.parameter: figure for figure in kept}

    def account(self, sector: str, filing: Filing) -> Accounted:
        """Compute again what a version's figures give, with every quantity on the way."""
        return account_of(sector, filing, self.figures(filing))

    # -- what a file may not say ------------------------------------------------------------------

    def _owned(
        self, enterprise: Enterprise, groups: Mapping[UnitMonth, Any]
    ) -> dict[UnitMonth, int]:
        """Return the id of each month's unit that was the enterprise's at its end."""
        months = {each.month for each in groups}
        by_month = self._units.ids_at(enterprise.enterprise_id, months)
        return {
            each: by_month[each.month][each.unit]
            for each in groups
            if each.unit in by_month[each.month]
        }

    def _faults(
        self,
        enterprise: Enterprise,
        lines: Lines,
        unit_ids: dict[UnitMonth, int],
        accounts: dict[UnitMonth, KeptMonth],
    ) -> Iterator[Finding]:
        first_line, first = lines[0]
        if first.enterprise != enterprise.enterprise:
            text = f"expected {enterprise.enterprise}, whose file it is, got {first.enterprise}"
            yield Finding(first_line, "enterprise", text)
            return
        yield from self._evidence_faults(enterprise, lines)
        groups = by_unit_month(lines)
        unit_ids |= self._owned(enterprise, groups)
        yield from self._heat_choices.faults(enterprise, groups, unit_ids)
        today = self._record.business_date()
        for each, group in groups.items():
            line = group[0][0]
            if each not in unit_ids:
                text = f"expected a unit that {enterprise.enterprise} had in the month"
                yield Finding(line, "unit", f"{text}, got {each.unit} (CEA-MRV-03)")
            elif month_end(each.month) >= today:
                text = f"expected a month that ended before {today}, got {each.month} (CEA-MRV-01)"
                yield Finding(line, "month", text)
            else:
                yield from _account_faults(enterprise.sector, each, group, accounts)

    def _evidence_faults(self, enterprise: Enterprise, lines: Lines) -> Iterator[Finding]:
        named = {figure.evidence for _, figure in lines if figure.evidence}
        known = self._evidence.known(enterprise.enterprise_id, named)
        for line, figure in lines:
            if figure.evidence and figure.evidence not in known:
                text = f"expected a document that was brought, got {figure.evidence}"
                yield Finding(line, "evidence", f"{text} (CEA-MRV-04)")
            elif figure.origin == MEASURED and not figure.evidence:
                text = f"expected the document that {figure.parameter} was measured by, got nothing"
                yield Finding(line, "evidence", f"{text} (CEA-MRV-04)")


def account_of(sector: str, filing: Filing, figures: Mapping[str, KeptFigure]) -> Accounted:
    """Return what the figures of a version give."""
    return emissions(
        sector,
        {name: _figure(kept) for name, kept in figures.items() if _is_billed(sector, name)},
        year=filing.period // 100,
    )


def _account_faults(
    sector: str, each: UnitMonth, lines: Lines, accounts: dict[UnitMonth, KeptMonth]
) -> Iterator[Finding]:
    """Account a month; yield what the guideline finds wrong with its figures, each at its line.

    Notes
    -----
    Rules: CEA-MRV-03, CEA-MRV-14, CEA-MRV-15.
    """
    figures, missing = {}, {}
    for line, figure in lines:
        if figure.origin == MISSING:
            if figure.value:
                text = f"{figure.parameter}: expected 0 of what is missing, got {figure.value}"
                yield Finding(line, "value", f"{text} (CEA-MRV-15)")
            missing[figure.parameter] = _second_sources(figure.parameter, lines)
        elif _is_billed(sector, figure.parameter):
            figures[figure.parameter] = Figure(
                value=figure.value, unit=figure.measure, measured=figure.origin == MEASURED
            )
        elif figure.measure != unit_of(figure.parameter):
            text = f"{figure.parameter}: expected in {unit_of(figure.parameter)}, got in"
            yield Finding(line, "measure", f"{text} {figure.measure} (CEA-VER-04)")
    try:
        filled = fill_missing(sector, figures, missing, year=each.month // 100)
        account = emissions(sector, filled.figures, year=each.month // 100)
    except FiguresError as error:
        places = {figure.parameter: line for line, figure in lines}
        for fault in error.faults:
            line = places.get(fault.parameter, lines[0][0])
            column = "parameter" if fault.parameter not in places else _COLUMNS.get(fault.kind)
            rule = "" if fault.rule else " (CEA-MRV-03)"
            text = f"{fault} in {each.unit}, {each.month}{rule}"
            yield Finding(line, column or "value", text)
    else:
        substituted = {one.parameter: one for one in filled.substitutions}
        accounts[each] = KeptMonth(
            [_kept(figure, substituted.get(figure.parameter)) for _, figure in lines], account
        )
    yield from _asked_faults(sector, each, lines)


def _second_sources(parameter: str, lines: Lines) -> tuple[Decimal, ...]:
    """Return what others say of a parameter: ``invoice:A.bituminous``, each as it came."""
    return tuple(figure.value for _, figure in lines if figure.parameter.endswith(f":{parameter}"))


def _kept(figure: FiledFigure, substitution: Substitution | None) -> KeptFigure:
    value, origin = figure.value, figure.origin
    if substitution is not None:
        value = substitution.value
        origin = DEFAULT if substitution.rule == "CEA-MRV-14" else SECOND
    return KeptFigure(figure.parameter, f"{value:f}", figure.measure, origin, figure.evidence)


_ASKED: dict[str, tuple[str, ...]] = {
    "power": ("M", "O"),
    "steel": ("iron", "sinter", "product.crude_steel"),
}


def asked(sector: str, year: int) -> tuple[str, ...]:
    """Return what a year's allocation rests on, and the bill does without.

    A month is asked besides for each coal's heat, by which a unit has its class, and of steel for
    what iron making and sinter were fed, where they made any.

    Notes
    -----
    Rules: CEA-MRV-03, CEA-PLN-06, CEA-PLN-20.
    """
    supplied = ("supplied",) if sector == "power" and counts_supplied(year) else ()
    return (*_ASKED.get(sector, ()), *supplied)


def _asked_faults(sector: str, each: UnitMonth, lines: Lines) -> Iterator[Finding]:
    """Yield what of a sector's month is not there at all.

    Notes
    -----
    Rules: CEA-MRV-03.
    """
    had = {figure.parameter: figure for _, figure in lines}
    needed = asked(sector, each.month // 100)
    if "supplied" in needed and _is_any("N", had):
        needed = (*needed, "turbine_heat")
    fuels = (name.removeprefix("A.") for name in had if name.startswith("A."))
    measured = (fuel for fuel in fuels if f"B.{fuel}" in had and _is_any(f"A.{fuel}", had))
    needed = (*needed, *(f"C.{fuel}" for fuel in measured))
    for name in needed:
        if name not in had:
            text = f"expected {name} of {each.unit} in {each.month}, got none (CEA-MRV-03)"
            yield Finding(lines[0][0], "parameter", text)
    for made in ("iron", "sinter"):
        fed = any(name.startswith(f"{made}_in.") for name in had)
        if sector == "steel" and _is_any(made, had) and not fed:
            text = f"expected what {made} making of {each.unit} in {each.month} was fed, such as"
            yield Finding(lines[0][0], "parameter", f"{text} {made}_in.coke, got none (CEA-MRV-03)")


def _is_any(parameter: str, had: Mapping[str, FiledFigure]) -> bool:
    """Tell whether a month has some of a parameter; of what is missing it may have."""
    figure = had.get(parameter)
    return figure is not None and (figure.value > 0 or figure.origin == MISSING)


@lru_cache(maxsize=4_096)
def _is_billed(sector: str, parameter: str) -> bool:
    """Tell whether a figure is of the bill, not a second source's word or one of the checks alone.

    What nobody knows is of the bill: its guideline says so.
    """
    if parameter in PARAMETERS[sector]:
        return True
    try:
        unit_of(parameter)
    except ValueError:
        return True
    return False


_COLUMNS = {"unknown": "parameter", "unit": "measure", "missing": "parameter"}


def _content(kept: list[KeptFigure]) -> str:
    return msgspec.json.encode(sorted(kept)).decode()


def _figure(kept: KeptFigure) -> Figure:
    return Figure(value=Decimal(kept.value), unit=kept.measure, measured=kept.origin != DEFAULT)
