"""Checks that accounts, products, keys and transfers are what the feed sent, item by item."""

from collections.abc import Iterator
from typing import Any

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
    ProductDeclared,
    Seizure,
    TransferIn,
    TransferOut,
    control_decode,
)

_Rows = list[tuple[Any, ...]]


def feed_differences(store: Store) -> Iterator[str]:
    """Yield a sentence for each item that is missing, and each row that is not what it said."""
    accounts: _Rows = []
    products: _Rows = []
    keys: dict[str, tuple[Any, ...]] = {}
    suspended: set[str] = set()
    transfers: _Rows = []
    rows = store.all("SELECT transfer_seq, item FROM feed ORDER BY transfer_seq")
    for expected, (transfer_seq, payload) in enumerate(rows, start=1):
        try:
            item = control_decode(payload)
        except ControlError as error:
            yield f"feed item {transfer_seq}: {error}"
            continue
        if transfer_seq != expected or not isinstance(item, FeedItem):
            yield f"feed item {expected} is missing"
            return
        command = item.command
        if isinstance(command, AccountDeclared):
            accounts.append((len(accounts), command.account, command.group))
        elif isinstance(command, AccountSuspended):
            suspended.add(command.account)
        elif isinstance(command, AccountRestored):
            suspended.discard(command.account)
        elif isinstance(command, ProductDeclared):
            products.append((len(products), command.product, command.reference_price))
        elif isinstance(command, KeyGranted):
            grant = (command.account, command.operator_index, command.role)
            keys[command.key] = (command.key, *grant, int(command.cancel_on_disconnect), 0)
        elif isinstance(command, KeyRevoked):
            keys[command.key] = (*keys.get(command.key, ())[:-1], 1)
        elif isinstance(command, TransferIn | TransferOut | Seizure):
            transfers.append(_transfer(store, transfer_seq, command))
    suspensions = [("suspended", account) for _, account, _ in accounts if account in suspended]
    for what, sent, sql in (
        (
            "account",
            accounts,
            "SELECT account_index, account, account_group FROM accounts"
            " WHERE account_index >= 0 ORDER BY account_index",
        ),
        (
            "suspension of account",
            suspensions,
            "SELECT 'suspended', account FROM accounts"
            " WHERE account_index >= 0 AND state <> 'open' ORDER BY account_index",
        ),
        (
            "product",
            products,
            "SELECT product_index, product, reference_price FROM products ORDER BY product_index",
        ),
        (
            "key of account",
            [key for _name, key in sorted(keys.items())],
            "SELECT public_key, account, operator_index, role, cancel_on_disconnect, revoked"
            " FROM keys LEFT JOIN accounts USING (account_index) ORDER BY public_key",
        ),
        (
            "transfer",
            transfers,
            "SELECT transfer_seq, direction, account_index, asset_index, amount FROM transfers"
            " ORDER BY transfer_seq",
        ),
    ):
        yield from _table_differs(store, what, sent, store.all(sql))


def _transfer(store: Store, transfer_seq: int, command: Any) -> tuple[Any, ...]:
    asset: int | None = CASH_ASSET
    if command.product is not None:
        asset = store.product_index(command.product)
    directions = {TransferIn: "in", TransferOut: "out"}
    direction = command.why if isinstance(command, Seizure) else directions[type(command)]
    return (transfer_seq, direction, store.account_index(command.account), asset, command.amount)


def _table_differs(store: Store, what: str, sent: _Rows, stored: _Rows) -> Iterator[str]:
    for left, right in zip(sent, stored, strict=False):
        if left != right:
            whose = f" of account {store.account_name(right[2])}" if what == "transfer" else ""
            yield f"{what} {right[1]!r}{whose}: venue was sent {left}, the books have {right}"
    if len(sent) != len(stored):
        yield f"{what}s: venue was sent {len(sent)}, the books have {len(stored)}"
