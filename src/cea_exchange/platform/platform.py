"""The management platform, wired: its services upon one database.

    who has to report   entity_list/   enterprises, units, the list of each year
    what they hand in   filings/       plans, months, reports, evidence, what is due
    what is true        verification/  firms, tasks, findings, results, objections
    what is given       allocation/    balance values, totals, what provinces give
    what is owed        obligations/   of each year, by version
    what is punished    enforcement/   cases, step by step
    what is sent        registry_link/ the stream to the registry, and its verdicts
    what is public      disclosure/    files in fixed columns

Usable without a daemon: open the data folder, act, close::

    with Platform.open(data) as platform, platform.asked_by(person):
        platform.months.enter(person, "E1", SourceFile.load("july.csv"))
"""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from cea_exchange.institution.clock import GivenClock, InstitutionClock
from cea_exchange.institution.persons import Person, Persons
from cea_exchange.institution.services import Ended, InstitutionServices
from cea_exchange.platform.allocation.allocations import AllocationRow, Allocations
from cea_exchange.platform.allocation.computation import Computation, LeftOut, Line, Terms
from cea_exchange.platform.allocation.forms import Forms
from cea_exchange.platform.allocation.unit_years import UnitYears
from cea_exchange.platform.disclosure.public_files import PublicFiles
from cea_exchange.platform.disclosure.public_pages import PublicPages
from cea_exchange.platform.enforcement.cases import Cases
from cea_exchange.platform.entity_list.complexes import Complexes
from cea_exchange.platform.entity_list.enterprises import Enterprise, Enterprises
from cea_exchange.platform.entity_list.listing import Listing
from cea_exchange.platform.entity_list.units import Units
from cea_exchange.platform.filings.account_parts import AccountParts
from cea_exchange.platform.filings.cross_checks import CrossChecks
from cea_exchange.platform.filings.documents import Documents
from cea_exchange.platform.filings.due import Due, DueDates
from cea_exchange.platform.filings.evidence import Evidence
from cea_exchange.platform.filings.months import Months
from cea_exchange.platform.filings.plans import Plans
from cea_exchange.platform.filings.reports import Reports
from cea_exchange.platform.filings.retrofits import Retrofits
from cea_exchange.platform.messages import Message, Messages
from cea_exchange.platform.obligations.obligation_status import ObligationStatus
from cea_exchange.platform.obligations.obligations import Held, Obligations
from cea_exchange.platform.obligations.successions import PassedOn, Successions
from cea_exchange.platform.pages import Pages
from cea_exchange.platform.record import Record
from cea_exchange.platform.registry_link.news import RegistryNews
from cea_exchange.platform.registry_link.outbox import Outbox
from cea_exchange.platform.registry_link.recalls import AllocationRecalls
from cea_exchange.platform.registry_link.resending import Resending
from cea_exchange.platform.roles import (
    OWN_BODIES,
    SCOPED,
    city_body,
    enterprise_body,
    firm_body,
    province_body,
)
from cea_exchange.platform.store import PlatformStore
from cea_exchange.platform.verification.clocks import Clocks
from cea_exchange.platform.verification.firms import Firms
from cea_exchange.platform.verification.inspections import Inspections
from cea_exchange.platform.verification.irregularities import Irregularities
from cea_exchange.platform.verification.objections import Objections
from cea_exchange.platform.verification.verifications import Result, Verifications

OVERSEERS = frozenset(OWN_BODIES.values())
NOBODY = Person("", "", "", "")
"""Who acts where no person is known: a program that uses the platform without its daemon."""


