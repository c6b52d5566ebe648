"""Enterprises: what was true of each from which day on, and who followed whom."""

from typing import Literal, NamedTuple, get_args

from cea_exchange.domain.compliance.allocation import Sector
from cea_exchange.domain.credit_code import credit_code_check
from cea_exchange.domain.provinces import PROVINCES
from cea_exchange.domain.refusals import PlatformRefusal
from cea_exchange.institution.look_alikes import look_alikes_add
from cea_exchange.platform.checks import (
    PlatformActError,
    choice_checked,
    name_checked,
    words_checked,
)
from cea_exchange.platform.record import FACTS_AHEAD_DAYS, Record

SECTORS = get_args(Sector)
WHOLE_BP = 10_000
CITY_DIGITS = 100
"""A city's code is its province's with two digits more."""


class Enterprise(NamedTuple):
    """A row of `enterprises`."""

    enterprise_id: int
    enterprise: str
    credit_code: str
    province: int
    sector: Sector
    ended_on: int
    successor_id: int


class Successor(NamedTuple):
    """Who follows an enterprise, with so many hundredths of a percent of what it owed."""

    enterprise_id: int
    enterprise: str
    kind: Literal["merged", "split"]
    share_bp: int
    decided_on: int
    document: str


class EnterpriseFacts(NamedTuple):
    """What is true of an enterprise on a day."""

    valid_from: int
    title: str
    city: int
    sector_code: str
    sub_type: str
    document: str


_FACTS = ", ".join(EnterpriseFacts._fields)


