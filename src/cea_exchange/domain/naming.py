"""Names of accounts, products, persons and entities: which are sound, and the key of each.

Indexes mean nothing to another side, so what venue and registry compare goes by `name_key`.
"""

import re
import unicodedata
from hashlib import blake2b

CASH_NAME = "CNY"
NAME_BYTES_MAX = 64

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""With which a spreadsheet takes a cell for a formula, the wide ones of Chinese text too."""
_TEXT_MARK = "'"
"""With which a spreadsheet takes it for text."""

_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0100-\U000e01ef]"
)
"""Drawn as nothing, though Unicode has them as letters, marks or symbols (Default_Ignorable)."""

_PARTS = ("CJK RADICAL ", "CJK STROKE ")
"""Of Chinese characters, by Unicode symbols: nobody tells them from the characters."""
_SCRIPTS = ("LATIN ", "CJK ", "IDEOGRAPHIC ", "GREEK ", "CYRILLIC ")
"""With which Unicode's names of the letters begin that names may have: those of which is known
which look alike."""


def name_check(name: str, what: str = "name") -> str:
    """Return a name of an account or product if it is a sound one.

    Raises
    ------
    TypeError
        If it is no str.
    ValueError
        If it is empty, longer than 64 bytes of UTF-8, or holds a space or an unprintable character.
    """
    if not isinstance(name, str):
        raise TypeError(f"{what}: expected str, got {type(name).__name__}")
    if not name or not name.isprintable() or any(c.isspace() for c in name):
        raise ValueError(f"{what}: expected printable text without spaces, got {name[:80]!r}")
    # A str that prints has no lone surrogates, so it always encodes.
    if len(name.encode("utf-8")) > NAME_BYTES_MAX:
        raise ValueError(f"{what}: expected at most {NAME_BYTES_MAX} bytes, got {name[:80]!r}")
    return name


def name_fault(name: str) -> str | None:
    """Return what is wrong with a name; None if it is one."""
    try:
        name_check(name)
    except ValueError as error:
        return str(error)
    return None


def is_one_line(text: str) -> bool:
    """Tell whether a person's words stay on their line, and all of them are seen.

    No line ends, no control, format, direction, private or unassigned characters, and none that are
    drawn as nothing. Others would read a forged line of a log or a proposal in them.
    """
    return _INVISIBLE.search(text) is None and not any(
        category[0] == "C" or category in ("Zl", "Zp")
        for category in map(unicodedata.category, text)
    )


def id_check(text: str, what: str = "id") -> str:
    """Return an id if it has visible characters on one line, at least one.

    Raises
    ------
    TypeError
        If it is no str.
    ValueError
        If it is empty, blank, or holds a character that is not seen, such as U+0000.

    Notes
    -----
    Rules: CEA-ORD-14.
    """
    if type(text) is not str:
        raise TypeError(f"{what}: expected str, got {type(text).__name__}")
    if not text.strip() or not is_one_line(text):
        raise ValueError(
            f"{what}: expected one or more visible characters on one line (CEA-ORD-14),"
            f" got {text[:80]!a}"
        )
    return text


def plain_name_check(name: str, what: str = "name") -> str:
    """Return a name of a person, an entity or an account if it is what it looks like.

    Raises
    ------
    ValueError
        As `normal_name_check`, or it has a letter or digit of another script than the Latin,
        Chinese, Greek and Cyrillic, or begins as a spreadsheet's formula does.

    Notes
    -----
    Rules: CEA-PER-04.
    """
    normal_name_check(name, what)
    for character in name:
        if _is_foreign(character):
            raise ValueError(
                f"{what}: expected Latin, Chinese, Greek or Cyrillic letters and digits 0 to 9,"
                f" got {name[:80]!r} with {unicodedata.name(character, ascii(character))}"
            )
    if name.startswith(_FORMULA_STARTS):
        raise ValueError(f"{what}: expected no begin of a formula, got {name[:80]!r}")
    return name


def csv_name(name: str) -> str:
    """Return a name as CSV has it: text where a spreadsheet would take it for a formula.

    Notes
    -----
    Rules: CEA-PER-04.
    """
    return _TEXT_MARK + name if _seems_formula(name) else name


def csv_name_read(cell: str) -> str:
    """Return the name that `csv_name` made a cell of; any other cell is as it is."""
    is_marked = cell.startswith(_TEXT_MARK) and _seems_formula(cell)
    return cell.removeprefix(_TEXT_MARK) if is_marked else cell


def _seems_formula(text: str) -> bool:
    return text.lstrip(_TEXT_MARK).startswith(_FORMULA_STARTS)


def _is_foreign(character: str) -> bool:
    """Tell whether it is a letter or number of a script that names have not, or drawn as one."""
    if character.isascii():
        return False
    name = unicodedata.name(character, "")
    is_letter = unicodedata.category(character)[0] in "LN"
    return name.startswith(_PARTS) or (is_letter and not name.startswith(_SCRIPTS))


def normal_name_check(name: str, what: str = "name") -> str:
    """Return a name if it is written as all others write it.

    Raises
    ------
    ValueError
        If it is not in the normal form NFKC, or holds a character that is not seen.

    Notes
    -----
    Rules: CEA-PER-04.
    """
    if not is_one_line(name):
        raise ValueError(f"{what}: expected one line of visible characters, got {name!a:.80}")
    normal = unicodedata.normalize("NFKC", name)
    if name != normal:
        raise ValueError(f"{what}: expected {normal[:80]!r} (NFKC), got {name!a:.120}")
    return name


def name_key(name: str) -> int:
    """Return the 64-bit key of an account's or product's name."""
    return int.from_bytes(blake2b(name.encode("utf-8"), digest_size=8).digest(), "little")


CASH_KEY = name_key(CASH_NAME)
