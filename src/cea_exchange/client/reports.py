"""Event records as a participant reads them: a `Report` per row of its own numbered stream."""

import struct
from collections.abc import Iterator
from enum import IntEnum

from cea_exchange.domain.records import (
    EVENT_DTYPE,
    EventKind,
    EventRow,
    Method,
    Phase,
    Reason,
    Side,
)

_TRADES = frozenset({EventKind.TRADE, EventKind.TRADE_BUSTED})
_BLOCKS = frozenset(kind for kind in EventKind if kind.name.startswith("BLOCK_"))
_TWO_SIDED = _TRADES | _BLOCKS
_ANSWERS = frozenset(
    {
        EventKind.ORDER_ACCEPTED,
        EventKind.ORDER_AMENDED,
        EventKind.ORDER_REJECTED,
        EventKind.BLOCK_ENQUIRED,
        EventKind.BLOCK_OFFERED,
        EventKind.BLOCK_COUNTERED,
        EventKind.BLOCK_REJECTED,
        EventKind.BID_ACCEPTED,
    }
)
_ANSWERS_IF_REQUESTED = frozenset(
    {EventKind.ORDER_CANCELED, EventKind.BLOCK_WITHDRAWN, EventKind.BID_CANCELED}
)
_ENUMS: dict[str, type[IntEnum]] = {
    "side": Side,
    "method": Method,
    "reason": Reason,
    "phase": Phase,
}
_CODES = {"|u1": "B", "<u2": "H", "<u4": "I", "<u8": "Q", "<i8": "q"}
_LAYOUT = struct.Struct("<" + "".join(_CODES[EVENT_DTYPE[name].str] for name in EventRow._fields))
assert _LAYOUT.size == EVENT_DTYPE.itemsize, "the event record must have no holes"


class Report(EventRow):
    """One event about the participant's own account, with the fields of the Event record.

    Notes
    -----
    Prices are in fen per tonne, quantities in tonnes. In a trade `account_index` is the taker; a
    maker reads its own side in the fields that begin with `counter_`.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        """Return what there is to say: the kind by name, and whatever is not zero."""
        said = [f"kind={_name(EventKind, self.kind)}"]
        for name, value in zip(self._fields[1:], self[1:], strict=True):
            if value:
                enum = _ENUMS.get(name)
                said.append(f"{name}={value if enum is None else _name(enum, value)}")
        return f"Report({', '.join(said)})"

    def is_maker(self, account_index: int) -> bool:
        """Say whether this is a trade, or its bust, in which the account's order was resting.

        Of a directed block: whether the other party acts.
        """
        return self.kind in _TWO_SIDED and self.account_index != account_index

    def position(self, account_index: int) -> int:
        """Return the report's number in the account's stream; 0 if it has none."""
        return self.counter_report_seq if self.is_maker(account_index) else self.report_seq

    def own_order_id(self, account_index: int) -> int:
        """Return the order id of the account's own side."""
        is_makers = self.kind in _TRADES and self.is_maker(account_index)
        return self.counter_order_id if is_makers else self.order_id

    def answers(self) -> int:
        """Return the `client_order_id` of the command that this report answers; 0 if none.

        Notes
        -----
        A cancel is answered by ORDER_CANCELED with reason REQUESTED; an order cancelled for
        another reason carries the id that entered it, and answers nothing. An acceptance of a block
        is answered by the trade. What the other party did comes without its id, and so does a bid's
        end that the operator brought.
        """
        if self.kind in _ANSWERS:
            return self.client_order_id
        if self.kind in _ANSWERS_IF_REQUESTED and self.reason == Reason.REQUESTED:
            return self.client_order_id
        if self.kind == EventKind.TRADE and self.method == Method.BLOCK:
            return self.client_order_id
        return 0


def _name(enum: type[IntEnum], value: int) -> str:
    return enum(value).name if value in list(enum) else str(value)


def reports_of(payload: bytes) -> Iterator[Report]:
    """Yield the reports in a frame of Event records.

    Raises
    ------
    ValueError
        If the frame is no whole number of records.
    """
    if len(payload) % _LAYOUT.size:
        raise ValueError(
            f"a report frame: expected whole records of {_LAYOUT.size} bytes, got {len(payload)}"
        )
    return map(Report._make, _LAYOUT.iter_unpack(payload))


def report_row(report: Report) -> bytes:
    """Return the Event record that a report was."""
    return _LAYOUT.pack(*report)
