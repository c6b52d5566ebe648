"""The list of key emitting entities of each year: who enters it and leaves it, and its publication.

A province's list is published as a file, and is from then on what was published; who enters or
leaves later shows in the next publication.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, get_args

import msgspec

from cea_exchange.domain.compliance.listing.members import (
    EntityRecord,
    Process,
    listing_rules,
    membership,
    next_list,
)
from cea_exchange.domain.refusals import PlatformRefusal
from cea_exchange.files.kinds import NAME, PROVINCE, YEAR, Whole, Words
from cea_exchange.files.layout import Column, Layout, Totals
from cea_exchange.files.writing import table_bytes
from cea_exchange.platform.checks import (
    PlatformActError,
    choice_checked,
    count_checked,
    rule_refusals_raised,
    words_checked,
    year_checked,
)
from cea_exchange.platform.entity_list.complexes import Complexes
from cea_exchange.platform.entity_list.enterprises import Enterprise, Enterprises
from cea_exchange.platform.entity_list.units import Units
from cea_exchange.platform.record import Record

ENTERING = ("over_threshold", "new_plant", "on_request", "successor")
TESTED = frozenset({"over_threshold", "new_plant", "on_request"})
"""Causes that rest on the 26,000 t test; a successor is listed as whom it succeeds."""
LEAVING = ("below_threshold", "stopped", "other_sector", "succeeded")
TONNES_MAX = 10**12
NUMBER_MAX = 10**6
PROCESSES = get_args(Process)


class Listed(NamedTuple):
    """A line of a published list.

    Attributes
    ----------
    number
        From 1 on, in the order of the list.
    remark
        Why it is listed, where it is not by what it emitted; '' it is.
    """

    list_year: int
    province: int
    number: int
    enterprise: str
    title: str
    credit_code: str
    city: int
    sector: str
    sector_code: str
    sub_type: str
    remark: str


_REMARKS = {
    "over_threshold": "",
    "new_plant": "new plant",
    "on_request": "entered on request",
    "successor": "succeeds a listed entity",
}
LISTED = Layout(
    title="list",
    row=Listed,
    columns=(
        Column("list_year", YEAR),
        Column("province", PROVINCE),
        Column("number", Whole(1, NUMBER_MAX, "number")),
        Column("enterprise", NAME),
        Column("title", Words()),
        Column("credit_code", NAME),
        Column("city", Whole(1_000, 10_000, "four digits of a city")),
        Column("sector", NAME),
        Column("sector_code", NAME),
        Column("sub_type", Words(), empty=""),
        Column("remark", Words(), empty=""),
    ),
    totals=Totals(mark="enterprise", summed=()),
    once=("enterprise", "number"),
    same=("list_year", "province"),
)


class Listing:
    """The lists of all years.

    Attributes
    ----------
    after_changing : list of callable
        Each takes a year, an enterprise and whether it is listed now, in the same transaction.
    """

    def __init__(
        self, record: Record, enterprises: Enterprises, units: Units, complexes: Complexes
    ) -> None:
        self._record = record
        self._store = record.store
        self._enterprises = enterprises
        self._units = units
        self._complexes = complexes
        self.after_changing: list[Callable[[int, Enterprise, bool], object]] = []

    def enter(
        self,
        list_year: int,
        enterprise: str,
        *,
        cause: str,
        tonnes: int,
        decided_on: int,
        document: str,
    ) -> None:
        """Put an enterprise on the list of a year.

        Notes
        -----
        Rules: CEA-ENT-01, CEA-ENT-04, CEA-ENT-05, CEA-ENT-06, CEA-ENT-07, CEA-ENT-08, CEA-ENT-11.
        """
        choice_checked(cause, ENTERING, "cause")
        year_checked(list_year, "list_year")
        count_checked(tonnes, "tonnes", TONNES_MAX)
        found = self._enterprises.acting(enterprise)
        self._complex_check(found)
        self._quota_check(found, list_year)
        self._threshold_check(cause, tonnes)
        self._change(list_year, found, "entered", (cause, tonnes, decided_on, document))

    def _complex_check(self, enterprise: Enterprise) -> None:
        reports = self._complexes.reports_as(enterprise)
        if reports not in (None, enterprise.enterprise):
            raise PlatformActError(
                PlatformRefusal.IN_COMPLEX,
                f"{enterprise.enterprise}: expected who reports for itself, got a part of"
                f" {reports} (CEA-ENT-06)",
            )

    def _quota_check(self, enterprise: Enterprise, list_year: int) -> None:
        """Refuse an enterprise whose sector code and process are not under quota by that list."""
        facts = self._enterprises.facts_on(
            enterprise.enterprise_id, min(self._record.business_date(), 10_000 * list_year + 12_31)
        )
        process = msgspec.convert(facts.sub_type, Process) if facts.sub_type in PROCESSES else None
        found = membership(facts.sector_code, list_year, process=process)
        if found is None or found.duty != "quota" or found.sector != enterprise.sector:
            is_of = "nobody under quota" if found is None else f"{found.sector}, {found.duty}"
            raise PlatformActError(
                PlatformRefusal.NOT_UNDER_QUOTA,
                f"{enterprise.enterprise}: expected a plant of {enterprise.sector} under quota by"
                f" the list of {list_year}, got code {facts.sector_code} {facts.sub_type or '-'},"
                f" which is {is_of}",
            )

    def _threshold_check(self, cause: str, tonnes: int) -> None:
        threshold = listing_rules().threshold_tonnes
        if cause in TESTED and tonnes < threshold.value:
            raise PlatformActError(
                PlatformRefusal.BELOW_THRESHOLD,
                f"tonnes: expected {threshold.value} t or more of {cause}, got {tonnes}"
                f" ({threshold.rule})",
            )

    def next(self, list_year: int, province: int) -> list[dict[str, Any]]:
        """Return who enters a province's list of a year by the test, stays on it, or leaves it.

        It rests on verified results; a plant that is new this year has none, and its province
        enters it by what it is expected to emit.

        Notes
        -----
        Rules: CEA-ENT-01, CEA-ENT-02, CEA-ENT-10.
        """
        year_checked(list_year, "list_year")
        with rule_refusals_raised(PlatformRefusal.RESULTS_MISSING):
            changes = next_list(
                [self._tested(each, list_year) for each in self._enterprises.listed(province)],
                list_year,
            )
        return [msgspec.to_builtins(change) for change in changes]

    def _tested(self, enterprise: Enterprise, list_year: int) -> EntityRecord:
        results = self._store.execute(
            "SELECT compliance_year, tonnes FROM verified_results WHERE enterprise_id = ?"
            " ORDER BY compliance_year, version",
            (enterprise.enterprise_id,),
        )
        on_list = self._store.one(
            "SELECT cause, tonnes FROM list_changes WHERE list_year = ? AND enterprise_id = ?"
            " AND change = 'entered' ORDER BY change_id DESC LIMIT 1",
            (list_year - 1, enterprise.enterprise_id),
        )
        expected = on_list[1] if on_list is not None and on_list[0] == "new_plant" else None
        return EntityRecord(
            entity=enterprise.enterprise,
            direct_tonnes=dict(results.fetchall()),
            expected_tonnes=expected,
            stopped=self._has_stopped(enterprise),
            listed=self.is_listed(list_year - 1, enterprise.enterprise_id),
        )

    def _has_stopped(self, enterprise: Enterprise) -> bool:
        """Tell whether an enterprise had units, and has none any more."""
        if enterprise.ended_on:
            return True
        today = self._record.business_date()
        had = self._store.one(
            "SELECT count(DISTINCT unit_id) FROM unit_facts WHERE enterprise_id = ?",
            (enterprise.enterprise_id,),
        )
        return bool(had) and not self._units.of(enterprise.enterprise_id, today)

    def leave(
        self, list_year: int, enterprise: str, *, cause: str, decided_on: int, document: str
    ) -> None:
        """Take an enterprise off the list of a year.

        Notes
        -----
        Rules: CEA-ENT-10.
        """
        choice_checked(cause, LEAVING, "cause")
        year_checked(list_year, "list_year")
        found = self._enterprises.of(enterprise)
        self._leaving_check(found, list_year, cause)
        self._change(list_year, found, "left", (cause, 0, decided_on, document))

    def _leaving_check(self, enterprise: Enterprise, list_year: int, cause: str) -> None:
        """Refuse a cause that is not there: two years below the threshold, or units at work."""
        if cause == "stopped" and not self._has_stopped(enterprise):
            raise PlatformActError(
                PlatformRefusal.STAYS_LISTED,
                f"{enterprise.enterprise}: expected all its units to have stopped, got some at work"
                " (CEA-ENT-10)",
            )
        if cause == "below_threshold":
            with rule_refusals_raised(PlatformRefusal.STAYS_LISTED):
                (change,) = next_list(
                    [msgspec.structs.replace(self._tested(enterprise, list_year), listed=True)],
                    list_year,
                )
            if change.change != "left":
                raise PlatformActError(
                    PlatformRefusal.STAYS_LISTED,
                    f"{enterprise.enterprise}: expected two years in a row below the threshold, got"
                    f" {change.words} (CEA-ENT-10)",
                )

    def is_listed(self, list_year: int, enterprise_id: int) -> bool:
        """Tell whether an enterprise is on the list of a year now."""
        change = self._store.one(
            "SELECT change FROM list_changes WHERE list_year = ? AND enterprise_id = ?"
            " ORDER BY change_id DESC LIMIT 1",
            (list_year, enterprise_id),
        )
        return bool(change == "entered")

    def ever(self) -> list[str]:
        """Return the enterprises that were on some list and have not ended, by name."""
        rows = self._store.execute(
            "SELECT DISTINCT enterprise FROM list_changes"
            " JOIN enterprises ON enterprises.enterprise_id = list_changes.enterprise_id"
            " WHERE ended_on = 0 ORDER BY enterprise"
        )
        return [name for (name,) in rows.fetchall()]

    def of_year(self, list_year: int, province: int) -> list[Listed]:
        """Return a province's list as it is now, by enterprise.

        Notes
        -----
        Rules: CEA-ENT-03.
        """
        rows = self._store.execute(
            "SELECT enterprise, cause FROM list_changes AS entry"
            " JOIN enterprises ON enterprises.enterprise_id = entry.enterprise_id"
            " WHERE list_year = :year AND province = :province AND change = 'entered'"
            " AND change_id = (SELECT max(change_id) FROM list_changes AS later"
            "  WHERE later.list_year = :year AND later.enterprise_id = entry.enterprise_id)"
            " ORDER BY enterprise",
            {"year": list_year, "province": province},
        )
        return [
            self._listed(list_year, number, name, _REMARKS[cause])
            for number, (name, cause) in enumerate(rows.fetchall(), 1)
        ]

    def publish(self, list_year: int, province: int) -> int:
        """Publish a province's list of a year as it is now, and return the publication's number.

        Notes
        -----
        Rules: CEA-ENT-02, CEA-ENT-03.
        """
        with self._record.transaction():
            lines = self.of_year(list_year, province)
            number = self._store.next_id("list_publications", "publication_id")
            last = self._store.one("SELECT coalesce(max(change_id), 0) FROM list_changes")
            content = table_bytes(LISTED, lines, ".csv")
            self._store.insert(
                "list_publications (publication_id, list_year, province, published_on,"
                " last_change, content)",
                [(number, list_year, province, self._record.business_date(), last, content)],
            )
        return number

    def published(self, list_year: int, province: int) -> bytes | None:
        """Return the last published list of a province, byte for byte; None if there is none."""
        found: bytes | None = self._store.one(
            "SELECT content FROM list_publications WHERE list_year = ? AND province = ?"
            " ORDER BY publication_id DESC LIMIT 1",
            (list_year, province),
        )
        return found

    def _listed(self, list_year: int, number: int, name: str, remark: str) -> Listed:
        enterprise = self._enterprises.of(name)
        facts = self._enterprises.facts_on(enterprise.enterprise_id, self._record.business_date())
        return Listed(
            list_year=list_year,
            province=enterprise.province,
            number=number,
            enterprise=name,
            title=facts.title,
            credit_code=enterprise.credit_code,
            city=facts.city,
            sector=enterprise.sector,
            sector_code=facts.sector_code,
            sub_type=facts.sub_type,
            remark=remark,
        )

    def _change(
        self,
        list_year: int,
        enterprise: Enterprise,
        change: str,
        terms: tuple[str, int, int, str],
    ) -> None:
        cause, tonnes, decided_on, document = terms
        self._record.reached_check(decided_on, "decided_on")
        words_checked(document, "document")
        with self._record.transaction():
            is_listed = self.is_listed(list_year, enterprise.enterprise_id)
            if is_listed == (change == "entered"):
                state = "listed" if is_listed else "not listed"
                raise PlatformActError(
                    PlatformRefusal.LISTED_ALREADY,
                    f"{enterprise.enterprise}: expected a change of the list of {list_year}, got"
                    f" one that is {state} already",
                )
            number = self._store.next_id("list_changes", "change_id")
            self._store.insert(
                "list_changes (change_id, list_year, enterprise_id, change, cause, tonnes,"
                " decided_on, document)",
                [
                    (number, list_year, enterprise.enterprise_id, change, cause, tonnes)
                    + (decided_on, document)
                ],
            )
            for follow in self.after_changing:
                follow(list_year, enterprise, change == "entered")
