"""When a day's statements are issued and when they count as accepted: with the venue's records."""

from cea_exchange.registry.store import Store


def statements_issue(store: Store, business_date: int) -> None:
    """Close a day's statements at its last entry, in the transaction that confirms the day.

    Notes
    -----
    Rules: CEA-STM-01 (the same day).
    """
    before = store.one("SELECT coalesce(max(last_entry), 0) FROM statement_days")
    row = (business_date, before + 1, store.entry_last, "issued", 0)
    store.insert("statement_days", [row])


def statements_accept(store: Store, settlement_seq: int) -> None:
    """Let the statements that were issued count as accepted: the next day opens.

    Notes
    -----
    Rules: CEA-STM-02 (deemed accepted).
    """
    store.execute(
        "UPDATE statement_days SET state = 'accepted', accepted_seq = ? WHERE state = 'issued'",
        (settlement_seq,),
    )
