"""Check freezes and dispositions against the entries that their references name."""

from collections import Counter
from collections.abc import Iterator

from cea_exchange.ledger.double_entry import Compartment, EntryKind, Holding
from cea_exchange.ledger.store import Store
from cea_exchange.registry.enforcement.dispositions import DISPOSITION_COLUMNS, Disposition
from cea_exchange.registry.enforcement.freezes import Freezes

_Sums = dict[tuple[str, int], tuple[int, int, int]]
"""Reference and entry kind -> account, asset, amount."""


def enforcement_differences(store: Store) -> Iterator[str]:
    """Yield a sentence for each place where tables and ledger differ; on one view of them."""
    yield from _freezes(store)
    yield from _dispositions(store)


def _freezes(store: Store) -> Iterator[str]:
    """What is frozen is what freezes hold, freeze by freeze and account by account."""
    sums = _sums_by_reference(store, "freeze")
    frozen: Counter[Holding] = Counter()
    for freeze in Freezes(store).some():
        account, asset = freeze.place
        kinds = (EntryKind.FROZEN, EntryKind.RELEASED, EntryKind.DEDUCTED)
        taken, released, deducted = (
            _taken(sums, freeze.reference, kind, account, asset) for kind in kinds
        )
        in_force = taken - released - deducted
        if (freeze.in_force, freeze.deducted) != (in_force, deducted):
            yield (
                f"{freeze.reference} of account {store.account_name(account)}: it holds"
                f" {freeze.in_force} and had {freeze.deducted} deducted, its entries give"
                f" {in_force} and {deducted}"
            )
        if freeze.is_live and freeze.asked < 0:
            yield f"{freeze.reference} holds {-freeze.asked} more than was ordered"
        frozen[Holding(account, asset, Compartment.JUDICIAL)] += freeze.in_force
    yield from _odd_entries("freeze", sums)
    rows = store.execute(
        "SELECT account_index, asset_index, compartment, amount FROM balances"
        " WHERE compartment = ?",
        (int(Compartment.JUDICIAL),),
    )
    held = {Holding(*row[:3]): row[3] for row in rows.fetchall()}
    for holding in sorted({*held, *frozen}):
        if held.get(holding, 0) != frozen[holding]:
            yield (
                f"account {store.account_name(holding.account_index)},"
                f" {store.asset_name(holding.asset_index)} in judicial: balance is"
                f" {held.get(holding, 0)}, freezes in force are {frozen[holding]}"
            )


def _dispositions(store: Store) -> Iterator[str]:
    """What is set aside for a disposition is what it is about, until it is decided on."""
    sums = _sums_by_reference(store, "disposition")
    rows = store.execute(
        f"SELECT {DISPOSITION_COLUMNS} FROM dispositions ORDER BY disposition_id"
    ).fetchall()
    for found in (Disposition(*row) for row in rows):
        done = EntryKind.CANCELLED if found.counter_index is None else EntryKind.ENFORCED
        kinds = (EntryKind.SET_ASIDE, EntryKind.SET_FREE, done)
        place = (found.account_index, found.asset_index)
        booked = [_taken(sums, found.reference, kind, *place) for kind in kinds]
        states = ("refused", "done")
        due = [found.tonnes, *(found.tonnes * (found.state == state) for state in states)]
        if booked != due:
            account = store.account_name(found.account_index)
            yield (
                f"{found.reference} of account {account} is {found.state}: it must have set aside,"
                f" set free and disposed of {due}, its entries give {booked}"
            )
    yield from _odd_entries("disposition", sums)


def _sums_by_reference(store: Store, word: str) -> _Sums:
    """Sum up the entries of all references of a kind of act."""
    rows = store.execute(
        "SELECT reference, kind, min(account_index), max(account_index), min(asset_index),"
        " max(asset_index), sum(amount) FROM entries WHERE reference LIKE ?"
        " GROUP BY reference, kind",
        (f"{word} %",),
    )
    sums: _Sums = {}
    for reference, kind, account, account_last, asset, asset_last, amount in rows.fetchall():
        alike = (account, asset) == (account_last, asset_last)
        sums[reference, kind] = (account, asset, amount) if alike else (-1, -1, amount)
    return sums


def _taken(sums: _Sums, reference: str, kind: EntryKind, account: int, asset: int) -> int:
    """Take out of the sums what an act's entries of one kind moved, if it is about that place."""
    found = sums.get((reference, int(kind)))
    if found is None or found[:2] != (account, asset):
        return 0
    del sums[reference, int(kind)]
    return found[2]


def _odd_entries(word: str, sums: _Sums) -> Iterator[str]:
    for reference, kind in sorted(sums):
        yield f"entries {EntryKind(kind).name.lower()} of '{reference}' are no {word}'s"
