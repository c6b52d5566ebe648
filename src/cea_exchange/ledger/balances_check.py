"""Whether balances are what their postings sum to: what a start, and a checkpoint, goes on from."""

from cea_exchange.ledger.history import LEGS_MAX
from cea_exchange.ledger.store import Store


def accounts_differing(store: Store, *, whole: bool = False) -> list[str]:
    """Return the accounts whose balances are not the sum of their postings.

    Three things are compared: balances that were kept with the postings before them, each entry
    since with itself, and what a writer has in memory with what its database says.

    Parameters
    ----------
    whole
        Read all postings up to the last snapshot, which a start goes on from. Else those between it
        and the one before; they are append-only, and `check_ledger` reads them all.
    """
    heads = store.execute("SELECT entry_id FROM snapshots ORDER BY entry_id DESC LIMIT 2")
    kept, before = [*(entry_id for (entry_id,) in heads.fetchall()), 0, 0][:2]
    odd = _kept_wrong(store, kept, 0 if whole else before) | _unbalanced_since(store, kept)
    if store.is_writer:
        shown = store.all("SELECT account_index, asset_index, compartment, amount FROM balances")
        odd |= {row[0] for row in {*shown} ^ {*store.balances.rows()}}
    return sorted(store.account_name(account_index) for account_index in odd)


def _kept_wrong(store: Store, kept: int, before: int) -> set[int]:
    """Return whose balances in a snapshot are not those in one before and the postings between."""
    rows = store.execute(
        """
        SELECT account_index FROM (
            SELECT account_index, asset_index, compartment, amount FROM snapshot_balances
            WHERE entry_id = :before
            UNION ALL
            SELECT account_index, asset_index, compartment, amount FROM postings
            WHERE posting_id >= :first AND posting_id < :end
            UNION ALL
            SELECT account_index, asset_index, compartment, -amount FROM snapshot_balances
            WHERE entry_id = :kept
        ) AS counted
        GROUP BY account_index, asset_index, compartment HAVING sum(amount) <> 0
        """,
        {
            "before": before,
            "kept": kept,
            "first": LEGS_MAX * (before + 1),
            "end": LEGS_MAX * (kept + 1),
        },
    )
    return {account_index for (account_index,) in rows.fetchall()}


def _unbalanced_since(store: Store, entry_id: int) -> set[int]:
    """Return whose postings behind an entry are of one that does not sum to zero."""
    rows = store.execute(
        """
        SELECT account_index FROM postings WHERE posting_id >= :first AND posting_id / :legs IN (
            SELECT posting_id / :legs FROM postings WHERE posting_id >= :first
            GROUP BY posting_id / :legs, asset_index HAVING sum(amount) <> 0
        )
        """,
        {"first": LEGS_MAX * (entry_id + 1), "legs": LEGS_MAX},
    )
    return {account_index for (account_index,) in rows.fetchall()}
