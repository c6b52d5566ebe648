"""Checks that the platform's items are whole and in order, and posted as each of them says."""

from collections.abc import Iterator
from hashlib import sha256

import msgspec

from cea_exchange.ledger.store import Store
from cea_exchange.protocol.links.platform import (
    HEAD_BEFORE_ALL,
    AllowancesGiven,
    AllowancesRecalled,
    LinkContent,
    ObligationsSet,
    ObligationSucceeded,
    head_after,
    item_decode,
)
from cea_exchange.registry.platform_link.mismatches import Mismatched
from cea_exchange.registry.platform_link.recomputation import Computed, computed


def platform_differences(store: Store) -> Iterator[str]:
    """Yield a sentence for each item that does not follow, or was posted otherwise.

    Rules: CEA-PLK-01, CEA-PLK-02.
    """
    due, head = 1, HEAD_BEFORE_ALL
    last = store.one("SELECT coalesce(max(link_seq), 0) FROM platform_items")
    while due <= last:
        row = store.find("platform_items", "item, head, is_posted", link_seq=due)
        if row is None:
            yield f"platform item {due} is missing"
            return
        payload = bytes(row[0])
        try:
            item = item_decode(payload)
        except msgspec.MsgspecError as error:
            yield f"platform item {due} can not be read: {error}"
            return
        if (item.link_seq, item.before, head_after(head, payload)) != (due, head, row[1]):
            yield f"platform item {due} does not follow the one before"
        yield from _posted_differs(store, due, payload, item.content if row[2] else None)
        due, head = due + 1, row[1]


def _posted_differs(
    store: Store, link_seq: int, payload: bytes, content: LinkContent | None
) -> Iterator[str]:
    """Compare what an item comes to with what was posted; of one that was refused nothing is."""
    what = f"platform item {link_seq}"
    digest = sha256(payload).hexdigest()
    given = {
        row[0]: (row[1], Computed(*row[2:]))
        for row in store.all(
            "SELECT enterprise, account_index, tonnes, verified, emissions, duty, mark"
            " FROM platform_given"
            " JOIN (SELECT DISTINCT enterprise, account_index FROM platform_listings"
            "  JOIN accounts ON accounts.credit_code = platform_listings.credit_code) AS known"
            " USING (account_index) WHERE link_seq = ?",
            (link_seq,),
        )
    }
    distributed: dict[int, int] = dict(
        store.all(
            "SELECT account_index, tonnes FROM distribution_lines"
            " JOIN distributions USING (distribution_id) WHERE sha256 = ?",
            (digest,),
        )
    )
    owed: dict[int, int] = dict(
        store.all(
            "SELECT account_index, due_tonnes FROM obligation_entries"
            " JOIN obligation_files USING (file_id) WHERE sha256 = ?",
            (digest,),
        )
    )
    is_allocation = isinstance(content, AllowancesGiven | AllowancesRecalled)
    if (given or distributed) and not is_allocation:
        yield f"{what}: nothing of it may be distributed, is to {len(distributed)} accounts"
    if isinstance(content, AllowancesGiven):
        yield from _given_differs(what, content, given)
    if is_allocation:
        due = {account: mine.tonnes for account, mine in given.values()}
        yield from _distributed_differs(what, due, distributed)
    yield from _succeeded_differs(store, what, digest, content)
    due_tonnes = 0
    if isinstance(content, ObligationsSet):
        due_tonnes = sum(line.due_tonnes for line in content.lines)
    # What an entity owes of its own stands beside what it owes in another's place.
    is_succeeded = isinstance(content, ObligationSucceeded)
    if not is_succeeded and due_tonnes != sum(owed.values()):
        yield f"{what}: {due_tonnes} t are owed by it, {sum(owed.values())} are noted"


def _succeeded_differs(
    store: Store, what: str, digest: str, content: LinkContent | None
) -> Iterator[str]:
    """Compare who owes more in another's place by an item, and who owes less, with what is noted.

    Rules: CEA-ENT-12.
    """
    noted = {
        name: more
        for name, more in store.all(
            "SELECT (SELECT enterprise FROM platform_listings"
            "  JOIN accounts ON accounts.credit_code = platform_listings.credit_code"
            "  WHERE accounts.account_index = entry.account_index"
            "  ORDER BY link_seq DESC LIMIT 1),"
            " succeeded_tonnes - coalesce((SELECT before.succeeded_tonnes"
            "  FROM obligation_entries AS before"
            "  WHERE before.compliance_year = entry.compliance_year"
            "  AND before.account_index = entry.account_index AND before.file_id < entry.file_id"
            "  ORDER BY before.file_id DESC LIMIT 1), 0)"
            " FROM obligation_entries AS entry"
            " JOIN obligation_files ON obligation_files.file_id = entry.file_id"
            " WHERE sha256 = ?",
            (digest,),
        )
        if more
    }
    expected = {}
    if isinstance(content, ObligationSucceeded) and content.lines:
        expected = {line.enterprise: line.tonnes for line in content.lines}
        expected[content.enterprise] = -sum(expected.values())
    if noted != expected:
        yield f"{what}: by it {expected} owe more in another's place, {noted} are noted"


def _given_differs(
    what: str, content: AllowancesGiven, given: dict[str, tuple[int, Computed]]
) -> Iterator[str]:
    try:
        mine = computed(content)
    except Mismatched as error:
        yield f"{what}: is posted, and {error}"
        return
    for line, expected in zip(content.lines, mine, strict=True):
        posted = given.get(line.enterprise)
        if posted is None or posted[1] != expected:
            got = None if posted is None else posted[1]
            yield f"{what}: {line.enterprise} comes to {expected}, is noted as {got}"


def _distributed_differs(
    what: str, due: dict[int, int], distributed: dict[int, int]
) -> Iterator[str]:
    for account in sorted({*due, *distributed}):
        if due.get(account, 0) != distributed.get(account, 0):
            yield (
                f"{what}: account {account} has {due.get(account, 0)} by it,"
                f" {distributed.get(account, 0)} are distributed"
            )
