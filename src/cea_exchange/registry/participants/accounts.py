"""Entities' accounts from their opening to their end.

An account is an entity's only one. Its name, by which the venue knows it, stays; the entity's legal
name may change. What changes is kept, line by line, in `account_changes`.

    open <--> suspended          closed: empty, for good
      +-----------+------------> merged: what it had is another's, for good
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, get_args

from cea_exchange.domain.bank_identifiers import account_check
from cea_exchange.domain.compliance.allocation import Sector
from cea_exchange.domain.credit_code import credit_code_check
from cea_exchange.domain.provinces import PROVINCES
from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.institution.checks import (
    WHY_LENGTH_MAX,
    ActError,
    name_checked,
    name_words_checked,
    refused_as,
    words_checked,
)
from cea_exchange.institution.look_alikes import look_alikes_add
from cea_exchange.institution.paging import ALL
from cea_exchange.ledger.double_entry import Compartment, EntryKind
from cea_exchange.protocol.control import (
    AccountDeclared,
    AccountRestored,
    AccountSuspended,
)
from cea_exchange.registry.general_ledger import Ledger
from cea_exchange.registry.participants.keys import Keys
from cea_exchange.registry.participants.mergers import successors, with_taken_over
from cea_exchange.registry.participants.persons import RegistryPersons
from cea_exchange.registry.participants.public_notices import notice_publish
from cea_exchange.registry.participants.roles import account_body, province_body
from cea_exchange.registry.participants.sub_accounts import SubAccounts

TOTAL = "TOTAL"
"""Stands for sums in the registry's files, so no account is named so."""

GROUP_LENGTH_MAX = 64
ENTITY_LENGTH_MAX = 200
SHOWN_MAX = 100
"""Of what is pending, whom it has taken over, and who speaks for it, with an account."""
_COLUMNS = (
    "account_index, account, account_group, entity, credit_code, province, sector, state, at_risk,"
    " bank, bank_account"
)

_PENDING = {
    "transfer {}": "transfer_seq FROM transfers WHERE account_index = :account"
    " AND state = 'pending'",
    "trade {}": "trade_id FROM trades WHERE state <> 'settled' AND state IN ('received', 'failed')"
    " AND (buyer_index = :account OR seller_index = :account)",
    "claim {}": "claim_id FROM claims WHERE (debtor_index = :account OR creditor_index = :account)"
    " AND claim_id NOT IN (SELECT claim_id FROM claims_paid)",
}

Admission = Literal["listed_entities", "open"]
"""Whose accounts are opened: key emitting entities' only, by code and province, or anybody's."""


