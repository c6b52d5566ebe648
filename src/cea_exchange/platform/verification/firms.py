"""Service firms: who they are, what they did for whom, and what they may not verify."""

from typing import Any, NamedTuple

from cea_exchange.domain.calendar import date_number, date_of_number
from cea_exchange.domain.compliance.enforcement.clocks import months_after
from cea_exchange.domain.compliance.listing.firms import ServiceRecord, conflict
from cea_exchange.domain.credit_code import credit_code_check
from cea_exchange.domain.refusals import PlatformRefusal
from cea_exchange.institution.look_alikes import look_alikes_add
from cea_exchange.platform.checks import (
    PlatformActError,
    choice_checked,
    count_checked,
    name_checked,
    words_checked,
    year_checked,
)
from cea_exchange.platform.entity_list.enterprises import Enterprise, Enterprises
from cea_exchange.platform.record import Record

SERVICES = ("report", "advice", "laboratory")
TIES = ("interest", "manager", "trade")
POINTS_MAX = 100
BAN_YEARS = 5
"""For how long a person is banned who is not banned for life (CEA-LAW-12)."""


class Firm(NamedTuple):
    """A row of `service_firms`."""

    firm_id: int
    firm: str
    credit_code: str
    title: str
    barred_from: int


class Firms:
    """The service firms that the platform knows."""

    def __init__(self, record: Record, enterprises: Enterprises) -> None:
        self._record = record
        self._store = record.store
        self._enterprises = enterprises

    def register(self, firm: str, *, credit_code: str, title: str) -> int:
        """Register a firm, and return its id.

        Notes
        -----
        Rules: CEA-PER-04.
        """
        name_checked(firm, "firm")
        words_checked(title, "title")
        try:
            credit_code_check(credit_code)
        except ValueError as error:
            raise PlatformActError(PlatformRefusal.CREDIT_CODE_UNSOUND, str(error)) from None
        with self._record.transaction():
            known = self._store.one(
                "SELECT firm FROM service_firms WHERE firm = ? OR credit_code = ?",
                (firm, credit_code),
            )
            if known is not None:
                raise PlatformActError(
                    PlatformRefusal.FIRM_TAKEN,
                    f"firm: expected a new name and credit code, got those of {known}",
                )
            look_alikes_add(self._store, "firm", firm)
            number = self._store.next_id("service_firms", "firm_id")
            self._store.insert(
                "service_firms (firm_id, firm, credit_code, title, barred_from)",
                [(number, firm, credit_code, title, 0)],
            )
        return number

    def bar(self, firm: str) -> None:
        """Let a firm take no more work from today on."""
        with self._record.transaction():
            found = self.working(firm)
            self._store.execute(
                "UPDATE service_firms SET barred_from = ? WHERE firm_id = ?",
                (self._record.business_date(), found.firm_id),
            )

    def readmit(self, firm: str) -> None:
        """Let a firm work again, whose bar was revoked."""
        with self._record.transaction():
            found = self.of(firm)
            self._store.execute(
                "UPDATE service_firms SET barred_from = 0 WHERE firm_id = ?", (found.firm_id,)
            )

    def persons_ban(self, decision_id: int, firm_id: int) -> None:
        """Ban the persons of a decision that is served, from today on for as long as it says.

        Notes
        -----
        Rules: CEA-LAW-12.
        """
        today = self._record.business_date()
        rows = self._store.execute(
            "SELECT name, ban FROM case_persons WHERE decision_id = ? AND ban <> '' ORDER BY name",
            (decision_id,),
        ).fetchall()
        until = date_number(months_after(date_of_number(today), 12 * BAN_YEARS))
        self._store.insert(
            "person_bans (decision_id, name, firm_id, banned_from, banned_until, lifted_on)",
            [
                (decision_id, name, firm_id, today, 0 if ban == "life" else until, 0)
                for name, ban in rows
            ],
        )

    def bans_lift(self, decision_id: int) -> None:
        """Lift the bans of a decision that was revoked."""
        self._store.execute(
            "UPDATE person_bans SET lifted_on = ? WHERE decision_id = ?",
            (self._record.business_date(), decision_id),
        )

    def bans(self) -> list[dict[str, Any]]:
        """Return who is banned today, and until when; 0 is for life."""
        names = ("name", "firm", "banned_from", "banned_until", "decision_id")
        rows = self._store.execute(
            "SELECT name, coalesce(firm, ''), banned_from, banned_until, decision_id"
            " FROM person_bans LEFT JOIN service_firms"
            " ON service_firms.firm_id = person_bans.firm_id WHERE lifted_on = 0"
            " AND (banned_until = 0 OR banned_until >= ?) ORDER BY name, decision_id",
            (self._record.business_date(),),
        )
        return [dict(zip(names, row, strict=True)) for row in rows.fetchall()]

    def person_check(self, name: str) -> None:
        """Refuse a person who is banned, by the name that the decision has.

        Notes
        -----
        Rules: CEA-LAW-12.
        """
        for ban in self.bans():
            if ban["name"] == name:
                until = ban["banned_until"] or "for life"
                raise PlatformActError(
                    PlatformRefusal.PERSON_BANNED,
                    f"person: expected one who may verify, got {name}, banned until {until}",
                )

    def engage(self, enterprise: str, firm: str, year: int, service: str) -> None:
        """Declare whom an enterprise had do what for a compliance year.

        Raises
        ------
        PlatformActError
            The firm verifies of that year what the service would be part of.

        Notes
        -----
        Rules: CEA-ENT-15.
        """
        year_checked(year)
        choice_checked(service, SERVICES, "service")
        with self._record.transaction():
            whose, whom = self._enterprises.of(enterprise), self.working(firm)
            row = (whose.enterprise_id, year, whom.firm_id, service)
            if self._store.one(
                "SELECT 1 FROM standing_engagements WHERE enterprise_id = ?"
                " AND compliance_year = ? AND firm_id = ? AND service = ?",
                row,
            ):
                raise PlatformActError(
                    PlatformRefusal.ENGAGEMENT_TAKEN,
                    f"{firm}: expected a service that was not declared, got {service} of {year}"
                    f" for {enterprise} again",
                )
            self._verifies_check(whom, whose, year, service)
            number = self._store.next_id("engagements", "engagement_id")
            self._store.insert(
                "engagements (engagement_id, enterprise_id, compliance_year, firm_id, service,"
                " declared_on)",
                [(number, *row, self._record.business_date())],
            )

    def disengage(
        self, enterprise: str, firm: str, year: int, service: str, document: str
    ) -> None:
        """Withdraw what an enterprise declared of a firm that did no such thing.

        Notes
        -----
        Rules: CEA-ENT-15.
        """
        words_checked(document, "document")
        with self._record.transaction():
            whose, whom = self._enterprises.of(enterprise), self.of(firm)
            row = (whose.enterprise_id, year, whom.firm_id, service)
            number = self._store.one(
                "SELECT engagement_id FROM standing_engagements WHERE enterprise_id = ?"
                " AND compliance_year = ? AND firm_id = ? AND service = ?",
                row,
            )
            if number is None:
                raise PlatformActError(
                    PlatformRefusal.ENGAGEMENT_UNKNOWN,
                    f"{firm}: expected a service that was declared, got {service} of {year} for"
                    f" {enterprise}",
                )
            self._store.insert(
                "engagement_withdrawals (engagement_id, document, withdrawn_on)",
                [(number, document, self._record.business_date())],
            )

    def _verifies_check(self, firm: Firm, enterprise: Enterprise, year: int, service: str) -> None:
        """Refuse a service of who verifies for whom it would not be allowed: `conflict_check`."""
        rows = self._store.execute(
            "SELECT DISTINCT enterprise, province, compliance_year FROM verifications"
            " JOIN enterprises ON enterprises.enterprise_id = verifications.enterprise_id"
            " WHERE firm_id = ? AND (compliance_year = ? AND state <> 'withdrawn'"
            " OR compliance_year = ? AND state IN ('open', 'concluded'))"
            " ORDER BY enterprise, compliance_year DESC",
            (firm.firm_id, year, year - 1),
        )
        for verified, province, of_year in rows.fetchall():
            is_apart = {
                "advice": False,
                "report": province != enterprise.province,
                "laboratory": verified != enterprise.enterprise or of_year != year,
            }
            if not is_apart[service]:
                raise PlatformActError(
                    PlatformRefusal.FIRM_IN_CONFLICT,
                    f"firm: expected one without a part in the verifications of {of_year} for its"
                    f" {service}, got {firm.firm}, which verifies {verified} (CEA-ENT-15)",
                )

    def tie(
        self, firm: str, kind: str, document: str, *, enterprise: str | None = None, until: int = 0
    ) -> None:
        """Note that a firm holds an interest in an enterprise, shares a manager, or trades.

        Parameters
        ----------
        until
            When a manager of both last was with it; 0: still is.

        Notes
        -----
        Rules: CEA-ENT-15.
        """
        words_checked(document, "document")
        if until:
            self._record.reached_check(until, "until")
        with self._record.transaction():
            whom, enterprise_id = self._tied(firm, kind, enterprise)
            number = self._store.next_id("firm_ties", "tie_id")
            self._store.insert(
                "firm_ties (tie_id, firm_id, enterprise_id, kind, until, document, noted_on)",
                [
                    (number, whom.firm_id, enterprise_id, kind, until, document)
                    + (self._record.business_date(),)
                ],
            )

    def untie(
        self, firm: str, kind: str, document: str, *, enterprise: str | None = None
    ) -> int:
        """End a firm's ties of a kind, noted by mistake or no more; return how many there were.

        A manager who left is noted again with `until` behind it: that tie goes on for three years.

        Notes
        -----
        Rules: CEA-ENT-15.
        """
        words_checked(document, "document")
        with self._record.transaction():
            whom, enterprise_id = self._tied(firm, kind, enterprise)
            rows = self._store.execute(
                "SELECT tie_id FROM standing_ties WHERE firm_id = ? AND enterprise_id = ?"
                " AND kind = ? ORDER BY tie_id",
                (whom.firm_id, enterprise_id, kind),
            ).fetchall()
            if not rows:
                raise PlatformActError(
                    PlatformRefusal.TIE_UNKNOWN,
                    f"{firm}: expected a tie that stands, got {kind} of {enterprise or 'any'}",
                )
            today = self._record.business_date()
            self._store.insert(
                "firm_tie_ends (tie_id, document, ended_on)",
                [(tie_id, document, today) for (tie_id,) in rows],
            )
        return len(rows)

    def _tied(self, firm: str, kind: str, enterprise: str | None) -> tuple[Firm, int]:
        """Return who is tied, and to which enterprise: who trades, to none."""
        choice_checked(kind, TIES, "kind")
        if (enterprise is None) != (kind == "trade"):
            must = "none" if kind == "trade" else "one"
            raise PlatformActError(
                PlatformRefusal.CHOICE_UNKNOWN,
                f"enterprise: expected {must} of {kind}, got {enterprise!r}",
            )
        whose = 0 if enterprise is None else self._enterprises.of(enterprise).enterprise_id
        return self.of(firm), whose

    def score(
        self,
        firm: str,
        year: int,
        province: int,
        *,
        quality: int,
        compliance: int,
        timeliness: int,
        remarks: str = "",
    ) -> None:
        """Score a firm's verifications of a year in a province.

        Notes
        -----
        Rules: CEA-ENT-16.
        """
        year_checked(year)
        words_checked(remarks, "remarks", is_needed=False)
        points = {"quality": quality, "compliance": compliance, "timeliness": timeliness}
        for what, value in points.items():
            count_checked(value, what, POINTS_MAX)
        with self._record.transaction():
            found = self.of(firm)
            if self._store.one(
                "SELECT 1 FROM verifier_scores WHERE firm_id = ? AND score_year = ?"
                " AND province = ?",
                (found.firm_id, year, province),
            ):
                raise PlatformActError(
                    PlatformRefusal.SCORE_TAKEN,
                    f"{firm}: expected no score of {year} in {province} yet, got another one",
                )
            number = self._store.next_id("verifier_scores", "score_id")
            self._store.insert(
                "verifier_scores (score_id, firm_id, score_year, province, quality, compliance,"
                " timeliness, remarks, scored_on)",
                [
                    (number, found.firm_id, year, province, *points.values(), remarks)
                    + (self._record.business_date(),)
                ],
            )

    # -- what there is ----------------------------------------------------------------------------

    def of(self, firm: str) -> Firm:
        """Return a firm there is."""
        row = self._store.one(
            f"SELECT {', '.join(Firm._fields)} FROM service_firms WHERE firm = ?", (firm,)
        )
        if row is None:
            raise PlatformActError(
                PlatformRefusal.FIRM_UNKNOWN, f"firm: expected a registered one, got {firm!r}"
            )
        return Firm(*row)

    def working(self, firm: str) -> Firm:
        """Return a firm that may work."""
        found = self.of(firm)
        if found.barred_from:
            raise PlatformActError(
                PlatformRefusal.FIRM_BARRED,
                f"firm: expected one that may work, got {firm}, barred from {found.barred_from}",
            )
        return found

    def name_of(self, firm_id: int) -> str:
        """Return a firm's short name."""
        name: str = self._store.one("SELECT firm FROM service_firms WHERE firm_id = ?", (firm_id,))
        return name

    def scores(self, year: int) -> list[dict[str, Any]]:
        """Return the scores of a year, as they are published."""
        names = ("firm", "province", "quality", "compliance", "timeliness", "remarks")
        rows = self._store.execute(
            f"SELECT {', '.join(names)} FROM verifier_scores"
            " JOIN service_firms ON service_firms.firm_id = verifier_scores.firm_id"
            " WHERE score_year = ? ORDER BY firm, province",
            (year,),
        )
        return [dict(zip(names, row, strict=True)) for row in rows.fetchall()]

    def conflict_check(self, firm: Firm, enterprise: Enterprise, year: int) -> None:
        """Refuse a firm that has to do with an enterprise, or reports for one of its province.

        Who prepares, or advises, of the year after does so while this one is verified.

        Notes
        -----
        Rules: CEA-ENT-15.
        """
        today = date_of_number(self._record.business_date())
        ties = self._store.execute(
            "SELECT kind, coalesce(enterprise, ''), until FROM standing_ties AS tie"
            " LEFT JOIN enterprises ON enterprises.enterprise_id = tie.enterprise_id"
            " WHERE firm_id = ? ORDER BY tie_id",
            (firm.firm_id,),
        ).fetchall()
        services = self._store.execute(
            "SELECT service, enterprise, province FROM standing_engagements AS declared"
            " JOIN enterprises ON enterprises.enterprise_id = declared.enterprise_id"
            " WHERE firm_id = ? AND (compliance_year = ?"
            " OR compliance_year = ? AND service <> 'laboratory') ORDER BY engagement_id",
            (firm.firm_id, year, year + 1),
        ).fetchall()
        why = conflict(
            ServiceRecord(
                name=firm.firm,
                prepared_in=frozenset(str(each[2]) for each in services if each[0] == "report"),
                advises=any(service == "advice" for service, *_ in services),
                trades=any(kind == "trade" for kind, *_ in ties),
                interests=frozenset(whose for kind, whose, _ in ties if kind == "interest"),
                managers={
                    whose: date_of_number(until) if until else today
                    for kind, whose, until in ties
                    if kind == "manager"
                },
            ),
            enterprise.enterprise,
            str(enterprise.province),
            today,
        )
        tested = ("laboratory", enterprise.enterprise, enterprise.province)
        if why is None and tested in services:
            why = f"{firm.firm} tested for {enterprise.enterprise} (CEA-ENT-15)"
        if why is not None:
            raise PlatformActError(
                PlatformRefusal.FIRM_IN_CONFLICT,
                f"firm: expected one without a part in {enterprise.enterprise}'s report of {year},"
                f" got one with it: {why}",
            )
