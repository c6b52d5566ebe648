"""The feed's items, read back: what the venue was sent of accounts, products, keys and transfers.

An item is bytes, which no query reads. An institution compares its tables with what is read here.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from cea_exchange.institution.maintenance.integrity import heads_differing
from cea_exchange.ledger.double_entry import CASH_ASSET
from cea_exchange.ledger.store import Store
from cea_exchange.protocol.control import (
    AccountDeclared,
    AccountRestored,
    AccountSuspended,
    ControlError,
    FeedItem,
    KeyGranted,
    KeyRevoked,
    LedgerHead,
    ProductDeclared,
    Seizure,
    TransferIn,
    TransferOut,
    control_decode,
)

Rows = list[tuple[Any, ...]]


class FeedSent:
    """Items that the feed has sent to the venue, up to the first one that is missing.

    Attributes
    ----------
    accounts, products
        The declarations, in the order of the indexes that they give.
    suspended
        Names of the accounts that the venue must hold suspended now.
    transfers
        Number, direction, account index, asset index and amount of each, as tables keep them.
    differences
        A sentence for each item that can not be read or is missing.
    is_whole
        Whether no item is missing.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.accounts: list[AccountDeclared] = []
        self.products: list[ProductDeclared] = []
        self.suspended: set[str] = set()
        self.transfers: Rows = []
        self.differences: list[str] = []
        self._keys: dict[str, tuple[KeyGranted | None, bool]] = {}
        self.is_whole = self._read()

    def suspensions(self) -> Rows:
        """Return the suspended accounts in the order of their indexes, as rows of a query."""
        names = (each.account for each in self.accounts)
        return [("suspended", name) for name in names if name in self.suspended]

    def keys(self, *fields: str) -> Rows:
        """Return a row for each key, in order: the key, fields of its grant, whether revoked."""
        rows: Rows = []
        for key, (grant, is_revoked) in sorted(self._keys.items()):
            granted = [getattr(grant, name) for name in fields] if grant else []
            rows.append((key, *granted, int(is_revoked)))
        return rows

    def _read(self) -> bool:
        rows = self._store.all("SELECT transfer_seq, item FROM feed ORDER BY transfer_seq")
        for expected, (transfer_seq, payload) in enumerate(rows, start=1):
            try:
                item = control_decode(payload)
            except ControlError as error:
                self.differences.append(f"feed item {transfer_seq}: {error}")
                continue
            if transfer_seq != expected or not isinstance(item, FeedItem):
                self.differences.append(f"feed item {expected} is missing")
                return False
            self._take(transfer_seq, item.command)
        return True

    def _take(self, transfer_seq: int, command: Any) -> None:
        match command:
            case AccountDeclared():
                self.accounts.append(command)
            case AccountSuspended():
                self.suspended.add(command.account)
            case AccountRestored():
                self.suspended.discard(command.account)
            case ProductDeclared():
                self.products.append(command)
            case KeyGranted():
                self._keys[command.key] = (command, False)
            case KeyRevoked():
                grant, _is_revoked = self._keys.get(command.key, (None, False))
                self._keys[command.key] = (grant, True)
            case TransferIn() | TransferOut() | Seizure():
                self.transfers.append(self._transfer(transfer_seq, command))

    def _transfer(
        self, transfer_seq: int, command: TransferIn | TransferOut | Seizure
    ) -> tuple[Any, ...]:
        store = self._store
        asset: int | None = CASH_ASSET
        if command.product is not None:
            asset = store.product_index(command.product)
        directions = {TransferIn: "in", TransferOut: "out"}
        direction = command.why if isinstance(command, Seizure) else directions[type(command)]
        account = store.account_index(command.account)
        return (transfer_seq, direction, account, asset, command.amount)


def heads_sent(store: Store) -> Iterator[tuple[int, str]]:
    """Yield the heads of the chain in the feed to the venue: link and head.

    Raises ControlError if an item is not valid.
    """
    for (item,) in store.database.stream("SELECT item FROM feed ORDER BY transfer_seq"):
        message = control_decode(item)
        if isinstance(message, FeedItem) and isinstance(message.command, LedgerHead):
            yield message.command.link_id, message.command.head


def sent_heads_differ(store: Store) -> Iterator[str]:
    """Yield the first head in the feed that the chain does not have.

    Notes
    -----
    Rules: CEA-REG-05.
    """
    try:
        yield from heads_differing(store, heads_sent(store), "the venue was sent")
    except ControlError as error:
        yield f"the feed can not be read: {error}"


def table_differs(
    store: Store, what: str, sent: Sequence[tuple[Any, ...]], stored: Rows
) -> Iterator[str]:
    """Yield a sentence for each row that is not what the venue was sent.

    Parameters
    ----------
    what
        What a row is; the third column of a ``transfer`` is an account index.
    """
    for left, right in zip(sent, stored, strict=False):
        if left != right:
            whose = f" of account {store.account_name(right[2])}" if what == "transfer" else ""
            yield f"{what} {right[1]!r}{whose}: venue was sent {left}, the books have {right}"
    if len(sent) != len(stored):
        yield f"{what}s: venue was sent {len(sent)}, the books have {len(stored)}"
