"""Which of a session's commands a frame of reports answers, and which of its reports it brings."""

from typing import NamedTuple

import numpy as np

from cea_exchange.domain.records import EVENT_DTYPE, EventKind, Method, Reason

EARLY_COUNT_MAX = 16_384
"""Reports behind a gap; a client that leaves it open for longer does not want what is in it."""

_NEVER, _ALWAYS, _IF_REQUESTED, _IF_BLOCK = range(4)
_WHEN = {
    EventKind.ORDER_ACCEPTED: _ALWAYS,
    EventKind.ORDER_AMENDED: _ALWAYS,
    EventKind.ORDER_REJECTED: _ALWAYS,
    EventKind.BLOCK_ENQUIRED: _ALWAYS,
    EventKind.BLOCK_OFFERED: _ALWAYS,
    EventKind.BLOCK_COUNTERED: _ALWAYS,
    EventKind.BLOCK_REJECTED: _ALWAYS,
    EventKind.BID_ACCEPTED: _ALWAYS,
    EventKind.ORDER_CANCELED: _IF_REQUESTED,
    EventKind.BLOCK_WITHDRAWN: _IF_REQUESTED,
    EventKind.BID_CANCELED: _IF_REQUESTED,
    EventKind.TRADE: _IF_BLOCK,
}
"""When an event answers the command that it names."""
_TWO_SIDED = np.array(
    [
        kind in (EventKind.TRADE, EventKind.TRADE_BUSTED)
        or (kind in list(EventKind) and EventKind(kind).name.startswith("BLOCK_"))
        for kind in range(256)
    ]
)
_ANSWERS = np.zeros(256, np.uint8)
for _kind, _when in _WHEN.items():
    _ANSWERS[_kind] = _when


class Reports(NamedTuple):
    """What is to know of a frame of reports.

    Attributes
    ----------
    positions
        Their numbers in the account's stream, 0 where they have none.
    answered
        Ids of commands of the operator that they answer.
    """

    positions: list[int]
    answered: list[int]


def reports_read(payload: bytes, account_index: int, operator_index: int) -> Reports:
    """Read a frame of Event records.

    Raises
    ------
    ValueError
        It is no whole number of records.
    """
    rows = np.frombuffer(payload, EVENT_DTYPE)
    kinds = rows["kind"]
    is_other_side = _TWO_SIDED[kinds] & (rows["account_index"] != account_index)
    positions = np.where(is_other_side, rows["counter_report_seq"], rows["report_seq"])
    when = _ANSWERS[kinds]
    answers = when == _ALWAYS
    answers |= (when == _IF_REQUESTED) & (rows["reason"] == Reason.REQUESTED)
    answers |= (when == _IF_BLOCK) & (rows["method"] == Method.BLOCK)
    answers &= rows["operator_index"] == operator_index
    ids = rows["client_order_id"][answers]
    return Reports(positions.tolist(), ids[ids != 0].tolist())


class ReportsPassed:
    """Which reports a session has got: all up to one, and some behind it.

    Attributes
    ----------
    last : int
        The last up to which all were passed on.
    """

    def __init__(self, last: int) -> None:
        self.last = last
        self._early: set[int] = set()

    def note(self, positions: list[int]) -> None:
        """Take down what was passed on."""
        for position in positions:
            if position == self.last + 1:
                self.last = position
                self._early_follow()
            elif position > self.last:
                self._early.add(position)
        if len(self._early) > EARLY_COUNT_MAX:
            self.last = max(self._early)
            self._early.clear()

    def _early_follow(self) -> None:
        while self._early and self.last + 1 in self._early:
            self.last += 1
            self._early.discard(self.last)
