"""The reversal of an issue that was a mistake: it names the issue, and is done once.

Only what the authority still has can be taken back. What was distributed since is another's; it is
recalled by an allocation file, as any that was too much.
"""

from collections.abc import Iterator

from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.institution.checks import WHY_LENGTH_MAX, ActError, amount_checked, words_checked
from cea_exchange.ledger.double_entry import EntryKind
from cea_exchange.ledger.institutions import Institution
from cea_exchange.ledger.store import Store
from cea_exchange.registry.general_ledger import Ledger

_AUTHORITY = int(Institution.AUTHORITY)


def issue_reverse(ledger: Ledger, issue_entry: int, tonnes: int, why: str) -> int:
    """Take tonnes of a mistaken issue out of circulation; return the entry's id.

    Parameters
    ----------
    issue_entry
        The entry of the issue, which was to the authority.
    tonnes
        At most those of the issue, and those of its product that the authority has.
    why
        What the mistake was; it is kept.

    Raises
    ------
    ActError
        There is no such issue, it was reversed, or too little is there.

    Notes
    -----
    Rules: CEA-PER-07.
    """
    words_checked(why, "why", WHY_LENGTH_MAX)
    tonnes = amount_checked(tonnes, "tonnes")
    store = ledger.store
    with store.transaction():
        row = store.one(
            "SELECT asset_index, amount FROM entries"
            " WHERE entry_id = ? AND kind = ? AND counter_index = ?",
            (issue_entry, int(EntryKind.ISSUE), _AUTHORITY),
        )
        if row is None:
            raise ActError(
                RegistryRefusal.ISSUE_UNKNOWN,
                f"entry: expected an issue to the authority, got {issue_entry}",
            )
        asset, issued = row
        before = store.one(
            "SELECT entry_id FROM issue_reversals WHERE issue_entry = ?", (issue_entry,)
        )
        if before is not None:
            raise ActError(
                RegistryRefusal.ISSUE_REVERSED,
                f"issue {issue_entry}: expected to be reversed once, got entry {before}, which"
                " did",
            )
        if tonnes > issued:
            raise ActError(
                RegistryRefusal.ISSUE_AMOUNT,
                f"tonnes: expected at most the {issued} of the issue, got {tonnes}",
            )
        ends = (_AUTHORITY, int(Institution.ISSUANCE), asset, tonnes)
        entry_id = ledger.move(EntryKind.ISSUE_REVERSED, *ends, f"issue {issue_entry}")
        store.insert("issue_reversals (issue_entry, entry_id, why)", [(issue_entry, entry_id, why)])
    return entry_id


def issue_reversal_differences(store: Store) -> Iterator[str]:
    """Yield reversals that are of no issue, of more than it, or not as they were noted.

    Notes
    -----
    Rules: CEA-PER-07.
    """
    noted = dict(store.execute("SELECT entry_id, issue_entry FROM issue_reversals").fetchall())
    issues = {
        entry_id: tuple(terms)
        for entry_id, *terms in store.execute(
            "SELECT entry_id, asset_index, amount FROM entries"
            " WHERE kind = ? AND counter_index = ?",
            (int(EntryKind.ISSUE), _AUTHORITY),
        ).fetchall()
    }
    reversals = store.execute(
        "SELECT entry_id, asset_index, amount, reference FROM entries WHERE kind = ?",
        (int(EntryKind.ISSUE_REVERSED),),
    )
    for entry_id, asset, tonnes, reference in reversals.fetchall():
        issue = noted.pop(entry_id, None)
        if issue is None or reference != f"issue {issue}":
            yield f"entry {entry_id} reverses {reference or 'no issue'}, noted is issue {issue}"
        elif issue not in issues or issue > entry_id:
            yield f"entry {entry_id} reverses entry {issue}, which is no issue to the authority"
        elif issues[issue][0] != asset or issues[issue][1] < tonnes:
            yield (
                f"entry {entry_id} reverses {tonnes} of {store.asset_name(asset)}, entry {issue}"
                f" issued {issues[issue][1]} of {store.asset_name(issues[issue][0])}"
            )
    for entry_id, issue in sorted(noted.items()):
        yield f"issue {issue} is noted as reversed by entry {entry_id}, which does not"
