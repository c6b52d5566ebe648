"""Certificates of compliance (履约证明): numbered, issued once all is covered and retired."""

import msgspec

from cea_exchange.ledger.store import Store
from cea_exchange.registry.compliance.obligation_status import Standing


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """What the authority certifies: an obligation is covered, by what, and since when."""

    number: str
    """Of its compliance year; never used again."""
    account: str
    entity: str
    credit_code: str | None
    compliance_year: int
    obligation_tonnes: int
    surrendered: dict[str, int]
    """Product -> tonnes."""
    offset: int
    """Tonnes of CCERs."""
    deadline: int
    completed_on: int
    issued_on: int

    def text(self) -> str:
        """Return it for a person."""
        in_time = "in time" if self.completed_on <= self.deadline else "late"
        return "\n".join(
            (
                f"Certificate of compliance {self.number}",
                "",
                f"entity          {self.entity} ({self.account})",
                f"credit code     {self.credit_code or '-'}",
                f"compliance year {self.compliance_year}",
                f"obligation      {self.obligation_tonnes} t",
                *(f"surrendered     {t} t of {name}" for name, t in self.surrendered.items()),
                f"offset          {self.offset} t of CCERs",
                f"complete on     {self.completed_on}, {in_time}",
                f"issued on       {self.issued_on}",
            )
        )


def certificate_issue_if_covered(store: Store, standing: Standing, on: int) -> str | None:
    """Certify an obligation that is covered and whose allowances are all retired.

    Returns the certificate's number; None if there is nothing to certify yet.

    Rules: CEA-SUR-12.
    """
    obligation, account_index = standing.status.obligation, standing.account_index
    year, completed_on = obligation.compliance_year, standing.completed_on
    if completed_on is None or standing.unretired:
        return None
    account, entity, credit_code = store.find(
        "accounts", "account, entity, credit_code", account_index=account_index
    )
    surrendered = store.all(
        "SELECT product, sum(tonnes) FROM surrenders JOIN surrender_lines USING (surrender_id)"
        " JOIN products ON product_index = asset_index"
        " WHERE compliance_year = ? AND account_index = ? AND state = 'retired'"
        " GROUP BY product ORDER BY product",
        (year, account_index),
    )
    certificate_id = store.next_id("certificates", "certificate_id")
    certificate = Certificate(
        number=f"{year}-{certificate_id:06d}",
        account=account,
        entity=entity,
        credit_code=credit_code,
        compliance_year=year,
        obligation_tonnes=standing.tonnes,
        surrendered=dict(surrendered),
        offset=standing.status.offset,
        deadline=obligation.deadline,
        completed_on=completed_on,
        issued_on=on,
    )
    content = msgspec.json.encode(certificate).decode()
    store.insert(
        "certificates (certificate_id, compliance_year, account_index, issued_on, content,"
        " revoked_on, revoked_why)",
        [(certificate_id, year, account_index, on, content, 0, "")],
    )
    return certificate.number


def certificate_revoke(
    store: Store, account_index: int, compliance_year: int, on: int, why: str
) -> None:
    """Take back the certificate in force, if there is one: what it says is not so any more."""
    store.execute(
        "UPDATE certificates SET revoked_on = ?, revoked_why = ?"
        " WHERE account_index = ? AND compliance_year = ? AND revoked_on = 0",
        (on, why, account_index, compliance_year),
    )


def certificate_in_force(
    store: Store, account_index: int, compliance_year: int
) -> Certificate | None:
    """Return the certificate of an obligation, None if there is none in force."""
    content = store.one(
        "SELECT content FROM certificates"
        " WHERE account_index = ? AND compliance_year = ? AND revoked_on = 0",
        (account_index, compliance_year),
    )
    return None if content is None else msgspec.json.decode(content, type=Certificate)
