"""Projects: drafted, published, validated, registered, and ended."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from cea_exchange.ccer.control.request import Request, Second
from cea_exchange.ccer.control.requests.fields import Document, OwnerDays, Project, Why
from cea_exchange.ccer.roles import (
    AUTHORITY,
    INITIATOR,
    OFFICIALS,
    OPERATOR,
    ROLES,
    account_body,
)
from cea_exchange.control_plane.fields import field
from cea_exchange.domain.ccer.projects import ProjectDesign
from cea_exchange.domain.compliance.offsets import Quota
from cea_exchange.institution.paging import (
    PAGE_COUNT_MAX,
    Number,
    PageCount,
    Place,
    page_at,
    paged,
)

if TYPE_CHECKING:
    from cea_exchange.ccer.ccer_registry import CcerRegistry

State = Literal[
    "draft",
    "published",
    "validating",
    "validated",
    "applied",
    "registered",
    "deregistered",
    "revoked",
    "recalled",
]


class ProjectDraft(Request, tag="project_draft"):
    """Note a project that its owner prepares."""

    roles = (INITIATOR,)
    command = "project draft"
    example = (
        'project draft WIND-1 SEAWIND "Offshore wind" CCER-01-002 --started-on 2020-03-01'
        " --crediting-from 2020-09-23 --crediting-to 2030-09-22 --key li"
    )

    project: Annotated[str, field("The project's code, for good.")]
    owner: Annotated[str, field("Its owner's account.")]
    title: Annotated[str, field("Its name.")]
    methodology: Annotated[str, field("The methodology's code.")]
    started_on: Annotated[int, field("When its work began", typed="date", is_option=True)]
    crediting_from: Annotated[
        int, field("First day of its crediting period", typed="date", is_option=True)
    ]
    crediting_to: Annotated[
        int, field("Last day of its crediting period", typed="date", is_option=True)
    ]
    quota_managed: Annotated[Quota, field("Whether it is under a market's allowances.")] = "no"
    is_legal_duty: Annotated[
        bool, field("A law makes its owner do it.", name="--legal-duty")
    ] = False

    def bodies(self, ccer: "CcerRegistry") -> frozenset[str]:
        """Return whose it is: the owner's."""
        return frozenset({account_body(self.owner)})

    def act(self, ccer: "CcerRegistry") -> dict[str, Any]:
        design = ProjectDesign(
            methodology=self.methodology,
            started_on=self.started_on,
            crediting_from=self.crediting_from,
            crediting_to=self.crediting_to,
            quota_managed=self.quota_managed,
            is_legal_duty=self.is_legal_duty,
        )
        return {"project_id": ccer.projects.draft(self.project, self.owner, self.title, design)}


class ProjectPublish(Request, tag="project_publish"):
    """Publish a design document, with the VVB that will validate it; the approver agrees."""

    roles = (INITIATOR,)
    second = Second.OWN
    command = "project publish"
    example = "project publish WIND-1 CQC --document SHA256 --key li"

    project: Project
    validator: Annotated[str, field("The VVB's account.")]
    document: Document

    def act(self, ccer: "CcerRegistry") -> dict[str, Any]:
        public = ccer.projects.publish(self.project, self.validator, self.document)
        return {"until": public.ends_on}


class ProjectValidationBegin(Request, tag="project_validation_begin"):
    """Begin the validation, once the public had its term; the VVB does."""

    roles = (INITIATOR,)
    command = "project begin-validation"
    example = "project begin-validation WIND-1 --key vo"

    project: Project

    def bodies(self, ccer: "CcerRegistry") -> frozenset[str]:
        """Return whose it is: the VVB's."""
        return ccer.projects.validator_bodies(self.project)

    def act(self, ccer: "CcerRegistry") -> dict[str, Any]:
        ccer.projects.validation_begin(self.project)
        return {}


class ProjectValidate(Request, tag="project_validate"):
    """Hand in the VVB's report on the design; the VVB's approver agrees."""

    roles = (INITIATOR,)
    second = Second.OWN
    command = "project validate"
    example = "project validate WIND-1 --document SHA256 --key vo"

    project: Project
    document: Document
    owner_days: OwnerDays = 0

    def bodies(self, ccer: "CcerRegistry") -> frozenset[str]:
        """Return whose it is: the VVB's."""
        return ccer.projects.validator_bodies(self.project)

    def act(self, ccer: "CcerRegistry") -> dict[str, Any]:
        is_late = ccer.projects.validate(
            self.project, self.document, owner_days=self.owner_days
        )
        return {"is_late": is_late}


