"""Where in the event store the numbered streams and the accepted commands are.

    account's report_seq -> event      settlement_seq -> event      key and id -> acceptance

Kept in memory as plain arrays of event sequence numbers, 8 bytes each; filled by replay at start.
"""

from array import array
from bisect import bisect_left
from collections import defaultdict

import numpy as np

from cea_exchange._reports import reports_place
from cea_exchange.domain.records import CommandKind, EventKind, Reason

SEQ_BYTES = 8


class EventIndex:
    """Finds events by their place in a stream; see the module's drawing.

    Attributes
    ----------
    settlement : array of u64
        Event sequence by `settlement_seq` - 1.
    """

    def __init__(self) -> None:
        self.settlement = array("Q")
        self._reports: dict[int, array] = defaultdict(lambda: array("Q"))
        self._accepted: dict[int, tuple[array, array]] = {}

    def add(self, events: np.ndarray) -> None:
        """Take in new events, in their order."""
        if not len(events):
            return
        if (events["kind"] == EventKind.DAY_OPENED).any():
            # Ids begin anew with each trading day, and no command of the day before is retried.
            self._accepted.clear()
        settled = events["seq"][events["settlement_seq"] != 0]
        self.settlement.frombytes(settled.tobytes())
        accounts, ends, rows, _ = reports_place(events)
        seqs, first = events["seq"][rows].tobytes(), 0
        for account, end in zip(accounts.tolist(), (ends * SEQ_BYTES).tolist(), strict=True):
            self._reports[account].frombytes(seqs[first:end])
            first = end
        self._add_accepted(events)

    def _add_accepted(self, events: np.ndarray) -> None:
        kind = events["kind"]
        accepted = (kind == EventKind.ORDER_ACCEPTED) | (kind == EventKind.ORDER_AMENDED)
        accepted |= (kind == EventKind.ORDER_CANCELED) & (events["reason"] == Reason.REQUESTED)
        rows = events[accepted]
        keys = operator_keys(rows)
        order = np.argsort(keys, kind="stable")
        rows, keys = rows[order], keys[order]
        for key, group in groups_of(keys):
            ids, seqs = self._accepted.setdefault(key, (array("Q"), array("Q")))
            ids.frombytes(rows["client_order_id"][group].tobytes())
            seqs.frombytes(rows["seq"][group].tobytes())

    def report_events(self, account_index: int, first: int, count: int) -> array:
        """Return the event sequences of an account's reports from number `first` on."""
        reports = self._reports.get(account_index)
        if reports is None or first < 1:
            return array("Q")
        return reports[first - 1 : first - 1 + count]

    def accepted_event(self, operator_key: int, client_order_id: int) -> int:
        """Return the event by which today's command of that id was accepted; 0 if none was."""
        ids, seqs = self._accepted.get(operator_key, ((), ()))
        place = bisect_left(ids, client_order_id)
        return seqs[place] if place < len(ids) and ids[place] == client_order_id else 0


def groups_of(sorted_values: np.ndarray) -> list[tuple[int, slice]]:
    """Return each distinct value of a sorted array with the slice it takes."""
    if not len(sorted_values):
        return []
    starts = np.flatnonzero(np.diff(sorted_values, prepend=sorted_values[0] ^ 1))
    ends = np.append(starts[1:], len(sorted_values))
    values = sorted_values[starts]
    return [(int(v), slice(int(s), int(e))) for v, s, e in zip(values, starts, ends, strict=True)]


def operator_keys(rows: np.ndarray) -> np.ndarray:
    """Return one number per record for the operator of its account (CEA-ACC-01)."""
    return rows["account_index"].astype(np.uint64) << np.uint64(16) | rows["operator_index"]


def is_same_command(command: np.void, acceptance: np.void) -> bool:
    """Say whether an acceptance answers exactly this command (not only one with its id)."""
    match CommandKind(int(command["kind"])):
        case CommandKind.ENTER:
            kind = EventKind.ORDER_ACCEPTED
            fields = ("side", "tif", "flags", "product_index", "price", "tonnes")
            target = command["pick_order_id"] == acceptance["counter_order_id"]
        case CommandKind.CANCEL:
            kind, fields = EventKind.ORDER_CANCELED, ()
            target = command["order_id"] == acceptance["order_id"]
        case CommandKind.AMEND:
            kind, fields = EventKind.ORDER_AMENDED, ("price", "tonnes")
            target = command["order_id"] == acceptance["order_id"]
    same = all(command[field] == acceptance[field] for field in fields)
    return bool(acceptance["kind"] == kind and target and same)
