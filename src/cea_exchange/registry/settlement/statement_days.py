"""When a day's statements are issued and when they count as accepted: with the venue's records."""

from cea_exchange.ledger.store import Store
from cea_exchange.registry.settlement.receipts import ReceiptDay, day_root


def statements_issue(store: Store, business_date: int) -> None:
    """Close a day's statements at its last entry, in the transaction that confirms the day.

    Rules: CEA-STM-01 (the same day), CEA-REG-06 (receipts).
    """
    entry_before, act_before = store.one(
        "SELECT coalesce(max(last_entry), 0), coalesce(max(last_act), 0) FROM statement_days"
    )
    act_last = store.one("SELECT coalesce(max(act_id), 0) FROM acts")
    day = ReceiptDay(business_date, store.entry_last, act_before + 1, act_last)
    link_id = store.receipts_keep(day_root(store, day))
    row = (business_date, entry_before + 1, store.entry_last, "issued", 0)
    store.insert(
        "statement_days (business_date, first_entry, last_entry, state, accepted_seq, first_act,"
        " last_act, link_id)",
        [(*row, day.first_act, day.last_act, link_id)],
    )


def statements_accept(store: Store, settlement_seq: int) -> None:
    """Let the statements that were issued count as accepted: the next day opens.

    Rules: CEA-STM-02 (deemed accepted).
    """
    store.execute(
        "UPDATE statement_days SET state = 'accepted', accepted_seq = ? WHERE state = 'issued'",
        (settlement_seq,),
    )
