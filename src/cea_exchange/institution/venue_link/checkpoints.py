"""Compares what the venue and the registry hold at a checkpoint, and keeps both hashes."""

import numpy as np

from cea_exchange.institution.venue_link.feed import feed_append
from cea_exchange.ledger.balances_check import accounts_differing
from cea_exchange.ledger.store import Store, hash_text
from cea_exchange.protocol.control import LedgerHead


def checkpoint_compare(store: Store, checkpoint: np.void, registry_hash: int) -> str:
    """Keep a checkpoint's hash and the registry's; return how they differ, "" if they agree.

    Where they agree the head of the registry's chain goes into the venue's journal.

    Parameters
    ----------
    store
        The registry's, within a transaction.
    checkpoint : record of CHECKPOINT_DTYPE
        The venue's.
    registry_hash
        Of what is held here at the same sequence.

    Notes
    -----
    Rules: CEA-REG-05 (each keeps the other's hashes).
    """
    seq, date = int(checkpoint["settlement_seq"]), int(checkpoint["trading_date"])
    at_venue, here = hash_text(int(checkpoint["holdings_hash"])), hash_text(registry_hash)
    store.insert(
        "checkpoints (settlement_seq, trading_date, venue_hash, registry_hash)",
        [(seq, date, at_venue, here)],
    )
    if at_venue != here:
        accounts = accounts_differing(store)
        named = ", ".join(accounts) if accounts else "none contradicts itself"
        return f"at seq {seq} venue hash {at_venue}, registry hash {here}; accounts: {named}"
    # The record is in our chain; the head of the chain goes into the venue's journal.
    head = LedgerHead(link_id=store.link.link_id, head=store.link.head)
    feed_append(store, head, at_ns=0)
    return ""