class ProjectApply(Request, tag="project_apply"):
    """Apply for registration; the owner's approver agrees."""

    roles = (INITIATOR,)
    second = Second.OWN
    command = "project apply"
    example = "project apply WIND-1 --document SHA256 --key li"

    project: Project
    document: Document

    def act(self, ccer: "CcerRegistry") -> dict[str, Any]:
        return {"due_on": ccer.projects.apply(self.project, self.document).ends_on}


class ProjectReturn(Request, tag="project_return"):
    """Return an application that is not whole; two persons do it."""

    roles = (OPERATOR,)
    second = Second.OWN
    command = "project return"
    example = 'project return WIND-1 --why "no seal"'

    project: Project
    why: Why

    def act(self, ccer: "CcerRegistry") -> dict[str, Any]:
        ccer.projects.hand_back(self.project, self.why)
        return {}


class ProjectRegister(Request, tag="project_register"):
    """Register a project that was applied for; two persons do it."""

    roles = (OPERATOR,)
    second = Second.OWN
    command = "project register"
    example = "project register WIND-1"

    project: Project

    def act(self, ccer: "CcerRegistry") -> dict[str, Any]:
        return {"is_late": ccer.projects.register(self.project)}


class ProjectRecall(Request, tag="project_recall"):
    """Take a project back before it is registered, for good; the owner's approver agrees."""

    roles = (INITIATOR,)
    second = Second.OWN
    command = "project recall"
    example = 'project recall WIND-1 --why "other design" --key li'

    project: Project
    why: Why

    def act(self, ccer: "CcerRegistry") -> dict[str, Any]:
        ccer.projects.recall(self.project, self.why)
        return {}


class ProjectDeregister(Request, tag="project_deregister"):
    """End a project, on its owner's wish or as it or its owner has ended; its approver agrees.

    The authority does where the owner has no approver.
    """

    roles = (OPERATOR, INITIATOR)
    second = Second.HOLDER
    command = "project deregister"
    example = 'project deregister WIND-1 --why "taken down"'

    project: Project
    why: Why

    def act(self, ccer: "CcerRegistry") -> dict[str, Any]:
        ccer.projects.deregister(self.project, self.why)
        return {}


class ProjectRevoke(Request, tag="project_revoke"):
    """End a project by order of the ministry, which agrees."""

    roles = (OPERATOR, AUTHORITY)
    second = Second.DECIDER
    command = "project revoke"
    example = 'project revoke WIND-1 --document "order 2026-7" --why "false data"'

    project: Project
    document: Document
    why: Why

    def act(self, ccer: "CcerRegistry") -> dict[str, Any]:
        ccer.projects.revoke(self.project, self.document, self.why)
        return {}


class ProjectList(Request, tag="project_list"):
    """List the projects; they are public."""

    roles = ROLES
    is_look = True
    is_scoped = False
    command = "project list"
    example = "project list --state registered"
    rows = ("projects",)

    state: Annotated[State | None, field("Only those that are so.")] = None
    first: Number = 1
    count: PageCount = PAGE_COUNT_MAX

    def act(self, ccer: "CcerRegistry") -> dict[str, Any]:
        rows = ccer.projects.listed(self.state, first=self.first, count=self.count + 1)
        return paged("projects", rows, "project_id", self.count)


class ProjectShow(Request, tag="project_show"):
    """Print a project, its steps and terms; they are public."""

    roles = ROLES
    is_look = True
    is_scoped = False
    command = "project show"
    example = "project show WIND-1"

    project: Project

    def act(self, ccer: "CcerRegistry") -> dict[str, Any]:
        steps = ccer.projects.steps(self.project)
        return {**ccer.projects.shown(self.project), "steps": steps}


class DutyList(Request, tag="duty_list"):
    """List what the registry has to decide, and by which day."""

    roles = OFFICIALS
    is_look = True
    command = "duty list"
    example = "duty list"
    rows = ("duties",)

    first: Place = 0
    count: PageCount = PAGE_COUNT_MAX

    def act(self, ccer: "CcerRegistry") -> dict[str, Any]:
        duties, further = page_at(ccer.decisions_due(), self.first, self.count)
        return {"duties": duties, "next": further}
