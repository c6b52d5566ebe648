"""Case files: entries that are only ever added, each tied to all before it.

    opened --> alerts, notes, documents, penalty --> closed
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from cea_exchange.domain.documents.cases import (
    CHAIN_BEGINS,
    AlertTaken,
    Closed,
    Opened,
    PenaltyComputed,
    chained,
)
from cea_exchange.domain.refusals import VenueRefusal
from cea_exchange.protocol import control
from cea_exchange.venue.refusals import (
    ActRefusal,
    account_unknown,
    not_next,
    persons_refusal,
    refused,
)

CaseFile = Sequence[control.CaseEntered]
"""The entries of one case, oldest first."""

OF_TWO = (PenaltyComputed, Closed)
"""What two persons answer for."""


def entry_refusal(
    files: Mapping[str, CaseFile],
    accounts: Mapping[str, int],
    event_seq: int,
    act: control.CaseEntered,
) -> ActRefusal:
    """Say why an entry may not be journaled; None if it may.

    Notes
    -----
    Rules: CEA-CAS-01, CEA-CAS-02.
    """
    file, body = files.get(act.case, ()), act.body
    if act.entry != len(file) + 1:
        return not_next(f"case {act.case}", len(file) + 1, act.entry)
    if isinstance(body, Opened) and file:
        got = f"{act.case}, open already"
        return refused(VenueRefusal.CASE_TAKEN, "case", "a new name", got)
    if not isinstance(body, Opened) and not file:
        return refused(VenueRefusal.CASE_UNKNOWN, "case", "one that was opened", act.case)
    if is_closed(file):
        got = f"{act.case}, which is closed"
        return refused(VenueRefusal.CASE_CLOSED, "case", "one that goes on", got)
    if not act.by:
        expected = "a person who enters it"
        return refused(VenueRefusal.BAD_REQUEST, "case", expected, "none")
    if isinstance(body, OF_TWO) and (refusal := persons_refusal("case", act)) is not None:
        return refusal
    if isinstance(body, AlertTaken):
        return _alert_refusal(accounts, event_seq, body)
    return None


def _alert_refusal(
    accounts: Mapping[str, int], event_seq: int, alert: AlertTaken
) -> ActRefusal:
    for name in (*alert.accounts, *alert.counterparties):
        if name not in accounts:
            return account_unknown("alert", name)
    if not alert.accounts:
        expected = "the accounts of who did it"
        return refused(VenueRefusal.BAD_REQUEST, "alert", expected, "none")
    if not alert.first_seq <= alert.last_seq <= event_seq:
        expected, got = f"events up to {event_seq}", f"{alert.first_seq} to {alert.last_seq}"
        return refused(VenueRefusal.DATE_OUT_OF_RANGE, "alert", expected, got)
    return None


def is_closed(file: CaseFile) -> bool:
    """Return whether nothing may be entered any more."""
    return bool(file) and isinstance(file[-1].body, Closed)


def accounts_of(file: CaseFile) -> tuple[str, ...]:
    """Return whom a case is about: all that did it by its alerts, by name."""
    return tuple(sorted({name for alert in alerts_of(file) for name in alert.accounts}))


def alerts_of(file: CaseFile) -> list[AlertTaken]:
    """Return a case's alerts, as they were entered."""
    return [entry.body for entry in file if isinstance(entry.body, AlertTaken)]


def window_of(file: CaseFile) -> tuple[int, int]:
    """Return the range of events that a case's alerts lie in; 0 and 0 without any."""
    alerts = alerts_of(file)
    if not alerts:
        return 0, 0
    return min(alert.first_seq for alert in alerts), max(alert.last_seq for alert in alerts)


def heads(file: CaseFile) -> list[str]:
    """Return of each entry the hash that ties it to all before it.

    Notes
    -----
    Rules: CEA-CAS-01. Whoever has the last one can tell whether any entry was changed, taken out
    or put between others.
    """
    found, head = [], CHAIN_BEGINS
    for entry in file:
        head = chained(head, control.control_encode(entry))
        found.append(head)
    return found


def summary(name: str, file: CaseFile) -> dict[str, Any]:
    """Return a case in a row."""
    last = file[-1].body
    return {
        "case": name,
        "title": file[0].body.title if isinstance(file[0].body, Opened) else "",
        "accounts": list(accounts_of(file)),
        "opened_at_ns": file[0].at_ns,
        "by": file[0].by,
        "entries": len(file),
        "alerts": len(alerts_of(file)),
        "outcome": last.outcome if isinstance(last, Closed) else "",
        "head": heads(file)[-1],
    }


def shown(name: str, file: CaseFile, measures: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a whole case, as who supervises sees it.

    Parameters
    ----------
    measures
        All measures, as `measures.shown` has them; those of the case go along.
    """
    first, last = window_of(file)
    entries = [
        {
            "entry": entry.entry,
            "at_ns": entry.at_ns,
            "by": entry.by,
            "second": entry.second,
            "why": entry.why,
            "body": msgspec.to_builtins(entry.body),
            "hash": head,
        }
        for entry, head in zip(file, heads(file), strict=True)
    ]
    return {
        **summary(name, file),
        "first_seq": first,
        "last_seq": last,
        "entries": entries,
        "measures": [measure for measure in measures if measure["case"] == name],
    }


def file_of(shown: Mapping[str, Any]) -> list[control.CaseEntered]:
    """Return the entries of a case as `shown` gave them, so that their hashes can be made anew.

    Raises
    ------
    ValueError
        It is no case.
    """
    names = ("entry", "at_ns", "by", "second", "why", "body")
    try:
        return [
            msgspec.convert(
                {"case": shown["case"], **{name: entry[name] for name in names}},
                control.CaseEntered,
            )
            for entry in shown["entries"]
        ]
    except (KeyError, TypeError, msgspec.ValidationError) as error:
        what = "expected a case as `case show --format json` writes it"
        raise ValueError(f"{what}, {error}") from error
