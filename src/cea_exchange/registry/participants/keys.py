"""Keys that act for an account's operators at the venue."""

from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.institution.checks import ActError
from cea_exchange.protocol.control import KeyGranted, KeyRevoked
from cea_exchange.registry.general_ledger import Ledger


class Keys:
    """Grants and revokes keys, and notifies the venue."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._store = ledger.store

    def grant(
        self,
        key: str,
        account: str,
        operator_index: int = 0,
        role: str = "trader",
        *,
        cancel_on_disconnect: bool = True,
    ) -> None:
        """Let a CURVE public key (z85 text) act for an operator of an account.

        Parameters
        ----------
        role
            ``trader``, ``canceller`` (cancels only) or ``reader`` (reports only).
        cancel_on_disconnect
            Whether a trader's orders are cancelled when its session is lost.

        Rules: CEA-ADJ-01 (an account that adjusts the market has none that trades).
        """
        with self._store.transaction():
            account_index = self._ledger.account(account)
            if self._store.has("keys", public_key=key):
                raise ActError(
                    RegistryRefusal.KEY_TAKEN,
                    f"key: expected a new one, got {key!r}, which was granted before",
                )
            if role != "reader" and self._store.has(
                "adjustment_accounts", account_index=account_index
            ):
                raise ActError(
                    RegistryRefusal.ADJUSTMENT_ACCOUNT,
                    f"role: expected reader, {account} adjusts the market by two persons,"
                    f" got {role}",
                )
            command = KeyGranted(
                key=key,
                account=account,
                operator_index=operator_index,
                role=role,
                cancel_on_disconnect=cancel_on_disconnect,
            )
            self._ledger.feed(command)
            row = (key, account_index, operator_index, role, int(cancel_on_disconnect), 0)
            self._store.insert(
                "keys (public_key, account_index, operator_index, role, cancel_on_disconnect,"
                " revoked)",
                [row],
            )

    def revoke(self, key: str) -> None:
        """Take back what a key may do; it can't be granted again."""
        with self._store.transaction():
            if not self._store.one(
                "SELECT 1 FROM keys WHERE public_key = ? AND revoked = 0", (key,)
            ):
                raise ActError(
                    RegistryRefusal.KEY_NOT_IN_FORCE, f"key: expected one in force, got {key!r}"
                )
            self._store.change("keys", {"public_key": key}, revoked=1)
            self._ledger.feed(KeyRevoked(key=key))
