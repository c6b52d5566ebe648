"""The management platform, wired: its services upon one database.

who has to report   entity_list/   enterprises, units, the list of each year
what they hand in   filings/       plans, months, reports, evidence
what is true        verification/  firms, tasks, findings, results, objections
"""

from cea_exchange.platform.allocation.allocations import Allocations
from cea_exchange.platform.allocation.unit_years import UnitYears
from cea_exchange.platform.enforcement.cases import Cases
from cea_exchange.platform.entity_list.enterprises import Enterprises
from cea_exchange.platform.entity_list.listing import Listing
from cea_exchange.platform.entity_list.units import Units
from cea_exchange.platform.filings.documents import Documents
from cea_exchange.platform.filings.due import DueDates
from cea_exchange.platform.filings.evidence import Evidence
from cea_exchange.platform.filings.months import Months
from cea_exchange.platform.filings.plans import Plans
from cea_exchange.platform.filings.reports import Reports
from cea_exchange.platform.obligations.obligations import Obligations
from cea_exchange.platform.record import Record
from cea_exchange.platform.registry_link.news import RegistryNews
from cea_exchange.platform.registry_link.outbox import Outbox
from cea_exchange.platform.verification.firms import Firms
from cea_exchange.platform.verification.objections import Objections
from cea_exchange.platform.verification.verifications import Verifications


class Platform:
    """The platform upon its database.

    Parameters
    ----------
    record
        The database and the day.
    """

    def __init__(self, record: Record) -> None:
        self.record = record
        self.enterprises = Enterprises(record)
        self.units = Units(record)
        self.listing = Listing(record, self.enterprises)
        self.evidence = Evidence(record)
        self.documents = Documents(record)
        self.months = Months(record, self.enterprises, self.units, self.evidence, self.documents)
        self.plans = Plans(record, self.enterprises, self.evidence, self.documents)
        self.reports = Reports(record, self.enterprises, self.units, self.documents)
        self.due = DueDates(record, self.enterprises, self.units, self.listing, self.documents)
        self.firms = Firms(record, self.enterprises)
        self.verifications = Verifications(
            record, self.enterprises, self.firms, self.documents, self.reports
        )
        self.objections = Objections(record)
        self.allocations = Allocations(
            record,
            self.enterprises,
            self.listing,
            self.verifications,
            UnitYears(self.units, self.documents, self.months),
        )
        self.obligations = Obligations(record, self.enterprises, self.allocations)
        self.cases = Cases(record)
        self.outbox = Outbox(record)
        told = RegistryNews(self.outbox, self.enterprises)
        self.listing.after_changing.append(told.listed)
        self.allocations.after_distributing.append(told.given)
        self.obligations.after_setting.append(told.owed)
        self.transaction = record.transaction
