"""The reversal of a pay-in that was booked by mistake: it names the entry, and is done once.

Only what the account still has in registration can be taken back. What a bank's statement said is
the bank's to correct, by a statement.
"""

from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.institution.checks import WHY_LENGTH_MAX, ActError, amount_checked, words_checked
from cea_exchange.ledger.double_entry import CASH_ASSET, EntryKind
from cea_exchange.ledger.institutions import Institution
from cea_exchange.registry.general_ledger import Ledger

_BANK, _RESERVE = int(Institution.BANK), int(Institution.RISK_RESERVE)
_BY_PERSONS = "('pay_in', 'reserve_fund', 'library')"


def pay_in_reverse(
    ledger: Ledger, account: str | None, pay_in_entry: int, cash_fen: int, why: str
) -> int:
    """Take cash of a mistaken pay-in out of the account again; return the entry's id.

    Raises ActError: there is no such pay-in of it, it was reversed, or too little is there.

    Rules: CEA-PER-08.

    Parameters
    ----------
    account
        Into which it was booked; None is the risk reserve.
    pay_in_entry
        The entry of the pay-in.
    cash_fen
        At most what was booked, and what is there in registration.
    why
        What the mistake was; it is kept.
    """
    words_checked(why, "why", WHY_LENGTH_MAX)
    cash = amount_checked(cash_fen, "cash")
    store = ledger.store
    with store.transaction():
        account_index = _RESERVE if account is None else ledger.account(account)
        booked = _paid_in(ledger, account_index, pay_in_entry)
        before = store.find("pay_in_reversals", "entry_id", pay_in_entry=pay_in_entry)
        if before is not None:
            raise ActError(
                RegistryRefusal.PAY_IN_REVERSED,
                f"pay-in {pay_in_entry}: expected to be reversed once, got entry {before},"
                " which did",
            )
        if cash > booked:
            raise ActError(
                RegistryRefusal.PAY_IN_AMOUNT,
                f"cash: expected at most the {booked} fen of the pay-in, got {cash}",
            )
        ends = (account_index, _BANK, CASH_ASSET, cash)
        entry_id = ledger.move(EntryKind.PAY_IN_REVERSED, *ends, f"pay-in {pay_in_entry}")
        store.insert(
            "pay_in_reversals (pay_in_entry, entry_id, why)", [(pay_in_entry, entry_id, why)]
        )
    return entry_id


def _paid_in(ledger: Ledger, account_index: int, pay_in_entry: int) -> int:
    """Return the fen that persons booked into an account by an entry."""
    booked = ledger.store.one(
        "SELECT entries.amount FROM entries JOIN acts ON acts.act_id = entries.act_id"
        " WHERE entry_id = ? AND entries.kind = ? AND counter_index = ?"
        f" AND acts.op IN {_BY_PERSONS}",
        (pay_in_entry, int(EntryKind.PAY_IN), account_index),
    )
    if booked is None:
        raise ActError(
            RegistryRefusal.PAY_IN_UNKNOWN,
            f"entry: expected a pay-in that persons booked into that account, got {pay_in_entry}",
        )
    return int(booked)
