"""Accounts: one for each entity, in its own name (CCER-ACC-02)."""

from collections.abc import Mapping
from typing import Any, Literal

from cea_exchange.ccer.books import Books
from cea_exchange.ccer.roles import account_body, province_body
from cea_exchange.domain.ccer.programme_error import ProgrammeError
from cea_exchange.domain.provinces import PROVINCES
from cea_exchange.domain.refusals import CcerRefusal
from cea_exchange.institution.checks import (
    WHY_LENGTH_MAX,
    name_checked,
    name_words_checked,
    words_checked,
)
from cea_exchange.institution.look_alikes import look_alikes_add
from cea_exchange.institution.paging import ALL
from cea_exchange.ledger.double_entry import Compartment
from cea_exchange.protocol.control import (
    AccountDeclared,
    AccountRestored,
    AccountSuspended,
    Holder,
)

AccountKind = Literal["owner", "entity", "trader", "vvb", "province"]
ENTITY_LENGTH_MAX = 200
_HOLDER_OF: Mapping[str, Holder] = {
    **dict.fromkeys(("owner", "entity", "trader"), "organisation"),
    "vvb": "verifier",
    "province": "authority",
}
"""Who it is, at the exchange, that has an account of a kind."""
HOLDERS = ("owner", "entity", "trader")
"""Kinds of accounts that may hold CCERs; VVBs and provinces may not."""

_OPEN_ENDS = {
    "lots": "lots WHERE account_index = :account",
    "projects": "projects WHERE owner_index = :account"
    " AND state NOT IN ('deregistered', 'revoked', 'recalled')",
    "restitutions": "restitutions WHERE owner_index = :account AND cancelled < tonnes",
    "freezes that still ask": "freezes WHERE account_index = :account"
    " AND in_force + released + deducted < ordered",
    "deliveries to come": "deliveries WHERE state IN ('waiting', 'failed')"
    " AND (account_index = :account OR counter_index = :account)",
    "transfers at the exchange": "market_transfers WHERE state = 'pending'"
    " AND account_index = :account",
}
"""What an account must not have when it ends, by the table's rows (CCER-ACC-03)."""


