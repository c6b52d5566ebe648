"""Which share of an obligation CCERs may cover: the rule's, or the authority's for a year."""

from typing import Any

from msgspec.structs import replace

from cea_exchange.domain.compliance.offsets import OffsetRules
from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.institution.checks import ActError
from cea_exchange.registry.general_ledger import Ledger


def offset_rules(ledger: Ledger, compliance_year: int) -> OffsetRules:
    """Return the rules of offset for a year.

    Rules: CEA-ADJ-04, CEA-OFS-01.
    """
    rules = ledger.rules.offsets
    share_bp = ledger.store.one(
        "SELECT share_bp FROM offset_shares WHERE compliance_year = ?"
        " ORDER BY share_id DESC LIMIT 1",
        (compliance_year,),
    )
    if share_bp is None:
        return rules
    return replace(rules, cap_bp=replace(rules.cap_bp, value=int(share_bp)))


class OffsetShares:
    """The service for the share of CCERs by year."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def all(self) -> list[dict[str, Any]]:
        """Return all that was set, the last of each year counts."""
        return self._ledger.store.records(
            "SELECT compliance_year, share_bp, business_date, why FROM offset_shares"
            " ORDER BY share_id"
        )

    def set(self, compliance_year: int, share_bp: int, why: str) -> None:
        """Set a year's share: at most the rule's, and never below what counts already.

        Rules: CEA-ADJ-04.
        """
        ledger, store = self._ledger, self._ledger.store
        most = ledger.rules.offsets.cap_bp.value
        with ledger.transaction():
            if not 0 <= share_bp <= most:
                raise ActError(
                    RegistryRefusal.OFFSET_LIMIT,
                    f"share_bp: expected within 0..{most}, got {share_bp}",
                )
            counted = store.one(
                "SELECT count(*) FROM (SELECT due_tonnes - succeeded_tonnes AS own_tonnes,"
                " sum(tonnes) AS tonnes"
                " FROM offset_proofs JOIN obligations USING (account_index, compliance_year)"
                " WHERE revoked_on = 0 AND compliance_year = ?"
                " GROUP BY account_index, due_tonnes, succeeded_tonnes) AS counted"
                " WHERE tonnes * 10000 > own_tonnes * ?",
                (compliance_year, share_bp),
            )
            if counted:
                raise ActError(
                    RegistryRefusal.OFFSET_LIMIT,
                    f"share_bp: expected not below what counts of {compliance_year} already,"
                    f" got {share_bp}, and {counted} obligations have more",
                )
            store.add(
                "offset_shares (share_id, compliance_year, share_bp, business_date, why)",
                compliance_year,
                share_bp,
                ledger.business_date(),
                why,
            )
