"""Requests about issue, allocation files, deductions and recalls."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from cea_exchange.control_plane.fields import field
from cea_exchange.domain.compliance.adjustment import Cause
from cea_exchange.institution.control.request import source_file
from cea_exchange.institution.paging import PAGE_COUNT_MAX, Number, PageCount, page_at, paged
from cea_exchange.registry.control.dual_control import Second
from cea_exchange.registry.control.requests.fields import (
    Account,
    Content,
    Encoding,
    EntryId,
    FileName,
    Product,
    Tonnes,
    Why,
)
from cea_exchange.registry.control.requests.request import Request
from cea_exchange.registry.participants.roles import AUTHORITY, OPERATOR, PROVINCE, REGULATOR, ROLES

if TYPE_CHECKING:
    from cea_exchange.files.cells.source import SourceFile
    from cea_exchange.registry.registry import Registry
    from cea_exchange.user_files.read_ahead import Reading

LINES_MAX = 1_000
"""Of a preview, in one answer."""
WARNINGS_MAX = 100


class AllocationIssue(Request, tag="allocation_issue"):
    """Issue allowances into the competent authority's account; a person of it approves."""

    roles = (OPERATOR, AUTHORITY)
    second = Second.AUTHORITY
    command = "allocation issue"
    example = "allocation issue CEA24 5000000"
    aliases = ("issue",)

    product: Product
    tonnes: Tonnes

    def act(self, registry: "Registry") -> dict[str, Any]:
        return {"entry_id": registry.distribution.issue(self.product, self.tonnes)}


class AllocationReverse(Request, tag="allocation_reverse"):
    """As the authority, take back an issue that was a mistake, as far as it was not distributed."""

    roles = (AUTHORITY,)
    second = Second.OWN
    command = "allocation reverse"
    example = 'allocation reverse 17 4500000 --why "typo" --key mee'

    entry_id: Annotated[EntryId, field("The entry of the issue.")]
    tonnes: Tonnes
    why: Why

    def act(self, registry: "Registry") -> dict[str, Any]:
        from cea_exchange.registry.distribution.issue_reversals import issue_reverse

        return {"entry_id": issue_reverse(registry.ledger, self.entry_id, self.tonnes, self.why)}


class AllocationPreview(Request, tag="allocation_preview"):
    """Show what an allocation file would do; nothing is done.

    With the units' figures each entity's tonnes are computed again, and the file is refused where
    one differs.
    """

    roles = (OPERATOR, AUTHORITY)
    command = "allocation preview"
    example = (
        "allocation preview allocation-2024-final.xlsx --units units-2024.xlsx --out preview.csv"
    )

    file: Annotated[FileName, field("Allocation file.", typed="file")]
    content: Content
    encoding: Encoding = "utf-8"
    units_file: Annotated[
        FileName | None,
        field("Unit file, to compute each entity's tonnes from.", typed="file", name="units"),
    ] = None
    units_content: Content = b""

    def readings(self, services: Any) -> Iterable["Reading"]:
        return [reading for source in self._sources() for reading in source.readings]

    def act(self, registry: "Registry") -> dict[str, Any]:
        return {"preview_id": registry.distribution.preview(*self._sources()).preview_id}

    def _sources(self) -> list["SourceFile"]:
        sources = [source_file(self.file, self.content, self.encoding)]
        if self.units_file is not None:
            sources.append(source_file(self.units_file, self.units_content, self.encoding))
        return sources


class AllocationShow(Request, tag="allocation_show"):
    """Print a preview as it was shown, as who is to approve it should read it."""

    roles = (OPERATOR, AUTHORITY, REGULATOR)
    is_look = True
    command = "allocation show"
    example = "allocation show 12"
    rows = ("lines",)

    preview_id: Annotated[int, field("The preview's number.")]
    first: Annotated[int, msgspec.Meta(ge=0)] = 0
    count: Annotated[int, msgspec.Meta(ge=0, le=LINES_MAX)] = LINES_MAX

    def act(self, registry: "Registry") -> dict[str, Any]:
        from cea_exchange.registry.distribution.plan import totals_of

        preview = registry.distribution.previewed(self.preview_id)
        plan, lines = preview.plan, preview.plan.lines
        warnings = list(plan.warnings[:WARNINGS_MAX])
        # None may be asked for: what they sum to is shown all the same.
        shown, further = page_at(lines, self.first, self.count)
        if len(plan.warnings) > WARNINGS_MAX:
            warnings.append(f"and {len(plan.warnings) - WARNINGS_MAX} more")
        return {
            "preview_id": preview.preview_id,
            "file": preview.file,
            "sha256": preview.sha256,
            "units_file": preview.units_file,
            "units_sha256": preview.units_sha256,
            "distributed_on": preview.distributed_on,
            "compliance_year": plan.compliance_year,
            "product": plan.product,
            "stage": plan.stage,
            "entities": len(lines),
            "recomputed": plan.recomputed,
            "totals": msgspec.to_builtins(totals_of(lines)),
            "warnings": warnings,
            "lines": msgspec.to_builtins(shown),
            "next": further,
        }


