"""What every act of the platform checks first, and how it says no."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from cea_exchange.domain.calendar import date_of_number
from cea_exchange.domain.compliance.ruled import ComplianceError
from cea_exchange.domain.naming import is_one_line, name_check, plain_name_check
from cea_exchange.domain.refusals import PlatformRefusal
from cea_exchange.files.findings import FileRefused, Finding
from cea_exchange.institution.checks import ActError

WORDS_LENGTH_MAX = 200
TEXT_LENGTH_MAX = 2_000
"""Of an objection, a finding and the answer to one."""
YEAR_MIN, YEAR_MAX = 2018, 2099
"""By the output of 2018 units were given ahead for 2019 and 2020 (CEA-PLN-14)."""


class PlatformActError(ActError):
    """The act is refused by the platform, and nothing was changed."""

    def __init__(self, code: PlatformRefusal, words: str) -> None:
        super().__init__(code, words)


REMEDY = "nothing of it was taken: mend each line that is named, and enter it again (CEA-FIL-01)"
RULE = re.compile(r"\(CEA-[A-Z]{3}-[0-9]{2}\)")
REMEDIES = {
    "enterprise": "hand in the files of each enterprise by themselves",
    "unit": "name a unit of the enterprise, or let the province register it first",
    "month": "give months that have ended, as yyyy-mm",
    "parameter": "name each parameter of the guideline once, and file what is missing",
    "value": "correct it by its document",
    "measure": "give the value in the unit that is expected",
    "origin": "say where it comes from, the same all the year",
    "evidence": "bring the document first, and name its SHA-256",
    "basis": "say in what state the coal is weighed, and sample it so",
    "missing_data": "plan what the guideline has for it",
    "meter": "name the meter, or leave its class and calibration out",
}
"""By column, what may be done about a finding."""


@contextmanager
def file_refusals_raised() -> Iterator[None]:
    """Let a file refuse the act.

    Notes
    -----
    Rules: CEA-FIL-01.
    """
    try:
        yield
    except FileRefused as error:
        mended = tuple(map(_with_rule_and_remedy, error.findings))
        words = f"{FileRefused(error.file, mended, error.count)}\n{error.file}: {REMEDY}"
        raise PlatformActError(PlatformRefusal.FILE_REFUSED, words) from error
    except ModuleNotFoundError as error:
        raise PlatformActError(PlatformRefusal.FILE_REFUSED, str(error)) from error


def _with_rule_and_remedy(finding: Finding) -> Finding:
    """Return a finding that names a rule, and what may be done: a file's own is CEA-FIL-01."""
    rule = "" if RULE.search(finding.text) else " (CEA-FIL-01)"
    remedy = REMEDIES.get(finding.column or "", "mend it")
    return finding._replace(text=f"{finding.text}{rule}: {remedy}")


@contextmanager
def rule_refusals_raised(code: PlatformRefusal) -> Iterator[None]:
    """Let figures that break a rule of the compliance cycle refuse the act."""
    try:
        yield
    except ComplianceError as error:
        raise PlatformActError(code, str(error)) from error


def name_checked(name: str, what: str) -> None:
    """Raise unless an enterprise's, a unit's or a firm's name is a sound one."""
    try:
        plain_name_check(name_check(name, what), what)
    except (TypeError, ValueError) as error:
        raise PlatformActError(PlatformRefusal.NAME_UNSOUND, str(error)) from None


def words_checked(
    words: str, what: str, length_max: int = WORDS_LENGTH_MAX, *, is_needed: bool = True
) -> None:
    """Raise unless a person's words are of one line, and not too many."""
    is_sound = (
        isinstance(words, str)
        and len(words) <= length_max
        and words == words.strip()
        and is_one_line(words)
    )
    if not is_sound or (is_needed and not words):
        raise PlatformActError(
            PlatformRefusal.TEXT_UNSOUND,
            f"{what}: expected one line of at most {length_max} characters, got {words!r}",
        )


def day_checked(day: int, what: str) -> None:
    """Raise unless a number is a day of a year that may be meant."""
    try:
        date = date_of_number(day)
    except (TypeError, ValueError):
        date = None
    if date is None or not YEAR_MIN - 20 <= date.year <= YEAR_MAX:
        raise PlatformActError(
            PlatformRefusal.DATE_UNSOUND, f"{what}: expected a day such as 20250716, got {day!r}"
        )


def month_checked(month: int) -> None:
    """Raise unless a number is a month of a compliance year."""
    is_month = isinstance(month, int) and 1 <= month % 100 <= 12
    if not is_month or not YEAR_MIN <= month // 100 <= YEAR_MAX:
        raise PlatformActError(
            PlatformRefusal.DATE_UNSOUND, f"month: expected one such as 202507, got {month!r}"
        )


def year_checked(year: int, what: str = "year") -> None:
    """Raise unless a number is a compliance year."""
    if not isinstance(year, int) or not YEAR_MIN <= year <= YEAR_MAX:
        raise PlatformActError(
            PlatformRefusal.DATE_UNSOUND,
            f"{what}: expected a year from {YEAR_MIN} to {YEAR_MAX}, got {year!r}",
        )


def period_checked(period: int) -> None:
    """Raise unless a number is a month of a compliance year, or the year."""
    if isinstance(period, int) and 0 <= period <= YEAR_MAX:
        year_checked(period, "period")
    else:
        month_checked(period)


def choice_checked(word: str, words: tuple[str, ...], what: str) -> None:
    """Raise unless a word is one of some."""
    if word not in words:
        raise PlatformActError(
            PlatformRefusal.CHOICE_UNKNOWN,
            f"{what}: expected one of {', '.join(words)}, got {word!r}",
        )


def count_checked(number: int, what: str, most: int) -> None:
    """Raise unless a number is a whole one from 0 to what it may be at most."""
    is_whole = isinstance(number, int) and not isinstance(number, bool)
    if not is_whole or not 0 <= number <= most:
        raise PlatformActError(
            PlatformRefusal.AMOUNT_UNSOUND,
            f"{what}: expected a whole number from 0 to {most}, got {number!r}",
        )
