"""Quality-control plans: how each figure of a year is measured, by version."""

from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple, get_args

import msgspec

from cea_exchange.domain.compliance.accounting import GUIDELINES, PARAMETERS
from cea_exchange.domain.refusals import PlatformRefusal
from cea_exchange.files.cells.source import SourceFile
from cea_exchange.files.findings import Finding
from cea_exchange.platform.checks import (
    TEXT_LENGTH_MAX,
    PlatformActError,
    choice_checked,
    file_refusals_raised,
    words_checked,
    year_checked,
)
from cea_exchange.platform.choices import Cause
from cea_exchange.platform.entity_list.enterprises import Enterprise, Enterprises
from cea_exchange.platform.entity_list.units import Units
from cea_exchange.platform.filings.documents import Documents, Filing, Place
from cea_exchange.platform.filings.evidence import Evidence
from cea_exchange.platform.filings.months import asked
from cea_exchange.platform.filings.plan_files import (
    Method,
    PlanLines,
    PlannedFigure,
    plan_read,
)
from cea_exchange.platform.periods import plan_due
from cea_exchange.platform.record import Acting, Record

KIND = "plan"
CARBON, CARBON_PER_HEAT = "B", "D"
"""Codes of a fuel's carbon as received, and by its heat."""


class PlanWords(NamedTuple):
    """What a plan says of the whole enterprise.

    Attributes
    ----------
    boundary
        What is reported, and what is not.
    quality
        Who checks what how often, and how records are kept.
    monitoring
        The system that measures emissions continuously (CEMS); empty: there is none.
    """

    boundary: str
    quality: str
    monitoring: str = ""


