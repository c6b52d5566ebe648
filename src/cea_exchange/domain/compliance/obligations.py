"""What an entity owes for a year's emissions, and until when."""

from datetime import date
from typing import Annotated

from msgspec import Meta, Struct

from cea_exchange.domain.calendar import date_number
from cea_exchange.domain.compliance.ruled import ComplianceError, Drafted, Year
from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.domain.units import tonnes_check


class CycleRule(Drafted, frozen=True, kw_only=True):
    """A cycle of several years with one deadline."""

    number: int
    first_year: Year
    last_year: Year
    deadline: date


class YearlyCycles(Drafted, frozen=True, kw_only=True):
    """From `from_year` on every year is a cycle, due on a day of the next year."""

    first_number: int
    from_year: Year
    month: Annotated[int, Meta(ge=1, le=12)]
    day: Annotated[int, Meta(ge=1, le=31)]


class LoweredYears(Drafted, frozen=True, kw_only=True):
    """Years whose plan lowers what an entity owes; of all others it owes what it emitted."""

    first_year: Year
    last_year: Year


class Cycle(Struct, frozen=True, kw_only=True):
    """The years that are due together; the deadline's day (yyyymmdd) still counts."""

    number: int
    first_year: int
    last_year: int
    deadline: int


class Obligation(Struct, frozen=True, kw_only=True):
    """Tonnes an entity must surrender for a year's emissions.

    Attributes
    ----------
    deadline
        yyyymmdd; that day is still in time.
    """

    compliance_year: int
    tonnes: int
    deadline: int

    def in_arrears(self, on: int) -> bool:
        """Tell whether what is paid on a day (yyyymmdd) comes after the deadline."""
        return on > self.deadline


class ObligationRules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Cycles and deadlines.

    Notes
    -----
    Rules: CEA-SUR-01, CEA-SUR-02.
    """

    cycle: tuple[CycleRule, ...]
    yearly: YearlyCycles
    lowered: LoweredYears

    def cycle_of(self, compliance_year: int) -> Cycle:
        """Return the cycle of a year; ComplianceError before the first, and where none ends."""
        for rule in self.cycle:
            if rule.first_year <= compliance_year <= rule.last_year:
                return Cycle(
                    number=rule.number,
                    first_year=rule.first_year,
                    last_year=rule.last_year,
                    deadline=date_number(rule.deadline),
                )
        yearly = self.yearly
        if compliance_year < yearly.from_year:
            first = self.cycle[0].first_year if self.cycle else yearly.from_year
            raise ComplianceError(
                RegistryRefusal.YEAR_OUT_OF_RANGE,
                f"year: expected {first} or later, got {compliance_year}",
            )
        if compliance_year >= date.max.year:
            raise ComplianceError(
                RegistryRefusal.YEAR_OUT_OF_RANGE,
                f"year: expected before {date.max.year}, got {compliance_year}",
            )
        return Cycle(
            number=yearly.first_number + compliance_year - yearly.from_year,
            first_year=compliance_year,
            last_year=compliance_year,
            deadline=date_number(date(compliance_year + 1, yearly.month, yearly.day)),
        )

    def refusal(self, compliance_year: int, verified: int, due: int) -> str | None:
        """Say why so many tonnes can't be what is owed for verified emissions; None if they can.

        Notes
        -----
        Later plans relieve an entity by what they allocate, and what is owed stays whole.

        Rules: CEA-SUR-01.
        """
        lowered = self.lowered
        may_be_less = lowered.first_year <= compliance_year <= lowered.last_year
        if due == verified or (may_be_less and due < verified):
            return None
        what = "at most the" if may_be_less else "all"
        return f"expected {what} {verified} t verified, got {due} ({lowered.rule})"

    def obligation(self, compliance_year: int, due: int) -> Obligation:
        """Return what is owed for a year, and until when."""
        return Obligation(
            compliance_year=compliance_year,
            tonnes=tonnes_check(due, "obligation"),
            deadline=self.cycle_of(compliance_year).deadline,
        )
