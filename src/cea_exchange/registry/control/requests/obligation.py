"""Obligations, notices, the lists of a compliance year, and deductions for what was not paid."""

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from cea_exchange.registry.control.dual_control import Second
from cea_exchange.registry.control.requests.request import FileName, Request
from cea_exchange.registry.files import SourceFile
from cea_exchange.registry.paging import (
    PAGE_COUNT_MAX,
    Number,
    PageCount,
    Place,
    page,
    paged,
)
from cea_exchange.registry.participants.persons import province_bodies
from cea_exchange.registry.participants.roles import AUTHORITY, OFFICES, PROVINCE, ROLES

if TYPE_CHECKING:
    from cea_exchange.registry.registry import Registry


class ObligationTake(Request, tag="obligation_take"):
    """Take a file of new obligations; with a province, that one's own."""

    roles = (AUTHORITY, PROVINCE)
    second = Second.OWN

    file: FileName
    content: bytes
    encoding: Literal["utf-8", "gb18030"] = "utf-8"
    province: int | None = None

    def bodies(self, registry: "Registry") -> frozenset[str]:
        """Return whose it is: the province's that it names."""
        return province_bodies(self.province)

    def act(self, registry: "Registry") -> dict[str, Any]:
        source = SourceFile(self.file, self.content, self.encoding)
        return {"file_id": registry.obligations.take(source, self.province)}


class ObligationCorrect(Request, tag="obligation_correct"):
    """Take a file that replaces obligations there are."""

    roles = (AUTHORITY, PROVINCE)
    second = Second.OWN

    file: FileName
    content: bytes
    why: str
    encoding: Literal["utf-8", "gb18030"] = "utf-8"
    province: int | None = None

    def bodies(self, registry: "Registry") -> frozenset[str]:
        """Return whose it is: the province's that it names."""
        return province_bodies(self.province)

    def act(self, registry: "Registry") -> dict[str, Any]:
        source = SourceFile(self.file, self.content, self.encoding)
        return {"file_id": registry.obligations.correct(source, self.why, self.province)}


class ObligationNotice(Request, tag="obligation_notice"):
    """The notice of an obligation, as fields and as text."""

    roles = ROLES
    is_look = True

    account: str
    compliance_year: int

    def act(self, registry: "Registry") -> dict[str, Any]:
        notice = registry.obligations.notice(self.account, self.compliance_year)
        return {"notice": msgspec.to_builtins(notice), "text": notice.text()}


class ComplianceList(Request, tag="compliance_list"):
    """The public list of a compliance year, from an account's index on."""

    roles = ROLES
    is_look = True
    is_scoped = False

    compliance_year: int
    first: Place = 0
    count: PageCount = PAGE_COUNT_MAX

    def act(self, registry: "Registry") -> dict[str, Any]:
        office = registry.compliance
        rows = office.public_list(self.compliance_year, self.first, self.count)
        found, further = page(map(msgspec.to_builtins, rows), self.count, "account_index")
        if further is None:
            further = office.next_after(self.compliance_year, self.first, self.count)
        return {"entities": found, "next": further}


class ShortfallList(Request, tag="shortfall_list"):
    """Who was short at the deadline, of a province or of all, and the fine's range in fen.

    From an account's index on, of so many obligations: a page may have none that was short.
    """

    roles = OFFICES
    is_look = True

    compliance_year: int
    province: int | None = None
    first: Place = 0
    count: PageCount = PAGE_COUNT_MAX

    def bodies(self, registry: "Registry") -> frozenset[str]:
        """Return whose it is: the province's that it names."""
        return province_bodies(self.province)

    def act(self, registry: "Registry") -> dict[str, Any]:
        office = registry.compliance
        rows = office.shortfalls(self.compliance_year, self.province, self.first, self.count)
        found, further = page(map(msgspec.to_builtins, rows), self.count, "account_index")
        if further is None:
            further = office.next_after(self.compliance_year, self.first, self.count)
        return {"shortfalls": found, "next": further}


class CorrectionOrder(Request, tag="correction_order"):
    """Record that an entity was ordered to surrender what is missing, by a day."""

    roles = (AUTHORITY, PROVINCE)
    second = Second.OWN

    account: str
    compliance_year: int
    province: int
    document: str
    until: int

    def bodies(self, registry: "Registry") -> frozenset[str]:
        """Return whose it is: the province's that it names."""
        return province_bodies(self.province)

    def act(self, registry: "Registry") -> dict[str, Any]:
        return {
            "order_id": registry.corrections.order(
                self.account, self.compliance_year, self.province, self.document, self.until
            )
        }


class CorrectionRefused(Request, tag="correction_refused"):
    """Record that an entity refuses to follow the order it had."""

    roles = (AUTHORITY, PROVINCE)
    second = Second.OWN

    account: str
    compliance_year: int
    province: int
    document: str

    def bodies(self, registry: "Registry") -> frozenset[str]:
        """Return whose it is: the province's that it names."""
        return province_bodies(self.province)

    def act(self, registry: "Registry") -> dict[str, Any]:
        return {
            "order_id": registry.corrections.refuse(
                self.account, self.compliance_year, self.province, self.document
            )
        }


class CorrectionList(Request, tag="correction_list"):
    """The orders to correct a year's shortfalls, of a province or of all."""

    roles = OFFICES
    is_look = True

    compliance_year: int
    province: int | None = None
    first: Number = 1
    count: PageCount = PAGE_COUNT_MAX

    def bodies(self, registry: "Registry") -> frozenset[str]:
        """Return whose it is: the province's that it names."""
        return province_bodies(self.province)

    def act(self, registry: "Registry") -> dict[str, Any]:
        orders = registry.corrections.listed(
            self.compliance_year, self.province, first=self.first, count=self.count + 1
        )
        return paged("orders", map(msgspec.to_builtins, orders), "order_id", self.count)


class Borrow(Request, tag="borrow"):
    """Let an entity borrow of a later allocation; the authority, whose it is, approves."""

    roles = (PROVINCE,)
    second = Second.AUTHORITY

    account: str
    compliance_year: int
    tonnes: int
    province: int
    document: str
    why: str

    def bodies(self, registry: "Registry") -> frozenset[str]:
        """Return whose it is: the province's that it names."""
        return province_bodies(self.province)

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


class UnpaidDeduct(Request, tag="unpaid_deduct"):
    """Decide that what is missing, after an order to correct, is taken off the next allowances."""

    roles = (AUTHORITY, PROVINCE)
    second = Second.OWN

    account: str
    compliance_year: int
    province: int

    def bodies(self, registry: "Registry") -> frozenset[str]:
        """Return whose it is: the province's that it names."""
        return province_bodies(self.province)

    def act(self, registry: "Registry") -> dict[str, Any]:
        decision = registry.compliance.deduct(self.account, self.compliance_year, self.province)
        return {"decision": msgspec.to_builtins(decision)}
