"""The hash of the tonnes on the trading accounts, to compare with the venue's."""

import numpy as np

from cea_exchange.ccer.market.deliveries import Deliveries
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
    held = store.all(
        "SELECT account_index, asset_index, amount FROM balances WHERE compartment = ?",
        (int(Compartment.TRADING),),
    )
    held += ((*holding, tonnes) for holding, tonnes in deliveries.unposted().items())
    return holdings_hash_sum(
        np.array(held, np.int64).reshape(-1, 3),
        dict(store.all("SELECT account_index, account FROM accounts")),
        dict(store.all("SELECT product_index, product FROM products")),
    )
