"""Receipts: what an account held as a day was confirmed, and each act, for anybody to check.

Over all of them stands a Merkle tree, whose root is in the link of the chain that confirms the day.
A receipt is one leaf, the way from it to the root, and that link; with the head of the chain that
the holder knows from elsewhere, a page of Python checks it (``examples/receipt_check.py``)::

    balances of P001 --+
    balances of P002 --+-- ... -- root --> link --> head: on each statement, at the venue
    act 12 ------------+
"""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any, NamedTuple

from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.institution.checks import ActError
from cea_exchange.ledger.chain import LINK_COLUMNS, Link
from cea_exchange.ledger.double_entry import Compartment, Holding
from cea_exchange.ledger.history import balances_as_of
from cea_exchange.ledger.merkle import leaf_hash, path_to, root_of
from cea_exchange.ledger.store import Store


class ReceiptDay(NamedTuple):
    """What the receipts of a day are of: balances after an entry, and acts."""

    business_date: int
    last_entry: int
    first_act: int
    last_act: int


def day_root(store: Store, day: ReceiptDay) -> str:
    """Return the root of a day's receipts as the day is confirmed, from what the writer holds.

    Parameters
    ----------
    day
        That ends with the last entry there is.
    """
    rows = sorted(store.balances.rows())
    held = ((Holding(*row[:3]), row[3]) for row in rows if row[3])
    return root_of([leaf_hash(text) for text in _leaves(store, day, held)]).hex()


def receipt(store: Store, business_date: int, subject: str) -> dict[str, Any]:
    """Return a receipt of a confirmed day.

    Returns ``leaf``, its text; ``path``, from below; ``root``; ``link``, whose hash is the head.

    Raises ActError: the day was not confirmed, or it has nothing of the subject.

    Parameters
    ----------
    subject
        ``balance P001`` or ``act 12``.
    """
    row = store.one(
        "SELECT business_date, last_entry, first_act, last_act, link_id FROM statement_days"
        " WHERE business_date = ?",
        (business_date,),
    )
    if row is None:
        raise ActError(
            RegistryRefusal.DAY_NOT_CONFIRMED,
            f"business_date: expected a confirmed day, got {business_date}",
        )
    *terms, link_id = row
    day = ReceiptDay(*terms)
    texts = list(_leaves(store, day, balances_as_of(store.database, day.last_entry)))
    place = next((n for n, text in enumerate(texts) if text.startswith(f"{subject}\n")), None)
    if place is None:
        raise ActError(
            RegistryRefusal.RECEIPT_UNKNOWN,
            f"subject: expected one of the receipts of {business_date}, got {subject!r}",
        )
    hashes = [leaf_hash(text) for text in texts]
    return {
        "leaf": texts[place],
        "path": [[side, node.hex()] for side, node in path_to(hashes, place)],
        "root": root_of(hashes).hex(),
        "link": link_shown(store, link_id),
    }


def day_of_act(store: Store, act_id: int) -> int:
    """Return the confirmed day whose receipts an act is among; ActError while there is none."""
    date = store.one(
        "SELECT business_date FROM statement_days WHERE ? BETWEEN first_act AND last_act",
        (act_id,),
    )
    if date is None:
        raise ActError(
            RegistryRefusal.DAY_NOT_CONFIRMED,
            f"act {act_id}: expected one of a confirmed day, got one of none",
        )
    return date


def link_shown(store: Store, link_id: int) -> dict[str, Any]:
    """Return a link of the chain with the head before it: all that its own head is made of."""
    rows = store.all(
        f"SELECT {LINK_COLUMNS} FROM chain WHERE link_id IN (?, ?) ORDER BY link_id",
        (link_id - 1, link_id),
    )
    before, link = (Link(*row) for row in rows)
    return {**link._asdict(), "head_before": before.head}


def _leaves(store: Store, day: ReceiptDay, held: Iterable[tuple[Holding, int]]) -> Iterator[str]:
    """Yield the leaves' texts: of each account that holds anything, by index, then of each act.

    The database hashes requests and answers: a day's are many, and each has up to 4 MiB.
    """
    accounts: dict[int, str] = dict(store.all("SELECT account_index, account FROM accounts"))
    products: dict[int, str] = dict(store.all("SELECT product_index, product FROM products"))
    for index, group in groupby(held, key=lambda pair: pair[0].account_index):
        lines = [f"balance {accounts[index]}", f"date {day.business_date} entry {day.last_entry}"]
        for holding, amount in group:
            asset = products.get(holding.asset_index, "cash")
            lines.append(f"{asset} {Compartment(holding.compartment).name.lower()} {amount}")
        yield "\n".join(lines) + "\n"
    acts = store.execute(
        "SELECT act_id, at_ns, business_date, op, person, person_key, second, second_key, account,"
        " product, amount, sha256_hex(request), sha256_hex(answer)"
        " FROM acts WHERE act_id BETWEEN ? AND ? ORDER BY act_id",
        (day.first_act, day.last_act),
    )
    names = (
        *("time_ns", "date", "op", "person", "key", "second", "second_key"),
        *("account", "product", "amount", "request_sha256", "answer_sha256"),
    )
    for act_id, *values in acts:
        lines = [f"{name} {value}" for name, value in zip(names, values, strict=True)]
        yield "\n".join([f"act {act_id}", *lines]) + "\n"