class Platform(InstitutionServices):
    """The platform upon its database.

    Parameters
    ----------
    store
        Open for writing, or for reading by who changes nothing.
    clock_ns
        Gives the time (nanoseconds since 1970), whatever it is; left out, the system's.
    clock
        Instead of it, one that is guarded: the daemon's.

    Attributes
    ----------
    person : Person
        Who asks for what is being done.
    to_remind : deque of str or int
        Enterprises and provinces that the day has still to look at.
    """

    def __init__(
        self,
        store: PlatformStore,
        clock_ns: Callable[[], int] = time.time_ns,
        *,
        clock: InstitutionClock | None = None,
    ) -> None:
        record = Record(store, GivenClock(clock_ns) if clock is None else clock)
        super().__init__(record, Persons(record), scoped=SCOPED, overseers=OVERSEERS)
        self.record = record
        self.person: Person = NOBODY
        self.to_remind: deque[str | int] = deque()
        self.enterprises, self.units = Enterprises(record), Units(record)
        self.complexes = Complexes(record, self.enterprises, self.units)
        self.listing = Listing(record, self.enterprises, self.units, self.complexes)
        self._filings(record)
        self._verification(record)
        self._allocation(record)

    def _filings(self, record: Record) -> None:
        enterprises, units = self.enterprises, self.units
        self.evidence = evidence = Evidence(record)
        self.documents = documents = Documents(record)
        self.account_parts = AccountParts(record, self.listing, evidence)
        self.plans = Plans(record, enterprises, units, evidence, documents)
        self.months = Months(record, enterprises, units, evidence, documents)
        self.reports = Reports(record, enterprises, units, documents, self.months)
        self.retrofits = Retrofits(record, enterprises, documents, self.months)
        self.messages = Messages(record)
        self.due = DueDates(record, enterprises, units, self.listing, documents, self.messages)
        self.cross_checks = CrossChecks(record, self.plans, evidence)

    def _verification(self, record: Record) -> None:
        self.firms = Firms(record, self.enterprises)
        self.verifications = Verifications(
            record, self.enterprises, self.firms, self.documents, self.reports
        )
        self.clocks = Clocks(record, self.enterprises, self.messages)
        self.objections = Objections(record)
        self.inspections = Inspections(record)
        self.irregularities = Irregularities(record, self.verifications)
        self.pages = Pages(
            record,
            self.enterprises,
            self.units,
            self.documents,
            self.months,
            self.firms,
            self.verifications,
            self.account_parts,
            self.clocks,
        )

    def _allocation(self, record: Record) -> None:
        unit_years = UnitYears(self.units, self.documents, self.months)
        self.computation = Computation(record, unit_years)
        self.allocations = Allocations(record, self.enterprises, self.computation)
        self.forms = Forms(self.computation)
        self.obligations = Obligations(record, self.enterprises, self.allocations)
        self.successions = Successions(
            *(record, self.enterprises, self.units, self.obligations),
            ObligationStatus(record, self.obligations),
        )
        self.cases = Cases(record, self.obligations, self.firms)
        self.public_files = PublicFiles(record, self.firms, self.cases)
        self.public_pages = PublicPages(self.public_files, self.listing)
        self.outbox = Outbox(record)
        self.news = news = RegistryNews(self.outbox, self.enterprises)
        self.recalls = AllocationRecalls(record, self.allocations, self.outbox, news)
        self.resending = Resending(
            *(record, self.enterprises, self.listing, self.allocations, self.obligations),
            *(self.successions, self.outbox, news),
        )
        self.listing.after_changing.append(news.listed)
        self.allocations.after_distributing.append(self._given_tell)
        self.listing.after_changing.append(self._listed_tell)
        self.verifications.after_confirming.append(self._confirmed_tell)
        self.allocations.after_computing.append(self._left_out_tell)
        self.allocations.after_distributing.append(self._distributed_tell)
        self.successions.after_passing.extend((news.passed_on, self._passed_on_tell))
        # The registry hears what is owed before it hears who owes it in its entity's place.
        self.obligations.after_setting.extend((news.owed, self.successions.follow))
        self.obligations.holding.append(self.successions.hold)
        self.obligations.after_holding.append(self._held_tell)
        self.cases.cuts.after_cutting.append(news.cut)

    @classmethod
    def open(cls, data: Path | str, database: str | None = None) -> Self:
        """Open the platform in ``data/platform/``, which no other process may have open."""
        return cls(PlatformStore.open(data, database))

    @contextmanager
    def asked_by(self, person: Person) -> Iterator[None]:
        """Do what is within in the name of a person."""
        before, self.person = self.person, person
        try:
            yield
        finally:
            self.person = before

    # -- whose business something is --------------------------------------------------------------

    def bodies_of(self, enterprise: str) -> frozenset[str]:
        """Return whose business an enterprise is: its own body, its city's, its province's."""
        found = self.enterprises.of(enterprise)
        facts = self.enterprises.facts_on(found.enterprise_id, self.business_date())
        return frozenset(
            {
                enterprise_body(found.enterprise),
                city_body(facts.city),
                province_body(found.province),
            }
        )

    def bodies_of_verification(self, number: int) -> frozenset[str]:
        """Return the bodies whose business a verification is: its enterprise's, and its firm."""
        task = self.verifications.of_number(number)
        enterprise = self.enterprises.name_of(task.enterprise_id)
        return self.bodies_of(enterprise) | {firm_body(self.firms.name_of(task.firm_id))}

    def city_bodies(self, province: int) -> frozenset[str]:
        """Return the bodies of a province's cities that have persons."""
        rows = self.store.execute("SELECT DISTINCT body FROM persons WHERE removed_at_ns = 0")
        prefix = city_body(province)
        return frozenset(
            body
            for (body,) in rows.fetchall()
            if body.startswith(prefix) and len(body) == len(prefix) + 2
        )

    # -- what enterprises are told of -------------------------------------------------------------

    def _listed_tell(self, list_year: int, enterprise: Enterprise, is_listed: bool) -> None:
        """Tell an enterprise that it entered a list, or left it.

        Notes
        -----
        Rules: CEA-ENT-02, CEA-CAL-05.
        """
        words = (
            "it files its plan, months and report, is verified, and surrenders what it owes"
            if is_listed
            else "nothing is asked of it for that year any more"
        )
        change = "entered" if is_listed else "left"
        self._tell(
            enterprise.enterprise,
            f"list {list_year} {change} {self.business_date()}",
            f"{change.capitalize()} the list of {list_year}: {words} (CEA-ENT-02)",
        )

    def _confirmed_tell(self, result: Result) -> None:
        """Tell an enterprise its verified result.

        Notes
        -----
        Rules: CEA-VER-12, CEA-VER-13, CEA-CAL-05.
        """
        year, version = result.compliance_year, result.version
        mark = f", {result.mark}" if result.mark else ""
        self._tell(
            self.enterprises.name_of(result.enterprise_id),
            f"result {year} {version}",
            f"Verified result of {year}, version {version}: {result.tonnes} t{mark}; objections"
            " within 7 working days (CEA-VER-13)",
        )

    def _left_out_tell(self, row: AllocationRow, left_out: list[LeftOut]) -> None:
        """Tell enterprises, and their province, that an allocation leaves them out, and why.

        Notes
        -----
        Rules: CEA-MRV-03, CEA-CAL-05.
        """
        year = row.compliance_year
        self.messages.tell(
            Message(
                body,
                f"allocation {row.allocation_id} leaves out {each.enterprise}",
                f"Allowances of {year}, {row.stage}: none of {each.enterprise} yet: {each.words};"
                " it is allocated once that is mended (CEA-MRV-03)",
                0,
            )
            for each in left_out
            for body in (enterprise_body(each.enterprise), province_body(row.province))
        )

    def _given_tell(self, row: AllocationRow, lines: list[Line], terms: Terms) -> None:
        """Tell the registry what a province gave: of who was left out until now as its final.

        Notes
        -----
        Rules: CEA-PLK-01, CEA-DIS-02.
        """
        if row.stage == "adjustment":
            known = self.allocations.settled_before(row)
            first = [line for line in lines if line.enterprise not in known]
            self.news.given(row._replace(stage="final"), first, terms)
            lines = [line for line in lines if line.enterprise in known]
        self.news.given(row, lines, terms)

    def _distributed_tell(self, row: AllocationRow, lines: list[Line], _terms: Terms) -> None:
        """Tell enterprises what they are given.

        Notes
        -----
        Rules: CEA-VER-13, CEA-PLN-30, CEA-CAL-05.
        """
        year = row.compliance_year
        self.messages.tell(
            Message(
                enterprise_body(line.enterprise),
                f"allocation {row.allocation_id} {row.stage} {year}",
                f"Allowances of {year}, {row.stage}: {line.tonnes} t"
                f"{', ' + line.mark if line.mark else ''}; objections within 7 working days"
                " (CEA-VER-13)",
                0,
            )
            for line in lines
        )

    def _passed_on_tell(self, passed: PassedOn) -> None:
        """Tell an entity's successors what they owe in its place.

        Notes
        -----
        Rules: CEA-ENT-12, CEA-CAL-05.
        """
        year, whose = passed.compliance_year, passed.enterprise.enterprise
        for name, tonnes in passed.shares.items():
            self._tell(
                name,
                f"succession {year} {whose} {self.outbox.last_seq}",
                f"Owed of {year} in place of {whose}: {tonnes} t, by {passed.document}"
                " (CEA-ENT-12)",
            )

    def _held_tell(self, province: int, year: int, held: list[Held]) -> None:
        """Tell enterprises, and their province, that what they owe was not set anew, and why.

        Notes
        -----
        Rules: CEA-ENT-12, CEA-CAL-05.
        """
        self.messages.tell(
            Message(
                body,
                f"obligation {year} of {each.enterprise} stays {self.outbox.last_seq}",
                f"Owed of {year}: that of {each.enterprise} stays as it is: {each.words}",
                0,
            )
            for each in held
            for body in (enterprise_body(each.enterprise), province_body(province))
        )

    def _tell(self, enterprise: str, subject: str, words: str) -> None:
        self.messages.tell([Message(enterprise_body(enterprise), subject, words, 0)])

    # -- acts that several services do together ---------------------------------------------------

    def objection_make(
        self, enterprise: str, year: int, against: str, words: str
    ) -> dict[str, Any]:
        """Object, for the person who asks, to a decision on an enterprise and year."""
        found = self.enterprises.of(enterprise)
        if against == "verification":
            result = self.verifications.result(found.enterprise_id, year)
            subject_id, notified_on = result.result_id, result.notified_on
        else:
            row = self.allocations.distributed(found.province, year)
            subject_id, notified_on = row.allocation_id, row.distributed_on
        return self.objections.make(
            self.person,
            found.enterprise_id,
            year,
            against=against,
            subject_id=subject_id,
            notified_on=notified_on,
            words=words,
        )

    # -- days and figures -------------------------------------------------------------------------

    def day_begun(self, date: int) -> Ended:
        """Note whom to remind of what is due; see `remind_some`."""
        self.remind_all()
        self.clocks.authority_remind()
        return {}

    def remind_all(self) -> None:
        """Note that everybody is to be looked at."""
        self.to_remind = deque([*self.clocks.provinces(), *self.listing.ever()])

    def remind_some(self, count: int) -> list[Due]:
        """Remind so many more enterprises of what is due, and return what they are reminded of.

        Each is a transaction of its own: a day that begins keeps nobody waiting. What is left when
        a process ends is done by the next one, for who was reminded is not reminded again.
        """
        reminded: list[Due] = []
        for _ in range(min(count, len(self.to_remind))):
            # Taken off before: one that can't be reminded keeps nobody else from it.
            body = self.to_remind.popleft()
            if isinstance(body, int):
                self.clocks.remind(body)
            else:
                reminded += self.due.remind(body)
        return reminded

    def status(self) -> dict[str, Any]:
        """Return how far the platform is, with its counts."""
        store = self.store
        return {
            **super().status(),
            "enterprises": store.one("SELECT count(*) FROM enterprises"),
            "units": store.one("SELECT count(*) FROM units"),
            "filings": store.one("SELECT count(*) FROM filings"),
            "results": store.one("SELECT count(*) FROM verified_results"),
            "link_seq": self.outbox.last_seq,
            "judged_seq": self.outbox.judged_seq,
            "link_refused": store.one("SELECT count(*) FROM link_verdicts WHERE is_posted = 0"),
        }
