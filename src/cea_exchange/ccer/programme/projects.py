"""Projects at the registry: each step is kept, with its day, its term and what it rests on."""

from collections.abc import Collection
from typing import Any, NamedTuple

from cea_exchange.ccer.books import Books
from cea_exchange.ccer.participants.accounts import HOLDERS
from cea_exchange.ccer.participants.vvbs import Vvbs
from cea_exchange.ccer.roles import account_body
from cea_exchange.domain.ccer.programme_error import ProgrammeError
from cea_exchange.domain.ccer.projects import (
    PROJECT_ENDED,
    PROJECT_GOES_ON,
    PROJECT_LIFE,
    ProjectDesign,
    ProjectIdentity,
    ProjectState,
    design_check,
    ended_check,
)
from cea_exchange.domain.ccer.terms import Term
from cea_exchange.domain.ccer.vvbs import report_is_late
from cea_exchange.domain.compliance.offsets import Quota
from cea_exchange.domain.profile import PROJECT_YEAR
from cea_exchange.domain.refusals import CcerRefusal
from cea_exchange.institution.checks import WHY_LENGTH_MAX, name_checked, words_checked
from cea_exchange.institution.paging import ALL


class Project(NamedTuple):
    """A row of `projects`."""

    project_id: int
    project: str
    title: str
    owner_index: int
    methodology: str
    sector: int
    started_on: int
    crediting_from: int
    crediting_to: int
    quota_managed: Quota
    is_legal_duty: int
    state: str
    validator_index: int | None
    published_on: int
    applied_on: int
    registered_on: int

    @property
    def identity(self) -> ProjectIdentity:
        """What it is known by whatever its code is."""
        return ProjectIdentity(self.methodology, self.owner_index, self.title, self.started_on)

    @property
    def design(self) -> ProjectDesign:
        """What its design document says."""
        return ProjectDesign(
            methodology=self.methodology,
            started_on=self.started_on,
            crediting_from=self.crediting_from,
            crediting_to=self.crediting_to,
            quota_managed=self.quota_managed,
            is_legal_duty=bool(self.is_legal_duty),
        )


PROJECT_COLUMNS = ", ".join(Project._fields)
"""Of the table `projects`."""
CODE_BYTES_MAX = 59
"""The name of an instrument is the code and ``-2024``, and a name has 64 bytes at most."""
TITLE_LENGTH_MAX = 200
_ON_DOCUMENT = ("publish", "validate", "apply", "revoke")
"""Steps that rest on a document."""


