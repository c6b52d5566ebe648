"""Balance values, totals, allocations, obligations, and the stream to the registry."""

from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cea_exchange.control_plane.fields import field
from cea_exchange.domain.compliance.ruled import marks_text
from cea_exchange.institution.paging import PAGE_COUNT_MAX, PageCount, Place, page_at
from cea_exchange.platform.control.request import Request, Second
from cea_exchange.platform.control.requests.fields import (
    Allocation,
    Enterprise,
    Province,
    Reason,
    Stage,
    Year,
)
from cea_exchange.platform.roles import AUTHORITY, OFFICIALS, OPERATOR, PROVINCE, REGULATOR, ROLES

if TYPE_CHECKING:
    from cea_exchange.platform.platform import Platform


class BalanceRollUp(Request, tag="balance_roll_up"):
    """Set the industries' balance values of a year from all verified results of the nation."""

    roles = (AUTHORITY,)
    second = Second.OWN
    command = "balance roll-up"
    example = "balance roll-up 2026 --key mee"

    year: Year

    def act(self, platform: "Platform") -> dict[str, Any]:
        found = platform.allocations.roll_up(platform.person, self.year)
        factor = found.terms.cap_factor
        return {
            "balance": {name: _exact(value) for name, value in found.terms.balance.items()},
            "cap_factor": None if factor is None else _exact(factor),
            "mark": found.mark,
            "left_out": [each._asdict() for each in found.left_out],
        }


def _exact(value: Fraction) -> str:
    return f"{value.numerator}/{value.denominator}"


class TotalSet(Request, tag="total_set"):
    """Set what all provinces together may give of a year in a stage."""

    roles = (AUTHORITY,)
    second = Second.OWN
    command = "total set"
    example = "total set 2025 final 5200000000 --key mee"

    year: Year
    stage: Stage
    tonnes: Annotated[int, field("Tonnes at most.")]

    def act(self, platform: "Platform") -> dict[str, Any]:
        platform.allocations.total_set(platform.person, self.year, self.stage, self.tonnes)
        return {}


class AllocationCompute(Request, tag="allocation_compute"):
    """Compute what a province's entities are to have of a year."""

    roles = (PROVINCE,)
    command = "allocation compute"
    example = "allocation compute 33 2025 final --key sun"

    province: Province
    year: Year
    stage: Stage
    share_bp: Annotated[
        int | None,
        field("The province's own share of a pre-allocation, 0.01%; the plan's, if left out."),
    ] = None

    def act(self, platform: "Platform") -> dict[str, Any]:
        row = platform.allocations.compute(
            platform.person, self.province, self.year, self.stage, self.share_bp
        )
        left_out = platform.allocations.left_out(row.allocation_id)
        return {
            "allocation": row.allocation_id,
            "tonnes": row.tonnes,
            "mark": row.plan_mark,
            "left_out": [each._asdict() for each in left_out],
        }


class OfAllocation(Request):
    """Base of what speaks of one allocation: its province's business."""

    allocation: Allocation

    def bodies(self, platform: "Platform") -> frozenset[str]:
        """Return whose it is."""
        row = platform.allocations.of_number(self.allocation)
        return frozenset({f"province {row.province}"})


class AllocationApprove(OfAllocation, tag="allocation_approve"):
    """Approve what another person of the province computed."""

    roles = (PROVINCE,)
    command = "allocation approve"
    example = "allocation approve 4 --key qian"

    def act(self, platform: "Platform") -> dict[str, Any]:
        platform.allocations.approve(platform.person, self.allocation)
        return {}


class AllocationDistribute(OfAllocation, tag="allocation_distribute"):
    """Give what was approved; the registry computes it again before it posts it."""

    roles = (PROVINCE,)
    second = Second.OWN
    command = "allocation distribute"
    example = "allocation distribute 4 --key sun"

    def act(self, platform: "Platform") -> dict[str, Any]:
        platform.allocations.distribute(self.allocation)
        return {}


class AllocationWithdraw(OfAllocation, tag="allocation_withdraw"):
    """Take back what was computed or approved, and not distributed yet."""

    roles = (PROVINCE,)
    command = "allocation withdraw"
    example = "allocation withdraw 4 --key sun"

    def act(self, platform: "Platform") -> dict[str, Any]:
        platform.allocations.withdraw(self.allocation)
        return {}


class AllocationRecall(OfAllocation, tag="allocation_recall"):
    """Recall what was distributed last; the registry takes it back."""

    roles = (PROVINCE,)
    second = Second.OWN
    command = "allocation recall"
    example = 'allocation recall 4 --reason "wrong year" --key sun'

    reason: Annotated[str, field("The reason; it is kept.", is_option=True)]

    def act(self, platform: "Platform") -> dict[str, Any]:
        platform.recalls.recall(platform.person, self.allocation, self.reason)
        return {}


