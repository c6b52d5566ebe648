"""The hash of the tonnes on the trading accounts, to compare with the venue's."""

from collections import Counter

import numpy as np

from cea_exchange.ccer.market.deliveries import Deliveries
from cea_exchange.domain.naming import name_key
from cea_exchange.institution.venue_link.holding_hash import holdings_hash_sum
from cea_exchange.ledger.double_entry import Compartment
from cea_exchange.ledger.store import Store


def holdings_hash(store: Store, deliveries: Deliveries) -> int:
    """Compute the holdings hash of the trading accounts, by SQL over the postings.

    To the venue tonnes have moved when it says so, whenever they are delivered here: what waits
    counts too. Cash is the exchange's, and not in it.

    Notes
    -----
    Rules: CCER-STL-01.
    """
    holdings = Counter(deliveries.unposted())
    rows = store.execute(
        "SELECT account_index, asset_index, amount FROM balances WHERE compartment = ?",
        (int(Compartment.TRADING),),
    ).fetchall()
    for account, asset, tonnes in rows:
        holdings[account, asset] += int(tonnes)
    accounts: dict[int, str] = dict(
        store.execute("SELECT account_index, account FROM accounts").fetchall()
    )
    products: dict[int, str] = dict(
        store.execute("SELECT product_index, product FROM products").fetchall()
    )
    held = [(account, asset, tonnes) for (account, asset), tonnes in holdings.items() if tonnes]
    return holdings_hash_sum(
        np.array([name_key(accounts[account]) for account, _, _ in held], np.uint64),
        np.array([name_key(products[asset]) for _, asset, _ in held], np.uint64),
        np.array([tonnes for *_, tonnes in held], np.int64),
    )
