"""What of an account is not over yet, and keeps it from being merged or closed.

What it holds outside registration does so too, and needs no line here: applications, courts'
freezes in force and transfers under way have compartments of their own.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from cea_exchange.registry.coverage import standing_of
from cea_exchange.registry.ledger import EntryKind

if TYPE_CHECKING:
    from cea_exchange.registry.acts import Registry

_QUERIES = (
    (
        "transfer {}",
        "SELECT transfer_seq FROM transfers WHERE account_index = :account AND state = 'pending'",
    ),
    (
        "trade {}",
        "SELECT trade_id FROM trades WHERE state IN ('received', 'failed')"
        " AND (buyer_index = :account OR seller_index = :account)",
    ),
    (
        "claim {}",
        "SELECT claim_id FROM claims"
        " WHERE (debtor_index = :account OR creditor_index = :account) AND NOT EXISTS"
        f" (SELECT 1 FROM entries WHERE kind = {int(EntryKind.CLAIM_PAID)}"
        " AND reference = 'claim ' || claim_id)",
    ),
    (
        "freeze {}",
        "SELECT freeze_id FROM freezes WHERE account_index = :account"
        " AND state IN ('asked', 'in_force')",
    ),
    (
        "disposition {}",
        "SELECT disposition_id FROM dispositions WHERE state = 'applied'"
        " AND (account_index = :account OR counter_index = :account)",
    ),
    (
        "surrender {}",
        "SELECT surrender_id FROM surrenders WHERE state IN ('applied', 'accepted')"
        " AND (account_index = :account OR giver_index = :account)",
    ),
    (
        "carryover {}",
        "SELECT carryover_id FROM carryovers WHERE account_index = :account AND state = 'applied'",
    ),
    (
        "deduction {}",
        "SELECT deduction_id FROM deductions WHERE account_index = :account AND tonnes >"
        " (SELECT coalesce(sum(taken.tonnes), 0) FROM deductions_taken AS taken"
        " WHERE taken.deduction_id = deductions.deduction_id)",
    ),
    (
        "what province {} keeps for it",
        "SELECT province FROM kept_changes WHERE account_index = :account"
        " GROUP BY province HAVING sum(tonnes) <> 0",
    ),
)


def pending_of(registry: "Registry", account_index: int) -> Iterator[str]:
    """Yield what of an account is pending, as ``freeze 3``.

    Notes
    -----
    Rules: CEA-ACC-05.
    """
    store = registry.store
    for what, sql in _QUERIES:
        rows = store.execute(f"{sql} ORDER BY 1", {"account": account_index})
        yield from (what.format(number) for (number,) in rows.fetchall())
    years = store.execute(
        "SELECT DISTINCT compliance_year FROM obligations WHERE account_index = ? ORDER BY 1",
        (account_index,),
    )
    for (year,) in years.fetchall():
        owed = standing_of(store, registry.rules, account_index, year).owed
        if owed > 0:
            yield f"{owed} t owed for {year}"
