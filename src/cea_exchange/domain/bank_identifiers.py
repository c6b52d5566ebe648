"""Identifiers of payments, parties, accounts and days at a bank, as ISO 20022 limits them."""

import re
from datetime import date

_ID_FORM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]*")
_ID_CHARACTERS_MAX = 35
_ACCOUNT_CHARACTERS_MAX = 34
_NAME_CHARACTERS_MAX = 35


def id_check(text: str, name: str, characters_max: int = _ID_CHARACTERS_MAX) -> None:
    """Raise ValueError unless the text is an id: letters, digits and ``._:-``."""
    if not _ID_FORM.fullmatch(text) or len(text) > characters_max:
        raise ValueError(
            f"{name}: expected 1 to {characters_max} letters, digits or ._:-, got {text[:80]!r}"
        )


def account_check(text: str, name: str) -> None:
    """Raise ValueError unless the text can be an account's number at a bank."""
    id_check(text, name, _ACCOUNT_CHARACTERS_MAX)


def name_check(text: str, name: str) -> None:
    """Raise ValueError unless the text can be the name of a party."""
    if not 0 < len(text) <= _NAME_CHARACTERS_MAX or not text.isprintable() or text != text.strip():
        raise ValueError(
            f"{name}: expected 1 to {_NAME_CHARACTERS_MAX} printable characters, got {text[:80]!r}"
        )


def date_check(day: int, name: str) -> None:
    """Raise ValueError unless the number is a date, yyyymmdd."""
    try:
        date(day // 10_000, day // 100 % 100, day % 100)
    except (ValueError, OverflowError):
        raise ValueError(f"{name}: expected a date as yyyymmdd, got {day}") from None
