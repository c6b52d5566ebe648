"""Inspections on site, what verifiers report to provinces, and what of an account is active."""

from typing import TYPE_CHECKING, Annotated, Any

from cea_exchange.control_plane.fields import field
from cea_exchange.institution.paging import PAGE_COUNT_MAX, PageCount, Place, page_at
from cea_exchange.platform.choices import Irregularity, Part
from cea_exchange.platform.control.request import Request, Second
from cea_exchange.platform.control.requests.fields import (
    DocumentNumber,
    Enterprise,
    ListYear,
    Province,
)
from cea_exchange.platform.control.requests.verification import OfVerification
from cea_exchange.platform.roles import (
    AUTHORITY,
    CITY,
    OFFICIALS,
    OPERATOR,
    PROVINCE,
    REGULATOR,
    ROLES,
    VERIFIER,
)

if TYPE_CHECKING:
    from cea_exchange.platform.platform import Platform
    from cea_exchange.platform.verification.inspections import Officer


class InspectionNote(Request, tag="inspection_note"):
    """Note an inspection on site: by two officers or more, what was looked at, what was found."""

    roles = (CITY, PROVINCE, AUTHORITY)
    command = "inspection note"
    example = (
        'inspection note E1 2025-06-03 "Lu Yi:33010021,He Qi:33010022" "coal yard, belt scale 1,'
        ' its record of May" "nothing" --document record-5 --key chen'
    )

    enterprise: Enterprise
    day: Annotated[int, field("When.", typed="date")]
    officers: Annotated[str, field("NAME:CARD of each, with commas between.")]
    looked_at: Annotated[str, field("Places, records and data systems.")]
    found: Annotated[str, field("What was found.")]
    document: DocumentNumber

    def act(self, platform: "Platform") -> dict[str, Any]:
        enterprise = platform.enterprises.of(self.enterprise)
        number = platform.inspections.note(
            platform.person,
            enterprise.enterprise_id,
            self.day,
            [_officer(each) for each in self.officers.split(",")],
            looked_at=self.looked_at,
            found=self.found,
            document=self.document,
        )
        return {"inspection": number}


def _officer(text: str) -> "Officer":
    from cea_exchange.platform.verification.inspections import Officer

    name, _, card = text.strip().partition(":")
    return Officer(name, card)


class InspectionList(Request, tag="inspection_list"):
    """Print the inspections of an enterprise."""

    roles = ROLES
    is_look = True
    command = "inspection list"
    example = "inspection list E1"
    rows = ("inspections",)

    enterprise: Enterprise
    first: Place = 0
    count: PageCount = PAGE_COUNT_MAX

    def act(self, platform: "Platform") -> dict[str, Any]:
        enterprise = platform.enterprises.of(self.enterprise)
        rows = platform.inspections.of(enterprise.enterprise_id)
        page, further = page_at(rows, self.first, self.count)
        return {"inspections": page, "next": further}


class IrregularityReport(OfVerification, tag="irregularity_report"):
    """Report to the province a unit or an uprating nobody approved, or faulty sampling."""

    roles = (VERIFIER,)
    command = "irregularity report"
    example = (
        'irregularity report 12 unapproved_uprating "660 MW on the plate, 600 approved"'
        " --unit E1-1 --key wu"
    )

    kind: Annotated[Irregularity, field("What.")]
    words: Annotated[str, field("What was found.")]
    unit: Annotated[str | None, field("Of which unit.")] = None
    document: Annotated[str, field("SHA-256 of the document.")] = ""

    def act(self, platform: "Platform") -> dict[str, Any]:
        task = platform.verifications.of_number(self.verification)
        unit_id = 0
        if self.unit is not None:
            today = platform.business_date()
            unit_id = platform.units.owned(task.enterprise_id, self.unit, today).unit_id
        number = platform.irregularities.report(
            *(platform.person, self.verification, self.kind, unit_id, self.words, self.document)
        )
        return {"irregularity": number}


class IrregularityList(Request, tag="irregularity_list"):
    """Print what verifiers reported to a province."""

    roles = (OPERATOR, AUTHORITY, PROVINCE, REGULATOR)
    is_look = True
    command = "irregularity list"
    example = "irregularity list 33"
    rows = ("irregularities",)

    province: Province
    first: Place = 0
    count: PageCount = PAGE_COUNT_MAX

    def act(self, platform: "Platform") -> dict[str, Any]:
        rows = platform.irregularities.of_province(self.province)
        page, further = page_at(rows, self.first, self.count)
        return {"irregularities": page, "next": further}


class AccountActivate(Request, tag="account_activate"):
    """Activate a part of an enterprise's account, by a form that it brought as a document."""

    roles = (PROVINCE,)
    second = Second.OWN
    command = "account activate"
    example = (
        "account activate E1 registry"
        " 3ad2cf6b2c7e6a2b1e7d5b0a7f4f7a1c9d8e6b5a4c3f2e1d0b9a8c7d6e5f4a3b --key sun"
    )

    enterprise: Enterprise
    part: Annotated[Part, field("registry, with trading, or voluntary.")]
    form: Annotated[str, field("SHA-256 of the form.")]

    def act(self, platform: "Platform") -> dict[str, Any]:
        found = platform.enterprises.acting(self.enterprise)
        platform.account_parts.activate(platform.person, found, self.part, self.form)
        return {}


class AccountList(Request, tag="account_list"):
    """Print of a province's listed entities since when which part of their account is active."""

    roles = OFFICIALS
    is_look = True
    command = "account list"
    example = "account list 2025 33"
    rows = ("accounts",)

    list_year: ListYear
    province: Province
    first: Place = 0
    count: PageCount = PAGE_COUNT_MAX

    def act(self, platform: "Platform") -> dict[str, Any]:
        rows = platform.account_parts.of_listed(self.list_year, self.province)
        page, further = page_at(rows, self.first, self.count)
        return {"accounts": page, "next": further}
