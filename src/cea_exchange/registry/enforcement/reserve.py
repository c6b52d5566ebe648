"""The settlement risk reserve: what it has paid for defaults and not got back."""

from cea_exchange.ledger.store import Store


def lent_by_reserve(store: Store, account_index: int) -> int:
    """Return the fen an account owes the risk reserve; they are not its own to lose.

    Rules: CEA-DEF-03, CEA-ENF-01.
    """
    return store.one(
        "SELECT coalesce(sum(reserve_cash - recovered_cash), 0) FROM defaults"
        " WHERE account_index = ? AND state = 'covered'",
        (account_index,),
    )