class AllocationDistribute(Request, tag="allocation_distribute"):
    """Do what a preview showed, once; refused where something has changed since."""

    roles = (OPERATOR, AUTHORITY)
    second = Second.AUTHORITY
    command = "allocation distribute"
    example = "allocation distribute 12"

    preview_id: Annotated[int, field("The preview's number.")]

    def readings(self, services: "Registry") -> Iterable["Reading"]:
        sources = services.distribution.previewed_files(self.preview_id)
        return [reading for source in sources for reading in source.readings]

    def act(self, registry: "Registry") -> dict[str, Any]:
        from cea_exchange.registry.distribution.plan import totals_of

        done = registry.distribution.distribute(self.preview_id)
        *_, totals = totals_of(done.plan.lines)
        return {
            "distribution": done.preview_id,
            "given": totals.given,
            "kept": totals.kept,
            "recalled": totals.recalled + totals.recalled_kept,
        }


class AllocationDeduct(Request, tag="allocation_deduct"):
    """Register a decision that tonnes are taken off what an entity will be given.

    What was not surrendered, or borrowed, is deducted by `unpaid_deduct` and `borrow`.
    """

    roles = (OPERATOR, AUTHORITY, PROVINCE)
    second = Second.DECIDER
    command = "allocation deduct"
    example = "allocation deduct P001 decision-7 other 500 2026-03-01"

    account: Account
    document: Annotated[str, field("Number of the decision.")]
    cause: Annotated[Cause, field("enforcement or other.")]
    tonnes: Tonnes
    decided_on: Annotated[int, field("Day of the decision", typed="date")]

    def act(self, registry: "Registry") -> dict[str, Any]:
        return {
            "deduction_id": registry.distribution.deduct(
                self.account, self.document, self.cause, self.tonnes, self.decided_on
            )
        }


class DeductionWithdraw(Request, tag="deduction_withdraw"):
    """Take tonnes of a deduction back that was registered by mistake, and not taken off yet.

    The authority agrees: the deduction may be its own, or the platform's.
    """

    roles = (OPERATOR, AUTHORITY, PROVINCE)
    second = Second.AUTHORITY
    command = "allocation withdraw-deduction"
    example = 'allocation withdraw-deduction P001 7 450 --why "a zero too many" --key mee'

    account: Account
    deduction_id: Annotated[
        Number, field("Its number; `allocation remaining` has it.", name="number")
    ]
    tonnes: Tonnes
    why: Why

    def act(self, registry: "Registry") -> dict[str, Any]:
        remaining = registry.deductions.withdraw(
            self.account, self.deduction_id, self.tonnes, self.why
        )
        return {"remaining": remaining}


class AllocationRecall(Request, tag="allocation_recall"):
    """Recall what an earlier recall did not find; what is at the venue is called from there."""

    roles = (OPERATOR, AUTHORITY, PROVINCE)
    second = Second.DECIDER
    command = "allocation recall"
    example = "allocation recall P001 2024"

    account: Account
    compliance_year: Annotated[int, field("Of the allowances.")]

    def act(self, registry: "Registry") -> dict[str, Any]:
        found = registry.distribution.recall_remaining(self.account, self.compliance_year)
        return found._asdict()


class AllocationRelease(Request, tag="allocation_release"):
    """Give an entity what its province holds for it."""

    roles = (OPERATOR, AUTHORITY, PROVINCE)
    second = Second.PROVINCE
    command = "allocation release"
    example = "allocation release P001"

    account: Account

    def act(self, registry: "Registry") -> dict[str, Any]:
        return {"released": registry.province_holdings.release(self.account)}


class AllocationRemaining(Request, tag="allocation_remaining"):
    """Print what is still to adjust, and what its province holds for an account."""

    roles = ROLES
    is_look = True
    command = "allocation remaining"
    example = "allocation remaining P001"
    rows = ("still_to_adjust",)

    account: Account
    first: Number = 1
    count: PageCount = PAGE_COUNT_MAX

    def act(self, registry: "Registry") -> dict[str, Any]:
        adjustable = registry.distribution.still_to_adjust(
            self.account, first=self.first, count=self.count + 1
        )
        rows = (each._asdict() for each in adjustable)
        others = {
            "kept": registry.province_holdings.kept(self.account),
            "called": registry.distribution.called(self.account),
        }
        return paged("still_to_adjust", rows, "deduction_id", self.count) | others
