"""What somebody holds, now or at any moment before, and what moved it. Nothing here changes any."""

from functools import cache
from itertools import groupby
from typing import Any, NamedTuple

from cea_exchange.domain.records import Reason
from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.institution.checks import ActError
from cea_exchange.institution.paging import SCAN_COUNT, page
from cea_exchange.ledger.double_entry import Compartment, EntryKind
from cea_exchange.ledger.history import (
    LEGS_MAX,
    account_as_of,
    balances_at_date,
    entry_at_date,
    entry_at_settlement,
)
from cea_exchange.ledger.store import Store


class Moment(NamedTuple):
    """Of when: after an entry, a day or a settlement record; of none of them, now."""

    entry_id: int | None = None
    business_date: int | None = None
    settlement_seq: int | None = None

    def entry_of(self, store: Store) -> int:
        """Return the last entry that counts; ActError if several moments are named."""
        if sum(value is not None for value in self) > 1:
            raise ActError(
                RegistryRefusal.BAD_REQUEST,
                "as_of: expected one of an entry, a date or a settlement sequence, got several",
            )
        if self.business_date is not None:
            return entry_at_date(store.database, self.business_date)
        if self.settlement_seq is not None:
            return entry_at_settlement(store.database, self.settlement_seq)
        if self.entry_id is not None:
            return min(self.entry_id, store.entry_last)
        return store.entry_last


def account_known(store: Store, account: str) -> int:
    """Return the index of any account, an ended one or an institution's; ActError if none."""
    index = store.find("accounts", "account_index", account=account)
    if index is None:
        raise ActError(
            RegistryRefusal.ACCOUNT_UNKNOWN,
            "account: expected one that was opened, or an institution such as 'competent"
            f" authority' or 'province Beijing', got {account!r}",
        )
    return index


def balances_view(
    store: Store, account: str, asset_index: int | None, moment: Moment
) -> dict[str, Any]:
    """Return what an account held at a moment, and after which entry that was.

    Parameters
    ----------
    asset_index
        Only of this product, or cash; None is everything.
    """
    index, entry_id = account_known(store, account), moment.entry_of(store)
    if moment.business_date is None:
        balances = account_as_of(store.database, index, entry_id)
    else:
        # A trade that was settled late is of its own day, what happened before that is not.
        balances = sorted(balances_at_date(store.database, moment.business_date, index).items())
    held = [
        {
            "product": store.asset_name(holding.asset_index),
            "compartment": Compartment(holding.compartment).name.lower(),
            "amount": amount,
        }
        for holding, amount in balances
        if asset_index in (None, holding.asset_index)
    ]
    return {"account": account, "entry_id": entry_id, "balances": held}


def entries_view(
    store: Store, account: str | None, asset_index: int | None, after: int, count: int
) -> dict[str, Any]:
    """Return entries behind one, with their legs, or only those legs that were asked for.

    Returns ``entries``; ``next``: the entry behind which to go on, None at the ledger's end.
    """
    names = _Names(store)
    account_index = None if account is None else account_known(store, account)
    is_narrow = account_index is not None or asset_index is not None
    after = min(after, store.entry_last)
    last = min(after + (SCAN_COUNT if is_narrow else count), store.entry_last)
    rows = store.all(
        "SELECT postings.posting_id / :legs_max, kind, business_date, settlement_seq, reference,"
        " postings.account_index, postings.asset_index, postings.compartment, postings.amount"
        " FROM postings JOIN entries ON entries.entry_id = postings.posting_id / :legs_max"
        " WHERE posting_id >= :first AND posting_id < :end"
        + (" AND postings.account_index = :account" if account_index is not None else "")
        + (" AND postings.asset_index = :asset" if asset_index is not None else "")
        + " ORDER BY posting_id LIMIT :limit",
        {
            "legs_max": LEGS_MAX,
            "first": LEGS_MAX * (after + 1),
            "end": LEGS_MAX * (last + 1),
            "account": account_index,
            "asset": asset_index,
            "limit": LEGS_MAX * (count + 1),
        },
    )
    found = [
        {
            "entry_id": entry_id,
            "kind": EntryKind(kind).name.lower(),
            "business_date": date,
            "settlement_seq": seq,
            "reference": reference,
            "legs": [
                {
                    "account": names.account(row[5]),
                    "product": names.asset(row[6]),
                    "compartment": Compartment(row[7]).name.lower(),
                    "amount": row[8],
                }
                for row in legs
            ],
        }
        for (entry_id, kind, date, seq, reference), legs in groupby(rows, key=lambda row: row[:5])
    ]
    found, further = page(found, count, "entry_id")
    if further is not None:
        last = found[-1]["entry_id"]
    return {"entries": found, "next": last if last < store.entry_last else None}


def transfers_view(
    store: Store, account: str | None, state: str | None, after: int, count: int
) -> dict[str, Any]:
    """Return transfers to the venue and back behind one, and what the venue said to each.

    Returns ``transfers``; ``next``: the transfer behind which to go on, None at the end.
    """
    account_index = None if account is None else account_known(store, account)
    names = _Names(store)
    # Numbers have gaps, for other items of the feed: no more rows than so many are read.
    first = store.one(
        "SELECT coalesce(min(transfer_seq), 0) FROM transfers WHERE transfer_seq > ?", (after,)
    )
    last = first + SCAN_COUNT - 1
    rows = store.all(
        "SELECT transfer_seq, direction, account_index, asset_index, amount, state, reason"
        " FROM transfers WHERE transfer_seq > :after AND transfer_seq <= :last"
        + (" AND account_index = :account" if account_index is not None else "")
        + (" AND state = :state" if state is not None else "")
        + " ORDER BY transfer_seq LIMIT :limit",
        {
            "after": after,
            "last": last,
            "account": account_index,
            "state": state,
            "limit": count + 1,
        },
    )
    found = [
        {
            "transfer_seq": transfer_seq,
            "direction": direction,
            "account": names.account(index),
            "product": names.asset(asset_index),
            "amount": amount,
            "state": now,
            "reason": Reason(reason).name.lower() if reason else None,
        }
        for transfer_seq, direction, index, asset_index, amount, now, reason in rows
    ]
    found, further = page(found, count, "transfer_seq")
    if further is not None:
        return {"transfers": found, "next": found[-1]["transfer_seq"]}
    is_more = first and store.one("SELECT 1 FROM transfers WHERE transfer_seq > ? LIMIT 1", (last,))
    return {"transfers": found, "next": last if is_more else None}


class _Names:
    """Accounts' and products' names, each asked for once."""

    def __init__(self, store: Store) -> None:
        self.account = cache(store.account_name)
        self.asset = cache(store.asset_name)
