"""Turns what daemons say in integers into text for people, and back: ISO dates, yuan, tonnes.

Fields of an answer are distinguished by their names, amounts of one asset or another by the fields
beside them, so that no command prints fen or yyyymmdd by itself. JSON stays as the daemons have it.
"""

import re
from collections.abc import Mapping
from typing import Any

import typer

from cea_exchange.cli.language import said

DATES = frozenset(
    {
        *("date", "day", "deadline", "until", "valid_from", "starts", "ends"),
        *("crediting_from", "crediting_to", "produced_from", "produced_to"),
    }
)
DATE_SUFFIXES = ("_date", "_on", "_by")
TIME_SUFFIX = "_at_ns"
MONTHS = frozenset({"month", "period"})
YUAN = frozenset(
    {
        *("cash", "price", "paid", "earned", "fee", "fees", "buy_fee", "sell_fee"),
        *("bank", "ledger", "open", "wrong", "unexplained", "booked", "instructed"),
        *("reserve_cash", "recovered_cash", "cash_locked", "difference_sum"),
        *("reference_price", "clearing_price", "floor", "ceiling"),
        *("fine", "owed"),
    }
)
YUAN_SUFFIX = "_fen"
TONNES = frozenset(
    {
        *("tonnes", "obligation_tonnes", "surrendered", "offset", "shortfall", "due", "remaining"),
        *("cancelled", "to_return"),
        *("bought", "sold", "received", "given", "tonnes_awarded", "tonnes_locked"),
    }
)
TONNES_SUFFIX = "_tonnes"
OF_THE_ASSET = frozenset(
    {"amount", "ordered", "released", "in_force", "deducted", "opening", "closing"}
)
"""Fen where `product`, `instrument` or `asset` beside them is cash, or is none; else tonnes."""


MONTH_FORM = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")
YEAR_FORM = re.compile(r"[0-9]{4}")
YEAR_MAX = 9_999

ALL_CASH = -1
"""All the cash there is, as it was typed."""


class Quantity(str):
    """A number with its unit; in a table it stands to the right."""

    __slots__ = ()


def shown(name: str, value: Any, beside: Mapping[str, Any]) -> Any:
    """Return a field's value as a person reads it.

    Parameters
    ----------
    name, value
        Of the field.
    beside
        All fields of its row.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return said("yes" if value else "no")
    if not isinstance(value, int):
        return value
    if name in DATES or name.endswith(DATE_SUFFIXES):
        return date_shown(value)
    if name in MONTHS:
        return month_shown(value)
    if name.endswith(TIME_SUFFIX):
        return time_shown(value)
    if name in YUAN or name.endswith(YUAN_SUFFIX):
        return yuan(value)
    if name in TONNES or name.endswith(TONNES_SUFFIX):
        return tonnes(value)
    if name in OF_THE_ASSET:
        assets = (beside[field] for field in ("product", "instrument", "asset") if field in beside)
        return amount(next(assets, None), value)
    return value


def amount(asset: str | None, value: int) -> Quantity:
    """Return an amount of an asset: yuan of cash, tonnes of everything else."""
    from cea_exchange.domain.naming import CASH_NAME

    return yuan(value) if asset in (None, CASH_NAME) else tonnes(value)


def yuan(fen: int) -> Quantity:
    """Return cash, such as ``1000.00 yuan``."""
    from cea_exchange.domain.units import cash_format

    return Quantity(f"{cash_format(fen)} {said('yuan')}")


def tonnes(count: int) -> Quantity:
    """Return an amount of allowances, such as ``5000 t``."""
    return Quantity(f"{count} {said('t')}")


def date_shown(number: int) -> str:
    """Return a day, such as ``2025-07-16``; 0 is none."""
    return f"{number // 10_000:04}-{number // 100 % 100:02}-{number % 100:02}" if number else "-"


def month_shown(number: int) -> str:
    """Return a month, such as ``2025-07``, or a year as it is."""
    return f"{number // 100:04}-{number % 100:02}" if number > YEAR_MAX else str(number)


def time_shown(time_ns: int) -> str:
    """Return a time in Shanghai, to the second; 0 is none."""
    from cea_exchange.domain.timetable import time_from_ns

    return time_from_ns(time_ns).isoformat(timespec="seconds") if time_ns else "-"


# -- typed ----------------------------------------------------------------------------------------


def date_typed(text: str) -> int:
    """Return yyyymmdd of a day that was typed as ``2025-07-16``."""
    from cea_exchange.domain.calendar import date_number, date_parse

    return _parsed(lambda: date_number(date_parse(text)))


def month_typed(text: str) -> int:
    """Return yyyymm of a month that was typed as ``2025-07``."""
    found = MONTH_FORM.fullmatch(text)
    if found is None:
        raise typer.BadParameter(f"expected a month such as 2025-07, got {text!r}")
    return 100 * int(found[1]) + int(found[2])


def period_typed(text: str) -> int:
    """Return yyyymm of a month, or a year that was typed as ``2025``."""
    return int(text) if YEAR_FORM.fullmatch(text) else month_typed(text)


def yuan_typed(text: str) -> int:
    """Return fen of an amount that was typed as ``1000.00``."""
    from cea_exchange.domain.units import cash_parse

    return _parsed(lambda: cash_parse(text))


def cash_or_all_typed(text: str) -> int:
    """Return fen of an amount, or `ALL_CASH` of the word ``all``."""
    return ALL_CASH if text == "all" else yuan_typed(text)


def price_typed(text: str) -> int:
    """Return fen of a price that was typed as ``97.49``."""
    from cea_exchange.domain.units import price_parse

    return _parsed(lambda: price_parse(text))


def _parsed(parse: Any) -> int:
    try:
        return int(parse())
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
