"""Times of recorded flow, in the forms that venues write them."""

import re
from collections.abc import Callable
from datetime import date

NS_PER_SECOND = 1_000_000_000
SECONDS_PER_DAY = 86_400
EPOCH_DAY = date(1970, 1, 1).toordinal()

_DATE = r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)[T ]"
_CLOCK = r"(?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:\.(?P<fraction>\d+))?)?"
_ZONE = r"(?:Z|[+-]\d\d:?\d\d)?"
_TIME = re.compile(f"(?:{_DATE})?{_CLOCK}{_ZONE}")
_COUNT = re.compile(r"(?P<whole>\d{1,19})(?:\.(?P<fraction>\d+))?")

TimeReader = Callable[[str], int | None]
"""Takes a time as the record has it; returns nanoseconds, None if it is not a time.

They count from 1970 if the time has a date, else from midnight. Offsets from UTC are dropped: a
record has one offset, and only differences between its times are used.
"""


def counted_ns(text: str) -> int | None:
    """Read a time with colons, or a count.

    It is of seconds if it has a point or is at most those of a day, else of nanoseconds.
    """
    count = _COUNT.fullmatch(text)
    if count is None:
        return _with_colons_ns(text)
    whole = int(count["whole"])
    if count["fraction"] is None and whole > SECONDS_PER_DAY:
        return whole
    return whole * NS_PER_SECOND + _fraction_ns(count["fraction"])


def clock_ns(text: str) -> int | None:
    """Read a time with colons, or the digits of a clock such as 93000 or 20240102093000040."""
    if not (text.isascii() and text.isdigit()):
        return _with_colons_ns(text)
    digits = clock_digits(text)
    if not digits:
        return None
    day = text[:8] if len(text) >= 14 else ""
    days = _days(int(day[:4]), int(day[4:6]), int(day[6:])) if day else 0
    hour, minute, second = int(digits[:2]), int(digits[2:4]), int(digits[4:6])
    return _ns(days, hour, minute, second, digits[6:])


def clock_digits(digits: str) -> str:
    """Return the digits of a time from its hour's tens on; nothing if they are none.

    A date may stand before them and hundredths or thousandths behind; the first zero may be gone.
    """
    if len(digits) >= 14:
        return digits[8:]
    is_short = len(digits) in (5, 7) or (len(digits) == 8 and int(digits[:2]) > 23)
    digits = "0" * is_short + digits
    return digits if len(digits) in (6, 8, 9) else ""


def _with_colons_ns(text: str) -> int | None:
    time = _TIME.fullmatch(text)
    if time is None:
        return None
    has_date = time["year"] is not None
    days = _days(int(time["year"]), int(time["month"]), int(time["day"])) if has_date else 0
    hour, minute, second = int(time["hour"]), int(time["minute"]), int(time["second"] or 0)
    return _ns(days, hour, minute, second, time["fraction"])


def _days(year: int, month: int, day: int) -> int | None:
    """Return the days since 1970, None if the date does not exist."""
    try:
        return date(year, month, day).toordinal() - EPOCH_DAY
    except ValueError:
        return None


def _ns(
    days: int | None, hour: int, minute: int, second: int, fraction: str | None
) -> int | None:
    # A leap second is written as the 60th.
    if days is None or hour > 23 or minute > 59 or second > 60:
        return None
    seconds = ((days * 24 + hour) * 60 + minute) * 60 + second
    return seconds * NS_PER_SECOND + _fraction_ns(fraction)


def _fraction_ns(fraction: str | None) -> int:
    """Return the nanoseconds of a second's decimals; those behind the ninth are dropped."""
    return int((fraction or "").ljust(9, "0")[:9])
