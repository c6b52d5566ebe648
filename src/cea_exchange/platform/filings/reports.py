"""Annual reports: what accepted months add up to, signed by who answers for the enterprise."""

from decimal import Decimal

import msgspec

from cea_exchange.domain.compliance.accounting import entity_emissions
from cea_exchange.domain.compliance.ruled import marks_text
from cea_exchange.domain.refusals import PlatformRefusal
from cea_exchange.platform.checks import PlatformActError, year_checked
from cea_exchange.platform.entity_list.enterprises import Enterprises
from cea_exchange.platform.entity_list.units import Units
from cea_exchange.platform.filings import months
from cea_exchange.platform.filings.documents import Documents, Filing, Place
from cea_exchange.platform.filings.months import Months
from cea_exchange.platform.periods import report_due
from cea_exchange.platform.record import Acting, Record

KIND = "report"
Accepted = dict[tuple[int, int], Filing]
"""Unit's id and month -> the version that counts."""


class ReportedUnit(msgspec.Struct, frozen=True):
    """A unit in a report.

    Attributes
    ----------
    emission
        Tonnes of CO2, the sum of its months.
    months
        Month -> the version that counted.
    """

    emission: str
    months: dict[str, int]


class Reports:
    """The annual reports of all enterprises."""

    def __init__(
        self,
        record: Record,
        enterprises: Enterprises,
        units: Units,
        documents: Documents,
        monthly: Months,
    ) -> None:
        self._record = record
        self._enterprises = enterprises
        self._units = units
        self._documents = documents
        self._months = monthly

    def enter(self, person: Acting, enterprise: str, year: int, reason: str = "") -> Filing:
        """Enter the report that the accepted months of a year give, as a draft.

        Notes
        -----
        Rules: CEA-MRV-16.
        """
        year_checked(year)
        found = self._enterprises.of(enterprise)
        if 10_000 * year + 12_31 >= self._record.business_date():
            raise PlatformActError(
                PlatformRefusal.MONTH_NOT_OVER,
                f"year: expected one that has ended, got {year}",
            )
        accepted = self._accepted(found.enterprise_id, year)
        units = {
            name: self._reported(accepted, name, had)
            for name, had in self._units.of_year(found.enterprise_id, year).items()
        }
        if not units:
            raise PlatformActError(
                PlatformRefusal.UNIT_UNKNOWN,
                f"{enterprise}: expected a unit in {year}, got none",
            )
        total = entity_emissions(Decimal(unit.emission) for unit in units.values())
        mark = marks_text(*(filing.mark.split() for filing in accepted.values()))
        return self._documents.enter(
            person,
            Place(KIND, found.enterprise_id, 0, year),
            msgspec.json.encode(units, order="sorted").decode(),
            due_on=report_due(found.sector, year),
            emission=str(total.tonnes),
            mark=mark,
            reason=reason,
        )

    def sign(self, person: Acting, enterprise: str, year: int, seen: str | None = None) -> Filing:
        """File a draft of a report, which another person entered.

        Notes
        -----
        Rules: CEA-ENT-14, CEA-MRV-16.
        """
        found = self._enterprises.of(enterprise)
        place = Place(KIND, found.enterprise_id, 0, year)
        with self._record.transaction():
            filing = self._documents.file(person, place, seen=seen)
            accepted = self._accepted(found.enterprise_id, year)
            for name, unit in self.units(filing).items():
                if self._reported(accepted, name, tuple(map(int, unit.months))) != unit:
                    raise PlatformActError(
                        PlatformRefusal.FILING_DIFFERS,
                        f"report {year}: expected the accepted months of {name}, got earlier"
                        " versions: enter it anew",
                    )
        return filing

    def units(self, filing: Filing) -> dict[str, ReportedUnit]:
        """Return what a version says of each unit."""
        return reported_units(filing)

    def filed(self, sector: str, unit: ReportedUnit, quantity: str) -> Decimal:
        """Return what the months of a reported unit have of a quantity, filed or computed."""
        total = Decimal(0)
        for filing_id in unit.months.values():
            filing = self._documents.of_id(filing_id)
            figures = self._months.figures(filing)
            if quantity in figures:
                total += Decimal(figures[quantity].value)
            else:
                bill = self._months.account(sector, filing)
                total += sum(each.value for each in bill.quantities if each.name == quantity)
        return total

    def _accepted(self, enterprise_id: int, year: int) -> Accepted:
        """Return the months of a year that count, by unit and month."""
        found = self._documents.accepted_in(enterprise_id, months.KIND, year)
        return {(filing.unit_id, filing.period): filing for filing in found}

    def _reported(self, accepted: Accepted, name: str, had: tuple[int, ...]) -> ReportedUnit:
        unit_id = self._units.id_of(name)
        missing = [month for month in had if (unit_id, month) not in accepted]
        if missing:
            raise PlatformActError(
                PlatformRefusal.MONTHS_MISSING,
                f"{name}: expected every month accepted, got none of"
                f" {', '.join(map(str, missing))}",
            )
        counted = {month: accepted[unit_id, month] for month in had}
        account = entity_emissions(Decimal(filing.emission) for filing in counted.values())
        return ReportedUnit(
            emission=f"{account.exact:f}",
            months={str(month): filing.filing_id for month, filing in counted.items()},
        )


def reported_units(filing: Filing) -> dict[str, ReportedUnit]:
    """Return what a version of a report says of each unit."""
    return msgspec.json.decode(filing.content, type=dict[str, ReportedUnit])
