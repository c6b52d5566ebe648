"""Who has taken over whom: a merger passes on what an account has, and what it owes.

What was merged into one that was merged later is the last one's. Records of before stay with the
account they are of; whoever asks who owes, or who sold, asks here whose that is now.
"""

from cea_exchange.ledger.store import Store
from cea_exchange.registry.general_ledger import Ledger


def mergers(store: Store) -> dict[int, tuple[int, int]]:
    """Return merged account's index -> that of the account it was merged into, and the day."""
    rows = store.all(
        "SELECT account_changes.account_index, accounts.account_index, business_date"
        " FROM account_changes JOIN accounts ON account = became WHERE change = 'merged'"
    )
    return {merged: (into, day) for merged, into, day in rows}


def successors(store: Store, until: int = 9999_12_31) -> dict[int, int]:
    """Return merged account's index -> that of the account which has taken it over in the end.

    Rules: CEA-ACC-08.

    Parameters
    ----------
    until
        Last day (yyyymmdd) of the mergers that count.
    """
    into = {merged: target for merged, (target, day) in mergers(store).items() if day <= until}
    found = {}
    for merged in into:
        last = merged
        while last in into:
            last = into[last]
        found[merged] = last
    return found


def with_taken_over(store: Store, account_index: int) -> list[int]:
    """Return an account's index and those of all that were merged into it, ascending."""
    taken = [merged for merged, last in successors(store).items() if last == account_index]
    return sorted([account_index, *taken])


def with_successor(ledger: Ledger, account: str) -> tuple[int, int]:
    """Return the index of an account, open or merged, and of the one that owes for it now.

    Rules: CEA-ACC-08.
    """
    store = ledger.store
    index = store.account_index(account) if isinstance(account, str) else None
    into = successors(store)
    if index not in into:
        return (ledger.account(account),) * 2
    return index, ledger.account(store.account_name(into[index]))
