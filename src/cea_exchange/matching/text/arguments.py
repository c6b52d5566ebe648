"""What callers of a market write, read strictly: choices, times, numbers, transfers."""

from datetime import datetime
from enum import Enum
from typing import SupportsIndex, TypeVar

from cea_exchange.domain.timetable import time_parse
from cea_exchange.domain.units import (
    PRICE_FEN_MAX,
    cash_format,
    cash_parse,
    int64_read,
    price_parse,
)
from cea_exchange.matching.text.names import Asked, text_check

E = TypeVar("E", bound=Enum)


def member_of(enum: type[E], value: E | str, what: str) -> E:
    """Read an enum's member, by itself or by its lower-case name."""
    if isinstance(value, enum):
        return value
    names = [member.name.lower() for member in enum]
    if not isinstance(value, str):
        raise TypeError(f"{what}: expected str or {enum.__name__}, got {type(value).__name__}")
    if value not in names:
        raise ValueError(f"{what}: expected one of {', '.join(names)}, got {str(value)!r}")
    return enum[value.upper()]


def reserve_read(reserve_price: str | None) -> int:
    """Read a reserve price; one above all prices stays above them, and fits its field."""
    return 0 if reserve_price is None else min(price_parse(reserve_price), PRICE_FEN_MAX + 1)


def moment_read(at: datetime | str) -> datetime:
    """Read a time with an offset."""
    return time_parse(at.isoformat() if isinstance(at, datetime) else at)


def transfer_asked(
    account: str, cash: str | None, product: str | None, tonnes: SupportsIndex | None
) -> tuple[Asked, int]:
    """Return what a transfer names, and its amount in fen or tonnes."""
    text_check(account, "account")
    if cash is not None:
        if product is not None or tonnes is not None:
            raise ValueError("a transfer: expected cash, or a product's tonnes, got both")
        fen = cash_parse(cash)
        return Asked(account=account, cash=cash_format(fen)), fen
    if product is None or tonnes is None:
        got = " and ".join(f"{each!r}" for each in (product, tonnes))
        raise ValueError(f"a transfer: expected cash, or product and tonnes, got {got}")
    text_check(product, "product")
    tonnes = int64_read(tonnes, "tonnes")
    return Asked(account=account, product=product, tonnes=tonnes), tonnes
