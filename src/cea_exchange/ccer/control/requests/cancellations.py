"""Cancellation of CCERs, certificates, and the proofs of it."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from cea_exchange.ccer.control.request import Request, Second
from cea_exchange.ccer.control.requests.fields import (
    Account,
    AccountOnly,
    Document,
    Instrument,
    Serials,
    TonnesOnly,
    Why,
)
from cea_exchange.ccer.roles import (
    AUTHORITY,
    INITIATOR,
    OFFICIALS,
    OPERATOR,
    ROLES,
    account_body,
)
from cea_exchange.control_plane.fields import field
from cea_exchange.domain.ccer.cancellation import YEARS
from cea_exchange.institution.paging import PAGE_COUNT_MAX, Number, PageCount, paged

if TYPE_CHECKING:
    from cea_exchange.ccer.ccer_registry import CcerRegistry

PurposeWord = Literal[
    "national_ets", "local_ets", "event_neutrality", "company_offset", "public_benefit"
]
CancellationId = Annotated[Number, field("The cancellation's id.", name="cancellation")]


class CancellationApply(Request, tag="cancellation_apply"):
    """Apply for CCERs to be cancelled, for good; the account's approver agrees."""

    roles = (INITIATOR,)
    second = Second.OWN
    command = "cancellation apply"
    example = (
        "cancellation apply SEAWIND WIND-1-2024 national_ets --tonnes 1000 --beneficiary P001"
        " --compliance-year 2024 --key li"
    )

    account: Account
    instrument: Instrument
    purpose: Annotated[PurposeWord, field("What for.")]
    tonnes: TonnesOnly = None
    serials: Serials = None
    beneficiary: Annotated[
        str, field("For whose emissions; of a market the account there.")
    ] = ""
    compliance_year: Annotated[
        int, msgspec.Meta(ge=0, le=YEARS[-1]), field("Of these emissions, in a market.")
    ] = 0

    def act(self, ccer: "CcerRegistry") -> dict[str, Any]:
        cancellation_id = ccer.cancellations.apply(
            *(self.account, self.instrument),
            ccer.what(self.instrument, self.tonnes, self.serials),
            purpose=self.purpose,
            beneficiary=self.beneficiary,
            compliance_year=self.compliance_year,
        )
        return {"cancellation_id": cancellation_id}


class CancellationApprove(Request, tag="cancellation_approve"):
    """Cancel what was applied for, for good, and certify it; two persons do it."""

    roles = (OPERATOR,)
    second = Second.OWN
    command = "cancellation approve"
    example = "cancellation approve 12"

    cancellation_id: CancellationId

    def act(self, ccer: "CcerRegistry") -> dict[str, Any]:
        return ccer.cancellations.approve(self.cancellation_id)


class CancellationRefuse(Request, tag="cancellation_refuse"):
    """Turn an application down; its CCERs are free again. Two persons do it."""

    roles = (OPERATOR,)
    second = Second.OWN
    command = "cancellation refuse"
    example = 'cancellation refuse 12 --why "withdrawn"'

    cancellation_id: CancellationId
    why: Why

    def act(self, ccer: "CcerRegistry") -> dict[str, Any]:
        ccer.cancellations.refuse(self.cancellation_id, self.why)
        return {}


class CancellationList(Request, tag="cancellation_list"):
    """List cancellations: an account's representatives list its own."""

    roles = ROLES
    is_look = True
    command = "cancellation list"
    example = "cancellation list --state applied"
    rows = ("cancellations",)

    account: AccountOnly = None
    state: Annotated[
        Literal["applied", "done", "refused"] | None, field("Only those that are so.")
    ] = None
    first: Number = 1
    count: PageCount = PAGE_COUNT_MAX

    def act(self, ccer: "CcerRegistry") -> dict[str, Any]:
        rows = ccer.cancellations.listed(
            self.account, self.state, first=self.first, count=self.count + 1
        )
        return paged("cancellations", rows, "cancellation_id", self.count)


class CertificateShow(Request, tag="certificate_show"):
    """Print a certificate; every person whom the registry knows may read it."""

    roles = ROLES
    is_look = True
    is_scoped = False
    command = "certificate show"
    example = "certificate show CC-2025-000012"

    certificate: Annotated[str, field("Its number.", name="number")]

    def act(self, ccer: "CcerRegistry") -> dict[str, Any]:
        return {"content": ccer.cancellations.certificate(self.certificate)}


class CertificateList(Request, tag="certificate_list"):
    """List the certificates; every person whom the registry knows may read them."""

    roles = ROLES
    is_look = True
    is_scoped = False
    command = "certificate list"
    example = "certificate list"
    rows = ("certificates",)

    first: Number = 1
    count: PageCount = PAGE_COUNT_MAX

    def act(self, ccer: "CcerRegistry") -> dict[str, Any]:
        rows = ccer.cancellations.certificates(self.first, self.count + 1)
        return paged("certificates", rows, "cancellation_id", self.count)


class ProofList(Request, tag="proof_list"):
    """List the proofs of what was cancelled for the national market, and how far each is."""

    roles = (*OFFICIALS, INITIATOR)
    is_look = True
    command = "proof list"
    example = "proof list --state reserved"
    rows = ("proofs",)

    account: Annotated[str | None, field("Only of what this account cancelled.")] = None
    state: Annotated[
        Literal["issued", "reserved", "used", "reversed"] | None,
        field("Only those that are so."),
    ] = None
    first: Number = 1
    count: PageCount = PAGE_COUNT_MAX

    def bodies(self, ccer: "CcerRegistry") -> frozenset[str]:
        """Return whose it is: the account's that cancelled."""
        return frozenset() if self.account is None else frozenset({account_body(self.account)})

    def act(self, ccer: "CcerRegistry") -> dict[str, Any]:
        rows = ccer.proofs.listed(
            self.account, self.state, first=self.first, count=self.count + 1
        )
        return paged("proofs", rows, "proof_seq", self.count)


class ProofReverse(Request, tag="proof_reverse"):
    """Let a proof count no more, by order of the ministry, which agrees."""

    roles = (OPERATOR, AUTHORITY)
    second = Second.DECIDER
    command = "proof reverse"
    example = 'proof reverse CC-2025-000017-1 --document "order 2026-7"'

    proof: Annotated[str, field("The proof's number.")]
    document: Document

    def act(self, ccer: "CcerRegistry") -> dict[str, Any]:
        return {"was_used": ccer.proofs.reverse(self.proof, self.document)}
