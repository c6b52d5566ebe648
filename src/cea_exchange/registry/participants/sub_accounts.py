"""Sub-accounts at the settlement bank: which is whose."""

from cea_exchange.ledger.institutions import INSTITUTION_NAMES, Institution
from cea_exchange.ledger.store import Store


class SubAccounts:
    """Numbers at the bank, in a store's database.

    Attributes
    ----------
    institutions : dict
        Those of institutions, by the bank's setting; none without a bank.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.institutions: dict[Institution, str] = {}

    def number(self, account_index: int) -> str:
        """Return an account's number at the bank: the one noted, else its name."""
        if account_index in self.institutions:
            return self.institutions[Institution(account_index)]
        number: str = self._store.one(
            "SELECT CASE bank_account WHEN '' THEN account ELSE bank_account END FROM accounts"
            " WHERE account_index = ?",
            (account_index,),
        )
        return number

    def owner(self, bank_account: str) -> str | None:
        """Return whose a sub-account at the bank is: an account's or an institution's name.

        An account without a sub-account noted has the one of its own name. Numbers are the same in
        either case.

        Rules: CEA-ACC-02, CEA-ACC-07.
        """
        folded = bank_account.casefold()
        for institution, number in self.institutions.items():
            if folded == number.casefold():
                return f"the {INSTITUTION_NAMES[institution]}"
        found: str | None = self._store.one(
            "SELECT account FROM accounts"
            " WHERE account_index >= 0 AND lower(bank_account) = :folded"
            " UNION SELECT account FROM look_alikes JOIN accounts ON account = name"
            " WHERE look_alikes.kind = 'account' AND folded = :folded AND bank_account = ''"
            " ORDER BY account LIMIT 1",
            {"folded": folded},
        )
        return found