class Plan(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """What a version of a plan says.

    Attributes
    ----------
    file, sha256
        The file it was entered by.
    cause
        Empty: none counted before.
    """

    file: str
    sha256: str
    boundary: str
    quality: str
    monitoring: str
    cause: str
    figures: tuple[PlannedFigure, ...]

    def has(self, unit: str, parameter: str) -> bool:
        """Tell whether it says how a figure is measured."""
        return (unit, parameter) in self._planned

    @cached_property
    def _planned(self) -> frozenset[tuple[str, str]]:
        return frozenset((each.unit, each.parameter) for each in self.figures)


class Plans:
    """The quality-control plans of all enterprises."""

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

    def enter(
        self,
        person: Acting,
        enterprise: str,
        year: int,
        source: SourceFile,
        words: PlanWords,
        *,
        cause: str = "",
        reason: str = "",
    ) -> Filing:
        """Enter a version of a plan as a draft.

        Parameters
        ----------
        cause
            Why a plan that counts is changed, one of `Cause`; of a first one there is none.

        Notes
        -----
        Rules: CEA-MRV-08, CEA-MRV-10, CEA-MRV-11, CEA-MRV-12, CEA-PWR-09, CEA-FIL-01.
        """
        year_checked(year)
        for what, said in words._asdict().items():
            words_checked(said, what, TEXT_LENGTH_MAX, is_needed=what != "monitoring")
        found = self._enterprises.acting(enterprise)
        place = Place(KIND, found.enterprise_id, 0, year)
        with file_refusals_raised(), self._record.transaction():
            self._cause_check(place, cause)
            figures = plan_read(source, lambda lines: self._faults(found, year, lines))
            plan = Plan(
                file=source.name,
                sha256=self._evidence.bring(person, found, source.name, source.data),
                boundary=words.boundary,
                quality=words.quality,
                monitoring=words.monitoring,
                cause=cause,
                figures=figures,
            )
            return self._documents.enter(
                person,
                place,
                msgspec.json.encode(plan).decode(),
                due_on=plan_due(found.sector, year),
                reason=reason,
            )

    def file(self, person: Acting, enterprise: str, year: int, seen: str | None = None) -> Filing:
        """File a draft of a plan, which another person entered."""
        found = self._enterprises.of(enterprise)
        return self._documents.file(person, Place(KIND, found.enterprise_id, 0, year), seen=seen)

    def accepted(self, enterprise_id: int, year: int) -> Plan | None:
        """Return the plan that counts for a year; None if there is none."""
        filing = self._documents.accepted(Place(KIND, enterprise_id, 0, year))
        return None if filing is None else plan_of(filing)

    # -- what a plan may not say ------------------------------------------------------------------

    def _cause_check(self, place: Place, cause: str) -> None:
        standing = self._documents.standing(place)
        if standing is not None and standing.accepted_id:
            choice_checked(cause, get_args(Cause), "cause")
        elif cause:
            raise PlatformActError(
                PlatformRefusal.REASON_MISSING,
                f"cause: expected none where no plan of {place.period} counts yet, got {cause}"
                " (CEA-MRV-11)",
            )

    def _faults(self, enterprise: Enterprise, year: int, lines: PlanLines) -> Iterator[Finding]:
        first_line, first = lines[0]
        if first.enterprise != enterprise.enterprise:
            text = f"expected {enterprise.enterprise}, whose file it is, got {first.enterprise}"
            yield Finding(first_line, "enterprise", text)
            return
        day = min(self._record.business_date(), 10_000 * year + 12_31)
        owned = self._units.of(enterprise.enterprise_id, day)
        for line, figure in lines:
            if figure.unit not in owned:
                text = f"expected a unit that {enterprise.enterprise} has, got {figure.unit}"
                yield Finding(line, "unit", f"{text} (CEA-MRV-10)")
            else:
                yield from _line_faults(enterprise.sector, year, line, figure)
                yield from _basis_faults(enterprise.sector, line, figure)
        yield from _state_faults(lines)
        before = self.accepted(enterprise.enterprise_id, year - 1)
        yield from _fallen_faults(lines, before, year - 1)
        for unit in owned:
            planned = {figure.parameter for _, figure in lines if figure.unit == unit}
            for needed in _asked(enterprise.sector, year):
                if needed not in planned:
                    text = f"expected how {needed} of {unit} is measured, got nothing (CEA-MRV-10)"
                    yield Finding(lines[-1][0], "parameter", text)


def plan_of(filing: Filing) -> Plan:
    """Return what a version of a plan says."""
    return msgspec.json.decode(filing.content, type=Plan)


def method_of(sector: str, parameter: str, year: int) -> Method:
    """Return what has to stand for a figure that is missing.

    Notes
    -----
    Carbon of coal that was not soundly measured is that of its heat, for which there is a value.

    Rules: CEA-MRV-14, CEA-MRV-15, CEA-PWR-12.
    """
    code, _, fuel = parameter.partition(".")
    standing_in = PARAMETERS[sector].get(f"{CARBON_PER_HEAT}.{fuel}") if code == CARBON else None
    for each in (PARAMETERS[sector][parameter], standing_in):
        if each is not None and each.default_in(year) is not None:
            return "default"
    return "second_source"


def _asked(sector: str, year: int) -> list[str]:
    """Return what every unit's month has: what its bill needs, and what its allocation rests on."""
    needed = [each.id for each in PARAMETERS[sector].values() if each.required]
    return [*needed, *(each for each in asked(sector, year) if each not in needed)]


def _is_solid(sector: str, parameter: str) -> bool:
    code, _, fuel = parameter.partition(".")
    fuels = GUIDELINES[sector].fuels
    is_coal = sector == "power" and code in ("A", "B", "C")
    return is_coal and fuel in fuels and fuels[fuel].state == "solid"


def _basis_faults(sector: str, line: int, figure: PlannedFigure) -> Iterator[Finding]:
    """Yield that a solid fuel's state is not said, or another figure's is."""
    if _is_solid(sector, figure.parameter) != bool(figure.basis):
        expected = "nothing" if figure.basis else "as_fired or as_received"
        text = f"expected {expected} of {figure.parameter}, got {figure.basis or 'nothing'}"
        yield Finding(line, "basis", f"{text} (CEA-PWR-09)")


def _state_faults(lines: PlanLines) -> Iterator[Finding]:
    """Yield where heat or carbon of a coal is not of the state in which it is weighed.

    Notes
    -----
    Rules: CEA-PWR-09.
    """
    weighed = {
        (figure.unit, figure.parameter.partition(".")[2]): figure.basis
        for _, figure in lines
        if figure.parameter.startswith("A.")
    }
    for line, figure in lines:
        code, _, fuel = figure.parameter.partition(".")
        of_coal = weighed.get((figure.unit, fuel), "")
        if code in ("B", "C") and figure.basis and of_coal not in ("", figure.basis):
            text = f"expected {of_coal} of {figure.parameter}, as its coal is weighed, got"
            yield Finding(line, "basis", f"{text} {figure.basis} (CEA-PWR-09)")


def _fallen_faults(lines: PlanLines, before: Plan | None, year: int) -> Iterator[Finding]:
    """Yield coal that was weighed as it is fired the year before, and is not to be any more.

    Notes
    -----
    Rules: CEA-PWR-09.
    """
    was = {} if before is None else {(f.unit, f.parameter): f.basis for f in before.figures}
    for line, figure in lines:
        if figure.basis == "as_received" and was.get((figure.unit, figure.parameter)) == "as_fired":
            text = f"expected as_fired of {figure.parameter} of {figure.unit}, as in the plan of"
            yield Finding(line, "basis", f"{text} {year}, got as_received (CEA-PWR-09)")


def _line_faults(sector: str, year: int, line: int, figure: PlannedFigure) -> Iterator[Finding]:
    """Yield what is wrong with how one figure is measured.

    Notes
    -----
    Rules: CEA-MRV-10, CEA-MRV-14, CEA-MRV-15, CEA-STE-10.
    """
    if figure.parameter not in PARAMETERS[sector]:
        text = f"expected a parameter of {sector}, got {figure.parameter} (CEA-MRV-10)"
        yield Finding(line, "parameter", text)
        return
    method = method_of(sector, figure.parameter, year)
    if figure.missing_data != method:
        rule = "CEA-MRV-14" if method == "default" else "CEA-MRV-15"
        text = f"expected {method} of {figure.parameter}, got {figure.missing_data} ({rule})"
        yield Finding(line, "missing_data", text)
    if figure.meter:
        if not 0 < figure.accuracy < 100:
            text = f"expected the class of {figure.meter} in percent, got {figure.accuracy}"
            yield Finding(line, "accuracy", f"{text} (CEA-STE-10)")
        if not figure.calibration_months:
            text = f"expected 1 to 12 months between calibrations of {figure.meter}, got none"
            yield Finding(line, "calibration_months", f"{text} (CEA-STE-10)")
    elif figure.accuracy or figure.calibration_months:
        text = "expected the meter that has a class and is calibrated, got nothing (CEA-STE-10)"
        yield Finding(line, "meter", text)
