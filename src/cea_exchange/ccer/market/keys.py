"""Keys that act for an account at the venue."""

from typing import Any

from cea_exchange.ccer.books import Books
from cea_exchange.domain.ccer.programme_error import ProgrammeError
from cea_exchange.domain.refusals import CcerRefusal
from cea_exchange.institution.paging import ALL
from cea_exchange.protocol.control import KeyGranted, KeyRevoked, Role


class TradingKeys:
    """Grants and revokes trading keys, and notifies the venue."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._store = books.store

    def grant(self, key: str, account: str, operator_index: int = 0, role: Role = "trader") -> None:
        """Let a CURVE public key (z85 text) act for an operator of an account.

        Notes
        -----
        Rules: CCER-ACC-01.
        """
        books, store = self._books, self._store
        with store.transaction():
            index = books.account(account)
            if store.one("SELECT 1 FROM keys WHERE public_key = ?", (key,)):
                raise ProgrammeError(
                    CcerRefusal.KEY_TAKEN, f"key: expected a new one, got {key!r}, granted before"
                )
            books.feed(
                KeyGranted(key=key, account=account, operator_index=operator_index, role=role)
            )
            store.insert(
                "keys (public_key, account_index, operator_index, role, revoked)",
                [(key, index, operator_index, role, 0)],
            )

    def revoke(self, key: str) -> None:
        """Take back what a key may do; it can't be granted again."""
        store = self._store
        with store.transaction():
            if not store.one("SELECT 1 FROM keys WHERE public_key = ? AND revoked = 0", (key,)):
                raise ProgrammeError(
                    CcerRefusal.KEY_NOT_IN_FORCE, f"key: expected one in force, got {key!r}"
                )
            store.execute("UPDATE keys SET revoked = 1 WHERE public_key = ?", (key,))
            self._books.feed(KeyRevoked(key=key))

    def account_of(self, key: str) -> str | None:
        """Return the account that a key acts for, or acted; None if it never did."""
        account: str | None = self._store.one(
            "SELECT a.account FROM keys AS k JOIN accounts AS a"
            " ON a.account_index = k.account_index WHERE k.public_key = ?",
            (key,),
        )
        return account

    def listed(self, place: int = 0, count: int = ALL) -> list[dict[str, Any]]:
        """Return the keys by account and operator, those that were revoked too."""
        rows = self._store.execute(
            "SELECT k.public_key, a.account, k.operator_index, k.role, k.revoked FROM keys AS k"
            " JOIN accounts AS a ON a.account_index = k.account_index"
            " ORDER BY k.account_index, k.operator_index, k.public_key LIMIT ? OFFSET ?",
            (count, place),
        )
        names = ("key", "account", "operator_index", "role")
        return [
            dict(zip(names, row[:-1], strict=True)) | {"is_revoked": bool(row[-1])}
            for row in rows.fetchall()
        ]
