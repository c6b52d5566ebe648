"""Who holds much: each will's tonnes over all its accounts and vintages, against its limit."""

from typing import NamedTuple

import numpy as np

from cea_exchange.supervision.columns.holdings import holding_changes
from cea_exchange.supervision.columns.sums import per_mille
from cea_exchange.supervision.patterns.context import Context


class Holder(NamedTuple):
    """What one will holds at the end of a tape.

    Attributes
    ----------
    accounts
        Its accounts, by name.
    tonnes
        Of all vintages, open buys counted.
    limit
        What it may hold; 0: no limit is known.
    limit_per_mille
        How much of that it has.
    must_report
        Whether it has reached the share from which large holders report.
    exceeds
        Whether it has more than it may.
    """

    accounts: tuple[str, ...]
    tonnes: int
    limit: int
    limit_per_mille: int
    must_report: bool
    exceeds: bool


def limit_of(context: Context, accounts: tuple[str, ...]) -> int:
    """Return what accounts of one will may hold together; 0: there is no limit.

    Notes
    -----
    Rules: CEA-SVL-22.
    """
    facts = context.facts
    limit = facts.holding_limit_tonnes or context.columns.tape.profile.rules.holding_limit_tonnes
    if not limit:
        return 0
    return limit + sum(facts.allocation_tonnes.get(account, 0) for account in accounts)


def holders(context: Context) -> list[Holder]:
    """Return who holds anything, most first.

    Notes
    -----
    Rules: CEA-SVL-21 (who reports), CEA-SVL-22 (what counts).
    """
    columns = context.columns
    held = np.zeros(columns.account_count, np.int64)
    for account, products in context.facts.opening_tonnes.items():
        held[columns.tape.accounts.index(account)] += sum(products.values())
    changes = holding_changes(columns, with_open_buys=True)
    np.add.at(held, changes["account"], changes["tonnes"])
    share = context.limits.large_holder.limit_per_mille
    found = []
    for will in np.unique(columns.will):
        members = np.flatnonzero(columns.will == will)
        tonnes = int(held[members].sum())
        if not tonnes:
            continue
        names = columns.names(members)
        limit = limit_of(context, names)
        found.append(
            Holder(
                accounts=names,
                tonnes=tonnes,
                limit=limit,
                limit_per_mille=per_mille(tonnes, limit),
                must_report=limit > 0 and tonnes * 1000 >= limit * share,
                exceeds=0 < limit < tonnes,
            )
        )
    return sorted(found, key=lambda holder: (-holder.tonnes, holder.accounts))