class Projects:
    """Takes projects from a draft to their registration and their end.

    Notes
    -----
    Rules: CCER-PRJ-01 to CCER-PRJ-06, CCER-VVB-01, CCER-VVB-03, CCER-MET-01.
    """

    def __init__(self, books: Books, vvbs: Vvbs) -> None:
        self._books = books
        self._store = books.store
        self._vvbs = vvbs

    def draft(self, project: str, owner: str, title: str, design: ProjectDesign) -> int:
        """Note a project that its owner prepares.

        A code that was used before is refused, and a project that has ended, or goes on, under
        another one.

        Notes
        -----
        Rules: CCER-ACC-02, CCER-PRJ-02, CCER-PRJ-05, CCER-PRJ-06.
        """
        books, store = self._books, self._store
        _code_check(project)
        words_checked(title, "title", TITLE_LENGTH_MAX)
        owner_index = books.account_of_organisation(owner, *HOLDERS)
        method = books.methodologies.in_force(design.methodology, books.business_date())
        design_check(design, method, books.tests)
        with store.transaction():
            identity = ProjectIdentity(
                design.methodology, owner_index, title, design.started_on
            )
            self._ended_check(identity)
            self._unique_check(identity, PROJECT_GOES_ON)
            before = store.one("SELECT state FROM projects WHERE project = ?", (project,))
            if before is not None:
                ended_check(before, project)
                raise ProgrammeError(
                    CcerRefusal.PROJECT_TAKEN,
                    f"project: expected a new code, got {project}, which is {before}",
                )
            row = Project(
                project_id=store.next_id("projects", "project_id"),
                project=project,
                title=title,
                owner_index=owner_index,
                methodology=design.methodology,
                sector=method.sector,
                started_on=design.started_on,
                crediting_from=design.crediting_from,
                crediting_to=design.crediting_to,
                quota_managed=design.quota_managed,
                is_legal_duty=int(design.is_legal_duty),
                state=str(ProjectState.DRAFT),
                validator_index=None,
                published_on=0,
                applied_on=0,
                registered_on=0,
            )
            store.insert(
                "projects (project_id, project, title, owner_index, methodology, sector,"
                " started_on, crediting_from, crediting_to, quota_managed, is_legal_duty, state,"
                " validator_index, published_on, applied_on, registered_on)",
                [row],
            )
        return row.project_id

    def publish(self, project: str, validator: str, document: str) -> Term:
        """Publish a design document and name the VVB that will validate it.

        Returns
        -------
        Term
            In which anybody may object.

        Notes
        -----
        Rules: CCER-PRJ-03, CCER-MET-01, CCER-VVB-01.
        """
        found, today = self.found(project), self._books.business_date()
        self._books.methodologies.in_force(found.methodology, today)
        index = self._vvbs.check(validator, found.sector, today)
        public = self._books.term(today, self._books.rules.design_public_days.value)
        with self._store.transaction():
            self._step(found, "publish", document, due_on=public.ends_on)
            self._store.execute(
                "UPDATE projects SET validator_index = ?, published_on = ? WHERE project_id = ?",
                (index, today, found.project_id),
            )
        return public

    def validation_begin(self, project: str) -> None:
        """Let the VVB begin, once the public had its term.

        Notes
        -----
        Rules: CCER-PRJ-03, CCER-VVB-01.
        """
        found, today = self.found(project), self._books.business_date()
        PROJECT_LIFE.after(found.state, "begin_validation")
        public = self._books.term(
            found.published_on, self._books.rules.design_public_days.value
        )
        public.over_check(today, "validation")
        self._vvb_check(found, today)
        self._step(found, "begin_validation", "", due_on=public.ends_on)

    def validate(self, project: str, document: str, *, owner_days: int = 0) -> bool:
        """Take the VVB's report that the project is what its design says.

        Parameters
        ----------
        owner_days
            That the owner took to answer, which are not the VVB's.

        Returns
        -------
        bool
            Whether the report is late.

        Notes
        -----
        Rules: CCER-VVB-01, CCER-VVB-03.
        """
        found, today = self.found(project), self._books.business_date()
        PROJECT_LIFE.after(found.state, "validate")
        self._vvb_check(found, today)
        days_max = self._books.rules.report_days_max.value
        is_late = report_is_late(found.published_on, today, owner_days, days_max)
        self._step(found, "validate", document, is_late=is_late)
        return is_late

    def apply(self, project: str, document: str) -> Term:
        """Apply for registration.

        Returns
        -------
        Term
            In which the registry decides.

        Notes
        -----
        Rules: CCER-PRJ-04.
        """
        found, today = self.found(project), self._books.business_date()
        decision = self._books.term(today, self._books.rules.registration_days.value)
        with self._store.transaction():
            self._step(found, "apply", document, due_on=decision.ends_on)
            self._store.execute(
                "UPDATE projects SET applied_on = ? WHERE project_id = ?",
                (today, found.project_id),
            )
        return decision

    def hand_back(self, project: str, why: str) -> None:
        """Return an application that is not whole; it may be made again."""
        found = self.found(project)
        PROJECT_LIFE.after(found.state, "return")
        decision = self._decision_of(found)
        is_late = decision.is_overdue(self._books.business_date())
        self._step(found, "return", "", why=why, due_on=decision.ends_on, is_late=is_late)

    def register(self, project: str) -> bool:
        """Register a project that was applied for.

        Returns
        -------
        bool
            Whether the decision is overdue.

        Notes
        -----
        Rules: CCER-PRJ-02, CCER-PRJ-04, CCER-PRJ-05.
        """
        found, today = self.found(project), self._books.business_date()
        PROJECT_LIFE.after(found.state, "register")
        # Under another code it may have ended, or been registered, since this one was drafted.
        self._ended_check(found.identity)
        self._unique_check(found.identity, (ProjectState.REGISTERED,))
        decision = self._decision_of(found)
        is_late = decision.is_overdue(today)
        with self._store.transaction():
            self._step(found, "register", "", due_on=decision.ends_on, is_late=is_late)
            self._store.execute(
                "UPDATE projects SET registered_on = ? WHERE project_id = ?",
                (today, found.project_id),
            )
        return is_late

    def recall(self, project: str, why: str) -> None:
        """Take a project back before it is registered (CCER-PRJ-01)."""
        self._step(self.found(project), "recall", "", why=why)

    def deregister(self, project: str, why: str) -> None:
        """End a project on its owner's wish, or as it or its owner has ended (CCER-PRJ-05)."""
        self._step(self.found(project), "deregister", "", why=why)

    def revoke(self, project: str, document: str, why: str) -> None:
        """End a project by order (CCER-PRJ-05)."""
        self._step(self.found(project), "revoke", document, why=why)

    # -- looks --------------------------------------------------------------------------------

    def found(self, project: str) -> Project:
        """Return a project by its code; ProgrammeError if there is none."""
        row = self._store.one(
            f"SELECT {PROJECT_COLUMNS} FROM projects WHERE project = ?", (project,)
        )
        if row is None:
            raise ProgrammeError(
                CcerRefusal.PROJECT_UNKNOWN, f"project: expected a known one, got {project!r}"
            )
        return Project(*row)

    def steps(self, project: str) -> list[dict[str, Any]]:
        """Return all steps of a project, in their order."""
        names = ("step", "business_date", "due_on", "is_late", "document", "by_persons", "why")
        rows = self._store.execute(
            f"SELECT {', '.join(names)} FROM project_steps WHERE project_id = ? ORDER BY step_id",
            (self.found(project).project_id,),
        )
        return [dict(zip(names, row, strict=True)) for row in rows.fetchall()]

    def shown(self, project: str) -> dict[str, Any]:
        """Return what is public of a project."""
        return self._shown(self.found(project))

    def listed(
        self, state: str | None = None, *, first: int = 1, count: int = ALL
    ) -> list[dict[str, Any]]:
        """Return projects as they were drafted, from an id on, all or those in one state."""
        rows = self._store.execute(
            f"SELECT {PROJECT_COLUMNS} FROM projects WHERE project_id >= :first"
            + ("" if state is None else " AND state = :state")
            + " ORDER BY project_id LIMIT :count",
            {"first": first, "state": state, "count": count},
        )
        return [self._shown(Project(*row)) for row in rows.fetchall()]

    def validator_bodies(self, project: str) -> frozenset[str]:
        """Return whose business the validation of a project is; of no project, nobody's."""
        name = self._store.one(
            "SELECT a.account FROM projects AS p"
            " JOIN accounts AS a ON a.account_index = p.validator_index WHERE p.project = ?",
            (project,),
        )
        return frozenset() if name is None else frozenset({account_body(name)})

    def owner(self, project: str) -> str | None:
        """Return the account that owns a project; None where there is none."""
        name: str | None = self._store.one(
            "SELECT a.account FROM projects AS p"
            " JOIN accounts AS a ON a.account_index = p.owner_index WHERE p.project = ?",
            (project,),
        )
        return name

    def _shown(self, found: Project) -> dict[str, Any]:
        store = self._store
        shown = found._asdict()
        validator = shown.pop("validator_index")
        shown["owner"] = store.account_name(shown.pop("owner_index"))
        shown["validator"] = "" if validator is None else store.account_name(validator)
        return shown | {"is_legal_duty": bool(found.is_legal_duty)}

    # -- steps --------------------------------------------------------------------------------

    def _vvb_check(self, found: Project, on: int) -> None:
        validator = self._store.account_name(found.validator_index or 0)
        self._vvbs.check(validator, found.sector, on)

    def _ended_check(self, identity: ProjectIdentity) -> None:
        """Refuse a project that was registered before, under whatever code.

        Notes
        -----
        Rules: CCER-PRJ-05.
        """
        for ended in self._of_methodology(identity.methodology, PROJECT_ENDED):
            if ended.identity.is_same(identity):
                ended_check(ended.state, ended.project)

    def _unique_check(
        self, identity: ProjectIdentity, states: Collection[ProjectState]
    ) -> None:
        """Refuse a project that is another one, in one of some states, but for its code.

        Notes
        -----
        Rules: CCER-PRJ-02.
        """
        for other in self._of_methodology(identity.methodology, states):
            if other.identity.is_equal(identity):
                raise ProgrammeError(
                    CcerRefusal.PROJECT_TAKEN,
                    f"project: expected another than {other.project}, which is {other.state}, got"
                    " its owner, title, methodology and first day once more",
                )

    def _of_methodology(
        self, methodology: str, states: Collection[ProjectState]
    ) -> list[Project]:
        """Return projects of a methodology that are in one of some states, as drafted."""
        rows = self._store.execute(
            f"SELECT {PROJECT_COLUMNS} FROM projects WHERE methodology = ? ORDER BY project_id",
            (methodology,),
        )
        return [each for each in (Project(*row) for row in rows.fetchall()) if each.state in states]

    def _decision_of(self, found: Project) -> Term:
        return self._books.term(found.applied_on, self._books.rules.registration_days.value)

    def _step(
        self,
        found: Project,
        step: str,
        document: str,
        *,
        why: str = "",
        due_on: int = 0,
        is_late: bool = False,
    ) -> None:
        state = str(PROJECT_LIFE.after(found.state, step))
        words_checked(document, "document", WHY_LENGTH_MAX, required=step in _ON_DOCUMENT)
        words_checked(why, "why", WHY_LENGTH_MAX, required=False)
        store, books = self._store, self._books
        with store.transaction():
            number = store.next_id("project_steps", "step_id")
            row = (
                *(number, found.project_id, step, books.business_date(), due_on, int(is_late)),
                *(document, books.by, why),
            )
            store.insert(
                "project_steps (step_id, project_id, step, business_date, due_on, is_late,"
                " document, by_persons, why)",
                [row],
            )
            store.execute(
                "UPDATE projects SET state = ? WHERE project_id = ?", (state, found.project_id)
            )


def _code_check(project: str) -> None:
    """Refuse what is no code of a project, or would name no instrument of the exchange.

    Notes
    -----
    Rules: CCER-PRD-01.
    """
    name_checked(project, "project")
    if PROJECT_YEAR.fullmatch(f"{project}-2024") is None:
        raise ProgrammeError(
            CcerRefusal.NAME_UNSOUND,
            f"project: expected capital letters, digits and hyphens, such as WIND-1, got"
            f" {project!r}",
        )
    if len(project.encode()) > CODE_BYTES_MAX:
        raise ProgrammeError(
            CcerRefusal.NAME_UNSOUND,
            f"project: expected at most {CODE_BYTES_MAX} bytes, got {project!r}",
        )