class AllocationShow(OfAllocation, tag="allocation_show"):
    """Print an allocation with its lines."""

    roles = OFFICIALS
    is_look = True
    command = "allocation show"
    example = "allocation show 4"
    rows = ("lines",)

    first: Place = 0
    count: PageCount = PAGE_COUNT_MAX

    def act(self, platform: "Platform") -> dict[str, Any]:
        row = platform.allocations.of_number(self.allocation)
        names = ("enterprise", "emissions", "tonnes", "duty", "mark")
        lines = [
            {name: getattr(line, name) for name in names}
            for line in platform.allocations.lines(self.allocation)
        ]
        page, further = page_at(lines, self.first, self.count)
        shown = {name: value for name, value in row._asdict().items() if name != "computed_key"}
        recomputed = platform.outbox.recomputed(self.allocation)
        left_out = [each._asdict() for each in platform.allocations.left_out(self.allocation)]
        return {
            **shown,
            "recomputed": recomputed,
            "left_out": left_out,
            "lines": page,
            "next": further,
        }


class AllocationForm(OfAllocation, tag="allocation_form"):
    """Print the columns of the plan's forms: each unit's figures and steps, each entity's sum."""

    roles = OFFICIALS
    is_look = True
    command = "allocation form"
    example = "allocation form 4 units"
    rows = ("rows",)

    of: Annotated[Literal["units", "entities"], field("units or entities.")]
    first: Place = 0
    count: PageCount = PAGE_COUNT_MAX

    def act(self, platform: "Platform") -> dict[str, Any]:
        row = platform.allocations.of_number(self.allocation)
        form = platform.forms.of(
            row,
            platform.allocations.lines(self.allocation),
            platform.allocations.tonnes_before(row),
        )
        page, further = page_at(getattr(form, self.of), self.first, self.count)
        return {"mark": row.plan_mark, "rows": page, "next": further}


class AllocationList(Request, tag="allocation_list"):
    """Print a province's allocations, the last one first."""

    roles = OFFICIALS
    is_look = True
    command = "allocation list"
    example = "allocation list 33 --year 2025"
    rows = ("allocations",)

    province: Province
    year: Annotated[int | None, field("Only of this year.")] = None
    first: Place = 0
    count: PageCount = PAGE_COUNT_MAX

    def act(self, platform: "Platform") -> dict[str, Any]:
        rows = [
            {name: value for name, value in row._asdict().items() if name != "computed_key"}
            for row in platform.allocations.of_province(self.province, self.year)
        ]
        page, further = page_at(rows, self.first, self.count)
        return {"allocations": page, "next": further}


class AllocationNational(Request, tag="allocation_national"):
    """Print what provinces have given of a year in a stage, and the total."""

    roles = (OPERATOR, AUTHORITY, REGULATOR)
    is_look = True
    command = "allocation national"
    example = "allocation national 2025 final"

    year: Year
    stage: Stage

    def act(self, platform: "Platform") -> dict[str, Any]:
        return platform.allocations.national(self.year, self.stage)


class ObligationsSet(Request, tag="obligations_set"):
    """Set what a province's entities owe of a year, by its final allocation."""

    roles = (PROVINCE,)
    second = Second.OWN
    command = "obligation set"
    example = "obligation set 33 2025 --key sun"

    province: Province
    year: Year
    reason: Reason = ""

    def act(self, platform: "Platform") -> dict[str, Any]:
        made = platform.obligations.set_all(platform.person, self.province, self.year, self.reason)
        held = platform.obligations.held(self.province, self.year)
        return {
            "set": len(made),
            "held": [each._asdict() for each in held],
            "due_tonnes": sum(each.due_tonnes for each in made),
            "mark": marks_text(*(each.mark.split() for each in made)),
        }


class ObligationShow(Request, tag="obligation_show"):
    """Print what an entity owes of a year."""

    roles = ROLES
    is_look = True
    command = "obligation show"
    example = "obligation show E1 2025"

    enterprise: Enterprise
    year: Year

    def act(self, platform: "Platform") -> dict[str, Any]:
        found = platform.enterprises.of(self.enterprise)
        obligation = platform.obligations.of(found.enterprise_id, self.year)
        return {"obligation": None if obligation is None else obligation._asdict()}


class LinkShow(Request, tag="link_show"):
    """Print how far the registry is, and what it computes otherwise."""

    roles = (OPERATOR, AUTHORITY, REGULATOR)
    is_look = True
    command = "link show"
    example = "link show"

    def act(self, platform: "Platform") -> dict[str, Any]:
        outbox = platform.outbox
        return {
            "log_id": outbox.log_id,
            "last_seq": outbox.last_seq,
            "judged_seq": outbox.judged_seq,
            "refused": outbox.refused(),
        }


class LinkSendAgain(Request, tag="link_send_again"):
    """Tell the registry again what it refused, once the cause was mended."""

    roles = (OPERATOR,)
    command = "link send-again"
    example = "link send-again 12"

    link_seq: Annotated[int, field("The item's number.")]

    def act(self, platform: "Platform") -> dict[str, Any]:
        return {"link_seq": platform.resending.send_again(self.link_seq)}
