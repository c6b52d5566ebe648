"""The reversal of an issue that was a mistake: it names the issue, and is done once.

Only what the authority still has can be taken back. What was distributed since is another's; it is
recalled by an allocation file, as any that was too much.
"""

from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.institution.checks import WHY_LENGTH_MAX, ActError, amount_checked, words_checked
from cea_exchange.ledger.double_entry import EntryKind
from cea_exchange.ledger.institutions import Institution
from cea_exchange.registry.general_ledger import Ledger

_AUTHORITY = int(Institution.AUTHORITY)


def issue_reverse(ledger: Ledger, issue_entry: int, tonnes: int, why: str) -> int:
    """Take tonnes of a mistaken issue out of circulation; return the entry's id.

    Raises ActError: there is no such issue, it was reversed, or too little is there.

    Rules: CEA-PER-07.

    Parameters
    ----------
    issue_entry
        The entry of the issue, which was to the authority.
    tonnes
        At most those of the issue, and those of its product that the authority has.
    why
        What the mistake was; it is kept.
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
        before = store.find("issue_reversals", "entry_id", issue_entry=issue_entry)
        if before is not None:
            raise ActError(
                RegistryRefusal.ISSUE_REVERSED,
                f"issue {issue_entry}: expected to be reversed once, got entry {before}, which did",
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
