"""Whether an institution's database agrees with itself: what `reconcile` and `restore` ask."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

import msgspec

from cea_exchange.institution.maintenance.integrity import integrity_differences
from cea_exchange.ledger.audit import ROWS_AS_LOGGED, Check, findings
from cea_exchange.ledger.database.interface import DatabaseError
from cea_exchange.ledger.record_store import RecordStore, StoreError
from cea_exchange.protocol.control import DECODE_ERRORS

DIFFERENCE_COUNT_MAX = 100
UNREADABLE = (*DECODE_ERRORS, StoreError, ValueError, TypeError, OverflowError)
"""Errors that rows may lead to after somebody changed them."""


class StoreCheck(msgspec.Struct, frozen=True):
    """What a check of a database found.

    Attributes
    ----------
    institution
        Whose it is.
    link_id, head
        The last link of its chain.
    differences
        A sentence each; empty if all is well.
    """

    institution: str
    link_id: int
    head: str
    differences: list[str]

    @property
    def agrees(self) -> bool:
        """Whether nothing differs."""
        return not self.differences

    def sentence(self) -> str:
        """Return the result as a line for a person."""
        if self.differences:
            found = f"{len(self.differences)} places: {self.differences[0]}"
            return f"{self.institution} differs at {found}"
        return f"reconciled at link {self.link_id}, head {self.head}"


def store_check(
    store: RecordStore, checks: Mapping[str, Check], more: Iterable[str] = ()
) -> StoreCheck:
    """Check an open database, within a transaction.

    Parameters
    ----------
    checks
        The auditor's, by name.
    more
        What else differs, that no query can say; it is read while the database is checked.
    """
    found = islice(_differences(store, checks, more), DIFFERENCE_COUNT_MAX)
    return StoreCheck(store.schema.institution, store.link.link_id, store.link.head, list(found))


def _differences(
    store: RecordStore, checks: Mapping[str, Check], more: Iterable[str]
) -> Iterator[str]:
    try:
        for line in store.database.check():
            yield f"database: {line}"
        yield from integrity_differences(store)
        others = (check for name, check in checks.items() if name != ROWS_AS_LOGGED)
        yield from findings(store, others)
        yield from more
    except (DatabaseError, StoreError) as error:
        yield f"database can not be read: {error}"
