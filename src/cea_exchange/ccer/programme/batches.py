"""Batches at the registry: reports, verification, and the issue of serial numbers."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from cea_exchange.ccer.books import Books
from cea_exchange.ccer.participants.vvbs import Vvbs
from cea_exchange.ccer.programme.projects import Project, Projects
from cea_exchange.ccer.roles import account_body
from cea_exchange.domain.ccer.batches import (
    BATCH_LIFE,
    BatchState,
    Period,
    ReductionReport,
    application_check,
    report_check,
    verified_check,
)
from cea_exchange.domain.ccer.lots import Lot, serials_of
from cea_exchange.domain.ccer.programme_error import ProgrammeError
from cea_exchange.domain.ccer.projects import ProjectState
from cea_exchange.domain.ccer.terms import Term
from cea_exchange.domain.ccer.vvbs import report_is_late, verifier_check
from cea_exchange.domain.refusals import CcerRefusal
from cea_exchange.institution.checks import WHY_LENGTH_MAX, words_checked
from cea_exchange.institution.paging import ALL

Tonnes = Mapping[int, int]
"""Generation year -> tonnes."""


class Batch(NamedTuple):
    """A row of `batches`."""

    batch_id: int
    project_id: int
    batch_number: int
    produced_from: int
    produced_to: int
    state: str
    verifier_index: int
    published_on: int
    applied_on: int

    @property
    def period(self) -> Period:
        """Its accounting period."""
        return Period(self.produced_from, self.produced_to)


BATCH_COLUMNS = ", ".join(Batch._fields)
"""Of the table `batches`."""
_ON_DOCUMENT = ("publish", "verify", "apply")
"""Steps that rest on a document."""


class Batches:
    """Takes batches from a report to the issue of their CCERs.

    Notes
    -----
    Rules: CCER-BAT-01 to CCER-BAT-05, CCER-VVB-01 to CCER-VVB-03, CCER-LOT-01.
    """

    def __init__(self, books: Books, vvbs: Vvbs, projects: Projects) -> None:
        self._books = books
        self._store = books.store
        self._vvbs = vvbs
        self._projects = projects

    def publish(
        self, project: str, verifier: str, report: ReductionReport, document: str
    ) -> tuple[int, Term]:
        """Publish a reduction report and name the VVB that will verify it.

        Returns
        -------
        tuple of int and Term
            The batch's number within its project, and the term in which anybody may object.

        Notes
        -----
        Rules: CCER-BAT-02, CCER-BAT-03, CCER-BAT-04, CCER-VVB-01, CCER-VVB-02.
        """
        books, store, today = self._books, self._store, self._books.business_date()
        found = self._registered(project)
        validator = store.account_name(found.validator_index or 0)
        verifier_check(verifier, validator)
        index = self._vvbs.check(verifier, found.sector, today)
        report_check(report, found.design, self._periods(found), books.tests, today)
        public = books.term(today, books.rules.report_public_days.value)
        with store.transaction():
            number: int = store.one(
                "SELECT 1 + count(*) FROM batches WHERE project_id = ?", (found.project_id,)
            )
            batch = Batch(
                batch_id=store.next_id("batches", "batch_id"),
                project_id=found.project_id,
                batch_number=number,
                produced_from=report.produced_from,
                produced_to=report.produced_to,
                state=str(BatchState.PUBLISHED),
                verifier_index=index,
                published_on=today,
                applied_on=0,
            )
            store.insert(
                "batches (batch_id, project_id, batch_number, produced_from, produced_to, state,"
                " verifier_index, published_on, applied_on)",
                [batch],
            )
            self._tonnes_add(batch, "reported", report.tonnes)
            self._step_add(batch, "publish", document, due_on=public.ends_on)
        return number, public

    def verification_begin(self, project: str, number: int) -> None:
        """Let the VVB begin, once the public had its term.

        Notes
        -----
        Rules: CCER-BAT-04, CCER-VVB-01.
        """
        found, today = self.found(project, number), self._books.business_date()
        BATCH_LIFE.after(found.state, "begin_verification")
        public = self._books.term(
            found.published_on, self._books.rules.report_public_days.value
        )
        public.over_check(today, "verification")
        self._vvb_check(project, found, today)
        self._step(found, "begin_verification", "", due_on=public.ends_on)

    def verify(
        self, project: str, number: int, tonnes: Tonnes, document: str, *, owner_days: int = 0
    ) -> bool:
        """Take the VVB's report with the tonnes that it found.

        Returns
        -------
        bool
            Whether the report is late.

        Notes
        -----
        Rules: CCER-BAT-05, CCER-VVB-01, CCER-VVB-03.
        """
        found, today = self.found(project, number), self._books.business_date()
        BATCH_LIFE.after(found.state, "verify")
        self._vvb_check(project, found, today)
        verified_check(tonnes, self.report(found))
        days_max = self._books.rules.report_days_max.value
        is_late = report_is_late(found.published_on, today, owner_days, days_max)
        with self._store.transaction():
            self._tonnes_add(found, "verified", tonnes)
            self._step(found, "verify", document, is_late=is_late)
        return is_late

    def apply(self, project: str, number: int, document: str) -> Term:
        """Apply for the issue of what was verified.

        Returns
        -------
        Term
            In which the registry decides.

        Notes
        -----
        Rules: CCER-BAT-03, CCER-BAT-05.
        """
        found, today = self.found(project, number), self._books.business_date()
        BATCH_LIFE.after(found.state, "apply")
        self._registered(project)
        application_check(found.period, today, self._books.tests)
        decision = self._books.term(today, self._books.rules.issue_days.value)
        with self._store.transaction():
            self._step(found, "apply", document, due_on=decision.ends_on)
            self._store.execute(
                "UPDATE batches SET applied_on = ? WHERE batch_id = ?", (today, found.batch_id)
            )
        return decision

    def issue(self, project: str, number: int) -> list[Lot]:
        """Issue a CCER for each verified tonne to the project's owner.

        Returns
        -------
        list of Lot
            One of each generation year, numbered through.

        Notes
        -----
        Rules: CCER-BAT-05, CCER-LOT-01.
        """
        found, today, store = self.found(project, number), self._books.business_date(), self._store
        BATCH_LIFE.after(found.state, "issue")
        owner = self._registered(project)
        decision = self._books.term(found.applied_on, self._books.rules.issue_days.value)
        tonnes = self._tonnes_of(found, "verified")
        with store.transaction():
            is_late = decision.is_overdue(today)
            self._step(found, "issue", "", due_on=decision.ends_on, is_late=is_late)
            issue_number = store.next_id("issues", "issue_number")
            store.insert(
                "issues (issue_number, batch_id, tonnes, registered_on)",
                [(issue_number, found.batch_id, sum(tonnes.values()), today)],
            )
            lots = serials_of(issue_number, tonnes)
            for year, lot in lots.items():
                instrument = self._instrument(owner, year)
                reference = f"issue {issue_number}"
                self._books.issue(owner.owner_index, instrument, lot, reference)
        return [*lots.values()]

    def refuse(self, project: str, number: int, why: str) -> None:
        """Refuse to issue a batch; its period is free again (CCER-BAT-01)."""
        found = self.found(project, number)
        BATCH_LIFE.after(found.state, "refuse")
        decision = self._books.term(found.applied_on, self._books.rules.issue_days.value)
        is_late = decision.is_overdue(self._books.business_date())
        self._step(found, "refuse", "", why=why, due_on=decision.ends_on, is_late=is_late)

    def recall(self, project: str, number: int, why: str) -> None:
        """Take a batch back before it is issued; its period is free again (CCER-BAT-01)."""
        self._step(self.found(project, number), "recall", "", why=why)

    # -- looks --------------------------------------------------------------------------------

    def found(self, project: str, number: int) -> Batch:
        """Return a project's batch by its number; ProgrammeError if there is none."""
        row = self._store.one(
            f"SELECT {BATCH_COLUMNS} FROM batches WHERE project_id = ? AND batch_number = ?",
            (self._projects.found(project).project_id, number),
        )
        if row is None:
            raise ProgrammeError(
                CcerRefusal.BATCH_UNKNOWN,
                f"batch: expected a known one of {project}, got {number}",
            )
        return Batch(*row)

    def report(self, batch: Batch) -> ReductionReport:
        """Return what a batch's report said."""
        return ReductionReport(
            produced_from=batch.produced_from,
            produced_to=batch.produced_to,
            tonnes=self._tonnes_of(batch, "reported"),
        )

    def steps(self, project: str, number: int) -> list[dict[str, Any]]:
        """Return all steps of a batch, in their order."""
        names = ("step", "business_date", "due_on", "is_late", "document", "by_persons", "why")
        rows = self._store.execute(
            f"SELECT {', '.join(names)} FROM batch_steps WHERE batch_id = ? ORDER BY step_id",
            (self.found(project, number).batch_id,),
        )
        return [dict(zip(names, row, strict=True)) for row in rows.fetchall()]

    def shown(self, project: str, number: int) -> dict[str, Any]:
        """Return what is public of a batch."""
        return self._shown(project, self.found(project, number))

    def listed(
        self, project: str, *, first: int = 1, count: int = ALL
    ) -> list[dict[str, Any]]:
        """Return a project's batches from a number on."""
        rows = self._store.execute(
            f"SELECT {BATCH_COLUMNS} FROM batches WHERE project_id = ? AND batch_number >= ?"
            " ORDER BY batch_number LIMIT ?",
            (self._projects.found(project).project_id, first, count),
        )
        return [self._shown(project, Batch(*row)) for row in rows.fetchall()]

    def instruments(self, first: int = 0, count: int = ALL) -> list[dict[str, Any]]:
        """Return the instruments in the order of their first issue, from an index on."""
        return self._store.records(
            "SELECT i.product_index AS instrument_index, i.product AS instrument, p.project,"
            " i.generation_year FROM products AS i"
            " JOIN projects AS p ON p.project_id = i.project_id WHERE i.product_index >= ?"
            " ORDER BY i.product_index LIMIT ?",
            (first, count),
        )

    def verifier_bodies(self, project: str, number: int) -> frozenset[str]:
        """Return whose business the verification of a batch is; of no batch, nobody's."""
        name = self._store.one(
            "SELECT a.account FROM batches AS b JOIN projects AS p ON p.project_id = b.project_id"
            " JOIN accounts AS a ON a.account_index = b.verifier_index"
            " WHERE p.project = ? AND b.batch_number = ?",
            (project, number),
        )
        return frozenset() if name is None else frozenset({account_body(name)})

    def _shown(self, project: str, found: Batch) -> dict[str, Any]:
        shown = found._asdict()
        del shown["batch_id"], shown["project_id"]
        return shown | {
            "project": project,
            "verifier": self._store.account_name(shown.pop("verifier_index")),
            "reported": self._tonnes_of(found, "reported"),
            "verified": self._tonnes_of(found, "verified"),
        }

    # -- rows ---------------------------------------------------------------------------------

    def _registered(self, project: str) -> Project:
        found = self._projects.found(project)
        if found.state != ProjectState.REGISTERED:
            raise ProgrammeError(
                CcerRefusal.PROJECT_STATE,
                f"project: expected one that is registered, got {project}, {found.state}",
            )
        return found

    def _periods(self, project: Project) -> list[Period]:
        """Return the accounting periods that are not free."""
        rows = self._store.execute(
            "SELECT produced_from, produced_to FROM batches WHERE project_id = ?"
            " AND state NOT IN ('refused', 'recalled') ORDER BY produced_from",
            (project.project_id,),
        )
        return [Period(*row) for row in rows.fetchall()]

    def _instrument(self, project: Project, year: int) -> int:
        """Return the index of a project's generation year, declared with its first issue."""
        store = self._store
        index: int | None = store.one(
            "SELECT product_index FROM products WHERE project_id = ? AND generation_year = ?",
            (project.project_id, year),
        )
        if index is None:
            index = store.one("SELECT count(*) FROM products")
            name = f"{project.project}-{year}"
            store.insert(
                "products (product_index, product, project_id, generation_year)",
                [(index, name, project.project_id, year)],
            )
        return index

    def _tonnes_add(self, batch: Batch, stage: str, tonnes: Tonnes) -> None:
        rows = [(batch.batch_id, stage, year, amount) for year, amount in sorted(tonnes.items())]
        self._store.insert("batch_tonnes (batch_id, stage, generation_year, tonnes)", rows)

    def _tonnes_of(self, batch: Batch, stage: str) -> dict[int, int]:
        rows = self._store.execute(
            "SELECT generation_year, tonnes FROM batch_tonnes WHERE batch_id = ? AND stage = ?"
            " ORDER BY generation_year",
            (batch.batch_id, stage),
        )
        return dict(rows.fetchall())

    def _vvb_check(self, project: str, found: Batch, on: int) -> None:
        verifier = self._store.account_name(found.verifier_index)
        self._vvbs.check(verifier, self._projects.found(project).sector, on)

    def _step(
        self,
        found: Batch,
        step: str,
        document: str,
        *,
        why: str = "",
        due_on: int = 0,
        is_late: bool = False,
    ) -> None:
        state = str(BATCH_LIFE.after(found.state, step))
        with self._store.transaction():
            self._step_add(found, step, document, why=why, due_on=due_on, is_late=is_late)
            self._store.execute(
                "UPDATE batches SET state = ? WHERE batch_id = ?", (state, found.batch_id)
            )

    def _step_add(
        self,
        batch: Batch,
        step: str,
        document: str,
        *,
        why: str = "",
        due_on: int = 0,
        is_late: bool = False,
    ) -> None:
        words_checked(document, "document", WHY_LENGTH_MAX, required=step in _ON_DOCUMENT)
        words_checked(why, "why", WHY_LENGTH_MAX, required=False)
        number, today = self._store.next_id("batch_steps", "step_id"), self._books.business_date()
        row = (
            *(number, batch.batch_id, step, today, due_on, int(is_late)),
            *(document, self._books.by, why),
        )
        self._store.insert(
            "batch_steps (step_id, batch_id, step, business_date, due_on, is_late, document,"
            " by_persons, why)",
            [row],
        )
