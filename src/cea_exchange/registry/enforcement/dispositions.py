"""Dispositions: tonnes that leave an account other than by trade or surrender.

Voluntarily cancelled (自愿注销), or going to an heir, a successor in law or a creditor (继承, 承继,
强制执行). Each is applied for, decided on, and published when it is done::

    registration --apply--> applied --done--> cancellation account, or another's registration
         ^                     |
         +------refused--------+
"""

from typing import Any, NamedTuple

from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.institution.checks import ActError, amount_checked, words_checked
from cea_exchange.institution.paging import ALL
from cea_exchange.ledger.double_entry import CASH_ASSET, EntryKind
from cea_exchange.ledger.institutions import Institution
from cea_exchange.registry.enforcement.transfer_kinds import TRANSFER_KINDS, TransferKind
from cea_exchange.registry.general_ledger import Ledger
from cea_exchange.registry.participants.accounts import Accounts
from cea_exchange.registry.participants.public_notices import notice_publish

TEXT_LENGTH_MAX = 200


class Disposition(NamedTuple):
    """A row of `dispositions`."""

    disposition_id: int
    kind: str
    account_index: int
    counter_index: int | None
    asset_index: int
    tonnes: int
    document: str
    state: str
    why: str
    certificate: str
    applied_date: int
    decided_date: int

    @property
    def reference(self) -> str:
        """Of its entries in the ledger."""
        return f"disposition {self.disposition_id}"


DISPOSITION_COLUMNS = ", ".join(Disposition._fields)
"""Of the table `dispositions`."""


