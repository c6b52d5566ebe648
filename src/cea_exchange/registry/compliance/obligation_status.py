"""Obligation status: what was surrendered and offset, on which days, and what is left."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from cea_exchange.domain.compliance.rules import ComplianceRules
from cea_exchange.domain.compliance.surrender import ObligationStatus
from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.institution.checks import ActError
from cea_exchange.institution.paging import ALL
from cea_exchange.ledger.store import Store
from cea_exchange.registry.participants.mergers import with_taken_over


@dataclass
class Standing:
    """An obligation and all that was done about it.

    Attributes
    ----------
    status
        What covers it: surrenders that the province has accepted, and offsets.
    counted
        Day (yyyymmdd) -> tonnes of that which count from it: of a surrender the day of its
        application (CEA-SUR-09), of an offset the day its entity had done its part, where the
        CCER registry says it, else the day it was booked (CEA-OFS-05).
    applied
        Tonnes of applications the province has not decided.
    unretired
        Accepted tonnes the authority has not retired yet.
    deducted
        Tonnes that will be taken off the next allowances instead.
    succeeded
        Tonnes of it that whom it succeeded owed; below 0: that its successors owe.
    """

    account_index: int
    verified: int
    status: ObligationStatus
    succeeded: int = 0
    counted: dict[int, int] = field(default_factory=dict)
    applied: int = 0
    unretired: int = 0
    deducted: int = 0

    @property
    def tonnes(self) -> int:
        """Return the tonnes owed."""
        return self.status.obligation.tonnes

    @property
    def own(self) -> int:
        """Return the tonnes owed for its own units, by whomever."""
        return self.tonnes - self.succeeded

    @property
    def due(self) -> int:
        """Return the tonnes not covered."""
        return self.status.due

    @property
    def owed(self) -> int:
        """Return the tonnes still to be surrendered: what is due and not deducted instead."""
        return self.due - self.deducted

    @property
    def payable(self) -> int:
        """Return the tonnes that may still be applied for: nothing is paid twice."""
        return self.owed - self.applied

    @property
    def surrendered(self) -> int:
        """Return the tonnes of allowances that cover it."""
        return sum(self.status.allowances.values())

    @property
    def completed_on(self) -> int | None:
        """Return the day since which it is covered, None if it is not, or others owe it all."""
        return max(self.counted, default=None) if self.due == 0 else None

    @property
    def shortfall(self) -> int:
        """Return the tonnes that were missing when the deadline had passed."""
        return self.missing_after(self.status.obligation.deadline)

    def figures(self) -> dict[str, int | None]:
        """Return in tonnes how it stands, as its account is shown."""
        return {
            "surrendered": self.surrendered,
            "offset": self.status.offset,
            "applied": self.applied,
            "unretired": self.unretired,
            "deducted": self.deducted,
            "payable": self.payable,
            "succeeded": self.succeeded,
            "completed_on": self.completed_on,
        }

    def missing_after(self, date: int) -> int:
        """Return the tonnes that were missing when a day (yyyymmdd) had passed."""
        return self.tonnes - sum(t for day, t in self.counted.items() if day <= date)

    def count(self, day: int, tonnes: int) -> None:
        """Let tonnes count from a day on."""
        self.counted[day] = self.counted.get(day, 0) + tonnes


def standing_of(
    store: Store, rules: ComplianceRules, account_index: int, compliance_year: int
) -> Standing:
    """Return how an account's obligation of a year stands; ActError if it has none."""
    found = standings(store, rules, compliance_year, account_index)
    if account_index not in found:
        name = store.account_name(account_index)
        raise ActError(
            RegistryRefusal.OBLIGATION_MISSING,
            f"account: expected one with an obligation of {compliance_year}, got {name}",
        )
    return found[account_index]


def standings(
    store: Store,
    rules: ComplianceRules,
    compliance_year: int,
    account_index: int | None = None,
    *,
    within: tuple[int, int] = (0, ALL),
) -> dict[int, Standing]:
    """Return account index -> how its obligation of a year stands.

    Parameters
    ----------
    account_index
        Only this one's; None: all those from one index to another.
    """
    which = "compliance_year = ? AND account_index BETWEEN ? AND ?"
    values = (compliance_year, *(within if account_index is None else 2 * (account_index,)))
    found = {
        account: Standing(
            account_index=account,
            verified=verified,
            status=ObligationStatus(
                obligation=rules.obligations.obligation(compliance_year, due), allowances={}
            ),
            succeeded=succeeded,
        )
        for account, verified, due, succeeded in store.all(
            "SELECT account_index, verified_tonnes, due_tonnes, succeeded_tonnes FROM obligations"
            f" WHERE {which} ORDER BY account_index",
            values,
        )
    }
    for account, *surrender in store.all(
        "SELECT account_index, state, applied_on, vintage, sum(tonnes) FROM surrenders"
        " JOIN surrender_lines USING (surrender_id)"
        f" WHERE {which} AND state IN ('applied', 'accepted', 'retired')"
        " GROUP BY account_index, state, applied_on, vintage",
        values,
    ):
        _surrender_add(found[account], surrender)
    for account, counted_from, tonnes in store.all(
        "SELECT account_index, counted_from, sum(tonnes) FROM offset_proofs"
        f" WHERE {which} AND revoked_on = 0 GROUP BY account_index, counted_from",
        values,
    ):
        standing = found[account]
        covered = standing.status
        standing.status = replace(covered, offset=covered.offset + tonnes)
        standing.count(counted_from, tonnes)
    for account, tonnes in store.all(
        f"SELECT account_index, tonnes FROM unpaid_deductions WHERE {which}", values
    ):
        found[account].deducted = tonnes
    return found


def owed_standings(
    store: Store, rules: ComplianceRules, account_index: int
) -> list[tuple[str, int, Standing]]:
    """Return account, year and standing of all that an account owes: its own, and taken over.

    Rules: CEA-ACC-08.
    """
    return [
        (store.account_name(owing), year, standing_of(store, rules, owing, year))
        for owing in with_taken_over(store, account_index)
        for year in store.column(
            "SELECT compliance_year FROM obligations WHERE account_index = ? ORDER BY 1", (owing,)
        )
    ]


def _surrender_add(standing: Standing, surrender: Sequence[Any]) -> None:
    state, applied_on, vintage, tonnes = surrender
    if state == "applied":
        standing.applied += tonnes
        return
    if state == "accepted":
        standing.unretired += tonnes
    allowances = dict(standing.status.allowances)
    allowances[vintage] = allowances.get(vintage, 0) + tonnes
    standing.status = replace(standing.status, allowances=allowances)
    standing.count(applied_on, tonnes)
