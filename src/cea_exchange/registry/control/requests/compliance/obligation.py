"""Requests about obligations: notices, lists of a compliance year, deductions for shortfalls."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from cea_exchange.control_plane.fields import field
from cea_exchange.institution.control.request import source_file
from cea_exchange.institution.paging import (
    PAGE_COUNT_MAX,
    PageCount,
    Place,
    page,
)
from cea_exchange.registry.control.dual_control import Second
from cea_exchange.registry.control.requests.fields import (
    Account,
    Content,
    Encoding,
    File,
    Why,
    Year,
)
from cea_exchange.registry.control.requests.request import (
    AboutProvince,
    ActOfProvince,
    ProvinceListing,
    Request,
)
from cea_exchange.registry.participants.roles import AUTHORITY, OFFICIALS, PROVINCE, ROLES

if TYPE_CHECKING:
    from cea_exchange.registry.registry import Registry
    from cea_exchange.user_files.read_ahead import Reading


class ObligationTake(AboutProvince, tag="obligation_take"):
    """Take a file of new obligations, whole, or with --province that one's; two persons do it."""

    roles = (AUTHORITY, PROVINCE)
    second = Second.OWN
    command = "obligation take"
    example = "obligation take obligations-2025.csv --province 33 --key pan"

    file: File
    content: Content
    encoding: Encoding = "utf-8"

    def readings(self, services: Any) -> Iterable["Reading"]:
        return source_file(self.file, self.content, self.encoding).readings

    def act(self, registry: "Registry") -> dict[str, Any]:
        source = source_file(self.file, self.content, self.encoding)
        return {"file_id": registry.obligations.take(source, self.province)}


class ObligationCorrect(AboutProvince, tag="obligation_correct"):
    """Replace obligations there are by those of a file; a second person has to approve it."""

    roles = (AUTHORITY, PROVINCE)
    second = Second.OWN
    command = "obligation correct"
    example = 'obligation correct new.csv --why "verified anew" --key mee'

    file: File
    content: Content
    why: Why
    encoding: Encoding = "utf-8"

    def readings(self, services: Any) -> Iterable["Reading"]:
        return source_file(self.file, self.content, self.encoding).readings

    def act(self, registry: "Registry") -> dict[str, Any]:
        source = source_file(self.file, self.content, self.encoding)
        return {"file_id": registry.obligations.correct(source, self.why, self.province)}


class ObligationNotice(Request, tag="obligation_notice"):
    """Print the notice of an obligation."""

    roles = ROLES
    is_look = True
    command = "obligation notice"
    example = "obligation notice P001 2025"

    account: Account
    compliance_year: Year

    def act(self, registry: "Registry") -> dict[str, Any]:
        notice = registry.obligations.notice(self.account, self.compliance_year)
        standing = registry.obligations.standing(self.account, self.compliance_year)
        return {
            "notice": msgspec.to_builtins(notice),
            "standing": standing.figures(),
            "text": notice.text(),
        }


class ComplianceList(Request, tag="compliance_list"):
    """Print who owed what for a year, and whether it was surrendered in time."""

    roles = ROLES
    is_look = True
    is_scoped = False
    command = "obligation list"
    example = "obligation list 2025"
    rows = ("entities",)

    compliance_year: Year
    first: Place = 0
    count: PageCount = PAGE_COUNT_MAX

    def act(self, registry: "Registry") -> dict[str, Any]:
        lists = registry.compliance
        rows = lists.public_list(self.compliance_year, self.first, self.count)
        found, further = page(map(msgspec.to_builtins, rows), self.count, "account_index")
        if further is None:
            further = lists.next_after(self.compliance_year, self.first, self.count)
        return {"entities": found, "next": further}


class ShortfallList(AboutProvince, tag="shortfall_list"):
    """Print who was short when the deadline had passed, and what the fine may be.

    From an account's index on, of so many obligations: a page may have none that was short.
    """

    roles = OFFICIALS
    is_look = True
    command = "shortfall list"
    example = "shortfall list 2025"
    rows = ("shortfalls",)

    compliance_year: Year
    first: Place = 0
    count: PageCount = PAGE_COUNT_MAX

    def act(self, registry: "Registry") -> dict[str, Any]:
        lists = registry.compliance
        rows = lists.shortfalls(self.compliance_year, self.province, self.first, self.count)
        found, further = page(map(msgspec.to_builtins, rows), self.count, "account_index")
        if further is None:
            further = lists.next_after(self.compliance_year, self.first, self.count)
        return {"shortfalls": found, "next": further}


class CorrectionOrder(ActOfProvince, tag="correction_order"):
    """Record an order to surrender what is missing; a second person has to approve it."""

    roles = (AUTHORITY, PROVINCE)
    second = Second.OWN
    command = "correction order"
    example = "correction order P001 2024 HB-7 2026-02-28 --province 33 --key pan"

    account: Account
    compliance_year: Year
    document: Annotated[str, field("The order's number.")]
    until: Annotated[int, field("Last day of its term", typed="date")]

    def act(self, registry: "Registry") -> dict[str, Any]:
        return {
            "order_id": registry.corrections.order(
                self.account, self.compliance_year, self.province, self.document, self.until
            )
        }


class CorrectionRefused(ActOfProvince, tag="correction_refused"):
    """Record that the entity refuses to follow the order; a second person has to approve it."""

    roles = (AUTHORITY, PROVINCE)
    second = Second.OWN
    command = "correction refuse"
    example = "correction refuse P001 2024 HB-8 --province 33 --key pan"

    account: Account
    compliance_year: Year
    document: Annotated[str, field("What shows it.")]

    def act(self, registry: "Registry") -> dict[str, Any]:
        return {
            "order_id": registry.corrections.refuse(
                self.account, self.compliance_year, self.province, self.document
            )
        }


class CorrectionList(ProvinceListing, tag="correction_list"):
    """Print who was ordered to surrender what was missing, by when, and who refuses."""

    roles = OFFICIALS
    command = "correction list"
    example = "correction list 2024"
    rows = ("orders",)
    numbered_by = "order_id"

    compliance_year: Year

    def listed(self, registry: "Registry", count: int) -> Iterable[Any]:
        return registry.corrections.listed(
            self.compliance_year, self.province, first=self.first, count=count
        )


class Borrow(ActOfProvince, tag="borrow"):
    """Let an entity borrow for 2021 or 2022 from 2023; the authority has to approve it."""

    roles = (PROVINCE,)
    second = Second.AUTHORITY
    command = "obligation borrow"
    example = 'obligation borrow P001 2021 120000 HB-9 --why "no cash" --province 33 --key pan'

    account: Account
    compliance_year: Year
    tonnes: Annotated[int, field("Of the allocation that is borrowed from.")]
    document: Annotated[str, field("Number of the province's decision.")]
    why: Why

    def act(self, registry: "Registry") -> dict[str, Any]:
        done = registry.borrowing.borrow(
            self.account,
            self.compliance_year,
            self.tonnes,
            self.province,
            document=self.document,
            why=self.why,
        )
        return done._asdict()


class UnpaidDeduct(ActOfProvince, tag="unpaid_deduct"):
    """Take what is missing off the next allowances, after an order; a second person approves it."""

    roles = (AUTHORITY, PROVINCE)
    second = Second.OWN
    command = "obligation deduct"
    example = "obligation deduct P001 2024 --province 33 --key pan"

    account: Account
    compliance_year: Year

    def act(self, registry: "Registry") -> dict[str, Any]:
        decision = registry.compliance.deduct(self.account, self.compliance_year, self.province)
        return {"decision": msgspec.to_builtins(decision)}
