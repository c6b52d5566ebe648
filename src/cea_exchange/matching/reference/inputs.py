"""What comes into a `ReferenceMarket`: numbers and trading commands, taken as they are or refused.

What is refused here is no command at all, and raises; what the market says no to is a `Reason`.
"""

from __future__ import annotations

from typing import NamedTuple, SupportsIndex

import numpy as np

from cea_exchange.domain.records import (
    ACCOUNT_NONE,
    EVENT_DTYPE,
    BlockFlag,
    CommandKind,
    OrderFlag,
    Side,
    Tif,
)
from cea_exchange.domain.units import whole_number

OPERATOR_COUNT_MAX = 16
U32_MAX = (1 << 32) - 1
U64_MAX = (1 << 64) - 1
I64_MAX = (1 << 63) - 1


class Command(NamedTuple):
    """One row of COMMAND_DTYPE."""

    kind: int
    side: int
    tif: int
    flags: int
    product_index: int
    operator_index: int
    account_index: int
    trading_date: int
    client_order_id: int
    order_id: int
    pick_order_id: int
    price: int
    tonnes: int
    reserved: int


def int_taken(name: str, value: SupportsIndex, low: int, high: int) -> int:
    """Return a whole number within these limits; TypeError or ValueError for anything else."""
    number = whole_number(value, name)
    if not low <= number <= high:
        raise ValueError(f"{name}: expected within {low}..{high}, got {number}")
    return number


def index_taken(name: str, value: SupportsIndex, count: int) -> int:
    """Return the index of one of so many that were declared; ValueError for any other."""
    number = int_taken(name, value, 0, U32_MAX)
    if number >= count:
        raise ValueError(f"{name}: expected a declared one, got {number}")
    return number


def records_check(name: str, array: object, dtype: np.dtype) -> None:
    """Raise TypeError for what is no one-dimensional array of such records."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{name}: expected a numpy array, got {type(array).__name__}")
    if array.dtype != dtype:
        raise TypeError(f"{name}: expected the record's dtype, got {array.dtype}")
    if array.ndim != 1:
        raise TypeError(f"{name}: expected one dimension, got {array.ndim}")


def commands_read(records: np.ndarray) -> list[Command]:
    """The commands of an array; ValueError where one is malformed."""
    commands = [Command._make(row) for row in records.tolist()]
    for place, command in enumerate(commands):
        _well_formed_check(place, command)
    return commands


def trade_read(trade: bytes) -> dict[str, int]:
    """The fields of a record."""
    if type(trade) is not bytes:
        raise TypeError(f"trade: expected bytes, got {type(trade).__name__}")
    if len(trade) != EVENT_DTYPE.itemsize:
        raise ValueError(f"trade: expected {EVENT_DTYPE.itemsize} bytes, got {len(trade)}")
    (row,) = np.frombuffer(trade, EVENT_DTYPE).tolist()
    return dict(zip(EVENT_DTYPE.names, row, strict=True))


def _well_formed_check(place: int, command: Command) -> None:
    """Raise ValueError for a record no well-behaved sender makes."""
    bounds = {"kind": (CommandKind.ENTER, CommandKind.BID_CANCEL), "reserved": (0, 0)}
    if command.kind == CommandKind.ENTER:
        bounds |= {
            "side": (Side.BUY, Side.SELL),
            "tif": (Tif.DAY, max(Tif)),
            "flags": (0, OrderFlag.POST_ONLY),
        }
    elif command.kind in (CommandKind.BLOCK_ENQUIRY, CommandKind.BLOCK_OFFER):
        bounds |= {"side": (Side.BUY, Side.SELL)} | _block_bounds(command)
    for name, (low, high) in bounds.items():
        value = getattr(command, name)
        if not low <= value <= high:
            raise ValueError(
                f"commands[{place}].{name}: expected within {int(low)}..{int(high)}, got {value}"
            )


def _block_bounds(command: Command) -> dict[str, tuple[int, int]]:
    """What an enquiry or an offer may have in its fields, as its flags say."""
    is_enquiry = command.kind == CommandKind.BLOCK_ENQUIRY
    flags_most = BlockFlag.TO_GROUP
    if is_enquiry:
        flags_most |= BlockFlag.PRICE_OPEN | BlockFlag.TONNES_OPEN
    addressed = command.flags & (BlockFlag.TO_ACCOUNT | BlockFlag.TO_GROUP)
    bounds = {
        "flags": (0, flags_most),
        "pick_order_id": (0, ACCOUNT_NONE if addressed else 0),
    }
    if addressed == BlockFlag.TO_ACCOUNT | BlockFlag.TO_GROUP:
        bounds["flags"] = (0, BlockFlag.TO_GROUP)
    if is_enquiry:
        bounds["order_id"] = (0, 0)
    for flag, name in ((BlockFlag.PRICE_OPEN, "price"), (BlockFlag.TONNES_OPEN, "tonnes")):
        if command.flags & flag:
            bounds[name] = (0, 0)
    return bounds