class Accounts:
    """What becomes of entities' accounts.

    Attributes
    ----------
    admission : str
        Whose accounts are opened.
    opening_checks : list of callable
        Each takes a credit code, a province and a sector, and may refuse a listed entity's account
        by `ActError`.
    pending_checks : list of callable
        Each takes an account's index and yields what of it is pending (``freeze 3 is asked``); that
        keeps the account from being merged or closed. Each service adds its own.
    passing_checks : list of callable
        Likewise, of what another account takes over by a merger: it keeps from being closed only.
    """

    def __init__(
        self,
        ledger: Ledger,
        persons: RegistryPersons,
        keys: Keys,
        sub_accounts: SubAccounts,
        admission: Admission = "listed_entities",
    ) -> None:
        self._ledger = ledger
        self._store = ledger.store
        self._persons = persons
        self._keys = keys
        self._sub_accounts = sub_accounts
        self.admission = admission
        self.opening_checks: list[Callable[[str | None, int, str], None]] = []
        self.pending_checks: list[Callable[[int], Iterable[str]]] = []
        self.passing_checks: list[Callable[[int], Iterable[str]]] = []
        for what, rows in _PENDING.items():
            self.pending_rows(what, rows)

    # -- Opening ------------------------------------------------------------------------------

    def open(
        self,
        account: str,
        group: str = "",
        *,
        entity: str | None = None,
        credit_code: str | None = None,
        province: int = 0,
        sector: str = "",
    ) -> int:
        """Open an entity's account and tell the venue.

        Returns its index, the same at the venue.

        Rules: CEA-ACC-02 (one entity, one account), CEA-ADM-01 (whose), CEA-PER-04 (names that
        look alike).

        Parameters
        ----------
        entity
            The legal name; without one, the account's.
        credit_code
            Unified social credit code; needed unless `admission` is ``open``.
        province
            Two-digit code; 0 is none, where `admission` is ``open``.
        sector
            Of the key emitting entity: ``power``, ``steel``, ``cement`` or ``aluminium``; empty if
            not given.
        """
        name_checked(account, "account")
        if account.upper() == TOTAL:
            raise ActError(
                RegistryRefusal.NAME_RESERVED,
                f"account: expected another name than {TOTAL}, which stands for sums in files,"
                " got it",
            )
        name_words_checked(group, "group", GROUP_LENGTH_MAX, required=False)
        words_checked(sector, "sector", GROUP_LENGTH_MAX, required=False)
        entity = account if entity is None else entity
        name_words_checked(entity, "entity", ENTITY_LENGTH_MAX)
        if credit_code is not None:
            with refused_as(RegistryRefusal.CREDIT_CODE_UNSOUND):
                credit_code_check(credit_code)
        if province != 0 and province not in PROVINCES:
            raise ActError(
                RegistryRefusal.PROVINCE_UNKNOWN,
                f"province: expected one of the 32 codes, got {province!r}",
            )
        if self.admission == "listed_entities":
            _admission_check(credit_code, province, sector)
            for check in self.opening_checks:
                check(credit_code, province, sector)
        with self._ledger.transaction():
            if self._store.account_index(account) is not None:
                raise ActError(
                    RegistryRefusal.ACCOUNT_TAKEN,
                    f"account: expected a new one, got {account}, which is open already",
                )
            self._is_new("entity", entity)
            for kind, name in (("account", account), ("entity", entity), ("group", group)):
                look_alikes_add(self._store, kind, name)
            if self._sub_accounts.owner(account) is not None:
                raise ActError(
                    RegistryRefusal.SUB_ACCOUNT_TAKEN,
                    "account: expected none that is the number of another's sub-account, got"
                    f" {account}",
                )
            if credit_code is not None:
                self._is_new("credit_code", credit_code)
            index = 1 + self._store.one(
                "SELECT coalesce(max(account_index), -1) FROM accounts WHERE account_index >= 0"
            )
            row = (index, account, group, "entity", entity, credit_code, province, "open", 0)
            self._store.insert(
                "accounts (account_index, account, account_group, kind, entity, credit_code,"
                " province, state, at_risk, bank, bank_account, sector)",
                [(*row, "", "", sector)],
            )
            self._ledger.feed(AccountDeclared(account=account, group=group))
            self._changed(index, "opened", "", entity)
        return index

    # -- Changes ------------------------------------------------------------------------------

    def suspend(self, account: str, why: str) -> None:
        """Bar an account from trading and from moving anything to or from the venue.

        The venue cancels its orders. It may still be given allowances, and surrender.

        Rules: CEA-ACC-03, CEA-DAY-06.
        """
        with self._ledger.transaction():
            self._state_change(account, "open", "suspended", why)
            self._ledger.feed(AccountSuspended(account=account))

    def restore(self, account: str, why: str) -> None:
        """Lift a suspension; one by the venue's operators stays.

        Rules: CEA-ACC-03.
        """
        with self._ledger.transaction():
            self._state_change(account, "suspended", "open", why)
            self._ledger.feed(AccountRestored(account=account))

    def rename(self, account: str, entity: str, why: str) -> None:
        """Note an entity's new legal name, which is made public; the account's own name stays.

        Rules: CEA-ACC-04.
        """
        name_words_checked(entity, "entity", ENTITY_LENGTH_MAX)
        with self._ledger.transaction():
            index = self._ledger.account(account)
            self._is_new("entity", entity)
            look_alikes_add(self._store, "entity", entity)
            was = self._set(index, "entity", entity, "renamed", why)
            content = {"account": account, "entity": entity, "was": was}
            notice_publish(self._store, self._ledger.business_date(), "rename", content)

    def merge(self, account: str, into: str, why: str) -> None:
        """Move all that an account has to another one, and end it; this is made public.

        What it owes of any year the other one owes from then on, and what it sold and bought counts
        as the other's.

        Raises ActError: the venue still holds something for it, or something is pending, frozen or
        applied for.

        Rules: CEA-ACC-05, CEA-ACC-08.
        """
        with self._ledger.transaction():
            index, target = self._ledger.account(account), self._ledger.account(into)
            if index == target:
                raise ActError(
                    RegistryRefusal.SAME_ACCOUNT, f"into: expected another account, got {into!r}"
                )
            held = self._holdings(index)
            self._nothing_pending(index, held, self._waiting(index))
            for asset, _compartment, amount in held:
                self._ledger.move(
                    *(EntryKind.MERGED, index, target, asset, amount), f"merge {account}"
                )
            self._end(index, account, "merged", into, why)
            content = {"account": account, "into": into}
            notice_publish(self._store, self._ledger.business_date(), "merger", content)

    def close(self, account: str, why: str) -> None:
        """End an account that holds nothing and of which nothing is pending.

        Rules: CEA-ACC-05.
        """
        with self._ledger.transaction():
            index = self._ledger.account(account)
            held = self._holdings(index)
            self._nothing_pending(index, held, self.pending(index))
            for asset, _compartment, amount in held:
                raise ActError(
                    RegistryRefusal.ACCOUNT_NOT_EMPTY,
                    f"account {account}: expected nothing in registration, got {amount} of"
                    f" {self._store.asset_name(asset)}",
                )
            self._end(index, account, "closed", "", why)

    def at_risk_set(self, account: str, at_risk: bool, why: str) -> None:
        """Mark an entity as at risk of not surrendering, or as not at risk any more.

        Rules: CEA-ACC-06.
        """
        with self._ledger.transaction():
            index = self._ledger.account(account)
            change = "marked at risk" if at_risk else "marked not at risk"
            self._set(index, "at_risk", int(at_risk), change, why)

    def bank_set(self, account: str, bank: str, bank_account: str, why: str) -> None:
        """Note the settlement bank of an account and its sub-account there.

        Rules: CEA-ACC-07.
        """
        words_checked(why, "why", WHY_LENGTH_MAX)
        words_checked(bank, "bank", GROUP_LENGTH_MAX)
        words_checked(bank_account, "bank_account", GROUP_LENGTH_MAX)
        with refused_as(RegistryRefusal.SUB_ACCOUNT_UNSOUND):
            account_check(bank_account, "bank_account")
        with self._ledger.transaction():
            index = self._ledger.account(account)
            taken = self._sub_accounts.owner(bank_account)
            if taken not in (None, account):
                raise ActError(
                    RegistryRefusal.SUB_ACCOUNT_TAKEN,
                    "bank_account: expected one account's only, got another's",
                )
            before = self._store.find("accounts", "bank, bank_account", account_index=index)
            self._store.change(
                "accounts", {"account_index": index}, bank=bank, bank_account=bank_account
            )
            was, became = " ".join(before).strip(), f"{bank} {bank_account}"
            self._changed(index, "settlement bank set", was, became, why)

    # -- Looking ------------------------------------------------------------------------------

    def show(self, account: str, *, first: int = 1, count: int = ALL) -> dict[str, Any]:
        """Return what is noted of an account, an ended one's too, and what became of it.

        Parameters
        ----------
        first, count
            So many changes at most, from a number on. Of the rest `SHOWN_MAX` of each are shown,
            and how many more there are of what is pending.
        """
        sql = f"SELECT {_COLUMNS} FROM accounts WHERE account = ? AND account_index >= 0"
        row = next(iter(self._store.records(sql, (account,))), None)
        if row is None:
            raise ActError(
                RegistryRefusal.ACCOUNT_UNKNOWN,
                f"account: expected one that was opened, got {account!r}",
            )
        index = row["account_index"]
        others = (each for each in with_taken_over(self._store, index) if each != index)
        return {
            **_shown(row),
            "pending": _some_shown(self.pending(index)),
            "taken_over": _some_shown([*map(self._store.account_name, others)]),
            "representatives": self._persons.listed(account_body(account), count=SHOWN_MAX),
            "changes": self.changes(index, first=first, count=count),
        }

    def listed(
        self, *, province: int | None = None, state: str | None = None, first: int, count: int
    ) -> list[dict[str, Any]]:
        """Return entities' accounts in the order of their opening, from an index (0, ...) on."""
        sql = f"SELECT {_COLUMNS} FROM accounts WHERE account_index >= :first"
        if province is not None:
            sql += " AND province = :province"
        if state is not None:
            sql += " AND state = :state"
        values = {"province": province, "state": state, "first": first, "count": count}
        rows = self._store.records(f"{sql} ORDER BY account_index LIMIT :count", values)
        return [_shown(row) for row in rows]

    def changes(
        self, account_index: int, *, first: int = 1, count: int = ALL
    ) -> list[dict[str, Any]]:
        """Return the history of an account from a change on, oldest first."""
        return self._store.records(
            "SELECT change_id, at_ns, business_date, change, was, became, by_persons AS by, why"
            " FROM account_changes WHERE account_index = ? AND change_id >= ?"
            " ORDER BY change_id LIMIT ?",
            (account_index, first, count),
        )

    def key_bodies(self, key: str) -> frozenset[str]:
        """Return whose business a key is: that of the account it acts for."""
        account = self._store.one(
            "SELECT account FROM keys JOIN accounts USING (account_index) WHERE public_key = ?",
            (key,),
        )
        return frozenset() if account is None else self.bodies(account)

    def bodies(self, account: str) -> frozenset[str]:
        """Return whose business an account is: its representatives', and its province's.

        A merged one's is that of whoever has taken it over; an institution's is nobody's in
        particular, a province's its own.
        """
        row = self._store.find("accounts", "kind, province", account=account)
        kind, province = row or ("none", 0)
        own = {account_body(self.holder(account))} if kind == "entity" else set()
        return frozenset(own | {province_body(province)} if province else own)

    def holder(self, account: str) -> str:
        """Return the account whose right it is: itself, or of a merged one its successor."""
        index = self._store.account_index(account) if isinstance(account, str) else None
        successor = None if index is None else successors(self._store).get(index)
        return account if successor is None else self._store.account_name(successor)

    def is_suspended(self, account: str) -> bool:
        """Tell whether an account is suspended."""
        return "suspended" == self._state(self._ledger.account(account))

    def owed(self, account: str) -> list[str]:
        """Return what of an account another one would take over by a merger, and owe."""
        return self._passing(self._ledger.account(account))

    def province_body(self, account: str) -> str:
        """Return the body of an entity's province; ActError if it has none.

        A merged one's is still its own: what it owed stays with that province (CEA-ACC-08).
        """
        province = self._store.one(
            "SELECT province FROM accounts WHERE account = ? AND kind = 'entity'", (account,)
        )
        if not province:
            raise ActError(
                RegistryRefusal.PROVINCE_MISSING,
                f"account {account}: expected one with a province, got none",
            )
        return province_body(province)

    # -- In common ----------------------------------------------------------------------------

    def pending_rows(self, what: str, rows: str) -> None:
        """Let rows of a table be pending for an account.

        Parameters
        ----------
        what
            What each is called, with its columns: ``freeze {} is {}``.
        rows
            The columns, the table and which rows, in SQL; ``:account`` is the account's index.
        """

        def check(account_index: int) -> Iterator[str]:
            values = {"account": account_index}
            for row in self._store.all(f"SELECT {rows} ORDER BY 1", values):
                yield what.format(*row)

        self.pending_checks.append(check)

    def pending(self, account_index: int) -> list[str]:
        """Return what of an account is pending or owed, which keeps it from being closed."""
        return self._waiting(account_index) + self._passing(account_index)

    def _waiting(self, account_index: int) -> list[str]:
        """Return what of an account is pending, which keeps it from being merged too."""
        return [what for check in self.pending_checks for what in check(account_index)]

    def _passing(self, account_index: int) -> list[str]:
        """Return what of an account passes to another by a merger, and keeps it from its end."""
        return [what for check in self.passing_checks for what in check(account_index)]

    def _nothing_pending(
        self, index: int, held: list[tuple[int, int, int]], waiting: list[str]
    ) -> None:
        name = self._store.account_name(index)
        for asset, compartment, amount in held:
            if compartment != Compartment.REGISTRATION:
                where = Compartment(compartment).name.lower()
                raise ActError(
                    RegistryRefusal.ACCOUNT_NOT_EMPTY,
                    f"account {name}: expected nothing outside registration, got {amount} of"
                    f" {self._store.asset_name(asset)} in {where}",
                )
        if waiting:
            raise ActError(
                RegistryRefusal.ACCOUNT_PENDING,
                f"account {name}: expected nothing pending, got {', '.join(waiting)}",
            )

    def _end(self, index: int, account: str, state: str, became: str, why: str) -> None:
        """Note that an account has ended; nobody trades for it or speaks for it any more."""
        was = self._state(index)
        for key in self._store.column(
            "SELECT public_key FROM keys WHERE account_index = ? AND revoked = 0"
            " ORDER BY public_key",
            (index,),
        ):
            self._keys.revoke(key)
        for person in self._persons.listed(account_body(account)):
            self._persons.remove(person["key"])
        if was == "open":
            self._ledger.feed(AccountSuspended(account=account))
        self._store.change("accounts", {"account_index": index}, state=state)
        words_checked(why, "why", WHY_LENGTH_MAX)
        self._changed(index, state, was, became, why)

    def _state_change(self, account: str, before: str, after: str, why: str) -> None:
        index = self._ledger.account(account)
        state = self._state(index)
        if state != before:
            raise ActError(
                RegistryRefusal.ACCOUNT_STATE, f"account {account}: expected {before}, got {state}"
            )
        change = "suspended" if after == "suspended" else "restored"
        self._set(index, "state", after, change, why)

    def _state(self, index: int) -> str:
        return self._store.find("accounts", "state", account_index=index)

    def _set(self, index: int, column: str, value: str | int, change: str, why: str) -> str:
        """Set one column of an account, note what it was, and return that."""
        words_checked(why, "why", WHY_LENGTH_MAX)
        where = "WHERE account_index = ?"
        was = self._store.one(f"SELECT {column} FROM accounts {where}", (index,))
        if was == value:
            name = self._store.account_name(index)
            raise ActError(
                RegistryRefusal.ACCOUNT_UNCHANGED,
                f"{column} of {name}: expected another than before, got {value!r}",
            )
        self._store.execute(f"UPDATE accounts SET {column} = ? {where}", (value, index))
        self._changed(index, change, str(was), str(value), why)
        return str(was)

    def _changed(self, index: int, change: str, was: str, became: str, why: str = "") -> None:
        ledger = self._ledger
        self._store.add(
            "account_changes (change_id, account_index, at_ns, business_date, change, was, became,"
            " by_persons, why)",
            *(index, ledger.now_ns(), ledger.business_date(), change, was, became, ledger.by, why),
        )

    def _is_new(self, column: str, value: str) -> None:
        if self._store.one(f"SELECT 1 FROM accounts WHERE {column} = ?", (value,)):
            raise ActError(
                RegistryRefusal.ENTITY_TAKEN,
                f"{column}: expected one account's only, got another's {value}",
            )

    def _holdings(self, index: int) -> list[tuple[int, int, int]]:
        """Return asset, compartment and amount of all that an account holds."""
        return self._store.balances.of_account(index)


def _some_shown(names: list[str]) -> list[str]:
    further = len(names) - SHOWN_MAX
    return names if further <= 0 else [*names[:SHOWN_MAX], f"and {further} more"]


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "at_risk": bool(row["at_risk"])}


def _admission_check(credit_code: str | None, province: int, sector: str) -> None:
    """Raise `ActError` unless an account would be a key emitting entity's.

    Rules: CEA-ADM-01.
    """
    if credit_code is None:
        raise ActError(
            RegistryRefusal.ADMISSION_NOT_MET,
            "credit_code: expected one, accounts are of listed entities, got none (CEA-ADM-01)",
        )
    if province == 0:
        raise ActError(
            RegistryRefusal.ADMISSION_NOT_MET,
            "province: expected one of the 32 codes, got none (CEA-ADM-01)",
        )
    if sector not in ("", *get_args(Sector)):
        sectors = ", ".join(get_args(Sector))
        raise ActError(
            RegistryRefusal.ADMISSION_NOT_MET,
            f"sector: expected one of {sectors}, got {sector!r} (CEA-ADM-01)",
        )
