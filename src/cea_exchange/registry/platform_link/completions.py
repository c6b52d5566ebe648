"""What covers obligations, numbered for the platform, whose completion lists are made of it."""

import msgspec

from cea_exchange.ledger.database.interface import Row
from cea_exchange.protocol.links.platform import Completion, completion_hash
from cea_exchange.registry.compliance.obligation_status import standing_of
from cea_exchange.registry.general_ledger import Ledger
from cea_exchange.registry.platform_link.listed_entities import ListedEntities


class Completions:
    """Notes each obligation of which something was surrendered, offset, deducted or taken back."""

    def __init__(self, ledger: Ledger, listed: ListedEntities) -> None:
        self._ledger = ledger
        self._store = ledger.store
        self._listed = listed

    def note(self, account_index: int, compliance_year: int) -> None:
        """Note how an obligation stands now; in the transaction that has changed it.

        Notes
        -----
        Rules: CEA-PLK-07.
        """
        if self._listed.enterprise_of(account_index) is None:
            return
        rules = self._ledger.rules
        standing = standing_of(self._store, rules, account_index, compliance_year)
        number = self._store.next_id("platform_completions", "completion_seq")
        self._store.insert(
            "platform_completions (completion_seq, account_index, compliance_year, owed,"
            " surrendered, offset_tonnes, completed_on, applied, deducted, covered)",
            [
                (number, account_index, compliance_year, standing.tonnes, standing.surrendered)
                + (standing.status.offset, standing.completed_on or 0, standing.applied)
                + (standing.deducted,)
                + (msgspec.json.encode(sorted(standing.counted.items())).decode(),)
            ],
        )

    def lacking(self, completed_seq: int, completed_hash: str) -> str:
        """Return which completions the platform has and the ledger lacks; '' if none.

        Parameters
        ----------
        completed_seq, completed_hash
            Number and hash of the last one that the platform has; an empty hash is not compared.

        Notes
        -----
        Rules: CEA-REG-09.
        """
        if completed_seq == 0:
            return ""
        own = self.since(completed_seq, 1)
        if not own:
            last_seq = self._store.one(
                "SELECT coalesce(max(completion_seq), 0) FROM platform_completions"
            )
            return (
                f"the platform has completions up to {completed_seq}, this ledger only up to"
                f" {last_seq}: it is older than what the platform has taken"
            )
        if completed_hash not in ("", completion_hash(own[0])):
            return (
                f"completion {completed_seq} is another one than the platform has taken: this"
                " ledger is not the one that was followed"
            )
        return ""

    def since(self, first: int, count: int) -> tuple[Completion, ...]:
        """Return so many from a number on."""
        rows = self._store.execute(
            "SELECT completion_seq, account_index, compliance_year, owed, surrendered,"
            " offset_tonnes, completed_on, applied, deducted, covered FROM platform_completions"
            " WHERE completion_seq >= ? ORDER BY completion_seq LIMIT ?",
            (first, count),
        )
        return tuple(map(self._completion, rows.fetchall()))

    def _completion(self, row: Row) -> Completion:
        seq, account, year, owed, surrendered, offset, completed_on, *rest = row
        applied, deducted, covered = rest
        return Completion(
            seq,
            self._listed.enterprise_of(account) or "",
            year,
            owed,
            surrendered,
            offset,
            completed_on,
            applied,
            deducted,
            msgspec.json.decode(covered, type=tuple[tuple[int, int], ...]),
        )
