"""Pedigrees: all moves of a serial number, from the issue of its batch to where it is now."""

from typing import Any

from cea_exchange.domain.ccer.lots import Lot
from cea_exchange.domain.ccer.programme_error import ProgrammeError
from cea_exchange.domain.refusals import CcerRefusal
from cea_exchange.institution.paging import ALL
from cea_exchange.ledger.double_entry import Compartment, EntryKind
from cea_exchange.ledger.store import Store

_CHAIN = """WITH RECURSIVE chain (move_id, parent_id, entry_id, serial_first, serial_last,
    account_index, compartment) AS (
    SELECT move_id, parent_id, entry_id, serial_first, serial_last, account_index, compartment
    FROM lot_moves WHERE move_id = ?
    UNION ALL
    SELECT before.move_id, before.parent_id, before.entry_id, before.serial_first,
        before.serial_last, before.account_index, before.compartment
    FROM lot_moves AS before JOIN chain ON before.move_id = chain.parent_id
)
SELECT chain.serial_first, chain.serial_last, e.kind, e.business_date, e.reference, e.act_id,
    a.account, chain.compartment
FROM chain
JOIN entries AS e ON e.entry_id = chain.entry_id
JOIN accounts AS a ON a.account_index = chain.account_index
ORDER BY chain.move_id"""


def issue_of(store: Store, project: str, batch_number: int) -> int:
    """Return the number in the order of issue of a project's batch; ProgrammeError if none."""
    number: int | None = store.one(
        "SELECT i.issue_number FROM issues AS i"
        " JOIN batches AS b ON b.batch_id = i.batch_id"
        " JOIN projects AS p ON p.project_id = b.project_id"
        " WHERE p.project = ? AND b.batch_number = ?",
        (project, batch_number),
    )
    if number is None:
        raise ProgrammeError(
            CcerRefusal.BATCH_UNKNOWN,
            f"batch: expected one that was issued, got {project}, {batch_number}",
        )
    return number


def pedigree(store: Store, issue_number: int, serial: int) -> list[dict[str, Any]]:
    """Return all moves of a serial number, the first its issue.

    Returns
    -------
    list of dict
        Of each move the range that moved with it, why, on which day, by which act, to whom and to
        which compartment.

    Raises
    ------
    ProgrammeError
        There is no such serial.

    Notes
    -----
    Rules: CCER-LOT-04.
    """
    row = store.one(
        "SELECT serial_last, move_id FROM lots WHERE issue_number = ? AND serial_first <= ?"
        " ORDER BY serial_first DESC LIMIT 1",
        (issue_number, serial),
    )
    if row is None or serial > row[0]:
        raise ProgrammeError(
            CcerRefusal.SERIALS_NOT_HELD, f"serial: expected one that was issued, got {serial}"
        )
    return [
        {
            "serial_first": first,
            "serial_last": last,
            "kind": EntryKind(kind).name.lower(),
            "date": date,
            "reference": reference,
            "act_id": act_id,
            "account": account,
            "compartment": Compartment(compartment).name.lower(),
        }
        for first, last, kind, date, reference, act_id, account, compartment in store.execute(
            _CHAIN, (row[1],)
        ).fetchall()
    ]


def whereabouts(store: Store, wanted: Lot, count: int = ALL) -> list[dict[str, Any]]:
    """Return where the serials of a range are now, lot by lot, so many at most."""
    rows = store.execute(
        "SELECT l.serial_first, l.serial_last, p.product, a.account, l.compartment"
        " FROM lots AS l JOIN accounts AS a ON a.account_index = l.account_index"
        " JOIN products AS p ON p.product_index = l.asset_index"
        " WHERE l.issue_number = :issue AND l.serial_first <= :last"
        " AND l.serial_first >= (SELECT coalesce(max(serial_first), 1) FROM lots"
        "  WHERE issue_number = :issue AND serial_first <= :first)"
        " ORDER BY l.serial_first LIMIT :count",
        {"issue": wanted.batch, "first": wanted.first, "last": wanted.last, "count": count},
    )
    return [
        {
            "serial_first": first,
            "serial_last": last,
            "instrument": product,
            "account": account,
            "compartment": Compartment(compartment).name.lower(),
        }
        for first, last, product, account, compartment in rows.fetchall()
    ]