class Accounts:
    """Opens, restricts and closes accounts."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._store = books.store

    def open(
        self,
        account: str,
        kind: AccountKind,
        *,
        entity: str = "",
        credit_code: str | None = None,
        province: int = 0,
        is_natural_person: bool = False,
        is_staff: bool = False,
    ) -> int:
        """Open an account.

        Parameters
        ----------
        kind
            ``owner`` of projects, ``entity`` with an obligation, ``trader``, ``vvb``, ``province``.
        entity
            Its legal name; left out, the account's.
        is_natural_person
            Of a trader only: owners and entities are organisations.
        is_staff
            A natural person in the service of who supervises, keeps the ledger, runs the market or
            verifies: it may hold CCERs, and trades nowhere.

        Returns
        -------
        int
            The account's index.

        Notes
        -----
        Rules: CCER-ACC-02, CCER-PAR-01, CCER-PAR-02, CEA-PER-04.
        """
        entity = entity or account
        name_checked(account, "account")
        name_words_checked(entity, "entity", ENTITY_LENGTH_MAX)
        if province and province not in PROVINCES:
            raise ProgrammeError(
                CcerRefusal.PROVINCE_UNKNOWN,
                f"province: expected one of the 32 codes, got {province}",
            )
        is_natural_person |= is_staff
        if is_natural_person and kind != "trader":
            raise ProgrammeError(
                CcerRefusal.ACCOUNT_KIND,
                f"account: expected a trader's for a natural person, got {kind}",
            )
        holder = _HOLDER_OF[kind]
        if is_natural_person:
            holder = "staff" if is_staff else "natural_person"
        with self._store.transaction():
            taken = self._store.one(
                "SELECT account FROM accounts"
                " WHERE account = ? OR entity = ? OR (credit_code = ? AND credit_code <> '')",
                (account, entity, credit_code or ""),
            )
            if taken is not None:
                raise ProgrammeError(
                    CcerRefusal.ACCOUNT_TAKEN,
                    f"account: expected the first of {entity}, got {taken}, which is open already",
                )
            look_alikes_add(self._store, "account", account)
            look_alikes_add(self._store, "entity", entity)
            index = self._store.next_id("accounts", "account_index")
            today = self._books.business_date()
            self._store.insert(
                "accounts (account_index, account, kind, entity, credit_code, province, holder,"
                " state, opened_on)",
                [(index, account, kind, entity, credit_code, province, holder, "open", today)],
            )
            self._books.feed(AccountDeclared(account=account, holder=holder))
            self._changed(index, "opened", "")
        return index

    def restrict(self, account: str, why: str) -> None:
        """Bar an account from disposing of what it has; what it is given still comes.

        Notes
        -----
        Rules: CCER-ACC-03.
        """
        self._state_set(account, "open", "restricted", "restricted", why)

    def restore(self, account: str, why: str) -> None:
        """Lift a restriction."""
        self._state_set(account, "restricted", "open", "restored", why)

    def close(self, account: str, why: str) -> None:
        """End an account that holds and owes nothing and has no project that goes on.

        What is still to be returned, frozen, delivered or answered by the exchange comes first.

        Notes
        -----
        Rules: CCER-ACC-03.
        """
        index = self._books.account(account)
        values = {"account": index}
        open_ends = {
            what: count
            for what, counted in _OPEN_ENDS.items()
            if (count := self._store.one(f"SELECT count(*) FROM {counted}", values))
        }
        if open_ends:
            got = ", ".join(f"{count} {what}" for what, count in open_ends.items())
            raise ProgrammeError(
                CcerRefusal.ACCOUNT_NOT_EMPTY,
                f"account {account}: expected nothing held, owed or under way, and no project,"
                f" got {got}",
            )
        state = self._store.one("SELECT state FROM accounts WHERE account_index = ?", (index,))
        self._state_set(account, state, "closed", "closed", why)

    def listed(self, first: int = 0, count: int = ALL) -> list[dict[str, Any]]:
        """Return accounts in the order of their opening, from an index on."""
        return self._store.records(
            "SELECT account_index, account, kind, entity, credit_code, province, holder, state,"
            " opened_on FROM accounts WHERE account_index >= ? ORDER BY account_index LIMIT ?",
            (max(0, first), count),
        )

    def bodies(self, account: str) -> frozenset[str]:
        """Return whose business an account is: its own, and its province's."""
        province = self._store.one(
            "SELECT province FROM accounts WHERE account = ? AND account_index >= 0", (account,)
        )
        return frozenset({account_body(account), *([province_body(province)] if province else [])})

    def lots(self, account: str, place: int = 0, count: int = ALL) -> list[dict[str, Any]]:
        """Return an account's lots, those of the oldest instrument and batch first."""
        names = ("instrument", "compartment", "batch_number", "serial_first", "serial_last")
        rows = self._store.execute(
            "SELECT p.product, l.compartment, b.batch_number, l.serial_first, l.serial_last"
            " FROM lots AS l JOIN products AS p ON p.product_index = l.asset_index"
            " JOIN issues AS i ON i.issue_number = l.issue_number"
            " JOIN batches AS b ON b.batch_id = i.batch_id WHERE l.account_index = ?"
            " ORDER BY l.asset_index, l.compartment, l.issue_number, l.serial_first"
            " LIMIT ? OFFSET ?",
            (self._books.known(account), count, place),
        )
        return [
            dict(zip(names, row, strict=True)) | {"compartment": Compartment(row[1]).name.lower()}
            for row in rows.fetchall()
        ]

    def _state_set(self, account: str, was: str, state: str, change: str, why: str) -> None:
        words_checked(why, "why", WHY_LENGTH_MAX)
        with self._store.transaction():
            index = self._books.account(account)
            found = self._store.one("SELECT state FROM accounts WHERE account_index = ?", (index,))
            if found != was:
                raise ProgrammeError(
                    CcerRefusal.ACCOUNT_STATE,
                    f"account {account}: expected one that is {was}, got {found}",
                )
            self._store.execute(
                "UPDATE accounts SET state = ? WHERE account_index = ?", (state, index)
            )
            self._changed(index, change, why)
            change_class = AccountRestored if state == "open" else AccountSuspended
            self._books.feed(change_class(account=account))

    def _changed(self, index: int, change: str, why: str) -> None:
        change_id = self._store.next_id("account_changes", "change_id")
        today, by = self._books.business_date(), self._books.by
        self._store.insert(
            "account_changes (change_id, account_index, business_date, change, by_persons, why)",
            [(change_id, index, today, change, by, why)],
        )
