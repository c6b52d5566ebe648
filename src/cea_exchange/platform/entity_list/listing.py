"""The list of key emitting entities of each year: who enters it and leaves it, and its publication.

A province's list is published as a file, and is from then on what was published; who enters or
leaves later shows in the next publication.
"""

from collections.abc import Callable
from typing import NamedTuple

from cea_exchange.domain.refusals import PlatformRefusal
from cea_exchange.files.kinds import NAME, PROVINCE, YEAR, Whole, Words
from cea_exchange.files.layout import Column, Layout, Totals
from cea_exchange.files.writing import table_bytes
from cea_exchange.platform.checks import (
    PlatformActError,
    choice_checked,
    count_checked,
    day_checked,
    words_checked,
    year_checked,
)
from cea_exchange.platform.entity_list.enterprises import Enterprise, Enterprises
from cea_exchange.platform.record import Record

ENTERING = ("over_threshold", "new_plant", "on_request", "successor")
LEAVING = ("below_threshold", "stopped", "other_sector", "succeeded")
TONNES_MAX = 10**12


class Listed(NamedTuple):
    """A line of a published list."""

    list_year: int
    province: int
    city: int
    enterprise: str
    credit_code: str
    title: str
    sector: str
    sector_code: str
    sub_type: str
    tonnes: int


LISTED = Layout(
    title="list",
    row=Listed,
    columns=(
        Column("list_year", YEAR),
        Column("province", PROVINCE),
        Column("city", Whole(1_000, 10_000, "four digits of a city")),
        Column("enterprise", NAME),
        Column("credit_code", NAME),
        Column("title", Words()),
        Column("sector", NAME),
        Column("sector_code", NAME),
        Column("sub_type", Words(), empty=""),
        Column("tonnes", Whole(0, TONNES_MAX, "tonnes")),
    ),
    totals=Totals(mark="enterprise", summed=("tonnes",)),
    once=("enterprise",),
    same=("list_year", "province"),
)


class Listing:
    """The lists of all years.

    Attributes
    ----------
    after_changing : list of callable
        Each takes a year, an enterprise and whether it is listed now, in the same transaction.
    """

    def __init__(self, record: Record, enterprises: Enterprises) -> None:
        self._record = record
        self._store = record.store
        self._enterprises = enterprises
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
        Rules: CEA-ENT-01, CEA-ENT-11.
        """
        choice_checked(cause, ENTERING, "cause")
        self._change(
            list_year,
            self._enterprises.acting(enterprise),
            "entered",
            (cause, tonnes, decided_on, document),
        )

    def leave(
        self, list_year: int, enterprise: str, *, cause: str, decided_on: int, document: str
    ) -> None:
        """Take an enterprise off the list of a year.

        Notes
        -----
        Rules: CEA-ENT-10.
        """
        choice_checked(cause, LEAVING, "cause")
        self._change(
            list_year, self._enterprises.of(enterprise), "left", (cause, 0, decided_on, document)
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
        """Return a province's list as it is now, by enterprise."""
        rows = self._store.execute(
            "SELECT enterprise, tonnes FROM list_changes AS entry"
            " JOIN enterprises ON enterprises.enterprise_id = entry.enterprise_id"
            " WHERE list_year = :year AND province = :province AND change = 'entered'"
            " AND change_id = (SELECT max(change_id) FROM list_changes AS later"
            "  WHERE later.list_year = :year AND later.enterprise_id = entry.enterprise_id)"
            " ORDER BY enterprise",
            {"year": list_year, "province": province},
        )
        return [self._listed(list_year, name, tonnes) for name, tonnes in rows.fetchall()]

    def publish(self, list_year: int, province: int) -> int:
        """Publish a province's list of a year as it is now, and return the publication's number.

        Notes
        -----
        Rules: CEA-ENT-02.
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

    def _listed(self, list_year: int, name: str, tonnes: int) -> Listed:
        enterprise = self._enterprises.of(name)
        facts = self._enterprises.facts_on(enterprise.enterprise_id, self._record.business_date())
        return Listed(
            list_year=list_year,
            province=enterprise.province,
            city=facts.city,
            enterprise=name,
            credit_code=enterprise.credit_code,
            title=facts.title,
            sector=enterprise.sector,
            sector_code=facts.sector_code,
            sub_type=facts.sub_type,
            tonnes=tonnes,
        )

    def _change(
        self,
        list_year: int,
        enterprise: Enterprise,
        change: str,
        terms: tuple[str, int, int, str],
    ) -> None:
        cause, tonnes, decided_on, document = terms
        year_checked(list_year, "list_year")
        count_checked(tonnes, "tonnes", TONNES_MAX)
        day_checked(decided_on, "decided_on")
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
