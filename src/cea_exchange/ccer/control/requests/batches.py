"""Batches: reported, verified, and issued as CCERs."""

from typing import TYPE_CHECKING, Annotated, Any

from cea_exchange.ccer.control.request import Request, Second
from cea_exchange.ccer.control.requests.fields import (
    BatchNumber,
    Document,
    OwnerDays,
    Project,
    TonnesByYear,
    Why,
)
from cea_exchange.ccer.roles import INITIATOR, OPERATOR, ROLES
from cea_exchange.control_plane.fields import field
from cea_exchange.domain.ccer.batches import ReductionReport, tonnes_by_year
from cea_exchange.institution.paging import PAGE_COUNT_MAX, Number, PageCount, paged

if TYPE_CHECKING:
    from cea_exchange.ccer.ccer_registry import CcerRegistry


class BatchPublish(Request, tag="batch_publish"):
    """Publish a reduction report, with the VVB that will verify it; the approver agrees."""

    roles = (INITIATOR,)
    second = Second.OWN
    command = "batch publish"
    example = (
        "batch publish WIND-1 CCSC 2024=5000 --produced-from 2024-01-01"
        " --produced-to 2024-12-31 --document SHA256 --key li"
    )

    project: Project
    verifier: Annotated[str, field("The VVB's account: another than the validator's.")]
    tonnes: TonnesByYear
    produced_from: Annotated[
        int, field("First day of its accounting period", typed="date", is_option=True)
    ]
    produced_to: Annotated[
        int, field("Last day of its accounting period", typed="date", is_option=True)
    ]
    document: Document

    def act(self, ccer: "CcerRegistry") -> dict[str, Any]:
        report = ReductionReport(
            produced_from=self.produced_from,
            produced_to=self.produced_to,
            tonnes=tonnes_by_year(self.tonnes),
        )
        number, public = ccer.batches.publish(
            self.project, self.verifier, report, self.document
        )
        return {"batch_number": number, "until": public.ends_on}


class BatchVerificationBegin(Request, tag="batch_verification_begin"):
    """Begin the verification, once the public had its term; the VVB does."""

    roles = (INITIATOR,)
    command = "batch begin-verification"
    example = "batch begin-verification WIND-1 1 --key ve"

    project: Project
    batch_number: BatchNumber

    def bodies(self, ccer: "CcerRegistry") -> frozenset[str]:
        """Return whose it is: the VVB's."""
        return ccer.batches.verifier_bodies(self.project, self.batch_number)

    def act(self, ccer: "CcerRegistry") -> dict[str, Any]:
        ccer.batches.verification_begin(self.project, self.batch_number)
        return {}


class BatchVerify(Request, tag="batch_verify"):
    """Hand in the VVB's report with the tonnes that it found; the VVB's approver agrees."""

    roles = (INITIATOR,)
    second = Second.OWN
    command = "batch verify"
    example = "batch verify WIND-1 1 2024=4990 --document SHA256 --key ve"

    project: Project
    batch_number: BatchNumber
    tonnes: TonnesByYear
    document: Document
    owner_days: OwnerDays = 0

    def bodies(self, ccer: "CcerRegistry") -> frozenset[str]:
        """Return whose it is: the VVB's."""
        return ccer.batches.verifier_bodies(self.project, self.batch_number)

    def act(self, ccer: "CcerRegistry") -> dict[str, Any]:
        is_late = ccer.batches.verify(
            *(self.project, self.batch_number, tonnes_by_year(self.tonnes), self.document),
            owner_days=self.owner_days,
        )
        return {"is_late": is_late}


class BatchApply(Request, tag="batch_apply"):
    """Apply for the issue of what was verified; the owner's approver agrees."""

    roles = (INITIATOR,)
    second = Second.OWN
    command = "batch apply"
    example = "batch apply WIND-1 1 --document SHA256 --key li"

    project: Project
    batch_number: BatchNumber
    document: Document

    def act(self, ccer: "CcerRegistry") -> dict[str, Any]:
        due = ccer.batches.apply(self.project, self.batch_number, self.document)
        return {"due_on": due.ends_on}


class BatchIssue(Request, tag="batch_issue"):
    """Issue a CCER for each verified tonne to the project's owner; two persons do it."""

    roles = (OPERATOR,)
    second = Second.OWN
    command = "batch issue"
    example = "batch issue WIND-1 1"

    project: Project
    batch_number: BatchNumber

    def act(self, ccer: "CcerRegistry") -> dict[str, Any]:
        lots = ccer.batches.issue(self.project, self.batch_number)
        return {"serials": [[lot.first, lot.last] for lot in lots]}


class BatchRefuse(Request, tag="batch_refuse"):
    """Refuse to issue a batch; its period is free again. Two persons do it."""

    roles = (OPERATOR,)
    second = Second.OWN
    command = "batch refuse"
    example = 'batch refuse WIND-1 1 --why "meter not read"'

    project: Project
    batch_number: BatchNumber
    why: Why

    def act(self, ccer: "CcerRegistry") -> dict[str, Any]:
        ccer.batches.refuse(self.project, self.batch_number, self.why)
        return {}


class BatchRecall(Request, tag="batch_recall"):
    """Take a batch back before it is issued; the owner's approver agrees."""

    roles = (INITIATOR,)
    second = Second.OWN
    command = "batch recall"
    example = 'batch recall WIND-1 1 --why "wrong period" --key li'

    project: Project
    batch_number: BatchNumber
    why: Why

    def act(self, ccer: "CcerRegistry") -> dict[str, Any]:
        ccer.batches.recall(self.project, self.batch_number, self.why)
        return {}


class BatchList(Request, tag="batch_list"):
    """List a project's batches; they are public."""

    roles = ROLES
    is_look = True
    is_scoped = False
    command = "batch list"
    example = "batch list WIND-1"
    rows = ("batches",)

    project: Project
    first: Number = 1
    count: PageCount = PAGE_COUNT_MAX

    def act(self, ccer: "CcerRegistry") -> dict[str, Any]:
        rows = ccer.batches.listed(self.project, first=self.first, count=self.count + 1)
        return paged("batches", rows, "batch_number", self.count)


class BatchShow(Request, tag="batch_show"):
    """Print a batch, its tonnes, steps and terms; they are public."""

    roles = ROLES
    is_look = True
    is_scoped = False
    command = "batch show"
    example = "batch show WIND-1 1"

    project: Project
    batch_number: BatchNumber

    def act(self, ccer: "CcerRegistry") -> dict[str, Any]:
        steps = ccer.batches.steps(self.project, self.batch_number)
        return {**ccer.batches.shown(self.project, self.batch_number), "steps": steps}