class Dispositions:
    """Voluntary cancellations, inheritance, succession, enforcement."""

    def __init__(self, ledger: Ledger, accounts: Accounts) -> None:
        self._ledger = ledger
        self._store = ledger.store
        accounts.pending_rows(
            "disposition {} is applied for",
            "disposition_id FROM dispositions WHERE state = 'applied'"
            " AND :account IN (account_index, counter_index)",
        )

    def cancellation_apply(self, account: str, product: str, tonnes: int, *, purpose: str) -> int:
        """Apply for tonnes on a registration account to be cancelled for good.

        Returns the disposition's id.

        Rules: CEA-ENF-08 (voluntary cancellation).

        Parameters
        ----------
        purpose
            For whom or what: it is published.
        """
        words_checked(purpose, "purpose", TEXT_LENGTH_MAX)
        return self._apply("cancellation", account, None, product, tonnes, purpose)

    def transfer_apply(
        self,
        kind: TransferKind,
        account: str,
        to: str,
        product: str,
        tonnes: int,
        *,
        document: str,
    ) -> int:
        """Apply for tonnes on a registration account to go to another entity's.

        Returns the disposition's id.

        Rules: CEA-ENF-07 (inheritance, succession, enforcement).

        Parameters
        ----------
        document
            What it rests on: a deed of succession, a merger's approval, a court's ruling. It is
            kept and not published.
        """
        if kind not in TRANSFER_KINDS:
            raise ActError(
                RegistryRefusal.CHOICE_UNKNOWN,
                f"kind: expected one of {', '.join(TRANSFER_KINDS)}, got {kind!r}",
            )
        words_checked(document, "document", TEXT_LENGTH_MAX)
        return self._apply(kind, account, to, product, tonnes, document)

    def _apply(
        self, kind: str, account: str, to: str | None, product: str, tonnes: int, document: str
    ) -> int:
        tonnes = amount_checked(tonnes, "tonnes")
        with self._store.transaction():
            index, asset = self._ledger.account(account), self._ledger.asset(product)
            counter = None if to is None else self._ledger.account(to)
            if asset == CASH_ASSET:
                raise ActError(
                    RegistryRefusal.PRODUCT_UNKNOWN,
                    "product: expected one, got none: cash leaves by a deduction or the bank",
                )
            if counter == index:
                raise ActError(
                    RegistryRefusal.SAME_ACCOUNT, f"to: expected another account, got {to}"
                )
            number = self._store.add(
                f"dispositions ({DISPOSITION_COLUMNS})",
                *(kind, index, counter, asset, tonnes, document),
                *("applied", "", "", self._ledger.business_date(), 0),
            )
            reference = f"disposition {number}"
            self._ledger.move(EntryKind.SET_ASIDE, index, index, asset, tonnes, reference)
        return number

    def approve(self, disposition_id: int) -> dict[str, Any]:
        """Carry out what was applied for, and publish it.

        Returns ``notice``, the public notice's number; of a cancellation ``certificate`` too.

        Rules: CEA-ENF-07 (inheritance, succession, enforcement), CEA-ENF-08 (voluntary
        cancellation), CEA-ENF-09 (public notices).
        """
        with self._store.transaction():
            found = self._pending(disposition_id)
            today = self._ledger.business_date()
            content: dict[str, str | int] = {
                "entity": self._entity(found.account_index),
                "product": self._store.asset_name(found.asset_index),
                "tonnes": found.tonnes,
            }
            certificate = ""
            if found.counter_index is None:
                kind, counter = EntryKind.CANCELLED, int(Institution.CANCELLATION)
                certificate = f"VC-{today // 10_000}-{disposition_id:06}"
                content |= {"certificate": certificate, "purpose": found.document}
            else:
                kind, counter = EntryKind.ENFORCED, found.counter_index
                content["to"] = self._entity(counter)
            self._decide(found, "done", certificate=certificate)
            self._ledger.move(
                *(kind, found.account_index, counter),
                *(found.asset_index, found.tonnes, found.reference),
            )
            notice = notice_publish(self._store, today, found.kind, content)
        return {"notice": notice} | ({"certificate": certificate} if certificate else {})

    def refuse(self, disposition_id: int, *, why: str) -> None:
        """Turn an application down, or take it back: the tonnes are free again."""
        words_checked(why, "why", TEXT_LENGTH_MAX)
        with self._store.transaction():
            found = self._pending(disposition_id)
            self._decide(found, "refused", why=why)
            account = found.account_index
            self._ledger.move(
                *(EntryKind.SET_FREE, account, account),
                *(found.asset_index, found.tonnes, found.reference),
            )

    def shown(
        self, state: str | None = None, *, first: int = 1, count: int = ALL
    ) -> list[dict[str, Any]]:
        """Return dispositions from a number on in words, all or those in one state."""
        rows = self._store.all(
            f"SELECT {DISPOSITION_COLUMNS} FROM dispositions WHERE disposition_id >= :first"
            + ("" if state is None else " AND state = :state")
            + " ORDER BY disposition_id LIMIT :count",
            {"first": first, "state": state, "count": count},
        )
        return [
            found._asdict()
            | {
                "account": self._store.account_name(found.account_index),
                "product": self._store.asset_name(found.asset_index),
                "to": None
                if found.counter_index is None
                else self._store.account_name(found.counter_index),
            }
            for found in (Disposition(*row) for row in rows)
        ]

    def _pending(self, disposition_id: int) -> Disposition:
        row = self._store.one(
            f"SELECT {DISPOSITION_COLUMNS} FROM dispositions WHERE disposition_id = ?",
            (disposition_id,),
        )
        found = None if row is None else Disposition(*row)
        if found is None or found.state != "applied":
            was = "none" if found is None else found.state
            raise ActError(
                RegistryRefusal.DISPOSITION_STATE,
                f"disposition {disposition_id}: expected one that is applied for, got {was}",
            )
        return found

    def _decide(
        self, found: Disposition, state: str, *, why: str = "", certificate: str = ""
    ) -> None:
        self._store.execute(
            "UPDATE dispositions SET state = ?, why = ?, certificate = ?, decided_date = ?"
            " WHERE disposition_id = ?",
            (state, why, certificate, self._ledger.business_date(), found.disposition_id),
        )

    def _entity(self, account_index: int) -> str:
        return self._store.find("accounts", "entity", account_index=account_index)
