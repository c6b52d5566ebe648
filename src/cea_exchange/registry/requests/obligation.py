"""Obligations, notices, the lists of a compliance year, and deductions for what was not paid."""

from typing import Any, Literal

import msgspec

from cea_exchange.registry.acts import Registry
from cea_exchange.registry.files import SourceFile
from cea_exchange.registry.persons import province_bodies
from cea_exchange.registry.requests.request import Request


class ObligationTake(Request, tag="obligation_take"):
    """Take a file of new obligations; with a province, that one's own."""

    file: str
    content: bytes
    encoding: Literal["utf-8", "gb18030"] = "utf-8"
    province: int | None = None

    def bodies(self, registry: Registry) -> frozenset[str]:
        """Return whose it is: the province's that it names."""
        return province_bodies(self.province)

    def act(self, registry: Registry) -> dict[str, Any]:
        source = SourceFile(self.file, self.content, self.encoding)
        return {"file_id": registry.obligations.take(source, self.province)}


class ObligationCorrect(Request, tag="obligation_correct"):
    """Take a file that replaces obligations there are."""

    file: str
    content: bytes
    why: str
    encoding: Literal["utf-8", "gb18030"] = "utf-8"
    province: int | None = None

    def bodies(self, registry: Registry) -> frozenset[str]:
        """Return whose it is: the province's that it names."""
        return province_bodies(self.province)

    def act(self, registry: Registry) -> dict[str, Any]:
        source = SourceFile(self.file, self.content, self.encoding)
        return {"file_id": registry.obligations.correct(source, self.why, self.province)}


class ObligationNotice(Request, tag="obligation_notice"):
    """The notice of an obligation, as fields and as text."""

    is_look = True

    account: str
    compliance_year: int

    def act(self, registry: Registry) -> dict[str, Any]:
        notice = registry.obligations.notice(self.account, self.compliance_year)
        return {"notice": msgspec.to_builtins(notice), "text": notice.text()}


class ComplianceList(Request, tag="compliance_list"):
    """The public list of a compliance year."""

    is_look = True
    is_scoped = False

    compliance_year: int

    def act(self, registry: Registry) -> dict[str, Any]:
        entities = registry.compliance.public_list(self.compliance_year)
        return {"entities": msgspec.to_builtins(entities)}


class ShortfallList(Request, tag="shortfall_list"):
    """Who was short at the deadline, of a province or of all, and the fine's range in fen."""

    is_look = True

    compliance_year: int
    province: int | None = None

    def bodies(self, registry: Registry) -> frozenset[str]:
        """Return whose it is: the province's that it names."""
        return province_bodies(self.province)

    def act(self, registry: Registry) -> dict[str, Any]:
        shortfalls = registry.compliance.shortfalls(self.compliance_year, self.province)
        return {"shortfalls": msgspec.to_builtins(shortfalls)}


class UnpaidDeduct(Request, tag="unpaid_deduct"):
    """Decide that what is missing is taken off the next allowances."""

    account: str
    compliance_year: int
    province: int

    def bodies(self, registry: Registry) -> frozenset[str]:
        """Return whose it is: the province's that it names."""
        return province_bodies(self.province)

    def act(self, registry: Registry) -> dict[str, Any]:
        decision = registry.compliance.deduct(self.account, self.compliance_year, self.province)
        return {"decision": msgspec.to_builtins(decision)}