class Enterprises:
    """The enterprises that the platform knows."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._store = record.store

    def register(
        self,
        enterprise: str,
        *,
        credit_code: str,
        province: int,
        sector: str,
        facts: EnterpriseFacts,
    ) -> int:
        """Register an enterprise, and return its id.

        Notes
        -----
        Rules: CEA-ENT-12, CEA-PER-04.
        """
        name_checked(enterprise, "enterprise")
        try:
            credit_code_check(credit_code)
        except ValueError as error:
            raise PlatformActError(PlatformRefusal.CREDIT_CODE_UNSOUND, str(error)) from None
        if province not in PROVINCES:
            raise PlatformActError(
                PlatformRefusal.PROVINCE_UNKNOWN,
                f"province: expected one of the 32 codes, got {province!r}",
            )
        choice_checked(sector, SECTORS, "sector")
        with self._record.transaction():
            known = self._store.one(
                "SELECT enterprise FROM enterprises WHERE enterprise = ? OR credit_code = ?",
                (enterprise, credit_code),
            )
            if known is not None:
                raise PlatformActError(
                    PlatformRefusal.ENTERPRISE_TAKEN,
                    f"enterprise: expected a new name and credit code, got those of {known}",
                )
            look_alikes_add(self._store, "enterprise", enterprise)
            number = self._store.next_id("enterprises", "enterprise_id")
            self._store.insert(
                "enterprises (enterprise_id, enterprise, credit_code, province, sector, ended_on,"
                " successor_id)",
                [(number, enterprise, credit_code, province, sector, 0, 0)],
            )
            self._facts_add(self._of_id(number), facts)
        return number

    def change(self, enterprise: str, facts: EnterpriseFacts) -> None:
        """Note what is true of an enterprise from a day on: a new name, city or sector code.

        Notes
        -----
        Rules: CEA-ENT-12.
        """
        with self._record.transaction():
            found = self.acting(enterprise)
            latest = self._store.one(
                "SELECT max(valid_from) FROM enterprise_facts WHERE enterprise_id = ?",
                (found.enterprise_id,),
            )
            if facts.valid_from < latest:
                raise PlatformActError(
                    PlatformRefusal.FACT_OUTDATED,
                    f"valid_from: expected {latest} or later, got {facts.valid_from}",
                )
            self._facts_add(found, facts)

    def succeed(
        self,
        enterprise: str,
        successor: str,
        *,
        kind: str,
        share_bp: int = WHOLE_BP,
        decided_on: int,
        document: str,
    ) -> None:
        """Note that an enterprise is followed by another: merged into it, or split.

        Of a split there is one succession for each successor.

        Parameters
        ----------
        share_bp
            Of what the enterprise owes, in hundredths of a percent, that this successor owes.

        Notes
        -----
        Rules: CEA-ENT-12.
        """
        choice_checked(kind, ("merged", "split"), "kind")
        self._record.reached_check(decided_on, "decided_on")
        words_checked(document, "document")
        with self._record.transaction():
            old = self.of(enterprise)
            if old.ended_on and kind == "merged":
                self._ended_refuse(old)
            new = self.acting(successor)
            if new.enterprise_id == old.enterprise_id:
                raise PlatformActError(
                    PlatformRefusal.ENTERPRISE_UNKNOWN,
                    f"successor: expected another enterprise, got {successor}",
                )
            if new.sector != old.sector:  # its plan, and its results, are of its own sector
                raise PlatformActError(
                    PlatformRefusal.CHOICE_UNKNOWN,
                    f"successor: expected one of {old.sector}, as {enterprise} is, got {successor}"
                    f" of {new.sector} (CEA-ENT-12)",
                )
            number = self._store.next_id("successions", "succession_id")
            self._store.insert(
                "successions (succession_id, kind, enterprise_id, successor_id, share_bp,"
                " decided_on, document)",
                [
                    (number, kind, old.enterprise_id, new.enterprise_id, share_bp)
                    + (decided_on, document)
                ],
            )
            if not old.ended_on:
                self._store.execute(
                    "UPDATE enterprises SET ended_on = ?, successor_id = ? WHERE enterprise_id = ?",
                    (decided_on, new.enterprise_id, old.enterprise_id),
                )

    # -- what there is ----------------------------------------------------------------------------

    def successors(self, enterprise_id: int) -> list[Successor]:
        """Return who follows an enterprise, in the order in which they were named."""
        rows = self._store.execute(
            "SELECT enterprises.enterprise_id, enterprise, kind, share_bp, decided_on, document"
            " FROM successions"
            " JOIN enterprises ON enterprises.enterprise_id = successions.successor_id"
            " WHERE successions.enterprise_id = ? ORDER BY succession_id",
            (enterprise_id,),
        )
        return [Successor(*row) for row in rows.fetchall()]

    def of(self, enterprise: str) -> Enterprise:
        """Return an enterprise there is, or was."""
        row = self._store.one(
            f"SELECT {', '.join(Enterprise._fields)} FROM enterprises WHERE enterprise = ?",
            (enterprise,),
        )
        if row is None:
            raise PlatformActError(
                PlatformRefusal.ENTERPRISE_UNKNOWN,
                f"enterprise: expected a registered one, got {enterprise!r}",
            )
        return Enterprise(*row)

    def acting(self, enterprise: str) -> Enterprise:
        """Return an enterprise that has not ended."""
        found = self.of(enterprise)
        if found.ended_on:
            self._ended_refuse(found)
        return found

    def _ended_refuse(self, enterprise: Enterprise) -> None:
        heir = self._of_id(enterprise.successor_id).enterprise
        raise PlatformActError(
            PlatformRefusal.ENTERPRISE_ENDED,
            f"enterprise: expected one that has not ended, got {enterprise.enterprise}, which"
            f" {heir} followed on {enterprise.ended_on}",
        )

    def listed(self, province: int) -> list[Enterprise]:
        """Return the enterprises of a province, by name."""
        rows = self._store.execute(
            f"SELECT {', '.join(Enterprise._fields)} FROM enterprises WHERE province = ?"
            " ORDER BY enterprise",
            (province,),
        )
        return [Enterprise(*row) for row in rows.fetchall()]

    def of_sector(self, sector: str) -> list[Enterprise]:
        """Return the enterprises of a sector, by name."""
        rows = self._store.execute(
            f"SELECT {', '.join(Enterprise._fields)} FROM enterprises WHERE sector = ?"
            " ORDER BY enterprise",
            (sector,),
        )
        return [Enterprise(*row) for row in rows.fetchall()]

    def facts_on(self, enterprise_id: int, day: int) -> EnterpriseFacts:
        """Return what was true on a day; what was first known holds for all days before."""
        row = self._store.one(
            f"SELECT {_FACTS} FROM enterprise_facts WHERE enterprise_id = ?"
            " ORDER BY CASE WHEN valid_from <= ? THEN valid_from ELSE -valid_from END DESC,"
            " fact_id DESC LIMIT 1",
            (enterprise_id, day),
        )
        return EnterpriseFacts(*row)

    def name_of(self, enterprise_id: int) -> str:
        """Return an enterprise's short name."""
        return self._of_id(enterprise_id).enterprise

    def _of_id(self, enterprise_id: int) -> Enterprise:
        row = self._store.one(
            f"SELECT {', '.join(Enterprise._fields)} FROM enterprises WHERE enterprise_id = ?",
            (enterprise_id,),
        )
        return Enterprise(*row)

    def _facts_add(self, enterprise: Enterprise, facts: EnterpriseFacts) -> None:
        self._record.reached_check(facts.valid_from, "valid_from", ahead_days=FACTS_AHEAD_DAYS)
        for what in ("title", "sector_code", "document"):
            words_checked(getattr(facts, what), what)
        words_checked(facts.sub_type, "sub_type", is_needed=False)
        if facts.city // CITY_DIGITS != enterprise.province:
            raise PlatformActError(
                PlatformRefusal.CITY_UNSOUND,
                f"city: expected four digits that begin with {enterprise.province}, got"
                f" {facts.city}",
            )
        number = self._store.next_id("enterprise_facts", "fact_id")
        self._store.insert(
            f"enterprise_facts (fact_id, enterprise_id, {_FACTS})",
            [(number, enterprise.enterprise_id, *facts)],
        )
