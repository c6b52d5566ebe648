"""Serials as text in requests and answers: ``BATCH:FIRST-LAST``, a batch by its project's count."""

import re
from collections.abc import Iterable

from cea_exchange.ccer.lots.pedigree import issue_of
from cea_exchange.domain.ccer.lots import Lot
from cea_exchange.domain.ccer.programme_error import ProgrammeError
from cea_exchange.domain.refusals import CcerRefusal
from cea_exchange.ledger.store import Store

RANGES_MAX = 1_000
_RANGE = re.compile(r"([0-9]{1,9}):([0-9]{1,18})-([0-9]{1,18})")


def lots_asked(store: Store, project: str, text: str) -> list[Lot]:
    """Return the ranges that a text names, of a project's batches.

    Raises
    ------
    ProgrammeError
        It names none, or too many; or the project has no such batch.

    Notes
    -----
    Rules: CCER-LOT-01, CCER-LOT-03.
    """
    parts = text.split(",")
    found = [_RANGE.fullmatch(part.strip()) for part in parts]
    if None in found or len(parts) > RANGES_MAX:
        raise ProgrammeError(
            CcerRefusal.SERIALS_UNSOUND,
            f"serials: expected 1 to {RANGES_MAX} of BATCH:FIRST-LAST, such as 1:11-20,1:41-60,"
            f" got {text[:80]!r}",
        )
    ranges = [tuple(map(int, match.groups())) for match in found if match is not None]
    issues = {batch: issue_of(store, project, batch) for batch in {each[0] for each in ranges}}
    return [Lot(issues[batch], first, last) for batch, first, last in ranges]


def lots_shown(store: Store, lots: Iterable[Lot]) -> list[str]:
    """Return ranges as `lots_asked` reads them."""
    return [f"{batch_number_of(store, lot)}:{lot.first}-{lot.last}" for lot in lots]


def batch_number_of(store: Store, lot: Lot) -> int:
    """Return the number within its project of a lot's batch."""
    number: int = store.one(
        "SELECT b.batch_number FROM issues AS i JOIN batches AS b ON b.batch_id = i.batch_id"
        " WHERE i.issue_number = ?",
        (lot.batch,),
    )
    return number
