"""Methodologies, and the licences of validation and verification bodies (VVBs)."""

from typing import TYPE_CHECKING, Annotated, Any

from cea_exchange.ccer.control.request import Request, Second
from cea_exchange.ccer.control.requests.fields import Document
from cea_exchange.ccer.roles import AUTHORITY, OPERATOR, ROLES
from cea_exchange.control_plane.fields import field
from cea_exchange.domain.calendar import date_number
from cea_exchange.institution.paging import PAGE_COUNT_MAX, Number, PageCount, paged

if TYPE_CHECKING:
    from cea_exchange.ccer.ccer_registry import CcerRegistry


class LicenceGrant(Request, tag="licence_grant"):
    """Note a VVB's licence for one sector, by a notice; two persons do it."""

    roles = (OPERATOR, AUTHORITY)
    second = Second.OWN
    command = "licence grant"
    example = 'licence grant CQC 1 --from-date 2024-06-11 --document "notice 2024-12"'

    vvb: Annotated[str, field("The VVB's account.")]
    sector: Annotated[int, field("The sector: 1 to 16.")]
    from_date: Annotated[int, field("Its first day", typed="date", is_option=True)]
    document: Document
    until_date: Annotated[int, field("Its last day, if one is known", typed="date")] = 0

    def act(self, ccer: "CcerRegistry") -> dict[str, Any]:
        licence_id = ccer.vvbs.accredit(
            *(self.vvb, self.sector),
            from_date=self.from_date,
            until_date=self.until_date,
            document=self.document,
        )
        return {"licence_id": licence_id}


class LicenceWithdraw(Request, tag="licence_withdraw"):
    """End a licence with a day, which it covers still; two persons do it."""

    roles = (OPERATOR, AUTHORITY)
    second = Second.OWN
    command = "licence withdraw"
    example = "licence withdraw 3 --last-day 2026-06-30"

    licence_id: Annotated[Number, field("The licence's id.")]
    last_day: Annotated[int, field("Its last day", typed="date", is_option=True)]

    def act(self, ccer: "CcerRegistry") -> dict[str, Any]:
        ccer.vvbs.withdraw(self.licence_id, last_day=self.last_day)
        return {}


class LicenceList(Request, tag="licence_list"):
    """List VVBs' licences; they are public."""

    roles = ROLES
    is_look = True
    is_scoped = False
    command = "licence list"
    example = "licence list"
    rows = ("licences",)

    first: Number = 1
    count: PageCount = PAGE_COUNT_MAX

    def act(self, ccer: "CcerRegistry") -> dict[str, Any]:
        rows = ccer.vvbs.listed(self.first, self.count + 1)
        return paged("licences", rows, "licence_id", self.count)


class MethodologyList(Request, tag="methodology_list"):
    """List the methodologies that were released."""

    roles = ROLES
    is_look = True
    is_scoped = False
    command = "methodology list"
    example = "methodology list"

    def act(self, ccer: "CcerRegistry") -> dict[str, Any]:
        return {
            "methodologies": [
                {
                    "code": each.code,
                    "version": each.version,
                    "title": each.title,
                    "sector": each.sector,
                    "released_on": date_number(each.released_on),
                    "crediting_years_min": each.crediting_years_min,
                    "crediting_years_max": each.crediting_years_max,
                }
                for each in ccer.books.methodologies.methodology
            ]
        }
