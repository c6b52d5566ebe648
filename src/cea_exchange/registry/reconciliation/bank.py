"""Check what the bank office keeps against the ledger's entries."""

from collections.abc import Iterator

from cea_exchange.ledger.double_entry import BETWEEN_ACCOUNTS, CASH_ASSET, Compartment, EntryKind
from cea_exchange.ledger.store import Store


def bank_differences(store: Store) -> Iterator[str]:
    """Yield a sentence for whatever of the bank's side and the ledger's contradicts the other."""
    rows = store.execute(
        "SELECT i.entry_ref, b.cash, e.amount FROM bank_pay_ins i"
        " LEFT JOIN bank_entries b ON b.entry_ref = i.entry_ref"
        " LEFT JOIN entries e ON e.entry_id = i.entry_id AND e.kind = ?",
        (int(EntryKind.PAY_IN),),
    )
    for ref, stated, booked in rows.fetchall():
        if stated != booked:
            yield f"pay-in {ref}: the bank's entry is of {stated} fen, booked are {booked}"
    rows = store.execute(
        "SELECT account_index, sum(cash) FROM ("
        "SELECT account_index, amount AS cash FROM balances WHERE compartment = ?"
        " UNION ALL SELECT account_index, -cash FROM pay_outs WHERE state = 'begun'"
        ") AS under_way GROUP BY account_index HAVING sum(cash) <> 0",
        (int(Compartment.BANKING),),
    )
    for account_index, cash in rows.fetchall():
        name = store.account_name(account_index)
        yield f"account {name}: in banking is {cash} fen more than pay-outs are under way"
    rows = store.execute(
        "SELECT instruction_id, i.cash, e.amount FROM bank_instructions i LEFT JOIN entries e"
        f" ON e.entry_id = subject AND asset_index = {CASH_ASSET}"
        f" AND e.kind IN ({', '.join(str(int(kind)) for kind in sorted(BETWEEN_ACCOUNTS))})"
        " WHERE i.kind = 'between' ORDER BY subject, attempt"
    )
    for name, told, moved in rows.fetchall():
        if told != moved:
            yield f"instruction {name}: the bank was told of {told} fen, its entry moved {moved}"
    rows = store.execute(
        "SELECT account, sum(cash) FROM (SELECT account, closing AS cash FROM bank_accounts"
        " UNION ALL SELECT account, -cash FROM bank_entries) AS shown"
        " GROUP BY account HAVING sum(cash) <> 0"
    )
    for account, cash in rows.fetchall():
        yield f"sub-account {account}: its closing balance is {cash} fen more than its entries"
