"""Checks that accounts, products, keys and transfers are what the feed sent, item by item."""

from collections.abc import Iterator

from cea_exchange.institution.maintenance.feed_books import FeedSent, table_differs
from cea_exchange.ledger.store import Store


def feed_differences(store: Store) -> Iterator[str]:
    """Yield a sentence for each item that is missing, and each row that is not what it said."""
    sent = FeedSent(store)
    yield from sent.differences
    if not sent.is_whole:
        return
    for what, rows, sql in (
        (
            "account",
            [(index, each.account, each.group) for index, each in enumerate(sent.accounts)],
            "SELECT account_index, account, account_group FROM accounts"
            " WHERE account_index >= 0 ORDER BY account_index",
        ),
        (
            "suspension of account",
            sent.suspensions(),
            "SELECT 'suspended', account FROM accounts"
            " WHERE account_index >= 0 AND state <> 'open' ORDER BY account_index",
        ),
        (
            "product",
            [
                (index, each.product, each.reference_price)
                for index, each in enumerate(sent.products)
            ],
            "SELECT product_index, product, reference_price FROM products ORDER BY product_index",
        ),
        (
            "key of account",
            sent.keys("account", "operator_index", "role", "cancel_on_disconnect"),
            "SELECT public_key, account, operator_index, role, cancel_on_disconnect, revoked"
            " FROM keys LEFT JOIN accounts USING (account_index) ORDER BY public_key",
        ),
        (
            "transfer",
            sent.transfers,
            "SELECT transfer_seq, direction, account_index, asset_index, amount FROM transfers"
            " ORDER BY transfer_seq",
        ),
    ):
        yield from table_differs(store, what, rows, store.all(sql))
